#include "gateway/engine/error_mask.h"

#include <arpa/inet.h>

#include "gateway/base/utf8.h"

enum {
    HEX_MIN = 8,                 /* shorter ones are words and numbers, */
    HEX_AFTER_AT_MIN = 5,        /* but not in Java's Order@1b6d3586 */
    TOKEN_MIN = 20,
    SCHEME_MAX = 20,
};

/* What is between two marks is masked. */
static const struct quote {
    const char *open, *close;
} quotes[] = {
    { "\"", "\"" }, { "'", "'" }, { "`", "`" }, { "=(", ")" },
    { "\u201c", "\u201d" }, { "\u2018", "\u2019" }, { "\u00ab", "\u00bb" },
};
enum { QUOTES = sizeof quotes / sizeof *quotes };

struct mask {
    struct buf *out;
    size_t start;                /* of what is ours in out */
    const char *begin, *p, *end;
    const char *no_email, *no_token; /* none begins before it: a run is read once */
    bool unclosed[QUOTES];       /* no such mark closes any more */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_upper(c) || is_lower(c);
}

static bool is_word(char c)
{
    return is_alnum(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool starts(const struct mask *m, const char *p, const char *with)
{
    size_t n = strlen(with);

    return (size_t)(m->end - p) >= n && !memcmp(p, with, n);
}

/* Does nothing of a word follow? */
static bool ends_word(const struct mask *m, const char *p)
{
    return p == m->end || !is_word(*p);
}

/* ---- what can begin at p, where a word begins: its length, or 0 ---- */

/* By a shape: 'h' a hexadecimal digit, '0' a digit, all else itself. */
static size_t shaped(const struct mask *m, const char *p, const char *shape)
{
    const char *begin = p;

    for (; *shape; shape++, p++)
        if (p == m->end || !(*shape == 'h' ? is_hex(*p) : *shape == '0' ? is_digit(*p) : *p == *shape))
            return 0;
    return (size_t)(p - begin);
}

static size_t uuid(struct mask *m, const char *p)
{
    size_t n = shaped(m, p, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh");

    return n && ends_word(m, p + n) ? n : 0;
}

static const char *clock_time(const struct mask *m, const char *p)
{
    p += shaped(m, p, "00:00:00");
    if (m->end - p > 1 && one_of(*p, ".,") && is_digit(p[1]))
        for (p++; p < m->end && is_digit(*p); p++)
            ;
    return p;
}

/* ISO 8601 and its relatives, with the zone; or the time of day alone. */
static size_t date_or_time(struct mask *m, const char *begin)
{
    const char *p = begin;
    size_t day = shaped(m, p, "0000-00-00"), n;

    day = day ? day : shaped(m, p, "0000/00/00");
    p += day;
    if (day && m->end - p > 1 && one_of(*p, "Tt ") && shaped(m, p + 1, "00:00:00"))
        p++;
    else if (day)
        return ends_word(m, p) ? day : 0;
    if (!shaped(m, p, "00:00:00"))
        return 0;
    p = clock_time(m, p);
    if (p < m->end && one_of(*p, "Zz"))
        p++;
    else if (p < m->end && one_of(*p, "+-"))
        p += (n = shaped(m, p + 1, "00:00")) || (n = shaped(m, p + 1, "0000")) || (n = shaped(m, p + 1, "00")) ? n + 1 : 0;
    return ends_word(m, p) ? (size_t)(p - begin) : 0;
}

static size_t email(struct mask *m, const char *begin)
{
    const char *p = begin, *dot = NULL;

    if (p < m->no_email)
        return 0;
    while (p < m->end && (is_alnum(*p) || one_of(*p, "._%+-")))
        p++;
    m->no_email = p;
    if (p == m->end || *p++ != '@')
        return 0;
    for (; p < m->end && (is_alnum(*p) || (one_of(*p, ".-") && p + 1 < m->end && is_alnum(p[1]))); p++)
        dot = *p == '.' ? p : dot;
    return dot && !is_digit(dot[1]) ? (size_t)(p - begin) : 0;
}

/* IPv4, or IPv6 with at least one digit: without, it is more likely a name in C++. */
static size_t address(struct mask *m, const char *begin)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char binary[16];
    const char *p = begin, *colon;
    bool digits = false;

    for (; p < m->end && (is_hex(*p) || one_of(*p, ".:")) && p - begin < (long)sizeof text; p++)
        digits |= is_digit(*p);
    while (p > begin && one_of(p[-1], ".:") && !(p - begin > 1 && p[-2] == ':')) /* the sentence's */
        p--;
    if (!digits || p - begin >= (long)sizeof text || !ends_word(m, p))
        return 0;
    memcpy(text, begin, (size_t)(p - begin));
    text[p - begin] = '\0';
    if (inet_pton(AF_INET6, text, binary) == 1)
        return (size_t)(p - begin);
    if ((colon = memchr(begin, ':', (size_t)(p - begin)))) { /* a port follows */
        p = colon;
        text[p - begin] = '\0';
    }
    return inet_pton(AF_INET, text, binary) == 1 ? (size_t)(p - begin) : 0;
}

static size_t hexadecimal(struct mask *m, const char *begin)
{
    const char *p = begin;
    bool digits = false, letters = false, prefixed = starts(m, p, "0x") || starts(m, p, "0X");
    bool after_at = p > m->begin && p[-1] == '@';

    for (p += prefixed ? 2 : 0; p < m->end && is_hex(*p); p++) {
        digits |= is_digit(*p);
        letters |= !is_digit(*p);
    }
    long n = p - begin;

    if (!ends_word(m, p))
        return 0;
    return (prefixed && n > 2) || (after_at && n >= HEX_AFTER_AT_MIN) || (digits && letters && n >= HEX_MIN) ? (size_t)n : 0;
}

/* Base64 and the like: long, with capital and small letters, and digits in two places at least. */
static size_t token(struct mask *m, const char *begin)
{
    const char *p = begin;
    bool upper = false, lower = false;
    int places = 0;

    if (p < m->no_token)
        return 0;
    for (; p < m->end && (is_alnum(*p) || one_of(*p, "+/_-=")); p++) {
        upper |= is_upper(*p);
        lower |= is_lower(*p);
        places += is_digit(*p) && (p == begin || !is_digit(p[-1]));
    }
    m->no_token = p;
    return upper && lower && places >= 2 && p - begin >= TOKEN_MIN && ends_word(m, p) ? (size_t)(p - begin) : 0;
}

static const struct {
    size_t (*length)(struct mask *m, const char *p);
    const char *mask;
} kinds[] = {
    { uuid, "<uuid>" }, { date_or_time, "<time>" }, { email, "<email>" }, { address, "<ip>" }, { hexadecimal, "<hex>" },
    { token, "<token>" },
};

/* ---- the message ---- */

/* A number with its fraction and thousands. */
static void number(struct mask *m)
{
    while (m->p < m->end && (is_digit(*m->p) || (one_of(*m->p, ".,") && m->p + 1 < m->end && is_digit(m->p[1]))))
        m->p++;
    buf_char(m->out, '#');
}

/* An apostrophe within a word opens and closes nothing; b'…' and its like do. */
static bool opens(const struct mask *m, const char *p)
{
    if (*p != '\'' || p == m->begin || !is_word(p[-1]))
        return true;
    return one_of(p[-1], "bruBRU") && (p - 1 == m->begin || !is_word(p[-2]));
}

static bool quoted(struct mask *m)
{
    for (int i = 0; i < QUOTES; i++) {
        const struct quote *q = &quotes[i];
        size_t open = strlen(q->open), close = strlen(q->close);

        if (m->unclosed[i] || !starts(m, m->p, q->open) || !opens(m, m->p))
            continue;
        for (const char *p = m->p + open; p < m->end; p++) {
            if (*p == '\\') {
                p++;
            } else if (starts(m, p, q->close) && (*p != '\'' || ends_word(m, p + 1))) {
                buf_str(m->out, q->open);
                buf_str(m->out, "\u2026");
                buf_str(m->out, q->close);
                m->p = p + close;
                return true;
            }
        }
        m->unclosed[i] = true;
    }
    return false;
}

static bool masked(struct mask *m)
{
    if (m->p > m->begin && is_word(m->p[-1]))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = kinds[i].length(m, m->p);

        if (n) {
            buf_str(m->out, kinds[i].mask);
            m->p += n;
            return true;
        }
    }
    return false;
}

/* scheme://host:port, then what identifies one request. */
static bool url(struct mask *m)
{
    const char *p = m->p, *host, *end;

    if ((p > m->begin && is_word(p[-1])) || !(is_lower(*p) || is_upper(*p)))
        return false;
    while (p < m->end && p - m->p < SCHEME_MAX && (is_alnum(*p) || one_of(*p, "+.-")))
        p++;
    if (!starts(m, p, "://"))
        return false;
    buf_put(m->out, m->p, (size_t)(p + 3 - m->p));
    for (end = host = p + 3; end < m->end && (is_word(*end) || one_of(*end, ".-:@[]%!$&*+~")); end++)
        host = *end == '@' ? end + 1 : host;
    while (end > host && one_of(end[-1], ".:"))
        end--;
    for (m->p = host; m->p < end;) {
        size_t n = is_word(m->p[-1]) ? 0 : address(m, m->p);

        if (n && m->p + n <= end) {
            buf_str(m->out, "<ip>");
            m->p += n;
        } else if (is_digit(*m->p)) {
            number(m);
        } else {
            buf_char(m->out, *m->p++);
        }
    }
    if (end == m->end || !one_of(*end, "/?#"))
        return true;
    for (m->p = end; m->p < m->end && (unsigned char)*m->p > ' ' && !one_of(*m->p, "\"'`<>()[]{}|\\^"); m->p++)
        ;
    while (m->p > end + 1 && one_of(m->p[-1], ".,:;!?"))
        m->p--;
    buf_str(m->out, "/\u2026");
    return true;
}

static void blank(struct mask *m)
{
    if (m->out->n > m->start && m->out->p[m->out->n - 1] != ' ')
        buf_char(m->out, ' ');
    m->p++;
}

void error_mask(struct buf *out, struct slice message)
{
    struct mask m = { .out = out, .start = out->n, .begin = message.p, .p = message.p, .end = message.p + message.n };

    while (m.p < m.end && out->n - m.start <= ERROR_MASKED_MAX && !out->failed) {
        if ((unsigned char)*m.p <= ' ' || *m.p == 0x7F)
            blank(&m);
        else if (quoted(&m) || url(&m) || masked(&m))
            continue;
        else if (is_digit(*m.p))
            number(&m);
        else
            buf_char(out, *m.p++);
    }
    if (out->failed)
        return;
    out->n = m.start + utf8_cut(out->p + m.start, out->n - m.start, ERROR_MASKED_MAX);
    while (out->n > m.start && out->p[out->n - 1] == ' ')
        out->n--;
}
