#include "gateway/base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "gateway/base/clock.h"

bool thread_start(pthread_t *ret, const char *name, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    char cut[16];
    bool ok;

    if (pthread_attr_init(&attr))
        return false;
    ok = !pthread_attr_setstacksize(&attr, THREAD_STACK) && !pthread_create(ret, &attr, run, arg);
    pthread_attr_destroy(&attr);
    if (ok) {
        snprintf(cut, sizeof cut, "%.15s", name);
        pthread_setname_np(*ret, cut);
    }
    return ok;
}

void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t mono_us)
{
    const struct timespec at = { .tv_sec = mono_us / US_PER_S, .tv_nsec = mono_us % US_PER_S * 1000 };

    return pthread_cond_timedwait(c, m, &at) != ETIMEDOUT;
}
