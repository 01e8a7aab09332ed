#include "gateway/engine/audit.h"

#include <pthread.h>
#include <stdlib.h>

#include "db/audit.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"
#include "gateway/base/worker.h"

#define POLL_US (5 * US_PER_S)             /* for records of gateways that died before they were published */
#define BATCH 100
#define RECORD_BYTES ((size_t)1 << 20)     /* management bodies have 64 KiB; before and after, escaped */
#define BATCH_ARENA ((size_t)4 * BATCH * RECORD_BYTES)
#define JSON_LEVELS 64
#define DEDUP_US (30 * 24 * 3600 * US_PER_S) /* the longest: a record may wait for so long between publish and removal */

struct audit {
    const struct config *config;
    struct commit *commit;
    struct streams *streams;
    struct db *db;                         /* the relay's */
    struct ticker *ticker;
    bool prepared;                         /* the stream is there, with the retention that is configured */
};

/* --- records: any thread with a connection --- */

enum err audit_begin(struct db *db, struct fault *f)
{
    db_rollback(db);
    return db_exec(db, &DB_BEGIN, NULL, NULL, f);
}

static void member(struct buf *b, const char *name, struct slice value)
{
    if (!value.n || b->failed)
        return;
    if (b->p[b->n - 1] != '{')
        buf_char(b, ',');
    buf_printf(b, "\"%s\":", name);
    buf_json_string(b, value);
}

static void put_record(struct buf *b, const struct audit_record *r)
{
    BUF_LIT(b, "{\"actor\":{");
    member(b, "iss", r->issuer);
    member(b, "sub", r->subject);
    member(b, "jti", r->token_id);
    buf_char(b, '}');
    member(b, "operation", slice_of(r->operation));
    member(b, "resource", r->resource);
    member(b, "request_id", r->request_id);
    member(b, "address", r->address);
    if (r->changes.p) {
        BUF_LIT(b, ",\"changes\":");
        buf_slice(b, r->changes);
    }
    buf_char(b, '}');
}

static void new_id(uint8_t ret[16])
{
    char text[37];
    size_t n = 0;

    uuid7(clock_unix_us(), text);
    for (const char *p = text; *p; p++)
        if (*p != '-') {
            uint8_t v = (uint8_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
            ret[n / 2] = (uint8_t)(n % 2 ? ret[n / 2] | v : v << 4);
            n++;
        }
}

enum err audit_end(struct audit *a, struct db *db, enum err e, const struct audit_record *r, struct fault *f)
{
    bool told = r->type && a->config->audit_enabled;
    struct audit_row row = { .type = slice_of(r->type), .resource = r->resource, .traceparent = r->traceparent };
    struct buf data = { 0 };

    if (e) {
        db_rollback(db);
        return e;
    }
    if (told) {
        new_id(row.id);
        put_record(&data, r);
        row.data = (struct slice){ data.p, data.n };
    }
    if (data.failed) {
        db_rollback(db);
        e = ERR_NO_MEMORY;
    } else {
        e = db_audit_commit(db, told ? &row : NULL, f);
    }
    buf_free(&data);
    if (told && !e)
        ticker_wake(a->ticker);
    return e;
}

/* --- the relay's thread --- */

static void put_event(struct buf *b, const struct audit_row *row)
{
    static const char hex[] = "0123456789abcdef";
    char id[37], time[CLOCK_TEXT], *p = id;
    const char *slash = memrchr(row->resource.p, '/', row->resource.n);

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[row->id[i] >> 4];
        *p++ = hex[row->id[i] & 15];
    }
    *p = '\0';
    clock_format(row->recorded_us, time);
    buf_printf(b, "{\"specversion\":\"1.0\",\"id\":\"%s\",\"time\":\"%s\"", id, time);
    member(b, "source", slash ? (struct slice){ row->resource.p, (size_t)(slash - row->resource.p) } : row->resource);
    member(b, "type", row->type);
    member(b, "subject", row->resource);
    member(b, "traceparent", row->traceparent);
    BUF_LIT(b, ",\"data\":");
    buf_slice(b, row->data);
    buf_char(b, '}');
}

static enum err parse(struct arena *arena, const struct audit_row *rows, size_t n, struct events *ret, struct fault *f)
{
    const struct event_limits limits = { RECORD_BYTES, BATCH, JSON_LEVELS };
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
    return event_parse(arena, SLICE(AUDIT_STREAM), EVENT_BATCH, text, SLICE_NONE, &limits, clock_unix_us(), ret, f);
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
static enum err publish(struct audit *a, struct stream *s, const struct events *events, struct fault *f)
{
    struct waiting w = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    struct publish p = { .stream = s, .events = *events, .if_version = -1, .done = on_done, .alone = true, .arg = &w };
    enum err e = commit_submit(a->commit, &p, f);

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

static struct stream_row wanted(const struct audit *a)
{
    struct stream_row row;

