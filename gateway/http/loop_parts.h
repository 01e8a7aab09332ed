#ifndef WEIR_HTTP_LOOP_PARTS_H
#define WEIR_HTTP_LOOP_PARTS_H

#include <pthread.h>

#include "gateway/http/deadlines.h"
#include "gateway/http/internal.h"

/* What loop.c (the thread and its daemon) and park.c (requests that wait) share. */
struct loop {
    struct server *server;
    struct MHD_Daemon *daemon;
    int listen_fd, event_fd, epoll_fd;
    bool plain;                               /* no TLS between us and the sockets */
    pthread_t thread;
    bool running;

    pthread_mutex_t lock;                     /* the ready list, with `ready` and `working` of its requests */
    struct request_internal *ready_head, *ready_tail;
    size_t ready_n;

    atomic_bool drain, wake;                  /* asked for by another thread; the rest: loop thread only */
    bool draining, cutting;
    int64_t cut_us;                           /* when draining ends by force */
    int64_t tick_us;                          /* the next look at the connections */
    struct request_internal *requests;
    struct clients clients;
    struct deadlines deadlines;
    size_t hovering;                          /* requests that said so in the last turn */
    bool unfinished;                          /* some connection may go on without waiting for anything */
    uint64_t unique;
};

void loop_poke(struct loop *l);                                      /* any thread */

/* Loop thread. While a job runs the request is its worker's: it resumes when the job is done, which wakes again. */
void park_resume(struct loop *l, struct request_internal *in);
void park_resume_ready(struct loop *l);                              /* those that were woken */
void park_resume_due(struct loop *l, int64_t now_us);                /* those whose deadline has come */
void park_client_left(struct loop *l, struct request_internal *in);

#endif
