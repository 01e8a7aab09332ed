#include "gateway/jsonschema/format.h"

#include <ctype.h>
#include <stdint.h>

/* n digits at p as a number; -1: they are not. */
static int digits(const char *p, const char *end, int n)
{
    int v = 0;

    if (end - p < n)
        return -1;
    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool is_date(struct slice s)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const char *end = s.p + s.n;

    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-')
        return false;
    int year = digits(s.p, end, 4), month = digits(s.p + 5, end, 2), day = digits(s.p + 8, end, 2);

    if (year < 0 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= days[month - 1] + (month == 2 && leap(year));
}

bool is_time(struct slice s)
{
    const char *p = s.p, *end = p + s.n;
    int hour, minute, second, offset = 0;

    if (s.n < 9 || p[2] != ':' || p[5] != ':')
        return false;
    hour = digits(p, end, 2);
    minute = digits(p + 3, end, 2);
    second = digits(p + 6, end, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    p += 8;
    if (*p == '.') {
        const char *begin = ++p;

        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == begin)
            return false;
    }
    if (p == end)
        return false;
    if (*p == '+' || *p == '-') {
        int hours, minutes, sign = *p == '+' ? 1 : -1;

        if (end - p != 6 || p[3] != ':')
            return false;
        hours = digits(p + 1, end, 2);
        minutes = digits(p + 4, end, 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
            return false;
        offset = sign * (hours * 60 + minutes);
    } else if ((*p != 'Z' && *p != 'z') || p + 1 != end) {
        return false;
    }
    /* a leap second is the last of a day in UTC */
    return second < 60 || (hour * 60 + minute - offset + 2 * 1440) % 1440 == 1439;
}

bool is_date_time(struct slice s)
{
    return s.n > 11 && (s.p[10] == 'T' || s.p[10] == 't') && is_date((struct slice){ s.p, 10 }) &&
           is_time((struct slice){ s.p + 11, s.n - 11 });
}

/* A run of digits with a unit each, in the order of `units` and without a gap between them; *ret_n is how many there are. */
static const char *durations(const char *p, const char *end, const char *units, int *ret_n)
{
    const char *last = NULL;

    *ret_n = 0;
    while (p < end && isdigit((unsigned char)*p)) {
        while (p < end && isdigit((unsigned char)*p))
            p++;
        const char *unit = p < end && *p ? strchr(units, *p) : NULL;

        if (!unit || (last && unit != last + 1))
            return NULL;
        last = unit;
        p++;
        ++*ret_n;
    }
    return p;
}

bool is_duration(struct slice s)
{
    const char *p = s.p, *end = p + s.n;
    int dates, times = 0;

    if (s.n < 2 || *p++ != 'P')
        return false;
    if (end[-1] == 'W') {
        p = durations(p, end, "W", &dates);
        return p == end && dates == 1;
    }
    if (!(p = durations(p, end, "YMD", &dates)))
        return false;
    if (p < end) {
        if (*p++ != 'T' || !(p = durations(p, end, "HMS", &times)) || !times)
            return false;
    }
    return p == end && dates + times > 0;
}
