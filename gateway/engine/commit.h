#ifndef WEIR_ENGINE_COMMIT_H
#define WEIR_ENGINE_COMMIT_H

#include "gateway/engine/event.h"
#include "gateway/engine/streams.h"
#include "gateway/engine/tail.h"

/* Group commit: requests of all connections wait here, and a lane turns everything that is waiting into one transaction.
 * See docs/architecture.md and commit_batch.h. */
struct commit;
struct publish;

/* The Idempotency-Key of a publish, and the answer. The lane takes the answer that is kept under the key, or has it rendered once
 * the events are decided and keeps it in their transaction: so the first answer and its replays are the same bytes. */
struct publish_key {
    uint8_t key[16];           /* SHA-256 of caller, method, path and key, first half */
    uint8_t fingerprint[16];   /* of what makes the request what it is, likewise */
    enum err (*render)(struct publish *p); /* on the lane's thread: fills status, answer and cursor from p->events */
    int status;
    struct buf answer;         /* the caller frees */
    size_t limit;              /* bytes of the largest answer that render lets pass (ERR_BODY_TOO_LARGE above) */
    char cursor[CURSOR_TEXT];
    bool replayed;             /* the answer is an earlier request's */
    struct publish *in_flight_next; /* in_flight.c's */
};

/* One publish request. The caller owns it and all it points to, and keeps them until `done` was called. */
struct publish {
    struct publish *next;      /* the queue's */
    struct stream *stream;     /* a reference, the caller's */
    struct events events;      /* the lane fills partition, offset, recorded_us, version, duplicate */
    struct publish_key *key;   /* NULL: none */
    const struct fault *refusal; /* of its events that are marked `refused` */
    int64_t if_version;        /* -1: none. All events have one subject, whose version must be this before the request */
    size_t bytes;              /* of payload and attributes, for the bounds; commit_submit sets it */
    int64_t queued_us;         /* monotonic */
    size_t order;              /* within its batch */
    enum err err;              /* the outcome */
    struct fault fault;
    void (*done)(struct publish *p, bool more); /* on the lane's thread, once; must not block. more: another call follows */
    bool alone;                /* done wakes its own waiter at once and pays no heed to `more` */
    void *arg;
};

struct commit *commit_new(const struct config *c, const struct db_config *db, struct tail *tail, struct streams *streams);
/* Commits what is queued, then joins; NULL-safe. No submit may run or follow. */
void commit_stop(struct commit *c);

/* Queues it: never blocks. ERR_OVERLOADED: the queue is full. ERR_IDEMPOTENCY_IN_FLIGHT: a request under its key is queued here.
 * ERR_DATABASE_UNAVAILABLE: PostgreSQL has been away for a while. */
enum err commit_submit(struct commit *c, struct publish *p, struct fault *f);
/* For /readyz: every lane is connected and none has had a request waiting for longer than commit.wait. */
bool commit_moving(const struct commit *c);

/* The partition of an event; stable for ever: data depends on it. */
int32_t event_partition(const struct event *ev, struct slice stream, int64_t partitions);

#endif
