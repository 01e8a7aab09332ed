#include "gateway/engine/cursor_many.h"

#include <stdlib.h>

enum { VERSION = 2, KIND = 2, HEADER = 6, SALTS = 16, WIDTH_BITS = 2, SALT_BITS = 4, COUNT_BITS = 9, ORDER_BITS = 6 };

static const int widths[] = { 64, 40, 32, 24 };
#define WIDTHS (sizeof widths / sizeof *widths)

/* --- bits, the highest of a byte first --- */

struct bits {
    unsigned char *p;
    size_t at, end;              /* bits; end of what there is, or of the room */
    bool failed;
};

static void put_bits(struct bits *b, uint64_t v, int n)
{
    if (b->end - b->at < (size_t)n) {
        b->failed = true;
        return;
    }
    while (n > 0) { /* up to the end of a byte */
        int room = 8 - (int)(b->at % 8), take = n < room ? n : room;
        unsigned part = (unsigned)(v >> (n - take)) & ((1u << take) - 1);

        if (room == 8)
            b->p[b->at / 8] = 0;
        b->p[b->at / 8] |= (unsigned char)(part << (room - take));
        b->at += (size_t)take;
        n -= take;
    }
}

static uint64_t get_bits(struct bits *b, int n)
{
    uint64_t v = 0;

    if (b->end - b->at < (size_t)n)
        b->failed = true;
    for (; !b->failed && n > 0; n--, b->at++)
        v = v << 1 | (b->p[b->at / 8] >> (7 - b->at % 8) & 1);
    return v;
}

static int length(uint64_t v)
{
    return v ? 64 - __builtin_clzll(v) : 0;
}

/* Exponential Golomb: the length of the upper part in unary, that part, the `order` lower bits. v < 2^63. */
static void put_golomb(struct bits *b, uint64_t v, int order)
{
    uint64_t upper = (v >> order) + 1;

    put_bits(b, 0, length(upper) - 1);
    put_bits(b, upper, length(upper));
    put_bits(b, v, order);
}

static uint64_t get_golomb(struct bits *b, int order)
{
    int zeros = 0;
    uint64_t upper;

    while (!b->failed && get_bits(b, 1) == 0)
        zeros++;
    if (zeros + order > 63)
        b->failed = true;
    if (b->failed)
        return 0;
    upper = (UINT64_C(1) << zeros | get_bits(b, zeros)) - 1;
    if (upper >> (63 - order))
        b->failed = true;
    return upper << order | get_bits(b, order);
}

/* Rice: v / 2^parameter in unary, ended by a zero, then the lower bits. */
static void put_rice(struct bits *b, uint64_t v, int parameter)
{
    uint64_t ones = parameter < 64 ? v >> parameter : 0;

    for (; ones && !b->failed; ones--)
        put_bits(b, 1, 1);
    put_bits(b, 0, 1);
    put_bits(b, v, parameter);
}

static uint64_t get_rice(struct bits *b, int parameter)
{
    uint64_t ones = 0;

    while (!b->failed && get_bits(b, 1))
        ones++;
    if (ones && (parameter > 63 || ones >> (64 - parameter)))
        b->failed = true;
    return (parameter < 64 ? ones << parameter : 0) | get_bits(b, parameter);
}

/* The differences of n sorted numbers of so many bits are 2^width / n in the mean. */
static int rice_parameter(int width, size_t n)
{
    return width - length(n - 1);
}

/* --- ids --- */

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): one-to-one, so that prints of 64 bits are as good as the ids. */
static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    v = (v ^ v >> 27) * UINT64_C(0x94D049BB133111EB);
    return v ^ v >> 31;
}

uint64_t cursor_print(const struct cursor_many *c, int64_t stream_id)
{
    return mix((uint64_t)stream_id + (uint64_t)c->salt * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - widths[c->width]);
}

uint32_t cursor_digest(uint32_t digest, int64_t stream_id)
{
    return digest + (uint32_t)mix(~(uint64_t)stream_id);
}

static int by_print(const void *a, const void *b)
{
    const struct cursor_stream *x = a, *y = b;

    return (x->print > y->print) - (x->print < y->print);
}

const struct cursor_stream *cursor_many_find(const struct cursor_many *c, int64_t stream_id)
{
    const struct cursor_stream key = { .print = cursor_print(c, stream_id) };

    return c->n ? bsearch(&key, c->v, c->n, sizeof *c->v, by_print) : NULL;
}

/* false: two prints are the same. */
static bool make(struct cursor_many *c, const struct cursor_id *ids, size_t n)
{
    c->n = n;
    c->digest = 0;
    for (size_t i = 0; i < n; i++) {
        c->digest = cursor_digest(c->digest, ids[i].stream_id);
        c->v[i] = (struct cursor_stream){ cursor_print(c, ids[i].stream_id), ids[i].partitions, ids[i].first };
    }
    qsort(c->v, n, sizeof *c->v, by_print);
    for (size_t i = 1; i < n; i++)
        if (c->v[i].print == c->v[i - 1].print)
            return false;
    return true;
}

void cursor_many_make(struct cursor_many *c, const struct cursor_id *ids, size_t n)
{
    c->width = c->salt = 0;
    make(c, ids, n);
}

/* --- text --- */

