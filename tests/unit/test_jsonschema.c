#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/jsonschema/jsonschema.h"
#include "gateway/jsonschema/pattern.h"

enum { MAX = 20 };
#define SOON (20 * US_PER_S) /* also under a sanitizer, on a busy machine */

static struct jsonschema *compiled(const char *text)
{
    struct jsonschema *s = NULL;
    struct fault f = { 0 };

    if (jsonschema_compile(slice_of(text), DRAFT_7, NULL, 0, &s, &f))
        fail_msg("%s at \"%s\": %s", f.detail, f.pointer, text);
    return s;
}

static size_t findings(const char *schema, const char *value, struct arena *a, struct finding *ret)
{
    struct jsonschema *s = compiled(schema);
    struct fault f = { 0 };
    size_t n;
    enum err e = jsonschema_validate(s, slice_of(value), a, ret, MAX, &n, &f);

    if (e)
        fail_msg("%s: %s", f.detail, value);
    jsonschema_free(s);
    return n;
}

static bool valid(const char *schema, const char *value)
{
    struct arena *a = arena_new(1 << 20);
    struct finding ret[MAX];
    size_t n = findings(schema, value, a, ret);

    arena_free(a);
    return !n;
}

static void refused(const char *schema, const char *pointer, const char *says)
{
    struct jsonschema *s = NULL;
    struct fault f = { 0 };
    enum err e = jsonschema_compile(slice_of(schema), DRAFT_7, NULL, 0, &s, &f);

    if (e != ERR_BAD_BODY || strcmp(f.pointer, pointer) != 0 || !strstr(f.detail, says))
        fail_msg("%d, \"%s\", %s: %s", e, f.pointer, f.detail, schema);
}

static void a_schema_that_is_none_is_refused_with_the_place(void **state)
{
    (void)state;
    refused("", "", "not JSON");
    refused("{", "", "not JSON");
    refused("[]", "", "no schema");
    refused("{\"a\":1,\"a\":2}", "", "twice");
    refused("{\"type\":\"strng\"}", "/type", "takes null, boolean");
    refused("{\"type\":[\"string\",\"int\"]}", "/type/1", "takes null, boolean");
    refused("{\"properties\":{\"a/b\":{\"minLength\":-1}}}", "/properties/a~1b/minLength", "not negative");
    refused("{\"properties\":{\"a\":7}}", "/properties/a", "true or false");
    refused("{\"definitions\":{\"a\":{\"required\":\"b\"}}}", "/definitions/a/required", "names");
    refused("{\"required\":[1]}", "/required/0", "names");
    refused("{\"multipleOf\":0}", "/multipleOf", "above 0");
    refused("{\"allOf\":[]}", "/allOf", "at least one");
    refused("{\"pattern\":\"(\"}", "/pattern", "regular expression");
    refused("{\"patternProperties\":{\"[\":true}}", "/patternProperties/[", "regular expression");
    refused("{\"$schema\":\"http://example.com/x\"}", "/$schema", "not known");
    refused("{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"exclusiveMaximum\":3}", "/exclusiveMaximum", "draft 4");
    refused("{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"not\":true}", "/not", "an object");
}

static void a_reference_that_leads_nowhere_or_round_is_refused(void **state)
{
    (void)state;
    refused("{\"$ref\":\"#/definitions/a\"}", "/$ref", "leads to nothing");
    refused("{\"items\":{\"$ref\":\"#a\"}}", "/items/$ref", "leads to nothing");
    refused("{\"$ref\":\"http://example.com/a\"}", "/$ref", "nothing is fetched");
    refused("{\"$ref\":\"#\"}", "/$ref", "circle");
    refused("{\"definitions\":{\"a\":{\"$ref\":\"#/definitions/b\"},\"b\":{\"$ref\":\"#/definitions/a\"}},\"items\":{\"$ref\":"
            "\"#/definitions/a\"}}",
            "/items/$ref", "circle");
    refused("{\"allOf\":[{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#\"}]}]}", "", "never end");
    refused("{\"properties\":{\"a\":{\"not\":{\"$ref\":\"#/properties/a\"}}}}", "/properties/a", "never end");
    refused("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$dynamicAnchor\":\"n\","
            "\"not\":{\"$dynamicRef\":\"#n\"}}",
            "", "never end");
    refused("{\"$schema\":\"https://json-schema.org/draft/2019-09/schema\",\"$recursiveAnchor\":true,"
            "\"anyOf\":[{\"$recursiveRef\":\"#\"}]}",
            "", "never end");
    assert_true(valid("{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"type\":\"object\"}", "{\"a\":{\"a\":{}}}"));
}

