#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stddef.h>

/* The length of the UTF-8 sequence at s, whose first byte is not ASCII; 0: not UTF-8 (Unicode, table 3-7). */
static inline size_t utf8_sequence(const char *s, const char *end)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned char c = p[0];
    size_t n = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    unsigned char low = 0x80, high = 0xBF;

    if (c < 0xC2 || c > 0xF4 || (size_t)(end - s) < n)
        return 0;
    if (c == 0xE0)
        low = 0xA0;              /* overlong */
    else if (c == 0xED)
        high = 0x9F;             /* surrogates */
    else if (c == 0xF0)
        low = 0x90;              /* overlong */
    else if (c == 0xF4)
        high = 0x8F;             /* above U+10FFFF */
    if (p[1] < low || p[1] > high || (n > 2 && (p[2] & 0xC0) != 0x80) || (n > 3 && (p[3] & 0xC0) != 0x80))
        return 0;
    return n;
}

/* How many of the n bytes of UTF-8 at s are left when it is cut, between characters, to at most max. */
static inline size_t utf8_cut(const char *s, size_t n, size_t max)
{
    if (n <= max)
        return n;
    while (max && ((unsigned char)s[max] & 0xC0) == 0x80)
        max--;
    return max;
}

#endif
