#include <setjmp.h>
#include <stdarg.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/base/arena.h"
#include "gateway/base/err.h"

static void allocations_are_aligned_apart_and_writable(void **state)
{
    struct arena *a = arena_new(1 << 20);
    char *last[200];

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        last[i] = arena_alloc(a, i * 7 + 1);
        assert_non_null(last[i]);
        assert_int_equal((uintptr_t)last[i] % alignof(max_align_t), 0);
        memset(last[i], (int)i, i * 7 + 1);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * 7 + 1; k++)
            assert_int_equal((unsigned char)last[i][k], i);
    arena_free(a);
}

static void the_limit_holds_to_the_byte_and_failing_costs_nothing(void **state)
{
    struct arena *a = arena_new(10000);

    (void)state;
    assert_non_null(arena_alloc(a, 4000));
    assert_false(arena_full(a));
    assert_null(arena_alloc(a, 6001));
    assert_true(arena_full(a));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 20));
    assert_int_equal(arena_used(a), 4000);
    assert_non_null(arena_alloc(a, 6000));
    assert_int_equal(arena_used(a), 10000);
    assert_null(arena_alloc(a, 1));
    assert_null(arena_zalloc(a, 1));
    assert_null(arena_strndup(a, "", 0));
    assert_null(arena_printf(a, "x"));
    assert_null(arena_slice(a, SLICE("x")).p);
    assert_false(arena_defer(a, NULL, NULL));
    arena_free(a);
}

static void an_unlimited_arena_still_refuses_what_cannot_be_had(void **state)
{
    struct arena *a = arena_new(SIZE_MAX);

    (void)state;
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 8));
    assert_null(arena_strndup(a, "x", SIZE_MAX));
    arena_free(a);
}

static void many_small_allocations_reach_the_limit_and_not_more(void **state)
{
    struct arena *a = arena_new(100000);
    size_t n = 0;

    (void)state;
    while (arena_alloc(a, 10))
        n++;
    assert_int_equal(n, 10000);
    arena_free(a);
}

static void zalloc_gives_zeroes_where_others_wrote(void **state)
{
    struct arena *a = arena_new(1 << 20);

    (void)state;
    for (int i = 0; i < 50; i++) {
        const char *p = arena_zalloc(a, 333);

        for (int k = 0; k < 333; k++)
            assert_int_equal(p[k], 0);
    }
    arena_free(a);
}

static void copies_are_copies_and_absent_stays_absent(void **state)
{
    struct arena *a = arena_new(1 << 16);
    char text[] = "abc";
    char *s = arena_strndup(a, text, 2);
    struct slice copy = arena_slice(a, SLICE("abc")), empty = arena_slice(a, SLICE(""));

    (void)state;
    text[0] = 'x';
    assert_string_equal(s, "ab");
    assert_true(slice_is(copy, "abc"));
    assert_non_null(empty.p);
    assert_int_equal(empty.n, 0);
    assert_null(arena_slice(a, SLICE_NONE).p);
    assert_string_equal(arena_strndup(a, NULL, 0), "");
    assert_string_equal(arena_printf(a, "%s-%d", "n", 42), "n-42");
    arena_free(a);
}

static char order[8];

static void note(void *arg)
{
    strncat(order, arg, 1);
}

static void deferred_functions_run_last_first(void **state)
{
    struct arena *a = arena_new(1 << 16);

    (void)state;
    order[0] = '\0';
    assert_true(arena_defer(a, note, "1"));
    assert_true(arena_defer(a, note, "2"));
    assert_true(arena_defer(a, note, "3"));
    assert_string_equal(order, "");
    arena_free(a);
    assert_string_equal(order, "321");
    arena_free(NULL);
}

static void a_fault_carries_its_sentence_and_returns_its_code(void **state)
{
    struct fault f = { 0 };

    (void)state;
    assert_int_equal(fault(&f, ERR_CONFLICT, "%s is %d", "n", 3), ERR_CONFLICT);
    assert_string_equal(f.detail, "n is 3");
    assert_int_equal(fault(NULL, ERR_BAD_JSON, "x"), ERR_BAD_JSON);
}

static void a_sentence_that_is_cut_is_not_cut_inside_a_character(void **state)
{
    static const char *const chars[] = { "x", "ä", "€", "😀" };
    struct fault f = { 0 };
    char text[1000];

    (void)state;
    for (size_t c = 0; c < 4; c++)
        for (size_t shift = 0; shift < 4; shift++) {
            size_t n = strlen(chars[c]), at = shift;

            memset(text, '.', shift);
            for (; at + n < sizeof text; at += n)
                memcpy(text + at, chars[c], n);
            text[at] = '\0';
            fault(&f, ERR_CONFLICT, "%s", text);
            assert_int_equal(strlen(f.detail), shift + (sizeof f.detail - 1 - shift) / n * n);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_apart_and_writable),
        cmocka_unit_test(the_limit_holds_to_the_byte_and_failing_costs_nothing),
        cmocka_unit_test(an_unlimited_arena_still_refuses_what_cannot_be_had),
        cmocka_unit_test(many_small_allocations_reach_the_limit_and_not_more),
        cmocka_unit_test(zalloc_gives_zeroes_where_others_wrote),
        cmocka_unit_test(copies_are_copies_and_absent_stays_absent),
        cmocka_unit_test(deferred_functions_run_last_first),
        cmocka_unit_test(a_fault_carries_its_sentence_and_returns_its_code),
        cmocka_unit_test(a_sentence_that_is_cut_is_not_cut_inside_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
