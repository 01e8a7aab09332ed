#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/base/thread.h"
#include "gateway/engine/compat.h"

/* Schemas that are made to take long, to go deep, or to be taken for what they are not. */
enum { FINDINGS = 8 };
#define SOON (15 * US_PER_S) /* also under a sanitizer, on a busy machine */

static enum err check(struct slice old_text, struct slice new_text, size_t *ret_n)
{
    const struct schema_text writer = { .text = old_text }, reader = { .text = new_text };
    struct arena *a = arena_new(256 << 20);
    struct compat_finding found[FINDINGS];
    struct fault f;
    enum err e = compat_check(SCHEMA_JSON, &reader, &writer, a, found, FINDINGS, ret_n, &f);

    arena_free(a);
    return e;
}

static void hostile_schemas_end_within_the_budget(void **state)
{
    struct buf wide = { 0 }, deep = { 0 };
    size_t n;

    (void)state;
    BUF_LIT(&wide, "{\"definitions\":{\"d0\":{\"type\":\"integer\"}");
    for (int i = 1; i < 30; i++)
        buf_printf(
            &wide,
            ",\"d%d\":{\"anyOf\":[{\"items\":{\"$ref\":\"#/definitions/d%d\"}},{\"allOf\":[{\"$ref\":\"#/definitions/d%d\"},"
            "{\"not\":{\"$ref\":\"#/definitions/d%d\"}}]}]}",
            i, i - 1, i - 1, i - 1);
    BUF_LIT(&wide, "},\"$ref\":\"#/definitions/d29\"}");
    buf_slice(&deep, (struct slice){ wide.p, wide.n });
    memcpy(memmem(deep.p, deep.n, "\"integer\"", 9), "\"string\" ", 9);
    buf_char(&wide, '\n');
    assert_int_equal(check((struct slice){ wide.p, wide.n - 1 }, (struct slice){ wide.p, wide.n }, &n), OK);
    assert_int_equal(n, 0);
    assert_int_equal(check((struct slice){ wide.p, wide.n }, (struct slice){ deep.p, deep.n }, &n), OK);
    assert_true(n > 0);
    buf_free(&wide);
    buf_free(&deep);
}

/* Definitions that lead one to the next, more than the stack has room for; what differs is at the end. */
static void put_chain(struct buf *b, const char *link, int n, const char *last)
{
    BUF_LIT(b, "{\"definitions\":{");
    for (int i = 0; i < n; i++) {
        buf_printf(b, "\"d%d\":", i);
        buf_printf(b, link, i + 1);
        buf_char(b, ',');
    }
    buf_printf(b, "\"d%d\":%s},\"$ref\":\"#/definitions/d0\"}", n, last);
}

static void *compare_chains(void *good)
{
#define NEXT "{\"$ref\":\"#/definitions/d%d\"}"
    static const struct {
        const char *link;
        int n;
    } chains[] = {
        { "{\"properties\":{\"a\":" NEXT "}}", 300 },
        { "{\"dependencies\":{\"a\":" NEXT "}}", 120 },
        { "{\"items\":" NEXT ",\"contains\":{}}", 300 },
        { "{\"patternProperties\":{\"a.b\":" NEXT "}}", 300 },
    };

    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        struct buf old_text = { 0 }, new_text = { 0 };
        size_t n = 0;

        put_chain(&old_text, chains[i].link, chains[i].n, "{\"maxLength\":3}");
        put_chain(&new_text, chains[i].link, chains[i].n, "{\"maxLength\":2}");
        if (check((struct slice){ old_text.p, old_text.n }, (struct slice){ new_text.p, new_text.n }, &n) || !n)
            good = NULL;
        buf_free(&old_text);
        buf_free(&new_text);
    }
    return good;
}

static void chains_of_references_end_within_the_stack_of_a_thread(void **state)
{
    static char token;
    pthread_t thread;
    void *good;

    (void)state;
    assert_true(thread_start(&thread, "compare", compare_chains, &token));
    assert_int_equal(pthread_join(thread, &good), 0);
    assert_ptr_equal(good, &token);
}

