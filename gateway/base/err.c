#include "gateway/base/err.h"

#include <stdarg.h>
#include <stdio.h>

/* A sentence that was cut must still be UTF-8: drops a character that lost its end. */
static void trim_cut_character(char *s, size_t n)
{
    size_t back = 1;

    while (back < 4 && back < n && ((unsigned char)s[n - back] & 0xC0) == 0x80)
        back++;
    unsigned char lead = (unsigned char)s[n - back];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;

    if (want > back)
        s[n - back] = '\0';
}

enum err fault(struct fault *f, enum err e, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (!f)
        return e;
    va_start(ap, fmt);
    n = vsnprintf(f->detail, sizeof f->detail, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof f->detail)
        trim_cut_character(f->detail, sizeof f->detail - 1);
    return e;
}

bool err_tell(char err[512], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(err, 512, fmt, ap) >= 512)
        trim_cut_character(err, 511);
    va_end(ap);
    return false;
}
