#ifndef WEIR_ENGINE_PROJECTION_PARTS_H
#define WEIR_ENGINE_PROJECTION_PARTS_H

#include "db/projections_parts.h"
#include "gateway/base/thread.h"
#include "gateway/base/worker.h"
#include "gateway/engine/projections.h"

/* What the files of the projections share. The threads that fold (projections.c) take parts from a queue and do one step of each
 * (projection_step.c); a coordinator (projection_tick.c) claims parts, gives up what is lost, and does what is needed now and then. */
#define PART_BUCKETS 1024
#define WATCH_BUCKETS 256

/* What a build folds by: shared by its parts, immutable. */
struct folder {
    atomic_int refs;
    struct arena *arena;
    struct projection_definition def;
    bool skips;                  /* events of the projection are passed over by hand */
    struct slice group;          /* of its dead letters */
    bool letters;                /* there were some */
    int state;                   /* enum build_state */
};
struct folder *folder_ref(struct folder *f);
void folder_unref(struct folder *f); /* NULL-safe */

/* A part that this gateway has claimed. Of the thread that runs it, but for what stands under the lock. */
struct fold_part {
    struct part_id id;
    int32_t number;
    int64_t epoch, upto;
    struct stream *stream;       /* a reference */
    struct folder *folder;       /* a reference */
    size_t batch;                /* events of the next step */
    bool doubt;                  /* what became of the last step is not known */
    int64_t first;               /* it was folded from the next offset on */
    bool fresh;                  /* nothing was folded yet of what was there when the build began */
    int queue;                   /* of projections.queues: 0: what is read, 1: what is only being built */
    /* under projections.lock */
    int64_t position;            /* written by the thread that runs it */
    enum { PART_IDLE, PART_QUEUED, PART_RUNNING } state;
    bool again;                  /* something came while it ran */
    bool drop;                   /* it is not ours any more: freed by the thread that runs it */
    bool late;                   /* the last step failed: the coordinator queues it again */
    struct fold_part *chain, *next;
};

struct projections {
    const struct config *config;
    const struct db_config *db_config;
    struct streams *streams;
    struct db *db;               /* the coordinator's */
    int64_t owner;               /* this gateway, among projection_members */
    struct ticker *ticker;
    pthread_t *threads;
    size_t thread_n;
    atomic_bool look;            /* heads may have moved unseen */
    int64_t next_look_us, next_upkeep_us, hold_again_us; /* monotonic; the coordinator's */

    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t changed;
    struct fold_part *parts[PART_BUCKETS]; /* by stream and partition */
    struct part_queue {
        struct fold_part *first, **last;
    } queues[2];                 /* the first one's parts go first, and one thread has no others */
    size_t building;             /* threads that have one of the second */
    size_t count;
    bool stopping;

    pthread_mutex_t watch_lock;  /* guards what follows; `wake` is called under it */
    struct projection_watch *watches[WATCH_BUCKETS];
};

/* projections.c: as projections_start, but it hears of nothing and looks every tail.poll. */
struct projections *projections_new(const struct config *c, const struct db_config *db, struct streams *streams);

/* --- projection_parts.c: the parts in memory; any thread --- */

/* Takes the references over. false: no memory, and they are gone. */
bool parts_add(struct projections *p, const struct claim_row *claim, struct stream *s, struct folder *f);
void parts_head(struct projections *p, int64_t stream_id, int32_t partition, int64_t head); /* there is something new */
void parts_wake(struct projections *p, const struct part_id *id); /* look at it */
void parts_wake_late(struct projections *p);
/* Gives up what is not among `mine`, which are sorted, and says which of these are here. */
void parts_keep(struct projections *p, struct claim_row *mine, size_t n, bool *ret_here);
/* Takes up to n parts that nobody works on out; their ids and epochs. */
size_t parts_take_out(struct projections *p, size_t n, struct claim_row *ret);
struct fold_part *parts_next(struct projections *p); /* waits; NULL: stop */
enum step_end { STEP_IDLE, STEP_MORE, STEP_LATE, STEP_LOST };
void parts_done(struct projections *p, struct fold_part *part, enum step_end end, int64_t position);
size_t parts_count(struct projections *p);
size_t parts_list(struct projections *p, struct arena *a, struct claim_row **ret); /* id and number of each; 0 also: no memory */
void parts_stop(struct projections *p);              /* wakes all who wait */
void parts_free(struct projections *p);

/* --- projection_step.c: on a thread that folds --- */
enum step_end projection_step(struct projections *p, struct fold_part *part, struct db *db, int64_t *ret_position);

/* --- projection_tick.c: the coordinator's work --- */
enum err projections_tick(void *projections, bool *ret_more);
enum err projections_upkeep(struct projections *p, struct arena *a, bool *ret_more, struct fault *f); /* projection_upkeep.c */

/* --- projection_watch.c --- */
void watches_progress(struct projections *p, int64_t projection_id, const struct place *at); /* a step was committed */
void watches_changed(struct projections *p, int64_t projection_id);                          /* the projection itself has changed */
void watches_look(struct projections *p);                                                    /* something may have been missed */

/* --- projection_manage.c: inside a transaction that holds the lock of the projection --- */

/* Makes a build with its parts, which begin where `from` says (NULL: where the definition does). Tells all gateways after the commit. */
enum err build_begin(struct projections *p, struct db *db, struct arena *a, struct build_row *b,
                     const struct projection_definition *def, const struct projection_start *from,
                     const struct build_row *like, struct fault *f);
enum err build_retire(struct db *db, struct arena *a, struct build_row *b, struct fault *f);
enum err projection_tell(struct db *db, int64_t projection_id, struct fault *f);

#endif
