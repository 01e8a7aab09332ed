#include <stdio.h>

#include "gateway/engine/compat_json.h"

enum {
    CHAIN_MAX = 64, /* references and allOf within one another, in one place */
    LOOKS = 8,      /* at entries of a list, */
    BYTES = 32      /* and at their text, that are one step */
};

const unsigned family_kinds[FAMILIES] = {
    [FAMILY_NUMBER] = KIND_NUMBER,
    [FAMILY_LENGTH] = KIND_STRING,
    [FAMILY_ITEMS] = KIND_ARRAY,
    [FAMILY_PROPERTIES] = KIND_OBJECT,
};

bool spend(struct comparison *c, long n)
{
    c->steps -= n;
    if (c->steps < 0)
        c->gave_up = true;
    return !c->gave_up;
}

bool too_deep(const struct comparison *c)
{
    return c->stack - (const char *)__builtin_frame_address(0) > PROOF_STACK;
}

struct facts facts_none(const struct json_node *home)
{
    return (struct facts){ .kinds = KIND_ALL, .home = home };
}

bool facts_have(const struct facts *f, const struct json_node *schema)
{
    for (unsigned i = 0; i < f->n; i++)
        if (f->is[i].node == schema && !f->is[i].value)
            return true;
    return false;
}

void facts_deny(struct facts *f, const struct json_node *schema)
{
    if (f->n_not < NEGATIONS_MAX)
        f->denied[f->n_not++] = schema;
}

/* 1 and 1.0 are one value: what equals it may be written either way. */
unsigned kind_of_value(const struct json_node *v)
{
    static const unsigned kinds[] = {
        [JSON_NULL] = KIND_NULL,     [JSON_FALSE] = KIND_BOOLEAN, [JSON_TRUE] = KIND_BOOLEAN,
        [JSON_STRING] = KIND_STRING, [JSON_ARRAY] = KIND_ARRAY,   [JSON_OBJECT] = KIND_OBJECT,
    };

    if (v->type != JSON_NUMBER)
        return kinds[v->type];
    struct decimal d = decimal_of(v->text);

    return decimal_whole(&d) ? KIND_INTEGER | KIND_INTEGER_POINT : KIND_FRACTION;
}

static unsigned kind_named(struct comparison *c, const struct json_node *name, enum draft d, bool as_fact)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } names[] = { { "null", KIND_NULL },     { "boolean", KIND_BOOLEAN }, { "number", KIND_NUMBER },
                  { "string", KIND_STRING }, { "array", KIND_ARRAY },     { "object", KIND_OBJECT } };

    if (json_tree_is(name, "integer"))
        return d == DRAFT_4 && !(as_fact && c->mixed) ? KIND_INTEGER : KIND_INTEGER | KIND_INTEGER_POINT;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_tree_is(name, names[i].name))
            return names[i].kinds;
    return as_fact ? KIND_ALL : 0;
}

unsigned kinds_of(struct comparison *c, const struct json_node *schema, bool as_fact)
{
    const struct json_node *type = keyword(schema, "type");
    unsigned kinds = 0;

    if (!type)
        return KIND_ALL;
    if (type->type != JSON_ARRAY)
        return kind_named(c, type, draft_of(schema), as_fact);
    for (unsigned i = 0; i < type->n; i++)
        kinds |= kind_named(c, type->child[i], draft_of(schema), as_fact);
    return kinds;
}

void facts_add_value(struct comparison *c, struct facts *f, const struct json_node *value)
{
    if (!spend(c, 1 + (value->type == JSON_NUMBER ? (long)value->text.n / DIGITS : 0)) || f->n == FACTS_MAX)
        return;
    f->is[f->n++] = (struct fact){ value, true };
    f->kinds &= kind_of_value(value);
}

static void add(struct comparison *c, struct facts *f, const struct json_node *schema, unsigned chain)
{
    const struct json_node *all;
    bool refers = false;

    if (!schema || !spend(c, 1) || chain == CHAIN_MAX)
        return;
    if (schema->type == JSON_FALSE)
        f->kinds = 0;
    if (schema->type != JSON_OBJECT || facts_have(f, schema))
        return;
    for (int i = 0; i < REFERENCES; i++) {
        const struct json_node *ref = reference_at(schema, i), *target = ref ? target_of(c, ref) : NULL;

        refers |= ref != NULL;
        if (target)
            add(c, f, target, chain + 1);
        else if (ref && f->n < FACTS_MAX) /* what it leads to is not known, but it may be asked for again */
            f->is[f->n++] = (struct fact){ ref, false };
    }
    if ((refers && draft_of(schema) <= DRAFT_7) || f->n == FACTS_MAX)
        return;
    if (!f->n)
        f->home = schema;
    f->is[f->n++] = (struct fact){ schema, false };
    f->kinds &= kinds_of(c, schema, true);
    if (keyword(schema, "not"))
        facts_deny(f, keyword(schema, "not"));
    if ((all = keyword(schema, "allOf")))
        for (unsigned i = 0; all->type == JSON_ARRAY && i < all->n; i++)
            add(c, f, all->child[i], chain + 1);
}

void facts_add(struct comparison *c, struct facts *f, const struct json_node *schema)
{
    add(c, f, schema, 0);
}

/* --- bounds --------------------------------------------------------------------------------------------------------- */
static const char *const bound_names[FAMILIES][2] = {
    [FAMILY_NUMBER] = { "minimum", "maximum" },
    [FAMILY_LENGTH] = { "minLength", "maxLength" },
    [FAMILY_ITEMS] = { "minItems", "maxItems" },
    [FAMILY_PROPERTIES] = { "minProperties", "maxProperties" },
};

