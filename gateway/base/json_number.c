#include "gateway/base/json_tree.h"

/* A number as ±0.d1d2d3… × 10^point, d1 and the last digit not 0; zero has no digits. The digits stay in the text, where a point may
 * stand among them. */
struct decimal {
    int sign;                    /* -1, 0, 1 */
    int64_t point;
    const char *digits, *end;
};

enum { EXPONENT_DIGITS = 18, WIDE_DIGITS = 38 }; /* an __int128 holds any number of 38 digits */
static const int64_t VAST = INT64_C(2000000000000000000);

static int64_t exponent(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    int64_t v = 0;

    p += p < end && (*p < '0' || *p > '9');
    while (p < end && *p == '0')
        p++;
    if (end - p > EXPONENT_DIGITS)
        return negative ? -VAST : VAST;
    for (; p < end; p++)
        v = v * 10 + (*p - '0');
    return negative ? -v : v;
}

static struct decimal decimal(struct slice number)
{
    const char *p = number.p, *end = number.p + number.n, *dot = NULL, *q;
    struct decimal d = { .sign = *p == '-' ? -1 : 1 };

    p += *p == '-';
    for (q = p; q < end && *q != 'e' && *q != 'E'; q++)
        if (*q == '.')
            dot = q;
    if (q < end)
        d.point = exponent(q + 1, end);
    end = q;
    while (p < end && (*p == '0' || *p == '.'))
        p++;
    while (end > p && (end[-1] == '0' || end[-1] == '.'))
        end--;
    dot = dot ? dot : q;
    d.point += dot > p ? dot - p : dot + 1 - p;
    d.digits = p;
    d.end = end;
    return p == end ? (struct decimal){ .digits = p, .end = p } : d;
}

static int compare_digits(struct decimal a, struct decimal b)
{
    while (a.digits < a.end && b.digits < b.end) {
        a.digits += *a.digits == '.';
        b.digits += *b.digits == '.';
        if (*a.digits != *b.digits)
            return *a.digits < *b.digits ? -1 : 1;
        a.digits++;
        b.digits++;
    }
    return (a.digits < a.end) - (b.digits < b.end);
}

int json_number_compare(struct slice x, struct slice y)
{
    struct decimal a = decimal(x), b = decimal(y);

    if (a.sign != b.sign)
        return a.sign < b.sign ? -1 : 1;
    if (!a.sign)
        return 0;
    if (a.point != b.point)
        return a.point < b.point ? -a.sign : a.sign;
    return a.sign * compare_digits(a, b);
}

static int64_t count(struct decimal d)
{
    int64_t n = d.end - d.digits;

    return n - (n && memchr(d.digits, '.', (size_t)n) ? 1 : 0);
}

bool json_number_is_integer(struct slice x)
{
    struct decimal d = decimal(x);

    return d.point >= count(d);
}

/* Its digits, and zeros up to `places` in all. */
static __int128 whole(struct decimal d, int64_t places)
{
    __int128 v = 0;

    for (; places; places--) {
        d.digits += d.digits < d.end && *d.digits == '.';
        v = v * 10 + (d.digits < d.end ? *d.digits++ - '0' : 0);
    }
    return v;
}

bool json_number_divides(struct slice y, struct slice x, bool *ret_known)
{
    struct decimal a = decimal(x), b = decimal(y);
    int64_t low_a = a.point - count(a), low_b = b.point - count(b), low = low_a < low_b ? low_a : low_b;

    *ret_known = true;
    if (!a.sign || !b.sign)
        return !a.sign;
    *ret_known = a.point - low <= WIDE_DIGITS && b.point - low <= WIDE_DIGITS;
    return *ret_known && whole(a, a.point - low) % whole(b, b.point - low) == 0;
}
