#include "gateway/engine/avro_parse.h"

static size_t hash(struct slice s)
{
    size_t h = 14695981039346656037U;

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211U;
    return h ^ h >> 29;
}

struct avro_type *avro_find_full(const struct avro_reader *r, struct slice full)
{
    size_t mask = r->names.cap - 1;

    for (size_t i = hash(full); r->names.cap && r->names.slot[i & mask]; i++)
        if (slice_eq(r->names.slot[i & mask]->full, full))
            return r->names.slot[i & mask];
    return NULL;
}

static void insert(struct avro_names *names, struct avro_type *t)
{
    size_t i = hash(t->full);

    while (names->slot[i & (names->cap - 1)])
        i++;
    names->slot[i & (names->cap - 1)] = t;
    names->n++;
}

static bool define(struct avro_reader *r, struct avro_type *t)
{
    if (r->names.n * 2 >= r->names.cap) {
        struct avro_names bigger = { .cap = r->names.cap ? r->names.cap * 2 : 16 };

        if (!(bigger.slot = arena_zalloc(r->arena, bigger.cap * sizeof *bigger.slot)))
            return avro_no_memory(r);
        for (size_t i = 0; i < r->names.cap; i++)
            if (r->names.slot[i])
                insert(&bigger, r->names.slot[i]);
        r->names = bigger;
    }
    insert(&r->names, t);
    return true;
}

static bool letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool avro_name_valid(struct slice s)
{
    if (!s.n || !letter(*s.p))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!letter(s.p[i]) && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
    return true;
}

/* Names with dots between them. */
static bool path_valid(struct slice s)
{
    const char *p = s.p, *end = s.p + s.n;

    for (;; p++) {
        const char *dot = memchr(p, '.', (size_t)(end - p));

        if (!avro_name_valid((struct slice){ p, (size_t)((dot ? dot : end) - p) }))
            return false;
        if (!dot)
            return true;
        p = dot;
    }
}

struct slice avro_join(struct avro_reader *r, struct slice space, struct slice name)
{
    char *p;

    if (!space.n)
        return name;
    if (!(p = arena_alloc(r->arena, space.n + 1 + name.n))) {
        avro_no_memory(r);
        return SLICE_NONE;
    }
    memcpy(p, space.p, space.n);
    p[space.n] = '.';
    memcpy(p + space.n + 1, name.p, name.n);
    return (struct slice){ p, space.n + 1 + name.n };
}

bool avro_alias_is(const struct avro_type *t, struct slice full)
{
    const struct json_node *aliases = json_tree_get(t->json, "aliases");

    for (unsigned i = 0; aliases && i < aliases->n; i++) {
        struct slice s = aliases->child[i]->text;
        bool whole = memchr(s.p, '.', s.n) || !t->space.n;

        if (whole ? slice_eq(s, full)
                  : full.n == t->space.n + 1 + s.n && full.p[t->space.n] == '.' && !memcmp(full.p, t->space.p, t->space.n) &&
                        slice_eq(s, (struct slice){ full.p + t->space.n + 1, s.n }))
            return true;
    }
    return false;
}

bool avro_read_name(struct avro_reader *r, struct avro_type *t, struct slice space)
{
    const struct json_node *name = json_tree_get(t->json, "name"), *ns = json_tree_get(t->json, "namespace");

    if (!name || name->type != JSON_STRING)
        return avro_refuse(r, name ? name : t->json, "The %s needs a name, which is a string.", avro_kind_names[t->kind]);
    const char *dot = memrchr(name->text.p, '.', name->text.n);

    if (!path_valid(name->text))
        return avro_refuse(
            r, name,
            "A name is letters, digits and _, and does not begin with a digit; a namespace may stand before it, with dots.");
    t->name = name->text;
    if (dot) {
        t->space = (struct slice){ name->text.p, (size_t)(dot - name->text.p) };
        t->name = (struct slice){ dot + 1, name->text.n - t->space.n - 1 };
    } else if (ns && ns->type == JSON_STRING) {
        if (ns->text.n && !path_valid(ns->text))
            return avro_refuse(r, ns, "A namespace is names with dots between them.");
        t->space = ns->text;
    } else if (ns && ns->type != JSON_NULL) {
        return avro_refuse(r, ns, "A namespace is a string.");
    } else {
        t->space = space;
    }
    if (!(t->full = avro_join(r, t->space, t->name)).p)
        return false;
    for (int k = 0; k <= AVRO_STRING; k++)
        if (!t->space.n && slice_is(t->name, avro_kind_names[k]))
            return avro_refuse(r, name, "A type cannot be named as the primitive type %s is.", avro_kind_names[k]);
    if (avro_find_full(r, t->full))
        return avro_refuse(r, name, "The type %.*s is defined twice.", (int)(t->full.n < 150 ? t->full.n : 150), t->full.p);
    return define(r, t);
}

bool avro_read_aliases(struct avro_reader *r, const struct json_node *of, bool field)
{
    const struct json_node *aliases = json_tree_get(of, "aliases");

    if (!aliases)
        return true;
    if (aliases->type != JSON_ARRAY)
        return avro_refuse(r, aliases, "Aliases are an array of names.");
    for (unsigned i = 0; i < aliases->n; i++) {
        const struct json_node *one = aliases->child[i];

        if (one->type != JSON_STRING || !(field ? avro_name_valid(one->text) : path_valid(one->text)))
            return avro_refuse(r, one, "An alias is a name.");
    }
    return true;
}
