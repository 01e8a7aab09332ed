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
const ACTS = { DeadLetterRepaired: "Repaired", DeadLetterRedriven: "Redriven", DeadLetterDiscarded: "Discarded" };

/* What people did with it, from the audit log; none without the right to read that. */
function useAudit(path, letter) {
    const allowed = may("subscribe", "_audit");
    const touched = letter.state !== "parked" || letter.redrives > 0 || letter.updated_at !== letter.dead_at;
    const poll = usePoll(async (signal) => {
        if (!allowed || !touched) {
            return [];
        }
        try {
            const { body, text } = await get(pathOf`/v1/streams/_audit/subjects/${path}/events`, { query: { limit: 100 }, signal });
            return body.events.map((event, i) => ({ ...event, patch: at(text, "events", i, "data", "changes", "patch") }));
        } catch (error) {
            if ([403, 404, 410].includes(error.status)) {       /* not allowed after all, nothing said yet, kept no longer */
                return [];
            }
            throw error;
        }
    }, EVERY, [path, allowed]);

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
        { at: letter.event.recordedtime, what: "Recorded", by: null },
        ...tried.map((a) => ({ at: a.at, what: `Attempt ${a.attempt} failed`, by: a.consumer, round: many ? a.round : null, error: a.error, tone: "bad" })),
        ...audit.map((event) => ({ at: event.time, what: ACTS[event.type] ?? event.type, by: event.data.actor?.sub, tone: "info",
            reason: event.data.changes?.reason, patch: event.patch })),
    ];
    if (letter.state === "resolved") {
        found.push({ at: letter.updated_at, what: "Acknowledged", by: letter.group, tone: "good" });
    }
    return found.sort((a, b) => a.at.localeCompare(b.at));
}

function Entry({ entry, before }) {
    const { error, reason, patch } = entry;
    const same = error && before?.error && before.error.type === error.type && before.error.message === error.message;

    return (
        <li class={entry.tone ? `tone-${entry.tone}` : undefined}>
            <p>
                <b>{entry.what}</b>{entry.round ? ` (round ${entry.round})` : ""}{entry.by ? ` · ${entry.by}` : ""} · <Time at={entry.at} />
            </p>
            {error && (same ? <p class="muted">The same error.</p> : <p><b>{error.type}</b> {error.message}</p>)}
            {error?.stack && !same && <details><summary>Stack</summary><pre class="letter-plain" tabIndex={0}>{error.stack}</pre></details>}
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
            <ol class="letter-timeline">{found.map((entry, i) => <Entry key={`${entry.at}${entry.what}`} entry={entry} before={found[i - 1]} />)}</ol>
            {!allowed && <p class="muted">Who repaired and redrove it is in the audit log, which needs the right subscribe:_audit.</p>}
        </Card>
    );
}
