import { useEffect, useState } from "preact/hooks";
import { get, path as pathOf } from "../kit/api.js";
import { useKeys } from "../kit/keys.js";
import { usePoll } from "../kit/poll.js";
import { go, Link, useRoute } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { listed } from "./listed.js";
import { NoLetters } from "./StreamLettersPage.jsx";

const EVERY = 3000;
const PAGE = 100;

const COLUMNS = [
    { name: "event", title: "Event", cell: (l) => <span class="letter-event"><b>{l.event.type}</b><span>{l.event.subject ?? l.event.id}</span></span> },
    { name: "state", title: "State", cell: (l) => <><Status state={l.state} />{l.poison && <> <Badge tone="bad">poison</Badge></>}</> },
    { name: "group", title: "Group", cell: (l) => l.group },
    { name: "error", title: "Error", cell: (l) => <span class="letter-error">{l.error ? <><b>{l.error.type}</b> {l.error.message}</> : l.reason}</span> },
    { name: "attempts", title: "Attempts", numeric: true, cell: (l) => l.attempts.length },
    { name: "redrives", title: "Redrives", numeric: true, cell: (l) => l.redrives },
    { name: "died", title: "Died", cell: (l) => <Time at={l.dead_at} /> },
];

const target = (stream, id) => pathOf`/letters/${stream}/${id}`;

/* j and k move through the rows; what is open in a letter goes on from there. */
function useRowKeys(stream, ids) {
    const [at, setAt] = useState(() => (listed.stream === stream ? listed.at : null));
    const move = (step) => {
        const i = ids.indexOf(at), next = i < 0 ? 0 : Math.max(0, Math.min(ids.length - 1, i + step));
        listed.at = ids[next] ?? null;
        setAt(listed.at);
    };
    const open = (query) => ids.includes(at) && go(target(stream, at), { query });

    useKeys("Letters", {
        j: [() => move(1), "Next letter"],
        k: [() => move(-1), "Letter before"],
        Enter: [() => open(), "Open the letter"],
        e: [() => open({ edit: "1" }), "Repair the letter"],
        r: [() => open({ act: "redrive" }), "Redrive the letter"],
    });
    useEffect(() => document.querySelector("tr.selected")?.scrollIntoView({ block: "nearest" }), [at]);
    return at;
}

/* One page of letters, renewed while it is looked at; the page before is one step back in the browser. */
export function LetterList({ stream, filter }) {
    const { path, query } = useRoute();
    const asked = { ...filter.query, after: query.after, limit: PAGE };
    const { data, error, loading, stale, reload } = usePoll((signal) => get(pathOf`/v1/streams/${stream}/dlq`, { query: asked, signal }), EVERY,
        [stream, JSON.stringify(asked)]);
    const letters = data?.body.items ?? [];
    const at = useRowKeys(stream, letters.map((l) => l.id));
    const narrowed = Object.keys(filter.filter).length > 0 || filter.state !== "parked";

    useEffect(() => {
        if (data) {
            Object.assign(listed, { stream, ids: letters.map((l) => l.id), back: { ...query, tab: "letters" } });
        }
    }, [data]);
    return (
        <>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Fetching letters" />}
            {data && (
                <Table label={`Dead letters of ${stream}`} columns={COLUMNS} rows={letters} keyOf={(l) => l.id} selected={at ?? undefined}
                    linkOf={(l) => target(stream, l.id)} empty={<NoLetters narrowed={narrowed || Boolean(query.after)} />} />
            )}
            {letters.length > 0 && (
                <p class="letter-keys muted"><kbd>j</kbd> <kbd>k</kbd> move, <kbd>Enter</kbd> opens, <kbd>e</kbd> repairs, <kbd>r</kbd> redrives.</p>
            )}
            {data && (query.after || data.body.next) && (
                <nav class="letter-pages" aria-label="Pages">
                    {query.after && <Link to={path} query={{ ...query, after: undefined }}>Newest</Link>}
                    {data.body.next && <Link to={path} query={{ ...query, after: data.body.next }}>Older</Link>}
                </nav>
            )}
        </>
    );
}
