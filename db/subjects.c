#include "db/subjects.h"

#include "db/retention.h"
#include "sql.h"

#define EVENT_COLUMNS "int8 timestamptz text text text text int8 text int2 bytea" /* of struct page_row */

const struct stmt SUBJECT_LOOK = { "subject_look", SQL_SUBJECT_LOOK, "int8 text",
                                   "int4 int8 int8 int8 bool timestamptz timestamptz int8" };
const struct stmt SUBJECT_PAGE = { "subject_page", SQL_SUBJECT_PAGE, "int8 text int8 timestamptz timestamptz int8 int8",
                                   EVENT_COLUMNS };
const struct stmt SUBJECT_BEFORE = { "subject_before", SQL_SUBJECT_BEFORE, "int8 text int8 timestamptz timestamptz", "int8" };
const struct stmt SUBJECT_SCAN = { "subject_scan", SQL_SUBJECT_SCAN,
                                   "int8 int4 text int8 int8 timestamptz timestamptz int8 int8 int8", EVENT_COLUMNS };
const struct stmt SNAPSHOT_GET = { "snapshot_get", SQL_SNAPSHOT_GET, "int8 text", "int8 text timestamptz" };
const struct stmt SNAPSHOTS_HOLD = { "snapshots_hold", SQL_SNAPSHOTS_HOLD, "int8 int4", "int4" };
const struct stmt SNAPSHOTS_PUT = { "snapshots_put", SQL_SNAPSHOTS_PUT, "int8 int4 text[] int8[] text[] timestamptz bool", "bool" };
const struct stmt SNAPSHOT_DELETE = { "snapshot_delete", SQL_SNAPSHOT_DELETE, "int8 int4 text", "int8" };

static enum err take_look(const struct rows *r, struct subject_row *ret, struct fault *f)
{
    if (!r->n)
        return fault(f, ERR_UNKNOWN_STREAM, "The stream was deleted.");
    *ret = (struct subject_row){ 0 };
    if (row_null(r, 0, 3)) /* no such subject, or its partition goes with the stream just now */
        return OK;
    *ret = (struct subject_row){
        .partition = row_int4(r, 0, 0), .version = row_int8(r, 0, 1), .last_offset = row_int8(r, 0, 2),
        .earliest = row_int8(r, 0, 3), .unindexed = row_bool(r, 0, 4),
        .from_us = row_null(r, 0, 5) ? MONTH_MIN : row_time(r, 0, 5),
        .to_us = row_null(r, 0, 6) ? MONTH_MAX : row_time(r, 0, 6), .snapshot_version = row_int8(r, 0, 7),
    };
    return OK;
}

enum err db_subject_look(struct db *db, int64_t stream_id, struct slice subject, struct subject_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(subject) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SUBJECT_LOOK, args, &r, f);

    e = e ? e : take_look(&r, ret, f);
    rows_free(&r);
    return e;
}

enum err db_subject_begin(struct db *db, int64_t stream_id, struct slice subject, struct subject_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(subject) };
    struct rows r[2] = { 0 };
    enum err e;

    db_queue(db, &DB_SNAPSHOT, NULL);
    db_queue(db, &SUBJECT_LOOK, args);
    e = db_flush(db, r, 2, f);
    e = e ? e : take_look(&r[1], ret, f);
    rows_free(&r[0]);
    rows_free(&r[1]);
    return e;
}

enum err db_subject_page(struct db *db, int64_t stream_id, struct slice subject, const struct subject_row *s, int64_t from,
                         int64_t limit, int64_t bytes, bool last, struct rows *ret_snapshot, struct rows *ret_page,
                         struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(subject), arg_int8(from), arg_time(s->from_us), arg_time(s->to_us),
                                arg_int8(limit), arg_int8(bytes) };
    struct rows r[3] = { 0 };
    size_t n = 0;
    enum err e;

    if (ret_snapshot)
        db_queue(db, &SNAPSHOT_GET, args), n++;
    db_queue(db, &SUBJECT_PAGE, args), n++;
    if (last)
        db_queue(db, &DB_COMMIT, NULL), n++;
    e = db_flush(db, r, n, f);
    if (ret_snapshot)
        *ret_snapshot = r[0];
    *ret_page = r[ret_snapshot ? 1 : 0];
    if (last)
        rows_free(&r[n - 1]);
    return e;
}

enum err db_subject_before(struct db *db, int64_t stream_id, struct slice subject, const struct subject_row *s, int64_t version,
                           int64_t *ret_offset, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(subject), arg_int8(version), arg_time(s->from_us),
                                arg_time(s->to_us) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SUBJECT_BEFORE, args, &r, f);

    *ret_offset = !e && r.n ? row_int8(&r, 0, 0) : 0;
    rows_free(&r);
    return e;
}

enum err db_subject_scan(struct db *db, int64_t stream_id, struct slice subject, const struct subject_row *s, int64_t after,
                         int64_t end, int64_t from, int64_t limit, int64_t bytes, struct rows *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_int4(s->partition), arg_text(subject), arg_int8(after), arg_int8(end),
                                arg_time(s->from_us), arg_time(s->to_us), arg_int8(from), arg_int8(limit), arg_int8(bytes) };

    return db_exec(db, &SUBJECT_SCAN, args, ret, f);
}

void db_snapshot_row(const struct rows *r, struct slice subject, struct snapshot_row *ret)
{
    *ret = (struct snapshot_row){ .subject = subject };
    if (r->n)
        *ret = (struct snapshot_row){ subject, row_int8(r, 0, 0), row_text(r, 0, 1), row_time(r, 0, 2) };
}

enum err db_snapshot_get(struct db *db, struct arena *a, int64_t stream_id, struct slice subject, struct snapshot_row *ret,
                         struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_text(subject) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SNAPSHOT_GET, args, &r, f);

    if (!e) {
        db_snapshot_row(&r, subject, ret);
        if (ret->version && !(ret->state = arena_slice(a, ret->state)).p)
            e = ERR_NO_MEMORY;
    }
    rows_free(&r);
    return e;
}

bool db_snapshots_put(struct db *db, struct arena *a, int64_t stream_id, int32_t partition, const struct snapshot_row *v, size_t n,
                      bool same, int64_t now_us)
{
    const struct arg args[] = { arg_int8(stream_id), arg_int4(partition), arg_text_array(a, &v->subject, sizeof *v, n),
                                arg_int8_array(a, &v->version, sizeof *v, n), arg_text_array(a, &v->state, sizeof *v, n),
                                arg_time(now_us), arg_bool(same) };

    return db_queue_kept(db, a, &SNAPSHOTS_HOLD, args, 2) &&
           db_queue_kept(db, a, &SNAPSHOTS_PUT, args, sizeof args / sizeof *args);
}

enum err db_snapshot_delete(struct db *db, int64_t stream_id, int32_t partition, struct slice subject, bool *ret_gone,
                            struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_int4(partition), arg_text(subject) };
    struct rows r[4] = { 0 };
    enum err e;

    db_queue(db, &DB_BEGIN, NULL);
    db_queue(db, &PARTITION_HOLD, args);
    db_queue(db, &SNAPSHOT_DELETE, args);
    db_queue(db, &DB_COMMIT, NULL);
    e = db_flush(db, r, 4, f);
    *ret_gone = !e && row_int8(&r[2], 0, 0) > 0;
    for (int i = 0; i < 4; i++)
        rows_free(&r[i]);
    return e;
}
