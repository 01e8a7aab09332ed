#include "handlers/reading.h"

#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"

#define SSE_PAGE_EVENTS 1000
#define SSE_PAGE_BYTES (1 << 20)

/* --- the streams --- */

static void member_free(struct member *m)
{
    tail_unwatch(m->watch);
    stream_unref(m->stream);
    free(m);
}

static void reading_free(void *state)
{
    struct reading *r = state;

    for (size_t i = r->live_at; i < r->live_n; i++)
        ring_event_unref(r->live[i]);
    if (r->many)
        many_free(r);
    for (size_t i = 0; i < r->n; i++)
        member_free(r->members[i]);
    buf_free(&r->body);
}

struct member *reading_add(struct request *rq, struct reading *r, struct stream *s)
{
    struct member *m = calloc(1, sizeof *m + (size_t)s->row.partitions * sizeof *m->pos);

    if (!m) {
        stream_unref(s);
        return NULL;
    }
    m->rq = rq;
    m->stream = s;
    m->ask = true;
    atomic_init(&m->due, true);
    r->members[r->n++] = m;
    return m;
}

void reading_drop(struct reading *r, struct member *m)
{
    size_t i = 0;

    while (r->members[i] != m)
        i++;
    memmove(&r->members[i], &r->members[i + 1], (--r->n - i) * sizeof *r->members);
    member_free(m);
    many_changed(r);
}

static void wake(void *member, bool more)
{
    struct member *m = member;

    atomic_store(&m->due, true);
    request_wake_wave(m->rq, more);
}

bool reading_watch(struct request *rq, struct reading *r, struct member *m)
{
    if (!m->watch && (m->watch = tail_watch(rq->app->tail, m->stream, r->spec.only, wake, m)) && m->vouched)
        tail_trust(m->watch);
    return m->watch != NULL;
}

void reading_ask(struct member *m)
{
    tail_unwatch(m->watch);
    m->watch = NULL;
    m->ask = true;
    atomic_store(&m->due, true);
}

size_t reading_cursor(const struct reading *r, char *out)
{
    const struct stream_row *row;
    struct cursor c = { 0 };

    if (r->many)
        return many_cursor(r, out);
    row = &r->members[0]->stream->row;
    c.count = (int)row->partitions;
    memcpy(c.pos, r->members[0]->pos, (size_t)c.count * sizeof *c.pos);
    return cursor_format(&c, row->name, row->stream_id, out);
}

enum err reading_too_long(struct request *rq)
{
    return fault(&rq->fault, ERR_TOO_MANY_PARTITIONS,
                 "The cursor of so many streams with so large offsets would be longer than %d characters; read fewer together.",
                 CURSOR_TEXT - 1);
}

/* --- what the request says --- */

static enum err read_filter(struct request *rq, struct reading *r)
{
    struct filter *f;

    if (!request_query(rq, "type").p && !request_query(rq, "subject").p)
        return OK; /* most have none, and thousands may be subscribed */
    if (!(f = arena_zalloc(rq->arena, sizeof *f)))
        return ERR_NO_MEMORY;
    f->type_n = request_query_all(rq, "type", f->types, FILTER_MAX);
    f->subject_n = request_query_all(rq, "subject", f->subjects, FILTER_MAX);
    if (f->type_n > FILTER_MAX || f->subject_n > FILTER_MAX)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "At most %d types and %d subjects may be given.", FILTER_MAX, FILTER_MAX);
    r->spec.filter = f;
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

enum err reading_open(struct request *rq, size_t max, struct reading **ret)
{
    struct reading *r = arena_zalloc(rq->arena, sizeof *r);
    enum err e;

    if (!r || !(r->members = arena_alloc(rq->arena, max * sizeof *r->members)))
        return ERR_NO_MEMORY;
    rq->state = r;
    rq->state_free = reading_free;
    if ((e = read_parameters(rq, r)) || ((r->format == READ_SSE || r->deadline_us) && (e = request_hold(rq))))
        return e;
    reading_open_body(r);
    *ret = r;
    return OK;
}

/* --- pages --- */

void reading_separator(struct reading *r)
{
    if (r->format == READ_NDJSON)
        buf_char(&r->body, '\n');
    else if (r->events)
        buf_char(&r->body, ',');
}

void reading_open_body(struct reading *r)
{
    buf_reset(&r->body);
    r->events = 0;
    if (r->format == READ_PAGE)
        BUF_LIT(&r->body, "{\"events\":[");
    else if (r->format == READ_BATCH)
        buf_char(&r->body, '[');
}

