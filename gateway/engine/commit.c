#include "gateway/engine/commit.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/commit_batch.h"
#include "gateway/engine/in_flight.h"

#define CONFLICT_RETRIES 5
#define LANES_MAX 16          /* as the configuration bounds commit.lanes */
#define RECONNECT_US 100000
#define BATCH_ARENA ((size_t)1 << 30) /* a bound for mistakes: batches are bounded by events and bytes */

struct lane {
    struct commit *commit;
    int index;
    pthread_t thread;
    char application_name[32];
    struct db_config db_config;
    struct db *db;
    int backend;                /* the pid of the connection that was lost at COMMIT */
    pthread_mutex_t lock;       /* guards the queue, `stop` and in_flight */
    pthread_cond_t filled;
    struct publish *first, **last;
    size_t events, bytes;       /* waiting */
    bool stop;
    struct in_flight in_flight; /* until they are answered */
    atomic_bool down;           /* not connected */
    _Atomic int64_t down_since_us;
};

struct commit {
    const struct config *config;
    struct tail *tail;
    struct streams *streams;
    int lane_n;
    struct lane lanes[LANES_MAX];
};

static size_t publish_bytes(const struct publish *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->events.n; i++)
        n += p->events.v[i].attributes.n + p->events.v[i].data.n;
    return n;
}

static bool long_down(const struct lane *l, int64_t now_us)
{
    return atomic_load(&l->down) && now_us - atomic_load(&l->down_since_us) > l->commit->config->commit_wait_us;
}

enum err commit_submit(struct commit *c, struct publish *p, struct fault *f)
{
    struct lane *l = &c->lanes[(uint64_t)p->stream->row.stream_id % (uint64_t)c->lane_n];
    bool full, twice, was_empty = false;

    p->next = NULL;
    p->bytes = publish_bytes(p);
    p->queued_us = clock_mono_us();
    for (size_t i = 0; i < p->events.n; i++)
        p->events.v[i].partition = event_partition(&p->events.v[i], p->stream->row.name, p->stream->row.partitions);
    if (long_down(l, p->queued_us)) {
        f->retry_after = 1;
        return fault(f, ERR_DATABASE_UNAVAILABLE, "PostgreSQL is away; nothing was recorded.");
    }
    pthread_mutex_lock(&l->lock);
    full = l->stop || (l->first && (l->events + p->events.n > (size_t)c->config->commit_queue_events ||
                                    l->bytes + p->bytes > (size_t)c->config->commit_queue_bytes));
    twice = !full && p->key && !in_flight_add(&l->in_flight, p);
    if (!full && !twice) {
        was_empty = !l->first;
        *l->last = p;
        l->last = &p->next;
        l->events += p->events.n;
        l->bytes += p->bytes;
        metric_add(M_COMMIT_QUEUE_EVENTS, (int64_t)p->events.n); /* here: once unlocked, p may be answered and gone */
        metric_add(M_COMMIT_QUEUE_BYTES, (int64_t)p->bytes);
    }
    if (was_empty)
        pthread_cond_signal(&l->filled);
    pthread_mutex_unlock(&l->lock);
    if (full) {
        metric_add(M_COMMIT_OVERLOADED, 1);
        f->retry_after = 1;
        return fault(f, ERR_OVERLOADED, "The commit queue is full; nothing was recorded.");
    }
    if (twice) {
        f->retry_after = 1;
        return fault(f, ERR_IDEMPOTENCY_IN_FLIGHT, "Another request under the Idempotency-Key is in process.");
    }
    return OK;
}

bool commit_moving(const struct commit *c)
{
    for (int i = 0; i < c->lane_n; i++)
        if (atomic_load(&c->lanes[i].down))
            return false;
    return true;
}

/* --- the lane's thread --- */

