#ifndef WEIR_ENGINE_OUTBOUND_TARGETS_H
#define WEIR_ENGINE_OUTBOUND_TARGETS_H

#include <pthread.h>

#include "db/targets.h"
#include "gateway/engine/outbound.h"
#include "gateway/engine/outbound_file.h"

/* What outbound.c, outbound_targets.c and outbound_keep.c share; nobody else includes this. */

enum {
    TARGET_BUCKETS = 1024,
    TARGET_PENDING = 64,           /* outcomes that are not yet in the database; later ones are passed over */
    TARGET_PASS = 100,             /* targets written in one transaction */
    TARGETS_REMOVED = 1000,        /* rows removed in one transaction */
};
/* A gateway says so often which targets it calls (each has a row that says when), and rows of which nobody says it are removed. */
#define TARGET_TELL_US (INT64_C(3600) * 1000000)
#define TARGET_KEEP_US (24 * TARGET_TELL_US)
#define TARGETS_CROWDED_US INT64_C(100000) /* after it found none to forget, a gateway looks again */
/* A probe that was claimed and is not sent goes back, and is left to other gateways for as long; both at most outbound.breaker_open. */
#define PROBE_USE_US (5 * INT64_C(1000000))

/* An outcome that the database is to be told. */
struct target_outcome {
    uint8_t outcome;               /* enum breaker_outcome */
    uint8_t probe;                 /* enum target_probe */
};
enum target_probe { NO_PROBE, CLAIMED_PROBE, LATE_PROBE };

/* Made when it is first named; may be forgotten when nobody needs it. Guarded by the table's lock but for the name. */
struct target {
    struct slice name;
    struct target *next;           /* of its bucket */
    struct target *next_known;     /* of all */
    struct target *next_refused;
    struct breaker base;           /* as it was last read or written */
    struct breaker breaker;        /* and with what is pending */
    struct target_outcome pending[TARGET_PENDING];
    size_t pending_n;
    int64_t probe_use_us;          /* monotonic: until then a claimed probe may be sent */
    int64_t probe_rest_us;         /* monotonic: until then it is left to other gateways */
    bool probe_wanted;             /* it is due and somebody waits */
    uint64_t probe_out, probes;    /* the one on its way, unless it outlasted its claim, 0: none; how many there were */
    int64_t used_us, told_us;      /* monotonic: when it was called last; when its row was told that it is */
    bool configured;               /* it stands in outbound.file */
    bool passing;                  /* the keeper has it in its hands */
    bool stored;                   /* its row has been read; before that it takes no call */
    bool refused;                  /* calls, since it was last satisfied */
    int running, concurrency;
    double rate;                   /* a second, of all gateways; 0: no bound */
    int64_t free_us;               /* monotonic: the theoretical arrival time of the next call (GCRA, ITU-T I.371) */
};

struct targets {
    const struct config *config;
    struct breaker_rules rules;
    int64_t owner;                 /* this gateway, for probes */
    pthread_mutex_t lock;          /* guards all below, and the targets */
    pthread_cond_t look;           /* for the keeper */
    struct outbound_file *file;
    struct target *buckets[TARGET_BUCKETS], *known, *refused;
    size_t known_n;
    int64_t crowded_us;            /* monotonic: until then all are in use; 0: there was room the last time */
    int running, members;
    bool full;                     /* somebody was refused because of outbound.calls */
    bool look_now;                 /* something is to be written */
    bool stopping;
    int64_t database_us;           /* its clock is ours (monotonic) plus this */
    pthread_mutex_t room_lock;     /* guards room and arg, and is held while it is called */
    void (*room)(void *arg);
    void *arg;
    struct db *db;                 /* the keeper's */
    pthread_t thread;
    bool started;
    int64_t remove_us;             /* the keeper's; monotonic: it looks for rows to remove then */
};

/* outbound_targets.c */
bool targets_init(struct targets *ts, const struct config *c, struct outbound_file *file); /* takes the file over */
void targets_free(struct targets *ts);
void targets_set_file(struct targets *ts, struct outbound_file *file);       /* takes it over */
struct outbound_file *targets_file(struct targets *ts);                      /* a reference of the caller's */
struct target *targets_known(struct targets *ts, struct slice name);         /* NULL: it is not. Locked */
struct target *targets_find(struct targets *ts, struct slice name);          /* made if need be; NULL: no room. Locked */
enum outbound_room targets_admit(struct targets *ts, struct slice name, struct outbound_slot *ret, int64_t *ret_wait_us);
void targets_satisfied(struct targets *ts, struct slice name);
/* The slot is free again. sent false: nothing was, and a probe may be yet. */
void targets_finish(struct targets *ts, struct outbound_slot slot, enum breaker_outcome o, bool sent);
int targets_slots(struct targets *ts, struct target *t, int64_t mono_us, int64_t *ret_wait_us); /* that are free. Locked */
void targets_note(struct targets *ts, struct target *t, enum breaker_outcome o, enum target_probe probe); /* Locked */
bool targets_take(const struct targets *ts, struct breaker *b, struct target_outcome o, int64_t database_us);
void targets_tell_room(struct targets *ts);

/* outbound_keep.c: the thread */
bool targets_keep(struct targets *ts, const struct db_config *db);
void targets_keep_stop(struct targets *ts);

#endif
