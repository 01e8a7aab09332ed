#include "handlers/reading.h"

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "handlers/handlers.h"

#define SSE_PAGE_EVENTS 1000
#define SSE_PAGE_BYTES (1 << 20)

static void reading_free(void *state)
{
    struct reading *r = state;

    tail_unwatch(r->watch);
    for (size_t i = r->live_at; i < r->live_n; i++)
        ring_event_unref(r->live[i]);
    stream_unref(r->stream);
    buf_free(&r->body);
}

size_t reading_cursor(const struct reading *r, char *out)
{
    struct cursor c = { .count = (int)r->stream->row.partitions };

    memcpy(c.pos, r->spec.pos, sizeof c.pos);
    return cursor_format(&c, r->stream->row.name, r->stream->row.stream_id, out);
}

static void wake(void *rq, bool more)
{
    request_wake_wave(rq, more);
}

bool reading_watch(struct request *rq, struct reading *r)
{
    if (!r->watch && (r->watch = tail_watch(rq->app->tail, r->stream, r->spec.only, wake, rq)) && r->asked)
        tail_trust(r->watch);
    return r->watch != NULL;
}

/* --- what the request says --- */

static enum err read_filter(struct request *rq, struct reading *r)
{
    r->filter.type_n = request_query_all(rq, "type", r->filter.types, FILTER_MAX);
    r->filter.subject_n = request_query_all(rq, "subject", r->filter.subjects, FILTER_MAX);
    if (r->filter.type_n > FILTER_MAX || r->filter.subject_n > FILTER_MAX)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "At most %d types and %d subjects may be given.", FILTER_MAX, FILTER_MAX);
    if (r->filter.type_n || r->filter.subject_n)
        r->spec.filter = &r->filter;
    return OK;
}

static enum err read_start(struct request *rq, struct reading *r)
{
    struct slice after = request_query(rq, "after"), resume = SLICE_NONE;
    enum err e;

    if (r->format == READ_SSE) {
        resume = request_header(rq, "Last-Event-ID");
        if (!resume.n)
            resume = request_query(rq, "last_event_id");
    }
    if (resume.n)
        after = resume;
    if (request_query(rq, "from_time").p && !resume.n) {
        if (after.p)
            return fault(&rq->fault, ERR_BAD_PARAMETER, "Give either after or from_time.");
        r->spec.from = READ_TIME;
        if ((e = request_query_time(rq, "from_time", &r->spec.time_us)))
            return e;
    } else if (!after.p || slice_is(after, "earliest")) {
        r->spec.from = READ_EARLIEST;
    } else if (slice_is(after, "latest")) {
        r->spec.from = READ_LATEST;
    } else {
        r->cursor_text = after;
    }
    return OK;
}

static enum err read_parameters(struct request *rq, struct reading *r)
{
    static const char *const offers[] = { "application/json", "application/cloudevents-batch+json", "application/x-ndjson",
                                          "text/event-stream" };
    const char *offer = request_accept(rq, offers, 4);
    const struct config *c = rq->config;
    int64_t limit = 100, only = -1, wait = 0;
    enum err e;

    if (!offer)
        return fault(&rq->fault, ERR_NOT_ACCEPTABLE, "Events come as application/json, application/cloudevents-batch+json, "
                                                     "application/x-ndjson or text/event-stream.");
    while (offers[r->format] != offer)
        r->format++;
    if ((e = request_query_int(rq, "limit", 1, c->read_limit_max, &limit)) ||
        (e = request_query_int(rq, "partition", 0, PARTITIONS_MAX - 1, &only)) ||
        (e = request_query_duration(rq, "wait", c->read_wait_max_us, &wait)) || (e = read_start(rq, r)))
        return e;
    r->spec.only = (int)only;
    r->spec.limit = r->format == READ_SSE ? SSE_PAGE_EVENTS : limit;
    r->spec.bytes = r->format == READ_SSE ? SSE_PAGE_BYTES : c->read_page_bytes;
    r->spec.scan = c->read_scan_events;
    r->expires_us = clock_mono_us() + principal_expires_us(rq->who) - clock_unix_us();
    if (wait)
        r->deadline_us = rq->began_us + wait < r->expires_us ? rq->began_us + wait : r->expires_us;
    return read_filter(rq, r);
}

