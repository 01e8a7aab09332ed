/* The tab's one event stream. Browsers open six connections to an origin, for all tabs together: so the newest mounted user of
 * useLive has it, and when that one goes, the one before gets it back and goes on where it stopped. Streams are resumed by cursor:
 * nothing is missed and nothing comes twice, over errors, restarts of the gateway, renewed tickets and hidden tabs. */
import { effect, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Connection } from "./connection.js";
import { queryOf } from "./api.js";
import { token } from "./session.js";

const HIDDEN = 60000;                          // a tab that nobody looks at gives its connection back after this
const FLUSH = 100, FLUSH_AT = 2000;            // ms; messages that are handed over at once when timers are throttled

const feeds = [];                              // the newest is last and has the connection
export const liveState = signal("off");        // of the tab: for the header

/* One user: what it wants, where it is, who hears of it. */
class Feed {
    constructor(path, query, resumable) {
        Object.assign(this, {
            path,
            query,
            resumable,
            cursor: null,
            hears: {},
            waiting: [],
            timer: null,
            connection: null,
            wanted: true,
        });
        this.status = signal({ state: "off", retryAt: null, error: null });
    }

    say(state, more) {
        this.status.value = { state, retryAt: null, error: null, ...more };
        if (feeds.at(-1) === this) {
            liveState.value = state;
        }
    }

    open() {
        if (!this.connection && !this.ended) {
            this.connection = new Connection(this);
        }
    }

    close(state = "off") {
        this.connection?.close();
        this.connection = null;
        this.flush();
        if (!this.ended) {
            this.say(state);
        }
    }

    /* It cannot go on: the stream is gone, or not for this token. */
    end(error) {
        this.ended = true;
        this.connection = null;
        this.flush();
        this.say("off", { error });
        arrange();
    }

    take(text, cursor) {
        this.cursor = cursor || this.cursor;
        this.waiting.push({ event: JSON.parse(text), cursor, text });
        if (this.waiting.length >= FLUSH_AT) {
            this.flush();
        } else {
            this.timer ??= setTimeout(() => this.flush(), FLUSH);
        }
    }

    flush() {
        clearTimeout(this.timer);
        this.timer = null;
        const batch = this.waiting;
        if (!batch.length) {
            return;
        }
        this.waiting = [];
        this.hears.onBatch?.(batch);
        if (this.hears.onEvent) {
            batch.forEach(({ event, cursor, text }) => this.hears.onEvent(event, cursor, text));
        }
    }

    upToDate(cursor) {
        this.cursor = cursor || this.cursor;
        this.flush();
        this.hears.onUpToDate?.(cursor);
    }

    gap(gap, cursor) {
        this.cursor = cursor || this.cursor;
        this.flush();
        this.hears.onGap?.(gap);
    }
}

let suspended = false, hideTimer = null;

/* The connection goes to the newest user that wants it; all others have none. */
function arrange() {
    const owner = suspended || token.value === null ? null : feeds.findLast((feed) => feed.wanted && !feed.ended);
    feeds.forEach((feed) => feed !== owner && feed.connection && feed.close());
    owner?.open();
    if (!owner) {
        liveState.value = "off";
    }
}

document.addEventListener("visibilitychange", () => {
    clearTimeout(hideTimer);
    if (document.hidden) {
        hideTimer = setTimeout(() => {
            suspended = true;
            arrange();
        }, HIDDEN);
    } else {
        suspended = false;
        arrange();
    }
});

/* Another token: tickets of the old one are not used any more, and what it might not read is tried again. */
effect(() => {
    void token.value;
    feeds.forEach((feed) => feed.connection?.close());
    feeds.forEach((feed) => {
        feed.connection = null;
        feed.ended = false;
    });
    arrange();
});

/* path null: nothing yet. query.after says where it begins (the API's default otherwise). resume false: the answer has no cursors
 * (jobs), it begins again each time. What is heard (any of it may be left out):
 *   onEvent(event, cursor, text)  onBatch([{event, cursor, text}])   at most ten times a second; text is the JSON as it was sent
 *   onUpToDate(cursor)            history has been delivered
 *   onGap({from, to, error?})     events in between are gone; error: the position was unknown, it began anew
 * -> {state: "connecting"|"live"|"reconnecting"|"off", retryAt, error, retry()} */
export function useLive({ path, query, paused = false, resume = true, ...hears }) {
    const key = path ? path + queryOf(query) : null;
    const feed = useMemo(() => (key ? new Feed(path, query ?? {}, resume) : null), [key, resume]);
    const idle = useRef(signal({ state: "off", retryAt: null, error: null }));
    if (feed) {
        feed.hears = hears;
    }
    useEffect(() => {
        if (!feed) {
            return undefined;
        }
        feeds.push(feed);
        arrange();
        return () => {
            feeds.splice(feeds.indexOf(feed), 1);
            feed.hears = {};
            feed.close();
            arrange();
        };
    }, [feed]);
    useEffect(() => {
        if (feed) {
            feed.wanted = !paused;
            arrange();
        }
    }, [feed, paused]);
    return {
        ...(feed?.status ?? idle.current).value,
        retry: () => {
            if (feed) {
                feed.ended = false;
                feed.connection?.close();
                feed.connection = null;
                arrange();
            }
        },
    };
}