static void a_document_that_is_given_is_found_by_its_uri_and_its_id(void **state)
{
    const struct jsonschema_document docs[] = {
        { SLICE("money.json"),
          SLICE("{\"$id\":\"http://x/money.json\",\"definitions\":{\"a\":{\"$id\":\"#amount\",\"type\":\"integer\"}}}") },
        { SLICE("unused.json"), SLICE("this is not even JSON") },
    };
    const char *const schemas[] = {
        "{\"$ref\":\"money.json#amount\"}",
        "{\"$id\":\"http://x/order.json\",\"items\":{},\"allOf\":[{\"$ref\":\"money.json#/definitions/a\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct arena *a = arena_new(1 << 20);
        struct finding found[MAX];
        struct jsonschema *s;
        struct fault f = { 0 };
        size_t n;

        if (jsonschema_compile(slice_of(schemas[i]), DRAFT_7, docs, 2, &s, &f))
            fail_msg("%s", f.detail);
        assert_int_equal(jsonschema_validate(s, SLICE("\"3\""), a, found, MAX, &n, &f), OK);
        assert_int_equal(n, 1);
        assert_true(slice_is(found[0].schema_pointer, "http://x/money.json#/definitions/a/type") ||
                    slice_is(found[0].schema_pointer, "money.json#/definitions/a/type"));
        jsonschema_free(s);
        arena_free(a);
    }
}

static void a_finding_names_the_place_the_keyword_and_the_rule(void **state)
{
    static const struct {
        const char *schema, *value, *pointer, *keyword, *schema_pointer, *detail;
    } rows[] = {
        { "{\"type\":\"string\"}", "3", "", "type", "/type", "It is an integer and must be string." },
        { "{\"properties\":{\"a\":{\"items\":{\"maximum\":3}}}}", "{\"a\":[1,4]}", "/a/1", "maximum", "/properties/a/items/maximum",
          "It must be at most 3." },
        { "{\"properties\":{\"a/b~\":false}}", "{\"a/b~\":1}", "/a~1b~0", "properties", "/properties/a~1b~0",
          "This member is not allowed." },
        { "{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "", "required", "/required", "The member \"b\" is missing." },
        { "{\"additionalProperties\":false}", "{\"x\":1}", "/x", "additionalProperties", "/additionalProperties",
          "This member is not allowed." },
        { "{\"enum\":[\"a\",1,null]}", "2", "", "enum", "/enum", "It must be one of \"a\", 1, null." },
        { "{\"const\":\"a\"}", "2", "", "const", "/const", "It must be \"a\"." },
        { "{\"minLength\":2}", "\"\\u00e9\"", "", "minLength", "/minLength", "It must have at least 2 characters." },
        { "{\"pattern\":\"^a\"}", "\"b\"", "", "pattern", "/pattern", "It must match the regular expression ^a" },
        { "{\"format\":\"date\"}", "\"b\"", "", "format", "/format", "It must have the format date." },
        { "{\"uniqueItems\":true}", "[1,2,1.0]", "/2", "uniqueItems", "/uniqueItems", "It equals item 0: items must be unique." },
        { "{\"contains\":{\"const\":1}}", "[2]", "", "contains", "/contains", "None of its items matches." },
        { "{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "/ab", "maxLength", "/propertyNames/maxLength",
          "It must have at most 1 characters." },
        { "{\"dependencies\":{\"a\":[\"b\"]}}", "{\"a\":1}", "", "dependencies", "/dependencies/a",
          "The member \"b\" is missing." },
        { "{\"not\":{}}", "1", "", "not", "/not", "It matches what it must not match." },
        { "{\"oneOf\":[{},true]}", "1", "", "oneOf", "/oneOf", "It matches more than one schema of oneOf, number 1 as well." },
        { "{\"definitions\":{\"a\":{\"type\":\"null\"}},\"items\":{\"$ref\":\"#/definitions/a\"}}", "[1]", "/0", "type",
          "/definitions/a/type", "It is an integer and must be null." },
        { "false", "1", "", "", "", "Nothing is allowed here." },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *a = arena_new(1 << 20);
        struct finding f[MAX];

        if (findings(rows[i].schema, rows[i].value, a, f) != 1 || !slice_is(f->pointer, rows[i].pointer) ||
            !slice_is(f->keyword, rows[i].keyword) || !slice_is(f->schema_pointer, rows[i].schema_pointer) ||
            !slice_is(f->detail, rows[i].detail))
            fail_msg("row %zu: \"%.*s\" %.*s %.*s %.*s", i, (int)f->pointer.n, f->pointer.p, (int)f->keyword.n, f->keyword.p,
                     (int)f->schema_pointer.n, f->schema_pointer.p, (int)f->detail.n, f->detail.p);
        arena_free(a);
    }
}

