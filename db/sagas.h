#ifndef WEIR_DB_SAGAS_H
#define WEIR_DB_SAGAS_H

#include "db/db.h"

/* Sagas: definitions, and the transactions of their instances (weir.sagas, saga_instances, saga_steps, saga_history, saga_inbox,
 * saga_members). Slices belong to the arena they were read into; times are unix microseconds. What is read of them to be shown:
 * sagas_read.h; awaits: saga_waits.h. */

struct saga_key {                  /* of an instance */
    int64_t saga_id;
    struct slice id;
};

struct saga_keys {
    struct saga_key *v;            /* not NULL, also for n == 0 */
    size_t n;
};

struct saga_row {
    int64_t saga_id;
    int32_t version;               /* the newest */
    struct slice name;
    struct slice definition;       /* of that version; p == NULL where it was not asked for */
};

struct saga_instance_row {
    struct saga_key key;
    int32_t version;
    int16_t state;                 /* enum saga_state */
    int16_t pivot_sent;
    int64_t seq;
    struct slice input;            /* JSON */
    uint8_t hash[16];              /* of it */
    struct slice cause, traceparent; /* p == NULL: none */
    int64_t deadline_us;           /* INT64_MAX: none */
    int64_t created_us, updated_us;
    int64_t ended_us;              /* 0: not yet */
};

struct saga_step_row {
    struct saga_key key;
    int16_t step, kind, status;
    int16_t unknown;
    int32_t attempts;
    int32_t texts;                 /* of an update, bits: result, error, early, request, answer are written; the others stay */
    int64_t due_us;                /* INT64_MAX: none */
    int64_t owner;
    struct slice target, awaits;   /* of an insert; p == NULL: none */
    struct slice result, error, early, request, answer;
    int64_t begun_us, ended_us;    /* 0: not yet */
    int64_t ended_seq;             /* 0: not yet */
    int32_t round;
    struct slice event;            /* saga_inbox_row.id; p == NULL: none */
};

struct saga_history_row {
    struct saga_key key;
    int64_t seq;
    int16_t n;                     /* within the transition */
    int32_t nth;                   /* in this transaction */
    int64_t at_us;
    struct slice type, step;       /* step: name, p == NULL: none */
    struct slice data;             /* JSON, as it is kept */
    struct slice name;             /* of the saga */
    struct slice traceparent;
    struct slice told;             /* JSON, data of the event on saga.<name> */
};

struct saga_inbox_row {            /* an event that was found for an instance */
    struct saga_key key;
    int16_t step, kind;            /* step -1: it starts the instance */
    struct slice event;            /* JSON */
    struct slice id;               /* which: <stream_id>-<partition>-<offset> */
};

extern const struct stmt SAGA_CREATE, SAGAS_COUNT, SAGA_LOCK, SAGA_VERSION_ADD, SAGA_DELETE, SAGA_UNFINISHED,
    SAGAS_FIND, SAGAS_HOLD, SAGA_DEFINITION, SAGA_MOMENT, SAGA_OUTCOME, SAGA_INBOX_TAKE, SAGA_INBOX_FIRST,
    SAGA_INSTANCES_LOCK, SAGA_STEPS_LOAD, SAGA_INSTANCES_INSERT, SAGA_INSTANCES_UPDATE, SAGA_STEPS_INSERT,
    SAGA_STEPS_UPDATE, SAGA_HISTORY_ADD, SAGA_DUE, SAGA_AWAITS_STREAMS, SAGA_AWAITS_DUE, SAGA_INBOX_ANY,
    SAGA_TARGETS_DUE, SAGA_CALLS_DUE, SAGA_MEMBER_BEAT, SAGA_MEMBER_LEAVE, SAGA_MEMBERS_FORGET, SAGA_OWNERS_GONE,
    SAGA_ATTEMPTS_OF, SAGA_ENDED_REMOVE, SAGAS_FORSAKEN, SAGA_FORSAKEN_REMOVE, SAGA_FORGET;

/* --- definitions: inside a transaction --- */

struct saga_steps {                /* names, by number, each `size` bytes after the one before */
    const struct slice *name;
    size_t size, n;
};
/* saga_id, name and definition are set. *ret_made: false: the name is taken, or there are `max`. */
enum err db_saga_create(struct db *db, struct arena *a, const struct saga_row *row, const struct saga_steps *steps, int64_t max,
                        bool *ret_made, struct fault *f);
enum err db_sagas_count(struct db *db, int64_t *ret, struct fault *f);
/* ERR_UNKNOWN_SAGA */
enum err db_saga_lock(struct db *db, struct arena *a, struct slice name, struct saga_row *ret, struct fault *f);
/* saga_id, version and definition are set. */
enum err db_saga_version_add(struct db *db, struct arena *a, const struct saga_row *row, const struct saga_steps *steps,
                             struct fault *f);
enum err db_saga_delete(struct db *db, int64_t saga_id, struct fault *f);
enum err db_saga_unfinished(struct db *db, int64_t saga_id, bool *ret, struct fault *f);
/* Of those that are there; nobody deletes them until the end. find: by name. */
enum err db_sagas_find(struct db *db, struct arena *a, const struct slice *names, size_t n, struct saga_row **ret, size_t *ret_n,
                       struct fault *f);
enum err db_sagas_hold(struct db *db, struct arena *a, const int64_t *ids, size_t n, struct saga_row **ret, size_t *ret_n,
                       struct fault *f);
