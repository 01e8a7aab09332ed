#ifndef WEIR_ENGINE_GROUPS_STATUS_H
#define WEIR_ENGINE_GROUPS_STATUS_H

#include "gateway/engine/group_state.h"
#include "gateway/engine/streams.h"

/* How a consumer group is doing, by what the database has of it; all block. A delivery whose deadline has passed counts as waiting
 * for a retry, whether or not a lane has looked at it yet. Times are PostgreSQL's. */
struct group_status {
    struct group_row group;        /* strings in the arena */
    struct group_figures figures;  /* after deadlines that have passed */
    size_t partitions;
    int64_t head[PARTITIONS_MAX];
    int64_t above[PARTITIONS_MAX]; /* events kept that were not looked at */
    int64_t part_lag[PARTITIONS_MAX], lag_events; /* these, and what is in flight, retrying or skipped */
    int64_t lag_us;                /* age of the oldest of them; 0: there is none */
    int64_t dead;                  /* parked letters */
};
enum err groups_status(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct slice name,
                       struct group_status *ret, struct fault *f);

/* Why a receive would get nothing now: the group's own decisions, made on a copy of its state that is never written. */
enum group_why {
    WHY_PAUSED = 1 << 0,
    WHY_IN_FLIGHT = 1 << 1,        /* max_in_flight are out */
    WHY_RETRYING = 1 << 2,         /* max_retrying wait: nothing new goes out */
    WHY_SKIPPED = 1 << 3,          /* max_skipped wait in some partitions: nothing new of these goes out */
    WHY_KEYS = 1 << 4,             /* keys are blocked */
    WHY_BACKOFF = 1 << 5,          /* retries wait for their time */
    WHY_TYPES = 1 << 6,            /* what follows is of types that the group does not take */
    WHY_NOTHING = 1 << 7,          /* everything was looked at */
};
#define EXPLAIN_BLOCKERS 10
struct group_explanation {
    struct group_status status;
    bool deliverable;              /* then why is 0 */
    unsigned why;                  /* enum group_why, or'ed */
    uint64_t full;                 /* WHY_SKIPPED: a bit for each of these partitions */
    int64_t passed;                /* WHY_TYPES: so many at least */
    int64_t retry_us;              /* WHY_BACKOFF: when the first one can go out; INT64_MAX: not before its key is free */
    int64_t blocked_keys;
    struct group_blocker blockers[EXPLAIN_BLOCKERS]; /* those that most events wait behind */
    size_t blocker_n;
};
enum err groups_explain(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct slice name,
                        struct group_explanation *ret, struct fault *f);

#endif
