#include "gateway/base/decimal_sum.h"

#include <stdint.h>

#define FAR (INT64_C(1) << 40) /* an exponent beyond every limit, however long the text is that it belongs to */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- what fits into 18 digits: nearly everything ---- */

enum { SMALL_DIGITS = 18 };

static bool read_small(struct slice s, int64_t *ret, int *ret_scale)
{
    const char *p = s.p, *end = s.p + s.n, *point = NULL;
    int64_t v = 0;

    p += *p == '-';
    if (end - p > SMALL_DIGITS)
        return false;
    for (; p < end; p++) {
        if (digit(*p))
            v = v * 10 + (*p - '0');
        else if (*p == '.')
            point = p;
        else
            return false;
    }
    *ret = *s.p == '-' ? -v : v;
    *ret_scale = point ? (int)(end - point - 1) : 0;
    return true;
}

static __int128 scaled(int64_t v, int by)
{
    __int128 r = v;

    while (by--)
        r *= 10;
    return r;
}

static size_t write_small(__int128 v, int scale, char *out)
{
    char text[48], *p = text + sizeof text;
    unsigned __int128 u = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;

    for (int written = 0; u || written <= scale; written++) {
        if (written && written == scale)
            *--p = '.';
        if (u <= UINT64_MAX) {
            uint64_t low = (uint64_t)u;

            *--p = (char)('0' + low % 10);
            u = low / 10;
        } else {
            *--p = (char)('0' + (int)(u % 10));
            u /= 10;
        }
    }
    if (v < 0)
        *--p = '-';
    memcpy(out, p, (size_t)(text + sizeof text - p));
    return (size_t)(text + sizeof text - p);
}

/* ---- the others: column by column ---- */

struct operand {
    bool negative;
    const char *p, *end;         /* from its first digit that is not 0; a point may stand among them */
    int64_t digits, scale;       /* how many; the last one stands for 10^-scale */
};

static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    int64_t v = 0;

    p += p < end && !digit(*p);
    for (; p < end; p++)
        v = v >= FAR ? FAR : v * 10 + (*p - '0');
    return negative ? -v : v;
}

static struct operand read_operand(struct slice s)
{
    const char *end = s.p + s.n, *q, *point = NULL;
    struct operand o = { .negative = *s.p == '-', .p = s.p };

    o.p += o.negative;
    for (q = o.p; q < end && (digit(*q) || *q == '.'); q++)
        if (*q == '.')
            point = q;
    o.scale = point ? q - point - 1 : 0;
    if (q < end)
        o.scale -= read_exponent(q + 1, end);
    while (o.p < q && (*o.p == '0' || *o.p == '.'))
        o.p++;
    o.end = q;
    o.digits = q - o.p - (point && point > o.p);
    return o;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Digits before the point. */
static int64_t whole(const struct operand *o)
{
    return o->digits ? most(o->digits - o->scale, 0) : 0;
}

/* columns[0] is for the carry; the last digit before the point is columns[units]. */
static void put_columns(const struct operand *o, char *columns, int64_t n, int64_t units)
{
    int64_t at = units + o->scale;

    memset(columns, 0, (size_t)n);
    for (const char *p = o->end; p > o->p;)
        if (*--p != '.')
            columns[at--] = (char)(*p - '0');
}

static void add_columns(char *x, const char *y, int64_t n, int sign)
{
    int carry = 0;

    for (int64_t i = n - 1; i >= 0; i--) {
        int v = x[i] + sign * y[i] + carry;

        carry = v > 9 ? 1 : v < 0 ? -1 : 0;
        x[i] = (char)(v - carry * 10);
    }
}

static size_t write_columns(const char *columns, int64_t n, int64_t units, bool negative, char *out)
{
    int64_t first = 0;
    char *o = out;

    while (first < units && !columns[first])
        first++;
    if (n - first > DECIMAL_SUM_DIGITS)
        return 0;
    for (int64_t i = first; negative && i < n; i++)
        if (columns[i]) {        /* there is no -0 */
            *o++ = '-';
            break;
        }
    for (int64_t i = first; i < n; i++) {
        if (i == units + 1)
            *o++ = '.';
        *o++ = (char)('0' + columns[i]);
    }
    return (size_t)(o - out);
}

static size_t sum(struct slice sx, struct slice sy, char *out)
{
    struct operand x = read_operand(sx), y = read_operand(sy);
    int64_t units = most(most(whole(&x), whole(&y)), 1), scale = most(most(x.scale, y.scale), 0), n = 1 + units + scale;
    char a[DECIMAL_SUM_DIGITS + 1], b[DECIMAL_SUM_DIGITS + 1];

    if (units > DECIMAL_SUM_DIGITS || scale > DECIMAL_SUM_DIGITS || n > DECIMAL_SUM_DIGITS + 1)
        return 0;
    put_columns(&x, a, n, units);
    put_columns(&y, b, n, units);
    if (x.negative == y.negative) {
        add_columns(a, b, n, 1);
        return write_columns(a, n, units, x.negative, out);
    }
    if (memcmp(a, b, (size_t)n) >= 0) {
        add_columns(a, b, n, -1);
        return write_columns(a, n, units, x.negative, out);
    }
    add_columns(b, a, n, -1);
    return write_columns(b, n, units, y.negative, out);
}

size_t decimal_sum(struct slice x, struct slice y, char out[DECIMAL_SUM_TEXT])
{
    int64_t v, w;
    int v_scale, w_scale, scale;

    if (!read_small(x, &v, &v_scale) || !read_small(y, &w, &w_scale))
        return sum(x, y, out);
    scale = v_scale > w_scale ? v_scale : w_scale;
    return write_small(scaled(v, scale - v_scale) + scaled(w, scale - w_scale), scale, out);
}
