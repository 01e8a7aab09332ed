#ifndef WEIR_ENGINE_SAGAS_H
#define WEIR_ENGINE_SAGAS_H

#include "gateway/base/clock.h"
#include "gateway/engine/commit.h"
#include "gateway/engine/outbox.h"

struct outbound;
struct saga_definition;
struct schema_cache;
struct turn;

/* Sagas: definitions by name and version, and instances that run them. What an instance does is decided by saga_machine.h; here is
 * what carries it out. A lane (thread weir-saga) takes what waits, answers of calls, starts, what is due, events that came, and applies all
 * of it in one transaction; only then the calls begin that it has led to. docs/decisions/0013-sagas.md
 *
 * Calls that take a db block, on the connection's thread, inside a transaction of the caller's (audit_begin … audit_end) unless something
 * else is said; what they return lives as long as the arena. */
struct sagas;

/* All outlive it. NULL: no memory. */
struct sagas *sagas_start(const struct config *c, const struct db_config *db, struct streams *streams, struct tail *tail,
                          struct commit *commit, struct schema_cache *schemas, struct outbox *outbox, struct outbound *outbound);
/* No more calls begin; those in flight end, for SAGAS_DRAIN at most, or are others' at once. Before outbound, lanes and outbox. */
void sagas_stop(struct sagas *s); /* NULL-safe */
void sagas_free(struct sagas *s); /* after outbound_stop, whose last answers are dropped, and the tail; NULL-safe */
#define SAGAS_DRAIN_US (2 * US_PER_S)
void sagas_poke(struct sagas *s); /* after a commit that may have made steps ready, or brought events; any thread */

/* --- definitions --- */

struct saga_change {
    int64_t saga_id;
    int32_t version;             /* the newest one now; of a deletion: that it had */
    bool created;                /* the saga */
    bool changed;                /* a version was made: the definition was another one */
    struct slice before;         /* definition, JSON; p == NULL: there was none */
};

/* A new version, where the text differs from the newest. ERR_UNKNOWN_STREAM with a pointer; ERR_CONFLICT: there are sagas.max;
 * ERR_DB_UNIQUE, ERR_DB_RETRY: somebody else changed it too: roll back and do all of it again, SAGAS_TRIES times at most. */
#define SAGAS_TRIES 10
enum err sagas_put(struct sagas *s, struct db *db, struct arena *a, struct slice name, const struct saga_definition *def,
                   struct saga_change *ret, struct fault *f);
/* ERR_UNKNOWN_SAGA; ERR_CONFLICT: it has instances that have not ended. */
enum err sagas_delete(struct sagas *s, struct db *db, struct arena *a, struct slice name, struct saga_change *ret, struct fault *f);

/* --- starting an instance: any thread --- */


struct saga_start {
    struct arena *arena;         /* its own: freed with it */
    struct slice saga, id;       /* id: p == NULL: one is made (a UUIDv7) */
    struct slice input;          /* JSON, compact */
    struct slice traceparent;    /* p == NULL: none */
    bool keyed;                  /* the id follows from an Idempotency-Key */
    void (*done)(struct saga_start *st, bool more); /* on the lane's thread, under its lock: it must only mark and poke */
    void *arg;
    /* the answer: ERR_UNKNOWN_SAGA, ERR_CONFLICT (another input under the id; keyed: ERR_IDEMPOTENCY_KEY_REUSED), ERR_OVERLOADED,
     * ERR_DATABASE_UNAVAILABLE, ERR_OUTCOME_UNKNOWN, ERR_SHUTTING_DOWN */
    enum err err;
    struct fault fault;
    bool created;
    int state;                   /* enum saga_state */
    /* the lane's */
    struct saga_start *next;
    uint8_t hash[16];            /* of the input */
    int64_t queued_us;           /* monotonic */
    int at;
};
struct saga_start *saga_start_new(struct slice saga); /* NULL: no memory; the rest is filled in by the caller, from its arena */
/* The id for an Idempotency-Key: of caller, method, path and key (idempotency.c makes the 16 bytes). */
bool saga_start_keyed(struct saga_start *st, const uint8_t key[16]);
/* Never blocks. After OK it belongs to the lane until done, and then to the caller, who ends with sagas_leave in any case. */
enum err sagas_submit(struct sagas *s, struct saga_start *st, struct fault *f);
void sagas_leave(struct sagas *s, struct saga_start *st); /* frees it, or has it freed; NULL-safe */

/* --- by hand --- */

enum saga_act_kind { SAGA_ACT_CANCEL, SAGA_ACT_RETRY, SAGA_ACT_SKIP, SAGA_ACT_SIGNAL, SAGA_ACT_DECIDE };
struct saga_act {
    enum saga_act_kind kind;
    struct slice step;           /* name; p == NULL: none, all that it can concern */
    struct slice result;         /* SIGNAL: JSON */
    bool approve;                /* DECIDE */
    struct slice comment;        /* or reason; p == NULL: none */
    struct slice actor;          /* the caller's subject; p == NULL: none */
};
struct saga_acted {
    int before, after;           /* enum saga_state */
    int64_t seq;
    bool changed;                /* false: the same was done before */
    struct turn *turn;           /* for sagas_acted */
};
/* ERR_UNKNOWN_SAGA, ERR_UNKNOWN_INSTANCE, ERR_UNKNOWN_STEP; ERR_CONFLICT with a sentence why not. sagas_acted follows in any case, and
 * after the commit sagas_poke. */
enum err sagas_act(struct sagas *s, struct db *db, struct arena *a, struct slice saga, struct slice id, const struct saga_act *act,
                   struct saga_acted *ret, struct fault *f);
void sagas_acted(struct saga_acted *done, bool committed); /* counts what was done, and frees; also of one that is zero */

#endif