/* What an unknown keyword holds is a schema only when a reference leads there: here while a counterexample is made. */
static void what_is_found_for_one_counterexample_is_there_for_the_next(void **state)
{
    struct buf old_text = { 0 }, new_text = { 0 };
    size_t n;

    (void)state;
    BUF_LIT(&old_text, "{\"required\":[\"a\",\"p1\"],\"properties\":{\"a\":{\"type\":\"integer\"},");
    for (int i = 1; i < 6; i++)
        buf_printf(&old_text, "\"p%d\":{\"type\":\"object\",\"required\":[\"p%d\"],\"properties\":{", i, i + 1);
    BUF_LIT(&old_text, "\"p6\":{\"$ref\":\"#/x/X\"}}}}}}}}}}},\"b\":{\"type\":\"integer\"}},"
                       "\"x\":{\"X\":{\"$id\":\"http://e/x\",\"required\":[\"q\"],"
                       "\"properties\":{\"q\":{\"$ref\":\"#/definitions/y\"}},\"definitions\":{\"y\":{}}}}}");
    BUF_LIT(&new_text, "{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"string\"}}}");
    assert_int_equal(check((struct slice){ old_text.p, old_text.n }, (struct slice){ new_text.p, new_text.n }, &n), OK);
    assert_int_equal(n, 2);
    buf_free(&old_text);
    buf_free(&new_text);
}

static void an_unknown_draft_that_is_found_late_is_not_compared(void **state)
{
#define LATE(type)                                                                                              \
    "{\"properties\":{\"a\":{\"$ref\":\"#/x/foo\"},\"b\":{\"$ref\":\"#/definitions/b\"}},\"definitions\":{\"b\":{" \
    "\"type\":\"" type "\"}},\"x\":{\"foo\":{\"$id\":\"http://e/foo\",\"$schema\":\"http://e/meta\"}}}"
    size_t n = 0;

    (void)state;
    assert_int_equal(check(SLICE(LATE("string")), SLICE(LATE("integer")), &n), OK);
    assert_int_equal(n, 1);
}

/* Among the dynamic anchors is one that only a reference makes a schema. */
static void what_a_reference_brings_late_counts_for_all(void **state)
{
#define DYNAMIC(type)                                                                                                     \
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/a\"},"       \
    "\"b\":{\"$ref\":\"#/x/foo\"}},\"$defs\":{\"a\":{\"$id\":\"a\",\"$dynamicRef\":\"#m\",\"$defs\":{\"m\":{"             \
    "\"$dynamicAnchor\":\"m\"}}}},\"x\":{\"foo\":{\"$id\":\"foo\",\"$ref\":\"a\",\"$defs\":{\"m\":{\"$dynamicAnchor\":" \
    "\"m\",\"type\":\"" type "\"}}}}}"
    size_t n = 0;

    (void)state;
    assert_int_equal(check(SLICE(DYNAMIC("string")), SLICE(DYNAMIC("integer")), &n), OK);
    assert_true(n > 0);
}

/* What is filled in may be what keywords beside the $ref do not allow. */
static void a_default_behind_a_reference_with_others_beside_it_is_not_filled_in(void **state)
{
#define BEHIND(draft, beside)                                                                                            \
    "{\"$schema\":\"https://json-schema.org/draft/" draft "/schema\",\"$ref\":\"#/$defs/t\"" beside ",\"$defs\":{\"t\":{" \
    "\"required\":[\"p\"],\"properties\":{\"p\":{\"default\":1}}}}}"
    size_t n = 0;

    (void)state;
    assert_int_equal(check(SLICE("{\"additionalProperties\":false}"),
                           SLICE(BEHIND("2020-12", ",\"additionalProperties\":false")), &n), OK);
    assert_true(n > 0);
    assert_int_equal(check(SLICE("{\"additionalProperties\":false}"), SLICE(BEHIND("2020-12", "")), &n), OK);
    assert_int_equal(n, 0);
    assert_int_equal(check(SLICE("{\"additionalProperties\":false}"),
                           SLICE("{\"$ref\":\"#/definitions/t\",\"additionalProperties\":false,\"definitions\":{\"t\":{"
                                 "\"required\":[\"p\"],\"properties\":{\"p\":{\"default\":1}}}}}"), &n), OK);
    assert_int_equal(n, 0);
}

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

/* Frees both. */
static void takes_little_time(const char *what, struct buf *old_text, struct buf *new_text)
{
    int64_t begin = clock_mono_us();
    size_t n;
    enum err e = check((struct slice){ old_text->p, old_text->n }, (struct slice){ new_text->p, new_text->n }, &n);

    if (e || clock_mono_us() - begin > SOON)
        fail_msg("%s: %d, %zu after %lld us", what, e, n, (long long)(clock_mono_us() - begin));
    buf_free(old_text);
    buf_free(new_text);
}

