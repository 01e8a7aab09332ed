#include "gateway/http/rights.h"

#include <stdlib.h>

#include "gateway/base/glob.h"

static const struct {
    const char *name;
    unsigned perm;
} actions[] = {
    { "publish", PERM_PUBLISH },       { "subscribe", PERM_SUBSCRIBE }, { "dlq", PERM_DLQ },
    { "schema", PERM_SCHEMA },         { "saga", PERM_SAGA },           { "projection", PERM_PROJECTION },
    { "manage", PERM_MANAGE },         { "admin", PERM_ADMIN },
};

enum {
    ALL_ACTIONS = PERM_PUBLISH | PERM_SUBSCRIBE | PERM_DLQ | PERM_SCHEMA | PERM_SAGA | PERM_PROJECTION | PERM_MANAGE |
                  PERM_ADMIN
};

static unsigned action_of(struct slice name)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (slice_is(name, actions[i].name))
            return actions[i].perm;
    }
    return 0;
}

/* One place a pattern: later actions on it join the first. `text` has room for every string of the claims. */
static bool grant(struct rights *r, unsigned what, struct slice pattern)
{
    if (!what || !pattern.n)
        return true;
    for (size_t i = 0; i < r->n; i++) {
        if (slice_eq(r->v[i].pattern, pattern)) {
            r->v[i].actions |= what;
            return true;
        }
    }
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 4;
        struct right *v = reallocarray(r->v, cap, sizeof *v);

        if (!v)
            return false;
        r->v = v;
        r->cap = cap;
    }
    char *copy = memcpy(r->text + r->text_n, pattern.p, pattern.n);

    r->text_n += pattern.n;
    r->v[r->n++] = (struct right){ what, { copy, pattern.n } };
    return true;
}

static struct slice string_of(const json_t *v)
{
    return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) } : SLICE_NONE;
}

/* "publish:orders.* openid": what has no colon is somebody else's. */
static bool read_scope(struct rights *r, struct slice scope)
{
    while (scope.n) {
        const char *space = memchr(scope.p, ' ', scope.n);
        size_t n = space ? (size_t)(space - scope.p) : scope.n;
        const char *colon = memchr(scope.p, ':', n);

        if (colon) {
            size_t name = (size_t)(colon - scope.p);

            if (!grant(r, action_of((struct slice){ scope.p, name }), (struct slice){ colon + 1, n - name - 1 }))
                return false;
        }
        n += space != NULL;
        scope = (struct slice){ scope.p + n, scope.n - n };
    }
    return true;
}

bool rights_scope_known(struct slice scope)
{
    const char *end = scope.p + scope.n;

    for (const char *p = scope.p; p <= end;) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        size_t n = (size_t)((space ? space : end) - p);
        const char *colon = memchr(p, ':', n);

        if (!colon || colon + 1 == p + n || !action_of((struct slice){ p, (size_t)(colon - p) }))
            return false;
        p += n + 1;
    }
    return true;
}

static bool are_strings(const json_t *list)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v) {
        if (!string_of(v).n)
            return false;
    }
    return json_is_array(list);
}

/* An entry of type weir. A member that we do not know may be a restriction that we would not enforce: refuse it. */
static bool read_detail(struct rights *r, const json_t *entry, const char **why)
{
    const json_t *names = json_object_get(entry, "actions"), *streams = json_object_get(entry, "streams"), *v;
    unsigned what = 0;
    size_t i;

    if (!are_strings(names) || !are_strings(streams) || json_object_size(entry) != 3) {
        *why = "An authorization_details entry of type weir has type, actions and streams and nothing else; the latter "
               "two are arrays of strings.";
        return false;
    }
    json_array_foreach(names, i, v)
        what |= action_of(string_of(v));
    json_array_foreach(streams, i, v) {
        if (!grant(r, what, string_of(v)))
            return false;
    }
    return true;
}

/* Bytes of the strings that may become patterns. */
static size_t pattern_bytes(struct slice scope, const json_t *details)
{
    const json_t *entry, *v;
    size_t n = scope.n, i, j;

    json_array_foreach(details, i, entry) {
        json_array_foreach(json_object_get(entry, "streams"), j, v)
            n += string_of(v).n;
    }
    return n;
}