    streams_defaults(&row);
    row.name = SLICE(AUDIT_STREAM);
    row.description = SLICE("Who did what to which resource. Written by Weir alone.");
    row.retention_us = a->config->audit_retention_us ? a->config->audit_retention_us : -1;
    row.dedup_window_us = DEDUP_US;
    return row;
}

/* Once for each process: the stream as it is configured, made if there is something to tell. */
static enum err prepare(struct audit *a, struct arena *arena, bool create, struct fault *f)
{
    struct stream_row row = wanted(a), now;
    bool created;
    enum err e = streams_get(a->db, arena, row.name, &now, f);

    if (e == ERR_UNKNOWN_STREAM && !create)
        return OK;
    if (!e && now.retention_us == row.retention_us)
        a->prepared = true;
    else if (!e || e == ERR_UNKNOWN_STREAM)
        a->prepared = !(e = streams_put(a->streams, a->db, arena, &row, false, &now, &created, f));
    return e;
}

static enum err stream_of(struct audit *a, struct stream **ret, struct fault *f)
{
    *ret = streams_cached(a->streams, SLICE(AUDIT_STREAM));
    return *ret ? OK : streams_load(a->streams, a->db, SLICE(AUDIT_STREAM), ret, f);
}

/* Published first and removed then: what dies in between makes a duplicate, which is dropped. */
static enum err pass_on(struct audit *a, struct arena *arena, const struct audit_row *rows, size_t n, struct fault *f)
{
    struct stream *s = NULL;
    struct events events;
    enum err e;

    if ((e = parse(arena, rows, n, &events, f)) || (e = stream_of(a, &s, f)))
        return e;
    if (!(e = publish(a, s, &events, f)) && !(e = db_audit_remove(a->db, arena, rows, n, f)))
        metric_add(M_AUDIT_RECORDS, (int64_t)n);
    if (e == ERR_UNKNOWN_STREAM)
        a->prepared = false;
    stream_unref(s);
    return e;
}

/* It would be refused for ever, for what it is. */
static bool is_hopeless(enum err e)
{
    return e == ERR_BAD_EVENT || e == ERR_BAD_JSON || e == ERR_EVENT_TOO_LARGE || e == ERR_ID_REUSED || e == ERR_SUBJECT_MOVED;
}

/* Nothing of what cannot be passed on is lost, and it keeps nothing else from being told. */
static enum err pass_on_singly(struct audit *a, struct arena *arena, const struct audit_row *rows, size_t n, struct fault *f)
{
    enum err e = OK;

    for (const struct audit_row *row = rows; !e && row < rows + n; row++) {
        *f = (struct fault){ 0 };
        if (!is_hopeless(e = pass_on(a, arena, row, 1, f)))
            continue;
        log_error("an audit record cannot be told; it stays in weir.audit, set aside", L_SLICE("type", row->type),
                  L_SLICE("resource", row->resource), L_STR("why", f->detail));
        e = db_audit_set_aside(a->db, row, f);
    }
    return e;
}

/* One bounded batch. */
static enum err relay(void *audit, bool *ret_more)
{
    struct audit *a = audit;
    struct arena *arena = arena_new(BATCH_ARENA);
    struct audit_row *rows;
    struct fault f = { 0 };
    size_t n = 0;
    enum err e = arena ? db_audit_pending(a->db, arena, BATCH, &rows, &n, &f) : ERR_NO_MEMORY;

    if (!e && !a->prepared)
        e = prepare(a, arena, n > 0, &f);
    if (!e && n)
        e = pass_on(a, arena, rows, n, &f);
    if (is_hopeless(e))
        e = pass_on_singly(a, arena, rows, n, &f);
    *ret_more = !e && n == BATCH;
    arena_free(arena);
    if (e && e != ERR_DATABASE_UNAVAILABLE)
        log_warn("audit records wait", L_STR("why", f.detail), L_INT("records", n));
    return e;
}

struct audit *audit_start(const struct config *c, const struct db_config *db, struct commit *commit, struct streams *streams)
{
    const struct ticker_def def = { "weir-audit", POLL_US, relay };
    struct audit *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    *a = (struct audit){ .config = c, .commit = commit, .streams = streams, .db = db_new(db) };
    if (a->db && (a->ticker = ticker_start(&def, a)))
        return a;
    audit_stop(a);
    return NULL;
}

void audit_stop(struct audit *a)
{
    if (!a)
        return;
    ticker_stop(a->ticker);
    db_free(a->db);
    free(a);
}
