#include "gateway/base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "gateway/base/metrics_table.h"

#ifndef WEIR_VERSION
#define WEIR_VERSION "0.1.0"
#endif

#define STATUS_FIRST 100
#define STATUS_END 600

struct histogram {
    _Atomic int64_t counts[METRIC_BUCKETS + 1];
    _Atomic int64_t sum_millionths; /* an integer, because C11 cannot add to an atomic double */
};

/* A cache line each: the event loops and the lanes count at the same time. */
static struct {
    _Alignas(64) _Atomic int64_t v;
} cells[M_END];
static struct histogram histograms[M_END];

/* The last row of each is operation "none". */
static _Atomic int64_t requests[METRICS_ROUTES + 1][STATUS_END - STATUS_FIRST];
static struct histogram request_times[METRICS_ROUTES + 1];
static const char *operations[METRICS_ROUTES];
static size_t operation_count;

void metric_add(enum metric m, int64_t n)
{
    atomic_fetch_add_explicit(&cells[m].v, n, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t v)
{
    atomic_store_explicit(&cells[m].v, v, memory_order_relaxed);
}

static int64_t get(_Atomic int64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void observe(struct histogram *h, const struct metric_bounds *bounds, double v)
{
    size_t i = 0;

    while (i < bounds->n && v > bounds->at[i])
        i++;
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_millionths, llround(v * 1e6), memory_order_relaxed);
}

void metric_observe(enum metric m, double v)
{
    observe(&histograms[m], metric_rows[m].bounds, v);
}

void metrics_routes(const char *const *operation_ids, size_t n)
{
    operation_count = n < METRICS_ROUTES ? n : METRICS_ROUTES;
    for (size_t i = 0; i < operation_count; i++)
        operations[i] = operation_ids[i];
}

static const char *operation(size_t route)
{
    return route < operation_count ? operations[route] : "none";
}

void metric_request(size_t route, int status, double seconds)
{
    size_t r = route < operation_count ? route : METRICS_ROUTES;
    size_t s = (size_t)(status >= STATUS_FIRST && status < STATUS_END ? status : 500) - STATUS_FIRST;

    atomic_fetch_add_explicit(&requests[r][s], 1, memory_order_relaxed);
    observe(&request_times[r], metric_row_request_seconds.bounds, seconds);
}

void metric_head(struct buf *out, const struct metric_row *row)
{
    static const char *const types[] = { [COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram" };

    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, types[row->type]);
}

/* `label` is "" or `operation="…"`. The count is the sum of the buckets, so that both always agree. */
static void render_histogram(struct buf *out, const struct metric_row *row, const char *label, struct histogram *h)
{
    const char *comma = *label ? "," : "", *open = *label ? "{" : "", *close = *label ? "}" : "";
    int64_t sum = get(&h->sum_millionths), count = 0;

    for (size_t i = 0; i < row->bounds->n; i++) {
        count += get(&h->counts[i]);
        buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %" PRId64 "\n", row->name, label, comma, row->bounds->at[i], count);
    }
    count += get(&h->counts[row->bounds->n]);
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRId64 "\n", row->name, label, comma, count);
    buf_printf(out, "%s_sum%s%s%s %.6f\n", row->name, open, label, close, (double)sum / 1e6);
    buf_printf(out, "%s_count%s%s%s %" PRId64 "\n", row->name, open, label, close, count);
}

static void render_requests(struct buf *out)
{
    metric_head(out, &metric_row_requests);
    for (size_t r = 0; r <= METRICS_ROUTES; r++)
        for (int s = STATUS_FIRST; s < STATUS_END; s++) {
            int64_t n = get(&requests[r][s - STATUS_FIRST]);

            if (n > 0)
                buf_printf(out, "%s{operation=\"%s\",status=\"%d\"} %" PRId64 "\n", metric_row_requests.name,
                           operation(r), s, n);
        }
}

static bool observed(struct histogram *h)
{
    for (size_t i = 0; i <= METRIC_BUCKETS; i++)
        if (get(&h->counts[i]) > 0)
            return true;
    return false;
}

static void render_request_times(struct buf *out)
{
    char label[100];

    metric_head(out, &metric_row_request_seconds);
    for (size_t r = 0; r <= METRICS_ROUTES; r++) {
        if (!observed(&request_times[r]))
            continue;
        snprintf(label, sizeof label, "operation=\"%s\"", operation(r));
        render_histogram(out, &metric_row_request_seconds, label, &request_times[r]);
    }
}

void metrics_render(struct buf *out)
{
    metric_head(out, &metric_row_build);
    buf_printf(out, "%s{version=\"%s\"} 1\n", metric_row_build.name, WEIR_VERSION);
    render_requests(out);
    render_request_times(out);
    for (int m = 0; m < M_END; m++) {
        metric_head(out, &metric_rows[m]);
        if (metric_rows[m].type == HISTOGRAM)
            render_histogram(out, &metric_rows[m], "", &histograms[m]);
        else
            buf_printf(out, "%s %" PRId64 "\n", metric_rows[m].name, get(&cells[m].v));
    }
    metrics_groups(out);
    metrics_projections(out);
    metrics_targets(out);
    metrics_sagas(out);
    metrics_process(out);
}
