#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/jsonschema/jsonschema.h"

/* Schemas and values that are made to take long: the steps that they may take are few. */
enum { MAX = 20 };
#define SOON (20 * US_PER_S) /* also under a sanitizer, on a busy machine */

/* n times what it says, %d being the number, with commas between. */
static void put_many(struct buf *b, const char *before, int n, const char *each, const char *after)
{
    buf_str(b, before);
    for (int i = 0; i < n; i++) {
        buf_str(b, i ? "," : "");
        buf_printf(b, each, i);
    }
    buf_str(b, after);
}

static void put_long(struct buf *b, const char *before, size_t n, const char *after)
{
    buf_str(b, before);
    for (size_t i = 0; i < n; i++)
        buf_char(b, (char)('1' + i % 9));
    buf_str(b, after);
}

/* Frees both. */
static void takes_little_time(const char *what, struct buf *schema, struct buf *value, enum err expected)
{
    struct arena *a = arena_new(1 << 20);
    struct finding found[MAX];
    struct jsonschema *s = NULL;
    struct fault f = { 0 };
    int64_t begin;
    size_t n;

    assert_false(schema->failed || value->failed);
    if (jsonschema_compile((struct slice){ schema->p, schema->n }, DRAFT_7, NULL, 0, &s, &f))
        fail_msg("%s: %s", what, f.detail);
    begin = clock_mono_us();
    enum err e = jsonschema_validate(s, (struct slice){ value->p, value->n }, a, found, MAX, &n, &f);

    if (e != expected || clock_mono_us() - begin > SOON)
        fail_msg("%s: %d after %lld us", what, e, (long long)(clock_mono_us() - begin));
    jsonschema_free(s);
    arena_free(a);
    buf_free(schema);
    buf_free(value);
}

static void branches_that_are_no_work_by_themselves_are_counted(void **state)
{
    static const char *const before[] = { "{\"items\":{\"anyOf\":[", "{\"items\":{\"oneOf\":[", "{\"items\":{\"allOf\":[" };
    static const char *const each[] = { "{\"type\":\"string\"}", "{\"type\":\"string\"}", "{\"maxLength\":%d}" };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf schema = { 0 }, value = { 0 };

        put_many(&schema, before[i], 20000, each[i], i < 2 ? ",{\"type\":\"integer\"}]}}" : "]}}");
        put_many(&value, "[", 50000, "1", "]");
        takes_little_time(before[i], &schema, &value, ERR_SCHEMA_LIMIT);
    }
}

static void long_numbers_are_counted_by_their_digits(void **state)
{
    static const char *const each[] = { "{\"multipleOf\":1}", "{\"minimum\":0.5}", "{\"enum\":[-1,0.5]}", "{\"const\":2}" };

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct buf schema = { 0 }, value = { 0 };

        put_many(&schema, i < 2 ? "{\"allOf\":[" : "{\"not\":{\"anyOf\":[", 40000, each[i], i < 2 ? "]}" : "]}}");
        put_long(&value, "", 1 << 16, "");
        takes_little_time(each[i], &schema, &value, ERR_SCHEMA_LIMIT);
    }
    struct buf schema = { 0 }, value = { 0 };

    put_long(&schema, "{\"items\":{\"enum\":[0.5,", 1 << 16, ",1]}}");
    put_many(&value, "[", 100000, "1", "]");
    takes_little_time("a long number in the schema", &schema, &value, ERR_SCHEMA_LIMIT);
}

static void long_strings_are_counted_by_their_bytes(void **state)
{
    static const char *const each[] = { "{\"const\":", "{\"enum\":[0,", "{\"properties\":{" };
    static const char *const end[] = { "}", "]}", ":true}}" };
    struct buf schema = { 0 }, value = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        put_many(&schema, "{\"allOf\":[", 40000, "{\"$ref\":\"#/definitions/a\"}", "],\"definitions\":{\"a\":");
        buf_str(&schema, each[i]);
        put_long(&schema, "\"", 1 << 16, "\"");
        buf_str(&schema, end[i]);
        buf_str(&schema, "}}");
        put_long(&value, i < 2 ? "\"" : "{\"", 1 << 16, i < 2 ? "\"" : "\":1}");
        takes_little_time(each[i], &schema, &value, ERR_SCHEMA_LIMIT);
    }
    put_many(&schema, "{\"allOf\":[", 40000, "{\"patternProperties\":{\"^[0-9]*$\":{\"minimum\":%d}}}", "]}");
    put_long(&value, "{\"", 1 << 16, "\":\"\"}");
    takes_little_time("patterns", &schema, &value, ERR_SCHEMA_LIMIT);
    put_many(&schema, "{\"allOf\":[", 40000, "{\"$ref\":\"#/definitions/a\"}", "],\"definitions\":{\"a\":{\"uniqueItems\":true}}}");
    put_long(&value, "[1,\"", 1 << 16, "\"]");
    takes_little_time("uniqueItems", &schema, &value, ERR_SCHEMA_LIMIT);
}

static void regular_expressions_to_compile_are_counted(void **state)
{
    struct buf schema = { 0 }, value = { 0 };

    (void)state;
    buf_str(&schema, "{\"items\":{\"format\":\"regex\"}}");
    buf_str(&value, "[");
    for (int i = 0; i < 2000; i++) {
        buf_str(&value, i ? ",\"" : "\"");
        for (int k = 0; k < 40; k++)
            buf_str(&value, "(?:a|[b-f]{3})*");
        buf_char(&value, '"');
    }
    buf_char(&value, ']');
    takes_little_time("format", &schema, &value, OK);
    put_many(&schema, "{\"allOf\":[", 40000, "{\"$ref\":\"#/definitions/a\"}", "],\"definitions\":{\"a\":{\"format\":\"regex\"}}}");
    buf_str(&value, "\"");
    for (int k = 0; k < 4; k++)
        buf_str(&value, "(?:a|[b-f]{3})*");
    buf_str(&value, "\"");
    takes_little_time("format, often", &schema, &value, ERR_SCHEMA_LIMIT);
}

static void many_names_that_are_missing_are_counted(void **state)
{
    struct buf schema = { 0 }, value = { 0 };

    (void)state;
    put_many(&schema, "{\"required\":[", 50000, "\"n%d\"", ",\"none\"]}");
    buf_str(&value, "{");
    for (int i = 50000; i--;)
        buf_printf(&value, "\"n%d\":0,", i);
    buf_str(&value, "\"m\":0}");
    takes_little_time("required", &schema, &value, ERR_SCHEMA_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_that_are_no_work_by_themselves_are_counted),
        cmocka_unit_test(long_numbers_are_counted_by_their_digits),
        cmocka_unit_test(long_strings_are_counted_by_their_bytes),
        cmocka_unit_test(regular_expressions_to_compile_are_counted),
        cmocka_unit_test(many_names_that_are_missing_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
