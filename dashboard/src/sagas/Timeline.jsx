import { useMemo, useState } from "preact/hooks";
import { Card } from "../parts/Card.jsx";
import { Json } from "../parts/Json.jsx";
import { hrefOf, useQueryState } from "../kit/route.js";
import { duration, exact, now } from "../kit/time.js";
import { rowsOf, scaleOf, spokenOf } from "./spans.js";
import { hasEnded, recordText } from "./words.js";

const WORDS = { attempt: "attempt", pause: "pause before the next attempt", wait: "waiting" };
const SHOWN = 200;

/* What was done when: a bar for each stretch. Below it, the records as they stand in the history. */
export function Timeline({ instance, records, linkOf }) {
    const [scale, setScale] = useQueryState("scale", "compact");
    const until = hasEnded(instance) ? Date.parse(instance.ended) : now.value;
    const rows = rowsOf(instance, records, until);
    const axis = scaleOf(rows, scale === "compact");
    const choose = (
        <label class="inline-choice">
            Scale{" "}
            <select value={scale} onChange={(event) => setScale(event.currentTarget.value)}>
                <option value="compact">Compact: long waits shortened</option>
                <option value="true">True to time</option>
            </select>
        </label>
    );
    return (
        <Card title="Timeline" actions={choose}>
            {rows.length === 0 ? (
                <p class="muted">No step has begun yet.</p>
            ) : (
                <ol class="saga-bars">
                    {rows.map((row) => (
                        <Bars key={`${row.step} ${row.kind}`} row={row} axis={axis} link={linkOf({ name: row.step })} />
                    ))}
                </ol>
            )}
            {rows.length > 0 && (
                <p class="saga-axis muted">
                    <span>{exact(axis.from)}</span>
                    <span>{duration(axis.to - axis.from)}</span>
                </p>
            )}
        </Card>
    );
}

function Bars({ row, axis, link }) {
    const total = row.spans.length ? row.spans.at(-1).to - row.spans[0].from : 0;
    return (
        <li>
            <a class="saga-bar-name" href={hrefOf(link.to, link.query)}>
                {row.step}
                {row.kind === "compensation" && <span class="muted"> undo</span>}
            </a>
            <span class="unseen">{spokenOf(row, duration)}</span>
            <span class="saga-track" aria-hidden="true">
                {row.spans.map((one, i) => {
                    const from = axis.at(one.from) * 100,
                        to = axis.at(one.to) * 100;
                    return (
                        <span
                            key={i}
                            class={`saga-bar ${one.what} is-${one.tone} ${one.open ? "open" : ""}`}
                            title={titleOf(one)}
                            style={{ left: `${from}%`, width: `${Math.max(0, to - from)}%` }}
                        />
                    );
                })}
                {row.marks.map((one, i) => (
                    <span
                        key={`m${i}`}
                        class="saga-bar-mark"
                        title={`${one.what} by hand, ${exact(one.at)}`}
                        style={{ left: `${axis.at(one.at) * 100}%` }}
                    />
                ))}
            </span>
            <span class="saga-bar-time" aria-hidden="true">
                {duration(total)}
            </span>
        </li>
    );
}

const OUTCOMES = { good: "succeeded", warn: "failed", bad: "failed for good", info: "under way", none: "" };
const titleOf = (one) =>
    `${WORDS[one.what]}${OUTCOMES[one.tone] && one.what === "attempt" ? `, ${OUTCOMES[one.tone]}` : ""}: ` +
    `${duration(one.to - one.from)}, from ${exact(one.from)}`;

/* The append-only record, the oldest first. */
export function History({ instance, records, more }) {
    const [all, setAll] = useState(false);
    const shown = all ? records : records.slice(-SHOWN);
    const start = Date.parse(instance.created);
    const list = useMemo(() => shown.map((one) => <Told key={one.id} record={one} start={start} />), [records, all]);
    return (
        <Card title="History">
            {shown.length < records.length && (
                <p>
                    <button type="button" onClick={() => setAll(true)}>
                        Show the {records.length - shown.length} before these
                    </button>
                </p>
            )}
            <ol class="saga-history">{list}</ol>
            {more && (
                <p class="muted">
                    There is more: read the rest with <code>GET …/history?after={records.at(-1).id}</code>.
                </p>
            )}
        </Card>
    );
}

function Told({ record, start }) {
    const [open, setOpen] = useState(false);
    const { text, tone } = recordText(record);
    return (
        <li class={`is-${tone}`}>
            <details onToggle={(event) => setOpen(event.currentTarget.open)}>
                <summary>
                    <time dateTime={record.at} title={exact(record.at)}>
                        +{duration(Math.max(0, Date.parse(record.at) - start))}
                    </time>
                    <span class="saga-told">
                        {record.step && <b>{record.step}</b>} {text}
                    </span>
                </summary>
                <p class="muted">
                    <code>{record.type}</code> at {exact(record.at)}
                </p>
                {open && <Json text={record.text} label={`${record.type} ${record.id}`} />}
            </details>
        </li>
    );
}
