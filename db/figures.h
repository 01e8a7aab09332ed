#ifndef WEIR_DB_FIGURES_H
#define WEIR_DB_FIGURES_H

#include "db/db.h"
#include "gateway/base/metrics.h"

extern const struct stmt FIGURES_GROUPS, FIGURES_LETTERS, FIGURES_PROJECTIONS, FIGURES_SAGAS;

/* What metrics_groups_set takes: at most max groups of each kind, their names in the arena. */
enum err db_figures(struct db *db, struct arena *a, int64_t max, struct metric_groups *ret, struct fault *f);

/* The same of projections; *ret_all: how many there are. */
enum err db_figures_projections(struct db *db, struct arena *a, int64_t max, struct metric_projection **ret, size_t *ret_n,
                                int64_t *ret_all, struct fault *f);

/* And of sagas. */
enum err db_figures_sagas(struct db *db, struct arena *a, int64_t max, struct metric_saga_now **ret, size_t *ret_n,
                          int64_t *ret_all, struct fault *f);

#endif