/* The definition is known: judges the cursor. Other beginnings are found with the first page. */
static enum err reading_begin(struct request *rq, struct reading *r)
{
    struct stream_row *row = &r->stream->row;
    struct cursor c;
    enum err e;

    if (r->spec.only >= row->partitions)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The stream has partitions 0 to %d.", (int)row->partitions - 1);
    if (!r->cursor_text.p)
        return OK;
    if ((e = cursor_parse(r->cursor_text, row->name, row->stream_id, &c, &rq->fault)))
        return e;
    if (c.partial && row->partitions > 1)
        return fault(&rq->fault, ERR_CURSOR_PARTIAL,
                     "A receipt's cursor covers its own partition only; read with one from a page.");
    if (c.count != row->partitions)
        return fault(&rq->fault, ERR_BAD_CURSOR, "The cursor does not fit the stream's partitions.");
    memcpy(r->spec.pos, c.pos, sizeof r->spec.pos);
    r->cursor_text = SLICE_NONE;
    return OK;
}

/* --- pages --- */

static void put_separator(struct reading *r)
{
    if (r->format == READ_NDJSON)
        buf_char(&r->body, '\n');
    else if (r->events)
        buf_char(&r->body, ',');
}

static void open_body(struct reading *r)
{
    buf_reset(&r->body);
    r->events = 0;
    if (r->format == READ_PAGE)
        BUF_LIT(&r->body, "{\"events\":[");
    else if (r->format == READ_BATCH)
        buf_char(&r->body, '[');
}

static void reading_render(struct reading *r, const struct event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (r->format != READ_NDJSON)
            put_separator(r);
        event_render(&r->body, r->stream->row.name, &events[i], r->format == READ_NDJSON);
        if (r->format == READ_NDJSON)
            put_separator(r);
        r->events++;
    }
}

void reading_page(struct request *rq)
{
    struct reading *r = rq->state;
    struct arena *a = arena_new((size_t)rq->config->read_page_bytes * 2 + (16 << 20));
    struct read_page page = { 0 };
    int64_t pos[PARTITIONS_MAX];

    r->err = a ? OK : ERR_NO_MEMORY;
    if (!r->err && !r->stream)
        r->err = streams_load(rq->app->streams, rq->db, request_path(rq, "stream"), &r->stream, &rq->fault);
    if (!r->err)
        r->err = reading_begin(rq, r);
    open_body(r);
    if (!r->err)
        r->err = read_page(rq->db, a, r->stream, &r->spec, &page, &rq->fault);
    if (!r->err) {
        memcpy(pos, page.start, sizeof pos);
        if (r->format == READ_SSE)
            subscribe_render(r, page.events, page.n, pos);
        else
            reading_render(r, page.events, page.n);
        memcpy(r->spec.pos, page.pos, sizeof r->spec.pos);
        r->spec.from = READ_CURSOR;
        r->up_to_date = page.up_to_date;
        r->asked = true;
    } else if (r->err == ERR_CURSOR_EXPIRED && r->format == READ_SSE) {
        subscribe_gap(r, page.pos);
        r->err = OK;
        r->up_to_date = false;
    } else if (r->err == ERR_UNKNOWN_STREAM && r->stream) {
        streams_forget(rq->app->streams, r->stream->row.stream_id);
    }
    if (rq->fault.earliest) /* it was in the page's arena */
        rq->fault.earliest = arena_strndup(rq->arena, rq->fault.earliest, strlen(rq->fault.earliest));
    arena_free(a);
}

static enum err reply_page(struct request *rq, struct reply *rp, struct reading *r)
{
    static const char *const types[] = { "application/json", "application/cloudevents-batch+json", "application/x-ndjson" };
    char cursor[CURSOR_TEXT];

    reading_cursor(r, cursor);
    metric_add(M_DELIVERED_EVENTS, (int64_t)r->events);
    if (r->format == READ_PAGE)
        buf_printf(&r->body, "],\"cursor\":\"%s\",\"up_to_date\":%s}", cursor, r->up_to_date ? "true" : "false");
    else if (r->format == READ_BATCH)
        buf_char(&r->body, ']');
    reply_header(rq, rp, "Weir-Cursor", cursor);
    return reply_bytes(rp, 200, types[r->format], &r->body);
}

