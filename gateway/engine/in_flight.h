#ifndef WEIR_ENGINE_IN_FLIGHT_H
#define WEIR_ENGINE_IN_FLIGHT_H

#include "gateway/engine/commit.h"

/* The requests with an Idempotency-Key that a lane holds: a hash table chained through the requests themselves, so it needs no
 * memory of its own and is bounded by the lane's queue. Zero-initialised it is empty. The lane's lock guards it. */
#define IN_FLIGHT_CHAINS 1024

struct in_flight {
    struct publish *chain[IN_FLIGHT_CHAINS];
};

/* false: a request under its key is there; p is not added. */
bool in_flight_add(struct in_flight *t, struct publish *p);
void in_flight_remove(struct in_flight *t, struct publish *p); /* one that was added */

#endif
