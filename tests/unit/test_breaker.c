/* The circuit breaker as a value: what opens it, who may probe, what closes it; and a random run against its promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/engine/breaker.h"

#define S INT64_C(1000000)
static const struct breaker_rules rules = { 5, 2, 30 * S };

static void fail_times(struct breaker *b, int n, int64_t now_us)
{
    for (int i = 0; i < n; i++)
        breaker_take(b, &rules, BREAKER_BAD, 0, now_us);
}

static void five_failures_in_a_row_open_it(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };

    (void)state;
    fail_times(&b, 4, S);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_take(&b, &rules, BREAKER_GOOD, 0, S));
    assert_int_equal(b.failures, 0);
    fail_times(&b, 4, S);
    assert_false(breaker_take(&b, &rules, BREAKER_NEITHER, 0, S));
    assert_int_equal(b.state, BREAKER_CLOSED);
    fail_times(&b, 1, 7 * S);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(b.opened_us, 7 * S);
    assert_int_equal(b.failures, 5);
}

static void where_all_goes_well_nothing_changes(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };

    (void)state;
    assert_false(breaker_take(&b, &rules, BREAKER_GOOD, 0, S));
    assert_false(breaker_take(&b, &rules, BREAKER_NEITHER, 0, S));
}

static void answers_of_calls_begun_before_it_opened_do_not_count(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };

    (void)state;
    fail_times(&b, 5, S);
    assert_false(breaker_take(&b, &rules, BREAKER_GOOD, 0, 2 * S));
    assert_false(breaker_take(&b, &rules, BREAKER_BAD, 0, 2 * S));
    assert_int_equal(b.opened_us, S);
}

static void one_probe_at_a_time_and_two_successes_close_it(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    int64_t due;

    (void)state;
    fail_times(&b, 5, 0);
    assert_false(breaker_probe_due(&b, &rules, 30 * S - 1, &due));
    assert_int_equal(due, 30 * S);
    assert_true(breaker_probe_due(&b, &rules, 30 * S, &due));
    breaker_probe(&b, 7, 60 * S);
    assert_false(breaker_probe_due(&b, &rules, 31 * S, &due));
    assert_false(breaker_take(&b, &rules, BREAKER_GOOD, 0, 31 * S));
    assert_true(breaker_take(&b, &rules, BREAKER_GOOD, 7, 31 * S));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_true(breaker_probe_due(&b, &rules, 31 * S, &due));
    breaker_probe(&b, 8, 61 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_VOID, 8, 32 * S));
    assert_true(breaker_probe_due(&b, &rules, 32 * S, &due));
    assert_int_equal(b.successes, 1);
    breaker_probe(&b, 7, 62 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_GOOD, 7, 33 * S));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(b.failures, 0);
}

static void a_probe_that_fails_opens_it_for_as_long_again(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    int64_t due;

    (void)state;
    fail_times(&b, 5, 0);
    breaker_probe(&b, 7, 60 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_BAD, 7, 40 * S));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_false(breaker_probe_due(&b, &rules, 69 * S, &due));
    assert_true(breaker_probe_due(&b, &rules, 70 * S, &due));
}

static void a_probe_of_a_gateway_that_died_is_another_ones(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    int64_t due;

    (void)state;
    fail_times(&b, 5, 0);
    breaker_probe(&b, 7, 60 * S);
    assert_true(breaker_probe_due(&b, &rules, 60 * S, &due));
    breaker_probe(&b, 8, 90 * S);
    assert_false(breaker_take(&b, &rules, BREAKER_BAD, 7, 61 * S));
    assert_true(breaker_take(&b, &rules, BREAKER_GOOD, 8, 61 * S));
}

static void answers_slower_than_a_claim_close_it_too(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };

    (void)state;
    fail_times(&b, 5, 0);
    breaker_probe(&b, 7, 60 * S);
    breaker_probe(&b, 8, 90 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_GOOD, 7, 70 * S));
    assert_int_equal(b.probe_owner, 8); /* it is still its */
    assert_true(breaker_take(&b, &rules, BREAKER_BAD, BREAKER_LATE, 71 * S)); /* not two in a row */
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_int_equal(b.probe_until_us, 90 * S);
    assert_false(breaker_take(&b, &rules, BREAKER_NEITHER, 7, 72 * S));
    breaker_probe(&b, 7, 120 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_GOOD, 8, 95 * S));
    assert_true(breaker_take(&b, &rules, BREAKER_DECIDED, BREAKER_LATE, 96 * S));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(b.probe_owner, 0);
}

