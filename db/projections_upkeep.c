#include "db/projections_parts.h"

#include <stdio.h>

#include "sql.h"

const struct stmt SWAP_CANDIDATES = { "swap_candidates", SQL_SWAP_CANDIDATES, "", "int8 int4 int4 timestamptz int8 int8" };
const struct stmt BUILDS_FORSAKEN = { "builds_forsaken", SQL_BUILDS_FORSAKEN, "int8", "int8" };
const struct stmt BUILD_HOLD = { "build_hold", SQL_BUILD_HOLD, "int8 int4 bool", "" };
const struct stmt PARTS_KEEP_FROM = { "parts_keep_from", SQL_PARTS_KEEP_FROM, "int8 int4", "" };
const struct stmt STREAMS_WITHOUT_PARTS = { "streams_without_parts", SQL_STREAMS_WITHOUT_PARTS, "", "int8 int4 int8 int4" };
const struct stmt PARTS_FORGET = { "parts_forget", SQL_PARTS_FORGET, "", "" };
const struct stmt BUILDS_RETIRED = { "builds_retired", SQL_BUILDS_RETIRED, "", "int8 int4" };
const struct stmt STATES_REMOVE = { "states_remove", SQL_STATES_REMOVE, "int8 int4 int8", "" };
const struct stmt LOOKUPS_DROP = { "lookups_drop", SQL_LOOKUPS_DROP, "int8 int4 int8", "" };
const struct stmt LOCKS_WAIT = { "locks_wait", SQL_LOCKS_WAIT, "text", "text" };
const struct stmt CHANGES_DROP = { "changes_drop", SQL_CHANGES_DROP, "int8 int4 int8", "" };
const struct stmt BUILDS_RELEASE = { "builds_release", SQL_BUILDS_RELEASE, "int8", "" };
const struct stmt BUILD_REMOVE = { "build_remove", SQL_BUILD_REMOVE, "int8 int4", "" };
const struct stmt CHANGES_TRIM = { "changes_trim", SQL_CHANGES_TRIM, "int8 int4 int4 int8 int8 int8", "int8" };

enum err db_swap_candidates(struct db *db, struct arena *a, struct swap_row **ret, size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct swap_row *v = NULL;
    enum err e = db_exec(db, &SWAP_CANDIDATES, NULL, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        v[i] = (struct swap_row){ row_int8(&r, i, 0), row_int4(&r, i, 1), row_int4(&r, i, 2), !row_null(&r, i, 3),
                                  row_int8(&r, i, 4), row_int8(&r, i, 5) };
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_builds_forsaken(struct db *db, int64_t held_us, int64_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(held_us) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &BUILDS_FORSAKEN, args, &r, f);

    *ret_n = r.n;
    rows_free(&r);
    return e;
}

enum err db_wait_for_locks(struct db *db, int64_t us, struct fault *f)
{
    char ms[24];
    const struct arg args[] = { arg_text((struct slice){ ms, (size_t)snprintf(ms, sizeof ms, "%lld", (long long)(us / 1000)) }) };

    return db_exec(db, &LOCKS_WAIT, args, NULL, f);
}

enum err db_builds_release(struct db *db, int64_t projection_id, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id) };

    return db_exec(db, &BUILDS_RELEASE, args, NULL, f);
}

enum err db_build_hold(struct db *db, int64_t projection_id, int32_t build, bool held, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_bool(held) };

    return db_exec(db, &BUILD_HOLD, args, NULL, f);
}

enum err db_parts_keep_from(struct db *db, int64_t projection_id, int32_t build, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build) };

    return db_exec(db, &PARTS_KEEP_FROM, args, NULL, f);
}

enum err db_streams_without_parts(struct db *db, struct arena *a, struct stream_without_parts **ret, size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct stream_without_parts *v = NULL;
    enum err e = db_exec(db, &STREAMS_WITHOUT_PARTS, NULL, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        v[i] = (struct stream_without_parts){ row_int8(&r, i, 0), row_int8(&r, i, 2), row_int4(&r, i, 1), row_int4(&r, i, 3) };
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_parts_forget(struct db *db, struct fault *f)
{
    return db_exec(db, &PARTS_FORGET, NULL, NULL, f);
}

/* The build goes when nothing of it is left. */
static enum err remove_some(struct db *db, int64_t projection_id, int32_t build, int64_t batch, struct fault *f)
{
    static const struct stmt *const rows_of[] = { &STATES_REMOVE, &LOOKUPS_DROP, &CHANGES_DROP };
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_int8(batch) };
    int64_t removed = 0;
    enum err e = OK;

    for (size_t i = 0; !e && removed < batch && i < sizeof rows_of / sizeof *rows_of; i++) {
        struct rows r = { 0 };

        e = db_exec(db, rows_of[i], args, &r, f);
        removed = r.affected;
        rows_free(&r);
    }
    return e || removed == batch ? e : db_exec(db, &BUILD_REMOVE, args, NULL, f);
}

enum err db_retired_remove(struct db *db, int64_t batch, bool *ret_more, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &BUILDS_RETIRED, NULL, &r, f);

    if (!e && r.n)
        e = remove_some(db, row_int8(&r, 0, 0), row_int4(&r, 0, 1), batch, f);
    *ret_more = !e && r.n;
    rows_free(&r);
    return e;
}

enum err db_changes_trim(struct db *db, int64_t projection_id, int32_t build, int32_t part, int64_t keep_us, int64_t most,
                         int64_t batch, bool *ret_trimmed, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_int4(part), arg_int8(keep_us), arg_int8(most),
                                arg_int8(batch) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &CHANGES_TRIM, args, &r, f);

    *ret_trimmed = !e && r.n;
    rows_free(&r);
    return e;
}
