#include "gateway/engine/figures.h"

#include <stdlib.h>

#include "db/figures.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/worker.h"

#define GROUP_BYTES 1536 /* of memory for the figures of one: two names, of its lag and of its letters; of a projection or a saga its name */
#define REST 19          /* times as long as a collection took it rests */

struct figures {
    const struct config *config;
    struct db *db;
    struct ticker *ticker; /* NULL: never */
    int64_t rest_until_us; /* monotonic */
};

static enum err collect_projections(struct figures *s, struct arena *a, struct fault *f)
{
    struct metric_projection *v;
    int64_t all;
    size_t n;
    enum err e = db_figures_projections(s->db, a, s->config->metrics_groups_max, &v, &n, &all, f);

    if (e)
        return e;
    return metrics_projections_set(v, n, all - (int64_t)n, clock_unix_us()) ? OK : ERR_NO_MEMORY;
}

static enum err collect_sagas(struct figures *s, struct arena *a, struct fault *f)
{
    struct metric_saga_now *v;
    int64_t all;
    size_t n;
    enum err e = db_figures_sagas(s->db, a, s->config->metrics_groups_max, &v, &n, &all, f);

    if (e)
        return e;
    return metrics_sagas_set(v, n, all - (int64_t)n, clock_unix_us()) ? OK : ERR_NO_MEMORY;
}

static enum err collect(void *figures, bool *ret_more)
{
    struct figures *s = figures;
    int64_t began = clock_mono_us();
    struct metric_groups groups;
    struct fault f = { 0 };
    struct arena *a;
    enum err e;

    (void)ret_more;
    if (began < s->rest_until_us)
        return OK;
    a = arena_new((size_t)s->config->metrics_groups_max * GROUP_BYTES + 65536);
    e = a ? db_figures(s->db, a, s->config->metrics_groups_max, &groups, &f) : ERR_NO_MEMORY;
    if (!e && !metrics_groups_set(&groups, clock_unix_us()))
        e = ERR_NO_MEMORY;
    if (!e)
        e = collect_projections(s, a, &f);
    if (!e)
        e = collect_sagas(s, a, &f);
    arena_free(a);
    s->rest_until_us = clock_mono_us() + REST * (clock_mono_us() - began);
    if (e && e != ERR_DATABASE_UNAVAILABLE)
        log_warn("the figures of consumer groups, projections and sagas are not collected", L_STR("why", f.detail));
    return e;
}

struct figures *figures_start(const struct config *c, const struct db_config *db)
{
    const struct ticker_def def = { "weir-figures", c->metrics_groups_period_us, collect };
    struct figures *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    *s = (struct figures){ .config = c, .db = db_new(db) };
    if (s->db && (!def.period_us || (s->ticker = ticker_start(&def, s))))
        return s;
    figures_stop(s);
    return NULL;
}

void figures_stop(struct figures *s)
{
    if (!s)
        return;
    ticker_stop(s->ticker);
    db_free(s->db);
    free(s);
}
