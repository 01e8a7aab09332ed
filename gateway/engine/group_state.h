#ifndef WEIR_ENGINE_GROUP_STATE_H
#define WEIR_ENGINE_GROUP_STATE_H

#include "db/deliveries.h"
#include "db/groups.h"
#include "gateway/base/buf.h"
#include "gateway/engine/cursor.h"

/* What a consumer group remembers, and all its decisions. Pure: no I/O, no clock; `now` is PostgreSQL's time in unix microseconds.
 * One thread at a time. A state is loaded row by row, or made by calls; every call notes what has changed, and the caller writes
 * the changes in one transaction. When that fails, the whole state is dropped and loaded anew.
 *
 * Of an event only this is known here: where it is, and the hash of its key. */
struct group_state;

/* The hash of what events are ordered by: partitionkey, else subject; 0: it has none. */
uint64_t group_key_hash(struct slice key);

/* Limits of a call. */
#define RECEIVE_MAX 1000
#define DELIVERY_ID 64          /* text, with its NUL */

struct group_state *group_state_new(const struct group_row *def, size_t partitions); /* copies def; NULL: no memory */
void group_state_free(struct group_state *s);                                        /* NULL-safe */
const struct group_row *group_state_def(const struct group_state *s);
int64_t *group_state_next(struct group_state *s);   /* of each partition, the first offset that was not looked at */

/* What a delivery is called outside. */
struct delivery_id {
    uint16_t tag;               /* of the group's incarnation */
    int32_t generation;
    int64_t lease;
    struct group_place at;
};
void delivery_id_format(const struct delivery_id *id, char out[DELIVERY_ID]);
bool delivery_id_parse(struct slice text, struct delivery_id *ret); /* false: malformed */

/* --- calls. The memory of `a` holds what has changed, until the caller has written it. After a call that ran out of memory
 * (group_state_failed) the state is of no use: drop it. --- */
void group_state_begin(struct group_state *s, struct arena *a, int64_t now_us,
                       int64_t seq); /* of the row that will be written */
bool group_state_failed(const struct group_state *s);

enum finish { FINISH_ACK, FINISH_NACK, FINISH_REJECT, FINISH_EXTEND };
struct finish_call {
    enum finish how;
    int64_t delay_us;           /* NACK: instead of the backoff; -1: none given */
    int64_t by_us;              /* EXTEND */
    struct slice error;         /* a JSON object; p == NULL: none given */
    struct slice error_type, error_message; /* its members, unescaped */
};
/* false: stale. */
bool group_state_finish(struct group_state *s, const struct delivery_id *id, const struct finish_call *call);
/* The answer could not be given: what it handed out goes back uncounted. */
void group_state_release(struct group_state *s, int64_t lease);
/* An event that was just handed out is not given after all: it goes back uncounted. */
void group_state_give_back(struct group_state *s, const struct group_place *at);
/* Deadlines that have passed fail what they are of. */
void group_state_expire(struct group_state *s);
/* Retention has removed what is before `earliest`. true: some of it, from *ret_from on, was not finished and nobody has it. */
bool group_state_lost(struct group_state *s, int32_t partition, int64_t earliest, int64_t *ret_from);
/* An event that was handed out cannot be read any more. */
void group_state_forget(struct group_state *s, const struct group_place *at);

/* A receive: begin, then what is due, then fresh events in the order of their partitions, then end. */
struct handed {
    struct group_place at;
    int32_t attempt;            /* from 1 */
    bool has_letter;
    uint8_t letter[16];         /* the event is this letter's */
};
void group_state_open(struct group_state *s, int64_t deadline_us, struct slice consumer, size_t max);
bool group_state_take(struct group_state *s, struct handed *ret); /* the next that is due; false: nothing (more) */
bool group_state_wants(const struct group_state *s, int32_t partition); /* a fresh event of it could be handed out,
    or looked at */
enum offer { OFFER_TAKEN, OFFER_PASSED, OFFER_REFUSED }; /* REFUSED: not now; its offset stays the next one */
/* The event at `next` of a partition; `wanted` says whether the types of the group cover it. */
enum offer group_state_offer(struct group_state *s, int32_t partition, int64_t offset, uint64_t key, bool wanted,
                             struct handed *ret);
