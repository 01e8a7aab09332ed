import { useMemo, useRef, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { useKeys } from "../kit/keys.js";
import { useQueryState } from "../kit/route.js";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { matcher } from "./kept.js";
import { Preview } from "./Preview.jsx";
import { kindOf, useStart } from "./start.js";
import { TailBar } from "./TailBar.jsx";
import { TailRows } from "./TailRows.jsx";
import { useTail } from "./useTail.js";

/* What happens in a stream, as it happens: newest on top. Filters by type, subject and partition are the server's; the search
 * looks through what is kept here. */
export function Tail({ stream, partitions }) {
    const [from, setFrom] = useQueryState("from", "recent");
    const [type, setType] = useQueryState("type");
    const [subject, setSubject] = useQueryState("subject");
    const [partition, setPartition] = useQueryState("partition");
    const [term, setTerm] = useQueryState("q");
    const [selected, setSelected] = useState(null);
    const [round, setRound] = useState(0);
    const search = useRef(null);
    const path = api.path`/v1/streams/${stream}/events`;
    const start = useStart(stream, from, Boolean(type || subject || partition), round);
    const query = useMemo(() => start.query && { ...start.query, type, subject, partition },
        [start.query, type, subject, partition]);
    const tail = useTail(path, query, !["recent", "now"].includes(kindOf(from)));
    const { kept } = tail;
    const rows = term ? kept.shown.filter(matcher(term)) : kept.shown;
    const move = (by) => {
        const found = rows.indexOf(selected);
        const at = found < 0 ? rows.length : found;
        const next = rows[Math.max(0, Math.min(rows.length - 1, at - by))];

        tail.hold();
        setSelected(next ?? selected);
    };
    const close = () => {
        document.querySelector(".tail-row.selected button")?.focus({ preventScroll: true });
        setSelected(null);
    };
    useKeys("Live tail", {
        p: [() => (kept.held ? tail.goOn() : tail.hold()), "Pause or resume"],
        "/": [() => search.current?.focus(), "Search in what is kept"],
        j: [() => move(1), "The next event below"],
        k: [() => move(-1), "The next event above"],
        Escape: [close, "Close the event"],
    });

    return (
        <div class="tail">
            <TailBar {...{ from, setFrom, type, setType, subject, setSubject, partition, setPartition, partitions, term, setTerm,
                search, tail,
                jump: () => {
                    setFrom("now");
                    setRound(round + 1);
                },
                call: { path, query, headers: { Accept: "text/event-stream" } } }} />
            <Fault error={start.error ?? tail.live.error} retry={start.error ? undefined : tail.live.retry} />
            <Gaps gaps={kept.gaps} />
            <div class={`tail-body ${selected ? "with-preview" : ""}`}>
                {rows.length ? (
                    <TailRows rows={rows} term={term} stream={stream} selected={selected} onSelect={setSelected} tail={tail} />
                ) : <Nothing tail={tail} term={term} filtered={Boolean(type || subject || partition)} />}
                {selected && <Preview row={selected} stream={stream} onClose={close} onSubject={setSubject} />}
            </div>
        </div>
    );
}

function Nothing({ tail, term, filtered }) {
    if (tail.kept.shown.length) {
        return <Empty title={`“${term}” is in none of the ${count(tail.kept.shown.length)} events kept here`}
            hint="The search looks through what has come since you opened this tail. To look further back, begin earlier." />;
    }
    if (!tail.caughtUp) {
        return <p class="loading">Reading…</p>;
    }
    return <Empty title={filtered ? "No event fits the filters so far" : "Waiting for events"}
        hint={filtered ? "New ones appear as they come. * stands for any run of characters: Order*." :
            "Whatever is published to this stream appears here at once."} />;
}

function Gaps({ gaps }) {
    if (!gaps.length) {
        return null;
    }
    const began = gaps.some((gap) => gap.error);

    return <p class="tail-note" role="status">{began ?
        "The stream was deleted and made again, or its database restored: this tail began anew." :
        "Retention removed events before they could be read here: some are missing."}</p>;
}
