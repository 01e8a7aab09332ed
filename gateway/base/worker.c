#include "gateway/base/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"

struct pool {
    struct pool_config c;
    pthread_mutex_t lock;       /* guards everything below */
    pthread_cond_t more;        /* a job, or stopping */
    pthread_cond_t ready;       /* a thread has its context, or has none */
    struct job *head, **tail;
    int queued;
    int starting;               /* threads that are still making their context */
    bool failed, stopping;
    int n;                      /* threads to join */
    pthread_t threads[];
};

/* With the lock held; NULL: stopping, and nothing is left. */
static struct job *pool_next(struct pool *p)
{
    struct job *job;

    while (!p->head && !p->stopping)
        pthread_cond_wait(&p->more, &p->lock);
    if (!(job = p->head))
        return NULL;
    if (!(p->head = job->next))
        p->tail = &p->head;
    p->queued--;
    return job;
}

static void pool_serve(struct pool *p, void *ctx)
{
    struct job *job;

    pthread_mutex_lock(&p->lock);
    while ((job = pool_next(p))) {
        pthread_mutex_unlock(&p->lock);
        metric_add(M_WORKER_QUEUE, -1);
        metric_add(M_WORKER_BUSY, 1);
        job->run(job, ctx);
        metric_add(M_WORKER_BUSY, -1);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

static void *pool_thread(void *arg)
{
    struct pool *p = arg;
    void *ctx = p->c.ctx_new ? p->c.ctx_new(p->c.arg) : NULL;
    bool ok = ctx || !p->c.ctx_new;

    pthread_mutex_lock(&p->lock);
    p->starting--;
    p->failed |= !ok;
    pthread_cond_signal(&p->ready);
    pthread_mutex_unlock(&p->lock);
    if (ok)
        pool_serve(p, ctx);
    if (ctx && p->c.ctx_free)
        p->c.ctx_free(ctx);
    return NULL;
}

/* False unless every thread runs and has its context. */
static bool pool_start(struct pool *p)
{
    char name[32];
    bool ok;

    pthread_mutex_lock(&p->lock);
    for (; p->n < p->c.threads; p->n++) {
        snprintf(name, sizeof name, "%.11s-%d", p->c.name, p->n);
        if (!thread_start(&p->threads[p->n], name, pool_thread, p)) {
            p->failed = true;
            break;
        }
        p->starting++;
    }
    while (p->starting > 0)
        pthread_cond_wait(&p->ready, &p->lock);
    ok = !p->failed;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

struct pool *pool_new(const struct pool_config *c)
{
    struct pool *p = calloc(1, sizeof *p + (size_t)c->threads * sizeof p->threads[0]);

    if (!p)
        return NULL;
    p->c = *c;
    p->tail = &p->head;
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->more);
    cond_init(&p->ready);
    if (pool_start(p))
        return p;
    pool_stop(p);
    return NULL;
}

bool pool_submit(struct pool *p, struct job *job)
{
    bool ok;

    pthread_mutex_lock(&p->lock);
    if ((ok = !p->stopping && p->queued < p->c.queue)) {
        metric_add(M_WORKER_QUEUE, 1);
        job->next = NULL;
        *p->tail = job;
        p->tail = &job->next;
        p->queued++;
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void pool_stop(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->ready);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
