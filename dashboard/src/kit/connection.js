/* One EventSource after the other for one feed of live.js: by ticket, with waits between failures. Reconnecting is done here and not
 * by the browser, which would ask the same URL again, with an old ticket and without telling why it failed. */
import { Problem, post, queryOf, urlOf } from "./api.js";
import { authorization } from "./session.js";
import { serverNow } from "./time.js";

const TTL = "10m", RENEW_BEFORE = 30000, AGAIN_AT_LEAST = 5000;
const FIRST_WAIT = 500, LONGEST_WAIT = 15000;  // doubled from one to the other, until a stream has lived for the longest

export class Connection {
    constructor(feed) {
        Object.assign(this, {
            feed,
            source: null,
            ticket: null,
            timer: null,
            failures: 0,
            opened: null,
            closed: false,
            abort: new AbortController(),
        });
        feed.say("connecting");
        this.begin();
    }

    close() {
        this.closed = true;
        this.abort.abort();
        clearTimeout(this.timer);
        this.source?.close();
    }

    /* The ticket is bound to this path and query; the cursor comes beside it. */
    async begin() {
        try {
            if (!this.ticket || this.ticket.until < Date.now() + AGAIN_AT_LEAST) {
                this.ticket = await this.makeTicket();
            }
        } catch (error) {
            if (!this.closed) {
                this.failed(error);
            }
            return;
        }
        if (!this.closed) {
            this.connect();
        }
    }

    async makeTicket() {
        const asked = Date.now();
        const { body, headers } = await post("/v1/tickets", { url: this.feed.path + queryOf(this.feed.query), ttl: TTL },
            { signal: this.abort.signal });
        /* By the gateway's clock, not by ours, which may be wrong. */
        const server = Date.parse(headers.get("Date")) || asked;
        return { text: body.ticket, until: asked + Date.parse(body.expires) - server };
    }

    query(ticket) {
        const { query, resumable, cursor } = this.feed;
        return { ...query, ticket, last_event_id: resumable ? cursor : undefined };
    }

    connect() {
        this.source?.close();                  // a renewal and a reconnect may meet
        const feed = this.feed, source = this.source = new EventSource(urlOf(feed.path, this.query(this.ticket.text)));
        let lived = false;
        const on = (name, act) => source.addEventListener(name, (event) => {
            if (!this.closed && source === this.source) {
                act(event);
            }
        });
        on("open", () => {
            lived = true;
            this.opened = Date.now();
            feed.say("live");
        });
        on("message", (event) => feed.take(event.data, event.lastEventId));
        on("up-to-date", (event) => feed.upToDate(event.lastEventId || JSON.parse(event.data).cursor));
        on("gap", (event) => feed.gap(JSON.parse(event.data), event.lastEventId));
        on("deleted", () => this.over(new Problem(410, { code: "deleted", title: "It was deleted" })));
        on("bye", (event) => {
            if (JSON.parse(event.data).reason !== "shutdown") {
                this.ticket = null;
            }
            this.failed(null);
        });
        on("error", () => (lived ? this.failed(null) : this.diagnose()));
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.renew(), Math.max(AGAIN_AT_LEAST, this.ticket.until - Date.now() - RENEW_BEFORE));
    }

    /* Before the ticket ends: the new stream begins at the cursor where the old one was closed. */
    async renew() {
        try {
            const ticket = await this.makeTicket();
            if (!this.closed) {
                this.ticket = ticket;
                this.connect();
            }
        } catch { /* the stream goes on as long as the old ticket does; then `bye` leads to another try */ }
    }

    over(error) {
        this.close();
        this.feed.end(error);
    }

    failed(error) {
        this.source?.close();
        this.source = null;
        clearTimeout(this.timer);
        if (error && error.status >= 400 && error.status < 500 && ![401, 408, 429].includes(error.status)) {
            this.over(error);
            return;
        }
        if (this.opened && Date.now() - this.opened >= LONGEST_WAIT) {
            this.failures = 0;
        }
        this.opened = null;
        const wait = Math.max((error?.retryAfter ?? 0) * 1000, Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.failures++));
        const delay = wait * (0.75 + Math.random() / 2);
        this.feed.say("reconnecting", { retryAt: serverNow() + delay, error });
        this.timer = setTimeout(() => this.begin(), delay);
    }

    /* EventSource does not tell why a stream did not open: the same request by fetch does. */
    async diagnose() {
        this.source?.close();
        this.source = null;
        this.ticket = null;
        const abort = new AbortController();
        try {
            const response = await fetch(urlOf(this.feed.path, this.query()), { signal: abort.signal, cache: "no-store",
                headers: { Accept: "text/event-stream", ...authorization() } });
            const body = response.ok ? null : await response.json().catch(() => ({ title: `The answer was ${response.status}` }));
            if (!this.closed) {
                this.told(body && new Problem(response.status, body, response.headers.get("X-Request-Id")));
            }
        } catch {
            if (!this.closed) {
                this.failed(null);
            }
        } finally {
            abort.abort();
        }
    }

    /* A cursor of an incarnation that is gone: it begins anew, and says so. */
    told(problem) {
        const { feed } = this;
        if (problem?.status === 410 && feed.cursor) {
            const from = feed.cursor;
            feed.cursor = null;
            feed.gap({ from, to: null, error: problem });
            this.failed(null);
        } else {
            this.failed(problem);
        }
    }
}
