#include "gateway/engine/compat_json.h"
#include "gateway/jsonschema/keywords.h"

/* Two schemas of one draft say the same when all their keywords do; annotations and unknown keywords say nothing. What a
 * reference leads to is compared as well, once for each pair. */
enum shape { SHAPE_VALUE, SHAPE_SCHEMA, SHAPE_SCHEMAS, SHAPE_MAP, SHAPE_REFERENCE };

static const struct {
    const char *name;
    enum shape shape;
} shapes[] = {
    { "$ref", SHAPE_REFERENCE },
    { "$dynamicRef", SHAPE_REFERENCE },
    { "$recursiveRef", SHAPE_REFERENCE },
    { "type", SHAPE_VALUE },
    { "properties", SHAPE_MAP },
    { "required", SHAPE_VALUE },
    { "additionalProperties", SHAPE_SCHEMA },
    { "items", SHAPE_SCHEMAS },
    { "enum", SHAPE_VALUE },
    { "const", SHAPE_VALUE },
    { "minimum", SHAPE_VALUE },
    { "maximum", SHAPE_VALUE },
    { "exclusiveMinimum", SHAPE_VALUE },
    { "exclusiveMaximum", SHAPE_VALUE },
    { "multipleOf", SHAPE_VALUE },
    { "minLength", SHAPE_VALUE },
    { "maxLength", SHAPE_VALUE },
    { "pattern", SHAPE_VALUE },
    { "format", SHAPE_VALUE },
    { "minItems", SHAPE_VALUE },
    { "maxItems", SHAPE_VALUE },
    { "uniqueItems", SHAPE_VALUE },
    { "additionalItems", SHAPE_SCHEMA },
    { "prefixItems", SHAPE_SCHEMAS },
    { "unevaluatedItems", SHAPE_SCHEMA },
    { "contains", SHAPE_SCHEMA },
    { "minContains", SHAPE_VALUE },
    { "maxContains", SHAPE_VALUE },
    { "minProperties", SHAPE_VALUE },
    { "maxProperties", SHAPE_VALUE },
    { "patternProperties", SHAPE_MAP },
    { "propertyNames", SHAPE_SCHEMA },
    { "unevaluatedProperties", SHAPE_SCHEMA },
    { "dependencies", SHAPE_MAP },
    { "dependentRequired", SHAPE_VALUE },
    { "dependentSchemas", SHAPE_MAP },
    { "allOf", SHAPE_SCHEMAS },
    { "anyOf", SHAPE_SCHEMAS },
    { "oneOf", SHAPE_SCHEMAS },
    { "not", SHAPE_SCHEMA },
    { "if", SHAPE_SCHEMA },
    { "then", SHAPE_SCHEMA },
    { "else", SHAPE_SCHEMA },
};

bool always_true(const struct json_node *schema)
{
    if (!schema || schema->type == JSON_TRUE)
        return true;
    if (schema->type != JSON_OBJECT)
        return false;
    for (unsigned i = 0; i < schema->n; i++) {
        enum keyword k = keyword_find(schema->child[i]->name);

        if (k < K_END && keywords[k].drafts >> draft_of(schema) & 1 &&
            (keywords[k].vocabulary & (V_APPLICATOR | V_UNEVALUATED | V_VALIDATION | V_FORMAT) || k == K_REF ||
             k == K_DYNAMIC_REF || k == K_RECURSIVE_REF))
            return false;
    }
    return true;
}

bool same_reference(struct comparison *c, const struct json_node *x, const struct json_node *y)
{
    const struct json_node *a, *b;

    if (x->type != JSON_STRING || y->type != JSON_STRING)
        return false;
    a = target_of(c, x);
    b = target_of(c, y);
    if (a && b)
        return same(c, a, b);
    /* A metaschema, for one; but what it refers to by a dynamic anchor is not. */
    return !a && !b && !c->reader.dynamic && !c->writer.dynamic && slice_eq(x->text, y->text) &&
           slice_eq(resolve_uri(c, x), resolve_uri(c, y));
}

static bool same_children(struct comparison *c, const struct json_node *x, const struct json_node *y)
{
    bool object = x->type == JSON_OBJECT;

    if (x->type != y->type || x->n != y->n)
        return false;
    for (unsigned i = 0; i < x->n; i++) {
        const struct json_node *a = object ? x->by_name[i] : x->child[i], *b = object ? y->by_name[i] : y->child[i];

        if ((object && !slice_eq(a->name, b->name)) || !same(c, a, b))
            return false;
    }
    return true;
}

static bool same_keyword(struct comparison *c, enum shape shape, const struct json_node *x, const struct json_node *y)
{
    switch (shape) {
    case SHAPE_VALUE:
        return equal(c, x, y);
    case SHAPE_SCHEMA:
        return same(c, x, y);
    case SHAPE_SCHEMAS:
        return x->type == JSON_ARRAY ? same_children(c, x, y) : same(c, x, y);
    case SHAPE_MAP:
        return x->type == JSON_OBJECT && same_children(c, x, y);
    case SHAPE_REFERENCE:
        return same_reference(c, x, y);
    }
    return false;
}

static bool same_keywords(struct comparison *c, const struct json_node *x, const struct json_node *y)
{
    bool only_ref = draft_of(x) <= DRAFT_7 && json_tree_get(x, "$ref");

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct json_node *a = keyword(x, shapes[i].name), *b = keyword(y, shapes[i].name);

        if (!a != !b || (a && !same_keyword(c, shapes[i].shape, a, b)))
            return false;
        if (only_ref && a)
            return true;
    }
    return true;
}

bool same(struct comparison *c, const struct json_node *x, const struct json_node *y)
{
    uintptr_t key[3] = { 0, (uintptr_t)x, (uintptr_t)y };
    struct memo_entry *e;
    size_t at;

    if (!spend(c, 1))
        return false;
    if (x == y)
        return true;
    if (x->type == JSON_ARRAY) /* a value of `dependencies` */
        return equal(c, x, y);
    if (always_true(x) && always_true(y))
        return true;
    if (x->type != JSON_OBJECT || y->type != JSON_OBJECT)
        return x->type == JSON_FALSE && y->type == JSON_FALSE;
    if (draft_of(x) != draft_of(y) || too_deep(c) || !(e = memo_find(c, key, 3, &at)))
        return false;
    if (e->state != MEMO_DEAD)
        return e->state != MEMO_FALSE;
    memo_open(c, at);
    return memo_close(c, at, same_keywords(c, x, y));
}
