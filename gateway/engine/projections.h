#ifndef WEIR_ENGINE_PROJECTIONS_H
#define WEIR_ENGINE_PROJECTIONS_H

#include "db/projection_checks.h"
#include "db/projections.h"
#include "gateway/base/config.h"
#include "gateway/engine/cursor_many.h"
#include "gateway/engine/projection_body.h"
#include "gateway/engine/tail.h"

/* Projections: states folded from events, by key. A build of a projection has a part for each partition of its streams. A gateway claims
 * a part (epoch + 1) and folds it step by step; a step is one transaction: the part's position, the states that it changed, and which
 * they were, all of it only if epoch and position still are what the gateway thinks. docs/decisions/0012-projections.md
 *
 * Calls that take a db block, on the connection's thread; what they return lives as long as the arena. */
struct projections;

/* All outlive it. NULL: no memory. */
struct projections *projections_start(const struct config *c, const struct db_config *db, struct tail *tail,
                                      struct streams *streams);
void projections_stop(struct projections *p); /* before the tail; its parts are free for others at once. NULL-safe */
void projections_free(struct projections *p); /* after the tail; NULL-safe */

/* --- changes: inside a transaction of the caller's (audit_begin), then projections_poke after its commit ---
 * ERR_DB_UNIQUE, ERR_DB_RETRY: somebody else changed it too: roll back and do all of it again, PROJECTIONS_TRIES times at most.
 * ERR_UNKNOWN_PROJECTION. When the commit is answered, nothing is folded any more by what was before. */
#define PROJECTIONS_TRIES 10

struct projection_change {
    int64_t projection_id;
    struct slice before, after;  /* definitions, JSON; p == NULL: there was none, or is none */
    bool created;
    bool paused_before;
    bool resumed;                /* it was paused or had failed, and goes on */
    int32_t build;               /* a build that was begun by it; 0: none */
    int32_t instead_of;          /* a build that had not yet caught up and was given up for it; 0: none */
};

/* Creates it, or replaces its definition: what changes the fold is built beside what is read, and swapped in. The definition's streams
 * exist (ERR_UNKNOWN_STREAM with a pointer) and have PROJECTION_PARTS_MAX partitions together (ERR_TOO_MANY_PARTITIONS). ERR_CONFLICT:
 * there are projections.max projections. */
#define PROJECTION_PARTS_MAX CURSOR_PARTS_MAX
enum err projections_put(struct projections *p, struct db *db, struct arena *a, struct slice name,
                         const struct projection_definition *def, struct projection_change *ret, struct fault *f);
enum err projections_delete(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                            struct fault *f);
enum err projections_pause(struct projections *p, struct db *db, struct arena *a, struct slice name, struct projection_change *ret,
                           struct fault *f);
/* Goes on when it is paused or has failed. skip: passes over the event at which it stands, which has to be this one (ERR_CONFLICT), in this
 * build and in all later ones; NULL: none. ERR_CONFLICT: nothing was paused or had failed, with a skip. */
struct projection_skip {
    struct slice stream;
    int32_t partition;
    int64_t offset;
};
enum err projections_resume(struct projections *p, struct db *db, struct arena *a, struct slice name,
                            const struct projection_skip *skip, struct projection_change *ret, struct fault *f);
/* A new build of the newest definition, from its `start` (`latest`: where what is read began), or from `from` (NULL: not given). One that
 * has not caught up is given up. */
struct projection_start {
    enum read_from from;         /* READ_EARLIEST, READ_LATEST, READ_TIME */
    int64_t time_us;             /* READ_TIME */
};
enum err projections_rebuild(struct projections *p, struct db *db, struct arena *a, struct slice name,
                             const struct projection_start *from, struct projection_change *ret, struct fault *f);

void projections_poke(struct projections *p, int64_t projection_id); /* any thread */

/* --- looking --- */

/* Where a projection stands, of one moment. */
struct projection_stream {
    struct slice name;
    int64_t stream_id;
    int32_t partitions;
    size_t first;                /* of its positions */
};
struct projection_view {
    int64_t projection_id;
    int32_t build;               /* the one that is read */
    bool paused;
    struct slice name, definition; /* what that build folds by */
    struct slice error;          /* p == NULL: it has not failed; else JSON: stream, partition, offset, id, type, detail, at */
    struct projection_stream *streams; /* in the order of the definition, those that exist */
    size_t stream_n, n;          /* n: partitions of all streams */
    int64_t *pos;                /* of each: the last offset folded */
    int32_t *part;               /* of each: its number in the build */
    int64_t *kept;               /* of each: changes after this one are remembered */
    int32_t *told;               /* of a reader's view: how many steps that stayed at pos it has; NULL: none */
};
enum err projections_look(struct db *db, struct arena *a, struct slice name, struct projection_view *ret, struct fault *f);

/* The position as a cursor: of one stream its own, of several one of all; out holds CURSOR_TEXT bytes. Returns the length; 0: there is
 * none, as none of its streams exists (or it would be too long: offsets above 2^27 in 256 partitions). */
size_t projection_position(const struct projection_view *v, const int64_t *pos, char *out);
/* Positions from such a text, as v has them: for Last-Event-ID. ERR_BAD_CURSOR, ERR_CURSOR_FOREIGN, ERR_CURSOR_UNKNOWN, ERR_CURSOR_PARTIAL. */
enum err projection_positions(struct arena *a, const struct projection_view *v, struct slice text, int64_t **ret_pos,
                               struct fault *f);

