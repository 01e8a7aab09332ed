#include <pthread.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/thread.h"
#include "gateway/base/worker.h"

#define RETRY_FIRST_US (1 * US_PER_S) /* or the period, if that is shorter */
#define RETRY_MAX_US (30 * US_PER_S)

struct ticker {
    struct ticker_def def;
    void *self;
    pthread_t thread;
    /* of the thread alone */
    enum err last;          /* outcome of the last tick */
    int64_t retry_us;       /* 0: not backing off */
    uint64_t seed;
    /* shared */
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed;
    bool woken, stopping;
};

/* within 10 % of us, so that gateways started together do not stay in step */
static int64_t jitter(struct ticker *t, int64_t us)
{
    t->seed = t->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth's MMIX generator */
    return us - us / 10 + (int64_t)((t->seed >> 33) % (uint64_t)(us / 5 + 1));
}

static void note(struct ticker *t, enum err e)
{
    if (e && e != t->last)
        log_warn("background work fails, retrying", L_STR("worker", t->def.name), L_INT("err", e));
    if (!e && t->last)
        log_info("background work goes on", L_STR("worker", t->def.name));
    t->last = e;
}

static int64_t retry_delay(struct ticker *t)
{
    if (t->retry_us)
        t->retry_us = t->retry_us < RETRY_MAX_US / 2 ? t->retry_us * 2 : RETRY_MAX_US;
    else
        t->retry_us = t->def.period_us < RETRY_FIRST_US ? t->def.period_us : RETRY_FIRST_US;
    return jitter(t, t->retry_us);
}

/* One tick; returns how long to sleep. */
static int64_t tick(struct ticker *t)
{
    bool more = false;
    enum err e = t->def.tick(t->self, &more);

    note(t, e);
    if (e)
        return retry_delay(t);
    t->retry_us = 0;
    return more ? 0 : jitter(t, t->def.period_us);
}

/* False: stop. A wake does not shorten a back-off, else a busy waker would hammer what is down. */
static bool ticker_sleep(struct ticker *t, int64_t us)
{
    int64_t until = clock_mono_us() + us;
    bool go_on;

    pthread_mutex_lock(&t->lock);
    while (!t->stopping && !(t->woken && !t->retry_us) && clock_mono_us() < until)
        cond_wait_until(&t->changed, &t->lock, until);
    t->woken = false;
    go_on = !t->stopping;
    pthread_mutex_unlock(&t->lock);
    return go_on;
}

static void *ticker_run(void *arg)
{
    struct ticker *t = arg;
    int64_t us = 0;

    while (ticker_sleep(t, us))
        us = tick(t);
    return NULL;
}

static void ticker_free(struct ticker *t)
{
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct ticker *ticker_start(const struct ticker_def *def, void *self)
{
    struct ticker *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->def = *def;
    t->self = self;
    t->seed = (uint64_t)clock_mono_us() ^ (uint64_t)(uintptr_t)t;
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->changed);
    if (thread_start(&t->thread, def->name, ticker_run, t))
        return t;
    ticker_free(t);
    return NULL;
}

static void ticker_signal(struct ticker *t, bool *flag)
{
    pthread_mutex_lock(&t->lock);
    *flag = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void ticker_wake(struct ticker *t)
{
    ticker_signal(t, &t->woken);
}

void ticker_stop(struct ticker *t)
{
    if (!t)
        return;
    ticker_signal(t, &t->stopping);
    pthread_join(t->thread, NULL);
    ticker_free(t);
}
