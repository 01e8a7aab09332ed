#ifndef WEIR_HTTP_LOOP_H
#define WEIR_HTTP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* One event loop: a thread with a libmicrohttpd daemon and a listening socket of its own. Suspending and resuming happen on
 * its thread alone; other threads reach it through loop_wake. docs/decisions/0002-http-loops.md */
struct loop;
struct server;
struct request_internal;

/* listen_fd: nonblocking; the loop's from here on, also on failure. A sentence in err on failure. */
struct loop *loop_start(struct server *s, int index, int listen_fd, char err[512]);
void loop_drain(struct loop *l);           /* any thread: begin to drain; returns at once */
void loop_wake_all(struct loop *l);        /* any thread: resume once whatever is parked; returns at once */
void loop_stop(struct loop *l);            /* joins a drained loop: no request is left, but a waker may still poke it */
void loop_free(struct loop *l);            /* stops it; NULL-safe */
struct server *loop_server(const struct loop *l);
bool loop_draining(const struct loop *l);  /* loop thread */
bool loop_cutting(const struct loop *l);   /* loop thread: the drain timeout has passed */
uint64_t loop_unique(struct loop *l);      /* loop thread: a number that no other call returns, not guessable from outside */

/* Loop thread. */
void loop_enter(struct loop *l, struct request_internal *in);   /* a request begins */
void loop_leave(struct loop *l, struct request_internal *in);   /* it completes: no wake reaches it any more */
/* Its connection is gone. true: somebody still works on it; then the loop itself ends it (dispatch_end) after the last wake. */
bool loop_orphan(struct loop *l, struct request_internal *in);
void loop_suspend(struct request_internal *in);
bool loop_watch(struct request_internal *in, unsigned events); /* of a suspended one, for epoll, once; false: cannot */
bool loop_plain(const struct loop *l);                         /* no TLS */
void loop_park(struct request_internal *in);  /* until a wake or its deadline; suspends unless a job's end is near */
void loop_unfinished(struct loop *l);         /* this turn left work that waits for nothing */
void loop_deadline(struct request_internal *in, int64_t mono_us);

/* Any thread, until the request completes. job_done: clears `working` in the same step. more: others follow at once, and the
 * last of them pokes every loop that has something to do. */
void loop_wake(struct request_internal *in, bool job_done, bool more);

#endif
