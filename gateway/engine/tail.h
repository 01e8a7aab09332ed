#ifndef WEIR_ENGINE_TAIL_H
#define WEIR_ENGINE_TAIL_H

#include "gateway/engine/ring.h"

/* One tail a gateway: it learns of new events (from this gateway's lanes at once, from others by LISTEN, from polling as the
 * safety net), fetches what is missing once, and fans it out to any number of watchers from memory. */
struct tail;
struct watch;
struct arrivals;

struct tail *tail_new(const struct config *c, const struct db_config *listen_db, const struct db_config *db,
                      struct streams *streams);
void tail_stop(struct tail *t); /* joins; no watch may be left; NULL-safe */

/* Registers interest in a stream. `wake` may be called from any thread, under the tail's lock: it must only mark and poke.
 * Never called before the first tail_next that found nothing. only: one partition, or -1 for all. NULL: out of memory. */
struct watch *tail_watch(struct tail *t, struct stream *s, int only, void (*wake)(void *arg, bool more), void *arg);
void tail_unwatch(struct watch *w); /* NULL-safe; after it returns `wake` is not called any more */
/* The positions given from now on come from the log itself. Before, one beyond what the tail knows is TAIL_BEHIND: let the
 * database judge it. */
void tail_trust(struct watch *w);

enum tail_state {
    TAIL_EVENTS,  /* *n of them; each is a reference for the caller */
    TAIL_NOTHING, /* all that is known has been seen: `wake` will be called */
    TAIL_COLD,    /* nothing is known yet: `wake` will be called */
    TAIL_BEHIND,  /* not in memory: read the database, then come back with new positions */
    TAIL_GONE     /* the stream was deleted */
};
/* The next events after positions `pos` (of every partition), at most max. Does not move `pos`: the caller does, for each
 * event it took. *ret_shared: the cursors inside the events are those of a reader with exactly these positions. */
enum tail_state tail_next(struct watch *w, const int64_t *pos, struct ring_event **ret, size_t max, size_t *ret_n,
                          bool *ret_shared);

/* A lane has committed events (in order, sorted by nothing else) of one stream: into the ring if it is watched. The watchers are
 * woken by tail_wake, which the lane calls after it has woken its publishers. */
void tail_committed(struct tail *t, struct stream *s, struct event *const *events, size_t n);
void tail_wake(struct tail *t, struct stream *s);
/* A stream was deleted or changed here; the others learn by notification. */
void tail_forget(struct tail *t, int64_t stream_id);
/* Where to wait for streams that do not exist yet; the tail's own. */
struct arrivals *tail_arrivals(struct tail *t);
/* fn is told, on the tail's thread, whenever another gateway or this one has changed the list of revoked tokens. Called once. */
void tail_on_revocation(struct tail *t, void (*fn)(void *arg), void *arg);
/* Who is told, on the tail's thread, of the heads that notifications tell of (stream 0: of any, or none, and also when LISTEN comes up),
 * and of what they tell of projections ("<id>…"). Called once; arg lives until the tail has stopped. */
struct tail_ear {
    void (*head)(void *arg, int64_t stream_id, int32_t partition, int64_t head);
    void (*projection)(void *arg, const char *text);
    void *arg;
};
void tail_on_projections(struct tail *t, const struct tail_ear *ear);
/* fn is told, on the tail's thread, of the streams that notifications tell of (0: of any, or none). Called once; arg lives until the tail
 * has stopped. */
void tail_on_heads(struct tail *t, void (*fn)(void *arg, int64_t stream_id), void *arg);
bool tail_listening(const struct tail *t); /* for /readyz: the LISTEN connection is up */

#endif
