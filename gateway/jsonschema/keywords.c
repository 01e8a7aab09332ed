#include "gateway/jsonschema/keywords.h"

#include <stdlib.h>

#include "gateway/base/decimal.h"

/* clang-format off */
const struct keyword_row keywords[K_END] = {
    [K_ANCHOR]                 = { "$anchor", D_FROM_19, V_CORE, TAKES_STRING },
    [K_COMMENT]                = { "$comment", D_FROM_7, V_CORE, TAKES_STRING },
    [K_DEFS]                   = { "$defs", D_ALL, V_CORE, TAKES_SCHEMA_MAP },
    [K_DYNAMIC_ANCHOR]         = { "$dynamicAnchor", D20, V_CORE, TAKES_STRING },
    [K_DYNAMIC_REF]            = { "$dynamicRef", D20, V_CORE, TAKES_STRING },
    [K_ID]                     = { "$id", D_FROM_6, V_CORE, TAKES_STRING },
    [K_RECURSIVE_ANCHOR]       = { "$recursiveAnchor", D19, V_CORE, TAKES_BOOL },
    [K_RECURSIVE_REF]          = { "$recursiveRef", D19, V_CORE, TAKES_STRING },
    [K_REF]                    = { "$ref", D_ALL, V_CORE, TAKES_STRING },
    [K_SCHEMA]                 = { "$schema", D_ALL, V_CORE, TAKES_STRING },
    [K_VOCABULARY]             = { "$vocabulary", D_FROM_19, V_CORE, TAKES_ANY },
    [K_ADDITIONAL_ITEMS]       = { "additionalItems", D_ALL & ~D20, V_APPLICATOR, TAKES_SCHEMA_OR_BOOL },
    [K_ADDITIONAL_PROPERTIES]  = { "additionalProperties", D_ALL, V_APPLICATOR, TAKES_SCHEMA_OR_BOOL },
    [K_ALL_OF]                 = { "allOf", D_ALL, V_APPLICATOR, TAKES_SCHEMAS },
    [K_ANY_OF]                 = { "anyOf", D_ALL, V_APPLICATOR, TAKES_SCHEMAS },
    [K_CONST]                  = { "const", D_FROM_6, V_VALIDATION, TAKES_ANY },
    [K_CONTAINS]               = { "contains", D_FROM_6, V_APPLICATOR, TAKES_SCHEMA },
    [K_DEFINITIONS]            = { "definitions", D_ALL, V_CORE, TAKES_SCHEMA_MAP },
    [K_DEPENDENCIES]           = { "dependencies", D_ALL, V_APPLICATOR, TAKES_DEPENDENCIES },
    [K_DEPENDENT_REQUIRED]     = { "dependentRequired", D_FROM_19, V_VALIDATION, TAKES_STRINGS_MAP },
    [K_DEPENDENT_SCHEMAS]      = { "dependentSchemas", D_FROM_19, V_APPLICATOR, TAKES_SCHEMA_MAP },
    [K_DESCRIPTION]            = { "description", D_ALL, V_OTHER, TAKES_STRING },
    [K_ELSE]                   = { "else", D_FROM_7, V_APPLICATOR, TAKES_SCHEMA },
    [K_ENUM]                   = { "enum", D_ALL, V_VALIDATION, TAKES_ARRAY },
    [K_EXCLUSIVE_MAXIMUM]      = { "exclusiveMaximum", D_ALL, V_VALIDATION, TAKES_BOUND },
    [K_EXCLUSIVE_MINIMUM]      = { "exclusiveMinimum", D_ALL, V_VALIDATION, TAKES_BOUND },
    [K_FORMAT]                 = { "format", D_ALL, V_FORMAT, TAKES_STRING },
    [K_OLD_ID]                 = { "id", D4, V_CORE, TAKES_STRING },
    [K_IF]                     = { "if", D_FROM_7, V_APPLICATOR, TAKES_SCHEMA },
    [K_ITEMS]                  = { "items", D_ALL, V_APPLICATOR, TAKES_ITEMS },
    [K_MAX_CONTAINS]           = { "maxContains", D_FROM_19, V_VALIDATION, TAKES_COUNT },
    [K_MAXIMUM]                = { "maximum", D_ALL, V_VALIDATION, TAKES_NUMBER },
    [K_MAX_ITEMS]              = { "maxItems", D_ALL, V_VALIDATION, TAKES_COUNT },
    [K_MAX_LENGTH]             = { "maxLength", D_ALL, V_VALIDATION, TAKES_COUNT },
    [K_MAX_PROPERTIES]         = { "maxProperties", D_ALL, V_VALIDATION, TAKES_COUNT },
    [K_MIN_CONTAINS]           = { "minContains", D_FROM_19, V_VALIDATION, TAKES_COUNT },
    [K_MINIMUM]                = { "minimum", D_ALL, V_VALIDATION, TAKES_NUMBER },
    [K_MIN_ITEMS]              = { "minItems", D_ALL, V_VALIDATION, TAKES_COUNT },
    [K_MIN_LENGTH]             = { "minLength", D_ALL, V_VALIDATION, TAKES_COUNT },
    [K_MIN_PROPERTIES]         = { "minProperties", D_ALL, V_VALIDATION, TAKES_COUNT },
    [K_MULTIPLE_OF]            = { "multipleOf", D_ALL, V_VALIDATION, TAKES_DIVISOR },
    [K_NOT]                    = { "not", D_ALL, V_APPLICATOR, TAKES_SCHEMA },
    [K_ONE_OF]                 = { "oneOf", D_ALL, V_APPLICATOR, TAKES_SCHEMAS },
    [K_PATTERN]                = { "pattern", D_ALL, V_VALIDATION, TAKES_REGEX },
    [K_PATTERN_PROPERTIES]     = { "patternProperties", D_ALL, V_APPLICATOR, TAKES_REGEX_MAP },
    [K_PREFIX_ITEMS]           = { "prefixItems", D20, V_APPLICATOR, TAKES_SCHEMAS },
    [K_PROPERTIES]             = { "properties", D_ALL, V_APPLICATOR, TAKES_SCHEMA_MAP },
    [K_PROPERTY_NAMES]         = { "propertyNames", D_FROM_6, V_APPLICATOR, TAKES_SCHEMA },
    [K_REQUIRED]               = { "required", D_ALL, V_VALIDATION, TAKES_STRINGS },
    [K_THEN]                   = { "then", D_FROM_7, V_APPLICATOR, TAKES_SCHEMA },
    [K_TITLE]                  = { "title", D_ALL, V_OTHER, TAKES_STRING },
    [K_TYPE]                   = { "type", D_ALL, V_VALIDATION, TAKES_TYPES },
    [K_UNEVALUATED_ITEMS]      = { "unevaluatedItems", D_FROM_19, V_UNEVALUATED, TAKES_SCHEMA },
    [K_UNEVALUATED_PROPERTIES] = { "unevaluatedProperties", D_FROM_19, V_UNEVALUATED, TAKES_SCHEMA },
    [K_UNIQUE_ITEMS]           = { "uniqueItems", D_ALL, V_VALIDATION, TAKES_BOOL },
};
/* clang-format on */

