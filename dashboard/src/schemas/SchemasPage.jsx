import { useEffect, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { mayAll } from "../kit/rights.js";
import { Link, go, useQueryState } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Empty } from "../parts/Empty.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Field } from "../parts/Field.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Page } from "../parts/Page.jsx";
import { Pager } from "../parts/Pager.jsx";
import { Table } from "../parts/Table.jsx";
import { GlobalSettings } from "./GlobalSettings.jsx";
import { SUBJECTS_A_PAGE, contextOf, loadDetails, loadSubjects, typeOf } from "./load.js";
import "./schemas.css";

const LISTED_MS = 60000;
const waiting = <span class="muted">…</span>;

const COLUMNS = [
    { name: "subject", title: "Subject", sort: (row) => row.name, cell: (row) => row.name },
    {
        name: "context",
        title: "Context",
        sort: (row) => row.context,
        cell: (row) => (row.context === "." ? "default" : row.context),
    },
    {
        name: "type",
        title: "Type",
        sort: (row) => typeOf(row.details?.latest),
        cell: (row) => (row.details ? typeOf(row.details.latest) : waiting),
    },
    {
        name: "latest",
        title: "Latest version",
        numeric: true,
        sort: (row) => row.details?.latest?.version,
        cell: (row) => (row.details ? (row.details.latest?.version ?? "–") : waiting),
    },
    {
        name: "id",
        title: "Id",
        numeric: true,
        sort: (row) => row.details?.latest?.id,
        cell: (row) => (row.details ? (row.details.latest?.id ?? "–") : waiting),
    },
    {
        name: "level",
        title: "Compatibility",
        sort: (row) => row.details?.level,
        cell: (row) => (row.deleted ? <Badge tone="warn">deleted</Badge> : (row.details?.level ?? waiting)),
    },
];

function useSubjects(deleted, context, search) {
    const [limit, setLimit] = useState(SUBJECTS_A_PAGE);
    const list = usePoll((signal) => loadSubjects(deleted, signal), LISTED_MS, [deleted]);
    const all = (list.data ?? []).map((one) => ({ ...one, ...contextOf(one.subject) }));
    const words = search.toLowerCase().split(" ");
    const found = all.filter(
        (one) => (!context || one.context === context) && words.every((word) => one.subject.toLowerCase().includes(word)),
    );
    const shown = found.slice(0, limit);
    const details = usePoll((signal) => loadDetails(shown, signal), 0, [shown.map((one) => one.subject).join("\n")]);
    useEffect(() => setLimit(SUBJECTS_A_PAGE), [search, context]);
    return {
        list,
        details,
        total: found.length,
        contexts: [...new Set(all.map((one) => one.context))].sort(),
        rows: shown.map((one) => ({ ...one, details: details.data?.get(one.subject) })),
        onMore: () => setLimit(limit + SUBJECTS_A_PAGE),
    };
}

export function SchemasPage() {
    const [search, setSearch] = useQueryState("search", "");
    const [context, setContext] = useQueryState("context", "");
    const [deleted, setDeleted] = useQueryState("deleted", "");
    const [creating, setCreating] = useState(false);
    const { list, details, rows, total, contexts, onMore } = useSubjects(Boolean(deleted), context, search);
    const create = (
        <button type="button" class="primary" onClick={() => setCreating(true)}>
            New subject…
        </button>
    );
    return (
        <Page
            title="Schemas"
            actions={
                <>
                    <Link class="button" to="/contracts">
                        Contracts
                    </Link>
                    {create}
                </>
            }>
            <div class="filters">
                <input
                    type="search"
                    aria-label="Search subjects"
                    placeholder="Search subjects"
                    value={search}
                    onInput={(event) => setSearch(event.currentTarget.value)}
                />
                {(contexts.length > 1 || context) && <Contexts contexts={contexts} value={context} onChange={setContext} />}
                <label class="choice">
                    <input
                        type="checkbox"
                        checked={Boolean(deleted)}
                        onChange={(event) => setDeleted(event.currentTarget.checked ? "yes" : "")}
                    />{" "}
                    With deleted ones
                </label>
            </div>
            <Fault error={list.error} retry={list.reload} quiet={list.data !== undefined} />
            <Fault error={details.error} retry={details.reload} quiet />
            {list.loading && <Loading what="Looking for subjects" />}
            {list.data && (
                <Table
                    label="Subjects"
                    columns={COLUMNS}
                    rows={rows}
                    keyOf={(row) => row.subject}
                    linkOf={(row) => api.path`/schemas/${row.subject}`}
                    empty={<NoSubjects search={search || context} create={create} />}
                />
            )}
            <Pager
                more={rows.length < total}
                shown={total ? `${count(rows.length)} of ${count(total)}` : undefined}
                onMore={onMore}
            />
            {mayAll() && <GlobalSettings />}
            {creating && <NewSubject onClose={() => setCreating(false)} />}
        </Page>
    );
}

function Contexts({ contexts, value, onChange }) {
    return (
        <select aria-label="Context" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
            <option value="">All contexts</option>
            {contexts.map((one) => (
                <option key={one} value={one}>
                    {one === "." ? "default" : one}
                </option>
            ))}
        </select>
    );
}

function NoSubjects({ search, create }) {
    if (search) {
        return <Empty title="No subject fits" hint="Search for a part of its name." />;
    }
    return (
        <Empty
            title="No schema is registered yet"
            action={create}
            hint={
                <>
                    Events of a stream are checked by the subject
                    <code> stream-type</code>, for example <code>orders-OrderPlaced</code>.
                </>
            }
        />
    );
}

/* A subject is there once it has a version: the page of one that is not has the form. */
function NewSubject({ onClose }) {
    const [name, setName] = useState("");
    const submit = (event) => {
        event.preventDefault();
        go(api.path`/schemas/${name}`, { query: { tab: "check" } });
    };
    return (
        <Dialog title="New subject" onClose={onClose}>
            <form onSubmit={submit}>
                <Field
                    label="Subject"
                    hint="For events of a stream: stream-type, as orders-OrderPlaced. In another context: :.context:subject">
                    <input
                        data-first
                        value={name}
                        autocomplete="off"
                        spellcheck={false}
                        onInput={(event) => setName(event.currentTarget.value)}
                    />
                </Field>
                <footer class="dialog-foot">
                    <button type="button" onClick={onClose}>
                        Cancel
                    </button>
                    <button type="submit" class="primary" disabled={!name}>
                        Write its schema
                    </button>
                </footer>
            </form>
        </Dialog>
    );
}
