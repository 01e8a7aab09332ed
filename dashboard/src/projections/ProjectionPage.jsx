import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { Link, go, useRoute } from "../kit/route.js";
import { Action } from "../parts/Action.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Json } from "../parts/Json.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Tabs } from "../parts/Tabs.jsx";
import { Now } from "./Now.jsx";
import { RebuildAction } from "./Rebuild.jsx";
import { States } from "./States.jsx";
import { Trouble } from "./Trouble.jsx";
import { Verify } from "./Verify.jsx";
import { CRUMBS, definitionOf, to } from "./model.js";
import "./projections.css";

const POLL_MS = 2000;

export function ProjectionPage() {
    const { params } = useRoute();
    const name = params.projection;
    const { data, error, loading, stale, reload } = usePoll(
        (signal) => api.get(api.path`/v1/projections/${name}`, { signal }), POLL_MS, [name]);
    const projection = data?.body;

    if (error?.status === 404) {
        return (
            <Page title={name} crumbs={CRUMBS}>
                <Empty title={`There is no projection ${name}`} hint="It was deleted, or the link is wrong."
                    action={<Link class="button" to="/projections/~new" query={{ name }}>Define it</Link>} />
            </Page>
        );
    }
    return (
        <Page title={name} crumbs={CRUMBS} actions={projection && <Actions key={name} {...{ projection, reload }} />}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading />}
            {projection?.description && <p class="muted">{projection.description}</p>}
            {projection && <Trouble key={name} {...{ projection, reload }} />}
            {projection && <Tabs key={`${name} tabs`} label={`Views of ${name}`} tabs={tabsOf(data, reload)} />}
        </Page>
    );
}

function tabsOf(data, reload) {
    const projection = data.body;
    return [
        { id: "now", title: "Now", render: () => <Now projection={projection} sample={data} /> },
        { id: "states", title: "States", render: () => <States projection={projection} /> },
        { id: "verify", title: "Verify", render: () => <Verify {...{ projection, reload }} /> },
        { id: "definition", title: "Definition", render: () => <Definition data={data} /> },
    ];
}

function Actions({ projection: { name, paused }, reload }) {
    if (!may("projection", name)) {
        return null;
    }
    const post = (what) => ({ method: "POST", path: api.path`/v1/projections/${name}/${what}` });
    return (
        <>
            {paused ? <Action key="resume" label="Resume" tone="primary" call={post("resume")} onDone={reload} /> :
                <Action key="pause" label="Pause" call={post("pause")} onDone={reload} />}
            <RebuildAction name={name} onDone={reload} />
            <Link class="button" to={to(name, "edit")}>Edit</Link>
            <Action label="Delete" tone="danger" call={{ method: "DELETE", path: api.path`/v1/projections/${name}` }}
                said={`${name} was deleted`} onDone={() => go("/projections", { replace: true })} confirm={{
                    title: `Delete ${name}?`, phrase: name, label: "Delete the projection",
                    text: "Its states go, and nothing answers questions about them any more. Its streams stay as they are.",
                }} />
        </>
    );
}

function Definition({ data }) {
    return (
        <section aria-label="Definition" class="definition">
            <Json text={definitionOf(data.text)} label="Definition" />
        </section>
    );
}
