#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/engine/compat.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define D19 "\"$schema\":\"https://json-schema.org/draft/2019-09/schema\","
#define D20 "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
#define D4 "\"$schema\":\"http://json-schema.org/draft-04/schema#\","

static struct arena *arena;
static struct compat_finding found[8];
static size_t n_found;
static struct fault problem;

static enum err check(struct slice old_text, struct slice new_text)
{
    const struct schema_text writer = { .text = old_text }, reader = { .text = new_text };

    arena_free(arena);
    arena = arena_new(256 << 20);
    return compat_check(SCHEMA_JSON, &reader, &writer, arena, found, 8, &n_found, &problem);
}

struct row {
    const char *old_text, *new_text;
    const char *rule; /* NULL: compatible */
    const char *old_pointer, *new_pointer;
};

static void assert_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];

        if (check(slice_of(r->old_text), slice_of(r->new_text)))
            fail_msg("%s to %s: %s", r->old_text, r->new_text, problem.detail);
        if (!r->rule != !n_found || (n_found && strcmp(found[0].rule, r->rule)))
            fail_msg("%s to %s: %s at %.*s", r->old_text, r->new_text, n_found ? found[0].rule : "compatible",
                     n_found ? (int)found[0].new_pointer.n : 0, n_found ? found[0].new_pointer.p : "");
        if (r->old_pointer &&
            (!slice_is(found[0].old_pointer, r->old_pointer) || !slice_is(found[0].new_pointer, r->new_pointer)))
            fail_msg("%s to %s: at %.*s and %.*s", r->old_text, r->new_text, (int)found[0].old_pointer.n, found[0].old_pointer.p,
                     (int)found[0].new_pointer.n, found[0].new_pointer.p);
        if (n_found && (!found[0].detail.n || found[0].detail.p[found[0].detail.n - 1] != '.'))
            fail_msg("%s: no sentence: %.*s", found[0].rule, (int)found[0].detail.n, found[0].detail.p);
    }
}