static void set_down(struct lane *l, bool down)
{
    if (down && !atomic_load(&l->down))
        atomic_store(&l->down_since_us, clock_mono_us());
    if (atomic_exchange(&l->down, down) != down)
        log_warn(down ? "commit lane lost PostgreSQL" : "commit lane has PostgreSQL", L_INT("lane", l->index));
}

static enum err connect(struct lane *l, struct fault *f)
{
    enum err e = db_connect(l->db, f);

    set_down(l, e != OK);
    return e;
}

static bool known_stream(struct stream *const *seen, size_t n, const struct stream *s)
{
    for (size_t i = 0; i < n; i++)
        if (seen[i]->row.stream_id == s->row.stream_id)
            return true;
    return false;
}

/* Takes what is waiting, up to the bounds of a transaction; at least one. 0: nothing within the time, or the end. */
static size_t take(struct lane *l, struct publish **out, size_t max, bool *ret_stop)
{
    const struct config *c = l->commit->config;
    struct stream *seen[64];
    size_t n = 0, events = 0, bytes = 0, streams = 0, stream_max = (size_t)c->commit_batch_streams;
    struct timespec until;

    if (stream_max > sizeof seen / sizeof *seen)
        stream_max = sizeof seen / sizeof *seen;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&l->lock);
    while (!l->first && !l->stop && !pthread_cond_timedwait(&l->filled, &l->lock, &until))
        ;
    while (l->first && n < max) {
        struct publish *p = l->first;

        if (n && (events + p->events.n > (size_t)c->commit_batch_events || bytes + p->bytes > (size_t)c->commit_batch_bytes))
            break;
        if (!known_stream(seen, streams, p->stream)) {
            if (streams == stream_max)
                break;
            seen[streams++] = p->stream;
        }
        l->first = p->next;
        out[n++] = p;
        events += p->events.n;
        bytes += p->bytes;
    }
    if (!l->first)
        l->last = &l->first;
    l->events -= events;
    l->bytes -= bytes;
    *ret_stop = l->stop && n == 0;
    pthread_mutex_unlock(&l->lock);
    metric_add(M_COMMIT_QUEUE_EVENTS, -(int64_t)events);
    metric_add(M_COMMIT_QUEUE_BYTES, -(int64_t)bytes);
    return n;
}

static void fail_all(struct publish **pub, size_t n, enum err e, const char *why)
{
    for (size_t i = 0; i < n; i++) {
        pub[i]->err = e;
        pub[i]->fault.retry_after = 1;
        fault(&pub[i]->fault, e, "%s", why);
    }
}

/* COMMIT was sent and no answer came. Never a guess: the lost backend is ended, the heads are locked, the events looked for. */
static enum err find_outcome(struct lane *l, struct batch *b, int64_t until_us, bool *ret_committed)
{
    struct fault f = { 0 };
    enum err e = ERR_OUTCOME_UNKNOWN;

    while (e && clock_mono_us() < until_us) {
        if (!(e = connect(l, &f)) && !(e = db_backend_end(l->db, l->backend, l->application_name, &f)))
            e = batch_outcome(b, l->db, ret_committed);
        if (e)
            nanosleep(&(struct timespec){ .tv_nsec = RECONNECT_US * 1000 }, NULL);
    }
    if (!e)
        log_warn("a commit without an answer was looked up", L_BOOL("committed", *ret_committed), L_INT("requests", b->n));
    return e;
}

static void run(struct lane *l, struct publish **pub, size_t n);

static void run_singly(struct lane *l, struct publish **pub, size_t n)
{
    for (size_t i = 0; i < n; i++)
        run(l, &pub[i], 1);
}

