import { useEffect, useState } from "preact/hooks";
import { curlOf } from "../kit/api.js";
import { count, rate } from "../kit/format.js";
import { now, relative } from "../kit/time.js";
import { Copy } from "../parts/Copy.jsx";
import { Status } from "../parts/Status.jsx";
import { arrivalRate, isFull, ROWS_MAX } from "./kept.js";
import { kindOf } from "./start.js";

export function TailBar(props) {
    const { tail, term, setTerm, search, call } = props;
    const { kept } = tail;

    return (
        <>
            <div class="bar tail-filters">
                <Start from={props.from} setFrom={props.setFrom} />
                <Filter label="Type" value={props.type} set={props.setType} example="Order*" />
                <Filter label="Subject" value={props.subject} set={props.setSubject} example="order-7*" />
                {props.partitions > 1 && <Partition count={props.partitions} value={props.partition} set={props.setPartition} />}
                <label class="tail-search">Search here
                    <input type="search" ref={search} value={term} placeholder="text in what is kept" spellcheck={false}
                        onInput={(event) => setTerm(event.currentTarget.value)} />
                </label>
            </div>
            <div class="bar tail-state">
                {kept.held ? (
                    <button type="button" class="primary" onClick={tail.goOn}>{resumeText(kept)}</button>
                ) : <button type="button" onClick={tail.hold}>Pause</button>}
                <State tail={tail} />
                <Rate kept={kept} />
                <span class="muted" title={`At most ${count(ROWS_MAX)} are kept; older ones leave the page, not the stream.`}>
                    {count(kept.shown.length)} kept of {count(kept.total)} seen
                </span>
                <span class="bar-end">
                    {kept.held && <button type="button" class="quiet" onClick={props.jump}>Jump to now</button>}
                    <button type="button" class="quiet" onClick={tail.clear} disabled={!kept.shown.length}>Clear</button>
                    <Copy text={() => curlOf(call).replace("curl ", "curl -N ")} label="Copy as curl" />
                </span>
            </div>
        </>
    );
}

function resumeText(kept) {
    const waits = `${count(kept.waiting.length)}${isFull(kept) ? "+" : ""}`;

    if (!kept.waiting.length) {
        return "Resume";
    }
    return kept.history === null ? `Resume (${waits} waiting)` : `Show the next ${waits}`;
}

/* Said aloud when it changes, which is rare; the figures beside it are not. */
function State({ tail }) {
    const { state, retryAt } = tail.live;
    const shown = tail.kept.held ? "paused" : state === "live" && !tail.caughtUp ? "reading history" : state;

    return (
        <span role="status">
            <Status state={shown} />
            {state === "reconnecting" && retryAt && <span class="muted"> again {relative(retryAt, now.value)}</span>}
        </span>
    );
}

function Rate({ kept }) {
    void now.value;                          /* falls when nothing comes any more */
    return <span class="tail-rate">{rate(arrivalRate(kept))}</span>;
}

/* Applied when it is done, not letter by letter: each change is another subscription. */
function Filter({ label, value, set, example }) {
    const [typed, setTyped] = useState(value);

    useEffect(() => setTyped(value), [value]);
    return (
        <form onSubmit={(event) => {
            event.preventDefault();
            set(typed.trim());
        }}>
            <label>{label}
                <input value={typed} placeholder={example} autocomplete="off" spellcheck={false}
                    onInput={(event) => setTyped(event.currentTarget.value)}
                    onBlur={() => set(typed.trim())} />
            </label>
        </form>
    );
}

function Partition({ count: n, value, set }) {
    return (
        <label>Partition
            <select value={value} onChange={(event) => set(event.currentTarget.value)}>
                <option value="">all</option>
                {Array.from({ length: n }, (_, i) => <option key={i} value={String(i)}>{i}</option>)}
            </select>
        </label>
    );
}

const STARTS = [["recent", "recent events"], ["now", "now"], ["earliest", "earliest"], ["time", "a time…"],
    ["cursor", "a cursor…"]];

function Start({ from, setFrom }) {
    const [kind, setKind] = useState(kindOf(from));

    useEffect(() => setKind(kindOf(from)), [from]);
    const choose = (event) => {
        const chosen = event.currentTarget.value;
        setKind(chosen);
        if (chosen !== "time" && chosen !== "cursor") {
            setFrom(chosen);
        }
    };
    return (
        <>
            <label>Begin at
                <select value={kind} onChange={choose}>
                    {STARTS.map(([value, title]) => <option key={value} value={value}>{title}</option>)}
                </select>
            </label>
            {kind === "time" && <TimeStart from={from} setFrom={setFrom} />}
            {kind === "cursor" && <CursorStart from={from} setFrom={setFrom} />}
        </>
    );
}

function TimeStart({ from, setFrom }) {
    const shown = kindOf(from) === "time" ? local(from) : "";
    const set = (event) => {
        const at = new Date(event.currentTarget.value);
        if (!Number.isNaN(at.getTime())) {
            setFrom(at.toISOString());
        }
    };

    return <label>Recorded at or after<input type="datetime-local" step="1" value={shown} onChange={set} /></label>;
}

function local(text) {
    const at = new Date(text);

    return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

function CursorStart({ from, setFrom }) {
    return (
        <label>After
            <input value={kindOf(from) === "cursor" ? from : ""} placeholder="paste a cursor" spellcheck={false}
                autocomplete="off"
                onChange={(event) => /^[A-Za-z0-9._~-]+$/.test(event.currentTarget.value)
                    && setFrom(event.currentTarget.value)} />
        </label>
    );
}
