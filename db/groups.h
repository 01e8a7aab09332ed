#ifndef WEIR_DB_GROUPS_H
#define WEIR_DB_GROUPS_H

#include "db/db.h"
#include "db/streams.h"

/* Definitions of consumer groups: weir.groups. Times and durations in microseconds. */
enum group_ordering { ORDER_NONE, ORDER_KEY };
#define ORDERING_WORDS "none key"

struct group_row {
    int64_t stream_id, group_id;
    struct slice name;
    int ordering;
    bool paused;
    int64_t ack_deadline_us;
    int64_t max_retries;
    int64_t backoff_initial_us, backoff_max_us;
    double backoff_factor, backoff_jitter;
    int64_t max_in_flight, max_retrying, max_skipped, key_batch;
    struct slice types;          /* a JSON array of patterns; "[]": all */
    int64_t dlq_retry_after_us;  /* -1: dead letters are not redriven by themselves */
    int64_t dlq_retry_rounds;
    int64_t created_us, updated_us;
};

extern const struct stmt GROUP_CREATE, GROUP_GET, GROUP_LOCK, GROUP_LIST, GROUP_COUNT, GROUP_UPDATE, GROUP_DELETE, GROUP_CLEAR,
    GROUP_PARK, GROUP_CLAIM, GROUP_SEEK, GROUP_DEAD, GROUP_OLDEST;

/* On any connection; strings in the arena. ERR_UNKNOWN_GROUP where there is none. */
enum err db_group_get(struct db *db, struct arena *a, int64_t stream_id, struct slice name, struct group_row *ret,
                      struct fault *f);
enum err db_group_count(struct db *db, int64_t stream_id, int64_t *ret, struct fault *f);
/* Its parked letters. */
enum err db_group_dead(struct db *db, const struct group_row *g, int64_t *ret, struct fault *f);
/* When the first of n events was recorded; INT64_MAX: none of them is left. */
enum err db_group_oldest(struct db *db, struct arena *a, int64_t stream_id, const int32_t *partitions, const int64_t *offsets,
                         size_t n, int64_t *ret_us, struct fault *f);
/* The rest inside a transaction. lock: nobody else changes or deletes it until the end. Lanes hold the same row (db_group_hold)
 * *before* they insert their state: left to the foreign key's check it would be locked after, and a lane and who claims under this
 * lock would wait for each other. */
enum err db_group_lock(struct db *db, struct arena *a, int64_t stream_id, struct slice name, struct group_row *ret,
                       struct fault *f);
enum err db_group_list(struct db *db, struct arena *a, int64_t stream_id, struct slice after, int limit, struct group_row **ret,
                       size_t *ret_n, struct fault *f);
/* With its first state: `next` of each partition. *ret_made: false when the name is taken. */
enum err db_group_create(struct db *db, struct arena *a, const struct group_row *g, const int64_t *next, size_t partitions,
                         bool *ret_made, struct fault *f);
enum err db_group_update(struct db *db, const struct group_row *g, struct fault *f);
enum err db_group_delete(struct db *db, int64_t stream_id, int64_t group_id, struct fault *f); /* with all it remembers; not letters */
/* Makes every gateway look at the group anew: inserts the next state. To be called in each transaction that changes what the group
 * remembers, after its row was locked. ERR_DB_UNIQUE: a lane was faster; roll back and do all of it again. */
enum err db_group_claim(struct db *db, int64_t stream_id, int64_t group_id, struct fault *f);
/* Claims it, with other positions and the next generation; leases, retries and skips go; its redriven letters are parked again. */
enum err db_group_seek(struct db *db, struct arena *a, int64_t stream_id, int64_t group_id, const int64_t *next, size_t partitions,
                       struct fault *f);

#endif
