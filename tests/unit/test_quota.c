#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/base/thread.h"
#include "gateway/http/quota.h"

#define S INT64_C(1000000000)

static const struct config sixty = {
    .quota_window_us = 60 * US_PER_S, .quota_requests = 60, .quota_events = 7, .quota_bytes = 1000, .quota_streams = 2,
    .quota_principals = 16,
};

static void a_burst_is_one_window_and_then_it_drips(void **state)
{
    int64_t tat = 0, now = 1000 * S;

    (void)state;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(gcra_left(tat, now, 60 * S, 60), 60 - i);
        assert_int_equal(gcra(&tat, now, 60 * S, 60, 1, true), 0);
    }
    assert_int_equal(gcra_left(tat, now, 60 * S, 60), 0);
    assert_int_equal(gcra(&tat, now, 60 * S, 60, 1, true), S);
    assert_int_equal(gcra(&tat, now, 60 * S, 60, 10, true), 10 * S);
    now += S;
    assert_int_equal(gcra(&tat, now, 60 * S, 60, 1, true), 0);
    assert_int_equal(gcra(&tat, now, 60 * S, 60, 1, true), S);
    now += 3600 * S; /* what was not used does not add up */
    assert_int_equal(gcra_left(tat, now, 60 * S, 60), 60);
    assert_int_equal(gcra(&tat, now, 60 * S, 60, 60, true), 0);
    assert_int_equal(gcra(&tat, now, 60 * S, 60, 1, false), S);
}

static void every_quota_gives_exactly_its_number(void **state)
{
    static const int64_t limits[] = { 1, 2, 3, 7, 10, 11, 13, 97, 600, 999, 65537 };

    (void)state;
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        int64_t tat = 0, now = 5 * S, n = 0;

        for (; !gcra(&tat, now, 60 * S, limits[k], 1, true); n++)
            assert_int_equal(gcra_left(tat, now, 60 * S, limits[k]), limits[k] - n - 1);
        assert_int_equal(n, limits[k]);
    }
}

static void what_exceeds_the_whole_quota_never_passes(void **state)
{
    int64_t tat = 0;

    (void)state;
    assert_int_equal(gcra(&tat, S, 60 * S, 5, 6, true), -1);
    assert_int_equal(tat, 0);
    assert_int_equal(gcra(&tat, S, 60 * S, 5, 5, true), 0);
}

static void all_is_taken_or_nothing(void **state)
{
    struct quota *q = quota_new(&sixty);
    struct account *a = quota_enter(q, SLICE("i"), SLICE("s"));
    struct buf left = { 0 };
    int64_t wait;

    (void)state;
    assert_int_equal(quota_charge(q, a, (int64_t[]){ 1, 3, 1000 }, 0, &wait), QUOTA_RATES);
    assert_int_equal(wait, 0);
    assert_int_equal(quota_charge(q, a, (int64_t[]){ 1, 3, 500 }, 0, &wait), QUOTA_BYTES);
    assert_int_equal(wait, 30 * US_PER_S);
    assert_int_equal(quota_charge(q, a, (int64_t[]){ 1, 8, 0 }, 0, &wait), QUOTA_EVENTS);
    assert_int_equal(wait, -1);
    quota_state(q, a, 0, &left);
    buf_char(&left, '\0');
    assert_string_equal(left.p, "\"requests\";r=59;t=1, \"events\";r=4;t=26, \"bytes\";r=0;t=60, \"streams\";r=2");
    buf_free(&left);
    quota_leave(q, a, false);
    quota_free(q);
}

static void the_policy_is_told_as_the_draft_says(void **state)
{
    const struct config one = { .quota_window_us = US_PER_S, .quota_requests = 600, .quota_principals = 16 };
    const struct config none = { .quota_window_us = US_PER_S, .quota_principals = 16 };
    struct quota *q = quota_new(&sixty);
    struct buf b = { 0 };

    (void)state;
    quota_policy(q, &b);
    buf_char(&b, '\0');
    assert_string_equal(b.p, "\"requests\";q=60;w=60, \"events\";q=7;qu=\"events\";w=60, "
                             "\"bytes\";q=1000;qu=\"content-bytes\";w=60, \"streams\";q=2;qu=\"concurrent-requests\"");
    buf_free(&b);
    assert_true(quota_on(q));
    quota_free(q);
    q = quota_new(&one);
    quota_policy(q, &b);
    buf_char(&b, '\0');
    assert_string_equal(b.p, "\"requests\";q=600;w=1");
    buf_free(&b);
    quota_free(q);
    q = quota_new(&none);
    assert_false(quota_on(q));
    quota_free(q);
}