int64_t group_state_close(struct group_state *s); /* its lease, for delivery ids; 0: nothing was handed out */
uint16_t group_state_tag(const struct group_state *s);
int32_t group_state_generation(const struct group_state *s);

/* --- what has changed since begin --- */
struct retry_change {
    struct group_place at;
    uint64_t key;
    int32_t failures;
    int64_t not_before_us;
    bool single, has_letter;
    uint8_t letter[16];
    struct slice entry;         /* of the history: a JSON object */
};
struct death {
    struct group_place at;
    uint64_t key;
    int32_t failures;
    const char *reason;         /* max-retries, rejected */
    bool has_letter;
    uint8_t letter[16];
    struct slice entry, error, error_type, error_message; /* the call's, but for entry */
};
struct letter_ref {
    uint8_t id[16];
};
struct group_changes {
    struct retry_change *retries;
    size_t retries_n;
    struct group_place *retries_gone;
    size_t retries_gone_n;
    struct lease_row *leases;
    size_t leases_n;         /* new */
    struct lease_row *leases_changed;
    size_t leases_changed_n; /* but for items, keys, began and consumer */
    int64_t *leases_gone;
    size_t leases_gone_n;
    struct skip_row *skips;
    size_t skips_n;          /* new or changed */
    int64_t *skips_gone;
    size_t skips_gone_n;
    struct death *deaths;
    size_t deaths_n;
    struct letter_ref *resolved;
    size_t resolved_n;      /* letters whose events were acked */
    bool any;                       /* something has to be written; positions count too */
    int64_t lease_floor;
    int64_t acked, nacked, expired, delivered; /* for metrics */
};
bool group_state_changes(struct group_state *s, struct group_changes *ret); /* in the arena; false: no memory */

/* --- loading, in this order: positions (group_state_next), retries, leases, skips --- */
bool group_state_restore(struct group_state *s, int32_t generation, int64_t lease_floor);
bool group_state_load_retry(struct group_state *s, const struct retry_change *r);
/* keys: the hashes of what its events are ordered by, 8 bytes each; empty: they have none. They are not stored: the caller finds them. */
bool group_state_load_lease(struct group_state *s, const struct lease_row *r);
size_t group_lease_places(struct slice items, struct group_place *ret, size_t max); /* how many there are; at most max are given */
bool group_state_load_skip(struct group_state *s, const struct skip_row *r);
void group_state_loaded(struct group_state *s); /* what may go out is found */

/* Unix us: when time alone changes something after this call: a deadline, and while receives wait a backoff. What is due already
 * and did not go out (paused, max_in_flight) waits for a call instead. INT64_MAX: none. */
int64_t group_state_alarm(const struct group_state *s, bool waiting);
bool group_state_busy(const struct group_state *s);   /* something is not finished */

/* --- figures: status, explain, metrics --- */
struct group_figures {
    int64_t in_flight;          /* handed out and not finished */
    int64_t retrying;           /* waiting after a failure, or redriven and not yet handed out */
    int64_t skipped;
    int64_t blocked_keys;       /* keys that something waits behind */
    int64_t next_due_us;        /* the first retry that can go out, or deadline that passes; INT64_MAX: none */
    int64_t oldest_offset[PARTITIONS_MAX]; /* of all that is not finished below next; INT64_MAX: none */
    int64_t next[PARTITIONS_MAX];
    int64_t part_in_flight[PARTITIONS_MAX], part_retrying[PARTITIONS_MAX], part_skipped[PARTITIONS_MAX];
};
void group_state_figures(const struct group_state *s, struct group_figures *ret);
/* Up to max keys that block others, by how many wait behind them: what each waits for. */
struct group_blocker {
    struct group_place at;            /* the event that blocks */
    int64_t behind;             /* events that wait for it */
    bool leased;                /* handed out; else it waits for until_us */
    int64_t until_us;           /* its deadline, or when its backoff ends */
    int32_t failures;
};
int64_t group_state_retry_due(const struct group_state *s); /* unix us: when the first retry can go out; INT64_MAX: none can */
size_t group_state_blockers(const struct group_state *s, struct group_blocker *ret, size_t max);

#endif
