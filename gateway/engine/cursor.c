#include "gateway/engine/cursor.h"

#include "gateway/base/json.h"

enum { VERSION = 1, KIND_FULL = 0, KIND_PARTIAL = 1, HEADER = 14, VERSION_MANY = 2, KIND_MANY = 2 };

/* FNV-1a: enough to tell a damaged or foreign cursor; a cursor grants nothing, so it need not be secret. */
static uint32_t fnv1a(const void *p, size_t n)
{
    const unsigned char *b = p;
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 16777619u;
    return h;
}

static unsigned char *put_le(unsigned char *o, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *o++ = (unsigned char)(v >> (8 * i));
    return o;
}

static uint64_t get_le(const unsigned char *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static unsigned char *put_varint(unsigned char *o, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *o++ = (unsigned char)(v | 0x80);
    *o++ = (unsigned char)v;
    return o;
}

static bool get_varint(const unsigned char **p, const unsigned char *end, uint64_t *ret)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 63 && *p < end; shift += 7) {
        unsigned char b = *(*p)++;

        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *ret = v;
            return b != 0 || shift == 0; /* one spelling for a number */
        }
    }
    return false;
}

static size_t base64url(const unsigned char *in, size_t n, char *out)
{
    static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *o = out;
    uint32_t v;

    for (; n >= 3; in += 3, n -= 3) {
        v = (uint32_t)(in[0] << 16 | in[1] << 8 | in[2]);
        *o++ = abc[v >> 18], *o++ = abc[v >> 12 & 63], *o++ = abc[v >> 6 & 63], *o++ = abc[v & 63];
    }
    if (n) {
        v = (uint32_t)(in[0] << 16 | (n == 2 ? in[1] << 8 : 0));
        *o++ = abc[v >> 18], *o++ = abc[v >> 12 & 63];
        if (n == 2)
            *o++ = abc[v >> 6 & 63];
    }
    *o = '\0';
    return (size_t)(o - out);
}

size_t cursor_seal(unsigned char *bytes, size_t n, char *out)
{
    put_le(bytes + n, fnv1a(bytes, n), CURSOR_CHECKSUM);
    return base64url(bytes, n + CURSOR_CHECKSUM, out);
}

size_t cursor_unseal(struct slice text, unsigned char *bytes)
{
    struct arena *a = arena_new(8192);
    struct slice raw = SLICE_NONE;
    size_t n = 0;

    if (a && text.n < CURSOR_TEXT && base64url_decode(a, text, &raw) && raw.n > CURSOR_CHECKSUM && raw.n <= CURSOR_BYTES) {
        n = raw.n - CURSOR_CHECKSUM;
        memcpy(bytes, raw.p, raw.n);
        if (get_le(bytes + n, CURSOR_CHECKSUM) != fnv1a(bytes, n))
            n = 0;
    }
    arena_free(a);
    return n;
}

size_t cursor_format(const struct cursor *c, struct slice stream, int64_t stream_id, char *out)
{
    unsigned char bytes[CURSOR_BYTES], *o = bytes;

    *o++ = VERSION;
    *o++ = c->partial ? KIND_PARTIAL : KIND_FULL;
    o = put_le(o, fnv1a(stream.p, stream.n), 4);
    o = put_le(o, (uint64_t)stream_id, 8);
    o = put_varint(o, (uint64_t)c->count);
    for (int i = 0; i < c->count; i++) {
        if (c->partial)
            o = put_varint(o, (uint64_t)c->partition[i]);
        o = put_varint(o, (uint64_t)c->pos[i]);
    }
    return cursor_seal(bytes, (size_t)(o - bytes), out);
}

static bool positions(const unsigned char *p, const unsigned char *end, struct cursor *c)
{
    uint64_t n, v;

    if (!get_varint(&p, end, &n) || n < 1 || n > PARTITIONS_MAX)
        return false;
    c->count = (int)n;
    for (int i = 0; i < c->count; i++) {
        if (c->partial) {
            if (!get_varint(&p, end, &v) || v >= PARTITIONS_MAX)
                return false;
            c->partition[i] = (int32_t)v;
        }
        if (!get_varint(&p, end, &v))
            return false;
        c->pos[i] = (int64_t)v;
    }
    return p == end;
}

enum err cursor_parse(struct slice text, struct slice stream, int64_t stream_id, struct cursor *ret, struct fault *f)
{
    unsigned char b[CURSOR_BYTES];
    size_t n = cursor_unseal(text, b);
    enum err e = ERR_BAD_CURSOR;

    if (n && b[0] == VERSION_MANY && b[1] == KIND_MANY)
        e = ERR_CURSOR_FOREIGN;
    else if (n > HEADER && b[0] == VERSION && b[1] <= KIND_PARTIAL) {
        ret->partial = b[1] == KIND_PARTIAL;
        if (positions(b + HEADER, b + n, ret))
            e = get_le(b + 2, 4) != fnv1a(stream.p, stream.n) ? ERR_CURSOR_FOREIGN
                : (int64_t)get_le(b + 6, 8) != stream_id      ? ERR_CURSOR_UNKNOWN
                                                              : OK;
    }
    switch (e) {
    case ERR_BAD_CURSOR:
        return fault(f, e, "This is not a cursor of Weir; use one from an answer, earliest or latest.");
    case ERR_CURSOR_FOREIGN:
        return fault(f, e, "This cursor belongs to another stream than %.*s.", (int)stream.n, stream.p);
    case ERR_CURSOR_UNKNOWN:
        return fault(f, e, "This cursor belongs to a stream %.*s that was deleted since.", (int)stream.n, stream.p);
    default:
        return e;
    }
}

enum err cursor_positions(struct slice text, struct slice stream, int64_t stream_id, int partitions, int64_t *ret_pos,
                          struct fault *f)
{
    struct cursor c;
    enum err e;

    if ((e = cursor_parse(text, stream, stream_id, &c, f)))
        return e;
    if (c.partial && partitions > 1)
        return fault(f, ERR_CURSOR_PARTIAL, "A receipt's cursor covers its own partition only; use one from a page.");
    if (c.count != partitions)
        return fault(f, ERR_BAD_CURSOR, "The cursor does not fit the stream's partitions.");
    memcpy(ret_pos, c.pos, (size_t)c.count * sizeof *ret_pos);
    return OK;
}
