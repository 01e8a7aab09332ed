#include "db/projections.h"

#include "sql.h"

#define PROJECTION_COLUMNS "int8 text int4 bool text timestamptz timestamptz"
#define BUILD_COLUMNS "int8 int4 int2 text text timestamptz timestamptz timestamptz"

const struct stmt PROJECTION_CREATE = { "projection_create", SQL_PROJECTION_CREATE, "int8 text bool text int8", "timestamptz" };
const struct stmt PROJECTION_LOCK = { "projection_lock", SQL_PROJECTION_LOCK, "text", PROJECTION_COLUMNS };
const struct stmt PROJECTION_GET = { "projection_get", SQL_PROJECTION_GET, "text", PROJECTION_COLUMNS };
const struct stmt PROJECTION_LOCK_ID = { "projection_lock_id", SQL_PROJECTION_LOCK_ID, "int8", PROJECTION_COLUMNS };
const struct stmt PROJECTION_LIST = { "projection_list", SQL_PROJECTION_LIST, "text int8", PROJECTION_COLUMNS };
const struct stmt PROJECTION_UPDATE = { "projection_update", SQL_PROJECTION_UPDATE, "int8 int4 bool text", "" };
const struct stmt PROJECTION_DELETE = { "projection_delete", SQL_PROJECTION_DELETE, "int8", "" };
const struct stmt BUILDS_OF = { "builds_of", SQL_BUILDS_OF, "int8", BUILD_COLUMNS };
const struct stmt BUILD_GET = { "build_get", SQL_BUILD_GET, "int8 int4", BUILD_COLUMNS " bool" };
const struct stmt BUILD_ADD = { "build_add", SQL_BUILD_ADD, "int8 int2 text text[]", "int4" };
const struct stmt BUILD_SET = { "build_set", SQL_BUILD_SET, "int8 int4 int2 text text bool", "" };
const struct stmt PARTS_FENCE = { "parts_fence", SQL_PARTS_FENCE, "int8 int4[]", "" };
const struct stmt PARTS_ADD = { "parts_add", SQL_PARTS_ADD, "int8 int4 int8[] int4[] int8[] int8[]", "" };
const struct stmt PARTS_OF = { "parts_of", SQL_PARTS_OF, "int8 int4",
                               "int8 int4 int8 int4 int8 int8 int8 int8 int8 int8 int8 text" };
const struct stmt SKIP_ADD = { "skip_add", SQL_SKIP_ADD, "int8 int8 int4 int8", "" };

/* Copies a value that may be absent. False: memory is out. */
static bool take(struct arena *a, const struct rows *r, int row, int col, struct slice *ret)
{
    struct slice s = row_text(r, row, col);

    *ret = s.p ? arena_slice(a, s) : SLICE_NONE;
    return !s.p || ret->p;
}

static bool read_projection(struct arena *a, const struct rows *r, int i, struct projection_row *p)
{
    *p = (struct projection_row){
        .projection_id = row_int8(r, i, 0),
        .build = row_int4(r, i, 2),
        .paused = row_bool(r, i, 3),
        .created_us = row_time(r, i, 5),
        .updated_us = row_time(r, i, 6),
    };
    return take(a, r, i, 1, &p->name) && take(a, r, i, 4, &p->definition);
}

static bool read_build(struct arena *a, const struct rows *r, int i, struct build_row *b)
{
    *b = (struct build_row){
        .projection_id = row_int8(r, i, 0),
        .build = row_int4(r, i, 1),
        .state = row_int2(r, i, 2),
        .held = !row_null(r, i, 5),
        .created_us = row_time(r, i, 6),
        .updated_us = row_time(r, i, 7),
    };
    return take(a, r, i, 3, &b->definition) && take(a, r, i, 4, &b->error);
}

/* A statement of which the rows do not matter. */
static enum err change(struct db *db, const struct stmt *s, const struct arg *args, struct fault *f)
{
    return db_exec(db, s, args, NULL, f);
}

enum err db_projection_create(struct db *db, struct projection_row *p, int64_t max, bool *ret_made, struct fault *f)
{
    const struct arg args[] = { arg_int8(p->projection_id), arg_text(p->name), arg_bool(p->paused), arg_text(p->definition),
                                arg_int8(max) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &PROJECTION_CREATE, args, &r, f);

    if (!e && (*ret_made = r.n == 1))
        p->created_us = p->updated_us = row_time(&r, 0, 0);
    p->build = 1;
    rows_free(&r);
    return e;
}

