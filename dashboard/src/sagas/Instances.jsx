import { useEffect, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { usePoll } from "../kit/poll.js";
import { go, Link, useRoute } from "../kit/route.js";
import { duration } from "../kit/time.js";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Status } from "../parts/Status.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { BulkRetry } from "./BulkRetry.jsx";
import { sagaPath } from "./SagasPage.jsx";
import { causeText, STATES } from "./words.js";

const A_PAGE = 50,
    TYPING = 400; // ms before what is typed is asked for
const FILTERS = ["state", "step", "error", "version", "from", "to"];

/* The instances of a saga, the newest first. The filter stands in the URL. */
export function Instances({ saga, definition, onChange }) {
    const { query } = useRoute();
    const filter = Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));
    const asked = { ...filter, after: query.after };
    const poll = usePoll(
        (signal) => api.get(api.path`/v1/sagas/${saga}/instances`, { query: { limit: A_PAGE, ...asked }, signal }),
        4000,
        [saga, JSON.stringify(asked)],
    );
    const set = (changes) => go(sagaPath(saga), { query: { ...query, after: undefined, ...changes }, replace: true });
    const page = poll.data?.body,
        filtered = Object.keys(filter).length > 0;
    const done = () => {
        poll.reload();
        onChange();
    };
    return (
        <>
            <Filter filter={filter} set={set} definition={definition}>
                {filtered && (
                    <button
                        type="button"
                        class="quiet"
                        onClick={() => set(Object.fromEntries(FILTERS.map((name) => [name, undefined])))}>
                        Clear
                    </button>
                )}
                <BulkRetry saga={saga} filter={filter} paused={definition.instances.paused} onDone={done} />
            </Filter>
            <Fault error={poll.error} retry={poll.reload} quiet={poll.stale} />
            {poll.loading && <Loading />}
            {page && (
                <Table
                    label="Instances"
                    columns={COLUMNS}
                    rows={page.items}
                    keyOf={(one) => one.id}
                    linkOf={(one) => `${sagaPath(saga)}/instances/${encodeURIComponent(one.id)}`}
                    empty={<Nothing filtered={filtered} saga={saga} />}
                />
            )}
            {page && (query.after || page.next) && (
                <p class="pager">
                    {query.after && (
                        <Link class="button" to={sagaPath(saga)} query={{ ...query, after: undefined }}>
                            Back to the newest
                        </Link>
                    )}
                    {page.next && (
                        <Link class="button" to={sagaPath(saga)} query={{ ...query, after: page.next }}>
                            Older
                        </Link>
                    )}
                </p>
            )}
        </>
    );
}

const COLUMNS = [
    { name: "id", title: "Instance", cell: (one) => one.id },
    { name: "state", title: "State", cell: (one) => <Status state={one.state} /> },
    { name: "cause", title: "Why", cell: (one) => <span class="saga-why">{causeText(one.cause)}</span> },
    { name: "created", title: "Started", cell: (one) => <Time at={one.created} /> },
    { name: "updated", title: "Last change", cell: (one) => <Time at={one.updated} /> },
    {
        name: "took",
        title: "Took",
        numeric: true,
        cell: (one) => (one.ended ? duration(Date.parse(one.ended) - Date.parse(one.created)) : "–"),
    },
    { name: "version", title: "Version", numeric: true, cell: (one) => one.version },
];

function Nothing({ filtered, saga }) {
    return filtered ? (
        <Empty
            title="No instance fits this filter."
            hint="Instances that have ended are removed after a while; their events stay."
        />
    ) : (
        <Empty
            title={`${saga} has no instances.`}
            hint="Start one with the button above, or let an event start it: start_on in its definition."
        />
    );
}

function Filter({ filter, set, definition, children }) {
    const names = definition.steps.map((step) => step.name);
    const steps = filter.step && !names.includes(filter.step) ? [...names, filter.step] : names;
    return (
        <div class="saga-filter" role="search" aria-label="Filter instances">
            <div class="filters">
                <Field label="State">
                    <select value={filter.state ?? ""} onChange={(event) => set({ state: event.currentTarget.value })}>
                        <option value="">any</option>
                        {STATES.map((state) => (
                            <option key={state} value={state}>
                                {state}
                            </option>
                        ))}
                    </select>
                </Field>
                <Field label="Error at step">
                    <select value={filter.step ?? ""} onChange={(event) => set({ step: event.currentTarget.value })}>
                        <option value="">any</option>
                        {steps.map((name) => (
                            <option key={name} value={name}>
                                {name}
                            </option>
                        ))}
                    </select>
                </Field>
                <Typed label="Error says" name="error" filter={filter} set={set} type="search" placeholder="*timeout*" />
                <Field label="Version">
                    <select value={filter.version ?? ""} onChange={(event) => set({ version: event.currentTarget.value })}>
                        <option value="">any</option>
                        {versionsOf(definition.newest, filter.version).map((n) => (
                            <option key={n} value={n}>
                                {n}
                            </option>
                        ))}
                    </select>
                </Field>
                <Day label="Started from" name="from" filter={filter} set={set} />
                <Day label="Started before" name="to" filter={filter} set={set} />
            </div>
            <div class="saga-buttons">{children}</div>
        </div>
    );
}

export function versionsOf(newest, at) {
    const all = Array.from({ length: Math.min(newest, 100) }, (_, i) => newest - i);
    return at && !all.includes(Number(at)) ? [...all, Number(at)] : all;
}

/* Asked for when the typing pauses. */
function Typed({ label, name, filter, set, ...rest }) {
    const [text, setText] = useState(filter[name] ?? "");
    useEffect(() => setText(filter[name] ?? ""), [filter[name]]);
    useEffect(() => {
        const timer = setTimeout(() => text !== (filter[name] ?? "") && set({ [name]: text }), TYPING);
        return () => clearTimeout(timer);
    }, [text]);
    return (
        <Field label={label}>
            <input
                {...rest}
                value={text}
                autocomplete="off"
                spellcheck={false}
                onInput={(event) => setText(event.currentTarget.value)}
            />
        </Field>
    );
}

const two = (n) => String(n).padStart(2, "0");

/* The reader's clock in the field, UTC in the URL and the call. */
export function localOf(time) {
    const d = new Date(time);
    return Number.isNaN(d.getTime())
        ? ""
        : `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
}

function Day({ label, name, filter, set }) {
    return (
        <Field label={label}>
            <input
                type="datetime-local"
                value={filter[name] ? localOf(filter[name]) : ""}
                onChange={(event) => {
                    const time = event.currentTarget.value && new Date(event.currentTarget.value);
                    set({ [name]: time ? time.toISOString() : undefined });
                }}
            />
        </Field>
    );
}
