#ifndef WEIR_ENGINE_SAGA_WAITS_H
#define WEIR_ENGINE_SAGA_WAITS_H

#include "db/saga_waits.h"
#include "gateway/engine/saga_body.h"

/* Awaits and starts as they begin and end, inside a transaction of the caller's. It locks nothing that readers need: it leaves the heads
 * that it saw, and the reader (saga_events.h) goes back to them once. After the commit: saga_events_wake. */

/* An await that begins. */
struct saga_wait {
    struct saga_wait_id id;
    int32_t version;                 /* of the definition */
    const struct saga_await *await;
    const struct slice *values;      /* saga_await_wanted; await->match_n of them */
    bool missing;                    /* set: the stream does not exist, the wait did not begin */
};
/* The heads that count are those of this moment. One that is there already stays as it is. ERR_NO_MEMORY, and the database's. */
enum err saga_waits_begin(struct db *db, struct arena *a, struct saga_wait *v, size_t n, struct fault *f);
/* Queues (db_queue_kept) one statement; those that are not there are no error. n > 0. false: out of memory. */
bool saga_waits_end(struct db *db, struct arena *a, const struct saga_wait_id *v, size_t n);

/* What starts instances from now on: stream.p == NULL: nothing. A stream that is not there yet starts them from its first event. */
enum err saga_starts_put(struct db *db, int64_t saga_id, struct slice stream, struct fault *f);

#endif
