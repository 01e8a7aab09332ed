#ifndef WEIR_BASE_METRICS_TABLE_H
#define WEIR_BASE_METRICS_TABLE_H

#include <pthread.h>

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

/* Figures with labels are kept as text, from when they were collected until they are collected again. Any thread. */
struct metric_kept {
    pthread_mutex_t lock;
    struct buf text; /* under lock; empty: never collected */
};
#define METRIC_KEPT { .lock = PTHREAD_MUTEX_INITIALIZER }
bool metric_keep(struct metric_kept *k, struct buf *text); /* takes the text; false: there was no memory to write it, the old one stays */
bool metric_kept(struct metric_kept *k, struct buf *out);  /* false: there is nothing yet */
/* How such a text ends: how many had no room in it, and when it was collected. */
void metric_collected(struct buf *b, const struct metric_row *dropped, int64_t n, const struct metric_row *collected,
                      int64_t unix_us);
void metrics_groups(struct buf *out);                            /* weir_group_*, weir_dlq_*: metrics_groups_set */
void metrics_projections(struct buf *out);                       /* weir_projection_*: metrics_projections_set */
void metrics_targets(struct buf *out);                           /* weir_target_*: metrics_targets_set */
void metrics_sagas(struct buf *out);                             /* weir_saga_*: metric_saga, metrics_sagas_set */
void metrics_process(struct buf *out);                           /* process_*: what /proc tells */

#endif