static void render(struct reading *r, struct member *const *of, const struct event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (r->format != READ_NDJSON)
            reading_separator(r);
        event_render(&r->body, of[events[i].member]->stream->row.name, &events[i], r->format == READ_NDJSON);
        if (r->format == READ_NDJSON)
            reading_separator(r);
        r->events++;
    }
}

/* Those to be asked for, with room for where their pages begin and end. */
struct asked {
    struct member **of;
    struct read_member *v;
    size_t n;
};

static bool gather(struct reading *r, struct arena *a, struct asked *ret)
{
    ret->n = 0;
    ret->of = arena_alloc(a, (r->n + 1) * sizeof *ret->of);
    ret->v = arena_alloc(a, (r->n + 1) * sizeof *ret->v);
    for (size_t i = 0; ret->of && ret->v && i < r->n; i++) {
        struct member *m = r->members[i];
        int64_t *room = m->ask ? arena_alloc(a, 2 * (size_t)m->stream->row.partitions * sizeof *room) : NULL;

        if (!m->ask)
            continue;
        if (!room)
            return false;
        ret->of[ret->n] = m;
        ret->v[ret->n++] = (struct read_member){ m->stream, m->pos, room, room + m->stream->row.partitions, false };
    }
    return ret->of && ret->v;
}

static void move_to(struct member *m, const int64_t *pos)
{
    memcpy(m->pos, pos, (size_t)m->stream->row.partitions * sizeof *pos);
}

static void take_page(struct reading *r, const struct asked *q, const struct read_page *page)
{
    for (size_t i = 0; i < q->n; i++)
        move_to(q->of[i], q->v[i].start);
    if (r->format == READ_SSE)
        subscribe_render(r, q->of, page->events, page->n);
    else
        render(r, q->of, page->events, page->n);
    for (size_t i = 0; i < q->n && !r->unspeakable; i++) {
        move_to(q->of[i], q->v[i].end);
        q->of[i]->ask = false;
        q->of[i]->vouched = true;
        q->of[i]->current = q->v[i].up_to_date;
    }
    r->spec.from = READ_CURSOR;
    r->up_to_date = page->up_to_date;
    r->asked = true;
}

/* In a stream a gap is told and it goes on; else the fault says where. */
static enum err expired(struct request *rq, struct reading *r, const struct asked *q)
{
    char text[CURSOR_TEXT];

    if (r->format == READ_SSE) {
        subscribe_gap(r, q->of, q->v, q->n);
        r->up_to_date = false;
        return OK;
    }
    for (size_t i = 0; i < q->n; i++)
        move_to(q->of[i], q->v[i].end);
    rq->fault.earliest = reading_cursor(r, text) ? arena_strndup(rq->arena, text, strlen(text)) : NULL;
    return rq->fault.earliest ? ERR_CURSOR_EXPIRED : reading_too_long(rq);
}

/* ERR_DB_RETRY: one of several was deleted, without it there may be a page. */
static enum err read_asked(struct request *rq, struct reading *r, struct arena *a)
{
    struct read_page page = { 0 };
    struct asked q;
    size_t gone;
    enum err e;

    if (!gather(r, a, &q))
        return ERR_NO_MEMORY;
    switch ((e = read_members(rq->db, a, q.v, q.n, &r->spec, &page, &gone, &rq->fault))) {
    case OK:
        take_page(r, &q, &page);
        return OK;
    case ERR_CURSOR_EXPIRED:
        return expired(rq, r, &q);
    case ERR_UNKNOWN_STREAM:
        streams_forget(rq->app->streams, q.of[gone]->stream->row.stream_id);
        if (!r->many || q.of[gone]->named)
            return e;
        reading_drop(r, q.of[gone]);
        rq->fault = (struct fault){ 0 };
        return ERR_DB_RETRY;
    default:
        return e;
    }
}

static enum err resolve_one(struct request *rq, struct reading *r)
{
    struct stream *s;
    enum err e = streams_load(rq->app->streams, rq->db, request_path(rq, "stream"), &s, &rq->fault);

    return e ? e : reading_one(rq, r, s);
}

void reading_page(struct request *rq)
{
    struct reading *r = rq->state;
    struct arena *a = arena_new((size_t)rq->config->read_page_bytes * 2 + (16 << 20));

    r->err = a ? OK : ERR_NO_MEMORY;
    reading_open_body(r);
    if (!r->err && r->many)
        r->err = many_resolve(rq, r, a);
    else if (!r->err && !r->n)
        r->err = resolve_one(rq, r);
    if (!r->err)
        while ((r->err = read_asked(rq, r, a)) == ERR_DB_RETRY)
            ;                    /* each time with one stream less */
    arena_free(a);
}
