import { useState } from "preact/hooks";
import { path as pathOf } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Link, useRoute } from "../kit/route.js";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Tabs } from "../parts/Tabs.jsx";
import { summaryOf } from "./ask.js";
import { BulkDialog } from "./BulkDialog.jsx";
import { FilterBar, useLetterFilter } from "./filter.jsx";
import { KindsTable } from "./KindsTable.jsx";
import { LetterList } from "./LetterList.jsx";
import "./letters.css";

const EVERY = 3000;

export const NoLetters = ({ narrowed }) => (narrowed ?
    <Empty title="No letter fits this filter." hint="Clear the filter, or look for another state." /> :
    <Empty title="No letter is parked here." hint="Letters that were dealt with are found under another state." />);

function Kinds({ stream, filter, onBulk }) {
    const { data, error, loading, stale, reload } = usePoll((signal) => summaryOf(stream, filter.query, signal), EVERY,
        [stream, JSON.stringify(filter.query)]);
    const narrowed = Object.keys(filter.filter).length > 0 || filter.state !== "parked";
    const acts = (kind) => kind.states.parked > 0 && (
        <span class="letter-acts">
            <button type="button" onClick={() => onBulk("redrive", { ...filter.filter, fingerprint: kind.fingerprint })}
                aria-label={`Redrive letters of ${kind.error.type || kind.type}`}>Redrive…</button>
            <button type="button" onClick={() => onBulk("discard", { ...filter.filter, fingerprint: kind.fingerprint })}
                aria-label={`Discard letters of ${kind.error.type || kind.type}`}>Discard…</button>
        </span>
    );

    return (
        <>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Counting letters" />}
            {data === null && <Empty title="There is no such stream." hint="It was deleted, and its letters with it." />}
            {data && (
                <KindsTable kinds={data.items} acts={acts} empty={<NoLetters narrowed={narrowed} />}
                    query={{ ...filter.filter, state: filter.state === "parked" ? undefined : filter.state }} />
            )}
            {data?.more && <p class="muted">The 100 most frequent kinds are shown: narrow the filter to see others.</p>}
        </>
    );
}

function BulkButtons({ state, onBulk }) {
    const why = state === "parked" || state === "all" ? undefined : "Only parked letters can be redriven or discarded: choose the state parked";

    return (
        <>
            <button type="button" disabled={Boolean(why)} title={why} onClick={() => onBulk("redrive")}>Redrive many…</button>
            <button type="button" class="danger" disabled={Boolean(why)} title={why} onClick={() => onBulk("discard")}>Discard many…</button>
        </>
    );
}

export function StreamLettersPage() {
    const { stream } = useRoute().params;
    const filter = useLetterFilter();
    const [bulk, setBulk] = useState(null);
    const open = (kind, only = filter.filter) => setBulk({ kind, filter: only });
    const actions = (
        <>
            <BulkButtons state={filter.state} onBulk={open} />
            <Link to="/jobs" query={{ stream }} class="button">Jobs</Link>
        </>
    );

    return (
        <Page title={`Dead letters of ${stream}`} crumbs={[{ title: "Dead letters", to: "/letters" }]} actions={actions}>
            <FilterBar {...filter} />
            <Tabs label="Dead letters" tabs={[
                { id: "kinds", title: "Kinds of failures", render: () => <Kinds stream={stream} filter={filter} onBulk={open} /> },
                { id: "letters", title: "Letters", render: () => <LetterList stream={stream} filter={filter} /> },
            ]} />
            {bulk && <BulkDialog path={pathOf`/v1/streams/${stream}/dlq`} stream={stream} {...bulk} onClose={() => setBulk(null)} />}
        </Page>
    );
}
