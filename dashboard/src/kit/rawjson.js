/* JSON as text: where each value begins and ends. What is shown or edited keeps its spelling (numbers beyond 2^53, 1.50, order of
 * members, escapes), which JSON.parse would lose. */

const DEPTH_MAX = 200;
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const UNFINISHED = new RegExp(STRING.source.slice(0, -1), "y");
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;

export class RawError extends Error {
    /* line and column begin with 1. */
    constructor(text, at, what) {
        const before = text.slice(0, at).split("\n");
        super(what);
        this.name = "RawError";
        this.at = at;
        this.line = before.length;
        this.column = before[before.length - 1].length + 1;
    }
}

/* A node: { kind: "object"|"array"|"string"|"number"|"word", start, end } with members: [{ name, value }] or items: [node]. Throws RawError. */
export function parseRaw(text) {
    const reader = { text, at: 0 };
    const node = value(reader, 0);

    space(reader);
    if (reader.at < text.length) {
        fail(reader, "Something follows the value.");
    }
    return node;
}

/* The text of the value that a path of names and indexes leads to: rawAt(body, "event", "data"); undefined: there is none. */
export function rawAt(text, ...path) {
    let node = parseRaw(text);

    for (const step of path) {
        node = node && (node.items ? node.items[step] : lastMember(node, step));
    }
    return node && text.slice(node.start, node.end);
}

/* Members of one name may be there twice: the last one counts. */
export function lastMember(node, name) {
    return node.members?.findLast((member) => member.name === name)?.value;
}

/* Indented, each scalar spelled as it was. */
export function formatRaw(text) {
    return render(text, parseRaw(text), "\n");
}

function render(text, node, line) {
    const parts = node.items?.map((item) => render(text, item, `${line}  `)) ??
        node.members?.map((m) => `${text.slice(m.start, m.end)}: ${render(text, m.value, `${line}  `)}`);
    const [open, close] = node.items ? "[]" : "{}";

    if (!parts) {
        return text.slice(node.start, node.end);
    }
    return parts.length ? `${open}${line}  ${parts.join(`,${line}  `)}${line}${close}` : open + close;
}

function fail(reader, what) {
    throw new RawError(reader.text, reader.at, what);
}

function space(reader) {
    SPACE.lastIndex = reader.at;
    SPACE.test(reader.text);
    reader.at = SPACE.lastIndex;
}

function take(reader, pattern) {
    pattern.lastIndex = reader.at;
    if (!pattern.test(reader.text)) {
        return false;
    }
    reader.at = pattern.lastIndex;
    return true;
}

function value(reader, depth) {
    space(reader);
    const start = reader.at;
    const node = read(reader, depth);

    return { ...node, start, end: reader.at };
}

function read(reader, depth) {
    const c = reader.text[reader.at];

    if (depth > DEPTH_MAX) {
        fail(reader, `Nested deeper than ${DEPTH_MAX}.`);
    }
    if (c === "{") {
        return { kind: "object", members: list(reader, "}", () => member(reader, depth)) };
    }
    if (c === "[") {
        return { kind: "array", items: list(reader, "]", () => value(reader, depth + 1)) };
    }
    if (c === "\"") {
        string(reader);
        return { kind: "string" };
    }
    return scalar(reader, c);
}

function scalar(reader, c) {
    const word = ["true", "false", "null"].find((w) => reader.text.startsWith(w, reader.at));

    if (word) {
        reader.at += word.length;
    } else if (!take(reader, NUMBER)) {
        fail(reader, c === undefined ? "The text ends too early: a value is missing." : `A value cannot begin with ${c}`);
    }
    if (/[A-Za-z0-9_.+-]/.test(reader.text[reader.at] ?? "")) {
        fail(reader, word ? `Something follows ${word}.` : "This is no JSON number.");
    }
    return { kind: word ? "word" : "number" };
}

function string(reader) {
    const start = reader.at;

    if (!take(reader, STRING)) {
        badString(reader);
    }
    return JSON.parse(reader.text.slice(start, reader.at));
}

/* Points at what is wrong in it: a character that may not be there, an escape, or its beginning if it has no end. */
function badString(reader) {
    UNFINISHED.lastIndex = reader.at;
    UNFINISHED.test(reader.text);
    const c = reader.text[UNFINISHED.lastIndex];

    if (c === "\\") {
        reader.at = UNFINISHED.lastIndex;
        fail(reader, "This is no escape of JSON: after \\ comes one of \" \\ / b f n r t, or u and four hexadecimal digits.");
    }
    fail(reader, c === undefined || c === "\n" ? "The text in quotes has no end." : "A control character: write it as an escape.");
}

function list(reader, close, element) {
    const found = [];

    reader.at++;
    space(reader);
    if (reader.text[reader.at] === close) {
        reader.at++;
        return found;
    }
    for (;;) {
        found.push(element());
        space(reader);
        const c = reader.text[reader.at];
        if (c !== "," && c !== close) {
            fail(reader, `A comma or ${close} is missing here.`);
        }
        reader.at++;
        if (c === close) {
            return found;
        }
    }
}

function member(reader, depth) {
    space(reader);
    const start = reader.at;

    if (reader.text[start] !== "\"") {
        fail(reader, reader.text[start] === "}" ? "There is a comma too many before }." :
            "The name of a member in \"quotes\" is missing here.");
    }
    const name = string(reader);
    const end = reader.at;
    space(reader);
    if (reader.text[reader.at] !== ":") {
        fail(reader, "A colon is missing here.");
    }
    reader.at++;
    return { name, start, end, value: value(reader, depth + 1) };
}
