#include "gateway/base/clock.h"

#include <stdio.h>
#include <time.h>

static const int16_t month_start[13] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

enum { EPOCH_DAYS = 719528, DAY_S = 86400, DAYS_400_YEARS = 146097 }; /* days from 0000-01-01 to 1970-01-01 */

static int64_t clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_unix_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void clock_skew_take(struct clock_skew *s, int64_t asked_us, int64_t theirs_us, int64_t ours_us, int64_t looked_us)
{
    if (looked_us - asked_us < s->within_us)
        *s = (struct clock_skew){ theirs_us - ours_us, looked_us - asked_us };
}

static bool is_leap(int64_t y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

/* Days from 0000-01-01 to the first of January of year y >= 0 (proleptic Gregorian; the year 0 is a leap year). */
static int64_t year_start(int64_t y)
{
    return 365 * y + (y + 3) / 4 - (y + 99) / 100 + (y + 399) / 400;
}

/* Days from the first of January to the first of month m; m = 12 is the length of the year. */
static int64_t month_day(int64_t y, int m)
{
    return month_start[m] + (m > 1 && is_leap(y));
}

static void put_digits(char *out, int n, int64_t v)
{
    while (n--) {
        out[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

void clock_format(int64_t unix_us, char out[CLOCK_TEXT])
{
    const int64_t first = -EPOCH_DAYS * (int64_t)DAY_S * US_PER_S;
    const int64_t last = (year_start(10000) - EPOCH_DAYS) * DAY_S * US_PER_S - 1;
    int64_t us = (unix_us < first ? first : unix_us > last ? last : unix_us) - first;
    int64_t s = us / US_PER_S, days = s / DAY_S, sec = s % DAY_S, y = days * 400 / DAYS_400_YEARS;
    int m = 0;

    while (year_start(y) > days)
        y--;
    while (year_start(y + 1) <= days)
        y++;
    days -= year_start(y);
    while (month_day(y, m + 1) <= days)
        m++;
    memcpy(out, "0000-00-00T00:00:00.000000Z", CLOCK_TEXT);
    put_digits(out, 4, y);
    put_digits(out + 5, 2, m + 1);
    put_digits(out + 8, 2, days - month_day(y, m) + 1);
    put_digits(out + 11, 2, sec / 3600);
    put_digits(out + 14, 2, sec / 60 % 60);
    put_digits(out + 17, 2, sec % 60);
    put_digits(out + 20, 6, us % US_PER_S);
}

static bool digits(const char *p, int n, int *ret)
{
    int v = 0;

    for (; n; n--, p++) {
        if (*p < '0' || *p > '9')
            return false;
        v = v * 10 + (*p - '0');
    }
    *ret = v;
    return true;
}

static bool parse_offset(struct slice s, int *ret_s)
{
    int h, m;

    if (s.n == 1 && (*s.p == 'Z' || *s.p == 'z')) {
        *ret_s = 0;
        return true;
    }
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' || !digits(s.p + 1, 2, &h) ||
        !digits(s.p + 4, 2, &m) || h > 23 || m > 59)
        return false;
    *ret_s = (h * 3600 + m * 60) * (s.p[0] == '-' ? -1 : 1);
    return true;
}

/* The fraction with its point, if there is one; in microseconds, cut off. */
static bool parse_fraction(struct slice *s, int64_t *ret_us)
{
    int64_t us = 0, unit = US_PER_S / 10;
    size_t n = 1;

    *ret_us = 0;
    if (!s->n || *s->p != '.')
        return true;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++, unit /= 10)
        us += (s->p[n] - '0') * unit;
    if (n == 1 || n > 10)
        return false;
    *s = (struct slice){ s->p + n, s->n - n };
    *ret_us = us;
    return true;
}

bool clock_parse(struct slice s, int64_t *ret_unix_us)
{
    int y, mo, d, h, mi, sec, offset;
    int64_t us;
    const char *p = s.p;
    struct slice rest;

    if (s.n < 20 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't') || p[13] != ':' || p[16] != ':')
        return false;
    if (!digits(p, 4, &y) || !digits(p + 5, 2, &mo) || !digits(p + 8, 2, &d) || !digits(p + 11, 2, &h) ||
        !digits(p + 14, 2, &mi) || !digits(p + 17, 2, &sec))
        return false;
    if (mo < 1 || mo > 12 || d < 1 || d > month_day(y, mo) - month_day(y, mo - 1) || h > 23 || mi > 59 || sec > 60)
        return false;
    rest = (struct slice){ p + 19, s.n - 19 };
    if (!parse_fraction(&rest, &us) || !parse_offset(rest, &offset))
        return false;

    bool leap = sec == 60;
    int64_t days = year_start(y) + month_day(y, mo - 1) + d - 1 - EPOCH_DAYS;
    int64_t t = days * DAY_S + h * 3600 + mi * 60 + sec - leap - offset;

    if (leap && ((t % DAY_S) + DAY_S) % DAY_S != DAY_S - 1)
        return false;            /* leap seconds end a UTC day */
    *ret_unix_us = t * US_PER_S + us;
    return true;
}

static const struct unit {
    const char *name;
    int64_t us;
} units[] = { /* largest first */
    { "d", 86400 * US_PER_S }, { "h", 3600 * US_PER_S }, { "m", 60 * US_PER_S }, { "s", US_PER_S }, { "ms", 1000 },
};

bool duration_parse(struct slice s, int64_t *ret_us)
{
    int64_t v = 0;
    size_t n = 0;

    for (; n < s.n && s.p[n] >= '0' && s.p[n] <= '9'; n++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s.p[n] - '0', &v))
            return false;
    if (!n)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_is((struct slice){ s.p + n, s.n - n }, units[i].name))
            return !__builtin_mul_overflow(v, units[i].us, ret_us);
    return false;
}

void duration_format(int64_t us, char out[32])
{
    for (size_t i = 0; us && i < sizeof units / sizeof *units; i++)
        if (us % units[i].us == 0) {
            snprintf(out, 32, "%lld%s", (long long)(us / units[i].us), units[i].name);
            return;
        }
    snprintf(out, 32, us ? "%lldus" : "%llds", (long long)us);
}
