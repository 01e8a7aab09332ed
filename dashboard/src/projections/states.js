/* The states that a list shows, kept in the order of their keys while they change. Pure: each act makes a new list. */
import { at, members } from "../kit/json.js";
import { fits } from "./where.js";

export const MOST = 500;                       // rows that come by themselves; "Show more" brings others

/* busy: a page is on its way. next: `after` of the page that follows. below: keys that changed or came beyond the last row. */
export const NONE = { rows: [], next: null, position: undefined, busy: true, error: null, below: 0 };

/* As the gateway orders keys: by their bytes in UTF-8, which is by code points. */
export function order(a, b) {
    const one = a[Symbol.iterator](), other = b[Symbol.iterator]();
    for (;;) {
        const x = one.next(), y = other.next();
        if (x.done || y.done) {
            return x.done ? (y.done ? 0 : -1) : 1;
        }
        if (x.value !== y.value) {
            return x.value.codePointAt(0) - y.value.codePointAt(0);
        }
    }
}

/* text: the state's. flash: how often the row has changed while it was shown; seen: when last; before: what it was before that. */
const rowOf = (key, version, text, more) => ({ key, version, text, flash: 0, seen: null, before: null, ...more });

function place(rows, key) {
    let low = 0, high = rows.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (order(rows[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A page is behind what was shown; of a key that has come by itself meanwhile the newer state stays. */
export function paged(list, answer) {
    const rows = [...list.rows];
    for (const [n, text] of members(at(answer.text, "items"))) {
        const { key, version } = answer.body.items[n];
        const row = rowOf(key, version, at(text, "state")), i = place(rows, key);
        if (rows[i]?.key !== key) {
            rows.splice(i, 0, row);
        } else if (rows[i].version < version) {
            rows[i] = row;
        }
    }
    return { ...list, rows, next: answer.body.next, position: list.position ?? answer.body.position, error: null };
}

/* -> 1 if the key is of a page that was not asked for. */
function change(list, rows, { event: { key, state, version }, text }, where, seen) {
    const i = place(rows, key), old = rows[i]?.key === key ? rows[i] : null;
    if (!old && i === rows.length && list.next !== null) {
        return 1;
    }
    const held = at(text, "state");
    if (state === null || !fits(held, where)) {
        rows.splice(i, old ? 1 : 0);
    } else if (!old) {
        rows.splice(i, 0, rowOf(key, version, held, { flash: 1, seen }));
    } else if (old.version !== version || old.text !== held) {
        const before = { version: old.version, text: old.text };
        rows[i] = rowOf(key, version, held, { flash: old.flash + 1, seen, before });
    }
    return 0;
}

/* batch: what changed, as kit/live.js tells it; of a key that comes twice the last one counts. now: by the gateway's clock. */
export function changed(list, batch, where, now) {
    const rows = [...list.rows], most = Math.max(MOST, rows.length);
    const last = new Map(batch.map((one) => [one.event.key, one]));
    const below = [...last.values()].reduce((n, one) => n + change(list, rows, one, where, now), list.below);
    const cut = rows.length > most;
    return { ...list, rows: cut ? rows.slice(0, most) : rows, next: cut ? rows[most - 1].key : list.next, below };
}
