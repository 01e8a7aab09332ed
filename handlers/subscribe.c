#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "handlers/reading.h"

/* Server-sent events (WHATWG HTML, 9.2). Every block carries `id: <cursor>`, so that a reader may leave at any moment. What goes
 * out comes from two places: r->body (history rendered by a worker, and Weir's own blocks) and r->live (shared memory). */

#define RETRY_LINE "retry: 2000\n"

/* A position that cannot be told ends the stream: nothing goes out after it. */
static bool put_id(struct reading *r)
{
    char cursor[CURSOR_TEXT];
    size_t n;

    if (r->withheld)
        return true;
    n = r->unspeakable ? 0 : reading_cursor(r, cursor);
    r->unspeakable = n == 0;
    if (n) {
        BUF_LIT(&r->body, "id: ");
        buf_put(&r->body, cursor, n);
        buf_char(&r->body, '\n');
    }
    return n > 0;
}

static void put_block(struct reading *r, const char *event, const char *data)
{
    buf_printf(&r->body, "event: %s\n", event);
    put_id(r);
    buf_printf(&r->body, "data: %s\n\n", data);
}

static void begin_body(struct reading *r)
{
    if (r->started)
        return;
    r->started = true;
    BUF_LIT(&r->body, RETRY_LINE);
    put_id(r);
    buf_char(&r->body, '\n');
}

void subscribe_render(struct reading *r, struct member *const *of, const struct event *events, size_t n)
{
    begin_body(r);
    for (r->events = 0; r->events < n; r->events++) {
        const struct event *ev = &events[r->events];
        struct member *m = of[ev->member];

        m->pos[ev->partition] = ev->offset;
        if (!put_id(r))
            break;
        BUF_LIT(&r->body, "data: ");
        event_render(&r->body, m->stream->row.name, ev, true);
        BUF_LIT(&r->body, "\n\n");
    }
    metric_add(M_DELIVERED_EVENTS, (int64_t)r->events);
}

void subscribe_gap(struct reading *r, struct member *const *of, const struct read_member *to, size_t n)
{
    char from[CURSOR_TEXT] = "", end[CURSOR_TEXT] = "";
    struct buf data = { 0 };

    begin_body(r);
    reading_cursor(r, from);
    for (size_t i = 0; i < n; i++)
        memcpy(of[i]->pos, to[i].end, (size_t)of[i]->stream->row.partitions * sizeof *to[i].end);
    r->spec.from = READ_CURSOR;
    reading_cursor(r, end);
    buf_printf(&data, "{\"from\":\"%s\",\"to\":\"%s\"}", from, end);
    buf_char(&data, '\0');
    put_block(r, "gap", data.failed ? "{}" : data.p);
    buf_free(&data);
}

static void put_up_to_date(struct reading *r)
{
    char cursor[CURSOR_TEXT] = "", data[CURSOR_TEXT + 20];

    reading_cursor(r, cursor);
    snprintf(data, sizeof data, "{\"cursor\":\"%s\"}", cursor);
    put_block(r, "up-to-date", data);
    r->announced = true;
}

static void drop_live(struct reading *r)
{
    for (size_t i = r->live_at; i < r->live_n; i++)
        ring_event_unref(r->live[i]);
    r->live_n = r->live_at = 0;
}

static size_t copy(const char *from, size_t n, char *out, size_t max)
{
    size_t k = n < max ? n : max;

    memcpy(out, from, k);
    return k;
}

/* The bytes of the event at hand: the shared ones, or with an id of the reader's own before the shared data. */
static size_t copy_live(struct reading *r, char *out, size_t max)
{
    struct ring_event *e = r->live[r->live_at];
    size_t n = copy(e->text + r->live_sent, e->text_n - r->live_sent, out, max);

    r->live_sent += n;
    if (r->live_sent == e->text_n) {
        ring_event_unref(e);
        r->live_at++;
        r->live_sent = 0;
        metric_add(M_DELIVERED_EVENTS, 1);
    }
    return n;
}

/* The next event in memory that passes the filter, made ready; false: none is at hand. */
static bool next_live(struct reading *r)
{
    while (r->live_at < r->live_n) {
        struct ring_event *e = r->live[r->live_at];

        if (r->live_sent)
            return true;
        r->live_of->pos[e->partition] = e->offset;
        if (filter_match(r->spec.filter, ring_event_type(e), ring_event_subject(e))) {
            if (r->live_shared && !r->many)
                return true;
            buf_reset(&r->body);
            r->sent = 0;
            if (!put_id(r))
                return false;
            r->live_sent = e->json_at - sizeof "data: " + 1;
            return true;
        }
        ring_event_unref(e);
        r->live_at++;
    }
    return false;
}

static size_t fill(struct reading *r, char *out, size_t max)
{
    size_t n = 0;

    while (n < max) {
        if (r->sent < r->body.n) {
            size_t k = copy(r->body.p + r->sent, r->body.n - r->sent, out + n, max - n);

            r->sent += k;
            n += k;
        } else if (next_live(r)) {
            if (r->sent < r->body.n) /* its own id goes first */
                continue;
            n += copy_live(r, out + n, max - n);
        } else {
            break;
        }
    }
    if (r->sent == r->body.n) {
        buf_reset(&r->body);
        r->sent = 0;
    }
    return n;
}

/* The last block: why the stream ends. */
static int end(struct reading *r, const char *event, const char *data)
{
    put_block(r, event, data);
    r->ending = true;
    return 1;
}

