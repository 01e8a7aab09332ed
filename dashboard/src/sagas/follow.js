/* An instance that is looked at: as it is, its history, and both again whenever something has happened. */
import { useEffect, useRef } from "preact/hooks";
import { api } from "../kit/api.js";
import { at, members } from "../kit/json.js";
import { useLive } from "../kit/live.js";
import { usePoll } from "../kit/poll.js";
import { may } from "../kit/rights.js";
import { hasEnded } from "./words.js";

const EVERY = 4000,
    SOONEST = 250; // ms
const RECORDS_MAX = 5000;

export const instancePath = (saga, id) => api.path`/v1/sagas/${saga}/instances/${id}`;

/* -> {data: {instance, text, records, more}, error, loading, stale, reload(), live}. Records carry `text`, their data as they
 * were sent. */
export function useInstance(saga, id) {
    const kept = useRef(nothing());
    const busy = useRef(false),
        again = useRef(false),
        timer = useRef(null);
    useEffect(() => () => clearTimeout(timer.current), []);

    const poll = usePoll(
        async (signal) => {
            if (kept.current.of !== `${saga}/${id}`) {
                kept.current = { ...nothing(), of: `${saga}/${id}` };
            }
            if (kept.current.view && hasEnded(kept.current.view.instance)) {
                return kept.current.view;
            }
            busy.current = true;
            try {
                return await read(kept.current, instancePath(saga, id), signal);
            } finally {
                busy.current = false;
            }
        },
        EVERY,
        [saga, id],
    );

    const soon = () => {
        timer.current ??= setTimeout(() => {
            timer.current = null;
            if (busy.current) {
                // its answer may be older than what was heard
                again.current = true;
            } else {
                poll.reload();
            }
        }, SOONEST);
    };
    useEffect(() => {
        if (again.current) {
            again.current = false;
            soon();
        }
    }, [poll.data, poll.error]);

    const open = poll.data && !hasEnded(poll.data.instance) && may("subscribe", `saga.${saga}`);
    const live = useLive({
        path: open ? api.path`/v1/streams/${`saga.${saga}`}/events` : null,
        query: { subject: id, after: "latest" },
        onBatch: soon,
        onUpToDate: soon,
        onGap: soon,
    });
    return { ...poll, live };
}

const nothing = () => ({ of: null, view: null, records: [], after: undefined, transitions: -1, more: false });

async function read(kept, path, signal) {
    const { body, text } = await api.get(path, { signal });
    if (body.transitions !== kept.transitions) {
        await readHistory(kept, path, signal);
        kept.transitions = body.transitions;
    }
    kept.view = { instance: body, text, records: kept.records, more: kept.more };
    return kept.view;
}

/* What has come since: the history only grows. */
async function readHistory(kept, path, signal) {
    for (let next = kept.after; kept.records.length < RECORDS_MAX;) {
        const { body, text } = await api.get(`${path}/history`, { query: { limit: 1000, after: next }, signal });
        const texts = members(at(text, "items"));
        kept.records = [...kept.records, ...body.items.map((one, i) => ({ ...one, text: at(texts[i][1], "data") }))];
        kept.after = kept.records.at(-1)?.id;
        kept.more = Boolean(body.next);
        if (!body.next) {
            return;
        }
        next = body.next;
    }
}
