#ifndef WEIR_DB_PUBLISH_H
#define WEIR_DB_PUBLISH_H

#include "db/db.h"

extern const struct stmt HEADS_LOCK, HEADS_ADVANCE, HEADS_SET, HEADS_NOTIFY, EVENTS_APPEND, LOG_APPEND, LOG_APPEND_MANY,
    EVENTS_INSERT, DEDUP_LOOK, DEDUP_EXPIRE, DEDUP_INSERT, IDEMPOTENCY_LOOK, IDEMPOTENCY_EXPIRE, IDEMPOTENCY_INSERT, SUBJECTS_LOOK,
    SUBJECTS_INSERT, SUBJECTS_UPDATE, MONTHS_INSERT, OUTCOME_LOOK, BACKEND_END;

/* The rows that a lane writes, one struct an element of the arrays. Built by gateway/engine/commit_*.c in a batch's arena;
 * every function below queues one statement (db_queue) whose arguments live in that arena. false: out of memory. */
struct publish_head {
    int32_t partition;
    int64_t head;        /* heads_set: the new one */
    int64_t n, bytes;    /* events and payload bytes added */
    int64_t seen;        /* heads_advance, log_append: the least it can be; a head below it is ERR_DB_RETRY */
    int64_t recorded_us;
    int64_t first_offset;/* months_insert */
};
struct publish_event {
    int32_t partition;
    int64_t offset, back, recorded_us, version;
    struct slice id, source, type, subject, attributes, data;
    int16_t data_format;
};
struct publish_id {
    uint8_t key[16], fingerprint[16];
    int32_t partition;
    int64_t offset, version, recorded_us;
};
struct publish_answer {  /* kept under an Idempotency-Key */
    uint8_t key[16], fingerprint[16];
    int16_t status;
    struct slice answer, cursor;
};
struct publish_subject {
    struct slice subject;
    int32_t partition;
    int64_t version, last_offset;
};

bool db_heads_lock(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n);
bool db_heads_advance(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n, int64_t now_us);
bool db_heads_set(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n);
bool db_heads_notify(struct db *db, struct arena *a, const int64_t *streams, const int32_t *partitions, size_t n);
bool db_notify_queue(struct db *db, struct arena *a, struct slice payload); /* less than 8,000 bytes; empty: look at all */
bool db_events_append(struct db *db, struct arena *a, int64_t stream, const struct publish_event *v, size_t n);
/* A transaction by itself: the head moves by head->n, the events follow it, and it is notified. */
bool db_log_append(struct db *db, struct arena *a, int64_t stream, const struct publish_head *head, int64_t now_us,
                   const struct publish_event *v, size_t n);
bool db_events_insert(struct db *db, struct arena *a, int64_t stream, bool subject_reads, const struct publish_event *v, size_t n);
bool db_dedup_look(struct db *db, struct arena *a, int64_t stream, const struct publish_id *v, size_t n, int64_t now_us);
bool db_dedup_expire(struct db *db, struct arena *a, int64_t stream, const struct publish_id *v, size_t n, int64_t now_us);
bool db_dedup_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_id *v, size_t n, int64_t expires_us);
bool db_idempotency_look(struct db *db, struct arena *a, int64_t stream, const struct publish_answer *v, size_t n);
bool db_idempotency_expire(struct db *db, struct arena *a, int64_t stream, const struct publish_answer *v, size_t n,
                           int64_t now_us);
bool db_idempotency_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_answer *v, size_t n,
                           int64_t expires_us);
bool db_subjects_look(struct db *db, struct arena *a, int64_t stream, const struct publish_subject *v, size_t n);
bool db_subjects_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_subject *v, size_t n);
bool db_subjects_update(struct db *db, struct arena *a, int64_t stream, const struct publish_subject *v, size_t n);
bool db_months_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n);
bool db_outcome_look(struct db *db, struct arena *a, int64_t stream, const struct publish_head *heads, size_t head_n,
                     int64_t since_us, const struct publish_event *v, size_t n);

/* Ends the backend that a lost connection of ours may have left at work; blocks up to 5 s. */
enum err db_backend_end(struct db *db, int pid, const char *application_name, struct fault *f);

#endif
