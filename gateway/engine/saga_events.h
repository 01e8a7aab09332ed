#ifndef WEIR_ENGINE_SAGA_EVENTS_H
#define WEIR_ENGINE_SAGA_EVENTS_H

#include "db/db.h"
#include "gateway/base/config.h"
#include "gateway/engine/saga_body.h"
#include "gateway/engine/streams.h"
#include "gateway/engine/tail.h"

/* Reads the streams that sagas wait for, and puts what was found for an instance into weir.saga_inbox, in the transaction that moves
 * the position. One gateway at a time reads a stream, whichever gets its row; each looks when the tail hears of a head, and every
 * tail.poll. An event serves an instance once, and the first wait that it matches; a wait takes the first event that comes. */
struct saga_events;

struct saga_events_def {
    const struct config *config;
    const struct db_config *db;
    struct tail *tail;
    struct streams *streams;
    /* A definition, on the reader's thread with its connection: good until `drop`. */
    enum err (*definition)(void *arg, struct db *db, int64_t saga_id, int32_t version, const struct saga_definition **ret,
                           struct fault *f);
    void (*drop)(void *arg, const struct saga_definition *def);
    void (*found)(void *arg);        /* there is something in the inbox, or a stream was read as far as somebody wanted; must not block */
    void *arg;
};

/* All outlive it. NULL: no memory. */
struct saga_events *saga_events_start(const struct saga_events_def *def);
void saga_events_stop(struct saga_events *e); /* joins; what else is called does nothing then. NULL-safe */
void saga_events_free(struct saga_events *e); /* after the tail; NULL-safe */

/* Any thread. */
void saga_events_wake(struct saga_events *e); /* after a commit that began waits or starts */
/* Until when, by PostgreSQL's clock, everything that was recorded in the stream has been looked at; what was found is in the inbox. Is it
 * before wanted_us, `found` is called when it is not any more. */
int64_t saga_events_passed(struct saga_events *e, struct slice stream, int64_t wanted_us);
/* Ids of streams that are read, but are behind for a while. false: no memory. */
bool saga_events_slow(struct saga_events *e, struct arena *a, int64_t **ret, size_t *ret_n);

#endif
