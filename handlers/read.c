#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "handlers/handlers.h"
#include "handlers/reading.h"

/* The definition is known: judges the cursor. Other beginnings are found with the first page. */
enum err reading_one(struct request *rq, struct reading *r, struct stream *s)
{
    const struct stream_row *row = &s->row;
    struct member *m = reading_add(rq, r, s);

    if (!m)
        return ERR_NO_MEMORY;
    if (r->spec.only >= row->partitions)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "The stream has partitions 0 to %d.", (int)row->partitions - 1);
    if (!r->cursor_text.p)
        return OK;
    return cursor_positions(r->cursor_text, row->name, row->stream_id, (int)row->partitions, m->pos, &rq->fault);
}

/* Has one of the streams something that has not been looked at? */
static bool pending(const struct reading *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->members[i]->ask || (r->members[i]->watch && atomic_load(&r->members[i]->due)))
            return true;
    return false;
}

static enum err reply_page(struct request *rq, struct reply *rp, struct reading *r)
{
    static const char *const types[] = { "application/json", "application/cloudevents-batch+json", "application/x-ndjson" };
    char cursor[CURSOR_TEXT];
    bool up_to_date = r->up_to_date && !pending(r);

    if (!reading_cursor(r, cursor))
        return reading_too_long(rq);
    metric_add(M_DELIVERED_EVENTS, (int64_t)r->events);
    if (r->format == READ_PAGE)
        buf_printf(&r->body, "],\"cursor\":\"%s\",\"up_to_date\":%s}", cursor, up_to_date ? "true" : "false");
    else if (r->format == READ_BATCH)
        buf_char(&r->body, ']');
    reply_header(rq, rp, "Weir-Cursor", cursor);
    return reply_bytes(rp, 200, types[r->format], &r->body);
}

/* What is in memory, filtered, into the page. false: an event whose bytes only the database has; then nothing was taken. */
static bool take_live(struct reading *r, struct member *m, struct ring_event *const *v, size_t n)
{
    bool match[LIVE_BATCH];

    for (size_t i = 0; i < n; i++) {
        match[i] = filter_match(r->spec.filter, ring_event_type(v[i]), ring_event_subject(v[i]));
        if (match[i] && !v[i]->exact && r->format != READ_NDJSON)
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        m->pos[v[i]->partition] = v[i]->offset;
        if (!match[i])
            continue;
        if (r->format != READ_NDJSON)
            reading_separator(r);
        buf_put(&r->body, v[i]->text + v[i]->json_at, v[i]->json_n);
        if (r->format == READ_NDJSON)
            reading_separator(r);
        r->events++;
    }
    return true;
}

/* What a stream has in memory, into the page. ERR_DB_RETRY: the database must be asked. ERR_UNKNOWN_STREAM: deleted. */
static enum err look(struct request *rq, struct reading *r, struct member *m)
{
    struct ring_event *v[LIVE_BATCH];
    size_t before = r->events, left = (size_t)r->spec.limit - before, max = left < LIVE_BATCH ? left : LIVE_BATCH, n;
    bool shared, taken;

    if (!reading_watch(rq, r, m))
        return ERR_NO_MEMORY;
    do {
        atomic_store(&m->due, false);
        switch (tail_next(m->watch, m->pos, v, max, &n, &shared)) {
        case TAIL_GONE:
            return ERR_UNKNOWN_STREAM;
        case TAIL_BEHIND:
            return ERR_DB_RETRY;
        case TAIL_NOTHING:
            m->ask = false;
            r->up_to_date = true;
            return OK;
        case TAIL_COLD:
            return OK;
        case TAIL_EVENTS:
            break;
        }
        taken = take_live(r, m, v, n);
        for (size_t i = 0; i < n; i++)
            ring_event_unref(v[i]);
        if (!taken)
            return ERR_DB_RETRY;
    } while (r->events == before); /* filters passed all of it over */
    m->ask = false;
    r->up_to_date = true;
    atomic_store(&m->due, n == max);
    return OK;
}

/* Waits for an event in memory. ERR_DB_RETRY: the database must be asked. */
static enum err wait_live(struct request *rq, struct reading *r)
{
    size_t first = r->n ? (size_t)rq->began_us % r->n : 0; /* whose events come first differs from call to call */
    bool ask = many_came(r);

    r->waited = true;
    reading_open_body(r);
    for (size_t i = 0; !ask && i < r->n && r->events < (size_t)r->spec.limit; i++) {
        struct member *m = r->members[(first + i) % r->n];
        enum err e = atomic_load(&m->due) ? look(rq, r, m) : OK;

        if (e == ERR_UNKNOWN_STREAM && (!r->many || m->named))
            return fault(&rq->fault, e, "The stream was deleted.");
        if (e == ERR_UNKNOWN_STREAM)
            reading_drop(r, m);
        else if (e == ERR_DB_RETRY)
            reading_ask(m);
        else if (e)
            return e;
        ask = e != OK;
    }
    return r->events ? OK : ask ? ERR_DB_RETRY : ERR_PARKED;
}

static enum err next_step(struct request *rq, struct reply *rp, struct reading *r)
{
    bool wait = r->deadline_us && !rq->draining && !rq->gone && clock_mono_us() < r->deadline_us;
    enum err e;

    if (r->events || (r->asked && !r->up_to_date) || (!wait && (r->asked || r->waited)))
        return reply_page(rq, rp, r);
    if (!wait || r->spec.from != READ_CURSOR || (r->many && !r->asked))
        return request_job(rq, reading_page);
    e = wait_live(rq, r);
    if (e == ERR_DB_RETRY)
        return request_job(rq, reading_page);
    if (e == ERR_PARKED)
        request_wait_until(rq, r->deadline_us);
    return e ? e : reply_page(rq, rp, r);
}

enum err reading_answer(struct request *rq, struct reply *rp, struct reading *r)
{
    if (r->err)
        return r->err;
    if (r->unspeakable)
        return reading_too_long(rq);
    return r->format == READ_SSE ? subscribe_reply(rq, rp, r) : next_step(rq, rp, r);
}

enum err handle_read(struct request *rq, struct reply *rp)
{
    struct reading *r = rq->state;
    struct slice name = request_path(rq, "stream");
    struct stream *s;
    enum err e;

    if (!r) {
        if (!name_valid(name))
            return fault(&rq->fault, ERR_BAD_NAME, "Stream names are [a-z0-9][a-z0-9._-]{0,119}.");
        if ((e = reading_open(rq, 1, &r)))
            return e;
        if ((s = streams_cached(rq->app->streams, name)) && (e = reading_one(rq, r, s)))
            return e;
        if (!s || r->format == READ_SSE)
            return request_job(rq, reading_page);
    }
    return reading_answer(rq, rp, r);
}
