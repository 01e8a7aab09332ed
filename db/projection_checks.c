#include "db/projection_checks.h"

#include "sql.h"

#define CHECK_COLUMNS "int8 uuid text int2 bool int4 int4 int8 int8 int8 text text timestamptz timestamptz"

const struct stmt CHECK_ADD = { "check_add", SQL_CHECK_ADD, "int8 uuid text int2 bool int4 int4 text", "timestamptz" };
const struct stmt CHECK_FIND = { "check_find", SQL_CHECK_FIND, "uuid", CHECK_COLUMNS };
const struct stmt CHECK_RUNNING = { "check_running", SQL_CHECK_RUNNING, "int8", CHECK_COLUMNS };
const struct stmt CHECK_LAST = { "check_last", SQL_CHECK_LAST, "int8", CHECK_COLUMNS };
const struct stmt CHECK_TAKE = { "check_take", SQL_CHECK_TAKE, "int8", CHECK_COLUMNS };
const struct stmt CHECK_DUE = { "check_due", SQL_CHECK_DUE, "int8 uuid int8 int8", "int8" };
const struct stmt CHECK_END = { "check_end", SQL_CHECK_END, "int8 uuid int2 int8 int8 int8 text text", "timestamptz" };
const struct stmt CHECKS_FORGET = { "checks_forget", SQL_CHECKS_FORGET, "int8", "" };
const struct stmt CHECK_PROGRESS = { "check_progress", SQL_CHECK_PROGRESS, "int8 int4 int4", "bool bool text int8 int8 int8" };
const struct stmt CHECK_FOLLOW = { "check_follow", SQL_CHECK_FOLLOW, "int8 int4 int4", "" };
const struct stmt CHECK_PAGE = { "check_page", SQL_CHECK_PAGE, "int8 int4 int4 text int8",
                                 "text bool text text int8 int8 int4 int4 bool" };
const struct stmt CHECKS_WANTED = { "checks_wanted", SQL_CHECKS_WANTED, "", "text text int8" };
const struct stmt CHECKS_FORSAKEN = { "checks_forsaken", SQL_CHECKS_FORSAKEN, "", "int8 int4" };

/* Copies a value that may be absent. False: memory is out. */
static bool take(struct arena *a, const struct rows *r, int row, int col, struct slice *ret)
{
    struct slice s = row_text(r, row, col);

    *ret = s.p ? arena_slice(a, s) : SLICE_NONE;
    return !s.p || ret->p;
}

/* At most one row. */
static enum err read_check(struct db *db, struct arena *a, const struct stmt *s, const struct arg *args, struct check_row *ret,
                           bool *ret_found, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    *ret_found = !e && r.n == 1;
    if (*ret_found) {
        *ret = (struct check_row){
            .projection_id = row_int8(&r, 0, 0),
            .state = row_int2(&r, 0, 3),
            .automatic = row_bool(&r, 0, 4),
            .build = row_int4(&r, 0, 5),
            .scratch = row_int4(&r, 0, 6),
            .checked = row_int8(&r, 0, 7),
            .drifted = row_int8(&r, 0, 8),
            .order_dependent = row_int8(&r, 0, 9),
            .created_us = row_time(&r, 0, 12),
            .updated_us = row_time(&r, 0, 13),
        };
        memcpy(ret->job_id, row_uuid(&r, 0, 1), sizeof ret->job_id);
        if (!take(a, &r, 0, 2, &ret->name) || !take(a, &r, 0, 10, &ret->result) || !take(a, &r, 0, 11, &ret->error))
            e = ERR_NO_MEMORY;
    }
    rows_free(&r);
    return e;
}

enum err db_check_add(struct db *db, struct check_row *c, struct fault *f)
{
    const struct arg args[] = { arg_int8(c->projection_id), arg_uuid(c->job_id), arg_text(c->name), arg_int2((int16_t)c->state),
                                arg_bool(c->automatic), arg_int4(c->build), arg_int4(c->scratch), arg_text(c->error) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &CHECK_ADD, args, &r, f);

