#ifndef WEIR_ENGINE_FIGURES_H
#define WEIR_ENGINE_FIGURES_H

#include "db/db.h"
#include "gateway/base/config.h"

/* Collects the figures of consumer groups, dead letters, projections and sagas from the database, every metrics.groups_period, for /metrics. Each
 * gateway tells of all groups. However many there are, it is at work for no more than a twentieth of the time. */
struct figures;
struct figures *figures_start(const struct config *c, const struct db_config *db); /* both outlive it; NULL: no memory */
void figures_stop(struct figures *f);                                              /* NULL-safe */

#endif
