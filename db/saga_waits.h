#ifndef WEIR_DB_SAGA_WAITS_H
#define WEIR_DB_SAGA_WAITS_H

#include "db/db.h"
#include "gateway/base/clock.h"

struct saga_key;

/* Awaits and starts of sagas, and the readers of the streams that they are on (migrations/0011_sagas.sql). Arrays of positions have an
 * element for each partition of the stream. */
struct saga_wait_id {
    int64_t saga_id;
    struct slice instance;
    int16_t step, kind;
};

extern const struct stmt SAGA_WAITS_BEGIN, SAGA_WAITS_END, SAGA_STARTS_DROP, SAGA_STARTS_PUT, SAGA_STARTS_ADOPT,
    SAGA_READERS_TIDY, SAGA_READERS_NOW, SAGA_READERS_LIST, SAGA_READER_TAKE, SAGA_READER_MAKE, SAGA_READER_MOVE,
    SAGA_READER_LEAVE, SAGA_REREADS, SAGA_REREADS_DONE, SAGA_REREADS_MOVE, SAGA_WAITS_SHAPES, SAGA_STARTS_OF,
    SAGA_WAITS_FIND, SAGA_WAITS_TAKE, SAGA_INBOX_START,
    SAGA_INBOX_HAS;

/* --- beginning and ending, inside a transaction --- */

struct saga_wait_row {
    struct saga_wait_id id;
    int32_t version;
    int64_t hash;
    struct slice match, stream;      /* JSON array; name */
    bool missing;                    /* set */
};
enum err db_saga_waits_begin(struct db *db, struct arena *a, const uint8_t reread_id[16], struct saga_wait_row *v, size_t n,
                             struct fault *f);
bool db_saga_waits_end(struct db *db, struct arena *a, const struct saga_wait_id *v, size_t n); /* queues it */
/* Are there events for these instances that were not applied? Their rows are locked, so none is being applied either. ret: of each. */
enum err db_saga_inbox_has(struct db *db, struct arena *a, const struct saga_key *v, size_t n, bool *ret, struct fault *f);
enum err db_saga_starts_put(struct db *db, int64_t saga_id, struct slice stream, const uint8_t reread_id[16], struct fault *f);

/* --- reading: one transaction a step but for what stands before db_saga_reader_take --- */

/* Streams that were made again under the name of a start begin anew; what is left of deleted ones is removed. */
enum err db_saga_readers_tidy(struct db *db, const uint8_t reread_id[16], struct fault *f);

struct saga_reader_row {
    int64_t stream_id;
    struct slice name;
    bool behind;
};
/* All streams that somebody waits for, by id. *ret_now_us: PostgreSQL's clock before it was looked. */
enum err db_saga_readers_list(struct db *db, struct arena *a, struct saga_reader_row **ret, size_t *ret_n, int64_t *ret_now_us,
                              struct fault *f);

/* BEGIN, and the stream's reader for this transaction. *ret_n: partitions; 0: somebody else has it, or nobody waits, and the
 * transaction is over. */
enum err db_saga_reader_take(struct db *db, int64_t stream_id, int64_t *ret_position, size_t max, size_t *ret_n, struct fault *f);

struct saga_reread {
    uint8_t id[16];
    int64_t *after;
};
enum err db_saga_rereads(struct db *db, struct arena *a, int64_t stream_id, size_t partitions, struct saga_reread **ret,
                         size_t *ret_n, struct fault *f);

/* Awaits of definitions that somebody waits by, and what starts instances. */
struct saga_shape {
    int64_t saga_id;
    int32_t version;
    int16_t step, kind;
};
struct saga_start_row {
    int64_t saga_id;
    int32_t version;
    struct slice saga;               /* name */
    int64_t *after;
    uint8_t reread_id[16];
};
enum err db_saga_interest(struct db *db, struct arena *a, int64_t stream_id, size_t partitions, struct saga_shape **ret_shapes,
                          size_t *ret_shape_n, struct saga_start_row **ret_starts, size_t *ret_start_n, struct fault *f);

/* Who waits for these values, in the order of the queries and instances, at most max; of the first query behind that instance ("": all).
 * Not those whose reread is none of `taken`: they come with it. */
struct saga_query {
    struct saga_shape shape;
    int64_t hash;
    int32_t partition;               /* of the event, */
    int64_t offset;
    int16_t passed;                  /* 1: the reader was beyond it before: it is for the waits of `taken` alone */
};
struct saga_found {
    size_t query;
    struct slice instance, match;
    uint8_t reread_id[16];
    bool served;                     /* another wait of the instance has got the event */
};
enum err db_saga_waits_find(struct db *db, struct arena *a, int64_t stream_id, const struct saga_query *v, size_t n,
                            struct slice behind, const struct saga_reread *taken, size_t taken_n, size_t max,
                            struct saga_found **ret, size_t *ret_n, struct fault *f);

/* Into the inbox, where the waits still stand; their rows go. The event of each is events[event]. step -1: starts, which need none. */
struct saga_delivery {
    struct saga_wait_id id;
    int32_t event;
    uint8_t reread_id[16];           /* of the wait that was found */
};
struct saga_delivered {
    int32_t partition;
    int64_t offset;
    struct slice text;
};
/* Deliveries, the new position, the rereads that are done; and COMMIT, in one round trip. */
struct saga_step_end {
    int64_t stream_id;
    const int64_t *position;
    size_t partitions;
    const struct saga_delivered *events;
    size_t event_n;
    const struct saga_delivery *waits, *starts;
    size_t wait_n, start_n;
    const struct saga_reread *rereads;
    size_t reread_n;
    const int64_t *again;            /* they are not done yet, but up to there; NULL: they are */
    bool leave;                      /* nobody waits: the reader goes */
};
enum err db_saga_step_end(struct db *db, struct arena *a, const struct saga_step_end *s, struct fault *f);

#endif
