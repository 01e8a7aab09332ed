import { useEffect } from "preact/hooks";
import { get, path as pathOf } from "../kit/api.js";
import { at } from "../kit/json.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { Card } from "../parts/Card.jsx";
import { Fault } from "../parts/Fault.jsx";
import { Json } from "../parts/Json.jsx";
import { Time } from "../parts/Time.jsx";

const EVERY = 5000;
const SOON = 300;               /* a record follows its act within moments */
const SILENT = [403, 404, 410]; /* not allowed after all, nothing said yet, kept no longer */
const ACTS = { DeadLetterRepaired: "Repaired", DeadLetterRedriven: "Redriven", DeadLetterDiscarded: "Discarded" };

async function records(path, signal) {
    const subject = pathOf`/v1/streams/_audit/subjects/${path}/events`;

    try {
        const { body, text } = await get(subject, { query: { limit: 100 }, signal });
        return body.events.map((event, i) => ({ ...event, patch: at(text, "events", i, "data", "changes", "patch") }));
    } catch (error) {
        if (SILENT.includes(error.status)) {
            return [];
        }
        throw error;
    }
}

/* What people did with it, from the audit log; none without the right to read that. */
function useAudit(path, letter) {
    const allowed = may("subscribe", "_audit");
    const touched = letter.state !== "parked" || letter.redrives > 0 || letter.updated_at !== letter.dead_at;
    const poll = usePoll((signal) => (allowed && touched ? records(path, signal) : Promise.resolve([])), EVERY, [path, allowed]);

    useEffect(() => {
        const timer = setTimeout(poll.reload, SOON);
        return () => clearTimeout(timer);
    }, [letter.updated_at, letter.state]);
    return { ...poll, allowed };
}

/* Attempts begin at 1 again after each redrive. */
function rounds(attempts) {
    let round = 1;

    return attempts.map((attempt, i) => {
        round += i > 0 && attempt.attempt <= attempts[i - 1].attempt ? 1 : 0;
        return { ...attempt, round };
    });
}

function entries(letter, audit) {
    const tried = rounds(letter.attempts);
    const many = tried.at(-1)?.round > 1;
    const found = [
        { at: letter.event.recordedtime, what: "Recorded" },
        ...tried.map((a) => ({ at: a.at, by: a.consumer, error: a.error, tone: "bad",
            what: `Attempt ${a.attempt} failed${many ? ` (round ${a.round})` : ""}` })),
        ...audit.map((event) => ({ at: event.time, what: ACTS[event.type] ?? event.type, by: event.data.actor?.sub, tone: "info",
            reason: event.data.changes?.reason, patch: event.patch })),
    ];
    if (letter.state === "resolved") {
        found.push({ at: letter.updated_at, what: "Acknowledged", by: letter.group, tone: "good" });
    }
    return found.sort((a, b) => a.at.localeCompare(b.at));
}

function Failure({ error, same }) {
    if (same) {
        return <p class="muted">The same error.</p>;
    }
    return (
        <>
            <p><b>{error.type}</b> {error.message}</p>
            {error.stack && (
                <details>
                    <summary>Stack</summary>
                    <pre class="letter-plain" tabIndex={0} role="region" aria-label="Stack of this attempt">{error.stack}</pre>
                </details>
            )}
        </>
    );
}

function Entry({ entry: { what, by, at: time, tone, error, reason, patch }, before }) {
    const same = error && before?.error && ["type", "message", "stack"].every((name) => before.error[name] === error[name]);

    return (
        <li class={tone ? `tone-${tone}` : undefined}>
            <p><b>{what}</b>{by ? ` · ${by}` : ""} · <Time at={time} /></p>
            {error && <Failure error={error} same={same} />}
            {reason && <p>{reason}</p>}
            {patch !== undefined && <details><summary>Patch</summary><Json text={patch} label="The patch" /></details>}
        </li>
    );
}

export function Timeline({ letter, path }) {
    const { data, error, reload, stale, allowed } = useAudit(path, letter);
    const found = entries(letter, data ?? []);

    return (
        <Card title="History">
            <Fault error={error} retry={reload} quiet={stale} />
            <ol class="letter-timeline">
                {found.map((entry, i) => <Entry key={`${entry.at}${entry.what}`} entry={entry} before={found[i - 1]} />)}
            </ol>
            {!allowed && <p class="muted">Who repaired or redrove it is in the audit log: that needs subscribe:_audit.</p>}
        </Card>
    );
}