static int compare(struct slice name, const char *s)
{
    int c = strncasecmp(name.p, s, name.n);

    return c ? c : s[name.n] ? -1 : 0;
}

/* The table is sorted as if letters had no case; what is found must have the right one. */
enum keyword keyword_find(struct slice name)
{
    size_t low = 0, high = K_END;

    if (!name.n || memchr(name.p, '\0', name.n))
        return K_END;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = compare(name, keywords[middle].name);

        if (c == 0)
            return slice_is(name, keywords[middle].name) ? (enum keyword)middle : K_END;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return K_END;
}

uint16_t type_mask(struct slice name, enum draft draft)
{
    static const struct {
        const char *name;
        uint16_t mask;
    } types[] = {
        { "null", 1 << T_NULL },
        { "boolean", 1 << T_FALSE | 1 << T_TRUE },
        { "integer", 1 << T_INT | 1 << T_WHOLE },
        { "number", 1 << T_INT | 1 << T_WHOLE | 1 << T_REAL },
        { "string", 1 << T_STRING },
        { "array", 1 << T_ARRAY },
        { "object", 1 << T_OBJECT },
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (slice_is(name, types[i].name)) /* draft 4: what has a point is no integer */
            return draft == DRAFT_4 && types[i].mask & 1 << T_REAL ? types[i].mask
                   : draft == DRAFT_4                              ? types[i].mask & (uint16_t) ~(1 << T_WHOLE)
                                                                   : types[i].mask;
    return 0;
}

static bool is_schema(const struct node *v, enum draft draft)
{
    return v->type == T_OBJECT || (draft != DRAFT_4 && (v->type == T_TRUE || v->type == T_FALSE));
}

static bool is_bool(const struct node *v)
{
    return v->type == T_TRUE || v->type == T_FALSE;
}

static bool is_count(const struct node *v)
{
    struct decimal d;

    if (v->type != T_INT && v->type != T_WHOLE)
        return false;
    d = decimal_of(node_slice(v));
    return !d.negative;
}

static bool is_divisor(const struct node *v)
{
    struct decimal d;

    if (!node_is_number(v))
        return false;
    d = decimal_of(node_slice(v));
    return !d.negative && d.digits < d.end && !d.vast && decimal_digits(&d) <= DECIMAL_DIVISOR;
}

static const struct node *first_not_string(const struct node *v)
{
    const struct node *e = v + 1;

    for (uint32_t i = 0; i < v->n; i++, e += e->skip)
        if (e->type != T_STRING)
            return e;
    return NULL;
}

static enum err wrong(struct fault *f, enum keyword k, const char *what)
{
    return fault(f, ERR_BAD_BODY, "\"%s\" takes %s.", keywords[k].name, what);
}

static enum err check_types(enum keyword k, const struct node *v, enum draft draft, const struct node **ret_at, struct fault *f)
{
    bool list = v->type == T_ARRAY;
    const struct node *e = list ? v + 1 : v;

    for (uint32_t i = 0; i < (list ? v->n : 1); i++, e += e->skip) {
        if (e->type == T_STRING && type_mask(node_slice(e), draft))
            continue;
        *ret_at = e;
        return wrong(f, k, "null, boolean, integer, number, string, array, object or a list of these");
    }
    return !list || v->n ? OK : wrong(f, k, "at least one type");
}

static enum err check_strings(enum keyword k, const struct node *v, const struct node **ret_at, struct fault *f)
{
    const struct node *bad = v->type == T_ARRAY ? first_not_string(v) : v;

    if (!bad)
        return OK;
    *ret_at = bad;
    return wrong(f, k, "a list of names");
}

/* The entries of an array or object that holds subschemas. */
static enum err check_entries(enum keyword k, const struct node *v, enum draft draft, const struct node **ret_at, struct fault *f)
{
    bool object = v->type == T_OBJECT;
    const struct node *e = v + 1 + object;

    for (uint32_t i = 0; i < v->n; i++, e += e->skip + object) {
        *ret_at = e;
        if (keywords[k].takes == TAKES_STRINGS_MAP || (keywords[k].takes == TAKES_DEPENDENCIES && e->type == T_ARRAY)) {
            enum err err = check_strings(k, e, ret_at, f);

            if (err)
                return err;
        } else if (!is_schema(e, draft)) {
            return fault(f, ERR_BAD_BODY, draft == DRAFT_4 ? "A schema is an object." : "A schema is an object, true or false.");
        }
    }
    *ret_at = v;
    return OK;
}

enum err keyword_check(enum keyword k, const struct node *v, enum draft draft, const struct node **ret_at, struct fault *f)
{
    *ret_at = v;
    switch ((enum takes)keywords[k].takes) {
    case TAKES_ANY:
        return OK;
    case TAKES_STRING: case TAKES_REGEX:
        return v->type == T_STRING ? OK : wrong(f, k, "a string");
    case TAKES_BOOL:
        return is_bool(v) ? OK : wrong(f, k, "true or false");
    case TAKES_NUMBER:
        return node_is_number(v) ? OK : wrong(f, k, "a number");
    case TAKES_BOUND:
        if (draft == DRAFT_4)
            return is_bool(v) ? OK : wrong(f, k, "true or false in draft 4");
        return node_is_number(v) ? OK : wrong(f, k, "a number");
    case TAKES_DIVISOR:
        return is_divisor(v) ? OK : wrong(f, k, "a number above 0 of at most 18 digits");
    case TAKES_COUNT:
        return is_count(v) ? OK : wrong(f, k, "an integer that is not negative");
    case TAKES_TYPES:
        return check_types(k, v, draft, ret_at, f);
    case TAKES_ARRAY:
        return v->type == T_ARRAY ? OK : wrong(f, k, "a list of values");
    case TAKES_STRINGS:
        return check_strings(k, v, ret_at, f);
    case TAKES_SCHEMA:
        return is_schema(v, draft) ? OK
                                   : wrong(f, k, draft == DRAFT_4 ? "a schema: an object" : "a schema: an object, true or false");
    case TAKES_SCHEMA_OR_BOOL:
        return is_schema(v, draft) || is_bool(v) ? OK : wrong(f, k, "a schema: an object, true or false");
    case TAKES_SCHEMAS:
        return v->type == T_ARRAY && v->n ? check_entries(k, v, draft, ret_at, f) : wrong(f, k, "a list of schemas, at least one");
    case TAKES_ITEMS:
        if (v->type == T_ARRAY && draft != DRAFT_2020_12)
            return check_entries(k, v, draft, ret_at, f);
        return is_schema(v, draft) ? OK : wrong(f, k, draft == DRAFT_2020_12 ? "a schema" : "a schema or a list of schemas");
    case TAKES_SCHEMA_MAP: case TAKES_REGEX_MAP: case TAKES_DEPENDENCIES: case TAKES_STRINGS_MAP:
        return v->type == T_OBJECT ? check_entries(k, v, draft, ret_at, f) : wrong(f, k, "an object");
    }
    return OK;
}
