#ifndef WEIR_ENGINE_GROUPS_H
#define WEIR_ENGINE_GROUPS_H

#include "db/groups.h"
#include "gateway/base/config.h"
#include "gateway/engine/group_state.h"
#include "gateway/engine/outbox.h"
#include "gateway/engine/streams.h"
#include "gateway/engine/tail.h"

/* Consumer groups. The calls of consumers wait here, and a lane turns all that wait for one group into one transaction.
 * docs/decisions/0008-consumer-groups.md */
struct groups;

struct groups *groups_new(const struct config *c, const struct db_config *db, struct tail *tail, struct streams *streams,
                          struct outbox *outbox);
void groups_stop(struct groups *g); /* commits what is queued, then joins; NULL-safe. No submit may run or follow */

/* A call of a consumer. Made by group_call_new with an arena of its own; the caller fills it and submits it once. */
enum call_kind { CALL_FINISH, CALL_RECEIVE };
enum call_at { CALL_NEW, CALL_QUEUED, CALL_DONE, CALL_LEFT }; /* LEFT: nobody waits for it any more */
struct delivery;
struct group_call {
    struct group_call *next;      /* the lane's */
    struct arena *arena;
    struct stream *stream;        /* a reference, the call's */
    struct slice group;           /* its name, in the arena */
    enum call_kind kind;
    enum call_at at;              /* the lane's */
    void (*done)(struct group_call *c, bool more); /* on the lane's thread,
        once; must not block. more: another call follows */
    void *arg;
    /* FINISH */
    struct finish_call finish;
    struct delivery_id *ids;
    size_t n;
    bool *finished;               /* the answer: of each id; else it is stale */
    /* RECEIVE */
    int64_t max, wait_until_us;   /* monotonic; 0: does not wait */
    int64_t ack_deadline_us;      /* 0: the group's */
    struct slice consumer;
    struct delivery *deliveries;
    size_t delivered;
    int64_t lease, deadline_us, bytes;
    struct buf body;              /* the answer */
    /* the outcome */
    enum err err;
    struct fault fault;
    int64_t queued_us;
};
struct group_call *group_call_new(struct stream *s, struct slice group,
                                  enum call_kind kind); /* takes a reference; NULL: no memory */
void group_call_free(struct group_call *c);   /* NULL-safe; of one that is not queued */
/* Any thread; never blocks. ERR_OVERLOADED: too many wait; then the call is still the caller's. */
enum err groups_submit(struct groups *g, struct group_call *c, struct fault *f);
/* Nobody waits for it any more: frees it now or later, without `done`. What it was given goes back uncounted. `answered`: its
 * answer was sent, so it is only freed. */
void groups_leave(struct groups *g, struct group_call *c, bool answered);

/* Something of the group was changed outside of its lane (seek, redrive, PUT, DELETE) and committed: those who wait here look again.
 * Any thread. Other gateways find out by themselves (group_states.seq). */
void groups_poke(struct groups *g, int64_t stream_id, int64_t group_id);

/* The state of a group as the database has it, for figures and explanations; blocks. ERR_UNKNOWN_GROUP. The caller frees *ret. */
enum err groups_load(struct db *db, struct arena *a, const struct stream *s, struct slice name, struct group_state **ret,
                     struct fault *f);

#endif