bool rights_read(struct rights *r, const json_t *claims, const char **why)
{
    const json_t *scope = json_object_get(claims, "scope"), *details = json_object_get(claims, "authorization_details");
    const json_t *entry;
    size_t i;

    *why = NULL;
    r->text_cap = pattern_bytes(string_of(scope), details);
    if (!(r->text = malloc(r->text_cap + 1)))
        return false;
    if (scope && !json_is_string(scope)) {
        *why = "The claim scope is not a string.";
        return false;
    }
    if (details && !json_is_array(details)) {
        *why = "The claim authorization_details is not an array.";
        return false;
    }
    if (!read_scope(r, string_of(scope)))
        return false;
    json_array_foreach(details, i, entry) {
        struct slice type = string_of(json_object_get(entry, "type"));

        if (!type.p) {
            *why = "An authorization_details entry has no type.";
            return false;
        }
        if (slice_is(type, "weir") && !read_detail(r, entry, why))
            return false;
    }
    return true;
}

bool rights_read_all(struct rights *r, struct slice grants)
{
    r->text_cap = grants.n;
    if (!(r->text = malloc(r->text_cap + 1)))
        return false;
    for (const char *p = grants.p, *end = grants.p + grants.n; p <= end;) {
        const char *space = memchr(p, ' ', (size_t)(end - p)), *stop = space ? space : end;
        const char *colon = memchr(p, ':', (size_t)(stop - p));

        if (!colon || colon + 1 == stop || !action_of((struct slice){ p, (size_t)(colon - p) }))
            return false;
        p = stop + 1;
    }
    return read_scope(r, grants);
}

void rights_free(struct rights *r)
{
    free(r->v);
    free(r->text);
    *r = (struct rights){ 0 };
}

static bool grants(const struct right *r, unsigned action)
{
    return r->actions & ((action & ALL_ACTIONS) | PERM_ADMIN);
}

bool rights_allow(const struct rights *r, unsigned action, struct slice name)
{
    for (size_t i = 0; i < r->n; i++) {
        if (grants(&r->v[i], action) && glob_match(r->v[i].pattern, name))
            return true;
    }
    return false;
}

static bool is_stars(struct slice pattern)
{
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] != '*')
            return false;
    }
    return true;
}

bool rights_allow_all(const struct rights *r, unsigned action)
{
    for (size_t i = 0; i < r->n; i++) {
        if (grants(&r->v[i], action) && is_stars(r->v[i].pattern))
            return true;
    }
    return false;
}

bool rights_allow_any(const struct rights *r, unsigned action)
{
    for (size_t i = 0; i < r->n; i++) {
        if (grants(&r->v[i], action))
            return true;
    }
    return false;
}

bool rights_allow_both(const struct rights *r, const struct rights *ceiling, unsigned action, struct slice name)
{
    for (unsigned bit = 1; bit & ALL_ACTIONS; bit <<= 1) {
        if (action & bit && rights_allow(r, bit, name) && rights_allow(ceiling, bit, name))
            return true;
    }
    return false;
}

void rights_write_one(unsigned action, struct slice pattern, struct buf *b)
{
    const char *before = "[\"";

    if (!(action & ALL_ACTIONS))
        return;
    BUF_LIT(b, "{\"type\":\"weir\",\"actions\":");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (!(actions[i].perm & action))
            continue;
        buf_printf(b, "%s%s\"", before, actions[i].name);
        before = ",\"";
    }
    BUF_LIT(b, "],\"streams\":[");
    buf_json_string(b, pattern);
    BUF_LIT(b, "]}");
}

void rights_write(const struct rights *r, unsigned action, struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (!grants(&r->v[i], action))
            continue;
        if (n++)
            buf_char(b, ',');
        rights_write_one(r->v[i].actions & PERM_ADMIN ? action : r->v[i].actions & action, r->v[i].pattern, b);
    }
}
