/* Keyboard shortcuts: "j", "?", or a sequence "g s". Not while somebody types, nor under an open dialog. */
import { useEffect, useRef } from "preact/hooks";

const tables = new Set();                      // {title, keys: {current: {"g s": [fn, "what it does"]}}}
const WAIT = 1200;
let first = "", forgetFirst = null;

/* keys: {"j": [fn, "Next letter"]}; what a page adds is listed under `title` in the help of "?". */
export function useKeys(title, keys) {
    const latest = useRef(keys);
    latest.current = keys;
    useEffect(() => {
        const table = { title, keys: latest };
        tables.add(table);
        return () => tables.delete(table);
    }, [title]);
}

export function allKeys() {
    return [...tables].map(({ title, keys }) => ({
        title,
        keys: Object.entries(keys.current).map(([key, [, what]]) => ({ key, what })),
    }));
}

function typing(target) {
    return target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
}

function find(key) {
    for (const { keys } of [...tables].reverse()) {
        if (keys.current[key]) {
            return keys.current[key][0];
        }
    }
    return null;
}

document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) ||
        document.querySelector("dialog[open]")) {
        return;
    }
    const sequence = first ? `${first} ${event.key}` : event.key;
    const act = find(sequence);
    clearTimeout(forgetFirst);
    first = "";
    if (act) {
        event.preventDefault();
        act(event);
    } else if ([...tables].some(({ keys }) => Object.keys(keys.current).some((key) => key.startsWith(`${event.key} `)))) {
        first = event.key;
        forgetFirst = setTimeout(() => {
            first = "";
        }, WAIT);
    }
});
