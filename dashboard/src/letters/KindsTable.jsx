import { path } from "../kit/api.js";
import { count } from "../kit/format.js";
import { Link } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";

const POISON = "It died of the same again after a redrive: dlq_retry leaves it to you";

export const Poison = () => <Badge tone="bad" title={POISON}>poison</Badge>;

function Cause({ kind }) {
    return (
        <span class="letter-cause">
            <b>{kind.error.type || "No error was told"}</b>
            {kind.error.message && <span>{kind.error.message}</span>}
            {kind.poison && <Poison />}
        </span>
    );
}

const OTHERS = ["redriven", "resolved", "discarded"];

/* How many, and what became of the rest of them. */
function Counts({ kind }) {
    const rest = OTHERS.filter((state) => kind.states[state] && kind.states[state] < kind.count);

    return (
        <span class="letter-counts">
            <b>{count(kind.count)}</b>
            {rest.length > 0 && <small>{rest.map((state) => `${count(kind.states[state])} ${state}`).join(", ")}</small>}
        </span>
    );
}

const plain = (name, title, of) => ({ name, title, cell: (kind) => <span class="letter-name">{of(kind)}</span>, sort: of });

const STREAM = {
    name: "stream", title: "Stream", sort: (kind) => kind.stream,
    cell: (kind) => <Link to={path`/letters/${kind.stream}`} class="letter-name">{kind.stream}</Link>,
};

/* Triage: one row for each fingerprint. acts(kind): buttons. */
export function KindsTable({ kinds, query, across, acts, empty }) {
    const columns = [
        { name: "error", title: "Failure", cell: (kind) => <Cause kind={kind} />, sort: (kind) => kind.error.type },
        { name: "count", title: "Letters", numeric: true, cell: (kind) => <Counts kind={kind} />, sort: (kind) => kind.count },
        ...(across ? [STREAM] : []),
        plain("group", "Group", (kind) => kind.group),
        plain("type", "Event type", (kind) => kind.type),
        { name: "first", title: "First seen", cell: (kind) => <Time at={kind.first_seen} />, sort: (kind) => kind.first_seen },
        { name: "last", title: "Last seen", cell: (kind) => <Time at={kind.last_seen} />, sort: (kind) => kind.last_seen },
        ...(acts ? [{ name: "acts", title: "", head: "Actions", cell: acts }] : []),
    ];
    const link = ({ stream, fingerprint }) => (
        { to: path`/letters/${stream}`, query: { ...query, tab: "letters", fingerprint } });

    return <Table label="Kinds of failures" columns={columns} rows={kinds} keyOf={(kind) => `${kind.stream}/${kind.fingerprint}`}
        linkOf={link} empty={empty} />;
}
