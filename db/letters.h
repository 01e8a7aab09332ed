#ifndef WEIR_DB_LETTERS_H
#define WEIR_DB_LETTERS_H

#include "db/db.h"

/* Dead letters: weir.dead_letters. The states are in the database. Times are unix microseconds. */
enum letter_state { LETTER_PARKED, LETTER_REDRIVEN, LETTER_RESOLVED, LETTER_DISCARDED };
#define LETTER_STATE_WORDS "parked redriven resolved discarded"
#define LETTER_STATES 4

/* Slices belong to the result that they were read from; p == NULL: none. */
struct letter_row {
    uint8_t letter_id[16];
    struct slice group;
    int state;                 /* enum letter_state */
    struct slice reason;
    struct slice error;        /* of the last attempt: a JSON object; p == NULL: none was told */
    uint8_t fingerprint[16];
    bool poison;
    struct slice attempts;     /* JSON objects with commas between */
    int64_t redrives;
    struct slice note;         /* p == NULL: none */
    int64_t dead_us, updated_us;
    /* the event, as weir.events has it */
    int32_t partition;
    int64_t offset, recorded_us;
    struct slice id, source, type, subject;
    int64_t version;           /* 0: none */
    struct slice attributes;
    int data_format;
    struct slice data;
    struct slice original;     /* its data before the first repair; p == NULL: not repaired */
};

/* Which letters are meant: all that is set must fit. Zero-initialise, and set `state`. */
struct letter_filter {
    struct slice group, reason; /* p == NULL: any, here and below */
    struct slice type, subject; /* `*` stands for any run of characters */
    bool has_fingerprint;
    uint8_t fingerprint[16];
    int state;                 /* enum letter_state; -1: any */
    int64_t from_us, to_us;    /* from <= dead_at < to; 0: open */
};

/* Letters of one fingerprint. */
struct letter_kind {
    uint8_t fingerprint[16];
    struct slice group, type, error_type, error_masked;
    int64_t count, states[LETTER_STATES];
    bool poison;               /* one that is parked is */
    int64_t first_us, last_us; /* the first death of all, and the last one */
    uint8_t sample[16];        /* the newest one, of those that are parked if any is */
};

extern const struct stmt LETTERS_LIST, LETTER_GET, LETTER_LOCK, LETTERS_SUMMARY, LETTERS_MATCH, LETTERS_COUNT, LETTERS_GROUPS,
    LETTERS_LOCK, LETTERS_REDRIVE, LETTERS_DISCARD, LETTER_REPAIR;

/* The newest first, older than `before` (NULL: from the newest): up to `limit`, fewer once they have `bytes` together, but one
 * anyway. Row i of *ret by db_letter_row; the caller frees it. *ret_more: there are older ones that match. */
enum err db_letters_list(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f, const uint8_t *before,
                         int64_t limit, int64_t bytes, struct rows *ret, bool *ret_more, struct fault *fault);
/* ERR_UNKNOWN_LETTER. lock: inside a transaction, nobody else changes it until the end. */
enum err db_letter_get(struct db *db, int64_t stream_id, const uint8_t id[16], bool lock, struct rows *ret, struct fault *f);
void db_letter_row(const struct rows *r, int i, struct letter_row *ret);

/* By count, the largest first, after (count, fingerprint) of *after (NULL: from the largest). Slices in the arena. */
enum err db_letters_summary(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f,
                            const struct letter_kind *after, int64_t limit, struct letter_kind **ret, size_t *ret_n,
                            struct fault *fault);

/* Ids that match, ascending: after < id <= upto (NULL: open), up to `limit`, in the arena. */
enum err db_letters_match(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f, const uint8_t *after,
                          const uint8_t *upto, int64_t limit, uint8_t (**ret)[16], size_t *ret_n, struct fault *fault);
/* How many match, and the last of them (all zero when none does). */
enum err db_letters_count(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f, int64_t *ret_count,
                          uint8_t ret_last[16], struct fault *fault);

/* --- changes, all inside a transaction; engine/dlq.h puts them together --- */

/* A group that parked letters belong to, by id; -1: there is none of its name any more. */
struct letter_group {
    struct slice name;
    int64_t group_id;
    bool projection;           /* its name is projection:<name>; group_id is 0 */
};
enum err db_letters_groups(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                           struct letter_group **ret, size_t *ret_n, struct fault *f);

/* Of a letter that was locked: what it was then, and whether it was changed. */
struct letter_seen {
    uint8_t letter_id[16];
    struct slice group;
    bool parked, moved;
};
/* Locks the letters by id, then moves the parked ones: each that there is, by id, in the arena. Redrives those of these groups alone,
 * whose rows must be locked and claimed. */
enum err db_letters_redrive(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                            const struct letter_group *groups, size_t group_n, struct slice note, bool automatic,
                            struct letter_seen **ret, size_t *ret_n, struct fault *f);
enum err db_letters_discard(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                            struct slice note, struct letter_seen **ret, size_t *ret_n, struct fault *f);
/* Other data; the first original stays. The letter was locked. */
enum err db_letter_repair(struct db *db, int64_t stream_id, const uint8_t id[16], struct slice data, struct fault *f);

#endif
