import { count } from "../kit/format.js";
import { Link } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";

function Cause({ kind }) {
    return (
        <span class="letter-cause">
            <b>{kind.error.type || "No error was told"}</b>
            {kind.error.message && <span>{kind.error.message}</span>}
            {kind.poison && <Badge tone="bad" title="It died of the same again after a redrive: dlq_retry leaves it to you">poison</Badge>}
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

/* Triage: one row for each fingerprint. acts(kind): buttons. */
export function KindsTable({ kinds, query, across, acts, empty }) {
    const columns = [
        { name: "error", title: "Failure", cell: (kind) => <Cause kind={kind} />, sort: (kind) => kind.error.type },
        { name: "count", title: "Letters", numeric: true, cell: (kind) => <Counts kind={kind} />, sort: (kind) => kind.count },
        ...(across ? [{ name: "stream", title: "Stream", cell: (kind) => <Link to={`/letters/${kind.stream}`} class="letter-name">{kind.stream}</Link>, sort: (kind) => kind.stream }] : []),
        { name: "group", title: "Group", cell: (kind) => <span class="letter-name">{kind.group}</span>, sort: (kind) => kind.group },
        { name: "type", title: "Event type", cell: (kind) => <span class="letter-name">{kind.type}</span>, sort: (kind) => kind.type },
        { name: "first", title: "First seen", cell: (kind) => <Time at={kind.first_seen} />, sort: (kind) => kind.first_seen },
        { name: "last", title: "Last seen", cell: (kind) => <Time at={kind.last_seen} />, sort: (kind) => kind.last_seen },
        ...(acts ? [{ name: "acts", title: "", head: "Actions", cell: acts }] : []),
    ];
    const link = (kind) => ({ to: `/letters/${encodeURIComponent(kind.stream)}`,
        query: { ...query, tab: "letters", fingerprint: kind.fingerprint } });

    return <Table label="Kinds of failures" columns={columns} rows={kinds} keyOf={(kind) => `${kind.stream}/${kind.fingerprint}`}
        linkOf={link} empty={empty} />;
}
