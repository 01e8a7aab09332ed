import { lastMember, parseRaw } from "../kit/rawjson.js";

/* What was changed in an editor, as a JSON Patch (RFC 6902) in text: values in the spelling in which they were typed, and nothing about what
 * was left alone, so that those bytes stay. It begins with a `test` of what it touches: who repaired the same in between is not overwritten. */

const OPERATIONS_MAX = 256;         /* of the API; one of them is the test */
const DEPTHS = [Infinity, 6, 4, 3, 2, 1, 0];
const PATCH_CHARS = 1 << 20;        /* beyond, the test is left out: the API takes 2 MiB */

/* { patch: text, changes: how many }, or null: the values are the same. Both texts must be valid JSON. */
export function patchOf(before, after) {
    const old = { text: before, node: parseRaw(before) };
    const now = { text: after, node: parseRaw(after) };

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

const rawOf = (side) => side.text.slice(side.node.start, side.node.end);
const under = (side, node) => ({ text: side.text, node });
const pointer = (path) => path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/* One spelling for values that differ in nothing but space. */
function compact(side) {
    const { node } = side;

    if (node.items) {
        return `[${node.items.map((item) => compact(under(side, item))).join(",")}]`;
    }
    if (node.members) {
        return `{${node.members.map((m) => `${JSON.stringify(m.name)}:${compact(under(side, m.value))}`).join(",")}}`;
    }
    return rawOf(side);
}

function compare(old, now, path, depth) {
    if (rawOf(old) === rawOf(now)) {
        return [];
    }
    if (depth > 0 && plain(old.node) && plain(now.node)) {
        return compareMembers(old, now, path, depth);
    }
    if (depth > 0 && old.node.items && now.node.items) {
        return compareItems(old, now, path, depth);
    }
    return compact(old) === compact(now) ? [] : [{ op: "replace", path, value: rawOf(now) }];
}

/* An object without a name that is there twice. */
function plain(node) {
    return node.members && new Set(node.members.map((m) => m.name)).size === node.members.length;
}

function compareMembers(old, now, path, depth) {
    const was = new Map(old.node.members.map((m) => [m.name, m.value]));
    const is = new Map(now.node.members.map((m) => [m.name, m.value]));
    const changed = [...was].map(([name, node]) => (is.has(name) ?
        compare(under(old, node), under(now, is.get(name)), [...path, name], depth - 1) :
        { op: "remove", path: [...path, name] }));
    const added = [...is].filter(([name]) => !was.has(name)).map(([name, node]) => (
        { op: "add", path: [...path, name], value: rawOf(under(now, node)) }));

    return [changed, added].flat(2);
}

/* Items that are the same at both ends stay; those between are paired, and what is left over was put in or taken out. */
function compareItems(old, now, path, depth) {
    const was = old.node.items.map((item) => compact(under(old, item)));
    const is = now.node.items.map((item) => compact(under(now, item)));
    const least = Math.min(was.length, is.length);
    const changes = [];
    let head = 0, tail = 0;

    while (head < least && was[head] === is[head]) {
        head++;
    }
    while (tail < least - head && was[was.length - 1 - tail] === is[is.length - 1 - tail]) {
        tail++;
    }
    for (let i = head; i < least - tail; i++) {
        changes.push(compare(under(old, old.node.items[i]), under(now, now.node.items[i]), [...path, i], depth - 1));
    }
    for (let i = was.length - tail - 1; i >= least - tail; i--) {
        changes.push({ op: "remove", path: [...path, i] });
    }
    for (let i = least - tail; i < is.length - tail; i++) {
        changes.push({ op: "add", path: [...path, i], value: rawOf(under(now, now.node.items[i])) });
    }
    return changes.flat();
}

/* The innermost value in which all changes are; what is added or removed changes what it is in. */
function touched(changes) {
    const places = changes.map((c) => (c.op === "replace" ? c.path : c.path.slice(0, -1)));
    const [first, ...rest] = places;
    let common = first.length;

    for (const place of rest) {
        const differs = place.findIndex((step, i) => step !== first[i]);
        common = Math.min(common, differs < 0 ? place.length : differs);
    }
    return first.slice(0, common);
}

function valueAt(side, path) {
    let { node } = side;

    for (const step of path) {
        node = node.items ? node.items[step] : lastMember(node, step);
    }
    return rawOf(under(side, node));
}

function written(old, changes) {
    const place = touched(changes);
    const locked = [{ op: "test", path: place, value: valueAt(old, place) }, ...changes];
    const text = put(locked);

    return text.length > PATCH_CHARS ? put(changes) : text;
}

function put(operations) {
    const lines = operations.map((o) => {
        const value = o.value === undefined ? "" : `,"value":${o.value}`;
        return `{"op":"${o.op}","path":${JSON.stringify(pointer(o.path))}${value}}`;
    });

    return `[${lines.join(",\n")}]`;
}
