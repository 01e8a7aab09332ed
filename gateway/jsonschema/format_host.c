#include "gateway/jsonschema/format.h"

#include <ctype.h>
#include <stdint.h>

enum { LABEL = 63, NAME = 253 };

/* A label as code points. */
struct label {
    uint32_t c[LABEL + 1];
    size_t n;
};

/* Of valid UTF-8; false: too long. */
static bool decode(struct slice s, struct label *l)
{
    l->n = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        uint32_t v = n == 1 ? c : c & (0xFFU >> (n + 1));

        if (l->n == LABEL || s.n - i < n)
            return false;
        for (size_t k = 1; k < n; k++)
            v = v << 6 | ((unsigned char)s.p[i + k] & 63);
        l->c[l->n++] = v;
        i += n;
    }
    return true;
}

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;

    delta = first ? delta / 700 : delta / 2;
    delta += delta / points;
    for (; delta > 455; k += 36)
        delta /= 35;
    return k + 36 * delta / (delta + 38);
}

/* RFC 3492, 6.2; s is what stands behind xn--. */
static bool punycode(struct slice s, struct label *l)
{
    const char *hyphen = s.n ? memrchr(s.p, '-', s.n) : NULL;
    size_t at = hyphen ? (size_t)(hyphen - s.p) : 0;
    uint32_t n = 128, i = 0, bias = 72;

    if (!s.n || !decode((struct slice){ s.p, at }, l))
        return false;
    for (at += hyphen != NULL; at < s.n;) {
        uint32_t before = i, w = 1;

        for (uint32_t k = 36;; k += 36) {
            char c = at < s.n ? (char)tolower((unsigned char)s.p[at++]) : '\0';
            uint32_t digit = c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') : isdigit((unsigned char)c) ? (uint32_t)(c - '0') + 26 : 99;
            uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;

            if (digit == 99 || digit > (UINT32_MAX - i) / w)
                return false;
            i += digit * w;
            if (digit < t)
                break;
            if (w > UINT32_MAX / (36 - t))
                return false;
            w *= 36 - t;
        }
        if (l->n == LABEL)
            return false;
        bias = adapt(i - before, (uint32_t)l->n + 1, before == 0);
        if (i / (l->n + 1) > 0x10FFFF - n)
            return false;
        n += i / (uint32_t)(l->n + 1);
        i %= (uint32_t)(l->n + 1);
        memmove(&l->c[i + 1], &l->c[i], (l->n - i) * sizeof *l->c);
        l->c[i++] = n;
        l->n++;
    }
    return true;
}

static bool in(uint32_t c, uint32_t from, uint32_t to)
{
    return c >= from && c <= to;
}

static bool is_mark(uint32_t c)
{
    return in(c, 0x300, 0x36F) || in(c, 0x483, 0x489) || in(c, 0x591, 0x5BD) || in(c, 0x610, 0x61A) || in(c, 0x64B, 0x65F) ||
           in(c, 0x900, 0x903) || in(c, 0x93A, 0x93C) || in(c, 0x93E, 0x94F) || in(c, 0x1AB0, 0x1AFF) || in(c, 0x20D0, 0x20FF) ||
           in(c, 0xFE20, 0xFE2F);
}

static bool is_virama(uint32_t c)
{
    static const uint32_t viramas[] = { 0x94D, 0x9CD, 0xA4D, 0xACD, 0xB4D, 0xBCD, 0xC4D, 0xCCD, 0xD4D, 0xDCA, 0xE3A, 0xF84 };

    for (size_t i = 0; i < sizeof viramas / sizeof *viramas; i++)
        if (c == viramas[i])
            return true;
    return false;
}

/* RFC 5892: characters that are never allowed, as far as no table of all of Unicode is needed. */
static bool disallowed(uint32_t c)
{
    static const uint32_t few[] = { 0x302E, 0x302F, 0x0640, 0x07FA, 0x303B, 0x3164, 0x115F, 0x1160, 0x200B, 0x2260 };

    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        if (c == few[i])
            return true;
    if (c < 0x80)
        return !(in(c, 'a', 'z') || in(c, 'A', 'Z') || in(c, '0', '9') || c == '-');
    return in(c, 0x80, 0xB6) || in(c, 0xB8, 0xBF) || c == 0xD7 || c == 0xF7 || in(c, 0x2010, 0x206F) || in(c, 0x2190, 0x2BFF) ||
           in(c, 0x3000, 0x3004) || in(c, 0x3008, 0x3020) || in(c, 0x3031, 0x3035) || in(c, 0xFF00, 0xFFEF) ||
           in(c, 0xD800, 0xF8FF) || in(c, 0x1F000, 0x1FAFF) || in(c, 0xE0000, 0x10FFFF);
}

