#ifndef WEIR_ENGINE_SAGA_PARTS_H
#define WEIR_ENGINE_SAGA_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/saga_waits.h"
#include "db/sagas.h"
#include "gateway/base/worker.h"
#include "gateway/engine/outbound.h"
#include "gateway/engine/saga_body.h"
#include "gateway/engine/saga_events.h"
#include "gateway/engine/saga_machine.h"
#include "gateway/engine/saga_publisher.h"
#include "gateway/engine/sagas.h"

/* What the files of sagas share: saga_defs.c (definitions), saga_turn.c, saga_event.c and saga_admit.c (one transaction of instances),
 * saga_write.c (what it writes), saga_attempt.c (attempts of steps), saga_lane.c and saga_batch.c (queues and the thread), saga_look.c
 * (what is due), saga_aside.c (instances that hold up others), saga_tick.c (gateways that live, attempts that are lost, removal). */

/* --- definitions in memory: any thread --- */

#define SAGA_BUCKETS 256
struct saga_def {                  /* immutable, counted */
    atomic_int refs;
    int64_t saga_id;
    int32_t version;
    struct slice name;
    struct arena *arena;
    struct saga_definition def;
    struct saga_def *next;         /* of its bucket; and when it was used last, monotonic: under sagas.def_lock */
    int64_t used_us;
};
/* A reference. Reads it by db, also in a transaction that is open. ERR_UNKNOWN_SAGA: it was deleted; ERR_BAD_DEFINITION: this release
 * cannot read it. */
enum err saga_def_get(struct sagas *s, struct db *db, int64_t saga_id, int32_t version, struct saga_def **ret, struct fault *f);
void saga_def_unref(struct saga_def *d); /* NULL-safe */
void saga_defs_free(struct sagas *s);

/* --- attempts --- */

struct saga_attempt {              /* in flight; its owner is the lane, while it is out whoever makes it */
    struct saga_attempt *next;     /* of a turn, or of the answers */
    struct saga_attempt *after, *before; /* of those in flight */
    struct sagas *sagas;
    struct arena *arena;           /* its own: of all that it points to */
    struct saga_key key;
    struct saga_input answer;      /* what came of it: texts in the arena */
    bool published;                /* else it is a call */
    bool forgotten;                /* given back at the stop: what comes of it is dropped */
    int64_t again_us;              /* monotonic; of a kept answer: not before */
    struct outbound_call call;
    struct saga_publication publication;
};
struct turn;
struct turn_run;
/* Renders an attempt of a task that is ready. SAGA_RENDERED: *ret, with the request as it is to be shown; else the input that the machine
 * gets instead. */
enum saga_rendering saga_attempt_new(struct turn *t, struct turn_run *r, int step, enum saga_kind kind, struct saga_attempt **ret,
                                     struct saga_input *ret_input);
void saga_attempt_free(struct saga_attempt *at); /* releases its slot, if it is not out; NULL-safe */
void saga_attempts_begin(struct sagas *s, struct saga_attempt *list); /* after the commit */
void saga_scope(const struct turn_run *r, struct arena *a, struct saga_scope *ret, int step, enum saga_kind kind);

/* --- one transaction --- */

enum item_kind {
    ITEM_INPUT,                    /* the machine gets `input` */
    ITEM_START,                    /* makes the instance, or finds it */
    ITEM_CALL,                     /* a slot for a call of step and kind that is due */
    ITEM_LOOK,                     /* time has come, and what is ready is tried */
};
struct saga_item {
    enum item_kind kind;
    struct saga_key key;
    struct saga_input input;
    struct saga_hit hit;           /* of an event */
    struct saga_start *start;      /* ITEM_START of a caller; NULL: of an event */
    struct saga_attempt *attempt;  /* of which this is the answer */
    struct slice event;            /* ITEM_START: that starts it; ITEM_INPUT: that came */
    struct slice given;            /* ITEM_START: input */
    uint8_t hash[16];
    struct slice traceparent;
    struct outbound_slot slot;     /* ITEM_CALL */
    bool slot_used;
    int32_t version;               /* ITEM_START: the newest */
    /* the outcome */
    enum err err;
    struct fault fault;
    enum saga_applied applied;
    bool created;
    int before, after;             /* enum saga_state */
    int64_t seq;
};

struct turn_run {                  /* an instance in a turn */
    struct saga_key key;
    struct saga_def *def;          /* a reference */
    struct saga_instance_row row;
    struct saga_run *run;          /* NULL: there is no such instance */
    bool exists;
    bool broken;                   /* it cannot be taken further: its definition cannot be read */
    bool wants_time;               /* an item looks at the time */
    uint64_t rows[SAGA_KINDS];     /* of saga_steps that are there, by step */
    uint64_t waits[SAGA_KINDS];    /* begun in this turn */
};

struct turn {
    struct sagas *s;
    struct db *db;
    bool admits;                   /* attempts begin */
    size_t inbox_limit;            /* 0: what is in the inbox stays */
    struct arena *keep;            /* of the items */
    struct saga_item *item;        /* given ones, then those of the inbox */
    size_t given, n, cap;
    /* of one try */
    struct arena *arena;
    struct turn_run *run;          /* by key */
    size_t run_n;
    int64_t now_us;
    int64_t xid;                   /* 0: it did not come so far as to begin */
    bool inbox_more;               /* there is more in it */
    bool wrote;                    /* something is to be committed */
    bool waited;                   /* waits began */
    int64_t owner;                 /* of what is admitted */
    struct saga_attempt *admitted, **admitted_last;
    size_t admitted_n;
};
struct saga_item *turn_item(struct turn *t, enum item_kind kind); /* one more, given; NULL: no memory */
/* One try: in a transaction that is open, or (begins) in one of its own, which stays open. ERR_DB_UNIQUE, ERR_DB_RETRY: somebody else
 * was quicker: roll back, turn_undo, and once more. What the items ask for and cannot have is in the items. */
