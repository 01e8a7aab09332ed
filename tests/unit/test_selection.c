#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/engine/arrivals.h"

/* Which streams names and patterns take, and who is told of one that comes. */

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    return (arena = arena_new(1 << 20)) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static enum err make(struct selection *s, const char *const *texts)
{
    struct slice v[8];
    struct fault f = { 0 };
    size_t n = 0;
    enum err e;

    while (texts[n])
        v[n] = slice_of(texts[n]), n++;
    e = selection_make(s, arena, v, n, &f);
    assert_true(e == OK ? !*f.detail : *f.detail != 0);
    return e;
}

static void patterns_match_but_for_weirs_own_streams(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool covers;
    } rows[] = {
        { "*", "orders", true },         { "*", "orders.eu", true },        { "orders.*", "orders.eu", true },
        { "orders.*", "orders", false }, { "*.eu", "orders.eu", true },     { "o*s", "orders", true },
        { "*", "_audit", false },        { "_*", "_audit", true },          { "_aud*t", "_audit", true },
        { "*audit", "_audit", false },   { "*", "saga.pay", false },        { "saga.*", "saga.pay", true },
        { "saga*", "saga.pay", false },  { "saga*", "sagas", true },        { "*", "orders.dlq", false },
        { "*.dlq", "orders.dlq", true }, { "orders.*", "orders.dlq", false }, { "*dlq", "orders.dlq", false },
        { "*dlq", "ordersdlq", true },   { "saga.*", "saga.pay.dlq", false }, { "saga.*.dlq", "saga.pay.dlq", true },
        { "*.dlq", "saga.pay.dlq", false },
    };
    struct selection s;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(make(&s, (const char *const[]){ rows[i].pattern, NULL }), OK);
        if (selection_covers(&s, slice_of(rows[i].name)) != rows[i].covers)
            fail_msg("%s %s %s", rows[i].pattern, rows[i].covers ? "does not match" : "matches", rows[i].name);
        assert_false(selection_names(&s, slice_of(rows[i].name)));
    }
}

static void names_and_patterns_are_told_apart_and_count_once(void **state)
{
    struct selection s;

    (void)state;
    assert_int_equal(make(&s, (const char *const[]){ "a", "b.*", "a", "b.*", "_audit", "*", NULL }), OK);
    assert_int_equal(s.name_n, 2);
    assert_int_equal(s.pattern_n, 2);
    assert_true(selection_names(&s, SLICE("_audit")));
    assert_false(selection_covers(&s, SLICE("_audit")));
    assert_false(selection_names(&s, SLICE("b.x")));
}

static void what_can_match_nothing_is_refused(void **state)
{
    static const char *const bad[] = { "", "A", "a b", "Orders.*", ".*", "-*", "a/*", "*%", "\xc3\xa4*", "a?*" };
    struct slice many[SELECTION_MAX + 1], empty = { "a\0*", 3 };
    char text[130];
    struct selection s;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(make(&s, (const char *const[]){ "good", bad[i], NULL }), ERR_BAD_NAME);
    assert_int_equal(selection_make(&s, arena, &empty, 1, NULL), ERR_BAD_NAME);
    memset(text, '*', sizeof text);
    assert_int_equal(selection_make(&s, arena, &(struct slice){ text, 120 }, 1, NULL), OK);
    assert_int_equal(selection_make(&s, arena, &(struct slice){ text, 121 }, 1, NULL), ERR_BAD_NAME);
    assert_int_equal(make(&s, (const char *const[]){ NULL }), ERR_BAD_PARAMETER);
    for (size_t i = 0; i <= SELECTION_MAX; i++)
        many[i] = SLICE("a");
    assert_int_equal(selection_make(&s, arena, many, SELECTION_MAX, NULL), OK);
    assert_int_equal(selection_make(&s, arena, many, SELECTION_MAX + 1, NULL), ERR_BAD_PARAMETER);
}

/* --- arrivals --- */

