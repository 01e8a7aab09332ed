#ifndef WEIR_DB_SUBJECTS_H
#define WEIR_DB_SUBJECTS_H

#include "db/db.h"
#include "db/read.h"

extern const struct stmt SUBJECT_LOOK, SUBJECT_PAGE, SUBJECT_BEFORE, SUBJECT_SCAN, SNAPSHOT_GET, SNAPSHOTS_HOLD, SNAPSHOTS_PUT,
    SNAPSHOT_DELETE;

/* Where a subject stands. */
struct subject_row {
    int32_t partition;
    int64_t version;          /* of its last event; 0: there is no such subject */
    int64_t last_offset;      /* of that event */
    int64_t earliest;         /* the first offset that its partition still has */
    bool unindexed;           /* events of the stream may have been recorded while its subject_reads was off */
    int64_t from_us, to_us;   /* the months that can hold its events */
    int64_t snapshot_version; /* 0: none is stored */
};

/* The state that a subject had at a version. */
struct snapshot_row {
    struct slice subject;
    int64_t version;          /* from 1 */
    struct slice state;       /* JSON, byte for byte as it was given */
    int64_t updated_us;
};

/* ERR_UNKNOWN_STREAM: deleted meanwhile. No such subject is no error. */
enum err db_subject_look(struct db *db, int64_t stream_id, struct slice subject, struct subject_row *ret, struct fault *f);
/* The same as the first thing of a transaction that sees a single state, which is left open. */
enum err db_subject_begin(struct db *db, int64_t stream_id, struct slice subject, struct subject_row *ret, struct fault *f);
/* What the index has of its events, from a version on, in order, up to a limit and to so many bytes; at least one. Rows: as struct
 * page_row. snapshot (may be NULL): the stored one too. `last`: ends the transaction. The caller frees both rows, on failure too. */
enum err db_subject_page(struct db *db, int64_t stream_id, struct slice subject, const struct subject_row *s, int64_t from,
                         int64_t limit, int64_t bytes, bool last, struct rows *ret_snapshot, struct rows *ret_page,
                         struct fault *f);
/* The highest offset of what the index has below that version; 0: nothing. */
enum err db_subject_before(struct db *db, int64_t stream_id, struct slice subject, const struct subject_row *s, int64_t version,
                           int64_t *ret_offset, struct fault *f);
/* The same as db_subject_page without the index: looks at each of the offsets after `after` and before `end`. */
enum err db_subject_scan(struct db *db, int64_t stream_id, struct slice subject, const struct subject_row *s, int64_t after,
                         int64_t end, int64_t from, int64_t limit, int64_t bytes, struct rows *ret, struct fault *f);

/* Snapshots. Slices live as long as the rows, or in the arena. */
enum err db_snapshot_get(struct db *db, struct arena *a, int64_t stream_id, struct slice subject, struct snapshot_row *ret,
                         struct fault *f); /* version 0: there is none */
void db_snapshot_row(const struct rows *r, struct slice subject, struct snapshot_row *ret);

/* For a transaction that has folded events of one partition: queues two statements that store these snapshots, each subject once.
 * Those of a subject that is not (any more) in the partition, or has not come to the version, and those that are not newer than
 * the stored one are passed over. `same`: one of the same version is replaced. Rows of the second statement: of each that was
 * stored, whether it is the subject's first. Until the transaction ends retention waits for the partition, publishers do not.
 * Several such calls in one transaction: in the order of stream and partition. false: the arena is out of memory; see db_abandon. */
#define SNAPSHOTS_PUT_STATEMENTS 2
bool db_snapshots_put(struct db *db, struct arena *a, int64_t stream_id, int32_t partition, const struct snapshot_row *v, size_t n,
                      bool same, int64_t now_us);
/* A subject that has no event any more goes with it. *ret_gone false: there was none. */
enum err db_snapshot_delete(struct db *db, int64_t stream_id, int32_t partition, struct slice subject, bool *ret_gone,
                            struct fault *f);

#endif