    if (!e)
        c->created_us = c->updated_us = row_time(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_check_find(struct db *db, struct arena *a, const uint8_t id[16], struct check_row *ret, bool *ret_found,
                        struct fault *f)
{
    return read_check(db, a, &CHECK_FIND, (const struct arg[]){ arg_uuid(id) }, ret, ret_found, f);
}

enum err db_check_running(struct db *db, struct arena *a, int64_t projection_id, struct check_row *ret, bool *ret_found,
                          struct fault *f)
{
    return read_check(db, a, &CHECK_RUNNING, (const struct arg[]){ arg_int8(projection_id) }, ret, ret_found, f);
}

enum err db_check_last(struct db *db, struct arena *a, int64_t projection_id, struct check_row *ret, bool *ret_found,
                       struct fault *f)
{
    return read_check(db, a, &CHECK_LAST, (const struct arg[]){ arg_int8(projection_id) }, ret, ret_found, f);
}

enum err db_check_take(struct db *db, struct arena *a, int64_t for_us, struct check_row *ret, bool *ret_found, struct fault *f)
{
    return read_check(db, a, &CHECK_TAKE, (const struct arg[]){ arg_int8(for_us) }, ret, ret_found, f);
}

enum err db_check_due(struct db *db, const struct check_row *c, int64_t in_us, bool *ret_runs, struct fault *f)
{
    const struct arg args[] = { arg_int8(c->projection_id), arg_uuid(c->job_id), arg_int8(in_us), arg_int8(c->checked) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &CHECK_DUE, args, &r, f);

    *ret_runs = !e && r.n == 1;
    rows_free(&r);
    return e;
}

enum err db_check_end(struct db *db, const struct check_row *c, bool *ret_ended, struct fault *f)
{
    const struct arg args[] = { arg_int8(c->projection_id), arg_uuid(c->job_id), arg_int2((int16_t)c->state), arg_int8(c->checked),
                                arg_int8(c->drifted), arg_int8(c->order_dependent), arg_text(c->result), arg_text(c->error) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &CHECK_END, args, &r, f);

    *ret_ended = !e && r.n == 1;
    rows_free(&r);
    return e;
}

enum err db_checks_forget(struct db *db, int64_t keep_us, struct fault *f)
{
    return db_exec(db, &CHECKS_FORGET, (const struct arg[]){ arg_int8(keep_us) }, NULL, f);
}

enum err db_check_progress(struct db *db, struct arena *a, const struct check_row *c, struct check_progress *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(c->projection_id), arg_int4(c->build), arg_int4(c->scratch) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &CHECK_PROGRESS, args, &r, f);

    *ret = (struct check_progress){ .there = !e && r.n == 1 };
    if (ret->there) {
        ret->paused = row_bool(&r, 0, 0);
        ret->held = row_bool(&r, 0, 1);
        ret->rest = row_int8(&r, 0, 3);
        ret->behind = row_int8(&r, 0, 4);
        ret->uneven = row_int8(&r, 0, 5);
        if (!take(a, &r, 0, 2, &ret->error))
            e = ERR_NO_MEMORY;
    }
    rows_free(&r);
    return e;
}

enum err db_check_follow(struct db *db, int64_t projection_id, int32_t build, int32_t scratch, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_int4(scratch) };

    return db_exec(db, &CHECK_FOLLOW, args, NULL, f);
}

enum err db_check_page(struct db *db, const struct check_row *c, struct slice after, int64_t limit, struct rows *ret,
                       struct fault *f)
{
    const struct arg args[] = { arg_int8(c->projection_id), arg_int4(c->build), arg_int4(c->scratch), arg_text(after),
                                arg_int8(limit) };

    return db_exec(db, &CHECK_PAGE, args, ret, f);
}

void db_check_pair(const struct rows *r, int i, struct check_pair *ret)
{
    *ret = (struct check_pair){
        .key = row_text(r, i, 0),
        .differs = row_bool(r, i, 1),
        .is = row_text(r, i, 2),
        .should = row_text(r, i, 3),
        .is_version = row_null(r, i, 4) ? 0 : row_int8(r, i, 4),
        .should_version = row_null(r, i, 5) ? 0 : row_int8(r, i, 5),
        .is_part = row_null(r, i, 6) ? -1 : row_int4(r, i, 6),
        .should_part = row_null(r, i, 7) ? -1 : row_int4(r, i, 7),
        .last = row_bool(r, i, 8),
    };
}

enum err db_checks_wanted(struct db *db, struct arena *a, struct check_wanted **ret, size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct check_wanted *v = NULL;
    enum err e = db_exec(db, &CHECKS_WANTED, NULL, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i].since_us = row_int8(&r, i, 2);
        if (!take(a, &r, i, 0, &v[i].name) || !take(a, &r, i, 1, &v[i].definition))
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_checks_forsaken(struct db *db, struct arena *a, struct part_id **ret, size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct part_id *v = NULL;
    enum err e = db_exec(db, &CHECKS_FORSAKEN, NULL, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        v[i] = (struct part_id){ .projection_id = row_int8(&r, i, 0), .build = row_int4(&r, i, 1) };
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}
