#include <stdlib.h>

#include "gateway/base/thread.h"
#include "gateway/base/worker.h"
#include "gateway/engine/group_lane.h"

/* A page that is read while the lane works: PostgreSQL does it on another connection, and its rows are taken over by another thread.
 * Events are immutable, so whenever they were read they are the same. */
#define ARENA ((size_t)1 << 20)

struct ahead {
    struct job job;
    struct groups *groups;
    struct stream *stream;         /* a reference */
    struct fetch fetch;
    struct rows rows;
    enum err err;
    bool begun, done, dropped;     /* under groups->ahead_lock; once begun, whoever is second frees it */
};

bool aheads_start(struct groups *g, const struct db_config *db)
{
    const struct pool_config pool = { .name = "weir-ahead", .threads = (int)g->config->groups_lanes,
                                      .queue = (int)g->config->groups_queue, .ctx_new = db_of_worker, .ctx_free = db_of_worker_free,
                                      .arg = (void *)(uintptr_t)db };

    pthread_mutex_init(&g->ahead_lock, NULL);
    cond_init(&g->ahead_done);
    return (g->readers = pool_new(&pool));
}

void aheads_stop(struct groups *g)
{
    pool_stop(g->readers);
    pthread_cond_destroy(&g->ahead_done);
    pthread_mutex_destroy(&g->ahead_lock);
}

static void ahead_free(struct ahead *a)
{
    rows_free(&a->rows);
    stream_unref(a->stream);
    free(a);
}

static void read_page(struct ahead *a, struct db *db)
{
    struct arena *arena = arena_new(ARENA);

    if (!arena || !db_group_page(db, arena, a->stream->row.stream_id, &a->fetch.plan))
        a->err = ERR_NO_MEMORY;
    else
        a->err = db_flush(db, &a->rows, 1, NULL);
    arena_free(arena);
}

static void run(struct job *job, void *db)
{
    struct ahead *a = (struct ahead *)job;
    struct groups *g = a->groups;
    bool dropped;

    pthread_mutex_lock(&g->ahead_lock);
    a->begun = true;
    dropped = a->dropped;
    pthread_mutex_unlock(&g->ahead_lock);
    if (!dropped) {
        read_page(a, db);
        pthread_mutex_lock(&g->ahead_lock);
        a->done = true;
        dropped = a->dropped;
        pthread_cond_broadcast(&g->ahead_done);
        pthread_mutex_unlock(&g->ahead_lock);
    }
    if (dropped)
        ahead_free(a);
}

void ahead_ask(struct cell *c, const struct fetch *f)
{
    struct groups *g = c->lane->groups;
    struct ahead *a = calloc(1, sizeof *a);

    if (!a)
        return;
    a->job.run = run;
    a->groups = g;
    a->stream = stream_ref(c->stream);
    a->fetch = *f;
    a->fetch.plan.partitions = a->fetch.partitions;
    a->fetch.plan.from = a->fetch.from;
    if (pool_submit(g->readers, &a->job))
        c->ahead = a;
    else
        ahead_free(a);
}

void ahead_drop(struct cell *c)
{
    struct groups *g = c->lane->groups;
    struct ahead *a = c->ahead;
    bool done;

    if (!a)
        return;
    c->ahead = NULL;
    pthread_mutex_lock(&g->ahead_lock);
    done = a->done;
    a->dropped = true;
    pthread_mutex_unlock(&g->ahead_lock);
    if (done)
        ahead_free(a);
}

bool ahead_take(struct cell *c, struct fetch *ret, struct rows *ret_rows)
{
    struct groups *g = c->lane->groups;
    struct ahead *a = c->ahead;
    bool good, begun;

    pthread_mutex_lock(&g->ahead_lock);
    begun = a->begun;
    while (begun && !a->done) /* no longer than PostgreSQL may take for a statement, and to be reached */
        pthread_cond_wait(&g->ahead_done, &g->ahead_lock);
    pthread_mutex_unlock(&g->ahead_lock);
    if (!begun) {
        ahead_drop(c);
        return false;
    }
    c->ahead = NULL;
    good = !a->err;
    *ret = a->fetch;
    ret->plan.partitions = ret->partitions;
    ret->plan.from = ret->from;
    *ret_rows = a->rows;
    a->rows = (struct rows){ 0 };
    ahead_free(a);
    return good;
}
