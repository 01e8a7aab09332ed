#include "gateway/engine/avro_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/utf8.h"

enum reference_state { REFERENCE_NEW, REFERENCE_OPEN, REFERENCE_READ };
enum { NESTED_MAX = 1000 }; /* types within types, over all references: bounds the stack */

const char *const avro_kind_names[] = {
    [AVRO_NULL] = "null",     [AVRO_BOOLEAN] = "boolean", [AVRO_INT] = "int",     [AVRO_LONG] = "long",
    [AVRO_FLOAT] = "float",   [AVRO_DOUBLE] = "double",   [AVRO_BYTES] = "bytes", [AVRO_STRING] = "string",
    [AVRO_RECORD] = "record", [AVRO_ENUM] = "enum",       [AVRO_FIXED] = "fixed", [AVRO_ARRAY] = "array",
    [AVRO_MAP] = "map",       [AVRO_UNION] = "union",
};

const char *avro_kind_name(enum avro_kind kind)
{
    return avro_kind_names[kind];
}

bool avro_named(enum avro_kind kind)
{
    return kind == AVRO_RECORD || kind == AVRO_ENUM || kind == AVRO_FIXED;
}

struct slice avro_pointer(const struct avro_type *t, struct arena *a)
{
    struct slice pointer = json_tree_pointer(t->json, a);
    char *p;

    if (!t->origin.p || !pointer.p)
        return pointer;
    p = arena_printf(a, "%.*s#%.*s", (int)t->origin.n, t->origin.p, (int)pointer.n, pointer.p);
    return slice_of(p);
}

void *avro_refuse(struct avro_reader *r, const struct json_node *at, const char *fmt, ...)
{
    struct avro_type where = { .json = at, .origin = r->origin };
    struct slice pointer = avro_pointer(&where, r->arena);
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r->error = fault(r->fault, ERR_BAD_BODY, "%s", text);
    if (r->fault && pointer.p)
        snprintf(r->fault->pointer, sizeof r->fault->pointer, "%.*s", (int)utf8_cut(pointer.p, pointer.n, 199), pointer.p);
    return NULL;
}

void *avro_no_memory(struct avro_reader *r)
{
    r->error = fault(r->fault, ERR_NO_MEMORY, "The schema takes more memory than there is for it.");
    return NULL;
}

static struct avro_type *read_type(struct avro_reader *r, const struct json_node *at, struct slice space);

static struct avro_type *make(struct avro_reader *r, enum avro_kind kind, const struct json_node *at)
{
    struct avro_type *t = arena_zalloc(r->arena, sizeof *t);

    if (!t)
        return avro_no_memory(r);
    *t = (struct avro_type){ .kind = kind, .json = at, .origin = r->origin, .id = r->types++ };
    return t;
}

static bool read_reference(struct avro_reader *r, size_t i)
{
    const struct schema_reference *ref = &r->source->refs[i];
    struct slice outer = r->origin;
    struct json_node *root;
    enum err e;

    r->state[i] = REFERENCE_OPEN;
    if ((e = json_tree_parse(ref->text, AVRO_DEPTH, r->arena, &root, r->fault))) {
        r->error = e;
        return false;
    }
    r->origin = ref->name;
    if (!read_type(r, root, SLICE("")))
        return false;
    r->origin = outer;
    r->state[i] = REFERENCE_READ;
    return true;
}

/* What is not defined may be in a reference: in the one of that name, or in any other. */
static struct avro_type *find_name(struct avro_reader *r, struct slice name, struct slice space)
{
    struct slice full = memchr(name.p, '.', name.n) ? name : avro_join(r, space, name);
    struct avro_type *t = NULL;

    if (!full.p || (t = avro_find_full(r, full)) || (t = avro_find_full(r, name)))
        return t;
    for (int named = 1; named >= 0; named--)
        for (size_t i = 0; i < r->source->n; i++) {
            const struct slice ref = r->source->refs[i].name;

            if (r->state[i] != REFERENCE_NEW || (named && !slice_eq(ref, full) && !slice_eq(ref, name)))
                continue;
            if (!read_reference(r, i) || (t = avro_find_full(r, full)) || (t = avro_find_full(r, name)))
                return t;
        }
    return NULL;
}

static struct avro_type *read_named(struct avro_reader *r, const struct json_node *at, struct slice name, struct slice space)
{
    struct avro_type *t;

    for (int k = 0; k <= AVRO_STRING; k++)
        if (slice_is(name, avro_kind_names[k]))
            return make(r, (enum avro_kind)k, at);
    t = find_name(r, name, space);
    if (!t && !r->error)
        return avro_refuse(r, at, "The type %.*s is not defined.", (int)utf8_cut(name.p, name.n, 150), name.p);
    return t;
}

