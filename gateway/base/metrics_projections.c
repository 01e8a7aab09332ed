#include <inttypes.h>

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

static struct metric_kept kept = METRIC_KEPT;

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
    metric_collected(b, &rows[DROPPED], dropped, &rows[COLLECTED], unix_us);
}

bool metrics_projections_set(const struct metric_projection *v, size_t n, int64_t dropped, int64_t unix_us)
{
    struct buf b = { 0 };

    put_all(&b, v, n, dropped, unix_us);
    return metric_keep(&kept, &b);
}

void metrics_projections(struct buf *out)
{
    if (!metric_kept(&kept, out))
        put_all(out, NULL, 0, 0, 0);
}
