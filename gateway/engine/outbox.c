#include "gateway/engine/outbox.h"

#include <pthread.h>
#include <stdlib.h>

#include "db/outbox.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"
#include "gateway/base/uuid.h"
#include "gateway/base/worker.h"
#include "gateway/engine/audit.h"
#include "gateway/engine/schemas.h"

#define BATCH 500
#define BATCH_BYTES (INT64_C(4) << 20)     /* of data; a larger row comes alone */
#define RECORD_BYTES ((size_t)1 << 20)     /* beside an event: management bodies before and after, attempts, attributes */
#define ESCAPED 6                          /* times an event may grow in a letter: text is a JSON string there */
#define JSON_LEVELS (JSON_DEPTH / 2)       /* publish.json_depth ends at 256 */
#define SAGA_STREAMS SLICE("saga.")
#define SETTLE_BATCH 100                   /* streams read at once */
#define DEDUP_US (30 * 24 * 3600 * US_PER_S) /* the longest: a row may wait for so long between publish and removal */

struct outbox {
    const struct config *config;
    struct commit *commit;
    struct streams *streams;
    struct db_config db_config;
    struct db *db;                         /* the relay's */
    struct ticker *ticker;
    bool settled;                          /* streams that there were at the start are as it is configured */
    int64_t floor_us;                      /* there is nothing before it, as far as is known */
    int64_t full_us;                       /* when all rows were last looked for, monotonic */
};

/* --- events --- */

static void member(struct buf *b, const char *name, struct slice value)
{
    if (!value.n)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_json_string(b, value);
}

static void put_event(struct buf *b, const struct outbox_row *row)
{
    char id[UUID_TEXT], time[CLOCK_TEXT];

    uuid_format(row->id, id);
    clock_format(row->recorded_us, time);
    buf_printf(b, "{\"specversion\":\"1.0\",\"id\":\"%s\",\"time\":\"%s\"", id, time);
    member(b, "source", row->source);
    member(b, "type", row->type);
    member(b, "subject", row->subject);
    member(b, "traceparent", row->traceparent);
    BUF_LIT(b, ",\"data\":");
    buf_slice(b, row->data);
    buf_char(b, '}');
}

/* Any event that was taken fits with its letter, any schema as it is told of. */
static size_t event_bytes(const struct outbox *o)
{
    int64_t bytes = o->config->event_bytes, schema = o->config->registry_schema_bytes;

    return ESCAPED * (size_t)(bytes > schema ? bytes : schema) + RECORD_BYTES;
}

static enum err parse(struct outbox *o, struct arena *arena, const struct outbox_row *rows, size_t n, struct events *ret,
                      struct fault *f)
{
    const struct event_limits limits = { event_bytes(o), BATCH, JSON_LEVELS };
    struct buf body = { 0 };
    struct slice text;

    for (size_t i = 0; i < n; i++) {
        buf_char(&body, i ? ',' : '[');
        put_event(&body, &rows[i]);
    }
    buf_char(&body, ']');
    text = body.failed ? SLICE_NONE : arena_slice(arena, (struct slice){ body.p, body.n });
    buf_free(&body);
    if (!text.p)
        return ERR_NO_MEMORY;
    return event_parse(arena, rows->stream, EVENT_BATCH, text, SLICE_NONE, &limits, clock_unix_us(), ret, f);
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
};

