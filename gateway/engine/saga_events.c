#include <pthread.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/worker.h"
#include "gateway/engine/saga_events_parts.h"

#define TICK_ARENA ((size_t)16 << 20)
#define NAME_BYTES 128           /* of a stream: 120, and what Weir puts around it */
#define SLOW_US 500000           /* behind for longer than it takes to read what comes */

/* A stream that is waited for. */
struct watched {
    int64_t stream_id;
    int64_t passed_us;           /* what was recorded before was looked at; PostgreSQL's time */
    int64_t wanted_us;           /* somebody waits for passed_us to be there; 0: nobody */
    size_t name_n;
    char name[NAME_BYTES];
};

struct saga_events {
    struct saga_events_def def;
    struct db *db;
    int64_t next_tidy_us;        /* monotonic; the thread's */
    pthread_mutex_t lock;        /* guards what follows */
    struct ticker *ticker;       /* NULL: stopped */
    struct watched *streams;     /* by id */
    size_t stream_n;
    int64_t listed_us;           /* when they were listed: in other streams there is nothing to look at */
    int64_t wanted_us;           /* of those */
};

void saga_events_wake(struct saga_events *e)
{
    pthread_mutex_lock(&e->lock);
    if (e->ticker)
        ticker_wake(e->ticker);
    pthread_mutex_unlock(&e->lock);
}

static void want(int64_t *wanted_us, int64_t us)
{
    if (us && (!*wanted_us || us < *wanted_us))
        *wanted_us = us;
}

/* Has it come so far? */
static bool reached(int64_t *wanted_us, int64_t passed_us)
{
    bool there = *wanted_us && *wanted_us <= passed_us;

    if (there)
        *wanted_us = 0;
    return there;
}

int64_t saga_events_passed(struct saga_events *e, struct slice stream, int64_t wanted_us)
{
    struct watched *w, *end;
    int64_t passed;

    pthread_mutex_lock(&e->lock);
    for (w = e->streams, end = w + e->stream_n; w < end && !slice_eq((struct slice){ w->name, w->name_n }, stream); w++)
        ;
    passed = w < end ? w->passed_us : e->listed_us;
    if (passed < wanted_us) {
        want(w < end ? &w->wanted_us : &e->wanted_us, wanted_us);
        if (e->ticker)
            ticker_wake(e->ticker);
    }
    pthread_mutex_unlock(&e->lock);
    return passed;
}

bool saga_events_slow(struct saga_events *e, struct arena *a, int64_t **ret, size_t *ret_n)
{
    pthread_mutex_lock(&e->lock);
    *ret_n = 0;
    if ((*ret = arena_alloc(a, (e->stream_n + 1) * sizeof **ret)))
        for (size_t i = 0; i < e->stream_n; i++)
            if (e->streams[i].passed_us < e->listed_us - SLOW_US)
                (*ret)[(*ret_n)++] = e->streams[i].stream_id;
    pthread_mutex_unlock(&e->lock);
    return *ret;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct watched *)a)->stream_id, y = ((const struct watched *)b)->stream_id;

    return (x > y) - (x < y);
}

static struct watched *watched_by_id(const struct saga_events *e, int64_t stream_id)
{
    const struct watched key = { .stream_id = stream_id };

    return e->stream_n ? bsearch(&key, e->streams, e->stream_n, sizeof key, by_id) : NULL;
}

/* On the tail's thread. */
static void on_head(void *arg, int64_t stream_id)
{
    struct saga_events *e = arg;

    pthread_mutex_lock(&e->lock);
    if (e->ticker && (!stream_id || watched_by_id(e, stream_id)))
        ticker_wake(e->ticker);
    pthread_mutex_unlock(&e->lock);
}

/* Which streams concern us from now on, and which of them have been read up to now_us. false: no memory. */
static bool remember(struct saga_events *e, const struct saga_reader_row *v, size_t n, int64_t now_us)
{
    struct watched *fresh = calloc(n + 1, sizeof *fresh), *was;
    bool found;

    if (!fresh)
        return false;
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < n; i++) {
        struct watched *w = &fresh[i];

        w->stream_id = v[i].stream_id;
        w->name_n = v[i].name.n < NAME_BYTES ? v[i].name.n : NAME_BYTES;
        memcpy(w->name, v[i].name.p, w->name_n);
        if ((was = watched_by_id(e, w->stream_id))) {
            w->passed_us = was->passed_us;
            w->wanted_us = was->wanted_us;
            was->wanted_us = 0;
        }
        w->passed_us = v[i].behind ? w->passed_us : now_us;
    }
    for (size_t i = 0; i < e->stream_n; i++)
        want(&e->wanted_us, e->streams[i].wanted_us); /* there is nothing in it any more */
    free(e->streams);
    e->streams = fresh;
    e->stream_n = n;
    e->listed_us = now_us;
    found = reached(&e->wanted_us, now_us);
    for (size_t i = 0; i < n; i++)
        found |= reached(&fresh[i].wanted_us, fresh[i].passed_us);
    pthread_mutex_unlock(&e->lock);
    if (found)
        e->def.found(e->def.arg);
    return true;
}

