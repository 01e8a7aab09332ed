#include "gateway/http/router.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/json.h"

#define SEGMENTS_MAX 12

struct pattern {
    const struct route *route;
    size_t index;
    struct slice segments[SEGMENTS_MAX];
    bool is_arg[SEGMENTS_MAX];
    size_t count;
};

struct router {
    struct pattern *patterns;      /* by number of segments, then the more specific first */
    size_t count;
    size_t first[SEGMENTS_MAX + 2]; /* patterns of n segments: first[n] .. first[n + 1] */
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(struct arena *a, struct slice s, bool plus, struct slice *ret)
{
    char *out;
    size_t n = 0;

    if (!memchr(s.p ? s.p : "", '%', s.n) && !(plus && memchr(s.p ? s.p : "", '+', s.n))) {
        *ret = (struct slice){ s.p ? s.p : "", s.n };
        return utf8_valid(*ret);
    }
    if (!(out = arena_alloc(a, s.n + 1)))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;
            if (low < 0 || high + low == 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    *ret = (struct slice){ out, n };
    return utf8_valid(*ret);
}

/* Splits "/a/b" into "a", "b"; returns max + 1 when there are more. */
static size_t split(struct slice path, struct slice *out, size_t max)
{
    size_t n = 0;
    const char *p = path.p + 1, *end = path.p + path.n;

    for (;;) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        const char *stop = slash ? slash : end;
        if (n == max)
            return max + 1;
        out[n++] = (struct slice){ p, (size_t)(stop - p) };
        if (!slash)
            return n;
        p = slash + 1;
    }
}

static bool compile(struct pattern *p, const struct route *route, size_t index, char err[512])
{
    size_t args = 0;

    *p = (struct pattern){ .route = route, .index = index };
    if (!route->op || !route->method || !route->path || !route->handle || !route->perm || route->path[0] != '/') {
        snprintf(err, 512, "route %zu (%s) lacks an operation id, method, path, permission or handler", index,
                 route->op ? route->op : "?");
        return false;
    }
    p->count = split(slice_of(route->path), p->segments, SEGMENTS_MAX);
    for (size_t i = 0; i < p->count && i < SEGMENTS_MAX; i++) {
        struct slice *s = &p->segments[i];
        if (s->n > 2 && s->p[0] == '{' && s->p[s->n - 1] == '}') {
            p->is_arg[i] = true;
            *s = (struct slice){ s->p + 1, s->n - 2 };
            args++;
        }
    }
    if (p->count > SEGMENTS_MAX || args > PATH_ARGS_MAX) {
        snprintf(err, 512, "route %s has too many path segments or arguments", route->op);
        return false;
    }
    return true;
}

/* More specific first: at the first difference in kind the literal wins. Ties keep the order of the table. */
static int by_shape(const void *x, const void *y)
{
    const struct pattern *a = x, *b = y;

    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (size_t i = 0; i < a->count; i++) {
        if (a->is_arg[i] != b->is_arg[i])
            return a->is_arg[i] ? 1 : -1;
    }
    return a->index < b->index ? -1 : 1;
}

static bool same_path(const struct pattern *a, const struct pattern *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->is_arg[i] != b->is_arg[i] || (!a->is_arg[i] && !slice_eq(a->segments[i], b->segments[i])))
            return false;
    }
    return true;
}

static bool unique(const struct pattern *p, size_t n, char err[512])
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(p[i].route->op, p[j].route->op) == 0) {
                snprintf(err, 512, "two routes have the operation id %s", p[i].route->op);
                return false;
            }
            if (strcmp(p[i].route->method, p[j].route->method) == 0 && same_path(&p[i], &p[j])) {
                snprintf(err, 512, "routes %s and %s have the same method and path", p[j].route->op, p[i].route->op);
                return false;
            }
        }
    }
    return true;
}

struct router *router_new(const struct route *routes, size_t n, char err[512])
{
    struct router *r = calloc(1, sizeof *r);

    if (n > ROUTE_MAX) {
        snprintf(err, 512, "%zu routes are more than %d", n, ROUTE_MAX);
        goto fail;
    }
    if (!r || !(r->patterns = calloc(n ? n : 1, sizeof *r->patterns))) {
        snprintf(err, 512, "out of memory");
        goto fail;
    }
    for (r->count = 0; r->count < n; r->count++) {
        if (!compile(&r->patterns[r->count], &routes[r->count], r->count, err))
            goto fail;
    }
    if (!unique(r->patterns, n, err))
        goto fail;
    qsort(r->patterns, n, sizeof *r->patterns, by_shape);
    for (size_t k = 0, i = 0; k < SEGMENTS_MAX + 2; k++) {
        while (i < n && r->patterns[i].count < k)
            i++;
        r->first[k] = i;
    }
    return r;
fail:
    router_free(r);
    return NULL;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    free(r->patterns);
    free(r);
}

static bool path_fits(const struct pattern *p, const struct slice *segments)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->is_arg[i] ? segments[i].n == 0 : !slice_eq(p->segments[i], segments[i]))
            return false;
    }
    return true;
}

static void take(const struct pattern *p, const struct slice *segments, struct match *ret)
{
    ret->route = p->route;
    ret->index = p->index;
    ret->count = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->is_arg[i]) {
            ret->names[ret->count] = p->segments[i];
            ret->values[ret->count++] = segments[i];
        }
    }
}

/* "GET, HEAD, PUT, OPTIONS": every method of every pattern that fits the path. */
static enum err not_allowed(struct arena *a, const struct pattern *const *fits, size_t n, struct match *ret)
{
    static const char *const order[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };
    char text[80] = "";

    for (size_t m = 0; m < sizeof order / sizeof *order; m++) {
        bool has = false;
        for (size_t i = 0; i < n; i++)
            has = has || strcmp(fits[i]->route->method, order[m]) == 0 ||
                  (m == 1 && strcmp(fits[i]->route->method, "GET") == 0);
        if (has)
            strcat(strcat(text, order[m]), ", ");
    }
    ret->allow = arena_printf(a, "%sOPTIONS", text);
    return ret->allow ? ERR_METHOD_NOT_ALLOWED : ERR_NO_MEMORY;
}

enum err router_match(const struct router *r, struct arena *a, struct slice method, struct slice path,
                      struct match *ret, struct fault *f)
{
    struct slice segments[SEGMENTS_MAX];
    const struct pattern *fits[ROUTE_MAX], *as_get = NULL;
    size_t n, found = 0;

    if (path.n == 0 || path.p[0] != '/')
        return fault(f, ERR_BAD_REQUEST, "The path must begin with a slash.");
    if ((n = split(path, segments, SEGMENTS_MAX)) > SEGMENTS_MAX)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < n; i++) {
        if (!percent_decode(a, segments[i], false, &segments[i]))
            return fault(f, ERR_BAD_REQUEST, "The path has a bad percent-escape or is not UTF-8 (segment %zu).", i + 1);
    }
    for (size_t i = r->first[n]; i < r->first[n + 1]; i++) {
        const struct pattern *p = &r->patterns[i];
        if (!path_fits(p, segments))
            continue;
        if (slice_is(method, p->route->method)) {
            take(p, segments, ret);
            return OK;
        }
        if (!as_get && slice_is(method, "HEAD") && strcmp(p->route->method, "GET") == 0)
            as_get = p;
        fits[found++] = p;
    }
    if (as_get) {
        take(as_get, segments, ret);
        return OK;
    }
    return found ? not_allowed(a, fits, found, ret) : ERR_NOT_FOUND;
}