static void all_that_fails_is_found_up_to_the_number_asked_for(void **state)
{
    static const char schema[] = "{\"required\":[\"x\"],\"properties\":{\"a\":{\"type\":\"null\"}},\"patternProperties\":{\"b\":"
                                 "{\"minimum\":5,\"multipleOf\":2}}}";
    struct arena *a = arena_new(1 << 20);
    struct finding f[MAX];
    struct jsonschema *s = compiled("{\"items\":false}");
    struct fault fault = { 0 };
    size_t n;

    (void)state;
    assert_int_equal(findings(schema, "{\"a\":1,\"b\":1,\"bb\":3}", a, f), 6);
    assert_int_equal(jsonschema_validate(s, SLICE("[1,2,3,4]"), a, f, 3, &n, &fault), OK);
    assert_int_equal(n, 3);
    assert_int_equal(jsonschema_validate(s, SLICE("[1,2,3,4]"), NULL, NULL, 0, &n, &fault), OK);
    assert_int_equal(n, 1);
    jsonschema_free(s);
    arena_free(a);
}

static void of_branches_the_one_that_was_meant_is_explained(void **state)
{
    static const char schema[] =
        "{\"oneOf\":[{\"properties\":{\"kind\":{\"const\":\"a\"},\"v\":{\"type\":\"string\"}},\"required\":[\"kind\",\"v\",\"w\"]},"
        "{\"properties\":{\"kind\":{\"const\":\"b\"},\"v\":{\"properties\":{\"n\":{\"type\":\"integer\"}}}},"
        "\"required\":[\"kind\"]}]}";
    struct arena *a = arena_new(1 << 20);
    struct finding f[MAX];

    (void)state;
    assert_int_equal(findings(schema, "{\"kind\":\"b\",\"v\":{\"n\":\"x\"}}", a, f), 2);
    assert_true(slice_is(f[0].keyword, "oneOf"));
    assert_true(slice_is(f[1].pointer, "/v/n"));
    assert_int_equal(findings(schema, "{\"kind\":\"a\",\"v\":\"1\"}", a, f), 2);
    assert_true(slice_is(f[1].keyword, "required"));
    arena_free(a);
}

static void numbers_are_compared_as_they_are_written(void **state)
{
    (void)state;
    assert_true(valid("{\"maximum\":9007199254740993}", "9007199254740993"));
    assert_false(valid("{\"maximum\":9007199254740992}", "9007199254740993"));
    assert_false(valid("{\"exclusiveMaximum\":1e400}", "1e400"));
    assert_true(valid("{\"exclusiveMaximum\":1e401}", "10e399"));
    assert_true(valid("{\"multipleOf\":0.01}", "4.02"));
    assert_true(valid("{\"multipleOf\":0.0001}", "0.0075"));
    assert_false(valid("{\"multipleOf\":0.01}", "0.0075"));
    assert_true(valid("{\"multipleOf\":3}", "111111111111111111111111111111"));
    assert_false(valid("{\"multipleOf\":3}", "111111111111111111111111111112"));
    assert_true(valid("{\"multipleOf\":7}", "7e999999999999999999"));
    assert_true(valid("{\"type\":\"integer\"}", "1e999999999999999999999"));
    assert_false(valid("{\"type\":\"integer\"}", "1e-999999999999999999999"));
    assert_true(valid("{\"const\":100}", "1.00e2"));
    assert_true(valid("{\"const\":0}", "-0.0"));
    assert_true(valid("{\"minimum\":-1.5}", "-1.50"));
    assert_false(valid("{\"minimum\":-1.5}", "-1.51"));
    assert_false(valid("{\"enum\":[1,2]}", "true"));
    assert_true(valid("{\"maxLength\":1e1}", "\"0123456789\""));
    assert_false(valid("{\"uniqueItems\":true}", "[{\"a\":1,\"b\":[0]},{\"b\":[0.0],\"a\":10e-1}]"));
}