static void a_service_that_decides_works_and_one_that_says_nothing_gets_time(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    int64_t due;

    (void)state;
    fail_times(&b, 4, 0);
    assert_false(breaker_take(&b, &rules, BREAKER_DECIDED, 0, 0)); /* business failures do not count, either way */
    fail_times(&b, 1, 0);
    breaker_probe(&b, 7, 60 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_DECIDED, 7, 31 * S));
    assert_int_equal(b.successes, 1);
    breaker_probe(&b, 7, 61 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_NEITHER, 7, 32 * S));
    assert_false(breaker_probe_due(&b, &rules, 62 * S - 1, &due));
    assert_true(breaker_probe_due(&b, &rules, 62 * S, &due));
    breaker_probe(&b, 8, 92 * S);
    assert_true(breaker_take(&b, &rules, BREAKER_DECIDED, 8, 63 * S));
    assert_int_equal(b.state, BREAKER_CLOSED);
}

/* Whatever comes: open only after `failures` bad ones in a row or a bad probe, closed again only after `successes` good probes in a
 * row; and late ones (2: another gateway's) take no claim. */
static void random_runs_keep_the_promises(void **state)
{
    (void)state;
    srand(7);
    for (int run = 0; run < 200; run++) {
        struct breaker b = { .state = BREAKER_CLOSED };
        int bad = 0, good = 0;

        for (int64_t now = 1; now < 400 * S; now += S) {
            enum breaker_outcome o = (enum breaker_outcome)(rand() % 5);
            int64_t due, probe = rand() % 3;
            enum breaker_state before = b.state;

            if (breaker_probe_due(&b, &rules, now, &due) && rand() % 2) {
                breaker_probe(&b, 1, now + rules.open_us);
                good = before == BREAKER_OPEN ? 0 : good;
                before = BREAKER_HALF_OPEN;
            }
            int64_t owner = b.probe_owner, until = b.probe_until_us;
            bool works = o == BREAKER_GOOD || o == BREAKER_DECIDED;

            breaker_take(&b, &rules, o, probe, now);
            if (before == BREAKER_CLOSED) {
                bad = o == BREAKER_BAD ? bad + 1 : o == BREAKER_GOOD ? 0 : bad;
                assert_int_equal(b.state, bad >= 5 ? BREAKER_OPEN : BREAKER_CLOSED);
            } else if (before == BREAKER_OPEN || !probe) {
                assert_int_equal(b.state, before);
            } else {
                good = works ? good + 1 : o == BREAKER_BAD ? 0 : good;
                assert_int_equal(b.state, good == 2                             ? BREAKER_CLOSED
                                          : o == BREAKER_BAD && probe == owner ? BREAKER_OPEN
                                                                               : BREAKER_HALF_OPEN);
                if (probe != owner && b.state == BREAKER_HALF_OPEN)
                    assert_true(b.probe_owner == owner && b.probe_until_us == until);
                good = good == 2 ? 0 : good;
                bad = 0;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_failures_in_a_row_open_it),
        cmocka_unit_test(where_all_goes_well_nothing_changes),
        cmocka_unit_test(answers_of_calls_begun_before_it_opened_do_not_count),
        cmocka_unit_test(one_probe_at_a_time_and_two_successes_close_it),
        cmocka_unit_test(a_probe_that_fails_opens_it_for_as_long_again),
        cmocka_unit_test(a_probe_of_a_gateway_that_died_is_another_ones),
        cmocka_unit_test(answers_slower_than_a_claim_close_it_too),
        cmocka_unit_test(a_service_that_decides_works_and_one_that_says_nothing_gets_time),
        cmocka_unit_test(random_runs_keep_the_promises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
