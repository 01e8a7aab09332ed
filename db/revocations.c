#include "db/revocations.h"

#include "sql.h"

#define ENTRY_COLUMNS "int8 text text text timestamptz timestamptz text timestamptz text"

const struct stmt REVOCATION_ADD = { "revocation_add", SQL_REVOCATION_ADD,
                                     "text text text timestamptz timestamptz text timestamptz text int8", "int8 void" };
const struct stmt REVOCATION_REMOVE = { "revocation_remove", SQL_REVOCATION_REMOVE, "int8", "int8 void" };
const struct stmt REVOCATION_GET = { "revocation_get", SQL_REVOCATION_GET, "int8", ENTRY_COLUMNS };
const struct stmt REVOCATIONS_LIST = { "revocations_list", SQL_REVOCATIONS_LIST, "int8 int8", ENTRY_COLUMNS };
const struct stmt REVOCATIONS_VERSION = { "revocations_version", SQL_REVOCATIONS_VERSION, "", "int8" };
const struct stmt REVOCATIONS_ALL = { "revocations_all", SQL_REVOCATIONS_ALL, "timestamptz",
                                      "int8 text text text timestamptz timestamptz" };
const struct stmt REVOCATIONS_FORGET = { "revocations_forget", SQL_REVOCATIONS_FORGET, "timestamptz int8", "int8" };

static int64_t time_or_0(const struct rows *r, int row, int col)
{
    return row_null(r, row, col) ? 0 : row_time(r, row, col);
}

/* Copies a value that may be absent. False: memory is out. */
static bool take(struct arena *a, const struct rows *r, int row, int col, struct slice *ret)
{
    struct slice s = row_text(r, row, col);

    *ret = s.p ? arena_slice(a, s) : SLICE_NONE;
    return !s.p || ret->p;
}

static bool read_entry(struct arena *a, const struct rows *r, int i, struct revocation_row *v)
{
    v->id = row_int8(r, i, 0);
    v->issued_before_us = time_or_0(r, i, 4);
    v->expires_us = row_time(r, i, 5);
    v->created_us = row_time(r, i, 7);
    return take(a, r, i, 1, &v->jti) && take(a, r, i, 2, &v->sub) && take(a, r, i, 3, &v->iss) && take(a, r, i, 6, &v->reason) &&
           take(a, r, i, 8, &v->created_by);
}

enum err db_revocation_add(struct db *db, const struct revocation_row *v, int64_t max, int64_t *ret_id, struct fault *f)
{
    const struct arg args[] = { arg_text(v->jti), arg_text(v->sub), arg_text(v->iss),
                                v->sub.p ? arg_time(v->issued_before_us) : arg_null(), arg_time(v->expires_us), arg_text(v->reason),
                                arg_time(v->created_us), arg_text(v->created_by), arg_int8(max) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &REVOCATION_ADD, args, &r, f);

    if (!e)
        *ret_id = r.n ? row_int8(&r, 0, 0) : 0;
    rows_free(&r);
    return e;
}

static enum err none(int64_t id, struct fault *f)
{
    return fault(f, ERR_NOT_FOUND, "There is no revocation %lld.", (long long)id);
}

enum err db_revocation_remove(struct db *db, int64_t id, struct fault *f)
{
    const struct arg args[] = { arg_int8(id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &REVOCATION_REMOVE, args, &r, f);

    if (!e && r.n == 0)
        e = none(id, f);
    rows_free(&r);
    return e;
}

enum err db_revocation_get(struct db *db, struct arena *a, int64_t id, struct revocation_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &REVOCATION_GET, args, &r, f);

    if (!e && r.n == 0)
        e = none(id, f);
    if (!e && !read_entry(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(&r);
    return e;
}

enum err db_revocations_list(struct db *db, struct arena *a, int64_t after, int64_t limit, struct revocation_row **ret,
                             size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(after), arg_int8(limit) };
    struct rows r = { 0 };
    struct revocation_row *v = NULL;
    enum err e = db_exec(db, &REVOCATIONS_LIST, args, &r, f);

    if (!e && !(v = arena_zalloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_entry(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_revocations_version(struct db *db, int64_t *ret_version, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &REVOCATIONS_VERSION, NULL, &r, f);

    if (!e)
        *ret_version = row_int8(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_revocations_all(struct db *db, struct arena *a, int64_t now_us, int64_t *ret_version, struct revocation_row **ret,
                            size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_time(now_us) };
    struct rows r = { 0 };
    struct revocation_row *v = NULL;
    size_t n = 0;
    enum err e = db_exec(db, &REVOCATIONS_ALL, args, &r, f);

    if (!e && !(v = arena_zalloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n && !row_null(&r, i, 5); i++, n++) {
        v[n].issued_before_us = time_or_0(&r, i, 4);
        v[n].expires_us = row_time(&r, i, 5);
        if (!take(a, &r, i, 1, &v[n].jti) || !take(a, &r, i, 2, &v[n].sub) || !take(a, &r, i, 3, &v[n].iss))
            e = ERR_NO_MEMORY;
    }
    if (!e) {
        *ret_version = row_int8(&r, 0, 0);
        *ret = v;
        *ret_n = n;
    }
    rows_free(&r);
    return e;
}

enum err db_revocations_forget(struct db *db, int64_t now_us, int64_t batch, int64_t *ret_forgotten, struct fault *f)
{
    const struct arg args[] = { arg_time(now_us), arg_int8(batch) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &REVOCATIONS_FORGET, args, &r, f);

    if (!e)
        *ret_forgotten = r.n ? row_int8(&r, 0, 0) : 0;
    rows_free(&r);
    return e;
}
