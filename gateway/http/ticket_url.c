#include "gateway/http/ticket_url.h"

#include "gateway/http/router.h"

struct parameter {
    struct slice raw, name, value; /* name: decoded, p == NULL if that fails; value: raw, p == NULL without '=' */
};

/* Takes the next parameter that is not empty off the query. */
static bool next(struct arena *a, struct slice *query, struct parameter *ret)
{
    while (query->n) {
        const char *stop = memchr(query->p, '&', query->n);
        size_t n = stop ? (size_t)(stop - query->p) : query->n;
        const char *equals = memchr(query->p, '=', n);
        size_t name_n = equals ? (size_t)(equals - query->p) : n;

        *ret = (struct parameter){ .raw = { query->p, n } };
        if (equals)
            ret->value = (struct slice){ equals + 1, n - name_n - 1 };
        if (!percent_decode(a, (struct slice){ query->p, name_n }, true, &ret->name))
            ret->name = SLICE_NONE;
        *query = (struct slice){ query->p + n + (stop != NULL), query->n - n - (stop != NULL) };
        if (n)
            return true;
    }
    return false;
}

/* The path; *ret_query: what follows the question mark. */
static struct slice split(struct slice target, struct slice *ret_query)
{
    const char *question = memchr(target.p, '?', target.n);
    size_t n = question ? (size_t)(question - target.p) : target.n;

    *ret_query = question ? (struct slice){ question + 1, target.n - n - 1 } : (struct slice){ target.p + n, 0 };
    return (struct slice){ target.p, n };
}

static void put(char *out, size_t *n, struct slice s)
{
    memcpy(out + *n, s.p, s.n);
    *n += s.n;
}

struct slice ticket_url(struct arena *a, struct slice target)
{
    struct slice query, path = split(target, &query);
    struct parameter p;
    char *out = arena_alloc(a, target.n + 1);
    size_t n = 0;
    char joint = '?';

    if (!out)
        return SLICE_NONE;
    put(out, &n, path);
    while (next(a, &query, &p)) {
        if (p.name.p && (slice_is(p.name, "ticket") || slice_is(p.name, "last_event_id")))
            continue;
        out[n++] = joint;
        put(out, &n, p.raw);
        joint = '&';
    }
    return (struct slice){ out, n };
}

struct slice ticket_in(struct arena *a, struct slice target)
{
    struct slice query;
    struct parameter p;

    split(target, &query);
    while (next(a, &query, &p)) {
        if (p.name.p && slice_is(p.name, "ticket"))
            return p.value.p ? p.value : (struct slice){ p.raw.p, 0 };
    }
    return SLICE_NONE;
}

static bool has_word(struct slice name, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= name.n; i++) {
        if (strncasecmp(name.p + i, word, n) == 0)
            return true;
    }
    return false;
}

struct slice ticket_hide(struct arena *a, struct slice target)
{
    struct slice query, path = split(target, &query);
    struct parameter p;
    char *out;
    size_t n = 0;

    if (path.n == target.n)
        return target;
    if (!(out = arena_alloc(a, target.n + 1)))
        return path;
    put(out, &n, path);
    for (char joint = '?'; next(a, &query, &p); joint = '&') {
        bool hidden = !p.name.p || has_word(p.name, "ticket") || has_word(p.name, "token");

        out[n++] = joint;
        put(out, &n, (struct slice){ p.raw.p, p.raw.n - (hidden ? p.value.n : 0) });
    }
    return (struct slice){ out, n };
}
