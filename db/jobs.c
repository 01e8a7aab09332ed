#include "db/jobs.h"

#include "db/letters.h"
#include "sql.h"

#define JOB_COLUMNS                                                                                                    \
    "int8 uuid text int2 int2 text text int8 float8 int8 int8 int8 uuid uuid text text timestamptz timestamptz timestamptz " \
    "timestamptz"

const struct stmt JOB_ADD = { "job_add", SQL_JOB_ADD, "int8 uuid int2 text text int8 float8 int8 uuid text int8", "timestamptz" };
const struct stmt JOB_FIND = { "job_find", SQL_JOB_FIND, "uuid", JOB_COLUMNS };
const struct stmt JOB_LOCK = { "job_lock", SQL_JOB_LOCK, "int8 uuid", JOB_COLUMNS };
const struct stmt JOB_LIST = { "job_list", SQL_JOB_LIST, "uuid text int2 int8", JOB_COLUMNS };
const struct stmt JOB_TAKE = { "job_take", SQL_JOB_TAKE, "", JOB_COLUMNS };
const struct stmt JOB_MOVE = { "job_move", SQL_JOB_MOVE, "int8 uuid int2 int8 int8 int8 uuid text timestamptz timestamptz", "" };
const struct stmt JOBS_FORGET = { "jobs_forget", SQL_JOBS_FORGET, "timestamptz int8", "" };
const struct stmt LETTERS_FIT = { "letters_fit", SQL_LETTERS_FIT, "int8 uuid[]", "uuid bool" };
const struct stmt AUTO_GROUPS = { "auto_groups", SQL_AUTO_GROUPS, "int8", "int8 text text" };
const struct stmt AUTO_MATCH = { "auto_match", SQL_AUTO_MATCH, "int8 text int4 int8 int8 int2", "uuid" };

