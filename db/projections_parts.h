#ifndef WEIR_DB_PROJECTIONS_PARTS_H
#define WEIR_DB_PROJECTIONS_PARTS_H

#include "db/projections.h"

/* Who folds which part of a projection, and the steps in which it is done. */
struct part_id {
    int64_t projection_id;
    int32_t build;
    int32_t partition;
    int64_t stream_id;
};

struct claim_row {
    struct part_id id;
    int32_t part;              /* its number */
    int64_t first, target, position, upto, epoch;
    struct slice stream;       /* its name */
    int build_state;           /* enum build_state */
};

extern const struct stmt MEMBER_BEAT, MEMBERS_FORGET, MEMBER_LEAVE, PARTS_MINE, PARTS_CLAIM, PART_RELEASE, PARTS_BEHIND,
    PART_GET, PART_ADVANCE, FROZEN_END, STATES_LOCK, STATES_INSERT, STATES_UPDATE, STATES_DELETE, LOOKUPS_REMOVE,
    LOOKUPS_ADD, CHANGE_ADD, STATES_MIXED, SKIPS_OF, BUILD_FAIL, SWAP_CANDIDATES, BUILDS_FORSAKEN, BUILDS_RELEASE,
    LOCKS_WAIT, CHANGES_DROP, BUILD_HOLD, PARTS_KEEP_FROM, STREAMS_WITHOUT_PARTS, PARTS_FORGET, BUILDS_RETIRED,
    STATES_REMOVE, LOOKUPS_DROP, BUILD_REMOVE, CHANGES_TRIM;

/* --- members; transactions of their own --- */

/* `owner` folds for another lease. How many others do; how many parts there are to fold. */
enum err db_member_beat(struct db *db, int64_t owner, int64_t lease_us, int64_t *ret_others, int64_t *ret_parts, struct fault *f);
enum err db_members_forget(struct db *db, struct fault *f);
enum err db_member_leave(struct db *db, int64_t owner, struct fault *f); /* its parts are free */
/* Its parts with their epochs. */
enum err db_parts_mine(struct db *db, struct arena *a, int64_t owner, struct claim_row **ret, size_t *ret_n, struct fault *f);
enum err db_parts_claim(struct db *db, struct arena *a, int64_t owner, int64_t limit, struct claim_row **ret, size_t *ret_n,
                        struct fault *f);
enum err db_part_release(struct db *db, const struct part_id *id, int64_t epoch, int64_t owner, struct fault *f);
/* Those of its parts that have something to fold. */
enum err db_parts_behind(struct db *db, struct arena *a, int64_t owner, struct part_id **ret, size_t *ret_n, struct fault *f);

/* --- a step --- */

/* A transaction of its own that waits for the step which may be under way. *ret_epoch 0: there is no such part. */
enum err db_part_get(struct db *db, const struct part_id *id, int64_t *ret_position, int64_t *ret_epoch, struct fault *f);

/* A state of a step, before it. */
struct locked_state {
    struct slice key, state;   /* as long as the rows; state.p == NULL: it is beyond the bytes */
    int64_t version;
    int32_t part;
};
/* Begins it: moves the part if it is where and whose we think, and locks the states of n keys, ascending and distinct. *ret_moved:
 * false: the part is somebody else's; then, and on errors, the transaction is over. A transaction that stands still for idle_us is
 * ended by PostgreSQL, and one that waits for half of it for a lock (ERR_DB_RETRY). The caller frees ret_rows. */
struct step_row {
    struct part_id id;
    int64_t epoch, from, to;   /* positions */
    int64_t folded;            /* events */
    bool begins;               /* at `to`, since nothing before is kept */
    int64_t bytes;             /* of states at most; one at least */
    int64_t idle_us;
};
enum err db_step_begin(struct db *db, struct arena *a, const struct step_row *s, const struct slice *keys, size_t n,
                       bool *ret_moved, int *ret_build_state, struct rows *ret_rows, struct fault *f);
void db_locked_state(const struct rows *r, int i, struct locked_state *ret);

/* What a step makes of states, in the order of their keys. */
struct step_state {
    struct slice key, state;
    int64_t version, offset;   /* of the event that changed it last */
};
struct step_states {
    struct step_state *v;
    size_t n;
};
/* By what states are found. */
struct step_lookup {
    int64_t hash;
    struct slice key;
};
struct step_lookups {
    struct step_lookup *v;
    size_t n;
};
/* Queues what writes the step, COMMIT included; returns how many statements. 0: the arena is out of memory, and the transaction is over.
 * changed: the keys to be remembered; n == 0: none. notice: to be told to all gateways; p == NULL: nothing. */
struct step_write {
    struct part_id id;
    int32_t part;
    int64_t position;
    bool stays;                /* where it was: only what was redriven is folded */
    struct step_states insert, update;
    struct step_lookups found, lost; /* added, removed */
    struct slice *deleted, *changed;
    struct slice *mixed;       /* keys into which events were folded that did not come in order */
    size_t deleted_n, changed_n, mixed_n;
    struct slice notice;
};
size_t db_step_queue(struct db *db, struct arena *a, const struct step_write *w);

/* Offsets of the events between the positions that are passed over by hand, ascending. A transaction of its own. */
enum err db_skips_of(struct db *db, struct arena *a, const struct part_id *id, int64_t after, int64_t upto, int64_t **ret,
                     size_t *ret_n, struct fault *f);
/* Within a transaction: the build has failed at this part, if it still is where and whose we think. *ret_failed: it has. */
enum err db_build_fail(struct db *db, const struct step_row *s, struct slice error, bool *ret_failed, struct fault *f);

/* --- upkeep --- */

struct swap_row {
    int64_t projection_id;
    int32_t build, active;
    bool held;                 /* the active one is */
    int64_t behind;            /* offsets */
    int64_t held_us;           /* for so long */
};
enum err db_swap_candidates(struct db *db, struct arena *a, struct swap_row **ret, size_t *ret_n, struct fault *f);
enum err db_builds_forsaken(struct db *db, int64_t held_us, int64_t *ret_n, struct fault *f); /* held for longer: not any more */
enum err db_wait_for_locks(struct db *db, int64_t us, struct fault *f); /* no longer in this transaction: ERR_DB_RETRY */
enum err db_builds_release(struct db *db, int64_t projection_id, struct fault *f); /* none of the projection's is held */
enum err db_build_hold(struct db *db, int64_t projection_id, int32_t build, bool held, struct fault *f);
enum err db_parts_keep_from(struct db *db, int64_t projection_id, int32_t build, struct fault *f);

struct stream_without_parts {
    int64_t projection_id, stream_id;
    int32_t build, partitions;
};
enum err db_streams_without_parts(struct db *db, struct arena *a, struct stream_without_parts **ret, size_t *ret_n,
                                  struct fault *f);
enum err db_parts_forget(struct db *db, struct fault *f); /* of streams that were deleted */
/* A batch of rows of builds that are retired. *ret_more: there may be others. */
enum err db_retired_remove(struct db *db, int64_t batch, bool *ret_more, struct fault *f);
/* A batch of changes of the part that are older or more than may be. *ret_trimmed: there were some. */
enum err db_changes_trim(struct db *db, int64_t projection_id, int32_t build, int32_t part, int64_t keep_us, int64_t most,
                         int64_t batch, bool *ret_trimmed, struct fault *f);

#endif
