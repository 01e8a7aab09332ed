#ifndef WEIR_ENGINE_TAIL_RING_H
#define WEIR_ENGINE_TAIL_RING_H

#include <pthread.h>

#include "gateway/engine/ring.h"
#include "gateway/engine/tail.h"

/* The rings of the watched streams and who watches them: the part of the tail that touches no database. Any thread. */
#define RING_BUCKETS 1024

struct watched {                    /* a ring with its watchers */
    struct watched *next;           /* in the bucket */
    pthread_mutex_t lock;           /* guards all below; taken after rings.lock, never before */
    struct ring ring;
    struct buf scratch;
    struct watch *watchers;
    size_t watcher_count;
    int64_t idle_since_us;          /* when the last watcher left */
    bool gone;                      /* the stream was deleted */
    bool poll;                      /* look at its heads soon */
    int64_t asked[PARTITIONS_MAX];  /* the ring's head when it was last looked for them */
};

struct rings {
    pthread_mutex_t lock;           /* guards the buckets */
    struct watched *buckets[RING_BUCKETS];
    size_t cap, bytes_max;
    struct ring_memory memory;      /* max: SIZE_MAX until set */
};

void rings_init(struct rings *r, size_t cap, size_t bytes_max);
void rings_free(struct rings *r);

struct watch *rings_watch(struct rings *r, struct stream *s, int only, void (*wake)(void *, bool), void *arg, bool *ret_cold);
void rings_unwatch(struct watch *w);
void rings_trust(struct watch *w);
enum tail_state rings_next(struct watch *w, const int64_t *pos, struct ring_event **ret, size_t max, size_t *ret_n,
                           bool *ret_shared);

/* true: something is missing in the ring that only the database has. */
bool rings_committed(struct rings *r, int64_t stream_id, struct event *const *events, size_t n);
void rings_wake(struct rings *r, int64_t stream_id);
void rings_gone(struct rings *r, int64_t stream_id);
void rings_target(struct rings *r, int64_t stream_id, int partition, int64_t head);
void rings_poll_all(struct rings *r);

/* For the tail thread. */
/* Takes streams whose heads are to be read (cold rings, rings_poll_all), at most max; 0: none is left. */
size_t rings_due(struct rings *r, int64_t *ids, size_t max);
void rings_heads(struct rings *r, int64_t stream_id, const int64_t *heads, int partitions); /* 0 partitions: the stream is gone */
struct rings_gap {
    struct stream *stream;          /* a reference */
    int64_t pos[PARTITIONS_MAX];    /* fetch what follows these */
};
bool rings_gap(struct rings *r, struct rings_gap *ret); /* a ring with something missing; skips what is hopelessly behind */
void rings_fetched(struct rings *r, int64_t stream_id, struct event *events, size_t n);
void rings_lost(struct rings *r, int64_t stream_id, bool gone); /* what is missing cannot be read any more */
void rings_expire(struct rings *r, int64_t idle_us);

#endif
