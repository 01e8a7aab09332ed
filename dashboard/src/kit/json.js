/* JSON as text. JSON.parse loses digits beyond 2^53, the order of members and the text of numbers; what people see or edit must not. */

const SPACE = /[ \t\n\r]*/y;
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y, WORD = /true|false|null/y;

export class Malformed extends Error {
    constructor(text, at, message) {
        const before = text.slice(0, at);
        super(message);
        Object.assign(this, { at, line: before.split("\n").length, column: at - before.lastIndexOf("\n") });
    }
}

/* {kind: "object"|"array"|"string"|"number"|"word"|…punctuation, from, to} one by one; throws Malformed. */
function* tokens(text) {
    const stack = [];
    let at = 0, state = "value";            // value, first (of an array), key, firstkey, colon, after
    const fail = (what) => new Malformed(text, at, at >= text.length ? "It ends too early." : what);
    const take = (pattern) => {
        pattern.lastIndex = at;
        const found = pattern.exec(text);
        return found ? (at = pattern.lastIndex, found[0]) : null;
    };
    for (;;) {
        take(SPACE);
        if (state === "after" && !stack.length) {
            if (at < text.length) {
                throw fail("Something follows the value.");
            }
            return;
        }
        const from = at, c = text[at];
        if (state === "value" || state === "first") {
            if (c === "{" || c === "[") {
                at++;
                stack.push(c);
                state = c === "{" ? "firstkey" : "first";
                yield { kind: c, from, to: at };
            } else if (c === "]" && state === "first") {
                at++;
                stack.pop();
                state = "after";
                yield { kind: c, from, to: at };
            } else {
                const kind = c === '"' ? "string" : /[-\d]/.test(c ?? "") ? "number" : "word";
                if (!take(kind === "string" ? STRING : kind === "number" ? NUMBER : WORD)) {
                    throw fail(kind === "string" ? "This string is not closed, or has a character that must be escaped." :
                        "Here a value was expected.");
                }
                state = "after";
                yield { kind, from, to: at };
            }
        } else if (state === "key" || state === "firstkey") {
            if (c === "}" && state === "firstkey") {
                at++;
                stack.pop();
                state = "after";
                yield { kind: c, from, to: at };
            } else if (take(STRING)) {
                state = "colon";
                yield { kind: "key", from, to: at };
            } else {
                throw fail("Here a name in double quotes was expected.");
            }
        } else if (state === "colon") {
            if (c !== ":") {
                throw fail("Here a colon was expected.");
            }
            at++;
            state = "value";
            yield { kind: c, from, to: at };
        } else {
            const open = stack.at(-1), close = open === "{" ? "}" : "]";
            if (c !== "," && c !== close) {
                throw fail(`Here a comma or ${close} was expected.`);
            }
            at++;
            if (c === close) {
                stack.pop();
            } else {
                state = open === "{" ? "key" : "value";
            }
            yield { kind: c, from, to: at };
        }
    }
}

/* null, or what is wrong: {message, line, column, at}. */
export function check(text) {
    try {
        for (const token of tokens(text)) {
            void token;
        }
        return null;
    } catch (error) {
        return error;
    }
}

/* The text of the value at this place: at('{"a":[1,2.50]}', "a", 1) is '2.50'; undefined if there is none. */
export function at(text, ...place) {
    return place.reduce(
        (value, step) => (value === undefined ? undefined : members(value).find(([name]) => name === step)?.[1]),
        text,
    );
}

/* [[name or index, the value's text]] of an object or array, in order; [] of anything else. */
export function members(text) {
    const found = [];
    let depth = 0, name = 0, from = 0;
    for (const { kind, from: start, to } of tokens(text)) {
        if (depth === 1 && kind === "key") {
            name = JSON.parse(text.slice(start, to));
        } else if (depth === 1 && (kind === "{" || kind === "[")) {
            from = start;
        } else if (depth === 1 && ["string", "number", "word"].includes(kind)) {
            found.push([name, text.slice(start, to)]);
        } else if (depth === 2 && (kind === "}" || kind === "]")) {
            found.push([name, text.slice(from, to)]);
        } else if (depth === 1 && kind === "," && typeof name === "number") {
            name++;
        }
        depth += kind === "{" || kind === "[" ? 1 : kind === "}" || kind === "]" ? -1 : 0;
    }
    return found;
}

/* [{kind, text}] of the same tokens with line breaks and indents between them. Text that is not JSON is one token "plain". */
export function pieces(text, step = 2) {
    const out = [];
    let depth = 0, open = false;
    const line = () => out.push({ kind: "space", text: `\n${" ".repeat(step * depth)}` });
    try {
        for (const { kind, from, to } of tokens(text)) {
            const closes = kind === "}" || kind === "]";
            if (closes) {
                depth--;
            }
            if (closes ? !open : open) {
                line();
            }
            open = kind === "{" || kind === "[";
            depth += open ? 1 : 0;
            out.push({ kind, text: text.slice(from, to) });
            if (kind === ",") {
                line();
            } else if (kind === ":") {
                out.push({ kind: "space", text: " " });
            }
        }
    } catch {
        return [{ kind: "plain", text }];
    }
    return out;
}

export const pretty = (text, step) => pieces(text, step).map((piece) => piece.text).join("");
