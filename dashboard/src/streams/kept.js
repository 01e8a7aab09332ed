/* The newest events of a live tail. Both are bounded, whatever comes: what is shown, and what waits while the view is held.
 * History is shown a piece at a time: who looks into the past wants to read it, and years of it would rush by. */

export const ROWS_MAX = 2000;
const BYTES_MAX = 32 << 20;
const RATE_MS = 5000;
const HISTORY_ROWS = 1000;

/* history: rows of it that were shown in this piece; null: it is of no concern, or all of it was seen. */
export function makeKept(byPieces) {
    return { shown: [], waiting: [], held: false, history: byPieces ? 0 : null, seq: 0, total: 0, arrivals: [], gaps: [] };
}

/* What comes next happened while nobody looked: the connection was gone. */
export function beginHistory(kept) {
    kept.history ??= 0;
}

export function endHistory(kept) {
    kept.history = null;
}

/* items: [{ event, text, cursor }] in the order in which they came; fresh: they are no history. */
export function addEvents(kept, items, fresh, now = performance.now()) {
    const rows = items.map((item) => rowOf(kept, item));

    kept.total += rows.length;
    if (fresh) {
        kept.arrivals.push({ at: now, count: rows.length });
        forget(kept, now);
    }
    if (kept.history !== null && !kept.held) {
        kept.held = kept.history > 0 && kept.history + rows.length > HISTORY_ROWS;
        kept.history += rows.length;
    }
    (kept.held ? kept.waiting : kept.shown).push(...rows);
    if (!kept.held) {
        trim(kept);
    }
}

/* What was parsed of its data is let go: the text has it, once and exactly. */
function rowOf(kept, { event, text, cursor }) {
    if (typeof event.data === "object") {
        event.data = undefined;
    }
    return { event, text, cursor, seq: ++kept.seq, size: text.length, term: null, hit: false, cutFor: null, cut: "" };
}

/* So much waits that nothing more should be fetched: the rest stays in the stream until the view goes on. */
export function isFull(kept) {
    return kept.waiting.length >= ROWS_MAX || kept.waiting.reduce((sum, row) => sum + row.size, 0) >= BYTES_MAX / 2;
}

export function release(kept) {
    if (isFull(kept)) {
        beginHistory(kept);
    }
    kept.held = false;
    if (kept.history !== null) {
        kept.history = HISTORY_ROWS;
    }
    kept.shown = kept.shown.concat(kept.waiting);
    kept.waiting = [];
    trim(kept);
}

function trim(kept) {
    let size = 0;
    let first = kept.shown.length;

    while (first > 0 && kept.shown.length - first < ROWS_MAX && size + kept.shown[first - 1].size <= BYTES_MAX) {
        size += kept.shown[--first].size;
    }
    first = Math.min(first, kept.shown.length - 1);
    if (first > 0) {
        kept.shown = kept.shown.slice(first);
    }
}

/* Events a second, over the last few seconds. */
export function arrivalRate(kept, now = performance.now()) {
    forget(kept, now);
    return kept.arrivals.reduce((sum, one) => sum + one.count, 0) / (RATE_MS / 1000);
}

function forget(kept, now) {
    while (kept.arrivals.length && kept.arrivals[0].at < now - RATE_MS) {
        kept.arrivals.shift();
    }
}

/* A test for rows: whether the text, in any case, stands in the event as it was sent. Empty: all. */
export function matcher(term) {
    const pattern = term && new RegExp(term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");

    return (row) => {
        if (row.term !== term) {
            row.term = term;
            row.hit = !pattern || pattern.test(row.text);
        }
        return row.hit;
    };
}
