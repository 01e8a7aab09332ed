#ifndef WEIR_ENGINE_GROUP_STATE_H
#define WEIR_ENGINE_GROUP_STATE_H

#include "db/groups.h"

/* What a consumer group remembers, and all its decisions. Pure: no I/O, no clock; `now` is PostgreSQL's time in unix microseconds.
 * One thread at a time. A state is loaded row by row, or made by calls; every call notes what has changed, and the caller writes
 * the changes in one transaction. When that fails, the whole state is dropped and loaded anew.
 *
 * Of an event only this is known here: where it is, and the hash of its key. */
struct group_state;

/* An event in a group. Round 0: from the log; n: the nth redrive of its letter. */
struct place {
    int32_t partition;
    int32_t round;
    int64_t offset;
};

/* The hash of what events are ordered by: partitionkey, else subject; 0: it has none. */
uint64_t group_key_hash(struct slice key);

/* Limits of a call. */
#define RECEIVE_MAX 1000
#define DELIVERY_ID 64          /* text, with its NUL */

struct group_state *group_state_new(const struct group_row *def, size_t partitions); /* copies def; NULL: no memory */
void group_state_free(struct group_state *s);                                        /* NULL-safe */
const struct group_row *group_state_def(const struct group_state *s);

/* --- figures: status, explain, metrics --- */
struct group_figures {
    int64_t in_flight;          /* handed out and not finished */
    int64_t retrying;           /* waiting after a failure, or redriven and not yet handed out */
    int64_t skipped;
    int64_t blocked_keys;       /* keys that something waits behind */
    int64_t next_due_us;        /* the first retry that can go out, or deadline that passes; INT64_MAX: none */
    int64_t oldest_offset[PARTITIONS_MAX]; /* of all that is not finished below next; INT64_MAX: none */
    int64_t next[PARTITIONS_MAX];
    int64_t part_in_flight[PARTITIONS_MAX], part_retrying[PARTITIONS_MAX], part_skipped[PARTITIONS_MAX];
};
void group_state_figures(const struct group_state *s, struct group_figures *ret);
/* Up to max keys that block others, by how many wait behind them: what each waits for. */
struct group_blocker {
    struct place at;            /* the event that blocks */
    int64_t behind;             /* events that wait for it */
    bool leased;                /* handed out; else it waits for until_us */
    int64_t until_us;           /* its deadline, or when its backoff ends */
    int32_t failures;
};
size_t group_state_blockers(const struct group_state *s, struct group_blocker *ret, size_t max);

#endif
