import { usePoll } from "../kit/poll.js";
import { useRoute } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Tabs } from "../parts/Tabs.jsx";
import { Check } from "./Check.jsx";
import { Compare } from "./Compare.jsx";
import { SubjectSettings } from "./SubjectSettings.jsx";
import { Uses } from "./Uses.jsx";
import { Versions } from "./Versions.jsx";
import { contextOf, loadConfig, loadVersions } from "./load.js";
import "./schemas.css";

const LOADED_MS = 30000;

export function SubjectPage() {
    const { subject } = useRoute().params;
    const { data, error, loading, reload } = usePoll(
        async (signal) => {
            const [versions, config] = await Promise.all([loadVersions(subject, signal), loadConfig(subject, signal)]);
            return { versions, config };
        },
        LOADED_MS,
        [subject],
    );
    const { context, name } = contextOf(subject);
    return (
        <Page title={name} crumbs={[{ title: "Schemas", to: "/schemas" }]}>
            <Fault error={error} retry={reload} quiet={data !== undefined} />
            {loading && <Loading what="Looking at the subject" />}
            {data && <Head context={context} {...data} />}
            {data && <Tabs label="Views of the subject" tabs={tabsOf(subject, data, reload)} />}
        </Page>
    );
}

function Head({ context, versions, config }) {
    const there = versions.filter((one) => !one.deleted);
    return (
        <p class="subject-head">
            {context !== "." && <Badge>context {context}</Badge>}
            {there.length > 0 && <Badge tone="info">version {there[0].version}</Badge>}
            {versions.length > 0 && !there.length && <Badge tone="warn">deleted</Badge>}
            <Badge>{config.level}</Badge>
            {config.mode !== "READWRITE" && <Badge tone="warn">{config.mode}</Badge>}
        </p>
    );
}

function tabsOf(subject, { versions, config }, reload) {
    const given = { subject, versions, config, reload };
    const check = {
        id: "check",
        title: versions.length ? "Check and register" : "Register",
        render: () => <Check {...given} />,
    };
    if (!versions.length) {
        return [check];
    }
    return [
        { id: "versions", title: "Versions", render: () => <Versions {...given} /> },
        { id: "compare", title: "Compare", render: () => <Compare {...given} /> },
        check,
        { id: "uses", title: "Used by", render: () => <Uses {...given} /> },
        { id: "settings", title: "Settings", render: () => <SubjectSettings {...given} /> },
    ];
}
