#include "gateway/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/utf8.h"

#define LINE_BYTES 8192
#define TAIL_BYTES 32 /* always left for the ellipsis and what closes a line */

static _Atomic(enum log_level) threshold = LOG_INFO;
static atomic_bool plain; /* human lines instead of JSON */

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* A line being built. What does not fit is left out and `cut` is set; then nothing more is taken. */
struct line {
    char p[LINE_BYTES];
    size_t n;
    bool cut;
};

void log_setup(enum log_level level, bool human)
{
    atomic_store(&threshold, level);
    atomic_store(&plain, human);
}

bool log_on(enum log_level level)
{
    return level < LOG_OFF && level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

static bool put(struct line *l, const char *p, size_t n)
{
    if (l->cut || l->n + n > LINE_BYTES - TAIL_BYTES) {
        l->cut = true;
        return false;
    }
    memcpy(l->p + l->n, p, n);
    l->n += n;
    return true;
}

static bool put_str(struct line *l, const char *s)
{
    return put(l, s, strlen(s));
}

/* Into the room that put() keeps free. */
static void put_tail(struct line *l, const char *s)
{
    size_t n = strlen(s);

    memcpy(l->p + l->n, s, n);
    l->n += n;
}

/* One character as it may stand in a JSON string and on a terminal (C1 controls too move its cursor); returns the bytes
 * of s it took. */
static size_t escape(const char *s, size_t n, char out[8], size_t *ret_n)
{
    static const char letters[] = "btn\0fr"; /* \b to \r */
    unsigned char c = (unsigned char)s[0];
    size_t len = c < 0x80 ? 1 : utf8_sequence(s, s + n);

    if (len == 0) {
        memcpy(out, "\xEF\xBF\xBD", *ret_n = 3); /* U+FFFD */
        return 1;
    }
    if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v')) {
        out[0] = '\\';
        out[1] = c > '\r' ? (char)c : letters[c - '\b'];
        *ret_n = 2;
    } else if (c < 0x20 || c == 0x7F || (c == 0xC2 && (unsigned char)s[1] < 0xA0)) {
        *ret_n = (size_t)snprintf(out, 8, "\\u%04x", (unsigned)(unsigned char)s[len - 1]);
    } else {
        memcpy(out, s, *ret_n = len);
    }
    return len;
}

static bool is_plain(char c)
{
    return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
}

static void put_escaped(struct line *l, struct slice s)
{
    char out[8];
    size_t n;

    for (size_t i = 0; i < s.n;) {
        if (is_plain(s.p[i]))
            out[0] = s.p[i++], n = 1;
        else
            i += escape(s.p + i, s.n - i, out, &n);
        if (!put(l, out, n)) {
            put_tail(l, "…");
            return;
        }
    }
}

static bool put_quoted(struct line *l, struct slice s)
{
    if (!put(l, "\"", 1))
        return false;
    put_escaped(l, s);
    put_tail(l, "\"");
    return true;
}

/* In a human line only what could be misread is quoted. */
static bool put_text(struct line *l, struct slice s, bool human)
{
    bool bare = human && s.n > 0;

    if (!s.p)
        return put_str(l, "null");
    for (size_t i = 0; i < s.n && bare; i++)
        bare = is_plain(s.p[i]) && s.p[i] != ' ' && s.p[i] != '=';
    return bare && s.n < LINE_BYTES / 2 ? put(l, s.p, s.n) : put_quoted(l, s);
}

static bool put_value(struct line *l, const struct log_field *f, bool human)
{
    char number[32];

    switch (f->kind) {
    case LOGV_STR:
        return put_text(l, slice_of(f->v.str), human);
    case LOGV_SLICE:
        return put_text(l, f->v.slice, human);
    case LOGV_BOOL:
        return put_str(l, f->v.b ? "true" : "false");
    case LOGV_INT:
        snprintf(number, sizeof number, "%" PRId64, f->v.i);
        return put_str(l, number);
    case LOGV_REAL:
        snprintf(number, sizeof number, "%.9g", f->v.real);
        return put_str(l, isfinite(f->v.real) ? number : "null"); /* JSON has no NaN */
    }
    return false;
}

/* A field whose key or number does not fit is left out whole. */
static void put_field(struct line *l, const struct log_field *f, bool human)
{
    size_t mark = l->n;

    if (!put_str(l, human ? " " : ",\"") || !put_str(l, f->key) || !put_str(l, human ? "=" : "\":") ||
        !put_value(l, f, human))
        l->n = mark;
}

static void put_head(struct line *l, const char *now, const char *level, const char *msg, bool human)
{
    char head[80];

    if (human)
        snprintf(head, sizeof head, "%.12s %-5s ", now + 11, level);
    else
        snprintf(head, sizeof head, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\"", now, level);
    put_str(l, head);
    put_escaped(l, slice_of(msg));
    if (!human)
        put_tail(l, "\"");
}

static void put_end(struct line *l, bool human)
{
    if (l->cut)
        put_tail(l, human ? " …" : ",\"cut\":true");
    put_tail(l, human ? "\n" : "}\n");
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
    bool human = atomic_load_explicit(&plain, memory_order_relaxed);
    int saved = errno; /* a caller may log before it looks */
    char now[CLOCK_TEXT];
    struct line l;
    ssize_t done;

    if (!log_on(level))
        return;
    l.n = 0;
    l.cut = false;
    clock_format(clock_unix_us(), now);
    put_head(&l, now, level_names[level], msg, human);
    for (size_t i = 0; i < n; i++)
        put_field(&l, &fields[i], human);
    put_end(&l, human);
    do
        done = write(STDERR_FILENO, l.p, l.n);
    while (done < 0 && errno == EINTR);
    metric_add(M_LOG_LINES, 1);
    errno = saved;
}
