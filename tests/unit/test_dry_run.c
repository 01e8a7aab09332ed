#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/engine/dry_run.h"

static void a_subject_tells_which_type_its_events_have(void **state)
{
    static const struct {
        const char *template, *context, *name;
        const char *type;         /* NULL: none makes this subject; "*": any */
    } rows[] = {
        { "{stream}-{type}", ".", "orders-Placed", "Placed" },
        { "{stream}-{type}", ".", "orders-", NULL },
        { "{stream}-{type}", ".", "orders-a-b", "a-b" },
        { "{stream}-{type}", ".", "order-Placed", NULL },
        { "{stream}-{type}", ".", "o", NULL },
        { "{stream}-{type}", ".x", "orders-Placed", NULL },
        { "{type}", ".", "orders", "orders" },
        { "{type}{type}", ".", "abab", "ab" },
        { "{type}{type}", ".", "abac", NULL },
        { "{type}{type}", ".", "aba", NULL },
        { "x{type}y{type}z", ".", "x{type}y{type}z", "{type}" },
        { "{stream}", ".", "orders", "*" },
        { "{stream}{stream}", ".", "ordersorders", "*" },
        { "{stream}", ".", "orders2", NULL },
        { "all", ".", "all", "*" },
        { "all", ".", "al", NULL },
        { ":.ctx:{type}", ".ctx", "a", "a" },
        { ":.ctx:{type}", ".other", "a", NULL },
        { ":.:{type}", ".", "a", "a" },
        { "{typ}{type}{", ".", "{typ}T{", "T" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *a = arena_new(1 << 12);
        const struct schema_subject s = { slice_of(rows[i].context), slice_of(rows[i].name) };
        struct slice type;
        bool found = dry_run_type(a, slice_of(rows[i].template), SLICE("orders"), &s, &type);

        assert_int_equal(found, rows[i].type != NULL);
        if (found && *rows[i].type == '*')
            assert_null(type.p);
        else if (found)
            assert_true(slice_is(type, rows[i].type));
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_subject_tells_which_type_its_events_have) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
