#ifndef WEIR_DB_RETENTION_H
#define WEIR_DB_RETENTION_H

#include "db/db.h"

extern const struct stmt MAKE_ROOM, DROP_OVER, RETENTION_DUE, PARTITION_HOLD, RETENTION_REMOVE, ANSWERS_REMOVE,
    LETTERS_REMOVE_CLOSED, LETTERS_REMOVE_PARKED, DELETED_STREAMS, DELETED_REMOVE, DELETED_LETTERS, DELETED_SNAPSHOTS,
    DELETED_FORGET, CLOCK_LOOK;

/* A partition whose oldest events are over. */
struct due_row {
    int64_t stream_id;
    int32_t partition;
    int64_t earliest, retention_us;
};

/* Tables for the months and weeks to come. */
enum err db_make_room(struct db *db, int64_t now_us, int32_t *ret_made, struct fault *f);
/* One of the tables that are over: 1, or 0 when none could go. */
enum err db_drop_over(struct db *db, int64_t now_us, int32_t *ret_dropped, struct fault *f);
enum err db_retention_due(struct db *db, int64_t now_us, struct due_row *ret, size_t max, size_t *ret_n, struct fault *f);
/* One batch: at most `batch` events recorded before `before_us`. */
enum err db_retention_remove(struct db *db, const struct due_row *d, int64_t batch, int64_t before_us, int64_t *ret_removed,
                             struct fault *f);
/* One batch of answers whose Idempotency-Key is over. */
enum err db_answers_remove(struct db *db, int64_t now_us, int64_t batch, int64_t *ret_removed, struct fault *f);
/* One batch of dead letters: those resolved or discarded before that time, or else those that died before it and are parked. */
enum err db_letters_remove(struct db *db, bool closed, int64_t before_us, int64_t batch, int64_t *ret_removed, struct fault *f);
enum err db_deleted_streams(struct db *db, int64_t *ret_ids, size_t max, size_t *ret_n, struct fault *f);
/* A batch of a deleted stream's events, dead letters or snapshots; when none is left, all else of it. */
enum err db_deleted_remove(struct db *db, int64_t stream_id, int64_t batch, int64_t *ret_removed, struct fault *f);
enum err db_clock(struct db *db, int64_t *ret_us, struct fault *f); /* PostgreSQL's clock */

#endif
