#include "db/retention.h"

#include "sql.h"

const struct stmt MAKE_ROOM = { "make_room", SQL_MAKE_ROOM, "timestamptz", "int4" };
const struct stmt DROP_OVER = { "drop_over", SQL_DROP_OVER, "timestamptz", "int4" };
const struct stmt RETENTION_DUE = { "retention_due", SQL_RETENTION_DUE, "timestamptz int8", "int8 int4 int8 int8" };
const struct stmt PARTITION_HOLD = { "partition_hold", SQL_PARTITION_HOLD, "int8 int4", "int4" };
const struct stmt RETENTION_REMOVE = { "retention_remove", SQL_RETENTION_REMOVE, "int8 int4 int8 int8 timestamptz", "int8" };
const struct stmt ANSWERS_REMOVE = { "answers_remove", SQL_ANSWERS_REMOVE, "timestamptz int8", "" };
const struct stmt LETTERS_REMOVE_CLOSED = { "letters_remove_closed", SQL_LETTERS_REMOVE_CLOSED, "timestamptz int8", "" };
const struct stmt LETTERS_REMOVE_PARKED = { "letters_remove_parked", SQL_LETTERS_REMOVE_PARKED, "timestamptz int8", "" };
const struct stmt DELETED_STREAMS = { "deleted_streams", SQL_DELETED_STREAMS, "", "int8" };
const struct stmt DELETED_REMOVE = { "deleted_remove", SQL_DELETED_REMOVE, "int8 int8", "" };
const struct stmt DELETED_LETTERS = { "deleted_letters", SQL_DELETED_LETTERS, "int8 int8", "" };
const struct stmt DELETED_SNAPSHOTS = { "deleted_snapshots", SQL_DELETED_SNAPSHOTS, "int8 int8", "" };
const struct stmt DELETED_FORGET = { "deleted_forget", SQL_DELETED_FORGET, "int8", "" };
const struct stmt CLOCK_LOOK = { "clock_look", SQL_CLOCK_LOOK, "", "timestamptz" };

static enum err with_time(struct db *db, const struct stmt *s, int64_t now_us, int32_t *ret_tables, struct fault *f)
{
    const struct arg args[] = { arg_time(now_us) };
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    if (!e)
        *ret_tables = row_int4(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_make_room(struct db *db, int64_t now_us, int32_t *ret_made, struct fault *f)
{
    return with_time(db, &MAKE_ROOM, now_us, ret_made, f);
}

enum err db_drop_over(struct db *db, int64_t now_us, int32_t *ret_dropped, struct fault *f)
{
    return with_time(db, &DROP_OVER, now_us, ret_dropped, f);
}

enum err db_retention_due(struct db *db, int64_t now_us, struct due_row *ret, size_t max, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_time(now_us), arg_int8((int64_t)max) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &RETENTION_DUE, args, &r, f);

    for (int i = 0; !e && i < r.n; i++)
        ret[i] = (struct due_row){ row_int8(&r, i, 0), row_int4(&r, i, 1), row_int8(&r, i, 2), row_int8(&r, i, 3) };
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_retention_remove(struct db *db, const struct due_row *d, int64_t batch, int64_t before_us, int64_t *ret_removed,
                             struct fault *f)
{
    const struct arg args[] = { arg_int8(d->stream_id), arg_int4(d->partition), arg_int8(d->earliest), arg_int8(batch),
                                arg_time(before_us) };
    struct rows r[4] = { 0 };
    enum err e;

    db_queue(db, &DB_BEGIN, NULL);
    db_queue(db, &PARTITION_HOLD, args);
    db_queue(db, &RETENTION_REMOVE, args);
    db_queue(db, &DB_COMMIT, NULL);
    e = db_flush(db, r, 4, f);
    *ret_removed = !e && r[2].n ? row_int8(&r[2], 0, 0) : 0;
    for (int i = 0; i < 4; i++)
        rows_free(&r[i]);
    return e;
}

static enum err remove_before(struct db *db, const struct stmt *s, int64_t before_us, int64_t batch, int64_t *ret_removed,
                              struct fault *f)
{
    const struct arg args[] = { arg_time(before_us), arg_int8(batch) };
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    *ret_removed = r.affected;
    rows_free(&r);
    return e;
}

enum err db_answers_remove(struct db *db, int64_t now_us, int64_t batch, int64_t *ret_removed, struct fault *f)
{
    return remove_before(db, &ANSWERS_REMOVE, now_us, batch, ret_removed, f);
}

enum err db_letters_remove(struct db *db, bool closed, int64_t before_us, int64_t batch, int64_t *ret_removed, struct fault *f)
{
    return remove_before(db, closed ? &LETTERS_REMOVE_CLOSED : &LETTERS_REMOVE_PARKED, before_us, batch, ret_removed, f);
}

enum err db_deleted_streams(struct db *db, int64_t *ret_ids, size_t max, size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &DELETED_STREAMS, NULL, &r, f);

    *ret_n = 0;
    for (int i = 0; !e && i < r.n && *ret_n < max; i++)
        ret_ids[(*ret_n)++] = row_int8(&r, i, 0);
    rows_free(&r);
    return e;
}

enum err db_deleted_remove(struct db *db, int64_t stream_id, int64_t batch, int64_t *ret_removed, struct fault *f)
{
    static const struct stmt *const large[] = { &DELETED_REMOVE, &DELETED_LETTERS, &DELETED_SNAPSHOTS };
    const struct arg args[] = { arg_int8(stream_id), arg_int8(batch) };
    struct rows r = { 0 };
    enum err e = OK;

    *ret_removed = 0;
    for (size_t i = 0; !e && *ret_removed == 0 && i < sizeof large / sizeof *large; i++) {
        e = db_exec(db, large[i], args, &r, f);
        *ret_removed = r.affected;
        rows_free(&r);
    }
    if (!e && *ret_removed == 0)
        e = db_exec(db, &DELETED_FORGET, args, NULL, f);
    return e;
}

enum err db_clock(struct db *db, int64_t *ret_us, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &CLOCK_LOOK, NULL, &r, f);

    if (!e)
        *ret_us = row_time(&r, 0, 0);
    rows_free(&r);
    return e;
}