static enum err get(struct db *db, const struct stmt *s, struct arena *a, struct slice name, struct projection_row *ret,
                    struct fault *f)
{
    const struct arg args[] = { arg_text(name) };
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && r.n == 0)
        e = fault(f, ERR_UNKNOWN_PROJECTION, "There is no projection %.*s.", name.n < 200 ? (int)name.n : 0, name.p);
    if (!e && !read_projection(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(&r);
    return e;
}

enum err db_projection_get(struct db *db, struct arena *a, struct slice name, struct projection_row *ret, struct fault *f)
{
    return get(db, &PROJECTION_GET, a, name, ret, f);
}

enum err db_projection_lock(struct db *db, struct arena *a, struct slice name, struct projection_row *ret, struct fault *f)
{
    return get(db, &PROJECTION_LOCK, a, name, ret, f);
}

enum err db_projection_lock_id(struct db *db, struct arena *a, int64_t id, struct projection_row *ret, bool *ret_found,
                               struct fault *f)
{
    const struct arg args[] = { arg_int8(id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &PROJECTION_LOCK_ID, args, &r, f);

    *ret_found = !e && r.n == 1;
    if (*ret_found && !read_projection(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(&r);
    return e;
}

enum err db_projection_list(struct db *db, struct arena *a, struct slice after, int64_t limit, struct projection_row **ret,
                            size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(after), arg_int8(limit) };
    struct rows r = { 0 };
    struct projection_row *v = NULL;
    enum err e = db_exec(db, &PROJECTION_LIST, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_projection(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_projection_update(struct db *db, const struct projection_row *p, struct fault *f)
{
    const struct arg args[] = { arg_int8(p->projection_id), arg_int4(p->build), arg_bool(p->paused), arg_text(p->definition) };

    return change(db, &PROJECTION_UPDATE, args, f);
}

enum err db_projection_delete(struct db *db, int64_t projection_id, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id) };

    return change(db, &PROJECTION_DELETE, args, f);
}

enum err db_builds_of(struct db *db, struct arena *a, int64_t projection_id, struct build_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id) };
    struct rows r = { 0 };
    struct build_row *v = NULL;
    enum err e = db_exec(db, &BUILDS_OF, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_build(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_build_get(struct db *db, struct arena *a, int64_t projection_id, int32_t build, struct build_row *ret, bool *ret_found,
                      bool *ret_skips, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &BUILD_GET, args, &r, f);

    *ret_found = !e && r.n == 1;
    *ret_skips = *ret_found && row_bool(&r, 0, 8);
    if (*ret_found && !read_build(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(&r);
    return e;
}

enum err db_build_add(struct db *db, struct arena *a, struct build_row *b, const struct slice *streams, size_t n, struct fault *f)
{
    const struct arg args[] = { arg_int8(b->projection_id), arg_int2((int16_t)b->state), arg_text(b->definition),
                                arg_text_array(a, streams, sizeof *streams, n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &BUILD_ADD, args, &r, f);

    if (!e)
        b->build = row_int4(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_build_set(struct db *db, const struct build_row *b, struct fault *f)
{
    const struct arg args[] = { arg_int8(b->projection_id), arg_int4(b->build), arg_int2((int16_t)b->state),
                                arg_text(b->definition), arg_text(b->error), arg_bool(b->held) };

    return change(db, &BUILD_SET, args, f);
}

enum err db_parts_fence(struct db *db, struct arena *a, int64_t projection_id, const int32_t *builds, size_t n, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4_array(a, builds, sizeof *builds, n) };

    return change(db, &PARTS_FENCE, args, f);
}

enum err db_parts_add(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const struct part_row *v, size_t n,
                      struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_int8_array(a, &v->at.stream_id, sizeof *v, n),
                                arg_int4_array(a, &v->at.partition, sizeof *v, n), arg_int8_array(a, &v->first, sizeof *v, n),
                                arg_int8_array(a, &v->target, sizeof *v, n) };

    return change(db, &PARTS_ADD, args, f);
}

static bool read_part(struct arena *a, const struct rows *r, int i, struct part_row *p)
{
    *p = (struct part_row){
        .at = { row_int8(r, i, 0), row_int8(r, i, 2), row_int4(r, i, 1) },
        .part = row_int4(r, i, 3),
        .first = row_int8(r, i, 4),
        .target = row_int8(r, i, 5),
        .kept = row_int8(r, i, 6),
        .folded = row_int8(r, i, 7),
        .upto = row_null(r, i, 8) ? INT64_MAX : row_int8(r, i, 8),
        .head = row_int8(r, i, 9),
        .earliest = row_int8(r, i, 10),
    };
    return take(a, r, i, 11, &p->stream);
}

enum err db_parts_of(struct db *db, struct arena *a, int64_t projection_id, int32_t build, struct part_row **ret, size_t *ret_n,
                     struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build) };
    struct rows r = { 0 };
    struct part_row *v = NULL;
    enum err e = db_exec(db, &PARTS_OF, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_part(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_skip_add(struct db *db, int64_t projection_id, const struct place *at, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int8(at->stream_id), arg_int4(at->partition), arg_int8(at->offset) };

    return change(db, &SKIP_ADD, args, f);
}
