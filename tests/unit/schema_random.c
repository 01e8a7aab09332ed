#include "tests/unit/schema_random.h"

uint64_t schema_seed;

unsigned schema_pick(unsigned n)
{
    schema_seed = schema_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(schema_seed >> 33) % n;
}

#define ONE_OF(rows) rows[schema_pick(sizeof(rows) / sizeof *(rows))]

static const char *const drafts[] = { "http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema#",
                                      "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema",
                                      "https://json-schema.org/draft/2020-12/schema" };
static const char *const names[] = { "a", "b", "const", "ab", "x1" }; /* one is a keyword */
static const char *const types[] = { "null", "boolean", "integer", "number", "string", "array", "object", "object", "object" };
static const char *const patterns[] = { "^a", "b", "^x", "^ab$", "[0-9]" };
static const char *const scalars[] = { "null", "true",  "false",   "0",         "1",        "2",      "3",
                                       "-1",   "1.5",   "4",       "6",         "\"\"",     "\"a\"",  "\"ab\"",
                                       "\"abc\"", "\"x1\"", "\"é\"", "\"2020-01-02\"", "\"127.0.0.1\"" };

static void put_schema(struct draw *d, int depth);

static void put_value(struct buf *b, int depth)
{
    unsigned kind = depth ? schema_pick(5) : 0, n = schema_pick(4);

    if (kind < 3) {
        buf_str(b, ONE_OF(scalars));
        return;
    }
    buf_char(b, kind == 3 ? '[' : '{');
    for (unsigned i = 0, first = schema_pick(2); i < n; i++) {
        if (i)
            buf_char(b, ',');
        if (kind == 4)
            buf_printf(b, "\"%s\":", names[(first + i) % 5]);
        put_value(b, depth - 1);
    }
    buf_char(b, kind == 3 ? ']' : '}');
}

static void put_list(struct draw *d, int depth, unsigned n)
{
    buf_char(d->out, '[');
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buf_char(d->out, ',');
        put_schema(d, depth);
    }
    buf_char(d->out, ']');
}

static void put_names(struct draw *d, unsigned n, unsigned first)
{
    buf_char(d->out, '[');
    for (unsigned i = 0; i < n; i++)
        buf_printf(d->out, "%s\"%s\"", i ? "," : "", names[(first + i) % 5]);
    buf_char(d->out, ']');
}

static void put_map(struct draw *d, int depth, const char *const *keys)
{
    unsigned n = 1 + schema_pick(3), first = schema_pick(5);

    buf_char(d->out, '{');
    for (unsigned i = 0; i < n; i++) {
        buf_printf(d->out, "%s\"%s\":", i ? "," : "", keys[(first + i) % 5]);
        put_schema(d, depth);
    }
    buf_char(d->out, '}');
}

static void put_values(struct draw *d)
{
    unsigned first = schema_pick(12), n = 1 + schema_pick(4);

    buf_char(d->out, '[');
    for (unsigned i = 0; i < n; i++)
        buf_printf(d->out, "%s%s", i ? "," : "", scalars[first + i]);
    buf_char(d->out, ']');
}

static void put_types(struct draw *d)
{
    unsigned first = schema_pick(7), n = 1 + schema_pick(3);

    if (schema_pick(3)) {
        buf_printf(d->out, "\"%s\"", ONE_OF(types));
        return;
    }
    buf_char(d->out, '[');
    for (unsigned i = 0; i < n; i++)
        buf_printf(d->out, "%s\"%s\"", i ? "," : "", types[(first + i) % 7]);
    buf_char(d->out, ']');
}

static void put_dependencies(struct draw *d, int depth, bool schemas)
{
    buf_printf(d->out, "{\"%s\":", ONE_OF(names));
    if (schemas)
        put_schema(d, depth);
    else
        put_names(d, 1 + schema_pick(2), schema_pick(5));
    buf_char(d->out, '}');
}

/* Round in a circle, often: such pairs are no use. */
static void put_reference(struct draw *d)
{
    if (d->draft == 3 && !schema_pick(4))
        BUF_LIT(d->out, "\"$recursiveRef\":\"#\"");
    else if (d->draft == 4 && !schema_pick(4))
        BUF_LIT(d->out, "\"$dynamicRef\":\"#n\"");
    else if (!schema_pick(4))
        BUF_LIT(d->out, "\"$ref\":\"#\"");
    else
        buf_printf(d->out, "\"$ref\":\"#/definitions/%s\"", names[schema_pick(2)]);
}

