/* Of an event as it was sent: the text of its data, for one line of a list. Weir sends attributes without white space and data
 * last, and quotes inside of strings are escaped: so this text stands nowhere else. Where digits matter (detail, copies)
 * kit/json.js reads it. */

const MARK = /,"data(_base64)?":/;

export function dataText(text) {
    const found = MARK.exec(text);

    return found ? text.slice(found.index + found[0].length, text.lastIndexOf("}")) : "";
}

/* A window of the text: its beginning, or what stands around the first hit. */
export function excerpt(text, term, length = 300) {
    const at = term ? text.toLowerCase().indexOf(term.toLowerCase()) : -1;
    const from = at > length / 2 ? at - 40 : 0;

    return (from ? "…" : "") + text.slice(from, from + length);
}

/* [[piece, isHit]]: the pieces are the text again. */
export function marked(text, term) {
    if (!term) {
        return [[text, false]];
    }
    const pieces = [];
    const lower = text.toLowerCase(), wanted = term.toLowerCase();
    let from = 0;
    for (let at = lower.indexOf(wanted); at >= 0 && wanted && lower.length === text.length; at = lower.indexOf(wanted, from)) {
        pieces.push([text.slice(from, at), false], [text.slice(at, at + wanted.length), true]);
        from = at + wanted.length;
    }
    pieces.push([text.slice(from), false]);
    return pieces.filter(([piece]) => piece);
}
