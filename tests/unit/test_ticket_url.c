#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/http/ticket_url.h"

static struct arena *a;

static int open_arena(void **state)
{
    (void)state;
    a = arena_new(1 << 20);
    return a ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}

static void assert_text(struct slice got, const char *wanted)
{
    if (!slice_is(got, wanted))
        fail_msg("\"%.*s\" is not \"%s\"", (int)got.n, got.p ? got.p : "", wanted);
}

static void the_bound_url_is_the_target_without_what_clients_add(void **state)
{
    static const char *const cases[][2] = {
        { "/a", "/a" },
        { "/a?", "/a" },
        { "/a?&&", "/a" },
        { "/a?ticket=x", "/a" },
        { "/a?ticket", "/a" },
        { "/a?last_event_id=7", "/a" },
        { "/a?x=1&ticket=x&y=2", "/a?x=1&y=2" },
        { "/a?ticket=x&x=1", "/a?x=1" },
        { "/a?x=1&%74icket=x&", "/a?x=1" },
        { "/a?x=1&&y", "/a?x=1&y" },
        { "/a?y&x=1", "/a?y&x=1" },
        { "/a?x=%41", "/a?x=%41" },
        { "/a?tickets=1&my_ticket=2&Ticket=3", "/a?tickets=1&my_ticket=2&Ticket=3" },
        { "/a?ticket%zz=1", "/a?ticket%zz=1" },
        { "/ticket=x?y", "/ticket=x?y" },
        { "/a?x=?ticket=1", "/a?x=?ticket=1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_text(ticket_url(a, slice_of(cases[i][0])), cases[i][1]);
}

static void a_bound_url_is_bound_to_itself(void **state)
{
    static const char *const targets[] = { "/a?x=1&&ticket=q&y=2&", "/a?ticket=1", "/a?%74icket=1&b" };

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct slice once = ticket_url(a, slice_of(targets[i])), twice = ticket_url(a, once);

        assert_true(slice_eq(once, twice));
    }
}

static void the_first_ticket_is_found_raw(void **state)
{
    (void)state;
    assert_text(ticket_in(a, SLICE("/a?x=1&ticket=ab%41&ticket=c")), "ab%41");
    assert_text(ticket_in(a, SLICE("/a?%74ick%65t=q")), "q");
    assert_text(ticket_in(a, SLICE("/a?ticket=")), "");
    assert_text(ticket_in(a, SLICE("/a?ticket")), "");
    assert_null(ticket_in(a, SLICE("/a")).p);
    assert_null(ticket_in(a, SLICE("/a?Ticket=x&tickets=y")).p);
    assert_null(ticket_in(a, SLICE("/ticket=x")).p);
}

static void the_log_sees_no_value_that_may_be_a_secret(void **state)
{
    static const char *const cases[][2] = {
        { "/a?x=1", "/a?x=1" },
        { "/a?type=A&ticket=secret&y=2", "/a?type=A&ticket=&y=2" },
        { "/a?%74icket=secret", "/a?%74icket=" },
        { "/a?TICKET=secret&my_ticket_2=secret", "/a?TICKET=&my_ticket_2=" },
        { "/a?access_token=secret", "/a?access_token=" },
        { "/a?%zz=secret", "/a?%zz=" },
        { "/a?ticket", "/a?ticket" },
        { "/a/ticket=x", "/a/ticket=x" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_text(ticket_hide(a, slice_of(cases[i][0])), cases[i][1]);
}

static void without_memory_nothing_is_let_through(void **state)
{
    struct arena *small = arena_new(1);

    (void)state;
    assert_null(ticket_url(small, SLICE("/a?x=1")).p);
    assert_text(ticket_hide(small, SLICE("/a?ticket=secret")), "/a");
    arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_url_is_the_target_without_what_clients_add),
        cmocka_unit_test(a_bound_url_is_bound_to_itself),
        cmocka_unit_test(the_first_ticket_is_found_raw),
        cmocka_unit_test(the_log_sees_no_value_that_may_be_a_secret),
        cmocka_unit_test(without_memory_nothing_is_let_through),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
