#include "gateway/base/glob.h"

/* The literal pieces between the stars are searched from left to right, each at its first place: when that fails, no
 * other choice succeeds either. So there is no backtracking, and memmem is linear. */
bool glob_match(struct slice pattern, struct slice name)
{
    const char *star = pattern.n ? memchr(pattern.p, '*', pattern.n) : NULL;

    if (!star)
        return slice_eq(pattern, name);

    const char *p_end = pattern.p + pattern.n, *p = star + 1;
    const char *s = name.n ? name.p : "", *s_end = s + name.n;
    size_t head = (size_t)(star - pattern.p);

    if (head > name.n || memcmp(pattern.p, s, head) != 0)
        return false;
    s += head;
    for (;;) {
        const char *next = memchr(p, '*', (size_t)(p_end - p));
        size_t piece = (size_t)((next ? next : p_end) - p), left = (size_t)(s_end - s);

        if (!next)
            return piece <= left && memcmp(s_end - piece, p, piece) == 0;
        if (!(s = memmem(s, left, p, piece)))
            return false;
        s += piece;
        p = next + 1;
    }
}

struct slice glob_like(struct arena *a, struct slice pattern)
{
    char *out = arena_alloc(a, pattern.n * 2 + 1), *o = out;

    for (size_t i = 0; out && i < pattern.n; i++) {
        if (memchr("%_\\", pattern.p[i], 3))
            *o++ = '\\';
        *o++ = pattern.p[i] == '*' ? '%' : pattern.p[i];
    }
    return (struct slice){ out, (size_t)(o - out) };
}
