/* Asks again and again, gently: while the tab is seen, never twice at once, slower after errors. */
import { useEffect, useRef, useState } from "preact/hooks";
import { reachable } from "./api.js";
import { token } from "./session.js";

const SLOWEST = 60000, UNREACHABLE = 5000;
const NOTHING = { ask: () => {}, missed: () => false };

/* -> {data, error, loading, stale, reload()}. The last data stay over errors (then `stale`) until `deps` change. everyMs 0: once. */
export function usePoll(fn, everyMs, deps = []) {
    const [state, setState] = useState({ data: undefined, error: null });
    const latest = useRef(fn);
    const again = useRef(NOTHING);
    latest.current = { fn, everyMs };
    useEffect(() => {
        setState({ data: undefined, error: null });
        return loop(latest, setState, again);
    }, deps);
    /* A new token, another pace and, for who missed it, a gateway that is back are reasons to ask at once; the data stay meanwhile.
     * Not for the others: where one call fails and the next does not, they would ask each other on and on. */
    const asked = useRef(null), back = reachable.value, reason = `${token.value} ${everyMs}`;
    useEffect(() => {
        if (asked.current !== null && (asked.current !== reason || (back && again.current.missed()))) {
            again.current.ask();
        }
        asked.current = reason;
    }, [reason, back]);
    return { ...state, loading: state.data === undefined && !state.error, stale: state.data !== undefined && Boolean(state.error),
        reload: () => again.current.ask() };
}

function loop(latest, setState, again) {
    let timer = null, running = null, failures = 0, unreachable = false, ended = false, late = false;

    const later = (delay) => {
        clearTimeout(timer);
        timer = delay ? setTimeout(ask, delay) : null;
    };
    async function ask() {
        if (document.hidden && latest.current.everyMs) {
            late = true;                               // asked when the tab is looked at again
            return;
        }
        running?.abort();
        const mine = running = new AbortController();
        try {
            const data = await latest.current.fn(mine.signal);
            if (mine === running && !ended) {
                failures = 0;
                unreachable = false;
                setState({ data, error: null });
            }
        } catch (error) {
            if (mine !== running || ended || error.name === "AbortError") {
                return;
            }
            failures++;
            unreachable = error.status === 0;
            setState((old) => ({ ...old, error }));
        }
        if (mine === running && !ended) {
            running = null;
            const { everyMs } = latest.current, slowest = unreachable ? UNREACHABLE : SLOWEST;
            later(failures && everyMs ? Math.max(everyMs, Math.min(slowest, everyMs * 2 ** (failures - 1))) : everyMs);
        }
    }
    const seen = () => {
        if (!document.hidden && late) {
            late = false;
            ask();
        }
    };
    again.current = { ask, missed: () => unreachable && !running };
    document.addEventListener("visibilitychange", seen);
    ask();
    return () => {
        ended = true;
        clearTimeout(timer);
        running?.abort();
        again.current = NOTHING;
        document.removeEventListener("visibilitychange", seen);
    };
}
