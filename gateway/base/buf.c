#include "gateway/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"

enum { BUF_MIN = 256 };

void buf_free(struct buf *b)
{
    if (!b)
        return;
    free(b->p);
    *b = (struct buf){ .limit = b->limit };
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

/* cap never passes limit, so room within cap needs no further check. */
static bool buf_grow(struct buf *b, size_t more)
{
    size_t max = b->limit ? b->limit : SIZE_MAX / 2;
    size_t cap = b->cap < BUF_MIN ? BUF_MIN : b->cap * 2;

    if (more > max || b->n > max - more)
        goto fail;
    if (cap < b->n + more)
        cap = b->n + more;
    if (cap > max)
        cap = max;
    char *p = realloc(b->p, cap);

    if (!p)
        goto fail;
    b->p = p;
    b->cap = cap;
    return true;
fail:
    b->failed = true;
    return false;
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    return (more <= b->cap - b->n && b->p) || buf_grow(b, more);
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (!n || !buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.p, s.n);
}

void buf_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    if (buf_reserve(b, 1))
        b->p[b->n++] = c;
}

void buf_i64(struct buf *b, int64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        digits[--at] = '-';
    buf_put(b, digits + at, sizeof digits - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    size_t room = b->failed ? 0 : b->cap - b->n;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < room) {
        b->n += (size_t)n;
    } else {
        char *text = malloc((size_t)n + 1); /* the terminator does not count against the limit */

        if (text) {
            vsnprintf(text, (size_t)n + 1, fmt, again);
            buf_put(b, text, (size_t)n);
            free(text);
        } else {
            b->failed = true;
        }
    }
    va_end(again);
}

static void put_escape(struct buf *b, unsigned char c)
{
    static const char shorts[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
    static const char hex[] = "0123456789abcdef";

    if (c >= 0x20)
        buf_put(b, (char[]){ '\\', (char)c }, 2);
    else if (shorts[c])
        buf_put(b, (char[]){ '\\', shorts[c] }, 2);
    else
        buf_put(b, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
}

/* The first byte that must be escaped, or `end`; eight at a time: a borrow or a zero byte raises its high bit. */
static const char *escape_find(const char *p, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;

    for (; end - p >= 8; p += 8) {
        uint64_t w;

        memcpy(&w, p, 8);
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');

        if (((w - ones * 0x20) | (quote - ones) | (slash - ones)) & ~w & highs)
            break;
    }
    while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

void buf_json_string(struct buf *b, struct slice s)
{
    const char *p = s.p, *end = s.p + s.n;

    buf_reserve(b, s.n + 2);
    buf_char(b, '"');
    while (p < end) {
        const char *stop = escape_find(p, end);

        buf_put(b, p, (size_t)(stop - p));
        if (stop < end)
            put_escape(b, (unsigned char)*stop++);
        p = stop;
    }
    buf_char(b, '"');
}

void buf_pointer_token(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '~')
            BUF_LIT(b, "~0");
        else if (s.p[i] == '/')
            BUF_LIT(b, "~1");
        else
            buf_char(b, s.p[i]);
    }
}

void buf_base64(struct buf *b, struct slice s)
{
    static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)s.p;
    size_t left = s.n;

    if (left > SIZE_MAX / 2 || !buf_reserve(b, (left + 2) / 3 * 4))
        return;
    char *out = b->p + b->n;

    for (; left >= 3; p += 3, left -= 3) {
        uint32_t w = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

        *out++ = abc[w >> 18];
        *out++ = abc[w >> 12 & 63];
        *out++ = abc[w >> 6 & 63];
        *out++ = abc[w & 63];
    }
    if (left) {
        uint32_t w = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0);

        *out++ = abc[w >> 18];
        *out++ = abc[w >> 12 & 63];
        *out++ = left > 1 ? abc[w >> 6 & 63] : '=';
        *out++ = '=';
    }
    b->n = (size_t)(out - b->p);
}

char *buf_take(struct buf *b, size_t *ret_n)
{
    char *p = b->failed ? NULL : realloc(b->p, b->n + 1); /* terminated, and never NULL for an empty buffer */

    if (!p) {
        buf_free(b);
        return NULL;
    }
    p[b->n] = '\0';
    *ret_n = b->n;
    b->p = NULL;
    buf_free(b);
    return p;
}

void buf_member_text(struct buf *b, const char *name, struct slice value)
{
    buf_printf(b, ",\"%s\":", name);
    if (value.p)
        buf_json_string(b, value);
    else
        BUF_LIT(b, "null");
}

void buf_member_time(struct buf *b, const char *name, int64_t unix_us)
{
    char text[CLOCK_TEXT];

    clock_format(unix_us, text);
    buf_printf(b, ",\"%s\":\"%s\"", name, text);
}
