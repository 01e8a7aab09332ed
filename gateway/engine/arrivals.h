#ifndef WEIR_ENGINE_ARRIVALS_H
#define WEIR_ENGINE_ARRIVALS_H

#include <pthread.h>

#include "db/streams.h"
#include "gateway/engine/selection.h"

/* Who waits for streams that do not exist yet: readers whose patterns may come to match one. A new stream is notified by name, so
 * only those whom it concerns are woken; the mark of all streams, compared every tail.poll, finds what was not notified. Owned by
 * the tail, which feeds it. Any thread. */
struct arrival;
struct arrivals {
    pthread_mutex_t lock;       /* guards all below */
    struct arrival *list;
    bool known;                 /* mark is what the database said last, and what was notified since */
    struct stream_mark mark;
};

void arrivals_init(struct arrivals *a);
void arrivals_free(struct arrivals *a); /* no watch is left */

/* From now on `wake` is called, under the lock, for every stream that the selection's patterns cover, and at times for none: look at
 * the database after this, and after each wake. The selection outlives the watch. NULL: out of memory. */
struct arrival *arrivals_watch(struct arrivals *a, const struct selection *s, void (*wake)(void *arg, bool more), void *arg);
void arrivals_unwatch(struct arrivals *a, struct arrival *w); /* NULL-safe; after it `wake` is not called any more */

/* For the tail. */
void arrivals_came(struct arrivals *a, int64_t stream_id, struct slice name);
void arrivals_went(struct arrivals *a, int64_t stream_id);
bool arrivals_waiting(struct arrivals *a); /* does anybody watch? */
void arrivals_mark(struct arrivals *a, const struct stream_mark *now);

#endif