/* What at_least asks for: a position of its own, a cursor of one of its streams, of some of them, or a receipt's; `earliest`, `latest` (the heads
 * of this moment). The same errors, without ERR_CURSOR_PARTIAL; ERR_CURSOR_UNKNOWN also: beyond the head. */
struct projection_target {
    size_t n;
    struct place *v;             /* reached when each of these was folded */
    size_t ahead;                /* the last ones: of streams that were just made, and that the projection does not have yet */
};
enum err projections_target(struct db *db, struct arena *a, const struct projection_view *v, struct slice text,
                            struct projection_target *ret, struct fault *f);
bool projection_reached(const struct projection_view *v, const struct projection_target *t); /* pure; streams that are gone are passed over */

/* --- states --- */

/* One state with where the projection stood. ret->key.p == NULL: the key has none. */
enum err projections_state(struct db *db, struct arena *a, struct slice name, struct slice key, struct projection_view *ret_view,
                           struct projection_state *ret, struct fault *f);
/* Incarnation and build of the projection, part and offset of the last change, without quotes: equal for equal states only. Returns its
 * length. */
#define PROJECTION_ETAG 80
size_t projection_etag(const struct projection_view *v, const struct projection_state *s, char out[PROJECTION_ETAG]);

/* Pages of states, by key. A page ends early when `budget` rows were looked at or it is `bytes` large; then next is set. where: as requests
 * write it, "/status=open" (fold.h: ERR_BAD_PARAMETER); all of them have to hold. */
#define PROJECTION_WHERE_MAX 8
struct projection_query {
    struct slice prefix, after;  /* p == NULL: none */
    const struct slice *where;
    size_t where_n;
    size_t limit, bytes, budget;
};
struct projection_page {
    struct projection_state *v;
    size_t n;
    struct slice next;           /* `after` of the next page; p == NULL: this was the last */
};
enum err projections_states(struct projections *p, struct db *db, struct arena *a, struct slice name,
                            const struct projection_query *q, struct projection_view *ret_view, struct projection_page *ret,
                            struct fault *f);

/* Which states have changed since a position, each once, as it is now (state.p == NULL: deleted). */
struct projection_changes_query {
    int32_t build;               /* what the reader saw; 0: not known */
    const int64_t *pos;          /* as the reader's view has them, n of them, with its streams */
    const struct projection_view *seen; /* that view */
    struct slice prefix;         /* p == NULL: any key */
    size_t keys, bytes;          /* at most about so many; at least one step of a part is taken whole */
};
struct projection_changes {
    struct projection_state *v;
    size_t n;
    int64_t *pos;                /* of the new view: where the reader is now */
    int32_t *told;               /* there, as in a view */
    bool gap;                    /* not all is remembered, or another build is read now: pos are that one's, v is empty */
    bool up_to_date;
};
enum err projections_changes(struct db *db, struct arena *a, struct slice name, const struct projection_changes_query *q,
                             struct projection_view *ret_view, struct projection_changes *ret, struct fault *f);

/* --- waiting: any thread --- */

/* wake(arg, more) is called, under a lock (it must only mark and poke), after steps of any gateway that concern it, and after each change of
 * the projection itself; with a target only when that may be reached. Look after this, and look now and then without being woken (every second):
 * notifications may get lost. The target is copied. NULL: no memory. */
struct projection_watch;
struct projection_watch *projections_watch(struct projections *p, int64_t projection_id, const struct projection_target *target,
                                           void (*wake)(void *arg, bool more), void *arg);
void projections_unwatch(struct projections *p, struct projection_watch *w); /* NULL-safe; `wake` is not called after it */

/* --- status --- */

enum projection_condition { PROJECTION_RUNNING, PROJECTION_PAUSED, PROJECTION_FAILED, PROJECTION_REBUILDING };
#define PROJECTION_CONDITION_WORDS "running paused failed rebuilding" /* the first of failed, paused, rebuilding */

struct projection_part_status {
    struct slice stream;
    int32_t partition;
    int64_t position, head;
};
struct projection_build_status {
    int32_t build;
    struct slice definition, error;
    int64_t created_us;
    int64_t folded;              /* events */
    int64_t done, total;         /* offsets behind it, and all up to the heads */
};
struct projection_status {
    struct slice name, definition; /* as it was put last */
    int64_t projection_id;
    bool paused;
    enum projection_condition condition;
    struct projection_build_status active, building; /* building.build == 0: there is none */
    struct projection_part_status *parts; /* of the active one */
    size_t part_n;
    struct slice position;       /* cursor; p == NULL: none of its streams exists */
    int64_t lag_events, lag_us;  /* offsets up to the heads; the age of the oldest of them */
    bool verified;
    struct check_row last_check; /* if verified: without what it found */
    int64_t created_us, updated_us;
};
enum err projections_get(struct db *db, struct arena *a, struct slice name, struct projection_status *ret, struct fault *f);
/* Up to `limit` for which visible(arg, name), by name, after `after`; *ret_more: there is another one. */
enum err projections_list(struct db *db, struct arena *a, struct slice after, size_t limit,
                          bool (*visible)(const void *arg, struct slice name), const void *arg, struct projection_status **ret,
                          size_t *ret_n, bool *ret_more, struct fault *f);

#endif
