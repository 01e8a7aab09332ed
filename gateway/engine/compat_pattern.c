#include "gateway/engine/compat_json.h"

/* Does a regular expression match? Known for plain characters with or without ^ and $; PERHAPS for all others, which every
 * caller takes for the worse of both. */
enum known name_matches(struct comparison *c, struct slice pattern, struct slice name)
{
    bool begin = pattern.n && *pattern.p == '^', end = pattern.n > begin && pattern.p[pattern.n - 1] == '$';
    struct slice plain = { pattern.p + begin, pattern.n - begin - end };

    if (!spend(c, 1 + (long)(pattern.n + name.n) / 32))
        return PERHAPS;
    for (size_t i = 0; i < plain.n; i++)
        if (strchr("\\^$.|?*+()[]{}", plain.p[i]) || (unsigned char)plain.p[i] >= 0x80)
            return PERHAPS;
    if (plain.n > name.n)
        return NO;
    if (begin && end)
        return slice_eq(plain, name) ? YES : NO;
    if (begin || end)
        return !plain.n || !memcmp(begin ? name.p : name.p + name.n - plain.n, plain.p, plain.n) ? YES : NO;
    return !plain.n || memmem(name.p, name.n, plain.p, plain.n) ? YES : NO;
}