/* Of each kind there is one branch at most, but of named types; those are marked with the union. */
static bool branch_is_new(struct avro_reader *r, struct avro_type *u, struct avro_type *b, unsigned i, unsigned *kinds)
{
    bool again = avro_named(b->kind) ? b->in_union == u : *kinds >> b->kind & 1;

    if (b->kind == AVRO_UNION)
        return avro_refuse(r, u->json->child[i], "A union cannot stand directly in a union.");
    *kinds |= 1U << b->kind;
    b->in_union = u;
    if (again)
        return avro_refuse(r, u->json->child[i], "A union has each type once: %s is there already.",
                           avro_named(b->kind) ? "this name" : avro_kind_names[b->kind]);
    return true;
}

static struct avro_type *read_union(struct avro_reader *r, const struct json_node *at, struct slice space)
{
    struct avro_type *t = make(r, AVRO_UNION, at), **branch;
    unsigned kinds = 0;

    if (!t || !(branch = arena_zalloc(r->arena, (at->n + 1) * sizeof *branch)))
        return avro_no_memory(r);
    for (unsigned i = 0; i < at->n; i++)
        if (!(branch[i] = read_type(r, at->child[i], space)))
            return NULL;
    for (; t->n < at->n; t->n++) /* only now: a branch may hold other unions of the same types */
        if (!branch_is_new(r, t, branch[t->n], t->n, &kinds))
            return NULL;
    t->branch = (const struct avro_type **)branch;
    return t;
}

static struct avro_type *read_items(struct avro_reader *r, enum avro_kind kind, const struct json_node *at, struct slice space)
{
    const char *word = kind == AVRO_ARRAY ? "items" : "values";
    const struct json_node *items = json_tree_get(at, word);
    struct avro_type *t = make(r, kind, at);

    if (!t || !(t->branch = arena_zalloc(r->arena, sizeof *t->branch)))
        return r->error ? NULL : avro_no_memory(r);
    if (!items)
        return avro_refuse(r, at, "The %s needs \"%s\".", avro_kind_names[kind], word);
    t->n = 1;
    return (t->branch[0] = read_type(r, items, space)) ? t : NULL;
}

static int by_text(const void *x, const void *y)
{
    return slice_order(*(const struct slice *)x, *(const struct slice *)y);
}

/* Names of fields or symbols; those that stand twice are told. */
static bool all_different(struct avro_reader *r, const struct json_node *at, struct slice *names, unsigned n, const char *what)
{
    qsort(names, n, sizeof *names, by_text);
    for (unsigned i = 1; i < n; i++)
        if (slice_eq(names[i - 1], names[i]))
            return avro_refuse(r, at, "The %s %.*s is there twice.", what, (int)(names[i].n < 150 ? names[i].n : 150),
                               names[i].p);
    return true;
}

static struct avro_type *read_enum(struct avro_reader *r, struct avro_type *t)
{
    const struct json_node *symbols = json_tree_get(t->json, "symbols"), *value = json_tree_get(t->json, "default");
    struct slice *names;
    const char *why;

    if (!symbols || symbols->type != JSON_ARRAY)
        return avro_refuse(r, symbols ? symbols : t->json, "The enum needs \"symbols\", an array of names.");
    if (!(names = arena_alloc(r->arena, (symbols->n + 1) * sizeof *names)))
        return avro_no_memory(r);
    for (unsigned i = 0; i < symbols->n; i++) {
        if (symbols->child[i]->type != JSON_STRING || !avro_name_valid(symbols->child[i]->text))
            return avro_refuse(r, symbols->child[i], "A symbol is letters, digits and _, and does not begin with a digit.");
        names[i] = symbols->child[i]->text;
    }
    t->symbols = symbols;
    t->sorted = names;
    t->n = symbols->n;
    if (!all_different(r, symbols, names, t->n, "symbol"))
        return NULL;
    return value && !avro_default_fits(t, value, &why) ? avro_refuse(r, value, "The default does not fit: %s.", why) : t;
}

static struct avro_type *read_fixed(struct avro_reader *r, struct avro_type *t)
{
    const struct json_node *size = json_tree_get(t->json, "size");
    int64_t v;

    if (!size || size->type != JSON_NUMBER || !json_int64(size->text, &v) || v < 0 || v > INT32_MAX)
        return avro_refuse(r, size ? size : t->json, "The fixed needs \"size\", a number of bytes from 0 to 2147483647.");
    t->size = size->text;
    return t;
}

static bool read_field(struct avro_reader *r, struct avro_field *f, const struct json_node *at, struct slice space)
{
    const struct json_node *name = json_tree_get(at, "name"), *type = json_tree_get(at, "type"),
                           *order = json_tree_get(at, "order");
    struct avro_pending *p;

    if (at->type != JSON_OBJECT)
        return avro_refuse(r, at, "A field is an object.");
    if (!name || name->type != JSON_STRING || !avro_name_valid(name->text))
        return avro_refuse(r, name ? name : at, "A field needs a name: letters, digits and _, not beginning with a digit.");
    if (!type)
        return avro_refuse(r, at, "A field needs a type.");
    if (order && !json_tree_is(order, "ascending") && !json_tree_is(order, "descending") && !json_tree_is(order, "ignore"))
        return avro_refuse(r, order, "The order of a field is ascending, descending or ignore.");
    *f = (struct avro_field){ .name = name->text, .json = at, .value = json_tree_get(at, "default") };
    if (!avro_read_aliases(r, at, true) || !(f->type = read_type(r, type, space)))
        return false;
    if (!f->value)
        return true;
    if (!(p = arena_alloc(r->arena, sizeof *p)))
        return avro_no_memory(r);
    *p = (struct avro_pending){ r->pending, f, r->origin };
    r->pending = p;
    return true;
}

