#include "gateway/base/json.h"
#include "gateway/base/utf8.h"

/* One more than the value of each digit; 0: none. [0] is RFC 4648 §4, [1] is §5. */
#define LETTERS_AND_DIGITS \
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, \
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, \
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62

static const uint8_t digits[2][256] = {
    { LETTERS_AND_DIGITS, ['+'] = 63, ['/'] = 64 },
    { LETTERS_AND_DIGITS, ['-'] = 63, ['_'] = 64 },
};

/* The six bits of c; bit 6 is set when c is no digit. */
static inline unsigned sextet(char c, bool url)
{
    return digits[url][(unsigned char)c] - 1U;
}

/* Digits without padding. Left-over bits must be zero, so that one text stands for one value. */
static bool decode(struct arena *a, struct slice s, bool url, struct slice *ret)
{
    size_t full = s.n / 4, rest = s.n % 4;
    const char *p = s.p;
    char *begin = arena_alloc(a, full * 3 + 3), *out = begin;

    *ret = (struct slice){ begin, 0 };
    if (rest == 1 || !begin)
        return false;
    for (; full; full--, p += 4) {
        unsigned x = sextet(p[0], url), y = sextet(p[1], url), z = sextet(p[2], url), w = sextet(p[3], url);

        if ((x | y | z | w) & 64)
            return false;
        *out++ = (char)(x << 2 | y >> 4);
        *out++ = (char)(y << 4 | z >> 2);
        *out++ = (char)(z << 6 | w);
    }
    if (rest) {
        unsigned x = sextet(p[0], url), y = sextet(p[1], url), z = rest == 3 ? sextet(p[2], url) : 0;

        if (((x | y | z) & 64) || (rest == 2 ? y & 15 : z & 3))
            return false;
        *out++ = (char)(x << 2 | y >> 4);
        if (rest == 3)
            *out++ = (char)(y << 4 | z >> 2);
    }
    ret->n = (size_t)(out - begin);
    return true;
}

bool base64_decode(struct arena *a, struct slice s, struct slice *ret)
{
    *ret = s;
    if (s.n % 4)
        return false;
    for (int i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++)
        s.n--;
    return decode(a, s, false, ret);
}

bool base64url_decode(struct arena *a, struct slice s, struct slice *ret)
{
    return decode(a, s, true, ret);
}

void base64url_encode(struct buf *b, struct slice s)
{
    static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *p = (const unsigned char *)s.p;

    for (size_t left = s.n; left; left -= left < 3 ? left : 3, p += 3) {
        uint32_t w = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        char out[4];

        for (int i = 0; i < 4; i++)
            out[i] = abc[w >> (18 - 6 * i) & 63];
        buf_put(b, out, left < 3 ? left + 1 : 4);
    }
}

bool json_text(struct arena *a, struct slice raw, struct slice *ret)
{
    struct slice inside = { raw.p + 1, raw.n - 2 };

    return raw.n >= 2 && raw.p[0] == '"' && json_unescape(a, inside, memchr(inside.p, '\\', inside.n), ret);
}

bool json_int64(struct slice number, int64_t *ret)
{
    const char *p = number.p, *end = number.p + number.n;
    bool negative = p < end && *p == '-';
    int64_t v = 0;

    p += negative;
    if (p == end || (*p == '0' && end - p > 1))
        return false;
    for (; p < end; p++) {
        int d = *p - '0';

        if (d < 0 || d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, d, &v))
            return false;        /* counted downwards: INT64_MIN has no positive twin */
    }
    if (!negative && v == INT64_MIN)
        return false;
    *ret = negative ? v : -v;
    return true;
}

bool utf8_valid(struct slice s)
{
    const char *p = s.p, *end = s.p + s.n;

    while (p < end) {
        uint64_t w;

        if (end - p >= 8 && (memcpy(&w, p, 8), !(w & UINT64_C(0x8080808080808080)))) {
            p += 8;
        } else if ((unsigned char)*p < 0x80) {
            p++;
        } else {
            size_t n = utf8_sequence(p, end);

            if (!n)
                return false;
            p += n;
        }
    }
    return true;
}
