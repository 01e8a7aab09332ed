#include "db/targets.h"

#include "sql.h"

#define COLUMNS "text int2 int4 int4 timestamptz int8 timestamptz timestamptz"

const struct stmt TARGETS_ADD = { "targets_add", SQL_TARGETS_ADD, "text[]", "" };
const struct stmt TARGETS_LOCK = { "targets_lock", SQL_TARGETS_LOCK, "text[]", COLUMNS };
const struct stmt TARGETS_SET = { "targets_set", SQL_TARGETS_SET,
                                 "text[] int4[] int4[] int4[] timestamptz[] int8[] timestamptz[]", "" };
const struct stmt TARGETS_TROUBLED = { "targets_troubled", SQL_TARGETS_TROUBLED, "", COLUMNS };
const struct stmt TARGETS_REMOVE = { "targets_remove", SQL_TARGETS_REMOVE, "int8 int8", "int8" };
const struct stmt TARGETS_PAGE = { "targets_page", SQL_TARGETS_PAGE, "text int8", COLUMNS };

static int64_t time_or_0(const struct rows *r, int row, int col)
{
    return row_null(r, row, col) ? 0 : row_time(r, row, col);
}

static enum err take(struct rows *r, struct arena *a, struct target_row **ret, size_t *ret_n, int64_t *ret_now_us)
{
    struct target_row *v = arena_alloc(a, (size_t)(r->n + 1) * sizeof *v);
    size_t n = 0;

    for (int i = 0; v && i < r->n; i++) {
        *ret_now_us = row_time(r, i, 7);
        if (row_null(r, i, 0))
            continue;
        v[n] = (struct target_row){ arena_slice(a, row_text(r, i, 0)), row_int2(r, i, 1), row_int4(r, i, 2), row_int4(r, i, 3),
                                    time_or_0(r, i, 4), row_int8(r, i, 5), time_or_0(r, i, 6) };
        if (!v[n++].target.p)
            v = NULL;
    }
    *ret = v;
    *ret_n = n;
    return v ? OK : ERR_NO_MEMORY;
}

static enum err read_rows(struct db *db, struct arena *a, const struct stmt *s, const struct arg *args, struct target_row **ret,
                          size_t *ret_n, int64_t *ret_now_us, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    if (!e)
        e = take(&r, a, ret, ret_n, ret_now_us);
    rows_free(&r);
    return e;
}

enum err db_targets_troubled(struct db *db, struct arena *a, struct target_row **ret, size_t *ret_n, int64_t *ret_now_us,
                             struct fault *f)
{
    return read_rows(db, a, &TARGETS_TROUBLED, NULL, ret, ret_n, ret_now_us, f);
}

enum err db_targets_page(struct db *db, struct arena *a, struct slice after, size_t limit, struct target_row **ret, size_t *ret_n,
                         int64_t *ret_now_us, struct fault *f)
{
    const struct arg args[] = { arg_text(after), arg_int8((int64_t)limit) };

    return read_rows(db, a, &TARGETS_PAGE, args, ret, ret_n, ret_now_us, f);
}

enum err db_targets_lock(struct db *db, struct arena *a, const struct slice *names, size_t n, struct target_row **ret,
                         size_t *ret_n, int64_t *ret_now_us, struct fault *f)
{
    const struct arg args[] = { arg_text_array(a, names, sizeof *names, n) };
    struct rows r[3] = { 0 };
    enum err e;

    db_queue(db, &DB_BEGIN, NULL);
    db_queue(db, &TARGETS_ADD, args);
    db_queue(db, &TARGETS_LOCK, args);
    if (!(e = db_flush(db, r, 3, f)) && (e = take(&r[2], a, ret, ret_n, ret_now_us)))
        db_rollback(db);
    for (int i = 0; i < 3; i++)
        rows_free(&r[i]);
    return e;
}

enum err db_targets_commit(struct db *db, struct arena *a, const struct target_row *v, size_t n, struct fault *f)
{
    const struct arg args[] = {
        arg_text_array(a, &v->target, sizeof *v, n),         arg_int4_array(a, &v->state, sizeof *v, n),
        arg_int4_array(a, &v->failures, sizeof *v, n),       arg_int4_array(a, &v->successes, sizeof *v, n),
        arg_time_array(a, &v->opened_us, sizeof *v, n),      arg_int8_array(a, &v->probe_owner, sizeof *v, n),
        arg_time_array(a, &v->probe_until_us, sizeof *v, n),
    };

    if (n)
        db_queue(db, &TARGETS_SET, args);
    db_queue(db, &DB_COMMIT, NULL);
    return db_flush(db, NULL, n ? 2 : 1, f);
}

enum err db_targets_remove(struct db *db, int64_t age_us, size_t limit, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(age_us), arg_int8((int64_t)limit) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &TARGETS_REMOVE, args, &r, f);

    if (!e)
        *ret_n = (size_t)row_int8(&r, 0, 0);
    rows_free(&r);
    return e;
}