static void a_text_that_is_not_clean_json_is_an_error_and_no_finding(void **state)
{
    static const char *const texts[] = { "", "{", "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":1}",
                                         "[1,]", "\"\\ud800\"", "1 2", "\xff" };
    struct jsonschema *s = compiled("true");

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fault f = { 0 };
        size_t n = 7;

        if (jsonschema_validate(s, slice_of(texts[i]), NULL, NULL, 0, &n, &f) != ERR_BAD_JSON || n || !f.detail[0])
            fail_msg("%s", texts[i]);
    }
    jsonschema_free(s);
}

static void a_name_that_occurs_twice_is_seen_among_many(void **state)
{
    static const unsigned sizes[] = { 2, 8, 9, 200, 257, 3000 };
    struct jsonschema *s = compiled("true");

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int twice = 0; twice < 2; twice++) {
            struct buf b = { 0 };
            struct fault f = { 0 };
            size_t n;

            for (unsigned k = 0; k < sizes[i]; k++)
                buf_printf(&b, "%s\"n%u\":[%u]", k ? "," : "{", twice && k + 1 == sizes[i] ? sizes[i] / 2 - (sizes[i] == 2) : k, k);
            buf_char(&b, '}');
            assert_int_equal(jsonschema_validate(s, (struct slice){ b.p, b.n }, NULL, NULL, 0, &n, &f), twice ? ERR_BAD_JSON : OK);
            buf_free(&b);
        }
    }
    jsonschema_free(s);
}

static void regular_expressions_are_those_of_ecma_262(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        { "^a$", "\"a\\n\"", false },          { "^(a)$", "\"a\\n\"", false },    { "\\\\d", "\"\\u0661\"", false },
        { "\\\\s", "\"\\ufeff\"", true },      { "[^\\\\S]", "\"\\u00a0\"", true }, { "(.)", "\"\\u2028\"", false },
        { "^\\\\u{1F600}$", "\"\xf0\x9f\x98\x80\"", true }, { "^\\\\ud83d\\\\ude00$", "\"\xf0\x9f\x98\x80\"", true },
        { "^.$", "\"\xf0\x9f\x98\x80\"", true }, { "[]", "\"a\"", false },        { "[^]", "\"\\n\"", true },
        { "\\\\cA", "\"\\u0001\"", true },     { "^[[:alpha:]]$", "\"b\"", false }, { "^\\\\p{Letter}$", "\"\xc3\xa9\"", true },
        { "a{,3}", "\"a{,3}\"", true },        { "^x{2}$", "\"xx\"", true },      { "^(\\\\w+)-\\\\1$", "\"ab-ab\"", true },
        { "a\\\\/b", "\"a/b\"", true },        { "^[a-c]{2,3}\\\\.$", "\"abc.\"", true }, { "^[^x]+$", "\"\xc3\xa9\"", true },
    };
    static const char *const wrong[] = { "\\\\Z", "\\\\a", "(?i)a", "(?>a)", "a++", "*", "(?P<n>a)", "(*UTF)", "\\\\x1", "\\\\",
                                         "(", "[a",
                                         "(?R)", "\\\\Qa\\\\E", "\\\\K", "(?#c)", "\\\\p{Nonsense}" };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char schema[200];

        snprintf(schema, sizeof schema, "{\"pattern\":\"%s\"}", rows[i].pattern);
        if (valid(schema, rows[i].text) != rows[i].matches)
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char schema[200];

        snprintf(schema, sizeof schema, "{\"pattern\":\"%s\"}", wrong[i]);
        refused(schema, "/pattern", "regular expression");
    }
}

static void put_atom(struct buf *b, unsigned r)
{
    static const char *const atoms[] = { "a", "b", "-", "[ab]", "[^a]", "[a-c-]", "\\d", "\\W", "\\.", "[\\w.]" };
    static const char *const repeats[] = { "", "", "*", "+", "?", "{2}", "{1,2}", "{1,}", "{0,1}" };

    buf_str(b, atoms[r % 10]);
    buf_str(b, repeats[r / 10 % 9]);
}

