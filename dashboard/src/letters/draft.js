import { useEffect, useState } from "preact/hooks";
import { pretty } from "../kit/json.js";
import { token } from "../kit/session.js";

/* Repairs that are not saved, by the letter's path: a look at another page loses nothing. They go with the token. */
const drafts = new Map();

token.subscribe((now) => now === null && drafts.clear());

/* base: the data as they were when it was begun; text: as they are in the editor now. */
export function useDraft(path, data) {
    const [draft, setDraft] = useState(() => drafts.get(path) ?? { base: data, text: pretty(data) });
    const dirty = draft.text !== pretty(draft.base);
    const keep = (next) => {
        drafts.set(path, next);
        setDraft(next);
    };

    useEffect(() => {
        const stay = (event) => dirty && event.preventDefault();
        addEventListener("beforeunload", stay);
        return () => removeEventListener("beforeunload", stay);
    }, [dirty]);
    return {
        ...draft, dirty,
        edit: (text) => keep({ ...draft, text }),
        begin: () => keep({ base: data, text: pretty(data) }),
        forget: () => drafts.delete(path),
    };
}
