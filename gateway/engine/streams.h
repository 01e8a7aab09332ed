#ifndef WEIR_ENGINE_STREAMS_H
#define WEIR_ENGINE_STREAMS_H

#include <stdatomic.h>

#include "db/streams.h"
#include "gateway/base/config.h"
#include "gateway/engine/cursor.h"

/* What a lane remembers of a partition between transactions: a hint, checked by the database. */
struct lane_partition {
    int64_t head;   /* -1: not known */
    int32_t month;  /* year * 12 + month - 1 of the months row known to exist; -1: none */
};

/* A stream's definition in memory: immutable but for `lane`, which belongs to the stream's commit lane alone. Shared by
 * reference count, replaced when the definition changes. */
struct stream {
    atomic_int refs;
    atomic_bool stale;           /* the definition changed or the stream is gone: look it up again */
    struct stream_row row;
    struct arena *arena;         /* holds the row's strings */
    int64_t loaded_us;           /* monotonic */
    struct lane_partition lane[PARTITIONS_MAX];
};

void stream_unref(struct stream *s); /* NULL-safe */
struct stream *stream_ref(struct stream *s);

/* The cache of definitions, by name; any thread. Another gateway's changes arrive by notification (streams_forget) or, at the
 * latest, when an entry is 30 s old. */
struct streams;
struct streams *streams_new(const struct config *c);
void streams_free(struct streams *s);
struct stream *streams_cached(struct streams *s, struct slice name);  /* a reference, or NULL: ask streams_load */
enum err streams_load(struct streams *s, struct db *db, struct slice name, struct stream **ret, struct fault *f);
void streams_forget(struct streams *s, int64_t stream_id);
/* The streams of which a name matches one of n patterns (`*`: any run) and wanted(arg, row) says yes, by name. ret has room for
 * what that accepts: references for the caller, who drops them on failure too. */
enum err streams_match(struct streams *s, struct db *db, struct arena *a, const struct slice *patterns, size_t n,
                       bool (*wanted)(void *arg, const struct stream_row *row), void *arg, struct stream **ret, size_t *ret_n,
                       struct fault *f);

/* Names: [a-z0-9][a-z0-9._-]{0,119}; reserved: begin with _ or saga. or end in .dlq, which may come on top of the 120. */
bool name_valid(struct slice name);      /* reserved ones included: they may begin with _ */
bool name_reserved(struct slice name);
/* The reserved forms that a name, or a pattern as far as it is written out, has: bits. */
unsigned name_forms(struct slice name);

/* Settings of a PUT or PATCH: a full row of values, and which were given. */
void streams_defaults(struct stream_row *row);
/* Creates, or replaces the settings: then *ret_before is what they were. `row` is completed with id and times. partitions_given: it
 * must be what the stream has (ERR_PARTITIONS_FIXED), else the stream's own number stays. */
enum err streams_put(struct streams *s, struct db *db, struct arena *a, struct stream_row *row, bool partitions_given,
                     struct stream_row *ret_before, bool *ret_created, struct fault *f);
/* The stream that publishing makes, where the configuration allows it. Not created: somebody has made it meanwhile. */
enum err streams_auto_create(struct streams *s, struct db *db, struct slice name, struct stream_row *ret, bool *ret_created,
                             struct fault *f);
enum err streams_update(struct streams *s, struct db *db, struct stream_row *row, struct fault *f);
/* And its dead letters' stream, <name>.dlq. */
enum err streams_delete(struct streams *s, struct db *db, struct slice name, struct fault *f);

/* What is stored, for management: no cache. lock: inside a transaction, nobody else changes it until the end. */
enum err streams_get(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f);
enum err streams_lock(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f);
enum err streams_heads(struct db *db, int64_t stream_id, struct head_row ret[PARTITIONS_MAX], size_t *ret_n, struct fault *f);
/* Up to `limit` streams by name, after `after`, for which visible(arg, name); *ret_more: there is another one. `heads`: of all of
 * them, by stream and partition. */
struct stream_list {
    struct stream_row *rows;
    size_t n;
    bool more;
    struct head_row *heads;
    size_t head_n;
};
enum err streams_list(struct db *db, struct arena *a, struct slice after, size_t limit,
                      bool (*visible)(const void *arg, struct slice name), const void *arg, struct stream_list *ret,
                      struct fault *f);

#endif