/* What needs no backtracking is matched by our own code: in a group it is not, so that PCRE2 is the judge. */
static void simple_patterns_match_as_pcre2_does(void **state)
{
    static const char *const letters[] = { "a", "b", "c", "-", ".", "1", "\xc3\xa9", "_" };
    struct toil t = { .steps = INT64_MAX };
    struct matcher *m = NULL;
    unsigned plain = 0;

    (void)state;
    srand(5);
    for (int i = 0; i < 3000; i++) {
        struct arena *a = arena_new(1 << 20);
        struct buf b = { 0 }, wrapped = { 0 };
        struct pattern *one, *two;

        for (int k = rand() % 4; k >= 0; k--)
            put_atom(&b, (unsigned)rand());
        buf_printf(&wrapped, "^(?:%.*s)%s", (int)b.n, b.p, i % 3 ? "$" : "");
        buf_reset(&b);
        buf_put(&b, "^", 1);
        buf_put(&b, wrapped.p + 4, wrapped.n - 5 - (i % 3 ? 1 : 0));
        buf_str(&b, i % 3 ? "$" : "");
        assert_int_equal(pattern_compile((struct slice){ b.p, b.n }, a, &one, NULL), OK);
        assert_int_equal(pattern_compile((struct slice){ wrapped.p, wrapped.n }, a, &two, NULL), OK);
        plain += !pattern_memory(one);
        for (int k = 0; k < 20; k++) {
            char text[64] = "";

            for (int n = rand() % 7; n > 0; n--)
                strcat(text, letters[rand() % 8]);
            if (pattern_matches(one, slice_of(text), &t, &m) != pattern_matches(two, slice_of(text), &t, &m))
                fail_msg("%.*s on %s", (int)b.n, b.p, text);
        }
        buf_free(&b);
        buf_free(&wrapped);
        arena_free(a);
    }
    matcher_free(m);
    assert_true(plain > 1000);
}

static void takes_little_time(const char *schema, struct slice value, enum err expected)
{
    int64_t begin = clock_mono_us();
    struct jsonschema *s = compiled(schema);
    struct finding found[MAX];
    struct arena *a = arena_new(1 << 20);
    struct fault f = { 0 };
    size_t n;
    enum err e = jsonschema_validate(s, value, a, found, MAX, &n, &f);

    if (e != expected || clock_mono_us() - begin > SOON)
        fail_msg("%d after %lld us: %.100s", e, (long long)(clock_mono_us() - begin), schema);
    arena_free(a);
    jsonschema_free(s);
}

static void branches_that_double_at_every_level_end(void **state)
{
    static const char *const kinds[] = { "allOf", "anyOf", "oneOf" };

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct buf b = { 0 };

        buf_str(&b, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
        for (int i = 0; i < 60; i++)
            buf_printf(&b, "\"d%d\":{\"%s\":[{\"$ref\":\"#/definitions/d%d\"},{\"$ref\":\"#/definitions/d%d\"}]},", i, kinds[k],
                       i + 1, i + 1);
        buf_printf(&b, "\"d60\":{\"enum\":[%d]}}}%c", k ? 2 : 1, '\0');
        takes_little_time(b.p, SLICE("1"), ERR_SCHEMA_LIMIT);
        buf_free(&b);
    }
}

static void regular_expressions_that_explode_end(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_char(&b, '[');
    for (int i = 0; i < 2000; i++)
        buf_printf(&b, "%s\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", i ? "," : "");
    buf_char(&b, ']');
    takes_little_time("{\"items\":{\"pattern\":\"^(a+)+$\"}}", (struct slice){ b.p, b.n }, ERR_SCHEMA_LIMIT);
    takes_little_time("{\"items\":{\"pattern\":\"^(a|a)*$\"}}", (struct slice){ b.p, b.n }, ERR_SCHEMA_LIMIT);
    buf_free(&b);
    refused("{\"pattern\":\"((((a{900}){900}){900}){900})\"}", "/pattern", "regular expression");
}

