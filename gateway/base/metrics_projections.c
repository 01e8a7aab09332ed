#include <inttypes.h>
#include <pthread.h>

#include "gateway/base/metrics_table.h"

/* Figures of projections, as text: what was collected last. */

enum family { LAG_EVENTS, LAG_SECONDS, FAILED, PAUSED, DROPPED, COLLECTED, FAMILIES };

static const struct metric_row rows[FAMILIES] = {
    [LAG_EVENTS] = { "weir_projection_lag_events", GAUGE, "Events that a projection has not folded.", NULL },
    [LAG_SECONDS] = { "weir_projection_lag_seconds", GAUGE, "Age of the oldest of these.", NULL },
    [FAILED] = { "weir_projection_failed", GAUGE,
                 "Whether (1) the projection stands at an event that cannot be folded, or read.", NULL },
    [PAUSED] = { "weir_projection_paused", GAUGE, "Whether (1) the projection is paused.", NULL },
    [DROPPED] = { "weir_projection_series_dropped", GAUGE, "Projections without figures, beyond metrics.groups_max.", NULL },
    [COLLECTED] = { "weir_projection_figures_timestamp_seconds", GAUGE,
                    "When the figures of projections were collected, in unix time; 0: never.", NULL },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf text; /* under lock */

static void put_sample(struct buf *b, enum family f, const struct metric_projection *p)
{
    buf_printf(b, "%s{projection=\"%.*s\"} ", rows[f].name, (int)p->name.n, p->name.p);
    if (f == LAG_SECONDS)
        buf_printf(b, "%.3f\n", (double)p->lag_us / 1e6);
    else
        buf_printf(b, "%" PRId64 "\n", f == LAG_EVENTS ? p->lag_events : f == FAILED ? (int64_t)p->failed : (int64_t)p->paused);
}

static void put_all(struct buf *b, const struct metric_projection *v, size_t n, int64_t dropped, int64_t unix_us)
{
    for (enum family f = LAG_EVENTS; f <= PAUSED; f++) {
        metric_head(b, &rows[f]);
        for (size_t i = 0; i < n; i++)
            put_sample(b, f, &v[i]);
    }
    metric_head(b, &rows[DROPPED]);
    buf_printf(b, "%s %" PRId64 "\n", rows[DROPPED].name, dropped);
    metric_head(b, &rows[COLLECTED]);
    buf_printf(b, "%s %.3f\n", rows[COLLECTED].name, (double)unix_us / 1e6);
}

bool metrics_projections_set(const struct metric_projection *v, size_t n, int64_t dropped, int64_t unix_us)
{
    struct buf b = { 0 }, old;

    put_all(&b, v, n, dropped, unix_us);
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

void metrics_projections(struct buf *out)
{
    bool never;

    pthread_mutex_lock(&lock);
    never = !text.n;
    buf_put(out, text.p, text.n);
    pthread_mutex_unlock(&lock);
    if (never)
        put_all(out, NULL, 0, 0, 0);
}
