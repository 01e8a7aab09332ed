#ifndef WEIR_DB_PROJECTIONS_H
#define WEIR_DB_PROJECTIONS_H

#include "db/read.h"

/* weir.projections and what belongs to them; how they are folded: projections_parts.h. The numbers are in the database. Slices belong to
 * the arena they were read into; times are unix microseconds. Inside a transaction of the caller's unless something else is said. */
enum build_state { BUILD_BUILDING, BUILD_ACTIVE, BUILD_RETIRED, BUILD_SCRATCH };

struct projection_row {
    int64_t projection_id;
    struct slice name;
    int32_t build;             /* the one that is read */
    bool paused;
    struct slice definition;   /* as it was asked for last */
    int64_t created_us, updated_us;
};

struct build_row {
    int64_t projection_id;
    int32_t build;
    int state;                 /* enum build_state */
    struct slice definition;   /* what it folds by */
    struct slice error;        /* JSON; p == NULL: it has not failed */
    bool held;                 /* nobody folds it */
    int64_t created_us, updated_us;
};

/* One partition of one stream. */
struct part_row {
    struct place at;           /* its position */
    int32_t part;              /* its number */
    int64_t first, target, kept, folded;
    int64_t upto;              /* INT64_MAX: it follows the head */
    int64_t head, earliest;    /* of the partition */
    struct slice stream;       /* its name */
};

struct projection_state {
    struct slice key;
    struct slice state;        /* JSON; p == NULL: it was deleted */
    int64_t version;           /* events folded into the key since it was created */
    int32_t build;
    int32_t part;              /* the only one that ever touched it; -1: several did */
    int32_t last_part;         /* what changed it last */
    int64_t last_offset;
};

extern const struct stmt PROJECTION_CREATE, PROJECTION_GET, PROJECTION_LOCK, PROJECTION_LOCK_ID, PROJECTION_LIST, PROJECTION_UPDATE,
    PROJECTION_DELETE, BUILDS_OF, BUILD_GET, BUILD_ADD, BUILD_SET, PARTS_FENCE, PARTS_ADD, PARTS_OF, SKIP_ADD, PROJECTION_VIEW,
    PROJECTION_VIEW_PARTS, STATE_GET, STATES_PAGE, STATES_FOUND, STATES_OF, STREAMS_AHEAD, CHANGES_READ;

/* projection_id, name, paused and definition are set; build is 1. *ret_made: false: the name is taken, or there are `max`. */
enum err db_projection_create(struct db *db, struct projection_row *p, int64_t max, bool *ret_made, struct fault *f);
/* ERR_UNKNOWN_PROJECTION. get: no transaction is needed; lock: nobody else changes it until the end. */
enum err db_projection_get(struct db *db, struct arena *a, struct slice name, struct projection_row *ret, struct fault *f);
enum err db_projection_lock(struct db *db, struct arena *a, struct slice name, struct projection_row *ret, struct fault *f);
/* The same by id; *ret_found: false: it is gone, or somebody changes it just now. */
enum err db_projection_lock_id(struct db *db, struct arena *a, int64_t id, struct projection_row *ret, bool *ret_found,
                               struct fault *f);
/* By name, after `after`. No transaction is needed. */
enum err db_projection_list(struct db *db, struct arena *a, struct slice after, int64_t limit, struct projection_row **ret,
                            size_t *ret_n, struct fault *f);
enum err db_projection_update(struct db *db, const struct projection_row *p, struct fault *f); /* build, paused, definition */
enum err db_projection_delete(struct db *db, int64_t projection_id, struct fault *f);

/* Those that are not retired, by number. */
enum err db_builds_of(struct db *db, struct arena *a, int64_t projection_id, struct build_row **ret, size_t *ret_n,
                      struct fault *f);
/* No transaction is needed. Also one that is retired. *ret_skips: events of the projection are passed over by hand. */
enum err db_build_get(struct db *db, struct arena *a, int64_t projection_id, int32_t build, struct build_row *ret, bool *ret_found,
                      bool *ret_skips, struct fault *f);
/* projection_id, state and definition are set; sets build. */
enum err db_build_add(struct db *db, struct arena *a, struct build_row *b, const struct slice *streams, size_t n, struct fault *f);
enum err db_build_set(struct db *db, const struct build_row *b, struct fault *f); /* state, definition, error, held */

/* No step of these builds that has not ended is written any more. Waits for those that are being written. */
enum err db_parts_fence(struct db *db, struct arena *a, int64_t projection_id, const int32_t *builds, size_t n, struct fault *f);
/* stream_id, partition, first and target of n parts; those that are there stay. */
enum err db_parts_add(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const struct part_row *v, size_t n,
                      struct fault *f);
/* Of streams that there are, in the order of the build's streams. No transaction is needed. */
enum err db_parts_of(struct db *db, struct arena *a, int64_t projection_id, int32_t build, struct part_row **ret, size_t *ret_n,
                     struct fault *f);
enum err db_skip_add(struct db *db, int64_t projection_id, const struct place *at, struct fault *f);

/* --- reading: transactions of their own, each of which sees a single state --- */

struct projection_view_row {
    struct projection_row projection; /* without definition and times */
    struct slice definition, error;   /* of the build that is read */
    struct part_row *parts;           /* of that build: at, part, kept, stream */
    size_t n;
};
/* ERR_UNKNOWN_PROJECTION. last: ends the transaction, else it stays open (db_rollback). */
enum err db_projection_view(struct db *db, struct arena *a, struct slice name, bool last, struct projection_view_row *ret,
                            struct fault *f);
/* Streams of the build's definition that are not among those that were seen as its parts. */
struct stream_ahead {
    struct slice name;
    int64_t stream_id;
    int32_t partitions;
};
enum err db_streams_ahead(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const int64_t *seen, size_t stride,
                          size_t seen_n, struct stream_ahead **ret, size_t *ret_n, struct fault *f);
/* The same with one state; ret_state->key.p == NULL: it is not there. */
enum err db_projection_state(struct db *db, struct arena *a, struct slice name, struct slice key, struct projection_view_row *ret,
                             struct projection_state *ret_state, struct fault *f);

/* In an open one: states by key after `after`, from `from`, before `before`; with hashes: of those that have one of them. At most `limit`, and
 * bytes; at least one. *ret_more: there are more up to limit, or limit were found. */
struct states_query {
    struct slice after, from, before;
    const int64_t *hashes;
    size_t hash_n;
    int64_t limit, bytes;
};
enum err db_states_page(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const struct states_query *q,
                        struct projection_state **ret, size_t *ret_n, bool *ret_more, struct fault *f);
/* Those of n keys, ascending and distinct, that are there. */
enum err db_states_of(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const struct slice *keys, size_t n,
                      struct projection_state **ret, size_t *ret_n, struct fault *f);

/* What steps have changed, in an open one: of n parts, after positions. Rows come by step. */
struct change_row {
    int32_t part;
    int64_t position;
    int32_t refold;            /* the how-manieth step that stayed at the position; 0: the one that came there */
    struct slice key;
};
enum err db_changes_read(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const int32_t *parts,
                         const int64_t *positions, const int32_t *told, size_t n, int64_t steps, int64_t keys,
                         struct change_row **ret, size_t *ret_n, struct fault *f);

#endif