static void put_choice(struct draw *d, int depth, unsigned which)
{
    struct buf *b = d->out;

    switch (which) {
    case 12: case 13: case 14:
        buf_printf(b, "\"%s\":", which == 12 ? "allOf" : which == 13 ? "anyOf" : "oneOf");
        put_list(d, depth, 1 + schema_pick(3));
        break;
    case 15:
        BUF_LIT(b, "\"not\":");
        put_schema(d, depth);
        break;
    case 16:
        buf_printf(b, "\"pattern\":\"%s\"", ONE_OF(patterns));
        break;
    case 17:
        BUF_LIT(b, "\"patternProperties\":");
        put_map(d, depth, patterns);
        break;
    case 18:
        buf_printf(b, "\"uniqueItems\":%s", schema_pick(3) ? "true" : "false");
        break;
    case 19:
        buf_printf(b, "\"multipleOf\":%u", 1 + schema_pick(4));
        break;
    case 20:
        put_reference(d);
        break;
    }
}

static void put_rarer(struct draw *d, int depth, unsigned which)
{
    struct buf *b = d->out;
    const char *name = NULL;

    switch (which) {
    case 21:
        buf_printf(b, "\"format\":\"%s\"", schema_pick(2) ? "date" : "ipv4");
        break;
    case 22:
        name = d->draft < 3 || !schema_pick(3) ? "dependencies" : schema_pick(2) ? "dependentSchemas" : "dependentRequired";
        buf_printf(b, "\"%s\":", name);
        put_dependencies(d, depth, strcmp(name, "dependencies") == 0 ? schema_pick(2) : strcmp(name, "dependentSchemas") == 0);
        break;
    case 23:
        if (d->draft)
            buf_printf(b, "\"%s\":%d", schema_pick(2) ? "exclusiveMinimum" : "exclusiveMaximum", (int)schema_pick(7) - 2);
        else
            BUF_LIT(b, "\"maximum\":3,\"exclusiveMaximum\":true");
        break;
    /* from draft 6 on */
    case 24:
        buf_printf(b, "\"const\":%s", ONE_OF(scalars));
        break;
    case 25: case 26:
        buf_printf(b, "\"%s\":", which == 25 ? "contains" : "propertyNames");
        put_schema(d, depth);
        break;
    /* 7 */
    case 27: case 28:
        BUF_LIT(b, "\"if\":");
        put_schema(d, depth);
        BUF_LIT(b, ",\"then\":");
        put_schema(d, depth);
        if (which == 27) {
            BUF_LIT(b, ",\"else\":");
            put_schema(d, depth);
        }
        break;
    /* 2019-09 */
    case 29: case 30:
        buf_printf(b, "\"%s\":", which == 29 ? "unevaluatedProperties" : "unevaluatedItems");
        if (schema_pick(3))
            BUF_LIT(b, "false");
        else
            put_schema(d, depth);
        break;
    default:
        buf_printf(b, "\"contains\":{\"type\":\"%s\"},\"minContains\":%u,\"maxContains\":%u", ONE_OF(types), schema_pick(3),
                   1 + schema_pick(3));
    }
}

/* One keyword of those that the draft knows. */
static void put_keyword(struct draw *d, int depth, unsigned which)
{
    static const char *const limits[] = { "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties" };
    struct buf *b = d->out;

    switch (which) {
    case 0: case 1:
        BUF_LIT(b, "\"type\":");
        put_types(d);
        break;
    case 2: case 3:
        BUF_LIT(b, "\"properties\":");
        put_map(d, depth, names);
        break;
    case 4:
        BUF_LIT(b, "\"required\":");
        put_names(d, 1 + schema_pick(2), schema_pick(5));
        break;
    case 5: case 6:
        BUF_LIT(b, "\"additionalProperties\":");
        if (schema_pick(2))
            BUF_LIT(b, "false");
        else
            put_schema(d, depth);
        break;
    case 7:
        buf_printf(b, "\"%s\":%u", ONE_OF(limits), schema_pick(4));
        break;
    case 8:
        buf_printf(b, "\"%s\":%d", schema_pick(2) ? "minimum" : "maximum", (int)schema_pick(7) - 2);
        break;
    case 9:
        BUF_LIT(b, "\"enum\":");
        put_values(d);
        break;
    case 10:
        BUF_LIT(b, "\"items\":");
        if (d->draft < 4 && !schema_pick(3))
            put_list(d, depth, 1 + schema_pick(2));
        else
            put_schema(d, depth);
        break;
    case 11:
        if (d->draft == 4) {
            BUF_LIT(b, "\"prefixItems\":");
            put_list(d, depth, 1 + schema_pick(2));
        } else {
            BUF_LIT(b, "\"additionalItems\":");
            put_schema(d, depth);
        }
        break;
    default:
        (which < 21 ? put_choice : put_rarer)(d, depth, which);
    }
}

