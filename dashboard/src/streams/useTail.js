import { useCallback, useEffect, useMemo, useReducer, useRef } from "preact/hooks";
import { useLive } from "../kit/live.js";
import { addEvents, beginHistory, endHistory, isFull, makeKept, release } from "./kept.js";

/* A live subscription and what is kept of it. query undefined: not known yet; byPieces: its history is read piece by piece.
 * While it is held, what comes waits; when too much waits the connection is given back, and goes on at its cursor afterwards:
 * nothing is missed. */
export function useTail(path, query, byPieces) {
    const [, redraw] = useReducer((n) => n + 1, 0);
    const key = JSON.stringify([path, query]);
    const kept = useMemo(() => makeKept(byPieces), [key]);
    const atEnd = useRef(null);
    const live = useLive({
        path: query && path, query, paused: kept.held && isFull(kept),
        onBatch: (items) => {
            addEvents(kept, items, atEnd.current === key);
            redraw();
        },
        onUpToDate: () => {
            atEnd.current = key;
            endHistory(kept);
            redraw();
        },
        onGap: (gap) => {
            kept.gaps.push(gap);
            redraw();
        },
    });
    useEffect(() => {
        if (live.state !== "live" && atEnd.current === key) {
            atEnd.current = null;
            beginHistory(kept);
        }
    }, [live.state]);
    const hold = useCallback(() => {
        if (!kept.held) {
            kept.held = true;
            redraw();
        }
    }, [kept]);
    const goOn = useCallback(() => {
        release(kept);
        redraw();
    }, [kept]);
    const clear = useCallback(() => {
        kept.shown = [];
        redraw();
    }, [kept]);

    return { kept, live, caughtUp: atEnd.current === key, hold, goOn, clear };
}
