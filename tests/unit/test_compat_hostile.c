#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/thread.h"
#include "gateway/engine/compat.h"

/* Schemas that are made to take long or to go deep. */
enum { FINDINGS = 8 };

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
        cmocka_unit_test(what_is_no_schema_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
