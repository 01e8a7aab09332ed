#include "gateway/engine/sagas.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/thread.h"
#include "gateway/engine/saga_parts.h"

#define TICKS 4                    /* in a lease: it is renewed, and looked for those that are over */

static enum err definition(void *sagas, struct db *db, int64_t saga_id, int32_t version, const struct saga_definition **ret,
                           struct fault *f)
{
    struct saga_def *d;
    enum err e = saga_def_get(sagas, db, saga_id, version, &d, f);

    if (!e)
        *ret = &d->def;
    return e;
}

static void drop(void *sagas, const struct saga_definition *def)
{
    (void)sagas;
    saga_def_unref((struct saga_def *)((char *)def - offsetof(struct saga_def, def)));
}

static bool start_lane(struct sagas *s)
{
    snprintf(s->lane_name, sizeof s->lane_name, "weir-saga-%08x", (unsigned)atomic_load(&s->owner));
    s->lane_config = *s->db_config;
    s->lane_config.application_name = s->lane_name;
    s->lane_config.one_plan = true;
    s->db = db_new(&s->lane_config);
    s->started = s->db && thread_start(&s->thread, "weir-saga", lane_main, s);
    return s->started;
}

static bool start_parts(struct sagas *s, struct streams *streams, struct tail *tail, struct commit *commit,
                        struct schema_cache *schemas)
{
    const struct ticker_def tick = { "weir-sagas", s->config->sagas_lease_us / TICKS, sagas_tick };
    const struct saga_events_def events = { .config = s->config, .db = s->db_config, .tail = tail, .streams = streams,
                                            .definition = definition, .drop = drop, .found = lane_room, .arg = s };

    if (!lane_new_owner(s) || !(s->tick_db = db_new(s->db_config)) ||
        !(s->publisher = saga_publisher_start(s->config, s->db_config, commit, streams, schemas)) ||
        !(s->events = saga_events_start(&events)) || !(s->ticker = ticker_start(&tick, s)))
        return false;
    ticker_wake(s->ticker);
    return start_lane(s);
}

struct sagas *sagas_start(const struct config *c, const struct db_config *db, struct streams *streams, struct tail *tail,
                          struct commit *commit, struct schema_cache *schemas, struct outbox *outbox, struct outbound *outbound)
{
    struct sagas *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->config = c;
    s->db_config = db;
    s->streams = streams;
    s->outbox = outbox;
    s->outbound = outbound;
    s->batch = (size_t)c->sagas_batch;
    s->starts_last = &s->starts;
    s->answers_last = &s->answers;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->def_lock, NULL);
    pthread_mutex_init(&s->aside_lock, NULL);
    cond_init(&s->changed);
    if (start_parts(s, streams, tail, commit, schemas)) {
        outbound_on_room(outbound, lane_room, s);
        return s;
    }
    sagas_stop(s);
    sagas_free(s);
    return NULL;
}

void sagas_stop(struct sagas *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true; /* nothing begins any more; what is in flight may end */
    pthread_mutex_unlock(&s->lock);
    outbound_on_room(s->outbound, NULL, NULL);
    saga_events_stop(s->events);
    if (s->started)
        lane_drain(s, clock_mono_us() + SAGAS_DRAIN_US);
    lane_give_back(s);
    if (s->started)
        pthread_join(s->thread, NULL);
    saga_publisher_stop(s->publisher); /* nobody publishes any more; what still comes of it is dropped */
    ticker_stop(s->ticker);
    if (s->ticker && db_saga_member_leave(s->tick_db, atomic_load(&s->owner), NULL))
        log_info("others make the attempts of sagas that were made here when the lease is over");
}

void sagas_free(struct sagas *s)
{
    if (!s)
        return;
    saga_events_free(s->events);
    saga_defs_free(s);
    aside_free(s);
    db_free(s->tick_db);
    db_free(s->db);
    arena_free(s->lost_arena);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->def_lock);
    pthread_mutex_destroy(&s->aside_lock);
    free(s);
}
