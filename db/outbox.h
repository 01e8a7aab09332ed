#ifndef WEIR_DB_OUTBOX_H
#define WEIR_DB_OUTBOX_H

#include "db/db.h"

/* A row of weir.outbox (or of weir.audit, where gateways of the release before tell what they have done). Slices belong to the
 * arena they were read into. */
struct outbox_row {
    int64_t stream_id;         /* of the stream that it tells of; 0: of none */
    uint8_t id[16];
    struct slice stream;       /* where it goes */
    int64_t recorded_us;       /* the database sets it */
    struct slice type, source;
    struct slice subject;      /* empty: none */
    struct slice traceparent;  /* p == NULL: none */
    struct slice data;         /* JSON */
    bool of_audit;             /* it stands in weir.audit */
};

extern const struct stmt OUTBOX_INSERT, OUTBOX_LETTERS, OUTBOX_FLOOR, OUTBOX_PENDING, OUTBOX_ORIGIN, OUTBOX_REMOVE,
    OUTBOX_SET_ASIDE, AUDIT_REMOVE, AUDIT_SET_ASIDE;

enum err db_outbox_add(struct db *db, const struct outbox_row *row, struct fault *f); /* into the transaction that is open */
/* Inserts the row and commits the transaction that is open, in one round trip. row == NULL: only commits. */
enum err db_outbox_commit(struct db *db, const struct outbox_row *row, struct fault *f);

/* Queues (db_queue) one statement for the letters that are parked in this transaction, n ids `stride` bytes apart: a DeadLettered
 * each, for <stream_name>.dlq. Its arguments live in the arena; false: out of memory. After the commit: outbox_wake. Attempts of
 * more than LETTER_ATTEMPTS_MAX bytes together are left out. */
#define LETTER_ATTEMPTS_MAX (256 << 10)
bool db_outbox_letters(struct db *db, struct arena *a, int64_t stream, struct slice stream_name, const uint8_t (*letters)[16],
                       size_t stride, size_t n);

/* The oldest ones recorded since, up to max, fewer once their data has `bytes`, but one anyway: those of one stream and origin
 * together, in order. *ret_floor_us: with these removed, the next look may begin there. */
enum err db_outbox_pending(struct db *db, struct arena *a, int64_t since_us, size_t max, int64_t bytes, struct outbox_row **ret,
                           size_t *ret_n, int64_t *ret_floor_us, struct fault *f);
/* Inside a transaction: the stream is there, and will be until the end. ERR_UNKNOWN_STREAM */
enum err db_outbox_origin(struct db *db, int64_t stream_id, struct fault *f);
enum err db_outbox_remove(struct db *db, struct arena *a, const struct outbox_row *rows, size_t n, struct fault *f);
enum err db_outbox_set_aside(struct db *db, const struct outbox_row *row, struct fault *f); /* not pending any more */

#endif
