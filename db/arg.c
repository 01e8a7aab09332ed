#include "db/db.h"

#include <endian.h>
#include <limits.h>

#include "gateway/base/clock.h"

/* PostgreSQL's array: dimensions, whether NULLs occur, element type, length, first index; then each element's length (-1:
 * NULL) and bytes. An empty array has no dimension. All integers are big-endian. */
#define ARRAY_HEADER 20
#define ARRAY_EMPTY 12
#define ARRAY_MAX ((size_t)1 << 30) /* PostgreSQL takes no larger value */

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184, OID_UUID = 2950 };

static inline char *put2(char *p, uint16_t v)
{
    v = htobe16(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static inline char *put4(char *p, uint32_t v)
{
    v = htobe32(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static inline char *put8(char *p, uint64_t v)
{
    v = htobe64(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static uint64_t pg_time(int64_t unix_us)
{
    int64_t us;

    return __builtin_sub_overflow(unix_us, PG_EPOCH_US, &us) ? (uint64_t)INT64_MIN : (uint64_t)us; /* -infinity */
}

struct arg arg_null(void)
{
    return (struct arg){ 0 };
}

struct arg arg_bool(bool v)
{
    return (struct arg){ .n = 1, .inline_ = { (char)v } };
}

struct arg arg_int2(int16_t v)
{
    struct arg a = { .n = 2 };

    put2(a.inline_, (uint16_t)v);
    return a;
}

struct arg arg_int4(int32_t v)
{
    struct arg a = { .n = 4 };

    put4(a.inline_, (uint32_t)v);
    return a;
}

struct arg arg_int8(int64_t v)
{
    struct arg a = { .n = 8 };

    put8(a.inline_, (uint64_t)v);
    return a;
}

struct arg arg_float8(double v)
{
    struct arg a = { .n = 8 };
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    put8(a.inline_, bits);
    return a;
}

struct arg arg_time(int64_t unix_us)
{
    struct arg a = { .n = 8 };

    put8(a.inline_, pg_time(unix_us));
    return a;
}

struct arg arg_text(struct slice s)
{
    return s.n > ARRAY_MAX ? (struct arg){ .n = -1 } : (struct arg){ .p = s.p, .n = (int)s.n };
}

struct arg arg_bytea(struct slice s)
{
    return arg_text(s);
}

struct arg arg_uuid(const uint8_t v[16])
{
    struct arg a = { .n = 16 };

    memcpy(a.inline_, v, 16);
    return a;
}

struct arg arg_interval_us(int64_t us)
{
    struct arg a = { .n = 16 }; /* microseconds, days, months */

    put8(a.inline_, (uint64_t)us);
    return a;
}

/* Memory for a header and at most `data` bytes of elements; writes the header. *ret_end is where elements begin. */
static struct arg array_begin(struct arena *a, uint32_t type, size_t n, size_t data, char **ret_end)
{
    size_t size = n ? ARRAY_HEADER + data : ARRAY_EMPTY;
    char *p = size <= ARRAY_MAX && n <= ARRAY_MAX / 4 ? arena_alloc(a, size) : NULL;

    if (!p)
        return (struct arg){ .n = -1 };
    put4(p, n > 0);
    put4(p + 4, 0);
    put4(p + 8, type);
    if (n) {
        put4(p + 12, (uint32_t)n);
        put4(p + 16, 1);
    }
    *ret_end = p + (n ? ARRAY_HEADER : ARRAY_EMPTY);
    return (struct arg){ .p = p, .n = (int)size };
}

static inline const void *at(const void *base, size_t stride, size_t i)
{
    return (const char *)base + i * stride;
}

struct arg arg_int2_array(struct arena *a, const int16_t *v, size_t stride, size_t n)
{
    char *w;
    struct arg arg = array_begin(a, OID_INT2, n, n * 6, &w);

    for (size_t i = 0; arg.p && i < n; i++)
        w = put2(put4(w, 2), (uint16_t)*(const int16_t *)at(v, stride, i));
    return arg;
}

struct arg arg_int4_array(struct arena *a, const int32_t *v, size_t stride, size_t n)
{
    char *w;
    struct arg arg = array_begin(a, OID_INT4, n, n * 8, &w);

    for (size_t i = 0; arg.p && i < n; i++)
        w = put4(put4(w, 4), (uint32_t)*(const int32_t *)at(v, stride, i));
    return arg;
}

struct arg arg_int8_array(struct arena *a, const int64_t *v, size_t stride, size_t n)
{
    char *w;
    struct arg arg = array_begin(a, OID_INT8, n, n * 12, &w);

    for (size_t i = 0; arg.p && i < n; i++)
        w = put8(put4(w, 8), (uint64_t)*(const int64_t *)at(v, stride, i));
    return arg;
}

struct arg arg_int8_array_nullif(struct arena *a, const int64_t *v, size_t stride, size_t n, int64_t null_value)
{
    char *w;
    struct arg arg = array_begin(a, OID_INT8, n, n * 12, &w);
    bool nulls = false;

    if (!arg.p)
        return arg;
    for (size_t i = 0; i < n; i++) {
        int64_t x = *(const int64_t *)at(v, stride, i);

        nulls |= x == null_value;
        w = x == null_value ? put4(w, UINT32_MAX) : put8(put4(w, 8), (uint64_t)x);
    }
    put4((char *)arg.p + 4, nulls);
    arg.n = (int)(w - arg.p);
    return arg;
}

struct arg arg_time_array(struct arena *a, const int64_t *unix_us, size_t stride, size_t n)
{
    char *w;
    struct arg arg = array_begin(a, OID_TIMESTAMPTZ, n, n * 12, &w);

    for (size_t i = 0; arg.p && i < n; i++)
        w = put8(put4(w, 8), pg_time(*(const int64_t *)at(unix_us, stride, i)));
    return arg;
}

static struct arg slices(struct arena *a, uint32_t type, const struct slice *v, size_t stride, size_t n)
{
    size_t data = n * 4;
    bool nulls = false;
    struct arg arg;
    char *w;

    for (size_t i = 0; i < n; i++) {
        const struct slice *s = at(v, stride, i);

        nulls |= !s->p;
        data += s->p ? s->n : 0;
    }
    if (!(arg = array_begin(a, type, n, data, &w)).p)
        return arg;
    put4((char *)arg.p + 4, nulls);
    for (size_t i = 0; i < n; i++) {
        const struct slice *s = at(v, stride, i);

        w = put4(w, s->p ? (uint32_t)s->n : UINT32_MAX);
        if (s->p) {
            memcpy(w, s->p, s->n);
            w += s->n;
        }
    }
    return arg;
}

struct arg arg_text_array(struct arena *a, const struct slice *v, size_t stride, size_t n)
{
    return slices(a, OID_TEXT, v, stride, n);
}

struct arg arg_bytea_array(struct arena *a, const struct slice *v, size_t stride, size_t n)
{
    return slices(a, OID_BYTEA, v, stride, n);
}

struct arg arg_uuid_array(struct arena *a, const uint8_t (*v)[16], size_t stride, size_t n)
{
    char *w;
    struct arg arg = array_begin(a, OID_UUID, n, n * 20, &w);

    for (size_t i = 0; arg.p && i < n; i++, w += 16) {
        w = put4(w, 16);
        memcpy(w, at(v, stride, i), 16);
    }
    return arg;
}

struct arg arg_uuid_array_nullable(struct arena *a, const struct slice *v, size_t stride, size_t n)
{
    return slices(a, OID_UUID, v, stride, n);
}