static void put_schema(struct draw *d, int depth)
{
    static const unsigned known[] = { 24, 27, 29, 32, 32 }; /* keywords of each draft */
    unsigned n = depth ? schema_pick(4) + (depth == 3) : schema_pick(2), used = 0;
    bool any = false;

    if (d->draft && !schema_pick(12)) {
        buf_str(d->out, schema_pick(3) ? "true" : "false");
        return;
    }
    buf_char(d->out, '{');
    for (unsigned i = 0; i < n; i++) {
        unsigned which = depth ? schema_pick(known[d->draft]) : (const unsigned[]){ 0, 8, 9, 7, 16, 0 }[schema_pick(6)];
        /* Those that put the same name are one: a name stands once. */
        static const unsigned char group[] = { 0,  0,  1,  1,  2,  3,  3,  4, 5,  6,  7,  8,  9,  10, 11, 12,
                                               13, 14, 15, 16, 17, 18, 19, 5, 20, 21, 22, 23, 23, 24, 25, 21 };

        if (used >> group[which] & 1)
            continue;
        used |= 1U << group[which];
        if (any)
            buf_char(d->out, ',');
        any = true;
        put_keyword(d, depth - 1, which);
    }
    if (d->defaults && schema_pick(2))
        buf_printf(d->out, "%s\"default\":%s", any ? "," : "", ONE_OF(scalars));
    buf_char(d->out, '}');
}

void schema_draw(struct draw *d)
{
    struct buf *whole = d->out, body = { 0 };

    d->out = &body;
    do {
        buf_reset(&body);
        put_schema(d, 3);
    } while (body.n < 3 || body.p[0] != '{');
    d->out = whole;
    buf_printf(whole, "{\"$schema\":\"%s\",\"definitions\":{\"a\":", drafts[d->draft]);
    put_schema(d, 2);
    BUF_LIT(whole, ",\"b\":");
    put_schema(d, 1);
    BUF_LIT(whole, "},");
    if (d->draft == 4)
        BUF_LIT(whole, "\"$dynamicAnchor\":\"n\",");
    if (d->draft == 3 && schema_pick(2))
        BUF_LIT(whole, "\"$recursiveAnchor\":true,");
    buf_put(whole, body.p + 1, body.n - 1);
    buf_free(&body);
}

/* --- changes -------------------------------------------------------------------------------------------------------- */
void schema_change(struct draw *d, const struct json_node *n, unsigned rate)
{
    bool object = n->type == JSON_OBJECT, any = false;

    if (n->type == JSON_NUMBER && !schema_pick(rate / 3)) {
        buf_printf(d->out, "%d", (int)schema_pick(6));
        return;
    }
    if (!object && n->type != JSON_ARRAY) {
        json_tree_write(n, false, d->out);
        return;
    }
    if (object && n->parent && !schema_pick(rate * 2)) {
        put_schema(d, 1);
        return;
    }
    buf_char(d->out, object ? '{' : '[');
    for (unsigned i = 0; i < n->n; i++) {
        const struct json_node *c = n->child[i];
        bool kept = object && n->parent == NULL && i < 2; /* $schema and definitions */

        if (!kept && !schema_pick(rate) && (object || n->n > 1))
            continue;
        if (any)
            buf_char(d->out, ',');
        any = true;
        if (object) {
            buf_json_string(d->out, c->name);
            buf_char(d->out, ':');
        }
        if (kept && !i)
            json_tree_write(c, false, d->out);
        else
            schema_change(d, c, rate);
    }
    if (object && !schema_pick(rate) && !json_tree_get(n, "maxLength") && !slice_is(n->name, "definitions"))
        buf_printf(d->out, "%s\"maxLength\":%s", any ? "," : "",
                   slice_is(n->name, "properties") || slice_is(n->name, "patternProperties") ? "{}" : "3");
    buf_char(d->out, object ? '}' : ']');
}