/* None is found, or it would end early. */
static void counterexamples_are_looked_for_within_a_budget(void **state)
{
    struct buf old_text = { 0 }, new_text = { 0 };

    (void)state;
    put_many(&old_text, "{\"pattern\":\"^(a|b)*c$\",", 30000, "\"k%d\":1000", "}");
    put_many(&new_text, "{\"pattern\":\"^(b|a)*c$\",", 30000, "\"k%d\":1000", "}");
    takes_little_time("numbers of no keyword", &old_text, &new_text);
    put_many(&old_text, "{\"required\":[", 20000, "\"n%d\"", "],\"properties\":{\"p\":{\"pattern\":\"^(a|b)*c$\"}}}");
    put_many(&new_text, "{\"properties\":{\"p\":{\"pattern\":\"^(b|a)*c$\"}},\"dependencies\":{", 50000, "\"d%d\":[]", "}}");
    takes_little_time("many members", &old_text, &new_text);
    put_many(&old_text, "{\"minItems\":999,\"items\":{\"enum\":[[", 100000, "%d", "]]},\"pattern\":\"^(a|b)*c$\"}");
    buf_str(&new_text, "{\"pattern\":\"^(b|a)*c$\"}");
    takes_little_time("long values", &old_text, &new_text);
}

static void long_lists_are_looked_through_within_the_budget(void **state)
{
    struct buf old_text = { 0 }, new_text = { 0 };

    (void)state;
    put_many(&old_text, "{\"required\":[", 100000, "\"n%d\"", "]}");
    buf_str(&new_text, "{\"required\":[");
    for (int i = 100000; i--;)
        buf_printf(&new_text, "\"n%d\"%s", i, i ? "," : "]}");
    takes_little_time("required", &old_text, &new_text);
    put_many(&old_text, "{\"dependencies\":{\"x\":[", 30000, "\"n%d\"", "]}}");
    buf_str(&new_text, "{\"dependencies\":{\"x\":[");
    for (int i = 30000; i--;)
        buf_printf(&new_text, "\"n%d\"%s", i, i ? "," : "]}}");
    takes_little_time("dependencies", &old_text, &new_text);
    buf_str(&old_text, "{\"allOf\":[{\"enum\":[");
    buf_str(&new_text, "{\"enum\":[");
    for (int i = 0; i < 150; i++) {
        put_many(&old_text, i ? ",[" : "[", 3000, "0", "");
        put_many(&new_text, i ? ",[" : "[", 3000, "0", "");
        buf_printf(&old_text, ",%d]", i);
        buf_printf(&new_text, ",%d]", 149 - i);
    }
    buf_str(&old_text, "]}]}");
    buf_str(&new_text, "]}");
    takes_little_time("enum", &old_text, &new_text);
    put_many(&old_text, "{\"patternProperties\":{", 20000, "\"a%d.\":{\"type\":\"string\"}", "}}");
    put_many(&new_text, "{\"patternProperties\":{", 20000, "\"b%d.\":{\"type\":\"string\"}", "}}");
    takes_little_time("patternProperties", &old_text, &new_text);
}

static void aliases_of_avro_are_looked_for_within_the_budget(void **state)
{
    struct buf old_text = { 0 }, new_text = { 0 };
    struct arena *a = arena_new(256 << 20);
    struct compat_finding found[FINDINGS];
    size_t n = 0;

    (void)state;
    put_many(&old_text, "{\"type\":\"record\",\"name\":\"r\",\"fields\":[", 10000, "{\"name\":\"f%d\",\"type\":\"int\"}", "]}");
    put_many(&new_text,
             "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"x\",\"default\":1,\"type\":\"int\",\"aliases\":[", 10000,
             "\"a%d\"", "]}]}");
    const struct schema_text writer = { .text = { old_text.p, old_text.n } }, reader = { .text = { new_text.p, new_text.n } };

    assert_int_equal(compat_check(SCHEMA_AVRO, &reader, &writer, a, found, FINDINGS, &n, NULL), OK);
    assert_int_equal(n, 1);
    assert_string_equal(found[0].rule, "CANNOT_TELL");
    arena_free(a);
    buf_free(&old_text);
    buf_free(&new_text);
}

static void what_is_no_schema_is_refused(void **state)
{
    size_t n;

    (void)state;
    assert_int_equal(check(SLICE("{"), SLICE("{}"), &n), ERR_BAD_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_schemas_end_within_the_budget),
        cmocka_unit_test(chains_of_references_end_within_the_stack_of_a_thread),
        cmocka_unit_test(what_is_found_for_one_counterexample_is_there_for_the_next),
        cmocka_unit_test(an_unknown_draft_that_is_found_late_is_not_compared),
        cmocka_unit_test(what_a_reference_brings_late_counts_for_all),
        cmocka_unit_test(a_default_behind_a_reference_with_others_beside_it_is_not_filled_in),
        cmocka_unit_test(counterexamples_are_looked_for_within_a_budget),
        cmocka_unit_test(long_lists_are_looked_through_within_the_budget),
        cmocka_unit_test(aliases_of_avro_are_looked_for_within_the_budget),
        cmocka_unit_test(what_is_no_schema_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
