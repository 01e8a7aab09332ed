#include "db/read.h"

#include "gateway/base/clock.h"
#include "sql.h"

#define PAGE_COLUMNS "int8 timestamptz text text text text int8 text int2 bytea"
#define PAGE_ARGS_MAX 10

const struct stmt PAGE = { "page", SQL_PAGE, "int8 int4 int8 int8 timestamptz timestamptz int8", PAGE_COLUMNS };
const struct stmt PAGE_FILTERED = { "page_filtered", SQL_PAGE_FILTERED,
                                    "int8 int4 int8 int8 timestamptz timestamptz int8 int8 text[] text[]",
                                    PAGE_COLUMNS " int8" };
const struct stmt PAGE_BACK = { "page_back", SQL_PAGE_BACK, "int8 int4 int8 int8 timestamptz timestamptz int8 int8 text",
                                PAGE_COLUMNS };
const struct stmt READ_BOUNDS = { "read_bounds", SQL_READ_BOUNDS, "int8 int4[] int8[]",
                                  "int4 int8 int8 timestamptz timestamptz int8" };
const struct stmt RECORDED_AT = { "recorded_at", SQL_RECORDED_AT, "int8 int4[] int8[]", "timestamptz" };

static const struct place *place_at(const struct place *at, size_t stride, size_t i)
{
    return (const struct place *)((const char *)at + i * stride);
}

/* How many places from the i-th on are of its stream. */
static size_t same_stream(const struct place *at, size_t stride, size_t n, size_t i)
{
    size_t k = i + 1;

    while (k < n && place_at(at, stride, k)->stream_id == place_at(at, stride, i)->stream_id)
        k++;
    return k - i;
}

#define PLACE_ARGS 3

/* Queues a statement for each stream among the places; args has PLACE_ARGS for each place. Returns the number of statements. */
static size_t queue_places(struct db *db, struct arena *a, const struct stmt *s, const struct place *at, size_t stride, size_t n,
                           struct arg *args)
{
    size_t count = 0;

    for (size_t i = 0, k; i < n; i += k, args += PLACE_ARGS, count++) {
        const struct place *p = place_at(at, stride, i);

        k = same_stream(at, stride, n, i);
        args[0] = arg_int8(p->stream_id);
        args[1] = arg_int4_array(a, &p->partition, stride, k);
        args[2] = arg_int8_array(a, &p->offset, stride, k);
        db_queue(db, s, args);
    }
    return count;
}

static struct bounds_row read_bounds(const struct rows *r, int i)
{
    return (struct bounds_row){
        .partition = row_int4(r, i, 0),
        .head = row_int8(r, i, 1),
        .earliest = row_int8(r, i, 2),
        .from_us = row_null(r, i, 3) ? MONTH_MIN : row_time(r, i, 3),
        .to_us = row_null(r, i, 4) ? MONTH_MAX : row_time(r, i, 4),
        .month_last = row_null(r, i, 5) ? INT64_MAX : row_int8(r, i, 5),
    };
}

/* What queue_places has asked; the first place whose stream is gone, or n. */
static size_t take_bounds(const struct rows *rows, const struct place *at, size_t stride, size_t n, struct bounds_row *ret)
{
    size_t i = 0, k;

    for (; i < n; i += k, rows++) {
        k = same_stream(at, stride, n, i);
        if ((size_t)rows->n != k)
            break;
        for (size_t j = 0; j < k; j++)
            ret[i + j] = read_bounds(rows, (int)j);
    }
    return i;
}

static void free_all(struct rows *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rows_free(&rows[i]);
}

enum err db_read_bounds(struct db *db, struct arena *a, const struct place *at, size_t stride, size_t n, struct bounds_row *ret,
                        size_t *ret_gone, struct fault *f)
{
    struct arg *args = arena_alloc(a, (n + 1) * PLACE_ARGS * sizeof *args);
    struct rows *rows = arena_zalloc(a, (n + 1) * sizeof *rows);
    size_t count;
    enum err e;

    if (!args || !rows)
        return ERR_NO_MEMORY;
    count = queue_places(db, a, &READ_BOUNDS, at, stride, n, args);
    if (!(e = db_flush(db, rows, count, f)))
        *ret_gone = take_bounds(rows, at, stride, n, ret);
    free_all(rows, count);
    return e;
}

static void page_args(struct arena *a, const struct page_query *q, struct arg *out)
{
    out[0] = arg_int8(q->after.stream_id);
    out[1] = arg_int4(q->after.partition);
    out[2] = arg_int8(q->after.offset);
    out[3] = arg_int8(q->limit);
    out[4] = arg_time(q->from_us);
    out[5] = arg_time(q->to_us);
    out[6] = arg_int8(q->bytes);
    out[7] = arg_int8(q->upto);
    out[8] = q->type_n ? arg_text_array(a, q->types, sizeof *q->types, q->type_n) : arg_null();
    out[9] = q->subject_n ? arg_text_array(a, q->subjects, sizeof *q->subjects, q->subject_n) : arg_null();
}

enum err db_read_pages(struct db *db, struct arena *a, const struct page_query *q, size_t n, struct rows *ret_rows,
                       struct bounds_row *ret_bounds, size_t *ret_gone, struct fault *f)
{
    struct arg (*args)[PAGE_ARGS_MAX] = arena_alloc(a, n * sizeof *args);
    struct arg *bounds_args = arena_alloc(a, n * PLACE_ARGS * sizeof *bounds_args);
    struct rows *rows = arena_zalloc(a, 2 * n * sizeof *rows);
    size_t count;
    enum err e;

    if (!args || !bounds_args || !rows)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        page_args(a, &q[i], args[i]);
        db_queue(db, q[i].type_n || q[i].subject_n ? &PAGE_FILTERED : &PAGE, args[i]);
    }
    count = queue_places(db, a, &READ_BOUNDS, &q->after, sizeof *q, n, bounds_args);
    e = db_flush(db, rows, n + count, f);
    for (size_t i = 0; i < n; i++)
        ret_rows[i] = rows[i];
    if (!e)
        *ret_gone = take_bounds(rows + n, &q->after, sizeof *q, n, ret_bounds);
    free_all(rows + n, count);
    return e;
}

enum err db_read_back(struct db *db, const struct page_query *q, struct rows *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(q->after.stream_id), arg_int4(q->after.partition), arg_int8(q->after.offset),
                                arg_int8(q->limit), arg_time(q->from_us), arg_time(q->to_us), arg_int8(q->bytes), arg_int8(q->upto),
                                q->type_n ? arg_text(*q->types) : arg_null() };

    return db_exec(db, &PAGE_BACK, args, ret, f);
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

enum err db_recorded_at(struct db *db, struct arena *a, const struct place *at, size_t n, int64_t *ret_us, struct fault *f)
{
    struct arg *args = arena_alloc(a, (n + 1) * PLACE_ARGS * sizeof *args);
    struct rows *rows = arena_zalloc(a, (n + 1) * sizeof *rows);
    size_t count, i = 0;
    enum err e;

    if (!args || !rows)
        return ERR_NO_MEMORY;
    count = queue_places(db, a, &RECORDED_AT, at, sizeof *at, n, args);
    e = db_flush(db, rows, count, f);
    for (size_t s = 0; !e && s < count; s++)
        for (int k = 0; k < rows[s].n && i < n; k++, i++)
            ret_us[i] = row_null(&rows[s], k, 0) ? INT64_MIN : row_time(&rows[s], k, 0);
    free_all(rows, count);
    return e;
}
