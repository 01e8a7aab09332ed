#include "gateway/jsonschema/tree.h"

#include <stdlib.h>

#include "gateway/base/decimal.h"
#include "gateway/base/json.h"
#include "gateway/jsonschema/jsonschema.h"

enum { BYTES_PER_NODE = 12, FEW = 8, SEEN_BITS = 2048, MANY = 256 };

struct builder {
    struct json j;
    struct tree *t;
    struct arena *arena;
    bool eager;
    enum err err;
    struct slice twice;          /* a name that occurs twice in one object */
};

static bool give_up(struct builder *b, enum err e)
{
    if (!b->err)
        b->err = e;
    return false;
}

static bool grow(struct builder *b)
{
    struct tree *t = b->t;
    uint32_t cap = t->cap ? t->cap * 2 : (uint32_t)(t->text.n / BYTES_PER_NODE) + 16;
    struct node *nodes = realloc(t->nodes, cap * sizeof *nodes);

    if (!nodes)
        return give_up(b, ERR_NO_MEMORY);
    t->nodes = nodes;
    t->cap = cap;
    return true;
}

/* The next node; what is in it is set by the caller. */
static inline struct node *add(struct builder *b)
{
    struct tree *t = b->t;

    if (t->n == t->cap && !grow(b))
        return NULL;
    return &t->nodes[t->n++];
}

static uint8_t number_type(struct slice raw)
{
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '.' || (raw.p[i] | 0x20) == 'e') {
            struct decimal d = decimal_of(raw);

            return decimal_whole(&d) ? T_WHOLE : T_REAL;
        }
    }
    return T_INT;
}

static bool add_leaf(struct builder *b, uint8_t type, struct slice s, bool escaped)
{
    struct node *v = add(b);

    if (!v)
        return false;
    *v = (struct node){ .p = s.p, .n = (uint32_t)s.n, .skip = 1, .type = type, .escaped = escaped };
    return true;
}

static bool add_string(struct builder *b, struct slice inside, bool escaped)
{
    if (escaped && b->eager) {
        if (!json_unescape(b->arena, inside, true, &inside))
            return give_up(b, ERR_NO_MEMORY);
        escaped = false;
    }
    return add_leaf(b, T_STRING, inside, escaped);
}

static int by_name(const void *x, const void *y)
{
    const struct node *a = *(const struct node *const *)x, *b = *(const struct node *const *)y;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return a->n ? memcmp(a->p, b->p, a->n) : 0;
}

/* Of very many members, however their hashes were chosen. */
static bool sorted_names_differ(struct builder *b, const struct node *object)
{
    const struct node **names = malloc(object->n * sizeof(const struct node *)), *name = object + 1;

    if (!names)
        return give_up(b, ERR_NO_MEMORY);
    for (uint32_t i = 0; i < object->n; i++, name += 1 + name[1].skip)
        names[i] = name;
    qsort(names, object->n, sizeof *names, by_name);
    for (uint32_t i = 1; i < object->n && !b->twice.p; i++)
        if (by_name(&names[i - 1], &names[i]) == 0)
            b->twice = node_slice(names[i]);
    free(names);
    return !b->twice.p;
}

/* Most pairs are told apart by a bit that their hash chooses. */
static bool names_differ(struct builder *b, const struct node *object)
{
    uint64_t seen[SEEN_BITS / 64] = { 0 };
    const struct node *name = object + 1;

    if (object->n > MANY)
        return sorted_names_differ(b, object);
    for (uint32_t i = 0; i < object->n; i++, name += 1 + name[1].skip) {
        uint64_t bit = UINT64_C(1) << (name->hash & 63);
        uint64_t *word = &seen[(name->hash >> 6) % (SEEN_BITS / 64)];

        if (*word & bit) {
            for (const struct node *e = object + 1; e != name; e += 1 + e[1].skip)
                if (e->hash == name->hash && e->n == name->n && by_name(&e, &name) == 0) {
                    b->twice = node_slice(name);
                    return false;
                }
        }
        *word |= bit;
    }
    return true;
}

static bool few_names_differ(struct builder *b, const struct node *object)
{
    uint32_t hashes[FEW];
    const struct node *name = object + 1;

    for (uint32_t i = 0; i < object->n; i++, name += 1 + name[1].skip) {
        hashes[i] = name->hash;
        for (uint32_t k = 0; k < i; k++)
            if (hashes[k] == hashes[i])
                return names_differ(b, object);
    }
    return true;
}

static bool build(struct builder *b);