static void tighten(struct comparison *c, struct bound *b, bool upper, struct slice at, bool exclusive,
                    const struct json_node *from)
{
    if (!spend(c, (long)at.n / DIGITS))
        return;
    int order = b->at.p ? decimal_order(at, b->at) : 0;

    if (!b->at.p || (upper ? order < 0 : order > 0) || (!order && exclusive))
        *b = (struct bound){ at, exclusive, from };
}

static struct slice print_count(struct comparison *c, size_t n)
{
    char *p = arena_printf(c->arena, "%zu", n);

    c->no_memory |= !p;
    return slice_of(p);
}

static void bound_of_value(struct comparison *c, struct bound *b, enum family family, bool upper, const struct json_node *v)
{
    struct slice at = SLICE_NONE;

    if (!(kind_of_value(v) & family_kinds[family]))
        return;
    if (!spend(c, (long)v->text.n / BYTES))
        return;
    at = family == FAMILY_NUMBER ? v->text : print_count(c, family == FAMILY_LENGTH ? json_tree_characters(v) : v->n);
    if (at.p)
        tighten(c, b, upper, at, false, v);
}

static void bound_of_schema(struct comparison *c, struct bound *b, enum family family, bool upper, const struct json_node *s)
{
    const struct json_node *plain = keyword(s, bound_names[family][upper]), *exclusive = NULL;

    if (family == FAMILY_NUMBER)
        exclusive = keyword(s, upper ? "exclusiveMaximum" : "exclusiveMinimum");
    if (plain && plain->type == JSON_NUMBER)
        tighten(c, b, upper, plain->text, draft_of(s) == DRAFT_4 && exclusive && exclusive->type == JSON_TRUE, plain);
    if (exclusive && exclusive->type == JSON_NUMBER && draft_of(s) != DRAFT_4)
        tighten(c, b, upper, exclusive->text, true, exclusive);
}

/* Distinct names that are required make a least number of members. */
static void bound_of_required(struct comparison *c, struct bound *b, const struct json_node *s)
{
    const struct json_node *required = keyword(s, "required");
    size_t n = 0;

    if (!required || required->type != JSON_ARRAY || !required->n || !spend(c, required->n))
        return;
    for (unsigned i = 0; i < required->n && i < 64; i++) {
        unsigned k = 0;

        while (k < i && !json_tree_equal(required->child[k], required->child[i]))
            k++;
        n += k == i;
    }
    struct slice at = print_count(c, n);

    if (at.p)
        tighten(c, b, false, at, false, required);
}

struct bound bound_of(struct comparison *c, const struct facts *f, enum family family, bool upper)
{
    struct bound b = { .at = SLICE_NONE };

    for (unsigned i = 0; i < f->n; i++) {
        if (f->is[i].value) {
            bound_of_value(c, &b, family, upper, f->is[i].node);
            continue;
        }
        bound_of_schema(c, &b, family, upper, f->is[i].node);
        if (family == FAMILY_PROPERTIES && !upper)
            bound_of_required(c, &b, f->is[i].node);
    }
    return b;
}

/* --- what else facts say -------------------------------------------------------------------------------------------- */
static bool names(struct comparison *c, const struct json_node *list, struct slice name)
{
    if (!list || list->type != JSON_ARRAY || !spend(c, 1 + list->n / LOOKS))
        return false;
    for (unsigned i = 0; i < list->n; i++)
        if (list->child[i]->type == JSON_STRING && slice_eq(list->child[i]->text, name))
            return true;
    return false;
}

/* Directly, or because another member that is required asks for it. */
static bool requires(struct comparison *c, const struct facts *f, struct slice name, unsigned chain)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node, *dependent;

        if (f->is[i].value ? !!json_tree_member(s, name) : names(c, keyword(s, "required"), name))
            return true;
        dependent = f->is[i].value || !chain ? NULL : keyword(s, draft_of(s) <= DRAFT_7 ? "dependencies" : "dependentRequired");
        for (unsigned k = 0; dependent && dependent->type == JSON_OBJECT && k < dependent->n && !c->gave_up; k++)
            if (names(c, dependent->child[k], name) && requires(c, f, dependent->child[k]->name, chain - 1))
                return true;
    }
    return false;
}

bool facts_require(struct comparison *c, const struct facts *f, struct slice name)
{
    return requires(c, f, name, 2);
}

const struct json_node *listed(const struct facts *f)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node, *list;

        if (f->is[i].value)
            continue;
        if ((list = keyword(s, "const")) || ((list = keyword(s, "enum")) && list->type == JSON_ARRAY))
            return list;
    }
    return NULL;
}

bool equal(struct comparison *c, const struct json_node *x, const struct json_node *y)
{
    return spend(c, 1 + (long)(x->text.n + y->text.n) / BYTES) && json_tree_equal(x, y);
}

bool among(struct comparison *c, const struct json_node *list, const struct json_node *value)
{
    if (slice_is(list->name, "const"))
        return equal(c, list, value);
    if (!spend(c, 1 + list->n / LOOKS + (long)list->text.n / BYTES))
        return false;
    for (unsigned i = 0; list->type == JSON_ARRAY && i < list->n; i++)
        if (json_tree_equal(list->child[i], value))
            return true;
    return false;
}
