import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { get, path as pathOf } from "../kit/api.js";
import { useKeys } from "../kit/keys.js";
import { usePoll } from "../kit/poll.js";
import { go, useRoute } from "../kit/route.js";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { Poison } from "./KindsTable.jsx";
import { listed } from "./listed.js";
import { NoLetters } from "./NoLetters.jsx";
import { Pages } from "./Pages.jsx";

const EVERY = 3000;
const PAGE = 100;

const Event = ({ letter: { event } }) => (
    <span class="letter-event"><b>{event.type}</b><span>{event.subject ?? event.id}</span></span>
);
const Failure = ({ letter: { error, reason } }) => (
    <span class="letter-error">{error ? <><b>{error.type}</b> {error.message}</> : reason}</span>
);

const COLUMNS = [
    { name: "event", title: "Event", cell: (letter) => <Event letter={letter} /> },
    { name: "state", title: "State", cell: (letter) => <><Status state={letter.state} /> {letter.poison && <Poison />}</> },
    { name: "group", title: "Group", cell: (letter) => <span class="letter-name">{letter.group}</span> },
    { name: "error", title: "Error", cell: (letter) => <Failure letter={letter} /> },
    { name: "attempts", title: "Attempts", numeric: true, cell: (letter) => letter.attempts.length },
    { name: "redrives", title: "Redrives", numeric: true, cell: (letter) => letter.redrives },
    { name: "died", title: "Died", cell: (letter) => <Time at={letter.dead_at} /> },
];

const target = (stream, id) => pathOf`/letters/${stream}/${id}`;

/* j and k move the focus through the rows, where Enter opens the letter; an open letter goes on from there. */
function useRowKeys(stream, ids) {
    const [at, setAt] = useState(() => (listed.stream === stream ? listed.at : null));
    const here = ids.includes(at);
    const move = (step) => {
        const next = here ? Math.max(0, Math.min(ids.length - 1, ids.indexOf(at) + step)) : 0;
        setAt(ids[next] ?? null);
    };
    const open = (query) => here && go(target(stream, at), { query });

    useLayoutEffect(() => {         /* before the next key comes */
        listed.at = at;
        document.querySelector("tr.selected .row-link")?.focus();
    }, [at, here]);
    useKeys("Dead letters", {
        j: [() => move(1), "Next letter; Enter opens it"],
        k: [() => move(-1), "Letter before"],
        e: [() => open({ edit: "1" }), "Repair the letter"],
        r: [() => open({ act: "redrive" }), "Redrive the letter"],
    });
    return at ?? undefined;
}

/* One page of letters, renewed while it is looked at. */
export function LetterList({ stream, filter }) {
    const { query } = useRoute();
    const asked = { ...filter.query, after: query.after, limit: PAGE };
    const { data, error, loading, stale, reload } = usePoll(
        (signal) => get(pathOf`/v1/streams/${stream}/dlq`, { query: asked, signal }), EVERY, [stream, JSON.stringify(asked)]);
    const letters = data?.body.items ?? [];
    const at = useRowKeys(stream, letters.map((letter) => letter.id));

    useEffect(() => {
        if (data) {
            Object.assign(listed, { stream, ids: letters.map((letter) => letter.id), back: { ...query, tab: "letters" } });
        }
    }, [data]);
    return (
        <>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading what="Fetching letters" />}
            {data && (
                <Table label={`Dead letters of ${stream}`} columns={COLUMNS} rows={letters} keyOf={(letter) => letter.id}
                    selected={at} linkOf={(letter) => target(stream, letter.id)}
                    empty={<NoLetters narrowed={filter.narrowed || Boolean(query.after)} />} />
            )}
            {letters.length > 0 && (
                <p class="letter-keys muted">
                    <kbd>j</kbd> <kbd>k</kbd> move, <kbd>Enter</kbd> opens, <kbd>e</kbd> repairs, <kbd>r</kbd> redrives
                </p>
            )}
            {data && <Pages next={data.body.next} />}
        </>
    );
}