/* No transaction is needed. ERR_UNKNOWN_SAGA: it was deleted. */
enum err db_saga_definition(struct db *db, struct arena *a, int64_t saga_id, int32_t version, struct saga_row *ret,
                            struct fault *f);

/* --- a transaction of instances --- */

/* Which transaction it is, and PostgreSQL's time. begins: with BEGIN. Its session ends when it stands still for idle_us: nobody waits
 * longer for the locks of a gateway that is frozen. */
enum err db_saga_begin(struct db *db, bool begins, int64_t idle_us, int64_t *ret_xid, int64_t *ret_now_us, struct fault *f);
enum saga_outcome { SAGA_COMMITTED, SAGA_ABORTED, SAGA_UNDECIDED };
/* No transaction. UNDECIDED: it is still under way, or nobody knows. */
enum err db_saga_outcome(struct db *db, int64_t xid, enum saga_outcome *ret, struct fault *f);
/* The oldest, `limit` and not much more than `bytes`, but for those of the instances `but`. *ret_more: there may be others. */
enum err db_saga_inbox_take(struct db *db, struct arena *a, int64_t limit, int64_t bytes, const struct saga_keys *but,
                            struct saga_inbox_row **ret, size_t *ret_n, bool *ret_more, struct fault *f);
/* Whose the oldest is; no transaction. */
enum err db_saga_inbox_first(struct db *db, struct arena *a, const struct saga_keys *but, bool *ret_found, struct saga_key *ret,
                             struct fault *f);
/* Locks those of n keys that are there, and gives their steps: both by key (db_saga_order). ERR_NO_MEMORY, before it is brought: n > 1,
 * and inputs or texts of steps have more than `bytes` in all. */
enum err db_saga_load(struct db *db, struct arena *a, const struct saga_key *keys, size_t n, int64_t bytes,
                      struct saga_instance_row **ret, size_t *ret_n, struct saga_step_row **ret_steps, size_t *ret_step_n,
                      struct fault *f);
int db_saga_order(const struct saga_key *x, const struct saga_key *y);

/* Queue one statement each, for n > 0 rows, with arguments in the arena; false: out of memory. Inserts of instances come by key; if one
 * of them is there the transaction fails with ERR_DB_UNIQUE. After the commit of histories: outbox_wake. */
bool db_saga_instances_insert(struct db *db, struct arena *a, const struct saga_instance_row *v, size_t n);
bool db_saga_instances_update(struct db *db, struct arena *a, const struct saga_instance_row *v, size_t n);
bool db_saga_steps_insert(struct db *db, struct arena *a, const struct saga_step_row *v, size_t n);
bool db_saga_steps_update(struct db *db, struct arena *a, const struct saga_step_row *v, size_t n);
bool db_saga_history_add(struct db *db, struct arena *a, const struct saga_history_row *v, size_t n);

/* --- what is to be looked at: each a transaction of its own; without what is of the instances `but` --- */

struct saga_due {
    struct saga_key *key;          /* instances that time alone may change, or that have something to publish */
    struct slice *target;          /* with calls that are due */
    struct saga_awaited {
        struct slice stream;
        int64_t due_us;            /* the first timeout */
    } *awaited;                    /* streams with awaits whose timeouts are over; their instances are none of `key` */
    size_t n, target_n, awaited_n;
    bool inbox;                    /* there is something in it */
};
/* Timeouts of sagas that await events of the streams `slow` are left out. */
enum err db_saga_due(struct db *db, struct arena *a, int64_t limit, const struct saga_keys *but, const int64_t *slow, size_t slow_n,
                     struct saga_due *ret, struct fault *f);
/* Instances of awaits whose timeouts were over at due_us of their stream. */
enum err db_saga_awaits_due(struct db *db, struct arena *a, const struct saga_awaited *v, size_t n, int64_t limit,
                            const struct saga_keys *but, struct saga_key **ret, size_t *ret_n, struct fault *f);
/* Of n targets up to room calls, those that are due longest. */
struct saga_call_row {
    struct saga_key key;
    int16_t step, kind;
    struct slice target;
};
enum err db_saga_calls_due(struct db *db, struct arena *a, const struct slice *targets, const int32_t *room, size_t n,
                           const struct saga_keys *but, struct saga_call_row **ret, size_t *ret_n, struct fault *f);

/* --- gateways --- */

/* This one lives for lease_us more. *ret_mine: it did when this began. */
enum err db_saga_member_beat(struct db *db, int64_t owner, int64_t lease_us, int64_t *ret_others, bool *ret_mine, struct fault *f);
enum err db_saga_member_leave(struct db *db, int64_t owner, struct fault *f);
enum err db_saga_members_forget(struct db *db, struct fault *f);
/* Attempts of gateways that are gone, up to limit, but for those of the instances `but`. */
struct saga_attempt_row {
    struct saga_key key;
    int16_t step, kind;
    int32_t attempt;
    int64_t owner;
};
enum err db_saga_attempts_lost(struct db *db, struct arena *a, int64_t lease_us, int64_t limit, const struct saga_keys *but,
                               struct saga_attempt_row **ret, size_t *ret_n, struct fault *f);

/* --- removal --- */

/* Up to `batch` instances that ended before keep_us, and as many of one deleted saga. *ret_more: there may be others. */
enum err db_sagas_remove(struct db *db, int64_t keep_us, int64_t batch, bool *ret_more, struct fault *f);

#endif