static bool settled(struct lane *l, struct batch *b, enum err e, int *conflicts, int64_t until_us)
{
    bool committed = false;

    switch (e) {
    case OK:
        return true;
    case ERR_DB_UNIQUE:
    case ERR_DB_RETRY: /* somebody was faster: look again */
        metric_add(M_COMMIT_RETRIES, 1);
        if (++*conflicts <= CONFLICT_RETRIES)
            return false;
        break;
    case ERR_OUTCOME_UNKNOWN:
        set_down(l, true);
        if (find_outcome(l, b, until_us + l->commit->config->commit_wait_us, &committed)) {
            fail_all(b->pub, b->n, ERR_OUTCOME_UNKNOWN,
                     "The connection to PostgreSQL was lost while the events were being recorded; publish them again with the "
                     "same ids or the same Idempotency-Key.");
            return true;
        }
        return committed;
    case ERR_DATABASE_UNAVAILABLE:
        set_down(l, true);
        if (clock_mono_us() < until_us) {
            nanosleep(&(struct timespec){ .tv_nsec = RECONNECT_US * 1000 }, NULL);
            return false;
        }
        fail_all(b->pub, b->n, e, "PostgreSQL is away; nothing was recorded.");
        return true;
    case ERR_DATABASE_FULL:
        fail_all(b->pub, b->n, e, "PostgreSQL has no room left; nothing was recorded.");
        return true;
    default:
        break;
    }
    if (b->n > 1) /* one of them may be at fault: its neighbours must not suffer */
        run_singly(l, b->pub, b->n);
    else
        fail_all(b->pub, b->n, e == ERR_DB_UNIQUE || e == ERR_DB_RETRY ? ERR_OVERLOADED : e,
                 "The events could not be recorded; nothing was.");
    b->lot_n = 0; /* run_singly has told the tail */
    return true;
}

/* Into the rings before anybody is answered, so that whoever was answered finds the events there. */
static void tell_tail(struct lane *l, const struct batch *b)
{
    int64_t events = 0, bytes = 0;

    for (const struct lot *g = b->lots; g < b->lots + b->lot_n; g++) {
        if (g->pub[0]->err != OK && g->accepted_n == 0)
            continue;
        tail_committed(l->commit->tail, g->stream, g->accepted, g->accepted_n);
        for (size_t i = 0; i < g->accepted_n; i++)
            bytes += (int64_t)g->accepted[i]->data.n;
        events += (int64_t)g->accepted_n;
    }
    metric_add(M_PUBLISHED_EVENTS, events);
    metric_add(M_PUBLISHED_BYTES, bytes);
    metric_observe(M_COMMIT_BATCH_EVENTS, (double)events);
}

static bool all_failed(const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (!b->pub[i]->err)
            return false;
    return true;
}

/* Commits a batch whatever it takes; sets every outcome. */
static void run(struct lane *l, struct publish **pub, size_t n)
{
    struct batch b = { .arena = arena_new(BATCH_ARENA), .pub = pub, .n = n, .now_us = clock_unix_us(),
                       .key_window_us = l->commit->config->idempotency_window_us };
    int64_t began = clock_mono_us(), until = began + l->commit->config->commit_wait_us;
    int conflicts = 0;
    enum err e = b.arena ? batch_sort_out(&b) : ERR_NO_MEMORY;

    for (size_t i = 0; i < n; i++)
        pub[i]->err = OK;
    if (e)
        fail_all(pub, n, e, "Out of memory; nothing was recorded.");
    while (!e) {
        struct fault f = { 0 };
        enum err w = connect(l, &f);

        if (!w) {
            l->backend = db_backend_pid(l->db);
            w = batch_write(&b, l->db);
        }
        if (settled(l, &b, w, &conflicts, until))
            break;
        b.plain = false;
    }
    if (!all_failed(&b))
        tell_tail(l, &b);
    metric_observe(M_COMMIT_SECONDS, (double)(clock_mono_us() - began) / 1e6);
    metric_observe(M_COMMIT_BATCH_REQUESTS, (double)n);
    arena_free(b.arena);
}

