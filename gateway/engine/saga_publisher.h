#ifndef WEIR_ENGINE_SAGA_PUBLISHER_H
#define WEIR_ENGINE_SAGA_PUBLISHER_H

#include "gateway/base/worker.h"
#include "gateway/engine/commit.h"
#include "gateway/engine/schema_cache.h"

/* Events that steps of sagas publish: as any publish (schemas, ids, the stream's commit lane), under the idempotency key of their step.
 * The same key and event again is answered by the same receipt. */
struct saga_publisher;

struct saga_publisher *saga_publisher_start(const struct config *c, const struct db_config *db, struct commit *commit,
                                            struct streams *streams, struct schema_cache *schemas);
void saga_publisher_stop(struct saga_publisher *p); /* what was submitted is done first; before the lanes stop. NULL-safe */

enum saga_published {
    SAGA_PUBLISHED,
    SAGA_NOT_PUBLISHED,              /* a business failure: the stream is not there, the event does not conform, … */
    SAGA_PUBLISH_AGAIN,
};

/* The caller's memory, with all that it points to, until `done` returns. */
struct saga_publication {
    struct slice stream;
    struct slice event;              /* saga_render_event */
    struct slice key;                /* saga_round_key */
    struct slice traceparent;        /* p == NULL: none */
    void (*done)(struct saga_publication *p); /* once, on some other thread; must not block. What follows lives until it returns */
    void *arg;

    enum saga_published outcome;
    bool unknown;                    /* SAGA_PUBLISH_AGAIN: it may have been recorded */
    struct slice result;             /* SAGA_PUBLISHED: the receipt */
    struct slice error;              /* else: JSON {"type","message","errors"?} */

    /* private */
    struct job job;
    struct saga_publisher *publisher;
    struct stream *of;
    struct arena *arena;
    struct publish publish;
    struct publish_key kept;
};
/* Any thread; never blocks. `done` may be called before it returns. false: too many wait; nothing was done. */
bool saga_publish(struct saga_publisher *p, struct saga_publication *pub);

#endif