/* Once what it has led to is in the inbox. passed: all that was recorded before now_us was looked at. */
static void tell(struct saga_events *e, int64_t stream_id, bool found, bool passed, int64_t now_us)
{
    struct watched *w;

    pthread_mutex_lock(&e->lock);
    if (passed && (w = watched_by_id(e, stream_id))) {
        w->passed_us = now_us;
        found |= reached(&w->wanted_us, now_us);
    }
    pthread_mutex_unlock(&e->lock);
    if (found)
        e->def.found(e->def.arg);
}

static enum err tidy(struct saga_events *e, struct fault *f)
{
    int64_t now = clock_mono_us();
    uint8_t reread_id[16];
    enum err err = OK;

    if (now < e->next_tidy_us)
        return OK;
    if (!random_uuid(reread_id))
        return ERR_INTERNAL;
    if (!(err = db_saga_readers_tidy(e->db, reread_id, f)))
        e->next_tidy_us = now + e->def.config->tail_poll_us;
    return err;
}

/* A stream that cannot be read keeps back neither the others nor its timeouts. */
static enum err serve(struct saga_events *e, const struct saga_reader_row *row, int64_t now_us, bool *ret_more, struct fault *f)
{
    enum saga_step_result end = SAGA_STEP_IDLE;
    bool found = false;
    enum err err = saga_events_step(&e->def, e->db, row, &end, &found, f);
    const bool stuck = err && !saga_events_passing(err);

    *ret_more |= !err && end == SAGA_STEP_MORE;
    tell(e, row->stream_id, found, stuck || (!err && end == SAGA_STEP_IDLE), now_us);
    if (stuck)
        log_error("a stream that sagas wait for cannot be read", L_SLICE("stream", row->name), L_INT("err", err),
                  L_STR("why", f->detail));
    return stuck ? OK : err;
}

/* Looks at every stream that has something, once. */
static enum err look(struct saga_events *e, struct arena *a, bool *ret_more, struct fault *f)
{
    struct saga_reader_row *v;
    size_t n;
    int64_t now_us = 0;
    enum err err = tidy(e, f);

    if (err || (err = db_saga_readers_list(e->db, a, &v, &n, &now_us, f)))
        return err;
    if (!remember(e, v, n, now_us))
        return ERR_NO_MEMORY;
    for (size_t i = 0; err != ERR_DATABASE_UNAVAILABLE && i < n; i++) {
        enum err one = v[i].behind ? serve(e, &v[i], now_us, ret_more, f) : OK;

        err = one ? one : err;
    }
    return err;
}

static enum err on_tick(void *saga_events, bool *ret_more)
{
    struct saga_events *e = saga_events;
    struct arena *a = arena_new(TICK_ARENA);
    struct fault f = { 0 };
    enum err err = a ? look(e, a, ret_more, &f) : ERR_NO_MEMORY;

    arena_free(a);
    return saga_events_passing(err) ? OK : err; /* what is waited for has its deadline: no long back-off */
}

struct saga_events *saga_events_start(const struct saga_events_def *def)
{
    const struct ticker_def ticker = { "weir-await", def->config->tail_poll_us, on_tick };
    struct saga_events *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->def = *def;
    pthread_mutex_init(&e->lock, NULL);
    if ((e->db = db_new(def->db)) && (e->ticker = ticker_start(&ticker, e))) {
        tail_on_heads(def->tail, on_head, e);
        return e;
    }
    saga_events_free(e);
    return NULL;
}

void saga_events_stop(struct saga_events *e)
{
    struct ticker *t;

    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    t = e->ticker;
    e->ticker = NULL;
    pthread_mutex_unlock(&e->lock);
    ticker_stop(t);
}

void saga_events_free(struct saga_events *e)
{
    if (!e)
        return;
    saga_events_stop(e);
    db_free(e->db);
    free(e->streams);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
