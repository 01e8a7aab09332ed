/* The states that a list shows, kept in the order of their keys while they change. Pure: each act makes a new list. */
import { at, members } from "../kit/json.js";
import { fits } from "./where.js";

export const MOST = 500;                       // rows; beyond, the last ones go and "Show more" brings them back

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

/* flash: how often the row has changed while it was shown; seen: when last; before: what it was before that. */
const rowOf = (text, more) => ({
    key: JSON.parse(at(text, "key")), version: JSON.parse(at(text, "version")), text: at(text, "state"),
    flash: 0, seen: null, before: null, ...more,
});

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
    for (const [, text] of members(at(answer.text, "items"))) {
        const row = rowOf(text), i = place(rows, row.key);
        if (rows[i]?.key !== row.key) {
            rows.splice(i, 0, row);
        } else if (rows[i].version < row.version) {
            rows[i] = row;
        }
    }
    return { ...list, rows, next: answer.body.next, position: list.position ?? answer.body.position, error: null };
}

function change(list, rows, text, where) {
    const key = JSON.parse(at(text, "key")), i = place(rows, key), old = rows[i]?.key === key ? rows[i] : null;
    const state = at(text, "state");
    if (state === "null" || !fits(state, where)) {
        rows.splice(i, old ? 1 : 0);
        return 0;
    }
    const row = rowOf(text, { flash: (old?.flash ?? 0) + 1, seen: Date.now() });
    if (old) {
        if (old.version !== row.version || old.text !== row.text) {
            rows[i] = { ...row, before: { version: old.version, text: old.text } };
        }
        return 0;
    }
    if (i === rows.length && list.next !== null) {
        return 1;                              // of a page that was not asked for
    }
    rows.splice(i, 0, row);
    return 0;
}

/* texts: {"key","state","version"} of each change, oldest first. */
export function changed(list, texts, where) {
    const rows = [...list.rows];
    const below = texts.reduce((n, text) => n + change(list, rows, text, where), list.below);
    const cut = rows.length > MOST;
    return { ...list, rows: cut ? rows.slice(0, MOST) : rows, next: cut ? rows[MOST - 1].key : list.next, below };
}