static struct avro_type *read_record(struct avro_reader *r, struct avro_type *t)
{
    const struct json_node *fields = json_tree_get(t->json, "fields");
    struct slice *names;

    if (!fields || fields->type != JSON_ARRAY)
        return avro_refuse(r, fields ? fields : t->json, "The record needs \"fields\", an array.");
    names = arena_alloc(r->arena, (fields->n + 1) * sizeof *names);
    t->field = arena_zalloc(r->arena, (fields->n + 1) * sizeof *t->field);
    if (!names || !t->field)
        return avro_no_memory(r);
    for (unsigned i = 0; i < fields->n; i++) {
        if (!read_field(r, &t->field[i], fields->child[i], t->space))
            return NULL;
        names[i] = t->field[i].name;
    }
    t->n = fields->n;
    return all_different(r, fields, names, t->n, "field") ? t : NULL;
}

static struct avro_type *read_object(struct avro_reader *r, const struct json_node *at, struct slice space)
{
    const struct json_node *type = json_tree_get(at, "type");
    struct avro_type *t;

    if (!type || type->type != JSON_STRING)
        return avro_refuse(r, type ? type : at, "A type that is an object needs \"type\", a string.");
    if (slice_is(type->text, "array") || slice_is(type->text, "map"))
        return read_items(r, slice_is(type->text, "map") ? AVRO_MAP : AVRO_ARRAY, at, space);
    enum avro_kind kind = slice_is(type->text, "enum")                                      ? AVRO_ENUM
                          : slice_is(type->text, "fixed")                                   ? AVRO_FIXED
                          : slice_is(type->text, "record") || slice_is(type->text, "error") ? AVRO_RECORD
                                                                                            : AVRO_NULL;

    if (kind == AVRO_NULL)
        return read_named(r, at, type->text, space);
    if (!(t = make(r, kind, at)) || !avro_read_name(r, t, space) || !avro_read_aliases(r, at, false))
        return NULL;
    return kind == AVRO_ENUM ? read_enum(r, t) : kind == AVRO_FIXED ? read_fixed(r, t) : read_record(r, t);
}

static struct avro_type *read_type(struct avro_reader *r, const struct json_node *at, struct slice space)
{
    struct avro_type *t;

    if (r->nested == NESTED_MAX)
        return avro_refuse(r, at, "Types are nested deeper than %d.", NESTED_MAX);
    r->nested++;
    switch (at->type) {
    case JSON_STRING:
        t = read_named(r, at, at->text, space);
        break;
    case JSON_ARRAY:
        t = read_union(r, at, space);
        break;
    case JSON_OBJECT:
        t = read_object(r, at, space);
        break;
    default:
        t = avro_refuse(r, at, "A type is a name, an object, or an array of types.");
    }
    r->nested--;
    return t;
}

static bool defaults_fit(struct avro_reader *r)
{
    const char *why;

    for (const struct avro_pending *p = r->pending; p; p = p->next) {
        r->origin = p->origin;
        if (!avro_default_fits(p->field->type, p->field->value, &why))
            return avro_refuse(r, p->field->value, "The default of the field %.*s does not fit its type%s: %s.",
                               (int)(p->field->name.n < 100 ? p->field->name.n : 100), p->field->name.p,
                               p->field->type->kind == AVRO_UNION ? ", which is here the first branch of the union" : "", why);
    }
    return true;
}

bool avro_has_symbol(const struct avro_type *t, struct slice symbol)
{
    return bsearch(&symbol, t->sorted, t->n, sizeof *t->sorted, by_text);
}

enum err avro_parse(const struct schema_text *s, struct arena *a, const struct avro_schema **ret, struct fault *f)
{
    struct avro_reader r = { .arena = a, .fault = f, .source = s };
    struct avro_schema *schema = arena_zalloc(a, sizeof *schema);
    struct json_node *root;
    enum err e;

    r.state = arena_zalloc(a, s->n + 1);
    if (!schema || !r.state)
        return fault(f, ERR_NO_MEMORY, "The schema takes more memory than there is for it.");
    if ((e = json_tree_parse(s->text, AVRO_DEPTH, a, &root, f)))
        return e;
    if (!(schema->root = read_type(&r, root, SLICE(""))) || !defaults_fit(&r))
        return r.error;
    schema->types = r.types;
    *ret = schema;
    return OK;
}
