#ifndef WEIR_ENGINE_GROUP_LANE_H
#define WEIR_ENGINE_GROUP_LANE_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/engine/group_parts.h"
#include "gateway/engine/groups.h"

/* What the files of the lanes share: group_lane.c (threads and queues), group_cell.c (one wave of a group), group_answer.c (what
 * receives get), group_window.c and group_ahead.c (events read ahead), group_write.c and group_load.c (its transaction). All of it belongs to the
 * lane's thread, but for what lane.lock guards. */

#define TYPES_MAX 64

struct page {                      /* a result of group_page; freed once all its events were looked at and the wave is over */
    struct page *next;
    struct rows rows;
    size_t left;                   /* events that were not looked at */
};

struct fresh {                     /* what was read ahead of a partition: rows of a page */
    struct fresh *next;
    struct page *page;
    int at, end;
};

struct window {
    struct fresh *first, **last;
    bool at_end;                   /* nothing follows it, as of this wave */
    bool more;                     /* the last page that had some of it was full */
};

struct fetch {                     /* what is to be read of partitions */
    int32_t partitions[PARTITIONS_MAX];
    int64_t from[PARTITIONS_MAX];
    struct page_plan plan;         /* of the two */
};
struct ahead;                      /* group_ahead.c */

struct cell {                      /* a group in memory */
    struct node node;              /* by stream and name */
    struct cell *next;             /* of its lane */
    struct lane *lane;
    struct stream *stream;         /* a reference */
    char name[128];
    struct group_state *state;     /* NULL: to be loaded */
    struct arena *definition;      /* holds types */
    struct slice types[TYPES_MAX];
    size_t type_n;
    int64_t group_id, seq;
    int64_t hold_until_us;         /* monotonic: other gateways are at work on it, so its lock is taken first */
    struct group_call *calls, **calls_last; /* of this wave */
    struct group_call *waiting, **waiting_last; /* receives that may wait, in order of arrival */
    struct window windows[PARTITIONS_MAX];
    struct page *pages;
    struct ahead *ahead;           /* a page that is being read; NULL: none */
    int large;                     /* so many pages more are read with their bytes counted: events were large */
    int turn;                      /* the partition whose turn it is */
    struct watch *watch;           /* while receives wait */
    atomic_bool woken;             /* there may be something new */
    bool overdue;                  /* a deadline has passed that nobody here knows of */
    bool unread;                   /* types passed over all that a wave may read; there may be more */
    bool check;                    /* look whether another gateway changed it */
    int64_t due_us;                /* monotonic: run it then at the latest */
    int64_t used_us;               /* monotonic: of the last call */
    bool lost;                     /* retention took what had not been looked at; told by the next answer */
    int64_t lost_from[PARTITIONS_MAX], lost_to[PARTITIONS_MAX]; /* positions */
};

struct lane {
    struct groups *groups;
    int index;
    pthread_t thread;
    char application_name[32];
    struct db_config db_config;
    struct db *db;
    int backend;                   /* the pid of the connection that was lost at COMMIT */
    int64_t skew_us;               /* PostgreSQL's clock less ours */
    int64_t skew_at_us;            /* monotonic: when it was measured; 0: never */
    pthread_mutex_t lock;          /* guards what follows, and the `at` of calls */
    pthread_cond_t changed;
    struct group_call *first, **last;
    size_t queued;
    struct release *releases;      /* deliveries of answers that nobody took */
    bool signalled, poked, stop;
    /* the thread's own */
    struct bag cells;
    struct cell *all;
    size_t cell_n;
};

struct release {
    struct release *next;
    struct stream *stream;         /* a reference */
    char group[128];
    int64_t lease;
};

struct groups {
    const struct config *config;
    struct tail *tail;
    struct streams *streams;
    struct outbox *outbox;
    int lane_n;
    struct lane *lanes;
    struct pool *readers;          /* read ahead for the lanes */
    pthread_mutex_t ahead_lock;    /* guards what group_ahead.c says */
    pthread_cond_t ahead_done;
};

/* One event for one receive. */
struct delivery {
    struct handed handed;
    bool there;                    /* its event was found */
    struct page_row event;         /* slices of a page or of `rows` of the wave */
};

struct content {                   /* events of what is due, until the answers are rendered */
    struct content *next;
    struct rows rows;
};

struct wave {                      /* one try at a transaction of a cell */
    struct cell *cell;
    struct arena *arena;
    int64_t now_us;                /* PostgreSQL's */
    int64_t mono_us;               /* the same moment here */
    bool rendered, told_lost;      /* the answers; one of them says what was lost */
    bool held;                     /* the transaction is open and has the group's lock */
    bool verified;                 /* the state is known to be the newest */
    struct group_changes changes;
    struct content *contents;
    bool fetched;                  /* partitions were read in this wave */
    struct fault *fault;
};

/* group_load.c. ERR_UNKNOWN_GROUP, ERR_UNKNOWN_STREAM. */
enum err cell_load(struct wave *w);
enum err cell_hold(struct wave *w);     /* begins the transaction with the lock; drops a state that is old */
enum err cell_verify(struct wave *w);   /* ERR_DB_RETRY: it is old */
void cell_forget(struct cell *c);       /* its state and what was read ahead */
bool cell_wants_type(const struct cell *c, struct slice type);
/* group_window.c */
bool window_next(const struct cell *c, int partition, struct page_row *ret); /* false: nothing read ahead */
void window_pass(struct cell *c, int partition);
enum err window_fetch(struct wave *w, size_t want); /* sets at_end where nothing more is; ERR_DB_RETRY: the state is old */
void window_lost(struct cell *c, int32_t partition,
                 int64_t earliest); /* retention took what is before; the next answer tells */
void window_ahead(struct cell *c);      /* has the next page read while the lane works, where there is one */
void window_sweep(struct cell *c);      /* frees pages that are used up */
void window_clear(struct cell *c);
/* group_ahead.c */
bool aheads_start(struct groups *g, const struct db_config *db);
void aheads_stop(struct groups *g);     /* after the lanes */
void ahead_ask(struct cell *c, const struct fetch *f); /* nothing, if there is no room: then the lane reads by itself */
/* Waits for a page that is being read. false: it failed, or stands in the queue still. None is left. */
bool ahead_take(struct cell *c, struct fetch *ret, struct rows *ret_rows);
void ahead_drop(struct cell *c);        /* NULL-safe */
/* group_answer.c */
enum err receive_fill(struct wave *w, struct group_call *call); /* what it is given, into call->deliveries */
void receive_render(struct wave *w, struct group_call *call); /* into call->body */
/* group_cell.c: the answers that the wave will give, if it is committed */
void wave_render(void *wave);
/* group_write.c */
enum err wave_write(struct wave *w);    /* the changes and COMMIT; finds out what became of a lost one */

#endif
