#include "db/outbox.h"

#include "sql.h"

const struct stmt OUTBOX_INSERT = { "outbox_insert", SQL_OUTBOX_INSERT, "int8 uuid text text text text text text", "" };
const struct stmt OUTBOX_LETTERS = { "outbox_letters", SQL_OUTBOX_LETTERS, "int8 text uuid[] int4", "" };
const struct stmt OUTBOX_FLOOR = { "outbox_floor", SQL_OUTBOX_FLOOR, "", "timestamptz" };
const struct stmt OUTBOX_PENDING = { "outbox_pending", SQL_OUTBOX_PENDING, "timestamptz int8 int8",
                                     "int8 uuid text timestamptz text text text text text bool" };
const struct stmt OUTBOX_ORIGIN = { "outbox_origin", SQL_OUTBOX_ORIGIN, "int8", "int8" };
const struct stmt OUTBOX_REMOVE = { "outbox_remove", SQL_OUTBOX_REMOVE, "int8[] uuid[]", "" };
const struct stmt OUTBOX_SET_ASIDE = { "outbox_set_aside", SQL_OUTBOX_SET_ASIDE, "int8 uuid", "" };
const struct stmt AUDIT_REMOVE = { "audit_remove", SQL_AUDIT_REMOVE, "uuid[]", "" };
const struct stmt AUDIT_SET_ASIDE = { "audit_set_aside", SQL_AUDIT_SET_ASIDE, "uuid", "" };

static void put_row(const struct outbox_row *row, struct arg out[8])
{
    out[0] = arg_int8(row->stream_id);
    out[1] = arg_uuid(row->id);
    out[2] = arg_text(row->stream);
    out[3] = arg_text(row->type);
    out[4] = arg_text(row->source);
    out[5] = arg_text(row->subject);
    out[6] = arg_text(row->traceparent);
    out[7] = arg_text(row->data);
}

enum err db_outbox_add(struct db *db, const struct outbox_row *row, struct fault *f)
{
    struct arg args[8];

    put_row(row, args);
    return db_exec(db, &OUTBOX_INSERT, args, NULL, f);
}

enum err db_outbox_commit(struct db *db, const struct outbox_row *row, struct fault *f)
{
    struct arg args[8];

    if (row) {
        put_row(row, args);
        db_queue(db, &OUTBOX_INSERT, args);
    }
    db_queue(db, &DB_COMMIT, NULL);
    return db_flush(db, NULL, row ? 2 : 1, f);
}

bool db_outbox_letters(struct db *db, struct arena *a, int64_t stream, struct slice stream_name, const uint8_t (*letters)[16],
                       size_t stride, size_t n)
{
    struct arg *args = arena_alloc(a, 4 * sizeof *args);

    if (!args)
        return false;
    args[0] = arg_int8(stream);
    args[1] = arg_text(stream_name);
    args[2] = arg_uuid_array(a, letters, stride, n);
    args[3] = arg_int4(LETTER_ATTEMPTS_MAX);
    if (args[2].n < 0)
        return false;
    db_queue(db, &OUTBOX_LETTERS, args);
    return true;
}

static bool read_row(struct arena *a, const struct rows *r, int i, struct outbox_row *ret)
{
    *ret = (struct outbox_row){
        .stream_id = row_int8(r, i, 0),
        .stream = arena_slice(a, row_text(r, i, 2)),
        .recorded_us = row_time(r, i, 3),
        .type = arena_slice(a, row_text(r, i, 4)),
        .source = arena_slice(a, row_text(r, i, 5)),
        .subject = arena_slice(a, row_text(r, i, 6)),
        .traceparent = row_null(r, i, 7) ? SLICE_NONE : arena_slice(a, row_text(r, i, 7)),
        .data = arena_slice(a, row_text(r, i, 8)),
        .of_audit = row_bool(r, i, 9),
    };
    memcpy(ret->id, row_uuid(r, i, 1), sizeof ret->id);
    return ret->stream.p && ret->type.p && ret->source.p && ret->subject.p && ret->data.p &&
           (row_null(r, i, 7) || ret->traceparent.p);
}

enum err db_outbox_pending(struct db *db, struct arena *a, int64_t since_us, size_t max, int64_t bytes, struct outbox_row **ret,
                           size_t *ret_n, int64_t *ret_floor_us, struct fault *f)
{
    const struct arg args[] = { arg_time(since_us), arg_int8((int64_t)max), arg_int8(bytes) };
    struct rows r[2] = { 0 };
    struct outbox_row *v = NULL;
    int64_t newest = INT64_MIN;
    enum err e;

    db_queue(db, &OUTBOX_FLOOR, NULL); /* before the rows are looked at: who ends in between is seen */
    db_queue(db, &OUTBOX_PENDING, args);
    e = db_flush(db, r, 2, f);
    if (!e && !(v = arena_alloc(a, (size_t)(r[1].n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r[1].n; i++) {
        if (!read_row(a, &r[1], i, &v[i]))
            e = ERR_NO_MEMORY;
        else if (v[i].recorded_us > newest)
            newest = v[i].recorded_us;
    }
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r[1].n;
        *ret_floor_us = row_time(&r[0], 0, 0);
        if (r[1].n && newest < *ret_floor_us)
            *ret_floor_us = newest;
    }
    rows_free(&r[0]);
    rows_free(&r[1]);
    return e;
}

enum err db_outbox_origin(struct db *db, int64_t stream_id, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &OUTBOX_ORIGIN, args, &r, f);

    if (!e && !r.n)
        e = fault(f, ERR_UNKNOWN_STREAM, "The stream was deleted.");
    rows_free(&r);
    return e;
}

enum err db_outbox_remove(struct db *db, struct arena *a, const struct outbox_row *rows, size_t n, struct fault *f)
{
    const struct arg args[] = { arg_int8_array(a, &rows->stream_id, sizeof *rows, n),
                                arg_uuid_array(a, &rows->id, sizeof *rows, n) };
    size_t of_audit = 0;

    for (size_t i = 0; i < n; i++)
        of_audit += rows[i].of_audit;
    db_queue(db, &OUTBOX_REMOVE, args);
    if (of_audit)
        db_queue(db, &AUDIT_REMOVE, &args[1]);
    return db_flush(db, NULL, of_audit ? 2 : 1, f);
}

enum err db_outbox_set_aside(struct db *db, const struct outbox_row *row, struct fault *f)
{
    const struct arg args[] = { arg_int8(row->stream_id), arg_uuid(row->id) };

    return db_exec(db, row->of_audit ? &AUDIT_SET_ASIDE : &OUTBOX_SET_ASIDE, row->of_audit ? &args[1] : args, NULL, f);
}
