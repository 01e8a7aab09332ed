
#include "gateway/base/clock.h"
#include "gateway/base/metrics_table.h"

/* Figures with labels: what was collected last, as text. */

enum family { LAG_EVENTS, LAG_SECONDS, IN_FLIGHT, RETRYING, LETTERS, POISON, DROPPED, COLLECTED, FAMILIES };

static const struct metric_row rows[FAMILIES] = {
    [LAG_EVENTS] = { "weir_group_lag_events", GAUGE, "Events that a consumer group has not finished.", NULL },
    [LAG_SECONDS] = { "weir_group_lag_seconds", GAUGE,
                      "Age of the oldest of these; of what is handed out, the time since then.", NULL },
    [IN_FLIGHT] = { "weir_group_in_flight", GAUGE, "Events handed out whose deadline has not passed.", NULL },
    [RETRYING] = { "weir_group_retrying", GAUGE, "Events that wait for a retry.", NULL },
    [LETTERS] = { "weir_dlq_letters", GAUGE, "Dead letters of a consumer group, by state.", NULL },
    [POISON] = { "weir_dlq_poison_letters", GAUGE, "Parked letters that died of the same again after a redrive.", NULL },
    [DROPPED] = { "weir_group_series_dropped", GAUGE, "Consumer groups without figures, beyond metrics.groups_max.", NULL },
    [COLLECTED] = { "weir_group_figures_timestamp_seconds", GAUGE,
                    "When the figures of groups and dead letters were collected, in unix time; 0: never.", NULL },
};

static struct metric_kept kept = METRIC_KEPT;

static void put_sample(struct buf *b, enum family f, const struct metric_group_name *of, const char *more)
{
    buf_printf(b, "%s{stream=\"%.*s\",group=\"%.*s\"%s} ", rows[f].name, (int)of->stream.n, of->stream.p, (int)of->group.n,
               of->group.p, more);
}

static void put_int(struct buf *b, int64_t v)
{
    buf_i64(b, v);
    buf_char(b, '\n');
}

static void put_lags(struct buf *b, const struct metric_groups *g)
{
    for (enum family f = LAG_EVENTS; f <= RETRYING; f++) {
        metric_head(b, &rows[f]);
        for (const struct metric_lag *l = g->lags; l < g->lags + g->lag_n; l++) {
            put_sample(b, f, &l->of, "");
            if (f == LAG_SECONDS)
                buf_printf(b, "%.3f\n", (double)l->us / 1e6);
            else
                put_int(b, f == LAG_EVENTS ? l->events : f == IN_FLIGHT ? l->in_flight : l->retrying);
        }
    }
}

static int compare(const struct metric_group_name *a, const struct metric_group_name *b)
{
    int c = slice_order(a->stream, b->stream);

    return c ? c : slice_order(a->group, b->group);
}

/* Of groups that have letters, and a zero for those that have none. */
static void put_letters(struct buf *b, const struct metric_groups *g, enum family f)
{
    const struct metric_lag *l = g->lags, *l_end = g->lags + g->lag_n;
    const struct metric_letters *d = g->letters, *d_end = g->letters + g->letter_n;

    metric_head(b, &rows[f]);
    while (l < l_end || d < d_end) {
        int c = l == l_end ? 1 : d == d_end ? -1 : compare(&l->of, &d->of);

        put_sample(b, f, c < 0 ? &l->of : &d->of, f == LETTERS ? ",state=\"parked\"" : "");
        put_int(b, c < 0 ? 0 : f == LETTERS ? d->parked : d->poison);
        l += c <= 0;
        d += c >= 0;
    }
}

static void put_all(struct buf *b, const struct metric_groups *g, int64_t unix_us)
{
    put_lags(b, g);
    put_letters(b, g, LETTERS);
    put_letters(b, g, POISON);
    metric_collected(b, &rows[DROPPED], g->dropped, &rows[COLLECTED], unix_us);
}

bool metrics_groups_set(const struct metric_groups *groups, int64_t unix_us)
{
    struct buf b = { 0 };

    put_all(&b, groups, unix_us);
    return metric_keep(&kept, &b);
}

void metrics_groups(struct buf *out)
{
    if (!metric_kept(&kept, out))
        put_all(out, &(struct metric_groups){ 0 }, 0);
}
