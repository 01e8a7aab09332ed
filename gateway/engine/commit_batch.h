#ifndef WEIR_ENGINE_COMMIT_BATCH_H
#define WEIR_ENGINE_COMMIT_BATCH_H

#include "db/publish.h"
#include "gateway/engine/commit.h"

/* One transaction of a lane: the requests that were waiting, in lots: one a stream.
 *
 * Two ways to write it. Events without an id and subject of their own, published without an Idempotency-Key, need no decision: heads
 * move and events are appended in one round trip (`plain`). Else the first round trip locks the heads and then looks up keys, ids and
 * versions, commit_decide settles each request in order, and the second one writes (lock first, look second: storage rules in
 * docs/architecture.md). */
struct slot_part {
    int32_t partition;
    bool locked;             /* its head row was there */
    int64_t head;            /* before the batch; -1: not known (plain) */
    int64_t recorded_us;     /* of the events of this batch */
    int64_t n, bytes;        /* added by the batch */
};

struct slot_id {             /* a (source, id) of the batch, by key */
    uint8_t key[16], fingerprint[16];
    bool known;              /* recorded before, or by an earlier event of the batch */
    bool expired;            /* a row is there whose window is over */
    int32_t partition;
    int64_t offset, version, recorded_us;
    bool ours;               /* recorded by this batch */
};

struct slot_key {            /* an Idempotency-Key of the batch, by key */
    uint8_t key[16], wanted[16]; /* wanted: the fingerprint of the first request under it */
    uint8_t fingerprint[16];     /* if known */
    bool known;              /* an answer is kept under it, or will be by an earlier request of the batch */
    bool expired;            /* a row is there whose window is over */
    int status;
    struct slice answer, cursor; /* p == NULL: kept, but for another request than asked for it */
    const struct publish *ours;  /* whose answer this batch keeps */
};

struct slot_subject {        /* a subject of the batch, by name */
    struct slice subject;
    bool stored;             /* a row is there */
    int32_t partition;
    int64_t stored_version, version, last_offset;
};

struct lot {               /* one stream's part */
    struct stream *stream;
    struct publish **pub;
    size_t pub_n;
    struct slot_part part[PARTITIONS_MAX];
    size_t part_n;           /* sorted by partition */
    int8_t part_of[PARTITIONS_MAX]; /* partition → index into part; -1 */
    struct slot_id *ids;     /* sorted by key, distinct */
    size_t id_n;
    struct slot_subject *subjects; /* sorted by subject, distinct */
    size_t subject_n;
    struct slot_key *keys;   /* sorted by key, distinct */
    size_t key_n, kept_n;    /* kept_n: answers that this batch keeps */
    struct rows key_rows;    /* what the slots' answers point into, until all is decided */
    struct event **accepted; /* in the order decided */
    size_t accepted_n, event_n;
    bool plain;
    bool found;              /* batch_outcome: its events are there */
};

struct batch {
    struct arena *arena;
    struct publish **pub;    /* all of them, in order of arrival */
    size_t n;
    struct lot *lots;    /* sorted by stream id: heads are locked in this order everywhere */
    size_t lot_n;
    int64_t now_us;          /* unix */
    int64_t key_window_us;   /* an answer is kept for so long */
    bool plain;              /* all lots are, and their heads and months are known */
};

/* commit_batch.c: sorts the requests into lots (stable), collects partitions, ids and subjects. ERR_NO_MEMORY. */
enum err batch_sort_out(struct batch *b);
/* commit_decide.c, pure: settles every request of a lot that was looked up: duplicates, optimistic locks, offsets. */
void lot_decide(struct lot *g, int64_t now_us);
struct slot_id *lot_id(struct lot *g, const uint8_t key[16]);
struct slot_key *lot_key(struct lot *g, const uint8_t key[16]);
struct slot_subject *lot_subject(struct lot *g, struct slice subject);
/* commit_write.c: */
void lot_refuse(struct lot *g); /* its stream was deleted */
/* One attempt at the whole transaction. OK: committed (or nothing to write). Errors as db_flush's. */
enum err batch_write(struct batch *b, struct db *db);
/* commit_outcome.c: after ERR_OUTCOME_UNKNOWN, on a new connection: *ret_committed. Waits for what is still running. A batch that
 * recorded no event but kept an answer counts as not committed: deciding it again finds the answer. */
enum err batch_outcome(struct batch *b, struct db *db, bool *ret_committed);

int32_t month_index(int64_t unix_us); /* year * 12 + month - 1, UTC */

#endif
