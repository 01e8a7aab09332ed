#ifndef WEIR_DB_STREAMS_H
#define WEIR_DB_STREAMS_H

#include "db/db.h"

enum validation { VALIDATION_OFF, VALIDATION_WARN, VALIDATION_ENFORCE };
#define VALIDATION_WORDS "off warn enforce"

/* A row of weir.streams. Slices belong to the arena or struct they were read into. */
struct stream_row {
    int64_t stream_id;
    struct slice name;
    int64_t partitions;
    int64_t retention_us;    /* -1: for ever */
    int64_t dedup_window_us;
    int validation;          /* enum validation */
    struct slice subject_template;
    bool allow_unknown_types;
    bool subject_reads;
    struct slice description;
    struct slice labels;     /* JSON object of strings */
    int64_t created_us, updated_us;
};

struct head_row {
    int64_t stream_id;
    int32_t partition;
    int64_t head, earliest, recorded_us, bytes;
};

/* Of all streams that there are: equal marks, equal streams (but for a chance of 2^-63). */
struct stream_mark {
    int64_t count, ids; /* ids: all of them, exclusive-or */
};

extern const struct stmt STREAM_CREATE, STREAM_GET, STREAM_LOCK, STREAM_LIST, STREAM_MATCH, STREAM_IDS, STREAM_MARK,
    STREAM_UPDATE, STREAM_DELETE, STREAM_HEADS, STREAM_FIGURES, NOTIFY;

/* false in *ret_made: the name is taken. */
enum err db_stream_create(struct db *db, const struct stream_row *s, bool *ret_made, struct fault *f);
/* ERR_UNKNOWN_STREAM */
enum err db_stream_get(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f);
/* The same, and nobody else changes it until the transaction ends. */
enum err db_stream_lock(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f);
enum err db_stream_list(struct db *db, struct arena *a, struct slice after, int limit, struct stream_row **ret, size_t *ret_n,
                        struct fault *f);
/* The same of the names that match one of n LIKE patterns. */
enum err db_stream_match(struct db *db, struct arena *a, const struct slice *patterns, size_t n, struct slice after, int limit,
                         struct stream_row **ret, size_t *ret_n, struct fault *f);
/* Calls fn for every stream that there is. */
enum err db_stream_ids(struct db *db, void (*fn)(void *arg, int64_t stream_id, struct slice name), void *arg, struct fault *f);
enum err db_stream_mark(struct db *db, struct stream_mark *ret, struct fault *f);
enum err db_stream_update(struct db *db, const struct stream_row *s, struct fault *f); /* ERR_UNKNOWN_STREAM */
/* With its dead letters' stream, and that one's: ids of what is gone. ERR_UNKNOWN_STREAM */
#define STREAMS_OF_ONE 31
enum err db_stream_delete(struct db *db, struct slice name, int64_t now_us, int64_t ret_ids[STREAMS_OF_ONE], size_t *ret_n,
                          struct fault *f);
/* Heads of one stream by partition, at most max; *ret_n == 0: the stream is gone. */
enum err db_stream_heads(struct db *db, int64_t stream_id, struct head_row *ret, size_t max, size_t *ret_n, struct fault *f);
/* Of many streams, ordered by stream and partition, in the arena. */
enum err db_stream_figures(struct db *db, struct arena *a, const int64_t *ids, size_t n, struct head_row **ret, size_t *ret_n,
                           struct fault *f);

enum err db_notify(struct db *db, const char *payload, struct fault *f);

#endif
