import { useRef } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { Link, useQueryState } from "../kit/route.js";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Progress } from "../parts/Progress.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { behind, to } from "./model.js";
import "./projections.css";

const POLL_MS = 4000, MANY = 100, MANY_MS = 15000;   // more than a page are asked for less often
const STATES = ["failed", "paused", "rebuilding", "running"];

const WHAT = "A projection keeps states up to date that follow from events: where each order stands, the revenue of each day.";

const COLUMNS = [
    { name: "name", title: "Name", sort: (p) => p.name, cell: (p) => p.name },
    { name: "state", title: "State", sort: (p) => STATES.indexOf(p.state), cell: (p) => <Status state={p.state} /> },
    { name: "lag", title: "Events behind", numeric: true, sort: (p) => p.lag.events, cell: (p) => count(p.lag.events) },
    { name: "age", title: "Oldest", numeric: true, sort: (p) => p.lag.seconds, cell: (p) => behind(p.lag) },
    { name: "streams", title: "Streams", sort: (p) => p.streams.join(), cell: (p) => p.streams.join(", ") },
    { name: "build", title: "Build", numeric: true, sort: (p) => p.build, cell: (p) => p.build },
    { name: "notes", title: "What happens", cell: (p) => <Notes projection={p} /> },
];

export function ProjectionsPage() {
    const last = useRef(null);                 // {answer, at}
    const { data, error, loading, stale, reload } = usePoll(async (signal) => {
        if (!last.current || last.current.answer.items.length <= MANY || Date.now() - last.current.at >= MANY_MS) {
            const at = Date.now();
            last.current = { answer: await api.all("/v1/projections", { query: { limit: MANY }, most: 10 * MANY, signal }), at };
        }
        return last.current.answer;
    }, POLL_MS);
    const [text, setText] = useQueryState("name");
    const [state, setState] = useQueryState("state");
    const all = data?.items ?? [];
    const shown = all.filter((p) => p.name.includes(text) && (!state || p.state === state));
    const define = <Link class="button primary" to="/projections/~new">Define a projection</Link>;

    return (
        <Page title="Projections" actions={all.length > 0 && define}>
            <Fault error={error} retry={reload} quiet={stale} />
            {loading && <Loading />}
            {data && !all.length && <Empty title="There is no projection yet" action={define} hint={WHAT} />}
            {all.length > 0 && (
                <div class="projections states-list">
                    <Filters {...{ text, setText, state, setState, all }} />
                    <Table label="Projections" columns={COLUMNS} rows={shown} keyOf={(p) => p.name} linkOf={(p) => to(p.name)}
                        sorted={{ name: "state", down: false }}
                        empty={<Empty title="No projection fits" hint="Empty the filters to see all of them." />} />
                    {data.more && <p class="muted">These are the first {count(all.length)}.</p>}
                </div>
            )}
        </Page>
    );
}

function Filters({ text, setText, state, setState, all }) {
    return (
        <search class="filters">
            <Field label="Name contains">
                <input type="search" value={text} onInput={(event) => setText(event.currentTarget.value)} />
            </Field>
            <Field label="State">
                <select value={state} onChange={(event) => setState(event.currentTarget.value)}>
                    <option value="">any</option>
                    {STATES.map((one) => (
                        <option key={one} value={one}>{one} ({all.filter((p) => p.state === one).length})</option>
                    ))}
                </select>
            </Field>
        </search>
    );
}

/* The one thing that counts most now. */
function Notes({ projection: { name, error, rebuild, verified } }) {
    if (error || rebuild?.error) {
        return <span class="note-error">{(error ?? rebuild.error).detail}</span>;
    }
    if (rebuild) {
        return <>Rebuild <Progress label={`Rebuild of ${name}`} value={rebuild.done} max={rebuild.total} /></>;
    }
    if (verified?.drifted) {
        return <span class="note-error">{count(verified.drifted)} keys drifted, <Time at={verified.updated} /></span>;
    }
    return (
        <span class="muted">
            {verified ? <>{count(verified.checked)} keys verified <Time at={verified.updated} /></> : "never verified"}
        </span>
    );
}
