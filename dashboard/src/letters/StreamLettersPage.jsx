import { useState } from "preact/hooks";
import { path as pathOf } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { Link, useRoute } from "../kit/route.js";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Tabs } from "../parts/Tabs.jsx";
import { summaryOf } from "./ask.js";
import { BulkDialog } from "./BulkDialog.jsx";
import { FilterBar, useLetterFilter } from "./filter.jsx";
import { KindsTable } from "./KindsTable.jsx";
import { LetterList } from "./LetterList.jsx";
import { NoLetters } from "./NoLetters.jsx";
import "./letters.css";

const EVERY = 3000;
const ONLY_PARKED = "Only parked letters can be redriven or discarded: choose the state parked";

function Kinds({ stream, filter, onBulk }) {
    const { data, error, loading, stale, reload } = usePoll((signal) => summaryOf(stream, filter.query, signal), EVERY,
        [stream, JSON.stringify(filter.query)]);
    const act = (kind, what, verb) => (
        <button type="button" onClick={() => onBulk(what, { ...filter.filter, fingerprint: kind.fingerprint })}
            aria-label={`${verb} letters of ${kind.error.type || kind.type}`}>{verb}…</button>
    );
    const acts = (kind) => kind.states.parked > 0 && (
        <span class="letter-acts">{act(kind, "redrive", "Redrive")}{act(kind, "discard", "Discard")}</span>
    );

    return (
        <>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Counting letters" />}
            {data && (
                <KindsTable kinds={data.items} acts={acts} query={filter.shared}
                    empty={<NoLetters narrowed={filter.narrowed} />} />
            )}
            {data?.more && <p class="muted">The 100 most frequent kinds are shown: narrow the filter to see others.</p>}
        </>
    );
}

function Actions({ stream, state, onBulk }) {
    const why = state === "parked" || state === "all" ? undefined : ONLY_PARKED;

    return (
        <>
            <button type="button" disabled={Boolean(why)} title={why} onClick={() => onBulk("redrive")}>Redrive many…</button>
            <button type="button" class="danger" disabled={Boolean(why)} title={why} onClick={() => onBulk("discard")}>
                Discard many…
            </button>
            <Link to="/jobs" query={{ stream }} class="button">Jobs</Link>
        </>
    );
}

export function StreamLettersPage() {
    const { stream } = useRoute().params;
    const filter = useLetterFilter();
    const [bulk, setBulk] = useState(null);
    const open = (kind, only = filter.filter) => setBulk({ kind, filter: only });
    const kinds = () => <Kinds stream={stream} filter={filter} onBulk={open} />;

    return (
        <Page title={`Dead letters of ${stream}`} crumbs={[{ title: "Dead letters", to: "/letters" }]}
            actions={<Actions stream={stream} state={filter.state} onBulk={open} />}>
            <FilterBar {...filter} />
            <Tabs label="Dead letters" tabs={[
                { id: "kinds", title: "Kinds of failures", render: kinds },
                { id: "letters", title: "Letters", render: () => <LetterList stream={stream} filter={filter} /> },
            ]} />
            {bulk && (
                <BulkDialog {...bulk} path={pathOf`/v1/streams/${stream}/dlq`} stream={stream} onClose={() => setBulk(null)} />
            )}
        </Page>
    );
}
