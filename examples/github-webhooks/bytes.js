// Finds values in JSON text without parsing them into anything: their bytes stay the bytes that came.
const QUOTE = 0x22, BACKSLASH = 0x5c, COLON = 0x3a;
const opens = new Set([0x5b, 0x7b]), closes = new Set([0x5d, 0x7d]), blanks = new Set([0x20, 0x09, 0x0a, 0x0d, 0x2c, COLON]);

function stringEnd(text, at) {
    while (text[++at] !== QUOTE)
        if (text[at] === BACKSLASH)
            at++;
    return at + 1;
}

function valueEnd(text, at) {
    if (text[at] === QUOTE)
        return stringEnd(text, at);
    let depth = 0;
    while (at < text.length) {
        if (text[at] === QUOTE) {
            at = stringEnd(text, at);
            continue;
        }
        if (depth === 0 && (closes.has(text[at]) || blanks.has(text[at])))
            return at;                           // the end of a number or a word
        depth += opens.has(text[at]) - closes.has(text[at]);
        at++;
        if (depth === 0 && closes.has(text[at - 1]))
            return at;
    }
    return at;
}

// The values in an array, or names and values in turn of an object, as slices.
export function* values(text) {
    for (let at = 1; at < text.length - 1;) {
        if (blanks.has(text[at])) {
            at++;
            continue;
        }
        const end = valueEnd(text, at);
        yield text.subarray(at, end);
        at = end;
    }
}

export function member(text, name) {
    let wanted = false, isName = true;
    for (const slice of values(text)) {
        if (wanted)
            return slice;
        wanted = isName && JSON.parse(slice) === name;
        isName = !isName;
    }
    return undefined;
}
