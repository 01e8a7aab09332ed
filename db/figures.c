#include "db/figures.h"

#include "sql.h"

const struct stmt FIGURES_GROUPS = { "figures_groups", SQL_FIGURES_GROUPS, "int8", "text text int8 int8 int8 int8 int8" };
const struct stmt FIGURES_LETTERS = { "figures_letters", SQL_FIGURES_LETTERS, "int8", "text text int8 int8 int8" };

const struct stmt FIGURES_PROJECTIONS = { "figures_projections", SQL_FIGURES_PROJECTIONS, "int8",
                                          "text int8 int8 bool bool int8" };
const struct stmt FIGURES_SAGAS = { "figures_sagas", SQL_FIGURES_SAGAS, "int8", "text int8 int8 int8 int8 int8" };

static bool name(struct arena *a, const struct rows *r, int i, struct metric_group_name *ret)
{
    *ret = (struct metric_group_name){ arena_slice(a, row_text(r, i, 0)), arena_slice(a, row_text(r, i, 1)) };
    return ret->stream.p && ret->group.p;
}

static bool take(struct arena *a, const struct rows *groups, const struct rows *letters, struct metric_groups *ret)
{
    struct metric_lag *lags = arena_alloc(a, (size_t)(groups->n + 1) * sizeof *lags);
    struct metric_letters *dead = arena_alloc(a, (size_t)(letters->n + 1) * sizeof *dead);
    int64_t all_groups = groups->n ? row_int8(groups, 0, 6) : 0, all_letters = letters->n ? row_int8(letters, 0, 4) : 0;
    bool good = lags && dead;

    for (int i = 0; good && i < groups->n; i++) {
        lags[i] = (struct metric_lag){ .events = row_int8(groups, i, 2), .us = row_int8(groups, i, 3),
                                       .in_flight = row_int8(groups, i, 4), .retrying = row_int8(groups, i, 5) };
        good = name(a, groups, i, &lags[i].of);
    }
    for (int i = 0; good && i < letters->n; i++) {
        dead[i] = (struct metric_letters){ .parked = row_int8(letters, i, 2), .poison = row_int8(letters, i, 3) };
        good = name(a, letters, i, &dead[i].of);
    }
    *ret = (struct metric_groups){ lags, (size_t)groups->n, dead, (size_t)letters->n,
                                   all_groups - groups->n + all_letters - letters->n };
    return good;
}

enum err db_figures(struct db *db, struct arena *a, int64_t max, struct metric_groups *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(max) };
    struct rows r[2] = { 0 };
    enum err e;

    db_queue(db, &FIGURES_GROUPS, args);
    db_queue(db, &FIGURES_LETTERS, args);
    e = db_flush(db, r, 2, f);
    if (!e && !take(a, &r[0], &r[1], ret))
        e = ERR_NO_MEMORY;
    rows_free(&r[0]);
    rows_free(&r[1]);
    return e;
}

enum err db_figures_projections(struct db *db, struct arena *a, int64_t max, struct metric_projection **ret, size_t *ret_n,
                                int64_t *ret_all, struct fault *f)
{
    const struct arg args[] = { arg_int8(max) };
    struct rows r = { 0 };
    struct metric_projection *v = NULL;
    enum err e = db_exec(db, &FIGURES_PROJECTIONS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct metric_projection){ arena_slice(a, row_text(&r, i, 0)), row_int8(&r, i, 1), row_int8(&r, i, 2),
                                           row_bool(&r, i, 3), row_bool(&r, i, 4) };
        if (!v[i].name.p)
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    *ret_all = !e && r.n ? row_int8(&r, 0, 5) : 0;
    rows_free(&r);
    return e;
}

enum err db_figures_sagas(struct db *db, struct arena *a, int64_t max, struct metric_saga_now **ret, size_t *ret_n,
                          int64_t *ret_all, struct fault *f)
{
    const struct arg args[] = { arg_int8(max) };
    struct rows r = { 0 };
    struct metric_saga_now *v = NULL;
    enum err e = db_exec(db, &FIGURES_SAGAS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i].name = arena_slice(a, row_text(&r, i, 0));
        for (int s = 0; s < METRIC_SAGA_STATES; s++)
            v[i].in_state[s] = row_int8(&r, i, s + 1);
        if (!v[i].name.p)
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    *ret_all = !e && r.n ? row_int8(&r, 0, METRIC_SAGA_STATES + 1) : 0;
    rows_free(&r);
    return e;
}
