import { useRef, useState } from "preact/hooks";
import { count } from "../kit/format.js";
import { useKeys } from "../kit/keys.js";
import { useQueryState, useRoute } from "../kit/route.js";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Pager } from "../parts/Pager.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { OneState } from "./OneState.jsx";
import { StateFilters } from "./StateFilters.jsx";
import { to } from "./model.js";
import { useStates } from "./useStates.js";
import { pointed } from "./where.js";

const INDEXED = 3, PREVIEW = 160, SHORT = 40;  // columns of their own; characters

/* The states that are read, found by key and by what they hold, and as they change. */
export function States({ projection: { name, build, indexes } }) {
    const { query } = useRoute();
    const [prefix, setPrefix] = useQueryState("prefix");
    const [conditions, setConditions] = useQueryState("where");
    const [chosen, setChosen] = useQueryState("key");
    const [paused, setPaused] = useState(false);
    const told = useRef(null);                 // hears of changes of the key that is shown
    const where = [conditions].flat().filter(Boolean);
    const onChange = (batch) => batch.forEach(({ event, text }) => event.key === chosen && told.current?.(text));
    const { list, live, more, reload } = useStates({ name, build, prefix, where, paused, onChange });
    const step = (by) => {
        const i = list.rows.findIndex((row) => row.key === chosen);
        setChosen(list.rows[Math.max(0, Math.min(list.rows.length - 1, i + by))]?.key ?? chosen);
    };
    useKeys("States", {
        p: [() => setPaused(!paused), "Pause changes, or go on"],
        j: [() => step(1), "The next state"],
        k: [() => step(-1), "The state before"],
        Escape: [() => setChosen(""), "Close the state"],
    });

    return (
        <div class={`states ${chosen ? "with-one" : ""}`}>
            <div class="states-list">
                <StateFilters {...{ prefix, where, indexes, setPrefix, setConditions }} />
                <div class="states-bar">
                    <span class="muted">{shownOf(list)}</span>
                    <span class="states-live">
                        <Status state={paused ? "paused" : live.state} />
                        <button type="button" onClick={() => setPaused(!paused)}>{paused ? "Go on" : "Pause changes"}</button>
                    </span>
                </div>
                <Fault error={list.error ?? live.error} retry={reload} />
                <Listed {...{ list, name, indexes, chosen, query, filtered: Boolean(prefix || where.length) }} />
                <Pager more={list.next !== null && !list.busy} onMore={more}
                    shown={list.below ? `${count(list.below)} more changed or came below these` : ""} />
            </div>
            {chosen && <OneState key={chosen} {...{ name, chosen, told }} row={list.rows.find((row) => row.key === chosen)}
                onClose={() => setChosen("")} />}
        </div>
    );
}

function shownOf({ rows, next, busy }) {
    if (busy && !rows.length) {
        return "";
    }
    return `${count(rows.length)}${next === null ? "" : " or more"} ${rows.length === 1 ? "state" : "states"}`;
}

function Listed({ list, name, indexes, chosen, query, filtered }) {
    if (!list.rows.length) {
        return list.busy ? <Loading /> : list.error ? null : <Nothing {...{ list, filtered }} />;
    }
    return (
        <Table label={`States of ${name}`} columns={columnsOf(indexes, Boolean(chosen))} rows={list.rows} keyOf={(row) => row.key}
            linkOf={(row) => ({ to: to(name), query: { ...query, key: row.key } })} selected={chosen || undefined} />
    );
}

function Nothing({ list, filtered }) {
    if (list.next !== null) {
        return <Empty title="Nothing found so far"
            hint="A search without an index looks at some states at a time: show more goes on." />;
    }
    return filtered ? <Empty title="No state fits" hint="Empty the filters, or wait: a state that comes to fit appears here." /> :
        <Empty title="There are no states yet" hint="They appear here as events of its streams are folded." />;
}

/* A change flashes; for those who want no motion the time when it was seen stands beside it. */
function Flash({ row, children }) {
    return <span key={row.flash} class={row.flash ? "flash" : undefined}>{children}</span>;
}

/* beside: one state is shown whole beside the list. */
function columnsOf(indexes, beside) {
    const state = (row) => <Flash row={row}><code class="state-preview">{preview(row.text, PREVIEW)}</code></Flash>;
    return [
        { name: "key", title: "Key", cell: (row) => row.key },
        ...indexes.slice(0, INDEXED).map((pointer) => ({
            name: `at ${pointer}`, title: pointer, cell: (row) => preview(plain(pointed(row.text, pointer)), SHORT),
        })),
        { name: "version", title: "Version", numeric: true, cell: (row) => <Flash row={row}>{count(row.version)}</Flash> },
        ...(beside ? [] : [{ name: "state", title: "State", cell: state }]),
        { name: "seen", title: "Changed", numeric: true, cell: (row) => <Time at={row.seen} /> },
    ];
}

/* A string without its quotes, all else as it was sent. */
const plain = (text) => (text === undefined ? "–" : text[0] === "\"" ? JSON.parse(text) : text);
const preview = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);
