import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../kit/api.js";
import { useLive } from "../kit/live.js";
import { token } from "../kit/session.js";
import { serverNow } from "../kit/time.js";
import { NONE, changed, paged } from "./states.js";

const PAGE = 50, SEARCHES = 5;                 // a search without an index may answer pages that hold nothing
const FEW = 20, PAUSE = 500;                   // changes that are shown at once; ms between two times that more are

/* The list of states, page by page, and what changes in it meanwhile. build: the one that is read; another one has other states.
 * -> {list, live, more(), reload()} */
export function useStates({ name, build, prefix, where, paused, onChange }) {
    const [list, setList] = useState(NONE);
    const [round, setRound] = useState(0);
    const asked = useRef(null), waiting = useRef({ batch: [], timer: null });
    const path = api.path`/v1/projections/${name}/state`;
    const filter = JSON.stringify([name, build, prefix, where, round, token.value]);

    const load = async (from) => {
        const abort = asked.current;
        setList((old) => ({ ...old, busy: true, error: null }));
        try {
            let after = from, found = 0;
            for (let i = 0; i < SEARCHES && !found && (i === 0 || after !== null); i++) {
                const answer = await api.get(path, { query: { prefix, where, limit: PAGE, after }, signal: abort.signal });
                if (asked.current !== abort) {
                    return;
                }
                found = answer.body.items.length;
                after = answer.body.next;
                setList((old) => paged(old, answer));
            }
            setList((old) => ({ ...old, busy: false, below: 0 }));
        } catch (error) {
            if (asked.current === abort && error.name !== "AbortError") {
                setList((old) => ({ ...old, busy: false, error }));
            }
        }
    };
    useEffect(() => {
        const abort = asked.current = new AbortController();
        setList(NONE);
        load(null);
        return () => {
            abort.abort();
            clearTimeout(waiting.current.timer);
            waiting.current = { batch: [], timer: null };
        };
    }, [filter]);

    const show = (batch) => setList((old) => changed(old, batch, where, serverNow()));
    const take = (batch) => {
        const { batch: all } = waiting.current;
        if (!all.length && batch.length <= FEW) {
            show(batch);
            return;
        }
        all.push(...batch);
        waiting.current.timer ??= setTimeout(() => {
            waiting.current = { batch: [], timer: null };
            show(all);
        }, PAUSE);
    };

    const reload = () => setRound((n) => n + 1);
    const live = useLive({
        path: list.position === undefined ? null : api.path`/v1/projections/${name}/changes`,
        query: { after: list.position ?? undefined, prefix: prefix || undefined }, paused,
        onBatch: (batch) => {
            take(batch);
            onChange?.(batch);
        },
        onGap: reload,
    });
    return { list, live, more: () => load(list.next), reload };
}