static bool build_object(struct builder *b, uint32_t at)
{
    struct slice name;
    bool escaped;
    uint32_t entries = 0;

    if (!json_object_begin(&b->j))
        return false;
    for (; json_object_next(&b->j, &name, &escaped); entries++) {
        if (escaped && !json_unescape(b->arena, name, true, &name))
            return give_up(b, ERR_NO_MEMORY);
        if (!add_leaf(b, T_STRING, name, false))
            return false;
        b->t->nodes[b->t->n - 1].hash = name_hash(name.p, name.n);
        if (!build(b))
            return false;
    }
    if (b->j.error)
        return false;
    struct node *v = &b->t->nodes[at];

    v->n = entries;
    v->skip = b->t->n - at;
    return entries <= FEW ? few_names_differ(b, v) : names_differ(b, v);
}

static bool build_array(struct builder *b, uint32_t at)
{
    uint32_t entries = 0;

    if (!json_array_begin(&b->j))
        return false;
    for (; json_array_next(&b->j); entries++)
        if (!build(b))
            return false;
    b->t->nodes[at].n = entries;
    b->t->nodes[at].skip = b->t->n - at;
    return !b->j.error;
}

static bool build(struct builder *b)
{
    static const uint8_t types[] = {
        [JSON_NULL] = T_NULL,     [JSON_FALSE] = T_FALSE, [JSON_TRUE] = T_TRUE,     [JSON_NUMBER] = T_INT,
        [JSON_STRING] = T_STRING, [JSON_ARRAY] = T_ARRAY, [JSON_OBJECT] = T_OBJECT,
    };
    enum json_type type;
    struct slice s;
    bool escaped;
    uint32_t at = b->t->n;

    if (!json_peek(&b->j, &type))
        return false;
    switch (type) {
    case JSON_STRING:
        return json_scan_string(&b->j, &s, &escaped) && add_string(b, s, escaped);
    case JSON_OBJECT:
        return add_leaf(b, T_OBJECT, (struct slice){ b->j.p, 0 }, false) && build_object(b, at);
    case JSON_ARRAY:
        return add_leaf(b, T_ARRAY, (struct slice){ b->j.p, 0 }, false) && build_array(b, at);
    default:
        return json_value(&b->j, &s) && add_leaf(b, type == JSON_NUMBER ? number_type(s) : types[type], s, false);
    }
}

enum err tree_build(struct tree *t, struct slice text, struct arena *a, bool eager, struct fault *f)
{
    struct builder b = { .t = t, .arena = a, .eager = eager };
    size_t line, column;

    *t = (struct tree){ .text = text };
    json_begin(&b.j, text, JSONSCHEMA_DEPTH);
    if (build(&b) && json_end(&b.j))
        return OK;
    tree_free(t);
    if (b.err)
        return b.err;
    if (b.twice.p)
        return fault(f, ERR_BAD_JSON, "The name \"%.*s\" occurs twice in one object: which one counts is not defined.",
                     (int)(b.twice.n < 100 ? b.twice.n : 100), b.twice.p);
    json_where(&b.j, &line, &column);
    return fault(f, ERR_BAD_JSON, "Line %zu, column %zu: %s.", line, column, b.j.error);
}

void tree_free(struct tree *t)
{
    free(t->nodes);
    *t = (struct tree){ 0 };
}

const struct node *node_member(const struct node *object, struct slice name)
{
    const struct node *e = object + 1;
    uint32_t hash = name_hash(name.p, name.n);

    for (uint32_t i = 0; i < object->n; i++, e += 1 + e[1].skip)
        if (e->hash == hash && node_is(e, name))
            return e + 1;
    return NULL;
}

struct slice tree_pointer(const struct tree *t, const struct node *target, struct arena *a)
{
    const struct node *v = t->nodes;
    struct buf b = { 0 };

    while (v != target) {
        const struct node *e = v + 1;
        uint32_t i = 0;
        bool object = v->type == T_OBJECT;

        buf_char(&b, '/');
        for (; e + object + e[object].skip <= target; i++)
            e += object + e[object].skip;
        if (!object) {
            buf_printf(&b, "%u", i);
            v = e;
            continue;
        }
        buf_pointer_token(&b, node_slice(e));
        if (e == target)
            break;
        v = e + 1;
    }
    struct slice pointer = b.failed ? SLICE_NONE : arena_slice(a, b.n ? (struct slice){ b.p, b.n } : SLICE(""));

    buf_free(&b);
    return pointer;
}

bool node_unescape(struct toil *t, struct node *v)
{
    struct slice s;

    if (!json_unescape(t->arena, node_slice(v), true, &s)) {
        t->err = ERR_NO_MEMORY;
        return false;
    }
    v->p = s.p;
    v->n = (uint32_t)s.n;
    v->escaped = false;
    return true;
}
