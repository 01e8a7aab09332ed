/* Short memories of figures for charts: 15 minutes, whichever page is shown, for as long as the token stays. */
import { useEffect, useState } from "preact/hooks";
import { token } from "./session.js";

const KEPT = 15 * 60 * 1000, MOST = 1000, MOST_KEYS = 500;
const kept = new Map();                        // key -> {times: [s], values, last: {at, value}}
token.subscribe((now) => now === null && kept.clear());

/* value undefined: nothing new is known. rate: the value is a counter, what is kept is its growth a second. */
export function remember(key, value, { rate = false, at = Date.now() } = {}) {
    const one = kept.get(key) ?? { times: [], values: [], last: null };
    kept.delete(key);
    kept.set(key, one);                        // the newest used is last
    if (kept.size > MOST_KEYS) {
        kept.delete(kept.keys().next().value);
    }
    if (value === undefined || value === null || (one.last && at - one.last.at < 500)) {
        return one;
    }
    const seconds = one.last ? (at - one.last.at) / 1000 : 0;
    const shown = !rate ? value : one.last && value >= one.last.value ? (value - one.last.value) / seconds : null;
    one.last = { at, value };
    if (!rate || seconds) {
        one.times.push(at / 1000);
        one.values.push(shown);
    }
    while (one.times.length > MOST || one.times[0] < (at - KEPT) / 1000) {
        one.times.shift();
        one.values.shift();
    }
    return one;
}

/* -> {times (seconds), values (null: not known)}, new arrays whenever something came. Give each new answer as `sample`, so that a
 * figure that did not change counts too. */
export function useSeries(key, value, { rate = false, sample = value } = {}) {
    const [shown, setShown] = useState({ times: [], values: [] });
    useEffect(() => {
        const { times, values } = remember(key, value, { rate });
        setShown({ times: [...times], values: [...values] });
    }, [key, sample]);
    return shown;
}