static void streams_are_given_back(void **state)
{
    struct quota *q = quota_new(&sixty);
    struct account *a = quota_enter(q, SLICE(""), SLICE("s")), *b = quota_enter(q, SLICE("s"), SLICE(""));

    (void)state;
    assert_ptr_not_equal(a, b); /* issuer and subject are not run together */
    assert_ptr_equal(a, quota_enter(q, SLICE(""), SLICE("s")));
    assert_ptr_equal(a, quota_enter(q, SLICE(""), SLICE("s")));
    assert_true(quota_hold(q, a));
    assert_true(quota_hold(q, a));
    assert_false(quota_hold(q, a));
    assert_true(quota_hold(q, b));
    quota_leave(q, a, true);
    assert_true(quota_hold(q, a));
    quota_leave(q, a, true);
    quota_leave(q, a, true);
    quota_leave(q, b, true);
    quota_free(q);
}

static int64_t left_of(struct quota *q, const char *subject)
{
    struct account *a = quota_enter(q, SLICE("i"), slice_of(subject));
    struct buf b = { 0 };
    long long left = -1;

    quota_state(q, a, 0, &b);
    buf_char(&b, '\0');
    assert_int_equal(sscanf(b.p, "\"requests\";r=%lld", &left), 1);
    buf_free(&b);
    quota_leave(q, a, false);
    return left;
}

static void use_one(struct quota *q, struct account *a)
{
    int64_t wait;

    assert_int_equal(quota_charge(q, a, (int64_t[]){ 1, 0, 0 }, 0, &wait), QUOTA_RATES);
}

static void the_least_recently_seen_are_forgotten_but_not_who_is_here(void **state)
{
    struct quota *q = quota_new(&sixty);
    struct account *here = quota_enter(q, SLICE("i"), SLICE("here"));
    char name[16];

    (void)state;
    use_one(q, here);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "s%d", i);
        struct account *a = quota_enter(q, SLICE("i"), slice_of(name));
        use_one(q, a);
        quota_leave(q, a, false);
        assert_int_equal(left_of(q, "s0"), 59); /* seen again and again */
    }
    quota_leave(q, here, false);
    assert_int_equal(left_of(q, "here"), 59);
    assert_int_equal(left_of(q, "s39"), 59);
    assert_int_equal(left_of(q, "s1"), 60); /* forgotten: begins afresh */
    quota_free(q);
}

#define THREADS 4
#define ROUNDS 3000

static void *hammer(void *arg)
{
    struct quota *q = arg;
    char name[16];

    for (int i = 0; i < ROUNDS; i++) {
        struct account *mine, *all = quota_enter(q, SLICE("i"), SLICE("all"));
        int64_t wait;

        snprintf(name, sizeof name, "s%d", i % 50);
        mine = quota_enter(q, SLICE("i"), slice_of(name));
        bool held = quota_hold(q, all);
        quota_charge(q, all, (int64_t[]){ 1, 1, 1 }, 0, &wait);
        quota_charge(q, mine, (int64_t[]){ 1, 0, 0 }, i, &wait);
        quota_leave(q, all, held);
        quota_leave(q, mine, false);
    }
    return NULL;
}

static void threads_count_together(void **state)
{
    struct config c = sixty;
    pthread_t threads[THREADS];
    struct quota *q;

    (void)state;
    c.quota_requests = c.quota_events = c.quota_bytes = 1000000;
    q = quota_new(&c);
    struct account *all = quota_enter(q, SLICE("i"), SLICE("all"));
    for (int i = 0; i < THREADS; i++)
        assert_true(thread_start(&threads[i], "hammer", hammer, q));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(left_of(q, "all"), 1000000 - THREADS * ROUNDS);
    assert_true(quota_hold(q, all) && quota_hold(q, all));
    quota_leave(q, all, false);
    quota_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_one_window_and_then_it_drips),
        cmocka_unit_test(every_quota_gives_exactly_its_number),
        cmocka_unit_test(what_exceeds_the_whole_quota_never_passes),
        cmocka_unit_test(all_is_taken_or_nothing),
        cmocka_unit_test(the_policy_is_told_as_the_draft_says),
        cmocka_unit_test(streams_are_given_back),
        cmocka_unit_test(the_least_recently_seen_are_forgotten_but_not_who_is_here),
        cmocka_unit_test(threads_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
