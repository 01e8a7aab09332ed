#include "gateway/engine/avro_data.h"

#include "gateway/base/buf.h"
#include "gateway/base/json.h"
#include "gateway/base/utf8.h"

struct place {                    /* on the way from the root */
    const struct place *up;
    struct slice name;            /* p == NULL: index */
    int64_t index;
};

struct reading {
    const unsigned char *p, *end;
    int64_t steps;
    int depth;
    const char *why;              /* NULL: good so far */
    const struct place *at;       /* where, when it is not */
    struct buf *pointer;
};

static bool read_value(struct reading *r, const struct avro_type *t, const struct place *at);

static void put_place(struct buf *b, const struct place *at)
{
    if (!at)
        return;
    put_place(b, at->up);
    buf_char(b, '/');
    if (at->name.p)
        buf_pointer_token(b, at->name);
    else
        buf_i64(b, at->index);
}

/* The places are on the stack, so the pointer is written at once. */
static bool wrong(struct reading *r, const struct place *at, const char *why)
{
    if (!r->why && r->pointer)
        put_place(r->pointer, at);
    if (!r->why)
        r->why = why;
    return false;
}

static bool take(struct reading *r, const struct place *at, uint64_t n, struct slice *ret)
{
    if (n > (uint64_t)(r->end - r->p))
        return wrong(r, at, "The bytes end within this value.");
    *ret = (struct slice){ (const char *)r->p, (size_t)n };
    r->p += n;
    return true;
}

/* Zigzag in base 128, least significant group first. */
static bool read_long(struct reading *r, const struct place *at, int64_t *ret)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        if (r->p == r->end)
            return wrong(r, at, "The bytes end within this value.");
        v |= (uint64_t)(*r->p & 0x7f) << shift;
        if (shift == 63 && *r->p > 1)
            break;
        if (!(*r->p++ & 0x80)) {
            *ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return true;
        }
    }
    return wrong(r, at, "The integer has more than 64 bits.");
}

static bool read_run(struct reading *r, const struct place *at, struct slice *ret)
{
    int64_t n = 0;

    if (!read_long(r, at, &n))
        return false;
    return n < 0 ? wrong(r, at, "The length is negative.") : take(r, at, (uint64_t)n, ret);
}

static bool read_text(struct reading *r, const struct place *at, struct slice *ret)
{
    return read_run(r, at, ret) && (utf8_valid(*ret) || wrong(r, at, "The string is not UTF-8."));
}

static bool read_fixed(struct reading *r, const struct avro_type *t, const struct place *at)
{
    struct slice ignored;
    int64_t n = 0;

    return (json_int64(t->size, &n) && n >= 0) ? take(r, at, (uint64_t)n, &ignored)
                                               : wrong(r, at, "The size of the fixed is too large.");
}

static bool read_index(struct reading *r, const struct avro_type *t, const struct place *at, const char *why, int64_t *ret)
{
    return read_long(r, at, ret) && ((*ret >= 0 && *ret < (int64_t)t->n) || wrong(r, at, why));
}

static bool read_record(struct reading *r, const struct avro_type *t, const struct place *at)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct place field = { at, t->field[i].name, 0 };

        if (!read_value(r, t->field[i].type, &field))
            return false;
    }
    return true;
}

/* Blocks, each with its count (below zero: its bytes come as well), until one has none. */
static bool read_blocks(struct reading *r, const struct avro_type *t, const struct place *at)
{
    int64_t count = 0, bytes, index = 0;

    for (;;) {
        if (!read_long(r, at, &count))
            return false;
        if (!count)
            return true;
        if (count < 0 && (count == INT64_MIN || !read_long(r, at, &bytes)))
            return wrong(r, at, "The number of items is not one.");
        for (count = count < 0 ? -count : count; count; count--, index++) {
            struct place item = { at, SLICE_NONE, index };

            if ((t->kind == AVRO_MAP && !read_text(r, at, &item.name)) || !read_value(r, t->branch[0], &item))
                return false;
        }
    }
}

static bool read_union(struct reading *r, const struct avro_type *t, const struct place *at)
{
    int64_t i = 0;

    return read_index(r, t, at, "The union has no such branch.", &i) && read_value(r, t->branch[i], at);
}

static bool read_boolean(struct reading *r, const struct place *at)
{
    struct slice s;

    return take(r, at, 1, &s) && (*s.p == 0 || *s.p == 1 || wrong(r, at, "The boolean is neither 0 nor 1."));
}

static bool read_int(struct reading *r, const struct place *at)
{
    int64_t v = 0;

    return read_long(r, at, &v) && ((v >= INT32_MIN && v <= INT32_MAX) || wrong(r, at, "The int has more than 32 bits."));
}

static bool read_kind(struct reading *r, const struct avro_type *t, const struct place *at)
{
    struct slice ignored;
    int64_t v = 0;

    switch (t->kind) {
    case AVRO_NULL:
        return true;
    case AVRO_BOOLEAN:
        return read_boolean(r, at);
    case AVRO_INT:
        return read_int(r, at);
    case AVRO_LONG:
        return read_long(r, at, &v);
    case AVRO_FLOAT:
        return take(r, at, 4, &ignored);
    case AVRO_DOUBLE:
        return take(r, at, 8, &ignored);
    case AVRO_BYTES:
        return read_run(r, at, &ignored);
    case AVRO_STRING:
        return read_text(r, at, &ignored);
    case AVRO_RECORD:
        return read_record(r, t, at);
    case AVRO_ENUM:
        return read_index(r, t, at, "The enum has no such symbol.", &v);
    case AVRO_FIXED:
        return read_fixed(r, t, at);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return read_blocks(r, t, at);
    case AVRO_UNION:
        return read_union(r, t, at);
    }
    return wrong(r, at, "The schema has a type that is not known.");
}

static bool read_value(struct reading *r, const struct avro_type *t, const struct place *at)
{
    bool good;

    if (--r->steps < 0)
        return wrong(r, at, "The datum has too many values.");
    if (r->depth == AVRO_DATA_DEPTH)
        return wrong(r, at, "The datum is nested too deep.");
    r->depth++;
    good = read_kind(r, t, at);
    r->depth--;
    return good;
}

enum err avro_data_check(const struct avro_schema *s, struct slice bytes, int64_t *steps, struct arena *a, struct finding *ret,
                         bool *ret_good)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    struct buf pointer = { 0 };
    struct reading r = { .p = p, .end = p + bytes.n, .steps = *steps, .pointer = a ? &pointer : NULL };
    enum err e = OK;

    *ret_good = read_value(&r, s->root, NULL) && (r.p == r.end || wrong(&r, NULL, "Bytes follow the datum."));
    *steps = r.steps;
    if (!*ret_good && a)
        *ret = (struct finding){ .pointer = arena_slice(a, pointer.n ? (struct slice){ pointer.p, pointer.n } : SLICE("")),
                                 .keyword = SLICE("avro"), .detail = slice_of(r.why) };
    if (r.steps < 0)
        e = ERR_SCHEMA_LIMIT;
    else if (!*ret_good && a && (pointer.failed || !ret->pointer.p))
        e = ERR_NO_MEMORY;
    buf_free(&pointer);
    return e;
}