static void every_change_of_a_value_has_its_rule(void **state)
{
    static const struct row rows[] = {
        { "{\"type\":\"string\",\"title\":\"a\"}", "{\"type\":\"string\",\"description\":\"b\",\"examples\":[1]}", NULL, NULL,
          NULL },
        { "{\"type\":\"string\"}", "true", NULL, NULL, NULL },
        { "{\"type\":\"string\"}", "{}", NULL, NULL, NULL },
        { "false", "{\"type\":\"string\"}", NULL, NULL, NULL },
        { "true", "{\"type\":\"string\"}", "TYPE_NARROWED", "", "/type" },
        { "true", "false", "SCHEMA_FALSE", "", "" },
        { "{\"type\":\"string\"}", "{\"type\":\"integer\"}", "TYPE_CHANGED", "", "/type" },
        { "{\"type\":\"number\"}", "{\"type\":\"integer\"}", "TYPE_NARROWED", "", "/type" },
        { "{\"type\":\"integer\"}", "{\"type\":\"number\"}", NULL, NULL, NULL },
        { "{\"type\":\"string\"}", "{\"type\":[\"null\",\"string\"]}", NULL, NULL, NULL },
        { "{\"type\":[\"null\",\"string\"]}", "{\"type\":\"string\"}", "TYPE_NARROWED", "", "/type" },
        { "{\"maximum\":5}", "{\"maximum\":6.5}", NULL, NULL, NULL },
        { "{\"maximum\":5}", "{}", NULL, NULL, NULL },
        { "{\"maximum\":5}", "{\"maximum\":4}", "MAXIMUM_DECREASED", "", "/maximum" },
        { "{}", "{\"maximum\":4}", "MAXIMUM_ADDED", "", "/maximum" },
        { "{\"minimum\":5}", "{\"minimum\":4}", NULL, NULL, NULL },
        { "{\"minimum\":5}", "{\"minimum\":6}", "MINIMUM_INCREASED", NULL, NULL },
        { "{\"type\":\"number\"}", "{\"type\":\"number\",\"minimum\":6}", "MINIMUM_ADDED", NULL, NULL },
        { "{\"type\":\"string\"}", "{\"minimum\":6}", NULL, NULL, NULL },
        { "{\"maximum\":5}", "{\"exclusiveMaximum\":5}", "EXCLUSIVE_MAXIMUM_DECREASED", NULL, NULL },
        { "{\"exclusiveMaximum\":5}", "{\"maximum\":5}", NULL, NULL, NULL },
        { "{" D4 "\"minimum\":5}", "{" D4 "\"minimum\":5,\"exclusiveMinimum\":true}", "MINIMUM_INCREASED", NULL, NULL },
        { "{" D4 "\"minimum\":5,\"exclusiveMinimum\":true}", "{" D4 "\"minimum\":5}", NULL, NULL, NULL },
        { "{\"maxLength\":5}", "{\"maxLength\":4}", "MAX_LENGTH_DECREASED", NULL, NULL },
        { "{\"minLength\":5}", "{\"minLength\":4,\"maxLength\":9}", "MAX_LENGTH_ADDED", NULL, NULL },
        { "{\"minLength\":5,\"maxLength\":7}", "{\"minLength\":4,\"maxLength\":9}", NULL, NULL, NULL },
        { "{\"maxItems\":5}", "{\"maxItems\":4}", "MAX_ITEMS_DECREASED", NULL, NULL },
        { "{}", "{\"minItems\":1}", "MIN_ITEMS_ADDED", NULL, NULL },
        { "{}", "{\"minItems\":0,\"minLength\":0,\"minProperties\":0}", NULL, NULL, NULL },
        { "{}", "{\"maxProperties\":1}", "MAX_PROPERTIES_ADDED", NULL, NULL },
        { "{\"minProperties\":1}", "{\"minProperties\":2}", "MIN_PROPERTIES_INCREASED", NULL, NULL },
        { "{\"required\":[\"a\",\"b\"]}", "{\"minProperties\":2}", NULL, NULL, NULL },
        { "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"maxProperties\":1}", NULL, NULL, NULL },
        { "{\"pattern\":\"a\"}", "{}", NULL, NULL, NULL },
        { "{\"pattern\":\"a\"}", "{\"pattern\":\"b\"}", "PATTERN_CHANGED", NULL, NULL },
        { "{}", "{\"pattern\":\"b\"}", "PATTERN_ADDED", NULL, NULL },
        { "{\"type\":\"string\",\"format\":\"date\"}", "{\"type\":\"string\"}", NULL, NULL, NULL },
        { "{\"type\":\"string\"}", "{\"type\":\"string\",\"format\":\"date\"}", "FORMAT_ADDED", NULL, NULL },
        { "{\"format\":\"time\"}", "{\"format\":\"date\"}", "FORMAT_CHANGED", NULL, NULL },
        { "{" D19 "\"type\":\"string\"}", "{" D19 "\"type\":\"string\",\"format\":\"date\"}", NULL, NULL, NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

static void values_that_are_listed_are_looked_at_one_by_one(void **state)
{
    static const struct row rows[] = {
        { "{\"uniqueItems\":true}", "{\"uniqueItems\":false}", NULL, NULL, NULL },
        { "{}", "{\"uniqueItems\":true}", "UNIQUE_ITEMS_ADDED", NULL, NULL },
        { "{\"maxItems\":1}", "{\"uniqueItems\":true}", NULL, NULL, NULL },
        { "{\"multipleOf\":6}", "{\"multipleOf\":1.5}", NULL, NULL, NULL },
        { "{\"multipleOf\":6}", "{\"multipleOf\":4}", "MULTIPLE_OF_CHANGED", NULL, NULL },
        { "{\"type\":\"number\"}", "{\"multipleOf\":4}", "MULTIPLE_OF_ADDED", NULL, NULL },
        { "{\"type\":\"integer\"}", "{\"multipleOf\":0.5}", NULL, NULL, NULL },
        { "{\"enum\":[1,2]}", "{\"enum\":[3,2,1.0]}", NULL, NULL, NULL },
        { "{\"enum\":[1,2]}", "{\"enum\":[1]}", "ENUM_ARRAY_NARROWED", NULL, NULL },
        { "{}", "{\"enum\":[1]}", "ENUM_ARRAY_ADDED", NULL, NULL },
        { "{\"const\":1}", "{\"enum\":[1,2]}", NULL, NULL, NULL },
        { "{\"enum\":[1]}", "{\"const\":1}", NULL, NULL, NULL },
        { "{\"const\":1}", "{\"const\":2}", "ENUM_ARRAY_CHANGED", NULL, NULL },
        { "{\"enum\":[1,\"abc\",null]}", "{\"type\":[\"integer\",\"null\",\"string\"],\"maximum\":1,\"maxLength\":3}", NULL, NULL,
          NULL },
        { "{\"enum\":[{\"a\":[1]}]}",
          "{\"required\":[\"a\"],\"properties\":{\"a\":{\"maxItems\":1,\"items\":{\"multipleOf\":1}}},\"maxProperties\":1}", NULL,
          NULL, NULL },
        { "{\"enum\":[{\"a\":[1]}]}", "{\"properties\":{\"a\":{\"items\":{\"multipleOf\":2}}}}",
          "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", NULL, NULL },
        { "{" D4 "\"type\":\"integer\"}", "{\"type\":\"integer\"}", NULL, NULL, NULL },
        { "{\"type\":\"integer\"}", "{" D4 "\"type\":\"integer\"}", "TYPE_NARROWED", NULL, NULL },
        { "{" D4 "\"type\":\"integer\",\"const\":1}", "{" D4 "\"type\":\"integer\"}", NULL, NULL, NULL },
        { "{\"minimum\":0.1}", "{\"minimum\":0.10000000000000000001}", "MINIMUM_INCREASED", NULL, NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

#define S "{\"type\":\"string\"}"
#define I "{\"type\":\"integer\"}"
#define NULLS "{\"type\":\"null\"}"
#define OPEN(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define CLOSED(properties) "{\"type\":\"object\",\"properties\":{" properties "},\"additionalProperties\":false}"

static void every_change_of_an_object_has_its_rule(void **state)
{
    static const struct row rows[] = {
        { "{\"required\":[\"a\",\"b\"]}", "{\"required\":[\"b\"]}", NULL, NULL, NULL },
        { "{\"required\":[\"b\"]}", "{\"required\":[\"b\",\"a\"]}", "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", "",
          "/required/1" },
        { OPEN("\"a\":{}"), "{\"properties\":{\"a\":{}},\"required\":[\"a\"]}", "REQUIRED_ATTRIBUTE_ADDED", "", "/required/0" },
        { OPEN("\"a\":{\"type\":\"integer\"}"),
          "{\"properties\":{\"a\":{\"type\":\"integer\",\"default\":1}},\"required\":[\"a\"]}", NULL, NULL, NULL },
        { OPEN("\"a\":{\"type\":\"integer\"}"),
          "{\"properties\":{\"a\":{\"type\":\"integer\",\"default\":\"x\"}},\"required\":[\"a\"]}", "REQUIRED_ATTRIBUTE_ADDED",
          NULL, NULL },
        { OPEN("\"a\":{}"), "{\"properties\":{\"a\":{\"default\":1}},\"required\":[\"a\"],\"maxProperties\":3}",
          "REQUIRED_ATTRIBUTE_ADDED", NULL, NULL },
        { CLOSED("\"a\":{}"), CLOSED("\"a\":{},\"b\":{\"type\":\"string\"}"), NULL, NULL, NULL },
        { CLOSED("\"a\":{}"), "{\"properties\":{\"a\":{},\"b\":{}},\"required\":[\"b\"],\"additionalProperties\":false}",
          "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", NULL, NULL },
        { CLOSED("\"a\":{},\"b\":{}"), CLOSED("\"a\":{}"), "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", "/properties/b",
          "/additionalProperties" },
        { OPEN("\"a\":{}"), OPEN("\"a\":{},\"b\":true"), NULL, NULL, NULL },
        { OPEN("\"a\":{}"), OPEN("\"a\":{},\"b\":{\"type\":\"string\"}"), "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", "",
          "/properties/b" },
        { OPEN("\"a\":{},\"b\":{}"), OPEN("\"a\":{}"), NULL, NULL, NULL },
        { "{\"additionalProperties\":{\"type\":\"integer\"}}",
          "{\"properties\":{\"a\":{\"type\":\"number\"}},\"additionalProperties\":{\"type\":\"integer\"}}", NULL, NULL, NULL },
        { "{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"properties\":{\"a\":{\"type\":\"string\"}}}",
          "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", NULL, NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\"}},\"additionalProperties\":{\"type\":\"integer\"}}",
          "{\"additionalProperties\":{\"type\":\"integer\"}}", "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
          NULL, NULL },
        { "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"additionalProperties\":{\"type\":\"integer\"}}",
          "{\"additionalProperties\":{\"type\":\"integer\"}}", NULL, NULL, NULL },
        { "{\"additionalProperties\":false}", "{\"additionalProperties\":{\"type\":\"integer\"}}", NULL, NULL, NULL },
        { "{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"additionalProperties\":{\"type\":\"number\"}}", NULL, NULL,
          NULL },
        { "{\"additionalProperties\":{\"type\":\"number\"}}", "{\"additionalProperties\":{\"type\":\"integer\"}}",
          "ADDITIONAL_PROPERTIES_NARROWED", NULL, NULL },
        { "{}", "{\"additionalProperties\":false}", "ADDITIONAL_PROPERTIES_REMOVED", NULL, NULL },
        { OPEN("\"a\":{\"type\":\"string\",\"maxLength\":3}"), OPEN("\"a\":{\"type\":\"string\",\"maxLength\":2}"),
          "MAX_LENGTH_DECREASED", "/properties/a", "/properties/a/maxLength" },
        { "{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
          "{\"properties\":{\"b\":{}},\"patternProperties\":{\"^x\":{\"type\":\"number\"}},\"additionalProperties\":false}", NULL,
          NULL, NULL },
        { "{\"patternProperties\":{\"^x\":{\"type\":\"number\"}}}", "{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}}}",
          "PATTERN_PROPERTIES_NARROWED", NULL, NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

static void every_change_of_names_and_dependencies_has_its_rule(void **state)
{
    static const struct row rows[] = {
        { "{}", "{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}}}", "PATTERN_PROPERTIES_NARROWED", NULL, NULL },
        { "{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
          "{\"additionalProperties\":{\"type\":\"integer\"}}", NULL, NULL, NULL },
        { "{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
          "{\"additionalProperties\":{\"type\":\"string\"}}", "ADDITIONAL_PROPERTIES_NARROWED", NULL, NULL },
        { "{\"propertyNames\":{\"maxLength\":3}}", "{\"propertyNames\":{\"maxLength\":4}}", NULL, NULL, NULL },
        { "{}", "{\"propertyNames\":{\"maxLength\":4}}", "PROPERTY_NAMES_NARROWED", NULL, NULL },
        { CLOSED("\"abc\":{}"), "{\"propertyNames\":{\"maxLength\":3}}", NULL, NULL, NULL },
        { CLOSED("\"abcd\":{}"), "{\"propertyNames\":{\"maxLength\":3}}", "PROPERTY_NAMES_NARROWED", NULL, NULL },
        { "{\"propertyNames\":{\"enum\":[\"a\"]}}", "{\"properties\":{\"a\":true},\"additionalProperties\":false}", NULL, NULL,
          NULL },
        { "{\"dependencies\":{\"a\":[\"b\"]}}", "{}", NULL, NULL, NULL },
        { "{\"dependencies\":{\"a\":[\"b\",\"c\"]}}", "{\"dependencies\":{\"a\":[\"b\"]}}", NULL, NULL, NULL },
        { "{\"dependencies\":{\"a\":[\"b\"]}}", "{\"dependencies\":{\"a\":[\"b\",\"c\"]}}", "DEPENDENCY_ARRAY_EXTENDED", NULL,
          NULL },
        { "{}", "{\"dependencies\":{\"a\":{\"required\":[\"b\"]}}}", "DEPENDENCY_SCHEMA_ADDED", NULL, NULL },
        { "{\"required\":[\"b\"]}", "{\"dependencies\":{\"a\":{\"required\":[\"b\"]}}}", NULL, NULL, NULL },
        { "{" D19 "\"dependentRequired\":{\"a\":[\"b\"]}}", "{" D19 "\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}", NULL,
          NULL, NULL },
        { "{" D19 "\"dependentSchemas\":{\"a\":{\"maxProperties\":3}}}",
          "{" D19 "\"dependentSchemas\":{\"a\":{\"maxProperties\":2}}}", "DEPENDENCY_SCHEMA_ADDED", NULL, NULL },
        { "{" D20 "\"allOf\":[{\"properties\":{\"a\":{}}}],\"unevaluatedProperties\":false}",
          "{" D20 "\"properties\":{\"a\":{},\"b\":{\"type\":\"null\"}},\"unevaluatedProperties\":false}", NULL, NULL, NULL },
        { "{" D20 "\"properties\":{\"a\":{},\"b\":{}},\"unevaluatedProperties\":false}",
          "{" D20 "\"allOf\":[{\"properties\":{\"a\":{}}}],\"unevaluatedProperties\":false}",
          "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", NULL, NULL },
        { "{" D20 "\"anyOf\":[{\"properties\":{\"a\":{}}},true],\"unevaluatedProperties\":false}",
          "{" D20 "\"properties\":{\"a\":{\"type\":\"null\"}},\"unevaluatedProperties\":false}",
          "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", NULL, NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

static void what_subschemas_evaluate_counts(void **state)
{
    static const struct row rows[] = {
        { "{" D20 "\"anyOf\":[{\"additionalProperties\":" S "}],\"unevaluatedProperties\":false}",
          "{" D20 "\"additionalProperties\":false}", "ADDITIONAL_PROPERTIES_REMOVED", NULL, NULL },
        { "{" D20 "\"dependencies\":{\"a\":{\"properties\":{\"b\":{}}}},\"properties\":{\"a\":{}},\"unevaluatedProperties\":false}",
          "{" D20 "\"properties\":{\"a\":{}},\"additionalProperties\":false}", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", NULL,
          NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

static void a_member_may_be_named_as_a_keyword_is(void **state)
{
    static const struct row rows[] = {
        { "{\"patternProperties\":{\"const\":{\"properties\":{\"a\":{\"const\":1}}}}}",
          "{\"patternProperties\":{\"const\":{\"properties\":{\"a\":{\"const\":2}}}}}", "PATTERN_PROPERTIES_NARROWED", NULL, NULL },
        { "{" D19 "\"dependentSchemas\":{\"enum\":{\"properties\":{\"a\":{\"const\":1}}}}}",
          "{" D19 "\"dependentSchemas\":{\"enum\":{\"properties\":{\"a\":{\"const\":2}}}}}", "DEPENDENCY_SCHEMA_ADDED", NULL,
          NULL },
        { OPEN("\"default\":{\"const\":1}"), OPEN("\"default\":{\"const\":2}"), "ENUM_ARRAY_CHANGED",
          "/properties/default", "/properties/default/const" },
        { "{\"x\":{\"enum\":{\"const\":1}},\"items\":{\"$ref\":\"#/x/enum\"}}", "{\"items\":{\"const\":2}}", "ENUM_ARRAY_CHANGED",
          "/x/enum", "/items/const" },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

static void every_change_of_an_array_has_its_rule(void **state)
{
    static const struct row rows[] = {
        { "{\"items\":{\"type\":\"integer\"}}", "{\"items\":{\"type\":\"number\"}}", NULL, NULL, NULL },
        { "{\"items\":{\"type\":\"number\"}}", "{\"items\":{\"type\":\"integer\"}}", "TYPE_NARROWED", "/items", "/items/type" },
        { "{}", "{\"items\":{\"type\":\"integer\"}}", "ADDITIONAL_ITEMS_NARROWED", NULL, NULL },
        { "{\"items\":[{}],\"additionalItems\":false}", "{\"items\":[{},{\"type\":\"null\"}],\"additionalItems\":false}", NULL,
          NULL, NULL },
        { "{\"items\":[{}]}", "{\"items\":[{},{\"type\":\"null\"}]}", "ITEM_ADDED_TO_OPEN_CONTENT_MODEL", NULL, NULL },
        { "{\"items\":[{}]}", "{\"items\":[{},true]}", NULL, NULL, NULL },
        { "{\"items\":[{},{}]}", "{\"items\":[{}]}", NULL, NULL, NULL },
        { "{\"items\":[{},{}],\"additionalItems\":false}", "{\"items\":[{}],\"additionalItems\":false}",
          "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", NULL, NULL },
        { "{\"items\":[{}]}", "{\"items\":[{}],\"additionalItems\":false}", "ADDITIONAL_ITEMS_REMOVED", NULL, NULL },
        { "{\"items\":[{}],\"additionalItems\":{\"type\":\"number\"}}",
          "{\"items\":[{}],\"additionalItems\":{\"type\":\"integer\"}}", "TYPE_NARROWED", NULL, NULL },
        { "{\"maxItems\":1,\"items\":[{}]}", "{\"items\":[{},{\"type\":\"null\"}]}", NULL, NULL, NULL },
        { "{\"items\":[{\"type\":\"null\"}],\"additionalItems\":false}",
          "{" D20 "\"prefixItems\":[{\"type\":\"null\"}],\"items\":false}", NULL, NULL, NULL },
        { "{" D20 "\"prefixItems\":[{\"type\":\"null\"}],\"unevaluatedItems\":false}",
          "{" D20 "\"prefixItems\":[{\"type\":\"null\"}],\"items\":false}", NULL, NULL, NULL },
        { "{" D20 "\"prefixItems\":[{}],\"contains\":{},\"unevaluatedItems\":false}",
          "{" D20 "\"prefixItems\":[{}],\"items\":false}", "ADDITIONAL_ITEMS_REMOVED", NULL, NULL },
        { "{\"contains\":{\"type\":\"integer\"}}", "{\"contains\":{\"type\":\"number\"}}", NULL, NULL, NULL },
        { "{\"contains\":{\"type\":\"number\"}}", "{\"contains\":{\"type\":\"integer\"}}", "CONTAINS_CHANGED", NULL, NULL },
        { "{}", "{\"contains\":{\"type\":\"integer\"}}", "CONTAINS_CHANGED", NULL, NULL },
        { "{\"minItems\":1,\"items\":{\"type\":\"integer\"}}", "{\"contains\":{\"type\":\"integer\"}}", NULL, NULL, NULL },
        { "{" D20 "\"contains\":{},\"minContains\":2,\"maxContains\":3}",
          "{" D20 "\"contains\":{},\"minContains\":1,\"maxContains\":4}", NULL, NULL, NULL },
        { "{" D20 "\"contains\":{},\"minContains\":2,\"maxContains\":3}",
          "{" D20 "\"contains\":{},\"minContains\":2,\"maxContains\":2}", "CONTAINS_CHANGED", NULL, NULL },
        { "{" D20 "\"title\":\"\"}", "{" D20 "\"contains\":{\"type\":\"null\"},\"minContains\":0}", NULL, NULL, NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

static void every_change_of_a_combination_has_its_rule(void **state)
{
    static const struct row rows[] = {
        { "{\"anyOf\":[" S "]}", "{\"anyOf\":[" I "," S "]}", NULL, NULL, NULL },
        { "{\"anyOf\":[" S "," I "]}", "{\"anyOf\":[" S "]}", "SUM_TYPE_NARROWED", "", "/anyOf" },
        { "{\"oneOf\":[" S "]}", "{\"oneOf\":[" I "," S "]}", NULL, NULL, NULL },
        { "{\"oneOf\":[" S "]}", "{\"oneOf\":[{\"maxLength\":3}," S "]}", "COMBINED_TYPE_SUBSCHEMAS_CHANGED", NULL, NULL },
        { "{\"oneOf\":[" I "," NULLS "]}", "{\"oneOf\":[" NULLS ",{\"type\":\"number\"}," S "]}", NULL, NULL, NULL },
        { "{\"oneOf\":[" I "," NULLS "]}", "{\"oneOf\":[" NULLS ",{\"type\":\"number\"},{\"minimum\":3}]}",
          "COMBINED_TYPE_SUBSCHEMAS_CHANGED", NULL, NULL },
        { "{\"anyOf\":[" I ",{\"minimum\":3}]}", "{\"oneOf\":[{\"minimum\":3}," I "]}", "COMBINED_TYPE_SUBSCHEMAS_CHANGED", NULL,
          NULL },
        { "{\"oneOf\":[" S ",{\"maxLength\":3}]}", "{\"oneOf\":[{\"maxLength\":3}," S "],\"title\":\"x\"}", NULL, NULL, NULL },
        { "{\"oneOf\":[" S "," I "," NULLS "]}", "{\"oneOf\":[" S "," I "]}", "SUM_TYPE_NARROWED", NULL, NULL },
        { "{\"oneOf\":[" S "," I "]}", "{\"anyOf\":[" S "," I "]}", NULL, NULL, NULL },
        { S, "{\"anyOf\":[" S "," I "]}", NULL, NULL, NULL },
        { "{\"type\":[\"string\",\"integer\"]}", "{\"anyOf\":[" S "," I "]}", NULL, NULL, NULL },
        { "{\"anyOf\":[" S "," I "]}", "{\"type\":[\"string\",\"number\"]}", NULL, NULL, NULL },
        { "{}", "{\"anyOf\":[" S "," I "]}", "COMBINED_TYPE_CHANGED", NULL, NULL },
        { "{\"allOf\":[" S ",{\"maxLength\":3}]}", "{\"allOf\":[" S "]}", NULL, NULL, NULL },
        { "{\"allOf\":[" S "]}", "{\"allOf\":[" S ",{\"maxLength\":3}]}", "MAX_LENGTH_ADDED", NULL, NULL },
        { "{\"allOf\":[" S ",{\"maxLength\":3}]}", "{\"type\":\"string\",\"maxLength\":4}", NULL, NULL, NULL },
        { "{\"not\":" S "}", "{\"not\":{\"type\":\"string\",\"maxLength\":3}}", NULL, NULL, NULL },
        { "{\"not\":{\"type\":\"string\",\"maxLength\":3}}", "{\"not\":" S "}", "NOT_TYPE_EXTENDED", NULL, NULL },
        { I, "{\"not\":" S "}", NULL, NULL, NULL },
        { "{\"enum\":[1,2]}", "{\"not\":{\"const\":3}}", NULL, NULL, NULL },
        { "{\"required\":[\"k\"],\"type\":\"object\",\"properties\":{\"k\":{\"const\":1}}}",
          "{\"oneOf\":[{\"required\":[\"k\"],\"properties\":{\"k\":{\"const\":2}}},{\"required\":[\"k\"],"
          "\"properties\":{\"k\":{\"const\":1}}}]}",
          NULL, NULL, NULL },
        { "{\"if\":" S ",\"then\":{\"maxLength\":3},\"else\":" I "}",
          "{\"if\":" S ",\"then\":{\"maxLength\":4},\"else\":{\"type\":\"number\"}}", NULL, NULL, NULL },
        { "{\"if\":" S ",\"then\":{\"maxLength\":3}}", "{\"if\":" S ",\"then\":{\"maxLength\":2}}", "CONDITION_CHANGED", NULL,
          NULL },
        { "{}", "{\"if\":" S ",\"then\":{\"maxLength\":2}}", "CONDITION_CHANGED", NULL, NULL },
        { "{}", "{\"if\":" S ",\"else\":{\"maximum\":2}}", "CONDITION_CHANGED", NULL, NULL },
        { I, "{\"if\":" S ",\"then\":{\"maxLength\":2}}", NULL, NULL, NULL },
        { "{\"if\":" S ",\"then\":{\"maxLength\":3},\"else\":{\"type\":\"null\"}}",
          "{\"type\":[\"string\",\"null\"],\"maxLength\":3}", NULL, NULL, NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

#define TREE(value)                                                                             \
    "{\"$ref\":\"#/definitions/t\",\"definitions\":{\"t\":{\"type\":\"object\",\"properties\":" \
    "{\"v\":" value ",\"next\":{\"$ref\":\"#/definitions/t\"}},\"additionalProperties\":false}}}"

/* Which one $dynamicRef leads to is known only when a document is checked. */
#define TWO_ANCHORS(title)                                                                               \
    "{" D20 "\"title\":\"" title "\",\"$dynamicAnchor\":\"n\",\"items\":{\"$dynamicRef\":\"#n\"}," \
    "\"$defs\":{\"q\":{\"$id\":\"q\",\"$dynamicAnchor\":\"n\"}}}"

static void references_are_followed(void **state)
{
    static const struct row rows[] = {
        { TREE(I), TREE("{\"type\":\"number\"}"), NULL, NULL, NULL },
        { TREE("{\"type\":\"number\"}"), TREE(I), "TYPE_NARROWED", "/definitions/t/properties/v",
          "/definitions/t/properties/v/type" },
        { "{\"properties\":{\"a\":{\"$ref\":\"#/definitions/x\"}},\"definitions\":{\"x\":" I "}}", OPEN("\"a\":" I),
          "TYPE_NARROWED", NULL, NULL },
        { "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/definitions/x\"}},\"definitions\":{\"x\":" I "}}",
          OPEN("\"a\":" I), NULL, NULL, NULL },
        { "{\"$ref\":\"#/definitions/x\",\"maximum\":3,\"definitions\":{\"x\":" I "}}", "{\"maximum\":3}", "MAXIMUM_ADDED", NULL,
          NULL },
        { "{" D19 "\"$ref\":\"#/$defs/x\",\"maximum\":3,\"$defs\":{\"x\":" I "}}", "{" D19 "\"maximum\":3}", NULL, NULL, NULL },
        { "{\"$id\":\"http://a/b/c.json\",\"items\":{\"$ref\":\"d.json#x\"},\"definitions\":{\"q\":{\"$id\":\"/b/d.json\","
          "\"definitions\":{\"y\":{\"$id\":\"#x\",\"type\":\"integer\"}}}}}",
          "{\"items\":{\"type\":\"integer\"}}", NULL, NULL, NULL },
        { "{" D20 "\"items\":{\"$ref\":\"#x\"},\"$defs\":{\"q\":{\"$anchor\":\"x\",\"type\":\"integer\"}}}",
          "{" D20 "\"items\":{\"type\":\"integer\"}}", NULL, NULL, NULL },
        { "{\"properties\":{\"s\":{\"$ref\":\"http://json-schema.org/draft-07/schema#\"},\"a\":" I "}}",
          "{\"properties\":{\"s\":{\"$ref\":\"http://json-schema.org/draft-07/schema#\"},\"a\":{\"type\":\"number\"}}}", NULL,
          NULL, NULL },
        { I, "{\"$ref\":\"http://elsewhere/x\"}", "REFERENCE_UNKNOWN", NULL, NULL },
        { "{" D19 "\"properties\":{\"c\":{\"$recursiveRef\":\"#\"},\"v\":" I "},\"additionalProperties\":false}",
          "{" D19 "\"properties\":{\"c\":{\"$recursiveRef\":\"#\"},\"v\":{\"type\":\"number\"}},\"additionalProperties\":false}",
          NULL, NULL, NULL },
        { "{" D20 "\"$dynamicAnchor\":\"n\",\"properties\":{\"c\":{\"$dynamicRef\":\"#n\"},\"v\":" I "}}",
          "{" D20 "\"$dynamicAnchor\":\"n\",\"properties\":{\"c\":{\"$dynamicRef\":\"#n\"},\"v\":{\"type\":\"number\"}}}", NULL,
          NULL, NULL },
        { "{" D20 "\"title\":\"\"}",
          "{" D20 "\"$ref\":\"#/$defs/a\",\"$dynamicRef\":\"#b\","
          "\"$defs\":{\"a\":{},\"b\":{\"$anchor\":\"b\",\"type\":\"string\"}}}",
          "TYPE_NARROWED", "", "/$defs/b/type" },
        { TWO_ANCHORS("a"), TWO_ANCHORS("a"), NULL, NULL, NULL },
        { TWO_ANCHORS("a"), TWO_ANCHORS("b"), "REFERENCE_UNKNOWN", NULL, NULL },
        { "{\"$schema\":\"http://elsewhere/\"}", "{\"$schema\":\"http://elsewhere/\",\"title\":\"a\"}", "CANNOT_TELL", "", "" },
        { "{\"$schema\":\"http://json-schema.org/schema#\",\"const\":1}", "{\"const\":1}", NULL, NULL, NULL },
        { "{\"$schema\":\"https://json-schema.org/draft-07/schema\",\"type\":\"integer\"}", "{\"type\":\"number\"}", NULL, NULL,
          NULL },
        /* round in a circle: nothing may be taken for granted */
        { "{\"type\":\"number\"}", "{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"string\"}]}", "COMBINED_TYPE_CHANGED", NULL, NULL },
        { "{\"items\":{\"$ref\":\"#\"}}",
          "{\"items\":{\"$ref\":\"#/definitions/z\"},\"allOf\":[{\"$ref\":\"#/definitions/z\"}],"
          "\"definitions\":{\"z\":{\"anyOf\":[{\"$ref\":\"#\"},false]}}}",
          "COMBINED_TYPE_CHANGED", NULL, NULL },
    };

    (void)state;
    assert_rows(rows, N(rows));
}

static void unions_of_many_branches_are_compared_branch_by_branch(void **state)
{
    enum { BRANCHES = 100 };
    struct buf text[3] = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        buf_printf(&text[i], "{\"definitions\":{\"by\":%s},\"oneOf\":[",
                   i == 0 ? CLOSED("\"id\":" I) : i == 1 ? CLOSED("\"id\":" I ",\"name\":" S) : CLOSED("\"id\":" S));
        for (int k = 0; k < BRANCHES + (i == 1); k++)
            buf_printf(&text[i], "%s{\"properties\":{\"kind\":{\"const\":\"k%d\"},\"by\":{\"$ref\":\"#/definitions/by\"}},"
                       "\"type\":\"object\",\"required\":[\"kind\",\"by\"]}", k ? "," : "", k);
        BUF_LIT(&text[i], "]}");
    }
    assert_int_equal(check((struct slice){ text[0].p, text[0].n }, (struct slice){ text[1].p, text[1].n }), OK);
    assert_int_equal(n_found, 0);
    assert_int_equal(check((struct slice){ text[0].p, text[0].n }, (struct slice){ text[2].p, text[2].n }), OK);
    assert_int_equal(n_found, 2);        /* the union, and the first branch that is to blame */
    assert_string_equal(found[1].rule, "TYPE_CHANGED");
    assert_true(slice_is(found[1].new_pointer, "/definitions/by/properties/id/type"));
    for (int i = 0; i < 3; i++)
        buf_free(&text[i]);
}

static void a_counterexample_breaks_where_the_finding_is(void **state)
{
    static const struct slice old_text =
        SLICE("{\"properties\":{\"total\":{\"type\":\"number\"},\"state\":{\"enum\":[\"open\",\"lost\"]}},\"type\":\"object\","
              "\"required\":[\"total\"],\"additionalProperties\":false}");
    static const struct slice new_text =
        SLICE("{\"properties\":{\"total\":{\"type\":\"integer\"},\"state\":{\"enum\":[\"open\"]},\"by\":{\"type\":\"string\"}},"
              "\"type\":\"object\",\"required\":[\"by\",\"total\"],\"additionalProperties\":false}");
    static const char *const want[] = { "{\"total\":0}", "{\"total\":1.5}", "{\"total\":0,\"state\":\"lost\"}" };

    (void)state;
    assert_int_equal(check(old_text, new_text), OK);
    assert_int_equal(n_found, N(want));
    for (size_t i = 0; i < N(want); i++)
        assert_true(slice_is(found[i].counterexample, want[i]));
    assert_int_equal(check(SLICE("{\"pattern\":\"a.*b\"}"), SLICE("{\"pattern\":\"a.*b|c\"}")), OK);
    assert_int_equal(n_found, 1);
    assert_null(found[0].counterexample.p); /* there is none */
}

static void documents_that_are_referred_to_are_compared_too(void **state)
{
    static const struct schema_reference narrow = { SLICE("http://a/x.json"), SLICE("{\"type\":\"integer\"}") };
    static const struct schema_reference wide = { SLICE("http://a/x.json"), SLICE("{\"type\":\"number\"}") };
    static const struct schema_text with_narrow = { SLICE("{\"$ref\":\"http://a/x.json\"}"), &narrow, 1 };
    static const struct schema_text with_wide = { SLICE("{\"$ref\":\"http://a/x.json\"}"), &wide, 1 };

    (void)state;
    arena_free(arena);
    arena = arena_new(1 << 20);
    assert_int_equal(compat_check(SCHEMA_JSON, &with_wide, &with_narrow, arena, found, 8, &n_found, &problem), OK);
    assert_int_equal(n_found, 0);
    assert_int_equal(compat_check(SCHEMA_JSON, &with_narrow, &with_wide, arena, found, 8, &n_found, &problem), OK);
    assert_int_equal(n_found, 1);
    assert_true(slice_is(found[0].new_pointer, "http://a/x.json#/type"));
    assert_true(slice_is(found[0].old_pointer, "http://a/x.json#"));
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_of_a_value_has_its_rule),
        cmocka_unit_test(values_that_are_listed_are_looked_at_one_by_one),
        cmocka_unit_test(every_change_of_an_object_has_its_rule),
        cmocka_unit_test(every_change_of_names_and_dependencies_has_its_rule),
        cmocka_unit_test(what_subschemas_evaluate_counts),
        cmocka_unit_test(a_member_may_be_named_as_a_keyword_is),
        cmocka_unit_test(every_change_of_an_array_has_its_rule),
        cmocka_unit_test(every_change_of_a_combination_has_its_rule),
        cmocka_unit_test(references_are_followed),
        cmocka_unit_test(unions_of_many_branches_are_compared_branch_by_branch),
        cmocka_unit_test(a_counterexample_breaks_where_the_finding_is),
        cmocka_unit_test(documents_that_are_referred_to_are_compared_too),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