enum err turn_make(struct turn *t, bool begins, struct fault *f);
enum err turn_time(struct turn *t, struct fault *f);        /* saga_time.c: timeouts of those that look at the time */
enum err turn_settle(struct turn *t, struct fault *f);      /* waits begin, what is ready is admitted */
enum err turn_queue(struct turn *t, size_t *ret_n, struct fault *f); /* queues (db_queue) what is to be written: n statements */
void turn_undo(struct turn *t);    /* nothing of it was committed */
void turn_end(struct turn *t);     /* all but the items' own attempts and starts */
/* saga_event.c: of an item of an event. ERR_NO_MEMORY; the input: ERR_BAD_EVENT, ERR_BAD_DEFINITION */
enum err turn_event_input(struct turn *t, struct saga_item *x, const struct saga_def *d);
enum err turn_event_meets(struct turn *t, struct saga_item *x, const struct turn_run *r, bool *ret_meets);
bool turn_trace(struct turn *t, struct saga_item *x); /* of every start; false: no memory */
struct turn_run *turn_run_of(const struct turn *t, const struct saga_key *key); /* NULL: none */
bool saga_input_hash(struct slice input, uint8_t ret[16]); /* of the JSON value; false: no memory, or it is none */

/* --- the whole --- */

#define TURN_ARENA ((size_t)512 << 20)
#define TURN_LOADS ((int64_t)128 << 20) /* bytes of events, and of what instances and their steps have, in one turn; but for a single one */
#define SAGA_TRIES 20              /* of a turn that met another one */

struct sagas {
    const struct config *config;
    const struct db_config *db_config;
    struct streams *streams;
    struct outbox *outbox;
    struct outbound *outbound;
    struct saga_events *events;
    struct saga_publisher *publisher;
    _Atomic int64_t owner;         /* this gateway's number, as long as its lease lasts */
    _Atomic int64_t lives_until_us;/* monotonic: until then nobody takes its attempts. Both are set under the lock */
    struct ticker *ticker;
    struct db *tick_db;
    int64_t removed_us;            /* the ticker's: when it removed last */

    pthread_mutex_t def_lock;      /* guards what follows */
    struct saga_def *defs[SAGA_BUCKETS];
    size_t def_n;

    pthread_t thread;
    bool started;
    size_t batch;                  /* the lane's: sagas.batch, and less after a turn that failed */
    struct db *db;                 /* the lane's */
    struct db_config lane_config;
    char lane_name[32];            /* its application_name: a lost backend of it is ended */
    pthread_mutex_t lock;          /* guards what follows, and `at` of starts */
    pthread_cond_t changed;
    struct saga_start *starts, **starts_last;
    size_t start_n;
    struct saga_attempt *answers, **answers_last;
    struct saga_attempt *kept;     /* answers of instances that are set aside */
    size_t kept_n;                 /* they count as in flight */
    struct saga_attempt *in_flight;
    size_t in_flight_n;
    struct arena *lost_arena;      /* attempts of other gateways that are gone: the ticker brings them, the lane takes them */
    struct saga_attempt_row *lost;
    size_t lost_n;
    bool poked, stop, over;        /* stop: nothing begins any more; over: the thread ends */

    pthread_mutex_t aside_lock;    /* guards what follows */
    struct saga_aside *aside[SAGA_BUCKETS];
    atomic_size_t aside_n;
};

/* saga_lane.c */
void lane_answer(struct saga_attempt *at);                  /* an attempt is over: any thread */
void lane_keep(struct saga_attempt *at);                    /* its answer cannot be stored now: again later. Frees it when all ends */
void lane_started(struct sagas *s, struct saga_start *st);  /* its answer is in it */
void lane_room(void *sagas);                                /* something may be due */
bool lane_new_owner(struct sagas *s);                       /* what runs under the old one is taken back */
void lane_drain(struct sagas *s, int64_t until_us);         /* until nothing is in flight */
void lane_give_back(struct sagas *s);                       /* what is in flight, at the stop; then the thread ends */
/* saga_batch.c */
void *lane_main(void *sagas);
/* saga_aside.c: any thread */
void aside_put(struct sagas *s, const struct saga_key *key, enum err why, const struct fault *f); /* once more: for twice as long */
void aside_drop(struct sagas *s, const struct saga_key *key);       /* it went on */
int64_t aside_until(struct sagas *s, const struct saga_key *key);   /* monotonic, may have passed; 0: it is not */
bool aside_list(struct sagas *s, struct arena *a, struct saga_keys *ret); /* those whose time has not come; false: no memory */
void aside_free(struct sagas *s);
/* saga_look.c: adds items of what is due. *ret_inbox: there is something in the inbox; *ret_more: there is more */
enum err saga_look(struct sagas *s, struct turn *t, bool *ret_inbox, bool *ret_more, struct fault *f);
/* saga_count.c: a turn's transitions, for /metrics; once it is committed */
void saga_count(const struct turn *t);
/* saga_tick.c */
enum err sagas_tick(void *sagas, bool *ret_more);

#endif
