#include "gateway/engine/projections.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/engine/projection_parts.h"

#define TICKS 6 /* of the coordinator in a lease */

static void *fold_main(void *arg)
{
    struct projections *p = arg;
    struct db *db = db_new(p->db_config);
    struct fold_part *part;

    if (!db)
        log_error("a thread that folds has no memory");
    while (db && (part = parts_next(p))) {
        int64_t position = 0;
        enum step_end end = projection_step(p, part, db, &position);

        parts_done(p, part, end, position);
    }
    db_free(db);
    return NULL;
}

/* What still comes while it stops finds no coordinator. */
static void wake_coordinator(struct projections *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->ticker)
        ticker_wake(p->ticker);
    pthread_mutex_unlock(&p->lock);
}

/* Of any gateway's lane, or of all: by notification. */
static void on_head(void *projections, int64_t stream_id, int32_t partition, int64_t head)
{
    struct projections *p = projections;

    if (stream_id) {
        parts_head(p, stream_id, partition, head);
    } else {
        atomic_store(&p->look, true);
        watches_look(p);
        wake_coordinator(p);
    }
}

/* "<id>": the projection has changed. "<id>:<stream>:<partition>:<position>": a step. */
static void on_projection(void *projections, const char *text)
{
    struct projections *p = projections;
    long long id, stream, position;
    int partition;

    switch (sscanf(text, "%lld:%lld:%d:%lld", &id, &stream, &partition, &position)) {
    case 4:
        watches_progress(p, id, &(struct place){ stream, position, partition });
        break;
    case 1:
        projections_poke(p, id);
    }
}

void projections_poke(struct projections *p, int64_t projection_id)
{
    watches_changed(p, projection_id);
    wake_coordinator(p);
}

static bool start_threads(struct projections *p)
{
    for (; p->thread_n < (size_t)p->config->projections_threads; p->thread_n++) {
        char name[16];

        snprintf(name, sizeof name, "weir-fold-%d", (int)(p->thread_n % 100));
        if (!thread_start(&p->threads[p->thread_n], name, fold_main, p))
            return false;
    }
    return true;
}

struct projections *projections_new(const struct config *c, const struct db_config *db, struct streams *streams)
{
    const struct ticker_def def = { "weir-project", c->projections_lease_us / TICKS, projections_tick };
    struct projections *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->config = c;
    p->db_config = db;
    p->streams = streams;
    for (int i = 0; i < 2; i++)
        p->queues[i].last = &p->queues[i].first;
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->watch_lock, NULL);
    cond_init(&p->changed);
    p->threads = calloc((size_t)c->projections_threads, sizeof *p->threads);
    if (p->threads && random_id(&p->owner) && (p->db = db_new(db)) && start_threads(p) && (p->ticker = ticker_start(&def, p)))
        return p;
    projections_stop(p);
    projections_free(p);
    return NULL;
}

struct projections *projections_start(const struct config *c, const struct db_config *db, struct tail *tail,
                                      struct streams *streams)
{
    struct projections *p = projections_new(c, db, streams);

    if (p)
        tail_on_projections(tail, &(struct tail_ear){ on_head, on_projection, p });
    return p;
}

void projections_stop(struct projections *p)
{
    struct ticker *t;

    if (!p)
        return;
    parts_stop(p);
    while (p->thread_n)
        pthread_join(p->threads[--p->thread_n], NULL);
    pthread_mutex_lock(&p->lock);
    t = p->ticker;
    p->ticker = NULL;
    pthread_mutex_unlock(&p->lock);
    ticker_stop(t);
    if (t && db_member_leave(p->db, p->owner, NULL))
        log_info("others fold what was folded here when the lease is over");
}

void projections_free(struct projections *p)
{
    if (!p)
        return;
    db_free(p->db);
    parts_free(p);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->watch_lock);
    free(p->threads);
    free(p);
}