/* What is in memory, filtered, into the page. false: an event whose bytes only the database has. */
static bool take_live(struct reading *r, struct ring_event *const *v, size_t n)
{
    bool exact = true;

    for (size_t i = 0; i < n; i++) {
        if (!filter_match(r->spec.filter, ring_event_type(v[i]), ring_event_subject(v[i])))
            continue;
        exact &= v[i]->exact || r->format == READ_NDJSON;
        if (r->format != READ_NDJSON)
            put_separator(r);
        buf_put(&r->body, v[i]->text + v[i]->json_at, v[i]->json_n);
        if (r->format == READ_NDJSON)
            put_separator(r);
        r->events++;
    }
    for (size_t i = 0; exact && i < n; i++)
        r->spec.pos[v[i]->partition] = v[i]->offset;
    return exact;
}

/* Waits for an event in memory. ERR_DB_RETRY: the database must be asked. */
static enum err wait_live(struct request *rq, struct reading *r)
{
    struct ring_event *v[LIVE_BATCH];
    size_t n, max;
    bool shared, exact;

    if (!reading_watch(rq, r))
        return ERR_NO_MEMORY;
    for (;;) {
        max = r->spec.limit < LIVE_BATCH ? (size_t)r->spec.limit : LIVE_BATCH;
        switch (tail_next(r->watch, r->spec.pos, v, max, &n, &shared)) {
        case TAIL_GONE:
            return fault(&rq->fault, ERR_UNKNOWN_STREAM, "The stream was deleted.");
        case TAIL_BEHIND:
            return ERR_DB_RETRY;
        case TAIL_NOTHING:
            r->up_to_date = true;
            return ERR_PARKED;
        case TAIL_COLD:
            return ERR_PARKED;
        case TAIL_EVENTS:
            break;
        }
        open_body(r);
        exact = take_live(r, v, n);
        for (size_t i = 0; i < n; i++)
            ring_event_unref(v[i]);
        if (!exact)
            return ERR_DB_RETRY;
        r->up_to_date = n < max;
        if (r->events)
            return OK;
    }
}

static enum err next_step(struct request *rq, struct reply *rp, struct reading *r)
{
    bool wait = r->deadline_us && !rq->draining && !rq->gone && clock_mono_us() < r->deadline_us;
    enum err e;

    if (r->events || (r->asked && !r->up_to_date) || (!wait && (r->asked || r->watch)))
        return reply_page(rq, rp, r);
    if (!wait || r->spec.from != READ_CURSOR)
        return request_job(rq, reading_page);
    e = wait_live(rq, r);
    if (e == ERR_DB_RETRY) {
        tail_unwatch(r->watch);
        r->watch = NULL;
        return request_job(rq, reading_page);
    }
    if (e == ERR_PARKED)
        request_wait_until(rq, r->deadline_us);
    return e ? e : reply_page(rq, rp, r);
}

enum err handle_read(struct request *rq, struct reply *rp)
{
    struct reading *r = rq->state;
    struct slice name = request_path(rq, "stream");
    enum err e;

    if (!r) {
        if (!name_valid(name))
            return fault(&rq->fault, ERR_BAD_NAME, "Stream names are [a-z0-9][a-z0-9._-]{0,119}.");
        if (!(r = arena_zalloc(rq->arena, sizeof *r)))
            return ERR_NO_MEMORY;
        rq->state = r;
        rq->state_free = reading_free;
        if ((e = read_parameters(rq, r)) || ((r->format == READ_SSE || r->deadline_us) && (e = request_hold(rq))))
            return e;
        open_body(r);
        r->stream = streams_cached(rq->app->streams, name);
        if (!r->stream || r->format == READ_SSE)
            return request_job(rq, reading_page);
        if ((e = reading_begin(rq, r)))
            return e;
    }
    if (r->err)
        return r->err;
    return r->format == READ_SSE ? subscribe_reply(rq, rp, r) : next_step(rq, rp, r);
}
