#ifndef WEIR_ENGINE_GROUPS_MANAGE_H
#define WEIR_ENGINE_GROUPS_MANAGE_H

#include "db/groups.h"
#include "gateway/engine/read.h"

/* Consumer groups as those who run them see them: definitions and positions. All block, on the connection's thread; what is read
 * lives as long as the arena. */
void groups_defaults(struct group_row *g);

/* Where a group begins, or is moved to. */
struct group_to {
    enum read_from from;
    int64_t time_us;         /* READ_TIME */
    struct slice cursor;     /* READ_CURSOR */
    const char *pointer;     /* where the request says so: faults point there */
};

/* Inside a transaction of the caller's (audit_begin). ERR_DB_UNIQUE, ERR_DB_RETRY: a lane of the group was faster; the caller rolls
 * back and does all of it again, GROUPS_TRIES times at most. After the commit of a change: groups_poke. */
#define GROUPS_TRIES 10

/* Creates the group, at `start`, or replaces its settings and leaves its position: then *ret_before is what they were. g is
 * completed with ids and times. most: groups that a stream may have (ERR_CONFLICT). */
enum err groups_put(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct group_row *g,
                    const struct group_to *start, int64_t most, struct group_row *ret_before, bool *ret_created,
                    struct fault *f);
/* With all it remembers; its dead letters stay. */
enum err groups_delete(struct db *db, struct arena *a, struct slice stream, struct slice name, struct group_row *ret_before,
                       struct fault *f);
/* What was delivered before is stale then. */
enum err groups_seek(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct slice name,
                     const struct group_to *to, struct group_row *ret, int64_t ret_next[PARTITIONS_MAX],
                     size_t *ret_partitions, struct fault *f);

/* The stream as it is now: a reference for the caller. */
enum err groups_stream(struct streams *streams, struct db *db, struct arena *a, struct slice stream, struct stream **ret,
                       struct fault *f);
/* By name, after `after`, at most limit; *ret_more: there is another one. */
enum err groups_list(struct db *db, struct arena *a, struct slice stream, struct slice after, size_t limit,
                     struct group_row **ret, size_t *ret_n, bool *ret_more, struct fault *f);

#endif
