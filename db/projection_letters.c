#include "db/projection_letters.h"

#include "sql.h"

const struct stmt FOLD_GROUP = { "fold_group", SQL_FOLD_GROUP, "int8 int4", "text bool int2" };
const struct stmt FOLD_LETTERS = { "fold_letters", SQL_FOLD_LETTERS, "text int8 int4 int8 int8 int8 int8 int8",
                                   "uuid int2 int8 timestamptz text text text text int8 text int2 bytea" };
const struct stmt LETTERS_REFOLD = { "letters_refold", SQL_LETTERS_REFOLD, "int8 uuid[] text[] text", "uuid" };
const struct stmt PARTS_REDRIVEN = { "parts_redriven", SQL_PARTS_REDRIVEN, "int8", "int8 int4 int8 int4" };

/* Copies a value that may be absent. False: memory is out. */
static bool take(struct arena *a, const struct rows *r, int row, int col, struct slice *ret)
{
    struct slice s = row_text(r, row, col);

    *ret = s.p ? arena_slice(a, s) : SLICE_NONE;
    return !s.p || ret->p;
}

enum err db_fold_group(struct db *db, struct arena *a, int64_t projection_id, int32_t build, struct slice *ret_group, bool *ret_any,
                       int *ret_state, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &FOLD_GROUP, args, &r, f);

    *ret_group = SLICE_NONE;
    if (!e && r.n == 1) {
        *ret_any = row_bool(&r, 0, 1);
        *ret_state = row_int2(&r, 0, 2);
        if (!take(a, &r, 0, 0, ret_group))
            e = ERR_NO_MEMORY;
    }
    rows_free(&r);
    return e;
}

static bool read_letter(struct arena *a, const struct rows *r, int i, struct fold_letter *l)
{
    *l = (struct fold_letter){
        .state = row_int2(r, i, 1),
        .offset = row_int8(r, i, 2),
        .recorded_us = row_time(r, i, 3),
        .version = row_null(r, i, 8) ? 0 : row_int8(r, i, 8),
        .data_format = row_int2(r, i, 10),
    };
    memcpy(l->letter_id, row_uuid(r, i, 0), sizeof l->letter_id);
    return take(a, r, i, 4, &l->id) && take(a, r, i, 5, &l->source) && take(a, r, i, 6, &l->type) &&
           take(a, r, i, 7, &l->subject) && take(a, r, i, 9, &l->attributes) && take(a, r, i, 11, &l->data);
}

enum err db_fold_letters(struct db *db, struct arena *a, const struct part_id *part, struct slice group, int64_t after,
                         int64_t upto, int64_t redriven, int64_t limit, struct fold_letter **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(group), arg_int8(part->stream_id), arg_int4(part->partition), arg_int8(after),
                                arg_int8(upto), arg_int8(redriven), arg_int8(limit), arg_int8(part->projection_id) };
    struct rows r = { 0 };
    struct fold_letter *v = NULL;
    enum err e = db_exec(db, &FOLD_LETTERS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_letter(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_letters_refold(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                           const struct slice *groups, size_t group_n, struct slice note, struct rows *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid_array(a, ids, sizeof *ids, n),
                                arg_text_array(a, groups, sizeof *groups, group_n), arg_text(note) };

    return db_exec(db, &LETTERS_REFOLD, args, ret, f);
}

enum err db_parts_redriven(struct db *db, struct arena *a, int64_t owner, struct part_id **ret, size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct part_id *v = NULL;
    enum err e = db_exec(db, &PARTS_REDRIVEN, (const struct arg[]){ arg_int8(owner) }, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        v[i] = (struct part_id){ .projection_id = row_int8(&r, i, 0), .build = row_int4(&r, i, 1),
                                 .stream_id = row_int8(&r, i, 2), .partition = row_int4(&r, i, 3) };
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}
