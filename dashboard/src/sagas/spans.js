/* What an instance did, as stretches of time: attempts, pauses between them, waits. Of an attempt the history has the end
 * alone; it began when its step did, or at the earliest when the pause after the one before was over. */

const ms = (t) => Date.parse(t);
const key = (step, kind) => `${step}\n${kind}`;
const ENDS = {
    StepSucceeded: "good",
    StepCompensated: "good",
    StepFailed: "bad",
    CompensationFailed: "bad",
    StepSkipped: "none",
    CompensationSkipped: "none",
};

/* [{step, kind: "action"|"compensation", spans: [{from, to, what: "attempt"|"pause"|"wait", tone, open?}], marks: [{at,
 * what}]}] in the order in which they began. */
export function rowsOf(instance, records, now) {
    const told = grouped(records);
    const over = new Map(
        records.filter((one) => /^Step(Succeeded|Skipped)$/.test(one.type)).map((one) => [one.step, ms(one.at)]),
    );
    const rows = instance.steps.flatMap((step) =>
        [
            ["action", step],
            ["compensation", step.compensation],
        ].flatMap(([kind, deed]) => {
            const list = told.get(key(step.name, kind)) ?? [];
            if (!deed || (!deed.begun && !list.length)) {
                return [];
            }
            const before = Math.max(ms(instance.created), ...step.after.map((name) => over.get(name) ?? 0));
            return [{ step: step.name, kind, ...stretches(deed, list, startOf(deed, list, before), now) }];
        }),
    );
    return rows.sort((a, b) => firstOf(a) - firstOf(b));
}

const keyOf = (one) => key(one.step, one.data?.kind ?? "action");
const firstOf = (row) => row.spans[0]?.from ?? row.marks[0]?.at ?? Infinity;

function grouped(records) {
    const found = new Map();
    records.forEach((one) => {
        const name = keyOf(one);
        found.has(name) ? found.get(name).push(one) : found.set(name, [one]);
    });
    return found;
}

/* `begun` is of the last time: what an operator retries begins anew. */
function startOf(deed, list, before) {
    const begun = deed.begun ? ms(deed.begun) : before;
    const first = list.length ? ms(list[0].at) : Infinity;
    return begun <= first ? begun : Math.min(before, first);
}

function stretches(deed, list, start, now) {
    const spans = [],
        marks = [],
        first = /http|publish/.test(deed.kind) ? "attempt" : "wait";
    let at = start,
        what = first,
        pause = null,
        over = false;
    const add = (to, tone) => spans.push({ from: Math.min(at, to), to, what, tone });

    for (const { type, data, at: when } of list) {
        const to = ms(when);
        if (pause) {
            // "try now" ends it early
            at = pause.to = Math.min(pause.to, to);
            pause = null;
        }
        if (type === "StepAttemptFailed") {
            add(to, "warn");
            pause = { from: to, to: Math.max(to, ms(data.again_at) || to), what: "pause", tone: "none" };
            spans.push(pause);
        } else if (type === "StepWaiting") {
            if (what === "attempt") {
                add(to, "good");
            }
            at = to;
            what = "wait";
        } else if (type === "StepRetried") {
            marks.push({ at: to, what: "retried" });
            at = to;
            what = first;
            over = false;
        } else if (type in ENDS) {
            if (!over) {
                add(to, ENDS[type]);
            }
            over = true;
        } else {
            marks.push({ at: to, what: "kept" });
        }
    }
    if (!over && !deed.ended && deed.begun) {
        goingOn(spans, deed, { at, what, pause, now });
    }
    return { spans, marks };
}

/* What has not ended yet: it reaches to now, a pause to the next attempt. */
function goingOn(spans, deed, { at, what, pause, now }) {
    const due = deed.due ? ms(deed.due) : now;
    if (pause && deed.status !== "running") {
        pause.to = Math.max(pause.from, due);
        pause.open = true;
        return;
    }
    const from = pause ? Math.min(pause.to, now) : at;
    const kind =
        deed.status === "waiting" ? "wait" : deed.status === "running" ? "attempt" : deed.status === "ready" ? "pause" : what;
    spans.push({
        from,
        to: Math.max(from, kind === "pause" ? Math.max(due, now) : now),
        what: kind,
        tone: kind === "pause" ? "none" : "info",
        open: true,
    });
}

/* A scale from times to 0…1. Compact: what lies between two changes counts by its logarithm, so that milliseconds and days
 * fit together. */
export function scaleOf(rows, compact) {
    const edges = [
        ...new Set(rows.flatMap((row) => [...row.spans.flatMap((one) => [one.from, one.to]), ...row.marks.map((one) => one.at)])),
    ].sort((a, b) => a - b);
    const weight = (gap) => (compact ? Math.log2(1 + gap / 5) : gap);
    const places = new Map();
    let sum = 0;
    edges.forEach((edge, i) => {
        sum += i ? weight(edge - edges[i - 1]) : 0;
        places.set(edge, sum);
    });
    return { at: (time) => (sum ? places.get(time) / sum : 0), from: edges[0], to: edges.at(-1) };
}

/* What a row says to those who do not see its bars. */
export function spokenOf({ spans, marks }, duration) {
    const attempts = spans.filter((one) => one.what === "attempt"),
        waits = spans.filter((one) => one.what === "wait");
    const failed = attempts.filter((one) => one.tone === "warn" || one.tone === "bad").length;
    const total = spans.length ? spans.at(-1).to - spans[0].from : 0;
    return [
        attempts.length &&
            `${attempts.length === 1 ? "1 attempt" : `${attempts.length} attempts`}${failed ? `, ${failed} failed` : ""}`,
        waits.length && `waited ${duration(waits.reduce((sum, one) => sum + one.to - one.from, 0))}`,
        marks.some((one) => one.what === "retried") && "retried by hand",
        `${duration(total)} in all`,
    ]
        .filter(Boolean)
        .join("; ");
}
