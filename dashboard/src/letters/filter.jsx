import { useEffect, useState } from "preact/hooks";
import { shortId } from "../kit/format.js";
import { go, useRoute } from "../kit/route.js";
import { exact } from "../kit/time.js";
import { Field } from "../parts/Field.jsx";

export const STATES = ["parked", "redriven", "resolved", "discarded"];
const NAMES = ["group", "type", "subject", "reason", "fingerprint", "from", "to"];
const first = (value) => (Array.isArray(value) ? value[0] : value);

/* What the URL filters by: state ("all": any), filter (the rest, as a bulk call takes it), query (both, as a list takes them),
 * shared (both, as a link of this page has them). narrowed: not every parked letter is meant. */
export function useLetterFilter() {
    const { path, query } = useRoute();
    const filter = Object.fromEntries(NAMES.map((name) => [name, first(query[name])]).filter(([, value]) => value));
    const state = first(query.state) ?? "parked";
    const change = (values) => go(path, { query: { ...query, after: undefined, ...values }, replace: true });

    return {
        state, filter, change, narrowed: Object.keys(filter).length > 0 || state !== "parked",
        query: { ...filter, state: state === "all" ? undefined : state },
        shared: { ...filter, state: state === "parked" ? undefined : state },
    };
}

/* "group billing, type Order*" */
export function words(filter) {
    const found = Object.entries(filter ?? {}).filter(([name, value]) => value && name !== "state").map(([name, value]) => {
        if (name === "from" || name === "to") {
            return `${name === "from" ? "dead since" : "dead before"} ${exact(value)}`;
        }
        return `${name} ${name === "fingerprint" ? shortId(value) : value}`;
    });

    return found.length ? found.join(", ") : "every parked letter";
}

function Text({ name, label, value = "", change, placeholder }) {
    const [typed, setTyped] = useState(value);
    useEffect(() => setTyped(value), [value]);

    return (
        <Field label={label}>
            <input type="search" value={typed} placeholder={placeholder} autocomplete="off" spellcheck={false}
                onInput={(event) => setTyped(event.currentTarget.value)}
                onChange={() => change({ [name]: typed.trim() || undefined })} />
        </Field>
    );
}

/* The URL has the time in UTC, the input the reader's own. */
function local(value) {
    const at = new Date(value ?? NaN);

    return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function When({ name, label, value, change }) {
    const chosen = (event) => {
        const at = new Date(event.currentTarget.value);
        change({ [name]: Number.isNaN(at.getTime()) ? undefined : at.toISOString() });
    };

    return <Field label={label}><input type="datetime-local" value={local(value)} onChange={chosen} /></Field>;
}

export function FilterBar({ state, filter, change, narrowed }) {
    const rest = ["subject", "reason", "from", "to"].filter((name) => filter[name]).length;
    const choose = (one) => change({ state: one === "parked" ? undefined : one });
    const clear = () => change(Object.fromEntries([...NAMES, "state"].map((name) => [name, undefined])));

    return (
        <form class="filters" role="search" aria-label="Filter letters" onSubmit={(event) => event.preventDefault()}>
            <Field label="State">
                <select value={state} onChange={(event) => choose(event.currentTarget.value)}>
                    {STATES.map((one) => <option key={one} value={one}>{one}</option>)}
                    <option value="all">any</option>
                </select>
            </Field>
            <Text name="group" label="Group" value={filter.group} change={change} placeholder="any" />
            <Text name="type" label="Event type" value={filter.type} change={change} placeholder="any, or Order*" />
            <details class="letter-more" open={rest > 0}>
                <summary>More filters</summary>
                <div class="filters">
                    <Text name="subject" label="Subject" value={filter.subject} change={change} placeholder="any, or order-7*" />
                    <Text name="reason" label="Reason" value={filter.reason} change={change} placeholder="max-retries" />
                    <When name="from" label="Dead since" value={filter.from} change={change} />
                    <When name="to" label="Dead before" value={filter.to} change={change} />
                </div>
            </details>
            {filter.fingerprint && (
                <button type="button" class="letter-chip" onClick={() => change({ fingerprint: undefined })}
                    aria-label={`Fingerprint ${filter.fingerprint}: show other kinds too`}>
                    kind {shortId(filter.fingerprint)} <span aria-hidden="true">✕</span>
                </button>
            )}
            {narrowed && <button type="button" class="quiet" onClick={clear}>Clear</button>}
        </form>
    );
}
