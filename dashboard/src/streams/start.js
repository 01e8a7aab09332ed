import { useEffect, useState } from "preact/hooks";
import { recentStart } from "./find.js";

/* Where a tail begins, as it stands in the URL: recent, now, earliest, a time, or a cursor. */

const RECENT = 200;
const RECENT_OF_FILTERED = 5000;

export function kindOf(from) {
    return ["recent", "now", "earliest"].includes(from) ? from : from.includes(":") ? "time" : "cursor";
}

/* The query that the API is asked; recent ones take a look first. undefined until it is known. Another round begins anew. */
export function useStart(stream, from, filtered, round) {
    const [found, setFound] = useState({});
    const key = `${stream} ${from} ${filtered} ${round}`;

    useEffect(() => {
        const given = plain(from);
        const abort = new AbortController();

        if (given) {
            setFound({ key, query: given });
            return undefined;
        }
        recentStart(stream, filtered ? RECENT_OF_FILTERED : RECENT, abort.signal).then(
            (query) => setFound({ key, query }),
            (error) => error.name !== "AbortError" && setFound({ key, error }));
        return () => abort.abort();
    }, [key]);
    return found.key === key ? found : {};
}

function plain(from) {
    const queries = { now: { after: "latest" }, earliest: { after: "earliest" }, time: { from_time: from },
        cursor: { after: from } };

    return queries[kindOf(from)];
}