static const char *reason_to_end(const struct request *rq, const struct reading *r)
{
    if (r->unspeakable || r->err == ERR_TOO_MANY_PARTITIONS)
        return "{\"reason\":\"too-many-partitions\"}";
    if (rq->revoked)
        return "{\"reason\":\"token-revoked\"}";
    if (rq->draining)
        return "{\"reason\":\"shutdown\"}";
    return clock_mono_us() >= r->expires_us ? "{\"reason\":\"token-expired\"}" : NULL;
}

/* One stream's turn. 1: it has something in memory, or has ended it all; -1: out of memory. */
static int look(struct request *rq, struct reading *r, struct member *m)
{
    atomic_store(&m->due, false);
    if (!reading_watch(rq, r, m))
        return -1;
    m->cold = false;
    switch (tail_next(m->watch, m->pos, r->live, LIVE_BATCH, &r->live_n, &r->live_shared)) {
    case TAIL_EVENTS:
        atomic_store(&m->due, true);
        r->live_of = m;
        r->again = true;
        return 1;
    case TAIL_GONE:
        if (!r->many || m->named)
            return end(r, "deleted", "{\"code\":\"unknown-stream\"}");
        reading_drop(r, m);
        r->turn--;
        return 0;
    case TAIL_BEHIND:
        reading_ask(m);
        r->work = true;
        return 0;
    case TAIL_COLD:
        m->cold = true;
        return 0;
    case TAIL_NOTHING:
        return 0;
    }
    return 0;
}

/* History has been delivered, as far as memory and the last pages know. */
static bool delivered(const struct reading *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->members[i]->cold && !r->members[i]->current)
            return false;
    return true;
}

static int go_to_work(struct request *rq, struct reading *r, bool may_work)
{
    if (!may_work) /* the next call begins here */
        return 0;
    r->turn = 0;
    r->work = r->again = false;
    buf_reset(&r->body);
    r->sent = 0;
    return request_work(rq, reading_page) ? 0 : -1;
}

/* Finds something to send. 0: wait; 1: there is something; -1: the end. Every stream has its turn in a round; what the database
 * has to give comes between two rounds, so that neither starves the other. */
static int find(struct request *rq, struct reading *r, bool may_work)
{
    const char *reason = reason_to_end(rq, r);

    if (r->ending)
        return -1;
    if (reason)
        return end(r, "bye", reason);
    drop_live(r);
    do {
        for (r->again = r->again && r->turn; r->turn < r->n;) {
            struct member *m = r->members[r->turn++];
            int found = atomic_load(&m->due) ? look(rq, r, m) : 0;

            if (found)
                return found;
        }
        if (r->work || many_came(r))
            return go_to_work(rq, r, may_work);
        r->turn = 0;
    } while (r->again);
    if (r->announced || !delivered(r))
        return 0;
    put_up_to_date(r);
    return 1;
}

static void sleep_until_due(struct request *rq, struct reading *r, int64_t now)
{
    int64_t keepalive = r->quiet_since_us + rq->config->http_keepalive_us;

    if (now >= keepalive) /* written by the next call */
        keepalive = now;
    if (r->body.n == 0)
        buf_free(&r->body); /* a page of history may have made it large */
    request_wait_until(rq, keepalive < r->expires_us ? keepalive : r->expires_us);
}

/* Whose token was revoked gets the rest of the block that has begun, and nothing else of what was at hand. The reader's position
 * is past what is withheld, so the last block must not tell it. */
static void withhold(struct reading *r)
{
    const char *p = r->body.p, *stop = NULL;
    bool amid = r->sent || (!r->body.n && r->live_sent);
    size_t had = r->body.n;

    if (r->sent) {
        size_t from = r->sent > 1 && p[r->sent - 1] == '\n' && p[r->sent - 2] == '\n' ? r->sent - 2 : r->sent - 1;

        if ((stop = memmem(p + from, r->body.n - from, "\n\n", 2)))
            r->body.n = (size_t)(stop + 2 - p);
    }
    if (!amid)
        buf_reset(&r->body);
    r->withheld = r->withheld || r->body.n < had;
    for (size_t keep = amid && !stop; r->live_n > r->live_at + keep; r->withheld = true)
        ring_event_unref(r->live[--r->live_n]);
    if (r->live_at == r->live_n)
        r->live_sent = 0;
}

static long read_stream(struct request *rq, char *out, size_t max)
{
    struct reading *r = rq->state;
    int64_t now = clock_mono_us();
    size_t n = 0;

    if (r->err && r->err != ERR_TOO_MANY_PARTITIONS) /* of a page read amid the stream: the reader comes again with its last cursor */
        return -1;
    if (rq->revoked && !r->ending)
        withhold(r);
    for (;;) {
        int found;

        n += fill(r, out + n, max - n);
        if (n == max)
            break;
        found = find(rq, r, n == 0); /* a job must find nothing written */
        if (found < 0 && n == 0)
            return -1;
        if (found <= 0)
            break;
    }
    if (n == 0 && !request_working(rq) && now - r->quiet_since_us >= rq->config->http_keepalive_us) {
        BUF_LIT(&r->body, ": keep-alive\n");
        put_id(r);
        buf_char(&r->body, '\n');
        n = fill(r, out, max);
    }
    if (n)
        r->quiet_since_us = now;
    else if (!request_working(rq))
        sleep_until_due(rq, r, now);
    return (long)n;
}

enum err subscribe_reply(struct request *rq, struct reply *rp, struct reading *r)
{
    int64_t now = clock_mono_us();

    r->quiet_since_us = now;
    reply_header(rq, rp, "X-Accel-Buffering", "no");
    return reply_stream(rp, 200, "text/event-stream", read_stream);
}