static void leave_in_flight(struct lane *l, struct publish **pub, size_t n)
{
    bool locked = false;

    for (size_t i = 0; i < n; i++) {
        if (!pub[i]->key)
            continue;
        if (!locked)
            pthread_mutex_lock(&l->lock);
        locked = true;
        in_flight_remove(&l->in_flight, pub[i]);
    }
    if (locked)
        pthread_mutex_unlock(&l->lock);
}

/* A stream that was not there when its turn came: the definition in memory is old. */
static void finish(struct lane *l, struct publish **pub, size_t n)
{
    struct stream *streams[64];
    size_t count = 0, last = n;

    leave_in_flight(l, pub, n);
    for (size_t i = 0; i < n; i++) {
        if (pub[i]->err == ERR_UNKNOWN_STREAM)
            streams_forget(l->commit->streams, pub[i]->stream->row.stream_id);
        if (!known_stream(streams, count, pub[i]->stream) && count < sizeof streams / sizeof *streams)
            streams[count++] = stream_ref(pub[i]->stream);
    }
    while (last && pub[last - 1]->alone) /* it would leave those before it asleep */
        last--;
    for (size_t i = 0; i < n; i++)
        pub[i]->done(pub[i], i + 1 < last); /* from here on it is its owner's */
    for (size_t i = 0; i < count; i++) {
        tail_wake(l->commit->tail, streams[i]);
        stream_unref(streams[i]);
    }
}

static void *lane_main(void *arg)
{
    struct lane *l = arg;
    size_t max = (size_t)l->commit->config->commit_batch_events, n;
    struct publish **pub = malloc(max * sizeof *pub);
    char name[16];
    bool stop = !pub;

    snprintf(name, sizeof name, "weir-lane-%d", l->index);
    pthread_setname_np(pthread_self(), name);
    while (!stop) {
        if (!db_connected(l->db))
            connect(l, NULL);
        if ((n = take(l, pub, max, &stop))) {
            run(l, pub, n);
            finish(l, pub, n);
        }
    }
    free(pub);
    return NULL;
}

static bool lane_start(struct commit *c, int i, const struct db_config *db)
{
    struct lane *l = &c->lanes[i];
    pthread_condattr_t attr;
    unsigned tag;

    l->commit = c;
    l->index = i;
    l->last = &l->first;
    l->db_config = *db;
    /* unlike any other gateway's, so that a lost backend is known for certain */
    if (RAND_bytes((unsigned char *)&tag, sizeof tag) != 1)
        return false;
    snprintf(l->application_name, sizeof l->application_name, "weir-lane-%d-%08x", i, tag);
    l->db_config.application_name = l->application_name;
    l->db_config.one_plan = true;
    if (l->db_config.statement_timeout_us > c->config->commit_wait_us)
        l->db_config.statement_timeout_us = c->config->commit_wait_us;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->filled, &attr);
    pthread_condattr_destroy(&attr);
    atomic_init(&l->down, true);
    atomic_init(&l->down_since_us, clock_mono_us());
    if (!(l->db = db_new(&l->db_config)))
        return false;
    if (pthread_create(&l->thread, NULL, lane_main, l)) {
        db_free(l->db);
        return false;
    }
    return true;
}

struct commit *commit_new(const struct config *c, const struct db_config *db, struct tail *tail, struct streams *streams)
{
    struct commit *commit = calloc(1, sizeof *commit);

    if (!commit)
        return NULL;
    commit->config = c;
    commit->tail = tail;
    commit->streams = streams;
    for (; commit->lane_n < c->commit_lanes && commit->lane_n < LANES_MAX; commit->lane_n++)
        if (!lane_start(commit, commit->lane_n, db)) {
            commit_stop(commit);
            return NULL;
        }
    return commit;
}

void commit_stop(struct commit *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->lane_n; i++) {
        struct lane *l = &c->lanes[i];

        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_signal(&l->filled);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
        db_free(l->db);
        pthread_cond_destroy(&l->filled);
        pthread_mutex_destroy(&l->lock);
    }
    free(c);
}
