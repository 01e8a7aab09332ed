import { count, many } from "../kit/format.js";
import { Card } from "../parts/Card.jsx";
import { Time } from "../parts/Time.jsx";

/* The settings in words; they are changed in the dialog of actions.jsx. */
function rowsOf(group) {
    const { backoff, dlq_retry: redrive } = group;
    return [
        ["Order", group.ordering === "key" ? "by key" : "none"],
        ["Types", group.types.length ? <code>{group.types.join(", ")}</code> : "all"],
        ["Ack deadline", group.ack_deadline],
        ["Retries", `${count(group.max_retries)}, then a dead letter`],
        [
            "Backoff",
            `${backoff.initial}, times ${backoff.factor} up to ${backoff.max}, ± ${Math.round(backoff.jitter * 100)} %`,
        ],
        ["In flight at most", count(group.max_in_flight)],
        ["Retrying at most", count(group.max_retrying)],
        ["Skipped at most", `${count(group.max_skipped)} a partition`],
        ["Key batch", count(group.key_batch)],
        ["Redrive by itself", redrive ? `after ${redrive.after}, ${many("time", redrive.rounds)}` : "no"],
        ["Created", <Time at={group.created} />],
        ["Changed", <Time at={group.updated} />],
    ];
}

export function Settings({ group }) {
    return (
        <Card title="Settings">
            <dl class="facts">
                {rowsOf(group).map(([name, value]) => (
                    <div key={name}>
                        <dt>{name}</dt>
                        <dd>{value}</dd>
                    </div>
                ))}
            </dl>
        </Card>
    );
}
