#ifndef WEIR_ENGINE_SUBJECTS_H
#define WEIR_ENGINE_SUBJECTS_H

#include "db/subjects.h"
#include "gateway/engine/read.h"

/* A stream read by subject: the events of one aggregate by version, and snapshots of its state. All of these block; stream_id is one
 * that a cache may have outlived: ERR_UNKNOWN_STREAM then. ERR_UNKNOWN_SUBJECT: neither event nor snapshot (current_version 0). */
struct subject_spec {
    struct slice subject;
    int64_t from;             /* the first version wanted */
    bool snapshot;            /* begin with the snapshot, if one is stored: then `from` is the version after it */
    int64_t unless;           /* the caller has what there is at this version; -1: nothing */
    int64_t limit;            /* events */
    int64_t bytes;            /* of them, stored; at least one comes */
    int64_t scan;             /* offsets looked at where the index has nothing */
};

struct subject_page {
    int64_t version;          /* the subject's; all of the page is of one moment */
    bool unchanged;           /* it is spec.unless, and nothing was read */
    struct snapshot_row snapshot; /* version 0: none */
    struct event *events;     /* `from` and what follows, each version there; in the arena, as what they point to */
    size_t n;
    int64_t next;             /* the first version that is not in the page; version + 1: none is missing */
};

/* Never leaves out a version: ERR_VERSION_GONE (with current_version and earliest_version) for those that retention has removed or
 * that are beyond the subject's; ERR_SUBJECT_READS_OFF where more than spec->scan events would have to be looked at. */
enum err subjects_read(struct db *db, struct arena *a, int64_t stream_id, const struct subject_spec *spec, struct subject_page *ret,
                       struct fault *f);
enum err subjects_version(struct db *db, int64_t stream_id, struct slice subject, int64_t *ret, struct fault *f);

/* ERR_UNKNOWN_SNAPSHOT */
enum err subjects_snapshot_get(struct db *db, struct arena *a, int64_t stream_id, struct slice subject, struct snapshot_row *ret,
                               struct fault *f);
/* The state at a version that the subject has had, unless a later one is stored (ERR_SNAPSHOT_VERSION for both). Sets updated_us. */
enum err subjects_snapshot_put(struct db *db, struct arena *a, int64_t stream_id, struct snapshot_row *snapshot, bool *ret_first,
                               struct fault *f);
enum err subjects_snapshot_delete(struct db *db, int64_t stream_id, struct slice subject, struct fault *f);

#endif