/* RFC 5892, appendix A, for the character at i. */
static bool context_holds(const struct label *l, size_t i)
{
    uint32_t c = l->c[i], before = i ? l->c[i - 1] : 0, after = i + 1 < l->n ? l->c[i + 1] : 0;

    switch (c) {
    case 0xB7:
        return before == 'l' && after == 'l';
    case 0x375:
        return in(after, 0x370, 0x3FF) || in(after, 0x1F00, 0x1FFF);
    case 0x5F3: case 0x5F4:
        return in(before, 0x590, 0x5FF);
    case 0x200C: case 0x200D:
        return is_virama(before) || (c == 0x200C && in(before, 0x600, 0x6FF) && in(after, 0x600, 0x6FF));
    case 0x30FB:
        for (size_t k = 0; k < l->n; k++)
            if (k != i && (in(l->c[k], 0x3040, 0x30FA) || in(l->c[k], 0x30FC, 0x30FF) || in(l->c[k], 0x3400, 0x9FFF) ||
                           l->c[k] == 0x3005 || l->c[k] == 0x3007))
                return true;
        return false;
    default:
        if (in(c, 0x660, 0x669) || in(c, 0x6F0, 0x6F9))
            for (size_t k = 0; k < l->n; k++)
                if (c < 0x6F0 ? in(l->c[k], 0x6F0, 0x6F9) : in(l->c[k], 0x660, 0x669))
                    return false;
        return c == 0x200C || c == 0x200D || !disallowed(c);
    }
}

static bool is_u_label(const struct label *l)
{
    if (!l->n || l->c[0] == '-' || l->c[l->n - 1] == '-' || is_mark(l->c[0]))
        return false;
    if (l->n > 3 && l->c[2] == '-' && l->c[3] == '-')
        return false;
    for (size_t i = 0; i < l->n; i++)
        if (!context_holds(l, i))
            return false;
    return true;
}

static bool is_label(struct slice s, bool idn)
{
    struct label l;
    bool ascii = true;

    if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        ascii &= (unsigned char)s.p[i] < 0x80;
    if (s.n > 4 && strncasecmp(s.p, "xn--", 4) == 0) {
        if (s.n > LABEL || !punycode((struct slice){ s.p + 4, s.n - 4 }, &l))
            return false;
        bool beyond = false;

        for (size_t i = 0; i < l.n; i++)
            beyond |= l.c[i] >= 0x80;
        return beyond && is_u_label(&l);
    }
    if (!ascii && !idn)
        return false;
    return s.n <= (ascii ? LABEL : LABEL * 4) && decode(s, &l) && is_u_label(&l);
}

/* The bytes of a dot: that of ASCII, or one of the other three that separate labels in IDNA. */
static size_t dot(const char *p, const char *end, bool idn)
{
    if (*p == '.')
        return 1;
    if (!idn || end - p < 3)
        return 0;
    return memcmp(p, "\xE3\x80\x82", 3) == 0 || memcmp(p, "\xEF\xBC\x8E", 3) == 0 || memcmp(p, "\xEF\xBD\xA1", 3) == 0 ? 3 : 0;
}

static bool hostname(struct slice s, bool idn)
{
    const char *p = s.p, *end = p + s.n, *begin = p;

    if (!s.n || s.n > NAME)
        return false;
    for (; p < end; p++) {
        size_t n = dot(p, end, idn);

        if (!n)
            continue;
        if (!is_label((struct slice){ begin, (size_t)(p - begin) }, idn))
            return false;
        begin = p + n;
        p += n - 1;
    }
    return is_label((struct slice){ begin, (size_t)(end - begin) }, idn);
}

bool is_hostname(struct slice s)
{
    return hostname(s, false);
}

bool is_idn_hostname(struct slice s)
{
    return hostname(s, true);
}
