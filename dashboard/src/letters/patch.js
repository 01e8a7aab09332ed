import { members, pieces } from "../kit/json.js";

/* What was changed in an editor, as a JSON Patch (RFC 6902) in text: values in the spelling in which they were typed, and nothing
 * about what was left alone, so that those bytes stay. It begins with a `test` of what it touches: what somebody else repaired in
 * between is not overwritten. */

const OPERATIONS_MAX = 256;         /* of the API; one of them is the test */
const DEPTHS = [Infinity, 6, 4, 3, 2, 1, 0];
const PATCH_CHARS = 1 << 20;        /* beyond, the test is left out: the API takes 2 MiB */

/* { patch: text, changes: how many }, or null: the values are the same. Both texts must be valid JSON. */
export function patchOf(before, after) {
    const old = before.trim(), now = after.trim();

    for (const depth of DEPTHS) {
        const changes = compare(old, now, [], depth);
        if (!changes.length) {
            return null;
        }
        if (changes.length < OPERATIONS_MAX) {
            return { patch: written(old, changes), changes: changes.length };
        }
    }
    return null;
}

const pointer = (path) => path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/* One spelling for values that differ in nothing but space. */
const compact = (text) => pieces(text).filter((piece) => piece.kind !== "space").map((piece) => piece.text).join("");

/* The members of an object by name; null of anything else, and of an object that has a name twice. */
function named(text) {
    const found = text.startsWith("{") ? members(text) : null;
    const map = found && new Map(found);

    return map?.size === found?.length ? map : null;
}

function compare(old, now, path, depth) {
    if (old === now) {
        return [];
    }
    if (depth > 0 && old.startsWith("[") && now.startsWith("[")) {
        return compareItems(old, now, path, depth);
    }
    const was = depth > 0 && named(old), is = was && named(now);
    if (is) {
        return compareMembers(was, is, path, depth);
    }
    return compact(old) === compact(now) ? [] : [{ op: "replace", path, value: now }];
}

function compareMembers(was, is, path, depth) {
    const changed = [...was].map(([name, value]) => (is.has(name) ?
        compare(value, is.get(name), [...path, name], depth - 1) : { op: "remove", path: [...path, name] }));
    const added = [...is].filter(([name]) => !was.has(name))
        .map(([name, value]) => ({ op: "add", path: [...path, name], value }));

    return [changed, added].flat(2);
}

/* Items that are the same at both ends stay; those between are paired, and what is left over was put in or taken out. */
function compareItems(old, now, path, depth) {
    const was = members(old).map(([, item]) => item), is = members(now).map(([, item]) => item);
    const least = Math.min(was.length, is.length);
    const same = (a, b) => a === b || compact(a) === compact(b);
    const changes = [];
    let head = 0, tail = 0;

    while (head < least && same(was[head], is[head])) {
        head++;
    }
    while (tail < least - head && same(was.at(-1 - tail), is.at(-1 - tail))) {
        tail++;
    }
    for (let i = head; i < least - tail; i++) {
        changes.push(compare(was[i], is[i], [...path, i], depth - 1));
    }
    for (let i = was.length - tail - 1; i >= least - tail; i--) {
        changes.push({ op: "remove", path: [...path, i] });
    }
    for (let i = least - tail; i < is.length - tail; i++) {
        changes.push({ op: "add", path: [...path, i], value: is[i] });
    }
    return changes.flat();
}

/* The innermost value in which all changes are; what is added or removed changes what it is in. */
function touched(changes) {
    const [first, ...rest] = changes.map((c) => (c.op === "replace" ? c.path : c.path.slice(0, -1)));
    const common = rest.reduce((length, place) => {
        const differs = place.findIndex((step, i) => step !== first[i]);
        return Math.min(length, differs < 0 ? place.length : differs);
    }, first.length);

    return first.slice(0, common);
}

function written(old, changes) {
    const place = touched(changes);
    const value = place.reduce((text, step) => members(text).findLast(([name]) => name === step)[1], old);
    const text = put([{ op: "test", path: place, value }, ...changes]);

    return text.length > PATCH_CHARS ? put(changes) : text;
}

function put(operations) {
    const lines = operations.map(({ op, path, value }) => {
        const rest = value === undefined ? "" : `,"value":${value}`;
        return `{"op":"${op}","path":${JSON.stringify(pointer(path))}${rest}}`;
    });

    return `[${lines.join(",\n")}]`;
}
