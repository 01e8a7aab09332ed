#ifndef WEIR_BASE_METRICS_TABLE_H
#define WEIR_BASE_METRICS_TABLE_H

#include "gateway/base/metrics.h"

/* What metrics.c shares with its table and the process figures; nobody else includes this. */
enum metric_type { COUNTER = 1, GAUGE, HISTOGRAM };

#define METRIC_BUCKETS 16 /* most bounds of a histogram */
struct metric_bounds {
    size_t n;
    double at[METRIC_BUCKETS]; /* upper bounds, ascending; +Inf is implied */
};

struct metric_row {
    const char *name;
    enum metric_type type;
    const char *help;
    const struct metric_bounds *bounds; /* of a histogram */
};
extern const struct metric_row metric_rows[M_END];
extern const struct metric_row metric_row_requests, metric_row_request_seconds, metric_row_build;

void metric_head(struct buf *out, const struct metric_row *row); /* HELP and TYPE */
void metrics_groups(struct buf *out);                            /* weir_group_*, weir_dlq_*: metrics_groups_set */
void metrics_projections(struct buf *out);                       /* weir_projection_*: metrics_projections_set */
void metrics_process(struct buf *out);                           /* process_*: what /proc tells */

#endif