/* --- documents ------------------------------------------------------------------------------------------------------ */
static void put_object(struct buf *b, const struct json_node *root, const struct json_node *s, int depth)
{
    const struct json_node *properties = json_tree_get(s, "properties"), *required = json_tree_get(s, "required");
    const struct json_node *additional = json_tree_get(s, "additionalProperties");
    bool any = false;

    buf_char(b, '{');
    for (unsigned i = 0; i < 5; i++) {
        struct slice name = slice_of(names[i]);
        const struct json_node *one = json_tree_member(properties, name);
        bool wanted = schema_pick(4) == 0;

        for (unsigned k = 0; required && required->type == JSON_ARRAY && k < required->n; k++)
            wanted |= slice_eq(required->child[k]->text, name) && schema_pick(8);
        if (!wanted && (!one || schema_pick(2)))
            continue;
        buf_printf(b, "%s\"%s\":", any ? "," : "", names[i]);
        any = true;
        schema_document(b, root, one ? one : additional, depth - 1);
    }
    buf_char(b, '}');
}

static void put_array(struct buf *b, const struct json_node *root, const struct json_node *s, int depth)
{
    const struct json_node *items = json_tree_get(s, "items"), *first = json_tree_get(s, "prefixItems");

    if (items && items->type == JSON_ARRAY) {
        first = items;
        items = json_tree_get(s, "additionalItems");
    }
    buf_char(b, '[');
    for (unsigned i = 0, n = schema_pick(5); i < n; i++) {
        if (i)
            buf_char(b, ',');
        schema_document(b, root, first && i < first->n ? first->child[i] : items, depth - 1);
    }
    buf_char(b, ']');
}

/* Mostly what the schema asks for. */
void schema_document(struct buf *b, const struct json_node *root, const struct json_node *s, int depth)
{
    static const char *const lists[] = { "allOf", "anyOf", "oneOf" };
    const struct json_node *v;

    if (!s || s->type != JSON_OBJECT || depth < 0 || !schema_pick(10)) {
        put_value(b, depth > 0 ? 2 : 0);
        return;
    }
    if ((v = json_tree_get(s, "$ref")) && v->type == JSON_STRING && schema_pick(4)) {
        struct slice pointer = { v->text.p + 1, v->text.n - 1 };

        schema_document(b, root, json_tree_at((struct json_node *)(uintptr_t)root, pointer), depth - 1);
        return;
    }
    if ((json_tree_get(s, "$dynamicRef") || json_tree_get(s, "$recursiveRef")) && schema_pick(4)) {
        schema_document(b, root, root, depth - 1);
        return;
    }
    for (int i = 0; i < 3; i++)
        if ((v = json_tree_get(s, lists[i])) && v->n && !schema_pick(2)) {
            schema_document(b, root, v->child[schema_pick(v->n)], depth - 1);
            return;
        }
    if ((v = json_tree_get(s, "const")) || ((v = json_tree_get(s, "enum")) && v->n)) {
        json_tree_write(v->type == JSON_ARRAY && slice_is(v->name, "enum") ? v->child[schema_pick(v->n)] : v, false, b);
        return;
    }
    v = json_tree_get(s, "type");
    v = v && v->type == JSON_ARRAY && v->n ? v->child[schema_pick(v->n)] : v;
    if (json_tree_is(v, "object") ||
        (!v && (json_tree_get(s, "properties") || json_tree_get(s, "required") || json_tree_get(s, "patternProperties"))))
        put_object(b, root, s, depth);
    else if (json_tree_is(v, "array") || (!v && json_tree_get(s, "items")))
        put_array(b, root, s, depth);
    else if (json_tree_is(v, "string"))
        buf_str(b, scalars[11 + schema_pick(8)]);
    else if (json_tree_is(v, "integer") || json_tree_is(v, "number"))
        buf_str(b, scalars[3 + schema_pick(8)]);
    else
        put_value(b, 1);
}
