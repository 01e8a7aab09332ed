#include "db/db.h"

#include <endian.h>

#include "gateway/base/clock.h"

/* PostgreSQL's binary formats: big-endian integers, times in microseconds since 2000. */

void rows_free(struct rows *r)
{
    if (!r)
        return;
    PQclear(r->res);
    *r = (struct rows){ 0 };
}

bool row_null(const struct rows *r, int row, int col)
{
    return PQgetisnull(r->res, row, col);
}

bool row_bool(const struct rows *r, int row, int col)
{
    return *PQgetvalue(r->res, row, col) != 0;
}

int32_t row_int2(const struct rows *r, int row, int col)
{
    uint16_t v = 0;

    if (!row_null(r, row, col))
        memcpy(&v, PQgetvalue(r->res, row, col), sizeof v);
    return (int16_t)be16toh(v);
}

int32_t row_int4(const struct rows *r, int row, int col)
{
    uint32_t v = 0;

    if (!row_null(r, row, col))
        memcpy(&v, PQgetvalue(r->res, row, col), sizeof v);
    return (int32_t)be32toh(v);
}

int64_t row_int8(const struct rows *r, int row, int col)
{
    uint64_t v = 0;

    if (!row_null(r, row, col))
        memcpy(&v, PQgetvalue(r->res, row, col), sizeof v);
    return (int64_t)be64toh(v);
}

double row_float8(const struct rows *r, int row, int col)
{
    int64_t bits = row_int8(r, row, col);
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

int64_t row_time(const struct rows *r, int row, int col)
{
    int64_t us;

    if (row_null(r, row, col))
        return 0;
    return __builtin_add_overflow(row_int8(r, row, col), PG_EPOCH_US, &us) ? INT64_MAX : us; /* infinity */
}

struct slice row_text(const struct rows *r, int row, int col)
{
    size_t n = (size_t)PQgetlength(r->res, row, col);

    return n || !row_null(r, row, col) ? (struct slice){ PQgetvalue(r->res, row, col), n } : SLICE_NONE;
}

const uint8_t *row_uuid(const struct rows *r, int row, int col)
{
    return row_null(r, row, col) ? NULL : (const uint8_t *)PQgetvalue(r->res, row, col);
}

/* Dimensions, nulls, type; then size and lower bound of the only dimension; then length and value of each. */
size_t row_int8_array(const struct rows *r, int row, int col, int64_t *ret, size_t max)
{
    const char *p = PQgetvalue(r->res, row, col), *end = p + PQgetlength(r->res, row, col);
    size_t n = 0;

    for (p += 20; p + 12 <= end; p += 12, n++) {
        uint64_t v;

        memcpy(&v, p + 4, sizeof v);
        if (n < max)
            ret[n] = (int64_t)be64toh(v);
    }
    return n;
}
