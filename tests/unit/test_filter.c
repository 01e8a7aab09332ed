#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/engine/read.h"

#define ABSENT NULL

static void any_pattern_of_a_list_may_match_and_both_lists_must(void **state)
{
    static const struct {
        const char *types[3], *subjects[3]; /* to the first NULL */
        const char *type, *subject;
        bool match;
    } rows[] = {
        { { ABSENT }, { ABSENT }, "OrderPlaced", "order-1", true },
        { { ABSENT }, { ABSENT }, "OrderPlaced", ABSENT, true },
        { { "OrderPlaced" }, { ABSENT }, "OrderPlaced", ABSENT, true },
        { { "OrderPlaced" }, { ABSENT }, "OrderPaid", ABSENT, false },
        { { "OrderPlaced", "OrderPaid" }, { ABSENT }, "OrderPaid", ABSENT, true },
        { { "Order*", "x" }, { ABSENT }, "OrderPaid", ABSENT, true },
        { { "x", "y" }, { ABSENT }, "OrderPaid", ABSENT, false },
        { { ABSENT }, { "order-*" }, "T", "order-1", true },
        { { ABSENT }, { "order-*" }, "T", "user-1", false },
        { { ABSENT }, { "user-*", "order-*" }, "T", "order-1", true },
        { { ABSENT }, { "user-*", "order-*" }, "T", "user-", true },
        { { ABSENT }, { "*" }, "T", "any", true },
        { { ABSENT }, { "*" }, "T", "", true },
        { { ABSENT }, { "*" }, "T", ABSENT, false }, /* no subject is none that a pattern could match */
        { { ABSENT }, { "" }, "T", ABSENT, false },
        { { "T" }, { "s" }, "T", "s", true },
        { { "T" }, { "s" }, "T", "r", false },
        { { "T" }, { "s" }, "U", "s", false },
        { { "T", "U" }, { "r", "s" }, "U", "s", true },
        { { "x" }, { "*" }, "U", "s", false },
        { { "T" }, { "*" }, "T", ABSENT, false },
        { { "t" }, { ABSENT }, "T", ABSENT, false },
        { { "T%" }, { ABSENT }, "Tx", ABSENT, false }, /* what LIKE would read as a pattern */
        { { "T_" }, { ABSENT }, "Tx", ABSENT, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct filter f = { .type_n = 0 };

        while (f.type_n < 3 && rows[i].types[f.type_n])
            f.types[f.type_n] = slice_of(rows[i].types[f.type_n]), f.type_n++;
        while (f.subject_n < 3 && rows[i].subjects[f.subject_n])
            f.subjects[f.subject_n] = slice_of(rows[i].subjects[f.subject_n]), f.subject_n++;
        if (filter_match(&f, slice_of(rows[i].type), slice_of(rows[i].subject)) != rows[i].match)
            fail_msg("row %zu: %s, %s", i, rows[i].type, rows[i].subject ? rows[i].subject : "no subject");
    }
}

static void no_filter_passes_everything(void **state)
{
    (void)state;
    assert_true(filter_match(NULL, SLICE("T"), SLICE_NONE));
    assert_true(filter_match(NULL, SLICE("T"), SLICE("s")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_pattern_of_a_list_may_match_and_both_lists_must),
        cmocka_unit_test(no_filter_passes_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
