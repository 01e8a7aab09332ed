#ifndef WEIR_DB_DELIVERIES_H
#define WEIR_DB_DELIVERIES_H

#include "db/db.h"
#include "db/read.h"

extern const struct stmt GROUPS_OVERDUE, GROUP_HOLD, GROUP_STATE, GROUP_WRITTEN, GROUP_RETRIES, GROUP_LEASES, GROUP_SKIPS,
    GROUP_TURN, LEASES_UPDATE, RETRIES_PUT, RETRIES_DELETE, SKIPS_PUT, SKIPS_DELETE, GROUP_PAGE, GROUP_PAGE_SMALL, EVENTS_AT,
    KEYS_AT, LETTERS_AT, EARLIEST_OF, LETTERS_KNOWN, LETTERS_BURY, LETTERS_PARK, LETTERS_RESOLVE;

/* What a group's lane reads and writes, as rows of arrays; built in an arena that lives until the flush. The functions that give a
 * bool queue one statement (db_queue); false: out of memory. See migrations/0005_groups.sql. */
struct group_place {           /* an event in a group. Round 0: from the log; n: the nth redrive of its letter */
    int32_t partition;
    int32_t round;
    int64_t offset;
};
struct lease_row {
    int64_t lease_id, began_us, deadline_us;
    struct slice consumer, items, keys, done, extended;
    int32_t open;
};
struct skip_row {
    int64_t chunk_id;
    int32_t partition, n;
    struct slice offsets, keys;
};
struct retry_row {
    struct group_place at;
    int64_t key;
    int32_t failures;
    int32_t single;            /* 0 or 1 */
    int64_t not_before_us;
    struct slice letter;       /* 16 bytes; p == NULL: the event is the log's */
    struct slice entry;        /* of the history: a JSON object */
};
struct death_row {
    uint8_t letter[16];
    struct group_place at;
    int64_t key;
    struct slice reason, error, error_type, masked, entry;
};
struct group_state_row {
    int64_t seq, token, lease_floor;
    int32_t generation;
    int64_t *next;             /* of each partition */
    size_t partitions;
};

/* What is to be read of n partitions, each from an offset on: `limit` events or `bytes` at most, and one at least. `small`: nobody
 * counts bytes, but an event of more than bytes / limit comes without its contents. */
struct page_plan {
    const int32_t *partitions;
    const int64_t *from;
    size_t n;
    int64_t limit, bytes;
    bool small;
};

struct overdue_row {           /* names, in the arena */
    struct slice stream, group;
};
enum err db_groups_overdue(struct db *db, struct arena *a, int64_t now_us, struct overdue_row **ret, size_t *ret_n,
                           struct fault *f);

bool db_group_hold(struct db *db, struct arena *a, int64_t stream, int64_t group);
bool db_group_state(struct db *db, struct arena *a, int64_t stream, int64_t group);
/* Of its first row. */
void db_group_state_row(const struct rows *r, struct group_state_row *ret, int64_t *next, size_t max);
/* What is remembered beside the state: three statements, then read row by row. */
bool db_group_memory(struct db *db, struct arena *a, int64_t stream, int64_t group, int64_t lease_floor);
/* Slices live as long as the rows. */
void db_retry_row(const struct rows *r, int i, struct retry_row *ret);
void db_lease_row(const struct rows *r, int i, struct lease_row *ret);
void db_skip_row(const struct rows *r, int i, struct skip_row *ret);

/* The next state; the row `trim` goes; n leases come and others go. After group_hold. */
bool db_group_turn(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct group_state_row *s, int64_t trim,
                   int64_t now_us, const struct lease_row *v, size_t n, const int64_t *gone, size_t gone_n);
enum err db_group_written(struct db *db, int64_t stream, int64_t group, int64_t seq, int64_t *ret_token,
                          bool *ret_there, struct fault *f);
bool db_leases_update(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct lease_row *v, size_t n);
bool db_retries_put(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct retry_row *v, size_t n);
bool db_retries_delete(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct group_place *v, size_t n);
bool db_skips_put(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct skip_row *v, size_t n);
bool db_skips_delete(struct db *db, struct arena *a, int64_t stream, int64_t group, const int64_t *v, size_t n);

/* Events. Rows: partition or (by order, from 1) which one was asked for; then those of struct page_row. */
bool db_group_page(struct db *db, struct arena *a, int64_t stream, const struct page_plan *p);
bool db_group_event_withheld(const struct rows *r, int i); /* of a small page: it is not small */
bool db_events_at(struct db *db, struct arena *a, int64_t stream, const struct group_place *v, size_t stride, size_t n);
/* Rows: which one was asked for (from 1), its subject, its attribute partitionkey as JSON member; both may be null. */
bool db_keys_at(struct db *db, struct arena *a, int64_t stream, const struct group_place *v, size_t n);
bool db_letters_at(struct db *db, struct arena *a, int64_t stream, const uint8_t (*letters)[16], size_t stride, size_t n);
void db_group_event(const struct rows *r, int i, int32_t *ret_first, struct page_row *ret);
bool db_earliest_of(struct db *db, struct arena *a, int64_t stream, const int32_t *partitions, size_t n);

/* Burials: letters of events from the log, and redriven ones that died again. known: rows (order from 1, letter id). */
bool db_letters_known(struct db *db, struct arena *a, int64_t stream, struct slice group_name, const struct death_row *v, size_t n);
bool db_letters_bury(struct db *db, struct arena *a, int64_t stream, int64_t group, struct slice group_name, int64_t now_us,
                     const struct death_row *v, size_t n);
bool db_letters_park(struct db *db, struct arena *a, int64_t stream, int64_t group, struct slice group_name, int64_t now_us,
                     const struct death_row *v, size_t n);
bool db_letters_resolve(struct db *db, struct arena *a, int64_t stream, int64_t now_us, const uint8_t (*letters)[16], size_t n);

#endif
