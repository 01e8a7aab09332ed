/* Asks again and again, gently: while the tab is seen, never twice at once, slower after errors. */
import { useEffect, useRef, useState } from "preact/hooks";
import { reachable } from "./api.js";
import { token } from "./session.js";

const SLOWEST = 60000, UNREACHABLE = 5000;

/* -> {data, error, loading, stale, reload()}. The last data stay over errors (then `stale`) until `deps` change. everyMs 0: once. */
export function usePoll(fn, everyMs, deps = []) {
    const [state, setState] = useState({ data: undefined, error: null });
    const latest = useRef(fn);
    const again = useRef(() => {});
    latest.current = { fn, everyMs };
    useEffect(() => {
        setState({ data: undefined, error: null });
        return loop(latest, setState, again);
    }, deps);
    /* A new token, a gateway that is back and another pace are reasons to ask at once; the data stay meanwhile. */
    const asked = useRef(null), reason = `${token.value} ${reachable.value} ${everyMs}`;
    useEffect(() => {
        if (asked.current !== null && asked.current !== reason && reachable.value) {
            again.current();
        }
        asked.current = reason;
    }, [reason]);
    return { ...state, loading: state.data === undefined && !state.error, stale: state.data !== undefined && Boolean(state.error),
        reload: () => again.current() };
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
    again.current = ask;
    document.addEventListener("visibilitychange", seen);
    ask();
    return () => {
        ended = true;
        clearTimeout(timer);
        running?.abort();
        again.current = () => {};
        document.removeEventListener("visibilitychange", seen);
    };
}
