#include "db/groups.h"

#include "gateway/base/random.h"
#include "sql.h"

#define GROUP_COLUMNS                                                                                                  \
    "int8 int8 text int2 bool int8 int4 int8 float8 int8 float8 int4 int4 int4 int4 text int8 int4 timestamptz timestamptz"

const struct stmt GROUP_CREATE = { "group_create", SQL_GROUP_CREATE,
                                   "int8 int8 text int2 bool int8 int4 int8 float8 int8 float8 int4 int4 int4 int4 text int8 int4"
                                   " timestamptz int8 int8[]", "int8" };
const struct stmt GROUP_GET = { "group_get", SQL_GROUP_GET, "int8 text", GROUP_COLUMNS };
const struct stmt GROUP_LOCK = { "group_lock", SQL_GROUP_LOCK, "int8 text", GROUP_COLUMNS };
const struct stmt GROUP_LIST = { "group_list", SQL_GROUP_LIST, "int8 text int8", GROUP_COLUMNS };
const struct stmt GROUP_COUNT = { "group_count", SQL_GROUP_COUNT, "int8", "int8" };
const struct stmt GROUP_UPDATE = { "group_update", SQL_GROUP_UPDATE,
                                   "int8 int8 int2 bool int8 int4 int8 float8 int8 float8 int4 int4 int4 int4 text int8 int4"
                                   " timestamptz", "" };
const struct stmt GROUP_DELETE = { "group_delete", SQL_GROUP_DELETE, "int8 int8", "" };
const struct stmt GROUP_CLEAR = { "group_clear", SQL_GROUP_CLEAR, "int8 int8", "" };
const struct stmt GROUP_PARK = { "group_park", SQL_GROUP_PARK, "int8 int8", "" };
const struct stmt GROUP_CLAIM = { "group_claim", SQL_GROUP_CLAIM, "int8 int8 int8", "int8" };
const struct stmt GROUP_SEEK = { "group_seek", SQL_GROUP_SEEK, "int8 int8 int8 int8[]", "int8" };
const struct stmt GROUP_DEAD = { "group_dead", SQL_GROUP_DEAD, "int8 text", "int8" };
const struct stmt GROUP_OLDEST = { "group_oldest", SQL_GROUP_OLDEST, "int8 int4[] int8[]", "timestamptz" };

static bool read_group(struct arena *a, const struct rows *r, int i, struct group_row *g)
{
    *g = (struct group_row){
        .stream_id = row_int8(r, i, 0),
        .group_id = row_int8(r, i, 1),
        .name = arena_slice(a, row_text(r, i, 2)),
        .ordering = row_int2(r, i, 3),
        .paused = row_bool(r, i, 4),
        .ack_deadline_us = row_int8(r, i, 5),
        .max_retries = row_int4(r, i, 6),
        .backoff_initial_us = row_int8(r, i, 7),
        .backoff_factor = row_float8(r, i, 8),
        .backoff_max_us = row_int8(r, i, 9),
        .backoff_jitter = row_float8(r, i, 10),
        .max_in_flight = row_int4(r, i, 11),
        .max_retrying = row_int4(r, i, 12),
        .max_skipped = row_int4(r, i, 13),
        .key_batch = row_int4(r, i, 14),
        .types = arena_slice(a, row_text(r, i, 15)),
        .dlq_retry_after_us = row_null(r, i, 16) ? -1 : row_int8(r, i, 16),
        .dlq_retry_rounds = row_int4(r, i, 17),
        .created_us = row_time(r, i, 18),
        .updated_us = row_time(r, i, 19),
    };
    return g->name.p && g->types.p;
}

/* From ordering to dlq_retry_rounds, as they stand in both statements. */
#define SETTINGS 15
static void put_settings(const struct group_row *g, struct arg out[SETTINGS])
{
    const struct arg args[SETTINGS] = {
        arg_int2((int16_t)g->ordering), arg_bool(g->paused), arg_int8(g->ack_deadline_us), arg_int4((int32_t)g->max_retries),
        arg_int8(g->backoff_initial_us), arg_float8(g->backoff_factor), arg_int8(g->backoff_max_us),
        arg_float8(g->backoff_jitter), arg_int4((int32_t)g->max_in_flight), arg_int4((int32_t)g->max_retrying),
        arg_int4((int32_t)g->max_skipped), arg_int4((int32_t)g->key_batch), arg_text(g->types),
        g->dlq_retry_after_us < 0 ? arg_null() : arg_int8(g->dlq_retry_after_us), arg_int4((int32_t)g->dlq_retry_rounds),
    };

    memcpy(out, args, sizeof args);
}

static enum err no_group(struct slice name, struct fault *f)
{
    return fault(f, ERR_UNKNOWN_GROUP, "There is no group %.*s.", name.n < 200 ? (int)name.n : 0, name.p);
}

