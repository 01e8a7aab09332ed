#ifndef WEIR_HTTP_INTERNAL_H
#define WEIR_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "gateway/http/clients.h"
#include "gateway/http/gate.h"
#include "gateway/http/loop.h"
#include "gateway/http/reply.h"
#include "gateway/http/router.h"
#include "gateway/http/server.h"
#include "gateway/http/token_cache.h"

/* What the server's own files share. Nothing outside gateway/http includes this. */

struct server {
    struct server_config c;
    struct router *router;
    struct token_cache *tickets;  /* found ones; NULL: none are taken */
    atomic_int ticket_lookups;    /* jobs that run or wait for a worker */
    struct tls *tls;             /* NULL: plain HTTP */
    struct addresses *addresses; /* NULL: no bound per client address */
    int port;
    struct quota *quota;
    atomic_size_t body_bytes;    /* of bodies that arrive or are in process; http.body_memory bounds it */
    int loop_count;
    struct loop *_Atomic *loops; /* a loop may wake another one while the server is still starting */
};

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_RUN, PHASE_ENCODE, PHASE_REPLY };

/* Who calls, where that cannot be told when the head comes: keys are being fetched, a ticket must be looked up. head.c leaves it
 * in `pending`; dispatch.c asks it on the loop's thread before it takes any of the body, and again after each wake, and no handler
 * runs before it said OK. It answers as a handler does: OK with rq->who set, an error, or ERR_PARKED after it has arranged for a wake
 * (request_job, request_wait_until). The first call may begin a job, head.c must not. */
typedef enum err pending_fn(struct request_internal *in);

struct request_internal {
    struct request rq;
    struct MHD_Connection *connection;
    struct client *client;
    struct gate gate;
    enum phase phase;
    enum err verdict;              /* found before the handler; answered when the body is in */
    const char *allow;             /* of a 405 or an OPTIONS */
    pending_fn *pending;           /* NULL: who calls, and whether he may, is decided */
    struct account *account;       /* of who calls (limits.c); NULL: no quota is set, or nobody calls */
    bool holds;                    /* one of the account's streams */
    struct auth_wait wait;         /* for the key of the token */
    int64_t wait_until_us;         /* monotonic; 0: it has not had to wait */
    uint64_t token_age;            /* auth_age when the token was last looked at */
    struct buf body;
    size_t body_limit, discarded;
    size_t body_held;              /* its part of the server's body_bytes */
    struct reply reply;
    bool varies;                   /* the answer hangs on Accept-Encoding */
    bool encoded;                  /* packing was tried: once is enough */
    int64_t sent_bytes;
    bool by_ticket;                /* who calls was told by a ticket: an event stream is the one answer */
    bool ticket_asked;             /* PostgreSQL was, or is being */
    unsigned char ticket_hash[TICKET_HASH];
    bool by_token;                 /* a token did, and gate.authorization is it */
    const char *objection;         /* why the caller is not let go on; NULL: nothing is known (vet.c) */
    uint64_t vetted;               /* the generation of the list of revoked tokens that the caller was looked up in; 0: none */

    struct job job;                /* request_work */
    void (*work)(struct request *rq);
    bool begun;                    /* the handler has been called */
    bool submitted;                /* the job of a blocking route was handed over */
    enum err result;               /* of a blocking route's handler */
    atomic_bool working;

    /* the loop's */
    struct request_internal *next, *prev;   /* requests in process */
    struct request_internal *ready_next, *ready_prev;
    bool ready;                    /* on the ready list; under the loop's lock */
    bool suspended;                /* the rest: loop thread only */
    bool hovers, orphan;           /* loop_park, loop_orphan */
    int hovered;                   /* turns of the loop */
    bool watch, watched;           /* for the client's leaving: wanted; registered now */
    atomic_bool gone;              /* the client left; rq.gone is told so before the next call. Any thread may look */
    bool ended, broken;            /* the stream: its reader said so; it ends with an error */
    bool direct;                   /* direct.c writes it while it is suspended */
    struct buf rest;               /* of a chunk that the client has not taken yet */
    size_t rest_at;
    int64_t rest_until_us;         /* monotonic: then it is cut */
    size_t heap_at;                /* index + 1 in the heap of deadlines, or 0 */
    int64_t deadline_us;
};

/* dispatch.c: libmicrohttpd's callbacks; cls is the struct loop. */
void *dispatch_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result dispatch_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **state);
void dispatch_completed(void *cls, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode why);
void dispatch_end(struct request_internal *in);    /* frees it; the connection may be gone long since */

/* head.c: what is decided before the body comes: gate, route, rights (unless they are left pending), sizes. */
enum err head_check(struct request_internal *in, const char *method, const char *version);
struct slice head_resource(const struct request *rq); /* what the path names that rights are of; p == NULL: nothing */
bool head_allows(const struct request *rq);   /* the caller's rights suffice for route and path */

/* ticket.c: the query has a ticket that the route takes; who calls by it, like a pending_fn. */
bool ticket_present(const struct request_internal *in);
enum err ticket_check(struct request_internal *in);

/* vet.c: false, with rq.revoked: since the caller was last looked at the token has been revoked, its key withdrawn, or the client
 * certificate is not accepted any more. Cheap. Loop thread, while the connection is there. */
bool vet_caller(struct request_internal *in);
enum err vet_fault(struct request *rq);

/* send.c: turns rq's reply into libmicrohttpd's response and queues it. */
enum MHD_Result send_reply(struct request_internal *in);
/* The stream's reader: bytes written; 0: sleep; -1: the end, or with in->broken its failure. */
long send_read(struct request_internal *in, char *out, size_t max);
void send_finished(struct request_internal *in);   /* access log and gauges, at completion */

/* encode.c: is the reply to be packed? Notes in in->varies that it hangs on Accept-Encoding. */
bool encode_wanted(struct request_internal *in);
void encode_reply(struct request *rq);             /* a job: packs the body, or leaves it if that does not pay */

/* body_hold.c: notes n bytes of a body that have come, or ERR_OVERLOADED; drops the body. */
enum err body_hold(struct request_internal *in, size_t n);
void body_drop(struct request_internal *in);

/* limits.c: quotas. begin, once rq->who is known, charges the request; headers tell what is left. */
enum err limits_begin(struct request_internal *in);
void limits_end(struct request_internal *in);
void limits_headers(struct request_internal *in, struct MHD_Response *response);

/* cors.c: adds the Access-Control headers for a listed origin. */
bool cors_configured(const struct request *rq);    /* then answers hang on Origin */
void cors_headers(struct request_internal *in, struct MHD_Response *response);

#endif
