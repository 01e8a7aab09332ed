#ifndef WEIR_HTTP_SERVER_H
#define WEIR_HTTP_SERVER_H

#include "gateway/http/reply.h"
#include "gateway/http/revocations.h"
#include "gateway/http/ticket.h"

/* libmicrohttpd (1.0.1 or newer) in external epoll loops: `http_loops` threads, each with a daemon and a SO_REUSEPORT socket
 * of its own. See docs/decisions/0002-http-loops.md. */
struct server;

struct server_config {
    const struct config *config;
    struct app *app;
    struct auth *auth;
    struct revocations *revocations; /* NULL: none */
    ticket_find_fn *find_ticket;     /* NULL: no tickets are taken */
    struct pool *pool;          /* for blocking routes and request_work; its context is a struct db */
    const struct route *routes;
    size_t route_count;
};

/* Binds and serves. On failure a sentence in err ("cannot listen on 127.0.0.1:8080: Address already in use"). */
struct server *server_start(const struct server_config *c, char err[512]);
int server_port(const struct server *s);
/* Any thread: the list of revoked tokens has changed, so every request that waits looks at it once. */
void server_vet(struct server *s);
bool server_is_tls(const struct server *s);
/* Reads the files of TLS again, if it is on: blocks on them; the main thread. A failure is logged, and what was in force stays. */
void server_reload(struct server *s);
/* Drain: no new connections, parked requests are called with `draining`, keep-alive ends with each answer; waits up to
 * http_drain_timeout_us for what is in process, then cuts. Blocks; joins the loops. The pool must still run. */
void server_stop(struct server *s);
/* When every thread that wakes requests (pool, lanes, tail) has ended: the last thing a waker does is to poke a loop. */
void server_free(struct server *s);

#endif
