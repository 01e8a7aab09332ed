#include "gateway/jsonschema/format.h"

#include <ctype.h>

/* Which characters stand where, besides letters, digits, "-._~" and %XX. */
#define SUB "!$&'()*+,;="

static bool one_of(char c, const char *any)
{
    return c && strchr(any, c);
}

static bool all(const char *p, const char *end, const char *also, bool iri)
{
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;

        if (c == '%') {
            if (end - p < 3 || !isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
                return false;
            p += 2;
        } else if (c >= 0x80 ? !iri : !isalnum(c) && !one_of(*p, "-._~") && !one_of(*p, also)) {
            return false;
        }
    }
    return true;
}

static const char *until(const char *p, const char *end, const char *any)
{
    while (p < end && !one_of(*p, any))
        p++;
    return p;
}

static bool is_future_address(const char *p, const char *end)
{
    const char *dot = until(p, end, ".");

    if (end - p < 4 || (*p | 0x20) != 'v' || dot == end || dot == p + 1 || dot + 1 == end)
        return false;
    for (p++; p < dot; p++)
        if (!isxdigit((unsigned char)*p))
            return false;
    return all(dot + 1, end, SUB ":", false) && !memchr(dot, '%', (size_t)(end - dot));
}

static bool is_authority(const char *p, const char *end, bool iri)
{
    const char *at = memchr(p, '@', (size_t)(end - p)), *close;

    if (at) {
        if (!all(p, at, SUB ":", iri))
            return false;
        p = at + 1;
    }
    if (p < end && *p == '[') {
        if (!(close = memchr(p, ']', (size_t)(end - p))))
            return false;
        if (!is_ipv6((struct slice){ p + 1, (size_t)(close - p - 1) }) && !is_future_address(p + 1, close))
            return false;
        p = close + 1;
        if (p < end && *p != ':')
            return false;
    } else {
        const char *colon = until(p, end, ":");

        if (!all(p, colon, SUB, iri))
            return false;
        p = colon;
    }
    for (p += p < end; p < end; p++)
        if (!isdigit((unsigned char)*p))
            return false;
    return true;
}

static const char *scheme_end(const char *p, const char *end)
{
    const char *colon = until(p, end, ":/?#");

    if (colon == end || *colon != ':' || !isalpha((unsigned char)*p))
        return NULL;
    for (; p < colon; p++)
        if ((unsigned char)*p >= 0x80 || (!isalnum((unsigned char)*p) && !one_of(*p, "+-.")))
            return NULL;
    return colon;
}

static bool reference(struct slice s, bool iri, bool absolute)
{
    const char *p = s.p, *end = p + s.n, *colon = scheme_end(p, end), *q;

    if (absolute && !colon)
        return false;
    if (colon)
        p = colon + 1;
    if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
        q = until(p + 2, end, "/?#");
        if (!is_authority(p + 2, q, iri))
            return false;
        p = q;
    } else if (!colon) {
        q = until(p, end, "/?#");
        if (memchr(p, ':', (size_t)(q - p)))
            return false;        /* a first segment with a colon would be a scheme */
    }
    q = until(p, end, "?#");
    if (!all(p, q, SUB ":@/", iri))
        return false;
    if (q < end && *q == '?') {
        p = q + 1;
        q = until(p, end, "#");
        if (!all(p, q, SUB ":@/?", iri))
            return false;
    }
    return q == end || all(q + 1, end, SUB ":@/?", iri);
}

bool is_uri(struct slice s)
{
    return reference(s, false, true);
}

bool is_uri_reference(struct slice s)
{
    return reference(s, false, false);
}

bool is_iri(struct slice s)
{
    return reference(s, true, true);
}

bool is_iri_reference(struct slice s)
{
    return reference(s, true, false);
}

static bool is_expression(const char *p, const char *end)
{
    p += p < end && one_of(*p, "+#./;?&=,!@|");
    for (;;) {
        const char *name = p, *name_end = until(p, end, ",:*");

        if (name == name_end || !all(name, name_end, "", false) || until(name, name_end, "-~") < name_end || *name == '.' ||
            name_end[-1] == '.' || memmem(name, (size_t)(name_end - name), "..", 2))
            return false;
        p = name_end;
        if (p < end && *p == '*') {
            p++;
        } else if (p < end && *p == ':') {
            const char *digits = ++p;

            while (p < end && isdigit((unsigned char)*p))
                p++;
            if (p == digits || p - digits > 4 || *digits == '0')
                return false;
        }
        if (p == end)
            return true;
        if (*p++ != ',')
            return false;
    }
}

bool is_uri_template(struct slice s)
{
    const char *p = s.p, *end = p + s.n;

    while (p < end) {
        unsigned char c = (unsigned char)*p;

        if (c == '{') {
            const char *close = memchr(p, '}', (size_t)(end - p));

            if (!close || !is_expression(p + 1, close))
                return false;
            p = close + 1;
            continue;
        }
        if (c <= 0x20 || c == 0x7F || one_of(*p, "\"<>\\^`|}"))
            return false;
        if (c == '%' && (end - p < 3 || !isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2])))
            return false;
        p++;
    }
    return true;
}
