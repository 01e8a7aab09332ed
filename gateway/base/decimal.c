#include "gateway/base/decimal.h"

enum { EXPONENT_DIGITS = 18 };
#define FAR (INT64_MAX / 4)

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static int64_t exponent(const char *p, const char *end, bool *ret_vast)
{
    bool negative = p < end && *p == '-';
    int64_t v = 0;

    p += p < end && !digit(*p);
    while (p < end && *p == '0')
        p++;
    *ret_vast = end - p > EXPONENT_DIGITS;
    if (*ret_vast)
        v = FAR;
    for (; p < end && !*ret_vast; p++)
        v = v * 10 + (*p - '0');
    return negative ? -v : v;
}

struct decimal decimal_of(struct slice number)
{
    const char *p = number.p, *end = number.p + number.n, *dot = NULL, *q;
    struct decimal d = { .negative = *p == '-' };

    p += d.negative;
    for (q = p; q < end && (digit(*q) || *q == '.'); q++)
        if (*q == '.')
            dot = q;
    if (q < end)
        d.point = exponent(q + 1, end, &d.vast);
    end = q;
    while (p < end && (*p == '0' || *p == '.'))
        p++;
    while (end > p && (end[-1] == '0' || end[-1] == '.'))
        end--;
    dot = dot ? dot : q;
    if (!d.vast)
        d.point += dot > p ? dot - p : dot + 1 - p; /* zeros behind the point make it smaller */
    d.digits = p;
    d.end = end;
    if (p == end)
        d = (struct decimal){ .digits = p, .end = p };
    return d;
}

/* Of the digits alone, as fractions. */
static int compare_digits(const struct decimal *a, const struct decimal *b)
{
    const char *p = a->digits, *q = b->digits;

    while (p < a->end && q < b->end) {
        p += *p == '.';
        q += *q == '.';
        if (*p != *q)
            return *p < *q ? -1 : 1;
        p++;
        q++;
    }
    return (p < a->end) - (q < b->end);
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    int sign_a = a->digits == a->end ? 0 : a->negative ? -1 : 1, sign_b = b->digits == b->end ? 0 : b->negative ? -1 : 1;

    if (sign_a != sign_b || !sign_a)
        return sign_a - sign_b;
    if (a->point != b->point)
        return a->point < b->point ? -sign_a : sign_a;
    return a->vast ? 0 : sign_a * compare_digits(a, b);
}

int decimal_order(struct slice a, struct slice b)
{
    struct decimal x = decimal_of(a), y = decimal_of(b);

    return decimal_compare(&x, &y);
}

bool decimal_equal(struct slice a, struct slice b)
{
    struct decimal x = decimal_of(a), y = decimal_of(b);

    if (x.vast || y.vast)
        return slice_eq(a, b);
    return decimal_compare(&x, &y) == 0;
}

size_t decimal_digits(const struct decimal *d)
{
    size_t n = (size_t)(d->end - d->digits);

    return n && memchr(d->digits, '.', n) ? n - 1 : n;
}

bool decimal_whole(const struct decimal *d)
{
    if (d->digits == d->end)
        return true;
    return d->point > 0 && (d->vast || (uint64_t)d->point >= decimal_digits(d));
}

/* a x b mod m */
static uint64_t product(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((unsigned __int128)a * b % m);
}

/* 10^n mod m */
static uint64_t power_of_ten(int64_t n, uint64_t m)
{
    uint64_t base = 10 % m, r = 1 % m;

    for (; n; n >>= 1) {
        if (n & 1)
            r = product(r, base, m);
        base = product(base, base, m);
    }
    return r;
}

bool decimal_multiple(const struct decimal *d, const struct decimal *of)
{
    uint64_t m = 0, r = 0;

    if (d->digits == d->end)
        return true;
    /* The power of ten of the last digit of each: both as integers, scaled alike. The last digit is not 0, so what ends
     * further right than the divisor is no multiple of it. */
    int64_t last = d->point - (int64_t)decimal_digits(d), last_of = of->point - (int64_t)decimal_digits(of);

    if (last < last_of)
        return false;
    for (const char *p = of->digits; p < of->end; p++)
        if (*p != '.')
            m = m * 10 + (uint64_t)(*p - '0');
    for (const char *p = d->digits; p < d->end; p++)
        if (*p != '.')
            r = (r * 10 + (uint64_t)(*p - '0')) % m; /* m has 18 digits at most */
    return product(r, power_of_ten(last - last_of, m), m) == 0;
}
