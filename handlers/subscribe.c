#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "handlers/reading.h"

/* Server-sent events (WHATWG HTML, 9.2). Every block carries `id: <cursor>`, so that a reader may leave at any moment. What goes
 * out comes from two places: r->body (history rendered by a worker, and Weir's own blocks) and r->live (shared memory). */

#define RETRY_LINE "retry: 2000\n"

static void put_id(struct reading *r)
{
    char cursor[CURSOR_TEXT];

    BUF_LIT(&r->body, "id: ");
    buf_put(&r->body, cursor, reading_cursor(r, cursor));
    buf_char(&r->body, '\n');
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

void subscribe_render(struct reading *r, const struct event *events, size_t n, int64_t *pos)
{
    memcpy(r->spec.pos, pos, sizeof r->spec.pos);
    begin_body(r);
    metric_add(M_DELIVERED_EVENTS, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        r->spec.pos[events[i].partition] = events[i].offset;
        put_id(r);
        BUF_LIT(&r->body, "data: ");
        event_render(&r->body, r->stream->row.name, &events[i], true);
        BUF_LIT(&r->body, "\n\n");
    }
    r->events = n;
}

void subscribe_gap(struct reading *r, const int64_t *to)
{
    char from[CURSOR_TEXT], end[CURSOR_TEXT];
    struct buf data = { 0 };

    begin_body(r);
    reading_cursor(r, from);
    memcpy(r->spec.pos, to, sizeof r->spec.pos);
    r->spec.from = READ_CURSOR;
    reading_cursor(r, end);
    buf_printf(&data, "{\"from\":\"%s\",\"to\":\"%s\"}", from, end);
    buf_char(&data, '\0');
    put_block(r, "gap", data.failed ? "{}" : data.p);
    buf_free(&data);
}

static void put_up_to_date(struct reading *r)
{
    char cursor[CURSOR_TEXT], data[CURSOR_TEXT + 20];

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
        r->spec.pos[e->partition] = e->offset;
        if (filter_match(r->spec.filter, ring_event_type(e), ring_event_subject(e))) {
            if (r->live_shared)
                return true;
            buf_reset(&r->body);
            r->sent = 0;
            put_id(r);
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

/* Finds something to send. 0: wait; 1: there is something; -1: the end. */
static int find(struct request *rq, struct reading *r, bool may_work)
{
    if (r->ending)
        return -1;
    if (rq->revoked || rq->draining || clock_mono_us() >= r->expires_us) {
        put_block(r, "bye", rq->revoked    ? "{\"reason\":\"token-revoked\"}"
                            : rq->draining ? "{\"reason\":\"shutdown\"}"
                                           : "{\"reason\":\"token-expired\"}");
        r->ending = true;
        return 1;
    }
    if (!reading_watch(rq, r))
        return -1;
    drop_live(r);
    switch (tail_next(r->watch, r->spec.pos, r->live, LIVE_BATCH, &r->live_n, &r->live_shared)) {
    case TAIL_EVENTS:
        return 1;
    case TAIL_GONE:
        put_block(r, "deleted", "{\"code\":\"unknown-stream\"}");
        r->ending = true;
        return 1;
    case TAIL_BEHIND:
        if (!may_work)
            return 0;
        tail_unwatch(r->watch);
        r->watch = NULL;
        buf_reset(&r->body);
        r->sent = 0;
        return request_work(rq, reading_page) ? 0 : -1;
    case TAIL_COLD:
        if (!r->up_to_date || r->announced)
            return 0;
        break;
    case TAIL_NOTHING:
        break;
    }
    if (r->announced)
        return 0;
    put_up_to_date(r);
    return 1;
}

static void sleep_until_due(struct request *rq, struct reading *r, int64_t now)
{
    int64_t keepalive = r->quiet_since_us + rq->config->http_keepalive_us;

    if (now >= keepalive) /* written by the next call */
        keepalive = now;
    request_wait_until(rq, keepalive < r->expires_us ? keepalive : r->expires_us);
}

/* Whose token was revoked gets the rest of the block that has begun, and nothing else of what was at hand. */
static void withhold(struct reading *r)
{
    const char *p = r->body.p, *end = NULL;
    bool amid = r->sent || (!r->body.n && r->live_sent);

    if (r->sent) {
        size_t from = r->sent > 1 && p[r->sent - 1] == '\n' && p[r->sent - 2] == '\n' ? r->sent - 2 : r->sent - 1;

        if ((end = memmem(p + from, r->body.n - from, "\n\n", 2)))
            r->body.n = (size_t)(end + 2 - p);
    }
    if (!amid)
        buf_reset(&r->body);
    for (size_t keep = amid && !end; r->live_n > r->live_at + keep;)
        ring_event_unref(r->live[--r->live_n]);
    if (r->live_at == r->live_n)
        r->live_sent = 0;
}

static long read_stream(struct request *rq, char *out, size_t max)
{
    struct reading *r = rq->state;
    int64_t now = clock_mono_us();
    size_t n = 0;

    if (r->err) /* of a page read amid the stream: the reader comes again with its last cursor */
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