/* The order that makes the offsets shortest, nearly: their lengths alone are looked at. */
static int best_order(const struct cursor_many *c, const int64_t *pos)
{
    size_t count[64] = { 0 }, best = SIZE_MAX;
    int order = 0, longest = 0;

    for (size_t i = 0; i < c->n; i++)
        for (int p = 0; p < c->v[i].partitions; p++) {
            int n = length((uint64_t)pos[c->v[i].first + (size_t)p]);

            count[n]++;
            longest = n > longest ? n : longest;
        }
    for (int k = 0; k <= longest && k < 63; k++) {
        size_t cost = 0;

        for (int n = 0; n <= longest; n++)
            cost += count[n] * (size_t)(n > k ? 2 * (n - k) + 1 + k : 1 + k);
        if (cost < best) {
            best = cost;
            order = k;
        }
    }
    return order;
}

static void put_streams(struct bits *b, const struct cursor_many *c)
{
    int parameter = rice_parameter(widths[c->width], c->n);

    for (size_t i = 0; i < c->n; i++)
        put_golomb(b, (uint64_t)c->v[i].partitions - 1, 0);
    for (size_t i = 0; i < c->n; i++)
        put_rice(b, i ? c->v[i].print - c->v[i - 1].print - 1 : c->v[i].print, parameter);
}

size_t cursor_many_text(const struct cursor_many *c, const int64_t *pos, char *out)
{
    unsigned char bytes[CURSOR_BYTES];
    struct bits b = { bytes, HEADER * 8, (CURSOR_BYTES - CURSOR_CHECKSUM) * 8, false };
    int order = best_order(c, pos);

    if (c->salt >= SALTS) /* none keeps the prints distinct */
        return 0;
    bytes[0] = VERSION;
    bytes[1] = KIND;
    for (int i = 0; i < 4; i++)
        bytes[2 + i] = (unsigned char)(c->digest >> (8 * i));
    put_bits(&b, (uint64_t)c->width, WIDTH_BITS);
    put_bits(&b, (uint64_t)c->salt, SALT_BITS);
    put_bits(&b, c->n, COUNT_BITS);
    put_bits(&b, (uint64_t)order, ORDER_BITS);
    if (c->n)
        put_streams(&b, c);
    for (size_t i = 0; i < c->n && !b.failed; i++)
        for (int p = 0; p < c->v[i].partitions; p++)
            put_golomb(&b, (uint64_t)pos[c->v[i].first + (size_t)p], order);
    return b.failed ? 0 : cursor_seal(bytes, (b.at + 7) / 8, out);
}

size_t cursor_many_format(struct cursor_many *c, const struct cursor_id *ids, size_t n, const int64_t *pos, char *out)
{
    size_t text = cursor_many_text(c, pos, out);

    while (!text && c->width + 1 < (int)WIDTHS) {
        c->width++;
        for (c->salt = 0; c->salt < SALTS && !make(c, ids, n);)
            c->salt++;
        text = cursor_many_text(c, pos, out);
    }
    return text;
}

static bool get_streams(struct bits *b, struct cursor_many *c)
{
    int width = widths[c->width], parameter = rice_parameter(width, c->n);
    size_t parts = 0;

    for (size_t i = 0; i < c->n; i++) {
        uint64_t more = get_golomb(b, 0);

        if (b->failed || more >= PARTITIONS_MAX || parts + more + 1 > CURSOR_PARTS_MAX)
            return false;
        c->v[i] = (struct cursor_stream){ .partitions = (int32_t)more + 1, .first = parts };
        parts += more + 1;
    }
    for (size_t i = 0; i < c->n; i++) {
        uint64_t v = get_rice(b, parameter), before = i ? c->v[i - 1].print + 1 : 0;

        if (b->failed || (i && before == 0) || __builtin_add_overflow(v, before, &c->v[i].print) ||
            (width < 64 && c->v[i].print >> width))
            return false;
    }
    return true;
}

static bool get_all(struct bits *b, struct cursor_many *c, int64_t *pos)
{
    int order;

    c->width = (int)get_bits(b, WIDTH_BITS);
    c->salt = (int)get_bits(b, SALT_BITS);
    c->n = (size_t)get_bits(b, COUNT_BITS);
    order = (int)get_bits(b, ORDER_BITS);
    if (b->failed || c->n > CURSOR_PARTS_MAX || (c->n && !get_streams(b, c)))
        return false;
    for (size_t i = 0, at = 0; i < c->n; i++)
        for (int p = 0; p < c->v[i].partitions; p++)
            pos[at++] = (int64_t)get_golomb(b, order);
    return !b->failed;
}

enum err cursor_many_parse(struct slice text, struct cursor_many *ret, int64_t *ret_pos, struct fault *f)
{
    unsigned char bytes[CURSOR_BYTES];
    char again[CURSOR_TEXT];
    size_t n = cursor_unseal(text, bytes);
    struct bits b = { bytes, HEADER * 8, n * 8, false };

    if (n && bytes[0] == 1)
        return fault(f, ERR_CURSOR_FOREIGN, "This cursor is of one stream; read several with one from an answer here.");
    ret->digest = 0;
    for (int i = 0; i < 4 && n >= HEADER; i++)
        ret->digest |= (uint32_t)bytes[2 + i] << (8 * i);
    if (n < HEADER || bytes[0] != VERSION || bytes[1] != KIND || !get_all(&b, ret, ret_pos) ||
        cursor_many_text(ret, ret_pos, again) != text.n || memcmp(again, text.p, text.n) != 0)
        return fault(f, ERR_BAD_CURSOR, "This is not a cursor of Weir; use one from an answer, earliest or latest.");
    return OK;
}