static const uint8_t newest[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

enum err db_job_add(struct db *db, struct job_row *j, int64_t max, bool *ret_added, struct fault *f)
{
    const struct arg args[] = {
        arg_int8(j->stream_id), arg_uuid(j->job_id), arg_int2((int16_t)j->kind), arg_text(j->filter), arg_text(j->reason),
        j->letters < 0 ? arg_null() : arg_int8(j->letters), j->rate > 0 ? arg_float8(j->rate) : arg_null(), arg_int8(j->matched),
        arg_uuid(j->last), arg_text(j->actor), arg_int8(max),
    };
    struct rows r = { 0 };
    enum err e = db_exec(db, &JOB_ADD, args, &r, f);

    if (!e && (*ret_added = r.n == 1))
        j->created_us = j->updated_us = row_time(&r, 0, 0);
    rows_free(&r);
    return e;
}

/* Copies a value that may be absent. False: memory is out. */
static bool take(struct arena *a, const struct rows *r, int row, int col, struct slice *ret)
{
    struct slice s = row_text(r, row, col);

    *ret = s.p ? arena_slice(a, s) : SLICE_NONE;
    return !s.p || ret->p;
}

static void take_id(const struct rows *r, int row, int col, uint8_t ret[16])
{
    if (!row_null(r, row, col))
        memcpy(ret, row_uuid(r, row, col), 16);
}

static bool read_job(struct arena *a, const struct rows *r, int i, struct job_row *j)
{
    *j = (struct job_row){
        .stream_id = row_int8(r, i, 0),
        .kind = row_int2(r, i, 3),
        .state = row_int2(r, i, 4),
        .letters = row_null(r, i, 7) ? -1 : row_int8(r, i, 7),
        .rate = row_null(r, i, 8) ? 0 : row_float8(r, i, 8),
        .matched = row_int8(r, i, 9),
        .done = row_int8(r, i, 10),
        .failed = row_int8(r, i, 11),
        .created_us = row_time(r, i, 16),
        .updated_us = row_time(r, i, 17),
        .due_us = row_time(r, i, 18),
        .now_us = row_time(r, i, 19),
    };
    take_id(r, i, 1, j->job_id);
    take_id(r, i, 12, j->last);
    take_id(r, i, 13, j->position);
    return take(a, r, i, 2, &j->stream) && take(a, r, i, 5, &j->filter) && take(a, r, i, 6, &j->reason) &&
           take(a, r, i, 14, &j->error) && take(a, r, i, 15, &j->actor);
}

static enum err read_one(struct arena *a, enum err e, struct rows *r, struct job_row *ret, struct fault *f)
{
    if (!e && r->n == 0)
        e = fault(f, ERR_UNKNOWN_JOB, "There is no such job.");
    if (!e && !read_job(a, r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(r);
    return e;
}

enum err db_job_find(struct db *db, struct arena *a, const uint8_t id[16], struct job_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_uuid(id) };
    struct rows r = { 0 };

    return read_one(a, db_exec(db, &JOB_FIND, args, &r, f), &r, ret, f);
}

enum err db_job_lock(struct db *db, struct arena *a, int64_t stream_id, const uint8_t id[16], struct job_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid(id) };
    struct rows r = { 0 };

    return read_one(a, db_exec(db, &JOB_LOCK, args, &r, f), &r, ret, f);
}

enum err db_job_list(struct db *db, struct arena *a, const uint8_t *before, struct slice stream, int state, int64_t limit,
                     struct job_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_uuid(before ? before : newest), arg_text(stream),
                                state < 0 ? arg_null() : arg_int2((int16_t)state), arg_int8(limit) };
    struct rows r = { 0 };
    struct job_row *v = NULL;
    enum err e = db_exec(db, &JOB_LIST, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_job(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_job_take(struct db *db, struct arena *a, struct job_row *ret, bool *ret_found, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &JOB_TAKE, NULL, &r, f);

    *ret_found = !e && r.n == 1;
    if (*ret_found && !read_job(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(&r);
    return e;
}

enum err db_job_move(struct db *db, const struct job_row *j, bool *ret_moved, struct fault *f)
{
    const struct arg args[] = {
        arg_int8(j->stream_id), arg_uuid(j->job_id), arg_int2((int16_t)j->state), arg_int8(j->matched), arg_int8(j->done),
        arg_int8(j->failed), arg_uuid(j->position), arg_text(j->error), arg_time(j->updated_us), arg_time(j->due_us),
    };
    struct rows r = { 0 };
    enum err e = db_exec(db, &JOB_MOVE, args, &r, f);

    *ret_moved = !e && r.affected == 1;
    rows_free(&r);
    return e;
}

enum err db_jobs_forget(struct db *db, int64_t before_us, int64_t batch, int64_t *ret_forgotten, struct fault *f)
{
    const struct arg args[] = { arg_time(before_us), arg_int8(batch) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &JOBS_FORGET, args, &r, f);

    *ret_forgotten = r.affected;
    rows_free(&r);
    return e;
}

enum err db_letters_fit(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n, size_t *ret_fit,
                        struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid_array(a, ids, sizeof *ids, n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &LETTERS_FIT, args, &r, f);
    int full = 0;
    size_t fit = n;

    while (full < r.n && row_bool(&r, full, 1))
        full++;
    if (full < r.n) /* not by its number: others may be gone meanwhile */
        for (fit = 0; memcmp(ids[fit], row_uuid(&r, full, 0), 16) != 0;)
            fit++;
    if (!e)
        *ret_fit = fit;
    rows_free(&r);
    return e;
}

enum err db_auto_groups(struct db *db, struct arena *a, int64_t limit, struct auto_group **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(limit) };
    struct rows r = { 0 };
    struct auto_group *v = NULL;
    enum err e = db_exec(db, &AUTO_GROUPS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i].stream_id = row_int8(&r, i, 0);
        if (!take(a, &r, i, 1, &v[i].stream) || !take(a, &r, i, 2, &v[i].group))
            e = ERR_NO_MEMORY;
    }
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_auto_match(struct db *db, struct arena *a, int64_t stream_id, struct slice group, int64_t rounds, int64_t after_us,
                       int64_t limit, uint8_t (**ret)[16], size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(group), arg_int4((int32_t)rounds), arg_int8(after_us),
                                arg_int8(limit), arg_int2(LETTER_PARKED) };
    struct rows r = { 0 };
    uint8_t(*v)[16] = NULL;
    enum err e = db_exec(db, &AUTO_MATCH, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        memcpy(v[i], row_uuid(&r, i, 0), sizeof v[i]);
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}