static void values_that_are_dear_to_compare_end(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_char(&b, '[');
    for (int i = 0; i < 20000; i++)
        buf_printf(&b, "%s[[[[%d]]]]", i ? "," : "", i);
    buf_char(&b, ']');
    takes_little_time("{\"uniqueItems\":true}", (struct slice){ b.p, b.n }, OK);
    buf_reset(&b);
    for (int i = 0; i < 20000; i++)
        buf_printf(&b, "%c\"n%d\":0", i ? ',' : '{', i);
    buf_char(&b, '}');
    takes_little_time("{\"propertyNames\":{\"pattern\":\"^(n\\\\d+)$\"},\"unevaluatedProperties\":false}",
                      (struct slice){ b.p, b.n }, OK);
    buf_free(&b);
}

static void a_schema_that_is_too_large_or_too_deep_is_refused(void **state)
{
    struct buf b = { 0 };
    struct jsonschema *s = NULL;
    struct fault f = { 0 };
    int64_t begin = clock_mono_us();

    (void)state;
    buf_str(&b, "{\"title\":\"");
    for (int i = 0; i < 10 << 10; i++)
        buf_printf(&b, "%01024d", 0);
    buf_str(&b, "\"}");
    assert_int_equal(jsonschema_compile((struct slice){ b.p, b.n }, DRAFT_7, NULL, 0, &s, &f), ERR_BAD_BODY);
    assert_non_null(strstr(f.detail, "too large"));
    buf_reset(&b);
    for (int i = 0; i < 20000; i++)
        buf_str(&b, "{\"not\":");
    assert_int_equal(jsonschema_compile((struct slice){ b.p, b.n }, DRAFT_7, NULL, 0, &s, &f), ERR_BAD_BODY);
    buf_reset(&b);
    buf_str(&b, "{\"anyOf\":[true");
    for (int i = 0; i < JSONSCHEMA_BLOCKS; i++)
        buf_str(&b, ",{}");
    buf_str(&b, "]}");
    assert_int_equal(jsonschema_compile((struct slice){ b.p, b.n }, DRAFT_7, NULL, 0, &s, &f), ERR_BAD_BODY);
    assert_non_null(strstr(f.detail, "subschemas"));
    assert_true(clock_mono_us() - begin < SOON);
    buf_free(&b);
}

static void nesting_ends_at_its_limit_without_harm(void **state)
{
    char value[2 * 130 + 2];

    (void)state;
    memset(value, '[', 120);
    memset(value + 120, ']', 120);
    value[240] = '\0';
    takes_little_time("{\"items\":{\"$ref\":\"#\"},\"maxItems\":2}", slice_of(value), OK);
    takes_little_time("{\"items\":{\"allOf\":[{\"allOf\":[{\"allOf\":[{\"$ref\":\"#\"}]}]}]},\"maxItems\":2}", slice_of(value),
                      ERR_SCHEMA_LIMIT);
    memset(value, '[', 130);
    memset(value + 130, ']', 130);
    value[260] = '\0';
    takes_little_time("{\"items\":{\"$ref\":\"#\"}}", slice_of(value), ERR_BAD_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_that_is_none_is_refused_with_the_place),
        cmocka_unit_test(a_reference_that_leads_nowhere_or_round_is_refused),
        cmocka_unit_test(a_document_that_is_given_is_found_by_its_uri_and_its_id),
        cmocka_unit_test(a_finding_names_the_place_the_keyword_and_the_rule),
        cmocka_unit_test(all_that_fails_is_found_up_to_the_number_asked_for),
        cmocka_unit_test(of_branches_the_one_that_was_meant_is_explained),
        cmocka_unit_test(numbers_are_compared_as_they_are_written),
        cmocka_unit_test(a_text_that_is_not_clean_json_is_an_error_and_no_finding),
        cmocka_unit_test(a_name_that_occurs_twice_is_seen_among_many),
        cmocka_unit_test(regular_expressions_are_those_of_ecma_262),
        cmocka_unit_test(simple_patterns_match_as_pcre2_does),
        cmocka_unit_test(branches_that_double_at_every_level_end),
        cmocka_unit_test(regular_expressions_that_explode_end),
        cmocka_unit_test(values_that_are_dear_to_compare_end),
        cmocka_unit_test(a_schema_that_is_too_large_or_too_deep_is_refused),
        cmocka_unit_test(nesting_ends_at_its_limit_without_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
