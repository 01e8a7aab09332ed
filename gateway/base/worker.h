#ifndef WEIR_BASE_WORKER_H
#define WEIR_BASE_WORKER_H

#include "gateway/base/err.h"

/* Two shapes of threads.
 *
 * A pool runs jobs that block: each thread has a context of its own (a database connection), made by ctx_new in that
 * thread. The queue is bounded. */
struct pool;
struct job {                       /* embedded in what owns it; the pool never frees it */
    void (*run)(struct job *job, void *ctx); /* may free its owner */
    struct job *next;
};
struct pool_config {
    const char *name;              /* thread name, at most 11 characters */
    int threads, queue;
    void *(*ctx_new)(void *arg);
    void (*ctx_free)(void *ctx);
    void *arg;
};
struct pool *pool_new(const struct pool_config *c);
bool pool_submit(struct pool *p, struct job *job); /* false: full, or stopping */
void pool_stop(struct pool *p);    /* runs what is queued, joins, frees; NULL-safe */

/* A background loop calls tick every period (jittered by 10 %), at once when woken or when *ret_more, and backs off
 * (doubling, to 30 s) on errors, which it logs once until they change; a wake does not shorten a back-off. */
struct ticker;
struct ticker_def {
    const char *name;
    int64_t period_us;
    enum err (*tick)(void *self, bool *ret_more); /* one bounded unit of work */
};
struct ticker *ticker_start(const struct ticker_def *def, void *self);
void ticker_wake(struct ticker *t);
void ticker_stop(struct ticker *t); /* joins; NULL-safe */

#endif