static void on_done(struct publish *p, bool more)
{
    struct waiting *w = p->arg;

    (void)more;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* The lane answers within commit.wait. */
static enum err publish(struct outbox *o, struct stream *s, const struct events *events, struct fault *f)
{
    struct waiting w = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    struct publish p = { .stream = s, .events = *events, .if_version = -1, .done = on_done, .alone = true, .arg = &w };
    enum err e = commit_submit(o->commit, &p, f);

    if (e)
        return e;
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    if (p.err)
        *f = p.fault;
    return p.err;
}

/* --- their streams --- */

static enum err settings(struct outbox *o, struct arena *arena, struct slice name, struct stream_row *ret, struct fault *f)
{
    size_t origin = name.n > 4 ? name.n - 4 : 0;
    const char *about;

    streams_defaults(ret);
    ret->name = name;
    ret->dedup_window_us = DEDUP_US;
    if (slice_is(name, AUDIT_STREAM)) {
        audit_stream(o->config, ret);
        return OK;
    }
    if (slice_is(name, SCHEMAS_STREAM)) {
        ret->description = SLICE("Every change of the schema registry. Written by Weir alone.");
        return OK;
    }
    if (origin && !memcmp(name.p + origin, ".dlq", 4)) {
        about = arena_printf(arena, "What died in the groups of %.*s. Written by Weir alone.", (int)origin, name.p);
    } else if (name.n > SAGA_STREAMS.n && !memcmp(name.p, SAGA_STREAMS.p, SAGA_STREAMS.n)) {
        about = arena_printf(arena, "What became of the instances of the saga %.*s. Written by Weir alone.",
                             (int)(name.n - SAGA_STREAMS.n), name.p + SAGA_STREAMS.n);
        ret->retention_us = o->config->sagas_retention_us ? o->config->sagas_retention_us : -1;
    } else {
        return fault(f, ERR_BAD_EVENT, "Weir writes no stream of this name.");
    }
    ret->description = slice_of(about);
    return about ? OK : ERR_NO_MEMORY;
}

/* Of a stream that is there. */
static enum err settle_one(struct outbox *o, struct arena *arena, const struct stream_row *there, struct fault *f)
{
    struct stream_row row, now;
    bool created;
    enum err e = settings(o, arena, there->name, &row, f);

    if (e || there->retention_us == row.retention_us)
        return e;
    return streams_put(o->streams, o->db, arena, &row, false, &now, &created, f);
}

/* Once for each process: what the configuration says of `_audit` and saga.<saga>. They are not made before there is something to tell. */
static enum err settle(struct outbox *o, struct arena *arena, struct fault *f)
{
    static const struct slice patterns[] = { SLICE("\\_audit"), SLICE("saga.%") };
    struct stream_row *page;
    struct slice after = SLICE("");
    size_t n = SETTLE_BATCH;
    enum err e = OK;

    while (!o->settled && !e && n == SETTLE_BATCH) {
        e = db_stream_match(o->db, arena, patterns, 2, after, SETTLE_BATCH, &page, &n, f);
        for (size_t i = 0; !e && i < n; i++) {
            e = settle_one(o, arena, &page[i], f);
            after = page[i].name;
        }
    }
    o->settled = !e;
    return e;
}

/* Made only where what it tells of is there, which nobody deletes meanwhile. */
static enum err make(struct outbox *o, struct arena *arena, const struct outbox_row *row, struct fault *f)
{
    struct stream_row def, now;
    bool created;
    enum err e = settings(o, arena, row->stream, &def, f);

    if (e || (e = db_exec(o->db, &DB_BEGIN, NULL, NULL, f)))
        return e;
    if (row->stream_id)
        e = db_outbox_origin(o->db, row->stream_id, f);
    if (!e)
        e = streams_put(o->streams, o->db, arena, &def, false, &now, &created, f);
    if (!e)
        return db_exec(o->db, &DB_COMMIT, NULL, NULL, f);
    db_rollback(o->db);
    return e;
}

/* The stream that the row goes to. *ret_gone: what it tells of was deleted. It is looked at last: as the two are deleted together,
 * a stream of which the origin is still there afterwards is its own, and not that of a later one of the same name. */
static enum err stream_of(struct outbox *o, struct arena *arena, const struct outbox_row *row, struct stream **ret, bool *ret_gone,
                          struct fault *f)
{
    enum err e = OK;

    *ret = streams_cached(o->streams, row->stream);
    if (!*ret)
        e = streams_load(o->streams, o->db, row->stream, ret, f);
    if (e == ERR_UNKNOWN_STREAM) {
        if (!(e = make(o, arena, row, f)))
            e = streams_load(o->streams, o->db, row->stream, ret, f);
        else
            *ret_gone = e == ERR_UNKNOWN_STREAM;
    }
    if (!e && row->stream_id && (e = db_outbox_origin(o->db, row->stream_id, f)) == ERR_UNKNOWN_STREAM)
        *ret_gone = true;
    return *ret_gone ? OK : e;
}

/* --- the relay's thread --- */

/* Rows of one stream and origin. Published first and removed then. */
static enum err pass_on(struct outbox *o, struct arena *arena, const struct outbox_row *rows, size_t n, struct fault *f)
{
    struct stream *s = NULL;
    struct events events;
    bool gone = false;
    enum err e = stream_of(o, arena, rows, &s, &gone, f);

    if (!e && !gone && !(e = parse(o, arena, rows, n, &events, f)))
        e = publish(o, s, &events, f);
    stream_unref(s);
    if (e || (e = db_outbox_remove(o->db, arena, rows, n, f)) || gone)
        return e;
    metric_add(M_OUTBOX_EVENTS, (int64_t)n);
    if (slice_is(rows->stream, AUDIT_STREAM))
        metric_add(M_AUDIT_RECORDS, (int64_t)n);
    return OK;
}

/* It would be refused for ever, for what it is. */
static bool is_hopeless(enum err e)
{
    return e == ERR_BAD_EVENT || e == ERR_BAD_JSON || e == ERR_EVENT_TOO_LARGE || e == ERR_ID_REUSED || e == ERR_SUBJECT_MOVED;
}

/* Nothing of what cannot be passed on is lost, and it keeps nothing else from being told. */
static enum err pass_on_singly(struct outbox *o, struct arena *arena, const struct outbox_row *rows, size_t n, struct fault *f)
{
    enum err e = OK;

    for (const struct outbox_row *row = rows; !e && row < rows + n; row++) {
        *f = (struct fault){ 0 };
        if (!is_hopeless(e = pass_on(o, arena, row, 1, f)))
            continue;
        log_error("an event of Weir's own cannot be told; it stays, set aside", L_SLICE("stream", row->stream),
                  L_SLICE("type", row->type), L_SLICE("subject", row->subject), L_STR("why", f->detail));
        e = db_outbox_set_aside(o->db, row, f);
    }
    return e;
}

/* Where to look from: so that removed rows which somebody's snapshot keeps are not walked over each time. At each poll all are
 * looked at, for what was brought back by hand, or written by an account whose transactions cannot be seen. */
static int64_t since(struct outbox *o)
{
    int64_t now = clock_mono_us();

    if (o->full_us && now < o->full_us + OUTBOX_POLL_US * 9 / 10) /* as early as a poll may be */
        return o->floor_us;
    o->full_us = now;
    return 0;
}

static size_t run_of(const struct outbox_row *rows, size_t n)
{
    size_t i = 1;

    while (i < n && rows[i].stream_id == rows->stream_id && slice_eq(rows[i].stream, rows->stream))
        i++;
    return i;
}

/* One bounded batch. What cannot be published now keeps back its own stream alone. */
static enum err relay(void *outbox, bool *ret_more)
{
    struct outbox *o = outbox;
    struct arena *arena = arena_new(4 * (event_bytes(o) + (size_t)BATCH_BYTES));
    struct outbox_row *rows;
    struct fault f = { 0 };
    size_t n = 0;
    int64_t floor_us = 0;
    enum err e = arena ? db_outbox_pending(o->db, arena, since(o), BATCH, BATCH_BYTES, &rows, &n, &floor_us, &f) : ERR_NO_MEMORY;
    enum err first;

    first = e ? e : settle(o, arena, &f);
    for (size_t i = 0, run; !e && i < n; i += run) {
        enum err one;

        run = run_of(rows + i, n - i);
        if (is_hopeless(one = pass_on(o, arena, rows + i, run, &f)))
            one = pass_on_singly(o, arena, rows + i, run, &f);
        first = first ? first : one;
    }
    o->floor_us = first ? 0 : floor_us;
    *ret_more = !first && n > 0;
    arena_free(arena);
    if (first && first != ERR_DATABASE_UNAVAILABLE)
        log_warn("events of Weir's own wait", L_STR("why", f.detail), L_INT("events", n));
    return first;
}

void outbox_wake(struct outbox *o)
{
    ticker_wake(o->ticker);
}

struct outbox *outbox_start(const struct config *c, const struct db_config *db, struct commit *commit, struct streams *streams)
{
    const struct ticker_def def = { "weir-outbox", OUTBOX_POLL_US, relay };
    struct outbox *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    *o = (struct outbox){ .config = c, .commit = commit, .streams = streams, .db_config = *db };
    o->db_config.one_plan = true;
    if ((o->db = db_new(&o->db_config)) && (o->ticker = ticker_start(&def, o)))
        return o;
    outbox_stop(o);
    return NULL;
}

void outbox_stop(struct outbox *o)
{
    if (!o)
        return;
    ticker_stop(o->ticker);
    db_free(o->db);
    free(o);
}
