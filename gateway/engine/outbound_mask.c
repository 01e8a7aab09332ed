#include "gateway/engine/outbound_mask.h"

/* Forms in which a text may have a secret: each reads the text back into the secret's bytes. */
enum form {
    PLAIN,
    PERCENT,                       /* of a URL, or of a form, where + is a space */
    JSON,                          /* between the quotes of a JSON string, whichever characters its writer escapes */
    JSON_TWICE,                    /* a text of JSON in one: a body that is echoed */
    FORMS
};

/* What is left of a text. */
struct reader {
    const char *p, *end;
    enum form form;
    unsigned char more[3];         /* of a character that was read already, the last byte first */
    int more_n;
};

enum { AT_END = -1, BROKEN = -2 }; /* instead of a byte: the text ends before it, or is not of this form */

static int digit(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : BROKEN;
}

static int next_byte(struct reader *r)
{
    return r->p < r->end ? (unsigned char)*r->p++ : AT_END;
}

static int read_percent(struct reader *r)
{
    int c = next_byte(r), value = 0;

    for (int i = 0; c == '%' && i < 2; i++) {
        int d = next_byte(r);

        if (d < 0 || (d = digit(d)) < 0)
            return d;
        value = value << 4 | d;
    }
    return c == '%' ? value : c;
}

static int read_json(struct reader *r, bool twice);

/* A character of the text that stands in the string. */
static int read_inner(struct reader *r, bool twice)
{
    return twice ? read_json(r, false) : next_byte(r);
}

static int read_unit(struct reader *r, bool twice)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int d = read_inner(r, twice);

        if (d < 0 || (d = digit(d)) < 0)
            return d;
        value = value << 4 | d;
    }
    return value;
}

/* \uXXXX, one or a pair, as UTF-8. */
static int read_unicode(struct reader *r, bool twice)
{
    int c = read_unit(r, twice), low;

    if (c >> 10 == 0xd800 >> 10) {
        if ((low = read_inner(r, twice)) != '\\' || (low = read_inner(r, twice)) != 'u' || (low = read_unit(r, twice)) < 0)
            return low == AT_END ? AT_END : BROKEN;
        c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
    }
    if (c < 0x80)
        return c;
    r->more_n = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    for (int i = 0; i < r->more_n; i++, c >>= 6)
        r->more[i] = (unsigned char)(0x80 | (c & 0x3f));
    return (0xff00 >> (r->more_n + 1) & 0xff) | c;
}

static int read_json(struct reader *r, bool twice)
{
    static const char escaped[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    int c = read_inner(r, twice);
    const char *at;

    if (c != '\\')
        return c;
    if ((c = read_inner(r, twice)) == 'u')
        return read_unicode(r, twice);
    at = c > 0 ? strchr(escaped, c) : NULL;
    return at ? plain[at - escaped] : c == AT_END ? AT_END : BROKEN;
}

static int read_byte(struct reader *r)
{
    if (r->more_n)
        return r->more[--r->more_n];
    if (r->form == JSON || r->form == JSON_TWICE)
        return read_json(r, r->form == JSON_TWICE);
    return r->form == PERCENT ? read_percent(r) : next_byte(r);
}

/* How many bytes of a text are the secret in this form; of one that was cut, also its beginning at the end. */
static size_t covered(struct slice secret, const char *p, const char *end, enum form form, bool cut)
{
    struct reader r = { .p = p, .end = end, .form = form };

    for (size_t i = 0; i < secret.n; i++) {
        int c = read_byte(&r);

        if (c == AT_END)
            return cut && i ? (size_t)(end - p) : 0;
        if (c != (unsigned char)secret.p[i] && !(form == PERCENT && c == '+' && secret.p[i] == ' '))
            return 0;
    }
    return (size_t)(r.p - p);
}

/* The secrets that this target may have, and which bytes may begin one. */
struct wanted {
    const struct slice *v[OUTBOUND_FILE_SECRETS];
    size_t n;
    bool begins[256];
};

static void want(struct wanted *w, const struct slice *secret)
{
    w->v[w->n++] = secret;
    w->begins[(unsigned char)*secret->p] = w->begins['\\'] = w->begins['%'] = true;
    w->begins['+'] |= *secret->p == ' ';
}

/* Reads ahead of what it has overwritten, so that a secret within another one, or across its end, does not keep it from being found. */
static void mask(const struct wanted *w, char *text, size_t n, bool cut)
{
    size_t until = 0;

    for (size_t at = 0; at < n; at++) {
        for (size_t i = 0; w->begins[(unsigned char)text[at]] && i < w->n; i++)
            for (enum form form = PLAIN; form < FORMS; form++) {
                size_t more = covered(*w->v[i], text + at, text + n, form, cut);

                until = at + more > until ? at + more : until;
            }
        if (at < until)
            text[at] = '*';
    }
}

void outbound_mask(const struct outbound_file *f, struct slice target, char *text, size_t n, bool cut)
{
    struct wanted w = { .n = 0 };

    for (size_t i = 0; n && i < f->secret_n; i++)
        if (f->secrets[i].value.n >= OUTBOUND_MASK_MIN && outbound_secret_for(&f->secrets[i], target))
            want(&w, &f->secrets[i].value);
    if (w.n)
        mask(&w, text, n, cut);
}
