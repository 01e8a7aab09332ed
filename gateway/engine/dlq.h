#ifndef WEIR_ENGINE_DLQ_H
#define WEIR_ENGINE_DLQ_H

#include "db/groups.h"
#include "db/letters.h"
#include "gateway/base/buf.h"
#include "gateway/base/json_edit.h"

/* The dead letter queue of a stream: looking at letters, mending them, sending them back to their groups. All block. What is read
 * lives as long as the arena. docs/decisions/0008-consumer-groups.md */

#define DLQ_NOTE_MAX 500 /* bytes of the reason that a caller gives */

struct letter_page {
    struct letter_row *v;
    size_t n;
    bool more;           /* older ones match too */
};
/* As db_letters_list. */
enum err dlq_list(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *filter, const uint8_t *before,
                  int64_t limit, int64_t bytes, struct letter_page *ret, struct fault *f);
/* ERR_UNKNOWN_LETTER. lock: inside a transaction, nobody else changes it until the end. */
enum err dlq_get(struct db *db, struct arena *a, int64_t stream_id, const uint8_t id[16], bool lock, struct letter_row *ret,
                 struct fault *f);
/* Triage: letters by fingerprint, the most frequent first. */
struct letter_summary {
    struct letter_kind *v;
    size_t n;
    bool more;
};
enum err dlq_summary(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *filter,
                     const struct letter_kind *after, int64_t limit, struct letter_summary *ret, struct fault *f);

const char *letter_state_word(int state);
/* A letter as JSON, as openapi.yaml has it. */
void dlq_render(struct buf *out, struct slice stream, const struct letter_row *l);

/* Patches the data of a parked letter, inside a transaction; bytes that the patch does not touch stay, and so does the first original.
 * ERR_CONFLICT: not parked. ERR_PATCH_FAILED: the data are not JSON, or lack what a pointer leads to. ERR_PATCH_TEST_FAILED;
 * ERR_BAD_JSON, ERR_BAD_BODY: the patch is malformed; ERR_EVENT_TOO_LARGE: the data would be, or would nest too deep. */
enum letter_patch { PATCH_MERGE, PATCH_JSON }; /* RFC 7396, RFC 6902 */
enum err dlq_repair(struct db *db, struct arena *a, int64_t stream_id, const uint8_t id[16], enum letter_patch kind,
                    struct slice patch, const struct edit_limits *limits, struct letter_row *ret_before,
                    struct letter_row *ret_after, struct fault *f);

/* What became of each letter. */
enum letter_fate {
    FATE_MOVED,
    FATE_NOT_PARKED,     /* when it was looked at: redriven, discarded, resolved */
    FATE_NO_GROUP,       /* its group was deleted: nothing to redrive to */
    FATE_UNKNOWN         /* there is no such letter (any more) */
};
struct letter_moves {
    enum letter_fate *fates; /* of ids[i] */
    size_t moved;
    int64_t *groups;     /* ids of those that were claimed: groups_poke after the commit */
    size_t group_n;
};

/* Inside a transaction that holds no lock yet which comes later in the order: groups, what they remember, letters, outbox.
 *
 * redrive: parked letters go back to their groups, each as a retry that is due now, with its attempts reset. Locks and claims the
 * groups concerned. A redrive by hand (not `automatic`) clears `poison`. ERR_DB_UNIQUE, ERR_DB_RETRY: a lane was faster; roll back
 * and do the whole transaction again, DLQ_TRIES times at most.
 * note: why, p == NULL: not said. n: 10,000 at most (jobs.batch), no id twice. Ids by filter: db_letters_match, db_letters_count. */
#define DLQ_TRIES 10
enum err dlq_redrive(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n, struct slice note,
                     bool automatic, struct letter_moves *ret, struct fault *f);
enum err dlq_discard(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n, struct slice note,
                     struct letter_moves *ret, struct fault *f);

#endif
