#include "gateway/jsonschema/uri.h"

#include <ctype.h>

/* p == NULL: absent */
struct uri {
    struct slice scheme, authority, path, query;
};

static struct slice cut(const char *p, const char *end)
{
    return (struct slice){ p, (size_t)(end - p) };
}

static const char *find(const char *p, const char *end, const char *any)
{
    while (p < end && !strchr(any, *p))
        p++;
    return p;
}

/* RFC 3986, appendix B */
static struct uri split(struct slice s)
{
    const char *p = s.p, *end, *q;
    struct uri u = { 0 };

    if (!s.p)
        return u;
    end = find(p, s.p + s.n, "#");
    q = find(p, end, ":/?");
    if (q < end && *q == ':' && q > p && isalpha((unsigned char)*p)) {
        u.scheme = cut(p, q);
        p = q + 1;
    }
    if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
        q = find(p + 2, end, "/?");
        u.authority = cut(p + 2, q);
        p = q;
    }
    q = find(p, end, "?");
    u.path = cut(p, q);
    if (q < end)
        u.query = cut(q + 1, end);
    return u;
}

/* RFC 3986, 5.2.4; in place */
static size_t remove_dots(char *path, size_t n)
{
    size_t in = 0, out = 0;

    while (in < n) {
        size_t next = in + 1;

        while (next < n && path[next] != '/')
            next++;
        const char *segment = path + in + (path[in] == '/');
        size_t length = next - in - (path[in] == '/');
        bool last = next == n, dot = length == 1 && segment[0] == '.', dots = length == 2 && segment[0] == '.' && segment[1] == '.';

        if (dots && path[in] == '/')
            while (out && path[--out] != '/')
                ;
        if (!dot && !dots) {
            memmove(path + out, path + in, next - in);
            out += next - in;
        } else if (last && path[in] == '/') {
            path[out++] = '/';
        }
        in = next;
    }
    return out;
}

static struct slice merge(struct arena *a, const struct uri *base, struct slice path)
{
    const char *slash = base->path.n ? memrchr(base->path.p, '/', base->path.n) : NULL;
    size_t keep = slash ? (size_t)(slash - base->path.p) + 1 : 0;
    bool root = base->authority.p && !base->path.n;
    char *p = arena_alloc(a, root + keep + path.n + 1);

    if (!p)
        return SLICE_NONE;
    if (root)
        p[0] = '/';
    if (keep)
        memcpy(p + root, base->path.p, keep);
    if (path.n)
        memcpy(p + root + keep, path.p, path.n);
    return (struct slice){ p, root + keep + path.n };
}

static struct slice join(struct arena *a, const struct uri *u)
{
    char *p = arena_alloc(a, u->scheme.n + u->authority.n + u->path.n + u->query.n + 5), *out = p;

    if (!p)
        return SLICE_NONE;
    if (u->scheme.p) {
        for (size_t i = 0; i < u->scheme.n; i++)
            *out++ = (char)tolower((unsigned char)u->scheme.p[i]);
        *out++ = ':';
    }
    if (u->authority.p) {
        out = mempcpy(out, "//", 2);
        out = mempcpy(out, u->authority.p, u->authority.n);
    }
    if (u->path.n)
        out = mempcpy(out, u->path.p, u->path.n);
    if (u->query.p) {
        *out++ = '?';
        out = mempcpy(out, u->query.p, u->query.n);
    }
    return cut(p, out);
}

struct slice uri_resolve(struct arena *a, struct slice base, struct slice reference)
{
    struct uri b = split(base), r = split(reference);

    if (r.scheme.p)
        return join(a, &r);
    r.scheme = b.scheme;
    if (r.authority.p)
        return join(a, &r);
    r.authority = b.authority;
    if (!r.path.n) {
        r.path = b.path;
        r.query = r.query.p ? r.query : b.query;
        return join(a, &r);
    }
    r.path = merge(a, r.path.p[0] == '/' ? &(struct uri){ 0 } : &b, r.path);
    if (!r.path.p)
        return SLICE_NONE;
    r.path.n = remove_dots((char *)r.path.p, r.path.n);
    return join(a, &r);
}

struct slice uri_fragment(struct slice reference)
{
    const char *hash = reference.n ? memchr(reference.p, '#', reference.n) : NULL;

    return hash ? cut(hash + 1, reference.p + reference.n) : SLICE_NONE;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

bool uri_unescape(struct arena *a, struct slice s, struct slice *ret)
{
    char *p = arena_alloc(a, s.n + 1), *out = p;

    if (!p)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
            *out++ = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
            i += 2;
        } else {
            *out++ = s.p[i];
        }
    }
    *ret = cut(p, out);
    return true;
}
