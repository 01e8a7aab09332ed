#include "db/read.h"

#include "gateway/base/clock.h"
#include "sql.h"

#define PAGE_COLUMNS "int8 timestamptz text text text text int8 text int2 bytea"
#define PAGE_ARGS_MAX 10
/* PostgreSQL's year 1 and 9999 stand for open bounds: comparable, and far from any event. */
#define TIME_MIN (INT64_C(-62135596800) * US_PER_S)
#define TIME_MAX (INT64_C(253370764800) * US_PER_S)

const struct stmt PAGE = { "page", SQL_PAGE, "int8 int4 int8 int8 timestamptz timestamptz int8", PAGE_COLUMNS };
const struct stmt PAGE_FILTERED = { "page_filtered", SQL_PAGE_FILTERED,
                                    "int8 int4 int8 int8 timestamptz timestamptz int8 int8 text[] text[]",
                                    PAGE_COLUMNS " int8" };
const struct stmt READ_BOUNDS = { "read_bounds", SQL_READ_BOUNDS, "int8 int4[] int8[]",
                                  "int4 int8 int8 timestamptz timestamptz int8" };
const struct stmt RECORDED_AT = { "recorded_at", SQL_RECORDED_AT, "int8 int4[] int8[]", "timestamptz" };

static size_t read_bounds(const struct rows *r, struct bounds_row *ret, size_t max)
{
    size_t n = (size_t)r->n < max ? (size_t)r->n : max;

    for (int i = 0; i < (int)n; i++)
        ret[i] = (struct bounds_row){
            .partition = row_int4(r, i, 0),
            .head = row_int8(r, i, 1),
            .earliest = row_int8(r, i, 2),
            .from_us = row_null(r, i, 3) ? TIME_MIN : row_time(r, i, 3),
            .to_us = row_null(r, i, 4) ? TIME_MAX : row_time(r, i, 4),
            .month_last = row_null(r, i, 5) ? INT64_MAX : row_int8(r, i, 5),
        };
    return n;
}

enum err db_read_bounds(struct db *db, struct arena *a, int64_t stream_id, const int32_t *partitions, const int64_t *pos, size_t n,
                        struct bounds_row *ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_int4_array(a, partitions, sizeof *partitions, n),
                                arg_int8_array(a, pos, sizeof *pos, n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &READ_BOUNDS, args, &r, f);

    if (!e)
        *ret_n = read_bounds(&r, ret, n);
    rows_free(&r);
    return e;
}

static void page_args(struct arena *a, const struct page_query *q, struct arg *out)
{
    out[0] = arg_int8(q->stream_id);
    out[1] = arg_int4(q->partition);
    out[2] = arg_int8(q->after);
    out[3] = arg_int8(q->limit);
    out[4] = arg_time(q->from_us);
    out[5] = arg_time(q->to_us);
    out[6] = arg_int8(q->bytes);
    out[7] = arg_int8(q->upto);
    out[8] = q->type_n ? arg_text_array(a, q->types, sizeof *q->types, q->type_n) : arg_null();
    out[9] = q->subject_n ? arg_text_array(a, q->subjects, sizeof *q->subjects, q->subject_n) : arg_null();
}

enum err db_read_pages(struct db *db, struct arena *a, const struct page_query *q, size_t n, struct rows *ret_rows,
                       struct bounds_row *ret_bounds, size_t *ret_bound_n, struct fault *f)
{
    struct arg (*args)[PAGE_ARGS_MAX] = arena_alloc(a, n * sizeof *args), bounds_args[3];
    struct rows *rows = arena_zalloc(a, (n + 1) * sizeof *rows);
    enum err e;

    if (!args || !rows)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        page_args(a, &q[i], args[i]);
        db_queue(db, q[i].type_n || q[i].subject_n ? &PAGE_FILTERED : &PAGE, args[i]);
    }
    bounds_args[0] = arg_int8(q[0].stream_id);
    bounds_args[1] = arg_int4_array(a, &q->partition, sizeof *q, n);
    bounds_args[2] = arg_int8_array(a, &q->after, sizeof *q, n);
    db_queue(db, &READ_BOUNDS, bounds_args);
    e = db_flush(db, rows, n + 1, f);
    for (size_t i = 0; i < n; i++)
        ret_rows[i] = rows[i];
    if (!e)
        *ret_bound_n = read_bounds(&rows[n], ret_bounds, n);
    rows_free(&rows[n]);
    return e;
}

void db_page_row(const struct rows *r, int i, struct page_row *ret)
{
    *ret = (struct page_row){
        .offset = row_int8(r, i, 0),
        .recorded_us = row_time(r, i, 1),
        .id = row_text(r, i, 2),
        .source = row_text(r, i, 3),
        .type = row_text(r, i, 4),
        .subject = row_text(r, i, 5),
        .version = row_null(r, i, 6) ? 0 : row_int8(r, i, 6),
        .attributes = row_text(r, i, 7),
        .data_format = row_int2(r, i, 8),
        .data = row_text(r, i, 9),
    };
}

int64_t db_page_found(const struct rows *r)
{
    return r->n ? row_int8(r, 0, 10) : 0;
}

enum err db_recorded_at(struct db *db, struct arena *a, int64_t stream_id, const int32_t *partitions, const int64_t *offsets,
                        size_t n, int64_t *ret_us, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_int4_array(a, partitions, sizeof *partitions, n),
                                arg_int8_array(a, offsets, sizeof *offsets, n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &RECORDED_AT, args, &r, f);

    for (int i = 0; !e && i < r.n && i < (int)n; i++)
        ret_us[i] = row_null(&r, i, 0) ? INT64_MIN : row_time(&r, i, 0);
    rows_free(&r);
    return e;
}
