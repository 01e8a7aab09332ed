/* The page of letters that was looked at last: where j and k lead from an open letter, and where its way back leads. */
export const listed = { stream: null, ids: [], at: null, back: {} };

export function neighbours(stream, id) {
    const at = listed.stream === stream ? listed.ids.indexOf(id) : -1;

    return at < 0 ? {} : { newer: listed.ids[at - 1], older: listed.ids[at + 1] };
}