static enum err get(struct db *db, const struct stmt *s, struct arena *a, int64_t stream_id, struct slice name,
                    struct group_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(name) };
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && r.n == 0)
        e = no_group(name, f);
    if (!e && !read_group(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(&r);
    return e;
}

enum err db_group_get(struct db *db, struct arena *a, int64_t stream_id, struct slice name, struct group_row *ret, struct fault *f)
{
    return get(db, &GROUP_GET, a, stream_id, name, ret, f);
}

enum err db_group_lock(struct db *db, struct arena *a, int64_t stream_id, struct slice name, struct group_row *ret, struct fault *f)
{
    return get(db, &GROUP_LOCK, a, stream_id, name, ret, f);
}

enum err db_group_list(struct db *db, struct arena *a, int64_t stream_id, struct slice after, int limit, struct group_row **ret,
                       size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(after), arg_int8(limit) };
    struct rows r = { 0 };
    struct group_row *v = NULL;
    enum err e = db_exec(db, &GROUP_LIST, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_group(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

/* The first column of the one row; 0: it is NULL. */
static enum err one_int8(struct db *db, const struct stmt *s, const struct arg *args, int64_t *ret, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    if (!e)
        *ret = row_int8(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_group_count(struct db *db, int64_t stream_id, int64_t *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id) };

    return one_int8(db, &GROUP_COUNT, args, ret, f);
}

enum err db_group_dead(struct db *db, const struct group_row *g, int64_t *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(g->stream_id), arg_text(g->name) };

    return one_int8(db, &GROUP_DEAD, args, ret, f);
}

enum err db_group_oldest(struct db *db, struct arena *a, int64_t stream_id, const int32_t *partitions, const int64_t *offsets,
                         size_t n, int64_t *ret_us, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_int4_array(a, partitions, sizeof *partitions, n),
                                arg_int8_array(a, offsets, sizeof *offsets, n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &GROUP_OLDEST, args, &r, f);

    if (!e)
        *ret_us = row_null(&r, 0, 0) ? INT64_MAX : row_time(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_group_create(struct db *db, struct arena *a, const struct group_row *g, const int64_t *next, size_t partitions,
                         bool *ret_made, struct fault *f)
{
    struct arg args[6 + SETTINGS] = { arg_int8(g->stream_id), arg_int8(g->group_id), arg_text(g->name) };
    struct rows r = { 0 };
    int64_t token;
    enum err e;

    if (!random_id(&token))
        return ERR_INTERNAL;
    put_settings(g, args + 3);
    args[3 + SETTINGS] = arg_time(g->created_us);
    args[4 + SETTINGS] = arg_int8(token);
    args[5 + SETTINGS] = arg_int8_array(a, next, sizeof *next, partitions);
    if (!(e = db_exec(db, &GROUP_CREATE, args, &r, f)))
        *ret_made = r.n == 1;
    rows_free(&r);
    return e;
}

enum err db_group_update(struct db *db, const struct group_row *g, struct fault *f)
{
    struct arg args[3 + SETTINGS] = { arg_int8(g->stream_id), arg_int8(g->group_id) };
    struct rows r = { 0 };
    enum err e;

    put_settings(g, args + 2);
    args[2 + SETTINGS] = arg_time(g->updated_us);
    if (!(e = db_exec(db, &GROUP_UPDATE, args, &r, f)) && !r.affected)
        e = no_group(g->name, f);
    rows_free(&r);
    return e;
}

/* A next state must follow one that is there. */
static enum err claim(struct db *db, const struct stmt *s, const struct arg *args, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && r.n == 0)
        e = fault(f, ERR_UNKNOWN_GROUP, "The group was deleted.");
    rows_free(&r);
    return e;
}

enum err db_group_claim(struct db *db, int64_t stream_id, int64_t group_id, struct fault *f)
{
    int64_t token;

    if (!random_id(&token))
        return ERR_INTERNAL;
    return claim(db, &GROUP_CLAIM, (const struct arg[]){ arg_int8(stream_id), arg_int8(group_id), arg_int8(token) }, f);
}

enum err db_group_seek(struct db *db, struct arena *a, int64_t stream_id, int64_t group_id, const int64_t *next, size_t partitions,
                       struct fault *f)
{
    int64_t token;
    enum err e = random_id(&token) ? OK : ERR_INTERNAL;
    const struct arg args[] = { arg_int8(stream_id), arg_int8(group_id), arg_int8(token),
                                arg_int8_array(a, next, sizeof *next, partitions) };

    if (e || (e = claim(db, &GROUP_SEEK, args, f)))
        return e;
    db_queue(db, &GROUP_CLEAR, args);
    db_queue(db, &GROUP_PARK, args);
    return db_flush(db, NULL, 2, f);
}

enum err db_group_delete(struct db *db, int64_t stream_id, int64_t group_id, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_int8(group_id) };

    db_queue(db, &GROUP_CLEAR, args);
    db_queue(db, &GROUP_PARK, args);
    db_queue(db, &GROUP_DELETE, args);
    return db_flush(db, NULL, 3, f);
}
