import { useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { go, useRoute } from "../kit/route.js";
import { may } from "../kit/rights.js";
import { Action } from "../parts/Action.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Tabs } from "../parts/Tabs.jsx";
import { isOwn } from "./odd.js";
import { Publish } from "./Publish.jsx";
import { StreamForm } from "./StreamForm.jsx";
import { StreamOverview } from "./StreamOverview.jsx";
import { Tail } from "./Tail.jsx";
import "./streams.css";

const POLL_MS = 2000;
export const CRUMBS = [{ title: "Streams", to: "/streams" }];

export function StreamPage() {
    const { params } = useRoute();
    const name = params.stream;
    const { data, error, loading, stale, reload } = usePoll((signal) => api.get(api.path`/v1/streams/${name}`, { signal }),
        POLL_MS, [name]);
    const stream = data?.body;

    if (error?.status === 404) {
        return (
            <Page title={name} crumbs={CRUMBS}>
                <Empty title={`There is no stream ${name}`}
                    hint="It was deleted, or the link is wrong. It appears here as soon as it is created." />
            </Page>
        );
    }
    return (
        <Page title={name} crumbs={CRUMBS} actions={stream && <Actions key={name} stream={stream} reload={reload} />}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading />}
            {stream && <Tabs key={name} label={`Views of ${name}`} tabs={tabsOf(stream)} />}
        </Page>
    );
}

function tabsOf(stream) {
    const overview = { id: "overview", title: "Overview", render: () => <StreamOverview stream={stream} /> };
    const live = { id: "live", title: "Live tail", render: () => <Tail stream={stream.name} partitions={stream.partitions} /> };

    return may("subscribe", stream.name) ? [overview, live] : [overview];
}

function Actions({ stream, reload }) {
    const [shown, setShown] = useState(null);
    const close = () => setShown(null);
    const own = isOwn(stream.name);
    const manage = may("manage", stream.name) && !own;

    return (
        <>
            {may("publish", stream.name) && !own &&
                <button type="button" class="primary" onClick={() => setShown("publish")}>Publish</button>}
            {manage && <button type="button" onClick={() => setShown("settings")}>Settings</button>}
            {manage && <Delete name={stream.name} />}
            {shown === "publish" && <Publish stream={stream.name} onClose={close} onDone={reload} />}
            {shown === "settings" && <StreamForm stream={stream} onClose={close} onDone={reload} />}
        </>
    );
}

function Delete({ name }) {
    return <Action label="Delete" tone="danger" call={{ method: "DELETE", path: api.path`/v1/streams/${name}` }}
        said={`${name} was deleted`} onDone={() => go("/streams", { replace: true })} confirm={{
            title: `Delete ${name}?`, phrase: name, label: "Delete the stream",
            text: "All its events go, its consumer groups and its dead letters too. Nothing brings them back.",
        }} />;
}
