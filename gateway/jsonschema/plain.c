#include "gateway/jsonschema/plain.h"

#include <ctype.h>

enum { MOST = 1000 * 1000 };

static void add(struct plain_atom *a, unsigned char from, unsigned char to)
{
    for (unsigned c = from; c <= to; c++)
        a->ascii[c >> 6] |= UINT64_C(1) << (c & 63);
}

static void invert(struct plain_atom *a)
{
    a->ascii[0] = ~a->ascii[0];
    a->ascii[1] = ~a->ascii[1];
    a->others = !a->others;
}

static bool has(const struct plain_atom *a, unsigned char c)
{
    return c < 0x80 ? a->ascii[c >> 6] >> (c & 63) & 1 : a->others;
}

/* \d, \w, their opposites, or an escaped mark; *ret_c is the character if it is one, else -1. */
static bool escaped(struct plain_atom *a, char c, int *ret_c)
{
    struct plain_atom set = { .min = 0 };

    *ret_c = -1;
    switch (c) {
    case 'd': case 'D':
        add(&set, '0', '9');
        break;
    case 'w': case 'W':
        add(&set, '0', '9');
        add(&set, 'A', 'Z');
        add(&set, 'a', 'z');
        add(&set, '_', '_');
        break;
    default:
        if (!ispunct((unsigned char)c))
            return false;
        *ret_c = c;
        add(a, (unsigned char)c, (unsigned char)c);
        return true;
    }
    if (isupper((unsigned char)c))
        invert(&set);
    a->ascii[0] |= set.ascii[0];
    a->ascii[1] |= set.ascii[1];
    a->others |= set.others;
    return true;
}

/* The inside of a class from behind its [ to behind its ]; NULL: not of this kind. */
static const char *class_of(struct plain_atom *a, const char *p, const char *end)
{
    bool not = p < end && *p == '^';
    int last = -1;

    for (p += not ; p < end && *p != ']'; p++) {
        if ((unsigned char)*p >= 0x80 || *p == '[')
            return NULL;
        if (*p == '\\') {
            if (++p == end || !escaped(a, *p, &last))
                return NULL;
        } else if (*p == '-' && last >= 0 && end - p > 1 && p[1] != ']') {
            unsigned char to = (unsigned char)*++p;

            if (to == '\\' || to >= 0x80 || to < last)
                return NULL;
            add(a, (unsigned char)last, to);
            last = -1;
        } else {
            last = (unsigned char)*p;
            add(a, (unsigned char)last, (unsigned char)last);
        }
    }
    if (not )
        invert(a);
    return p < end ? p + 1 : NULL;
}

static const char *number(const char *p, const char *end, uint32_t *ret)
{
    *ret = 0;
    for (; p < end && isdigit((unsigned char)*p); p++)
        if ((*ret = *ret * 10 + (uint32_t)(*p - '0')) > MOST)
            return NULL;
    return p;
}

/* How often an atom is repeated; NULL: not of this kind. */
static const char *repeated(struct plain_atom *a, const char *p, const char *end)
{
    const char *begin = p;

    a->min = a->max = 1;
    if (p == end)
        return p;
    if (*p == '*' || *p == '+' || *p == '?') {
        a->min = *p == '+';
        a->max = *p == '?' ? 1 : UINT32_MAX;
        p++;
    } else if (*p == '{') {
        if (!(p = number(p + 1, end, &a->min)) || p == begin + 1 || p == end)
            return NULL;
        a->max = a->min;
        if (*p == ',') {
            const char *upper = p + 1;

            if (!(p = number(upper, end, &a->max)))
                return NULL;
            if (p == upper)
                a->max = UINT32_MAX;
        }
        if (p == end || *p++ != '}' || a->max < a->min)
            return NULL;
    }
    return p < end && p > begin && strchr("?*+{", *p) ? NULL : p;
}

static const char *atom(struct plain_atom *a, const char *p, const char *end)
{
    int c;

    if (*p == '[') {
        p = class_of(a, p + 1, end);
    } else if (*p == '\\') {
        p = end - p > 1 && escaped(a, p[1], &c) ? p + 2 : NULL;
    } else if ((unsigned char)*p >= 0x80 || strchr(".()|^$*+?{}]", *p)) {
        return NULL;
    } else {
        add(a, (unsigned char)*p, (unsigned char)*p);
        p++;
    }
    return p ? repeated(a, p, end) : NULL;
}

static bool disjoint(const struct plain_atom *a, const struct plain_atom *b)
{
    return !(a->ascii[0] & b->ascii[0]) && !(a->ascii[1] & b->ascii[1]) && !(a->others && b->others);
}

/* What may follow a repetition is none of it, so taking as much as there is is right. */
static bool decided(const struct plain *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->atoms[i].min == p->atoms[i].max)
            continue;
        for (uint32_t k = i + 1; k < p->n; k++) {
            if (!disjoint(&p->atoms[i], &p->atoms[k]))
                return false;
            if (p->atoms[k].min)
                break;
        }
    }
    return true;
}

bool plain_compile(struct slice text, struct plain *ret)
{
    const char *p = text.p, *end = p + text.n;

    *ret = (struct plain){ .begins = text.n && *p == '^' };
    for (p += ret->begins; p < end;) {
        if (*p == '$' && p + 1 == end) {
            ret->ends = true;
            break;
        }
        if (ret->n == PLAIN_ATOMS || !*p || !(p = atom(&ret->atoms[ret->n++], p, end)))
            return false;
    }
    return (ret->begins || !ret->n) && decided(ret);
}

bool plain_matches(const struct plain *plain, struct slice s)
{
    const char *p = s.p, *end = p + s.n;

    for (uint32_t i = 0; i < plain->n; i++) {
        const struct plain_atom *a = &plain->atoms[i];
        uint32_t n = 0;

        while (n < a->max && p < end && has(a, (unsigned char)*p)) {
            bool wide = (unsigned char)*p++ >= 0x80;

            while (wide && p < end && ((unsigned char)*p & 0xC0) == 0x80)
                p++;
            n++;
        }
        if (n < a->min)
            return false;
    }
    return !plain->ends || p == end || !plain->begins;
}
