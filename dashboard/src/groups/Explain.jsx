import { api } from "../kit/api.js";
import { count } from "../kit/format.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { Link } from "../kit/route.js";
import { Badge } from "../parts/Badge.jsx";
import { Card } from "../parts/Card.jsx";
import { Curl } from "../parts/Curl.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Loading } from "../parts/Loading.jsx";
import { Table } from "../parts/Table.jsx";
import { Time } from "../parts/Time.jsx";
import { BLOCKER_STATES, REASONS } from "./words.js";

const EXPLAIN_MS = 8000;

/* Why nothing comes, in words, and what helps. acts: asked again after each act. */
export function Explain({ group, path, acts }) {
    const { data, error, loading, reload } = usePoll(
        async (signal) => (await api.get(`${path}/explain`, { signal })).body,
        EXPLAIN_MS,
        [path, acts, group.updated],
    );
    return (
        <Card title="What would a worker get?">
            <Fault error={error} retry={reload} quiet={data !== undefined} />
            {loading && <Loading what="Asking" />}
            {data?.deliverable && <Deliverable group={group} path={path} />}
            {data && !data.deliverable && (
                <ul class="reasons">
                    {data.reasons.map((reason) => (
                        <Reason key={reason.code} group={group} reason={reason} />
                    ))}
                </ul>
            )}
        </Card>
    );
}

function Deliverable({ group, path }) {
    const idle = group.in_flight === 0 && group.retrying === 0;
    return (
        <div class="deliverable">
            <p>
                <Badge tone="good">Events</Badge> The next receive gets some.
            </p>
            {idle && <p>No event is with a worker just now. Is one running? A worker asks like this:</p>}
            {idle && <Curl call={{ method: "POST", path: `${path}/receive`, body: { max: 10, wait: "5s", consumer: "me" } }} />}
        </div>
    );
}

function Reason({ group, reason }) {
    const { title, help, enough } = REASONS[reason.code] ?? { title: reason.code, help: "" };
    return (
        <li>
            <h3>{title}</h3>
            <p>
                {!enough && reason.detail} {help}
            </p>
            {reason.until && (
                <p>
                    The first goes out <Time at={reason.until} />.
                </p>
            )}
            {reason.partitions && <p>Partitions: {reason.partitions.join(", ")}</p>}
            {reason.code === "filtered-by-type" && group.types.length > 0 && (
                <p>
                    Types: <code>{group.types.join(", ")}</code>
                </p>
            )}
            {reason.blockers && <Blockers group={group} blockers={reason.blockers} />}
        </li>
    );
}

function Blockers({ group, blockers }) {
    const readable = may("subscribe", group.stream);
    const columns = [
        {
            name: "event",
            title: "Blocking event",
            cell: (row) => (readable ? <EventLink stream={group.stream} {...row} /> : nameOf(row)),
        },
        { name: "state", title: "It", cell: (row) => BLOCKER_STATES[row.state] ?? row.state },
        { name: "until", title: "Until", cell: (row) => (row.until ? <Time at={row.until} /> : "–") },
        { name: "failures", title: "Failures", numeric: true, cell: (row) => count(row.failures) },
        { name: "behind", title: "Behind it", numeric: true, cell: (row) => count(row.behind) },
    ];
    return (
        <Table
            label="Events that block keys"
            columns={columns}
            rows={blockers}
            keyOf={(row) => `${row.partition}/${row.offset}/${row.round}`}
        />
    );
}

const nameOf = ({ partition, offset }) => `partition ${partition}, offset ${offset}`;

function EventLink({ stream, partition, offset }) {
    return <Link to={api.path`/streams/${stream}/events/${partition}/${offset}`}>{nameOf({ partition, offset })}</Link>;
}
