#include <pthread.h>

#include "gateway/base/metrics_table.h"

/* Figures of targets, as text: what was told last. */

enum family { BREAKER, RUNNING, FAMILIES };

static const struct metric_row rows[FAMILIES] = {
    [BREAKER] = { "weir_target_breaker_state", GAUGE, "A target's circuit breaker: 0 closed, 1 open, 2 half-open.", NULL },
    [RUNNING] = { "weir_target_calls", GAUGE, "Calls to a target that run.", NULL },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf text; /* under lock */

static void put_all(struct buf *b, const struct metric_target *v, size_t n)
{
    for (enum family f = BREAKER; f < FAMILIES; f++) {
        metric_head(b, &rows[f]);
        for (size_t i = 0; i < n; i++)
            buf_printf(b, "%s{target=\"%.*s\"} %d\n", rows[f].name, (int)v[i].name.n, v[i].name.p,
                       f == BREAKER ? v[i].breaker : v[i].running);
    }
}

bool metrics_targets_set(const struct metric_target *v, size_t n)
{
    struct buf b = { 0 }, old;

    put_all(&b, v, n);
    if (b.failed) {
        buf_free(&b);
        return false;
    }
    pthread_mutex_lock(&lock);
    old = text;
    text = b;
    pthread_mutex_unlock(&lock);
    buf_free(&old);
    return true;
}

void metrics_targets(struct buf *out)
{
    bool never;

    pthread_mutex_lock(&lock);
    never = !text.n;
    buf_put(out, text.p, text.n);
    pthread_mutex_unlock(&lock);
    if (never)
        put_all(out, NULL, 0);
}