struct reader {
    struct selection selection;
    struct arrival *watch;
    int woken;
    bool last_more;
};

static void wake(void *arg, bool more)
{
    struct reader *r = arg;

    r->woken++;
    r->last_more = more;
}

static void only_those_are_woken_whose_patterns_cover_the_new_stream(void **state)
{
    struct reader a = { 0 }, b = { 0 }, c = { 0 };
    struct arrivals all;

    (void)state;
    arrivals_init(&all);
    assert_false(arrivals_waiting(&all));
    make(&a.selection, (const char *const[]){ "a.*", NULL });
    make(&b.selection, (const char *const[]){ "x", "*", NULL });
    make(&c.selection, (const char *const[]){ "_*", NULL });
    a.watch = arrivals_watch(&all, &a.selection, wake, &a);
    b.watch = arrivals_watch(&all, &b.selection, wake, &b);
    c.watch = arrivals_watch(&all, &c.selection, wake, &c);
    assert_true(arrivals_waiting(&all));
    arrivals_came(&all, 1, SLICE("a.new"));
    assert_int_equal(a.woken * 100 + b.woken * 10 + c.woken, 110);
    assert_true(a.last_more != b.last_more); /* the last of a wave wakes the loops */
    arrivals_came(&all, 2, SLICE("b.new"));
    arrivals_came(&all, 3, SLICE("_new"));
    assert_int_equal(a.woken * 100 + b.woken * 10 + c.woken, 121);
    arrivals_unwatch(&all, b.watch);
    arrivals_came(&all, 4, SLICE("b.more"));
    assert_int_equal(b.woken, 2);
    arrivals_unwatch(&all, a.watch);
    arrivals_unwatch(&all, c.watch);
    arrivals_unwatch(&all, NULL);
    assert_false(arrivals_waiting(&all));
    arrivals_free(&all);
}

static void a_mark_that_was_not_notified_wakes_all(void **state)
{
    struct reader a = { 0 };
    struct arrivals all;

    (void)state;
    arrivals_init(&all);
    make(&a.selection, (const char *const[]){ "a.*", NULL });
    a.watch = arrivals_watch(&all, &a.selection, wake, &a);
    arrivals_mark(&all, &(struct stream_mark){ 2, 5 ^ 6 });
    assert_int_equal(a.woken, 1); /* nobody knows what came before */
    arrivals_mark(&all, &(struct stream_mark){ 2, 5 ^ 6 });
    arrivals_came(&all, 9, SLICE("other"));
    arrivals_mark(&all, &(struct stream_mark){ 3, 5 ^ 6 ^ 9 });
    arrivals_went(&all, 5);
    arrivals_mark(&all, &(struct stream_mark){ 2, 6 ^ 9 });
    assert_int_equal(a.woken, 1);
    arrivals_mark(&all, &(struct stream_mark){ 2, 6 ^ 7 }); /* one for another */
    assert_int_equal(a.woken, 2);
    arrivals_mark(&all, &(struct stream_mark){ 3, 6 ^ 7 ^ 8 });
    assert_int_equal(a.woken, 3);
    arrivals_unwatch(&all, a.watch);
    a.watch = arrivals_watch(&all, &a.selection, wake, &a); /* what came while nobody watched is not known */
    arrivals_mark(&all, &(struct stream_mark){ 3, 6 ^ 7 ^ 8 });
    assert_int_equal(a.woken, 4);
    arrivals_unwatch(&all, a.watch);
    arrivals_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(patterns_match_but_for_weirs_own_streams, begin, end),
        cmocka_unit_test_setup_teardown(names_and_patterns_are_told_apart_and_count_once, begin, end),
        cmocka_unit_test_setup_teardown(what_can_match_nothing_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(only_those_are_woken_whose_patterns_cover_the_new_stream, begin, end),
        cmocka_unit_test_setup_teardown(a_mark_that_was_not_notified_wakes_all, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
