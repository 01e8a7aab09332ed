/* Targets of calls on two gateways and one PostgreSQL: slots, rates, and breakers that are one for all. */
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/engine/outbound_targets.h"
#include "tests/db/log_support.h"

#define US_PER_MS INT64_C(1000)

#define LIMITS                                                                                                              \
    .outbound_calls = 10, .outbound_concurrency = 4, .outbound_breaker_failures = 5, .outbound_breaker_successes = 2,       \
    .outbound_poll_us = 50 * US_PER_MS

static const struct config config = { LIMITS, .outbound_targets = 1000, .outbound_breaker_open_us = 300 * US_PER_MS };
/* Keeps few targets in mind. */
static const struct config small = { LIMITS, .outbound_targets = 3, .outbound_breaker_open_us = 300 * US_PER_MS };
/* Its claims of probes are soon over. */
static const struct config quick = { LIMITS, .outbound_targets = 1000, .outbound_breaker_open_us = 100 * US_PER_MS };
/* Its claims of probes outlast a test. */
static const struct config patient = { LIMITS, .outbound_targets = 1000, .outbound_breaker_open_us = 3600 * US_PER_S };
static struct db_config database;
static struct targets here, there;
static atomic_int rooms;

static void on_room(void *arg)
{
    (void)arg;
    atomic_fetch_add(&rooms, 1);
}

static void gateway_begins_with(struct targets *ts, const struct config *c, const char *file)
{
    char err[512];

    memset(ts, 0, sizeof *ts);
    assert_true(targets_init(ts, c, outbound_file_parse(slice_of(file), NULL, NULL, err)));
    assert_true(targets_keep(ts, &database));
    ts->room = on_room;
}

static void gateway_begins(struct targets *ts, const char *file)
{
    gateway_begins_with(ts, &config, file);
}

static void gateway_ends(struct targets *ts)
{
    targets_keep_stop(ts);
    targets_free(ts);
}

static enum outbound_room admit(struct targets *ts, const char *target, struct outbound_slot *ret)
{
    int64_t wait_us;

    return targets_admit(ts, slice_of(target), ret, &wait_us);
}

/* Until the target's row was read, and whatever else holds it up for a moment. */
static struct outbound_slot admitted(struct targets *ts, const char *target)
{
    struct outbound_slot slot;

    for (int ms = 0; admit(ts, target, &slot) != OUTBOUND_ROOM; ms++) {
        assert_true(ms < 60000);
        usleep(1000);
    }
    return slot;
}

static void call(struct targets *ts, const char *target, enum breaker_outcome o)
{
    targets_finish(ts, admitted(ts, target), o, true);
}

static void open_breaker(struct targets *ts, const char *target)
{
    for (int i = 0; i < 5; i++)
        call(ts, target, BREAKER_BAD);
    side_until("select state = 1 from weir.saga_targets where target = '%s'", target);
}

/* Until what its calls said is in the database. */
static void told(struct targets *ts, const char *target)
{
    size_t left = 1;

    for (int ms = 0; left; ms++) {
        assert_true(ms < 60000);
        pthread_mutex_lock(&ts->lock);
        left = targets_known(ts, slice_of(target))->pending_n;
        pthread_mutex_unlock(&ts->lock);
        usleep(left ? 1000 : 0);
    }
}

/* Until this gateway has heard of so many failures. */
static void until_heard(struct targets *ts, const char *target, int failures)
{
    int heard = -1;

    for (int ms = 0; heard != failures; ms++) {
        assert_true(ms < 60000);
        usleep(1000);
        pthread_mutex_lock(&ts->lock);
        heard = targets_find(ts, slice_of(target))->breaker.failures;
        pthread_mutex_unlock(&ts->lock);
    }
}

static int begin(void **state)
{
    (void)state;
    log_open("weir_targets");
    database = test_config();
    gateway_begins(&here, "{}");
    gateway_begins(&there, "{}");
    return 0;
}

static int end(void **state)
{
    (void)state;
    gateway_ends(&here);
    gateway_ends(&there);
    log_close();
    return 0;
}

static void while_all_goes_well_nothing_is_written(void **state)
{
    int64_t before;

    (void)state;
    call(&here, "http://well", BREAKER_GOOD);
    before = side_int("select xmin::text::int8 from weir.saga_targets where target = 'http://well'");
    for (int i = 0; i < 50; i++)
        call(&here, "http://well", i % 3 ? BREAKER_GOOD : BREAKER_NEITHER);
    usleep(200000);
    assert_int_equal(side_int("select xmin::text::int8 from weir.saga_targets where target = 'http://well'"), before);
}

static void failures_of_all_gateways_open_the_breaker_of_all(void **state)
{
    static struct targets one, two;
    struct outbound_slot slot;

    (void)state;
    gateway_begins_with(&one, &patient, "{}");
    gateway_begins_with(&two, &patient, "{}");
    for (int i = 0; i < 3; i++)
        call(&one, "http://down", BREAKER_BAD);
    side_until("select failures = 3 from weir.saga_targets where target = 'http://down'");
    for (int i = 0; i < 2; i++)
        call(&two, "http://down", BREAKER_BAD);
    side_until("select state = 1 and failures = 5 from weir.saga_targets where target = 'http://down'");
    for (int ms = 0; admit(&one, "http://down", &slot) == OUTBOUND_ROOM; ms++) {
        targets_finish(&one, slot, BREAKER_NEITHER, true);
        assert_true(ms < 60000);
        usleep(1000);
    }
    call(&one, "http://up", BREAKER_GOOD); /* others are not affected */
    gateway_ends(&one);
    gateway_ends(&two);
}

static void a_success_anywhere_begins_the_count_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        call(&here, "http://weak", BREAKER_BAD);
    side_until("select failures = 4 from weir.saga_targets where target = 'http://weak'");
    call(&there, "http://weak", BREAKER_NEITHER);
    until_heard(&there, "http://weak", 4);
    call(&there, "http://weak", BREAKER_GOOD);
    side_until("select failures = 0 from weir.saga_targets where target = 'http://weak'");
}

static void one_probe_of_all_gateways_each_time_and_two_successes_close_it(void **state)
{
    struct outbound_slot slot = { NULL, 0 };
    struct targets *by = NULL;
    int64_t opened;
    int probes = 0, good;

    (void)state;
    opened = clock_mono_us(); /* at the earliest */
    open_breaker(&here, "http://probed");
    for (int i = 0; i < 600 || !probes; i++) { /* both ask all the time, the probe takes its time */
        struct targets *ts = i % 2 ? &here : &there;
        struct outbound_slot one;

        assert_true(i < 30000);
        if (admit(ts, "http://probed", &one) == OUTBOUND_ROOM) {
            assert_true(probes++ || (one.probe && clock_mono_us() - opened >= 250 * US_PER_MS));
            slot.probe = 0; /* of the one before only the slot is given back */
            if (by)
                targets_finish(by, slot, BREAKER_NEITHER, false);
            slot = one;
            by = ts;
        }
        usleep(1000);
    }
    /* none was answered: after as long again there may be another one */
    assert_in_range(probes, 1, (clock_mono_us() - opened) / config.outbound_breaker_open_us);
    targets_finish(by, slot, BREAKER_GOOD, true);
    told(by, "http://probed");
    for (good = 1; side_int("select state from weir.saga_targets where target = 'http://probed'"); good++) {
        assert_true(good < 20); /* on a slow machine a probe is answered too late to count */
        slot = admitted(by, "http://probed");
        assert_true(slot.probe);
        targets_finish(by, slot, BREAKER_GOOD, true);
        told(by, "http://probed");
    }
    assert_true(good >= 2);
    assert_int_equal(side_int("select failures from weir.saga_targets where target = 'http://probed'"), 0);
    slot = admitted(&here, "http://probed");
    targets_finish(&here, slot, BREAKER_GOOD, true);
}

/* As if the breaker had been open for longer than it needs to. */
static void let_time_pass(const char *target)
{
    side_do("update weir.saga_targets set opened = now() - interval '2 hours' where target = '%s'", target);
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    static struct targets alone;
    struct outbound_slot slot, other;

    (void)state;
    gateway_begins_with(&alone, &patient, "{}");
    open_breaker(&alone, "http://still-down");
    let_time_pass("http://still-down");
    slot = admitted(&alone, "http://still-down");
    assert_true(slot.probe);
    assert_int_equal(admit(&alone, "http://still-down", &other), OUTBOUND_OPEN);
    targets_finish(&alone, slot, BREAKER_BAD, true);
    side_until("select state = 1 and opened > now() - interval '1 hour' from weir.saga_targets where target = '%s'",
               "http://still-down");
    assert_int_equal(admit(&alone, "http://still-down", &other), OUTBOUND_OPEN);
    let_time_pass("http://still-down");
    slot = admitted(&alone, "http://still-down");
    targets_finish(&alone, slot, BREAKER_GOOD, true);
    call(&alone, "http://still-down", BREAKER_GOOD);
    side_until("select state = 0 from weir.saga_targets where target = '%s'", "http://still-down");
    gateway_ends(&alone);
}

static void a_target_that_answers_slower_than_a_claim_is_believed(void **state)
{
    static struct targets one, two;
    struct outbound_slot v[3];

    (void)state;
    gateway_begins_with(&one, &quick, "{}");
    gateway_begins_with(&two, &quick, "{}");
    open_breaker(&one, "http://slow");
    for (int i = 0; i < 3; i++) { /* each is answered when the next one is on its way, from the other gateway */
        v[i] = admitted(i % 2 ? &two : &one, "http://slow");
        assert_true(v[i].probe);
        if (i)
            targets_finish(i % 2 ? &one : &two, v[i - 1], BREAKER_GOOD, true);
    }
    side_until("select state = 0 and failures = 0 from weir.saga_targets where target = '%s'", "http://slow");
    targets_finish(&one, v[2], BREAKER_GOOD, true);
    gateway_ends(&one);
    gateway_ends(&two);
}

static void a_probe_that_hangs_does_not_keep_back_the_next(void **state)
{
    static struct targets alone;
    struct outbound_slot hangs, next;

    (void)state;
    gateway_begins_with(&alone, &quick, "{}");
    open_breaker(&alone, "http://hangs");
    hangs = admitted(&alone, "http://hangs");
    next = admitted(&alone, "http://hangs");
    assert_true(next.probe && next.probe != hangs.probe);
    /* not before the first claim was over, which was not before the breaker had been open for as long */
    assert_int_equal(side_int("select (probe_until >= opened + 3 * interval '100 ms')::int from weir.saga_targets"
                              " where target = 'http://hangs'"), 1);
    targets_finish(&alone, next, BREAKER_GOOD, true);
    side_until("select state = 2 and successes = 1 from weir.saga_targets where target = '%s'", "http://hangs");
    targets_finish(&alone, hangs, BREAKER_BAD, true); /* it is of the past, and opens nothing; but it is no success in between */
    side_until("select state = 2 and successes = 0 from weir.saga_targets where target = '%s'", "http://hangs");
    gateway_ends(&alone);
}

static void who_could_not_probe_leaves_it_to_others_for_a_while(void **state)
{
    struct targets alone = { .owner = 0 };
    struct outbound_slot slot;
    struct target *t;
    int64_t wait_us;
    char err[512];

    (void)state;
    assert_true(targets_init(&alone, &patient, outbound_file_parse(SLICE("{}"), NULL, NULL, err)));
    t = targets_find(&alone, SLICE("http://mine"));
    t->stored = true;
    t->breaker = (struct breaker){ .state = BREAKER_HALF_OPEN, .probe_owner = alone.owner, .probe_until_us = INT64_MAX };
    t->probe_use_us = INT64_MAX;
    assert_int_equal(admit(&alone, "http://mine", &slot), OUTBOUND_ROOM);
    targets_finish(&alone, slot, BREAKER_VOID, true);
    assert_int_equal(t->breaker.probe_owner, 0);
    assert_int_equal(targets_admit(&alone, t->name, &slot, &wait_us), OUTBOUND_OPEN);
    assert_in_range(wait_us, 1, PROBE_USE_US);
    assert_false(t->probe_wanted);
    t->probe_rest_us = 0;
    assert_int_equal(admit(&alone, "http://mine", &slot), OUTBOUND_OPEN);
    assert_true(t->probe_wanted);
    targets_free(&alone);
}

static void a_gateway_that_ends_gives_its_probe_back(void **state)
{
    static struct targets brief;
    struct outbound_slot slot;

    (void)state;
    gateway_begins_with(&brief, &patient, "{}");
    open_breaker(&brief, "http://left");
    let_time_pass("http://left");
    slot = admitted(&brief, "http://left");
    targets_finish(&brief, slot, BREAKER_NEITHER, false);
    side_until("select probe_until > now() + interval '1 minute' from weir.saga_targets where target = 'http://left'");
    gateway_ends(&brief);
    assert_int_equal(side_int("select probe_owner from weir.saga_targets where target = 'http://left'"), 0);
    slot = admitted(&here, "http://left"); /* not when the claim would have ended */
    assert_true(slot.probe);
    targets_finish(&here, slot, BREAKER_GOOD, true);
}

static void slots_bound_what_runs_and_who_waits_is_told(void **state)
{
    static struct targets alone;
    struct outbound_slot v[5], other[7];
    int before;

    (void)state;
    gateway_begins(&alone, "{}");
    for (int i = 0; i < 4; i++)
        v[i] = admitted(&alone, "http://slots");
    assert_int_equal(admit(&alone, "http://slots", &v[4]), OUTBOUND_BUSY);
    for (int i = 0; i < 4; i++)
        other[i] = admitted(&alone, "http://others");
    for (int i = 4; i < 6; i++)
        other[i] = admitted(&alone, "http://more");
    assert_int_equal(admit(&alone, "http://more", &other[6]), OUTBOUND_BUSY); /* outbound.calls */
    before = atomic_load(&rooms);
    targets_finish(&alone, v[0], BREAKER_GOOD, true);
    assert_true(atomic_load(&rooms) > before);
    v[0] = admitted(&alone, "http://slots");
    for (int i = 0; i < 4; i++)
        targets_finish(&alone, v[i], BREAKER_GOOD, true);
    for (int i = 0; i < 6; i++)
        targets_finish(&alone, other[i], BREAKER_NEITHER, false);
    assert_int_equal(alone.running, 0);
    gateway_ends(&alone);
}

static void a_rate_is_shared_by_the_gateways(void **state)
{
    static struct targets limited;
    int64_t began, wait_us;
    int n = 0;

    (void)state;
    gateway_begins(&limited, "{\"targets\":{\"http://limited\":{\"rate\":\"100/s\"}}}");
    limited.members = 2;
    targets_finish(&limited, admitted(&limited, "http://limited"), BREAKER_GOOD, true);
    for (began = clock_mono_us(); n < 30; usleep(500)) {
        struct outbound_slot slot;
        enum outbound_room room = targets_admit(&limited, SLICE("http://limited"), &slot, &wait_us);

        assert_true(clock_mono_us() - began < 60 * US_PER_S);
        assert_true(room == OUTBOUND_ROOM || (room == OUTBOUND_LIMITED && wait_us > 0 && wait_us <= 20 * US_PER_MS));
        if (room == OUTBOUND_ROOM)
            targets_finish(&limited, slot, BREAKER_GOOD, ++n > 0);
    }
    assert_true(clock_mono_us() - began >= (30 - 5 - 1) * 20 * US_PER_MS); /* 50 a second, and a tenth of them at once */
    gateway_ends(&limited);
}

static bool knows(struct targets *ts, const char *target)
{
    bool known;

    pthread_mutex_lock(&ts->lock);
    known = targets_known(ts, slice_of(target));
    pthread_mutex_unlock(&ts->lock);
    return known;
}

static void a_new_target_takes_the_place_of_the_one_that_was_not_called_for_longest(void **state)
{
    static struct targets alone;
    struct outbound_slot older, newer, slot;

    (void)state;
    gateway_begins_with(&alone, &small, "{\"targets\":{\"http://said\":{}}}");
    older = admitted(&alone, "http://older");
    newer = admitted(&alone, "http://newer");
    assert_int_equal(admit(&alone, "http://third", &slot), OUTBOUND_CROWDED); /* calls run to all others, or the file has them */
    targets_finish(&alone, older, BREAKER_BAD, true);
    targets_finish(&alone, newer, BREAKER_GOOD, true);
    assert_int_equal(admit(&alone, "http://third", &slot), OUTBOUND_CROWDED); /* calls wait for them */
    told(&alone, "http://older");
    targets_satisfied(&alone, SLICE("http://older"));
    targets_satisfied(&alone, SLICE("http://newer"));
    slot = admitted(&alone, "http://third");
    assert_true(knows(&alone, "http://said") && knows(&alone, "http://newer") && !knows(&alone, "http://older"));
    targets_finish(&alone, slot, BREAKER_GOOD, true);
    targets_satisfied(&alone, SLICE("http://third"));
    for (int i = 0; i < 4; i++) /* what its breaker says was not forgotten */
        call(&alone, "http://older", BREAKER_BAD);
    side_until("select state = 1 from weir.saga_targets where target = '%s'", "http://older");
    gateway_ends(&alone);
}

static void rows_of_targets_that_nobody_calls_are_removed(void **state)
{
    static struct targets alone;
    struct target *t;

    (void)state;
    side_do("insert into weir.saga_targets (target, state, failures, updated)"
            " select 'http://past' || n, n, n, now() - interval '25 hours' from generate_series(0, 2) n");
    side_do("insert into weir.saga_targets (target, failures, updated) values ('http://present', 3, now() - interval '25 hours'),"
            " ('http://recent', 0, now() - interval '23 hours')");
    gateway_begins(&alone, "{}");
    call(&alone, "http://present", BREAKER_NEITHER);
    side_until("select count(*) = 0 from weir.saga_targets where target like '%s'", "http://past%");
    assert_int_equal(side_int("select sum(failures) from weir.saga_targets where target = 'http://present'"), 3);
    assert_int_equal(side_int("select count(*) from weir.saga_targets where target = 'http://recent'"), 1);
    side_do("update weir.saga_targets set updated = now() - interval '25 hours' where target = 'http://present'");
    pthread_mutex_lock(&alone.lock);
    t = targets_known(&alone, SLICE("http://present"));
    t->told_us -= TARGET_TELL_US;
    pthread_mutex_unlock(&alone.lock);
    call(&alone, "http://present", BREAKER_NEITHER);
    side_until("select updated > now() - interval '1 hour' from weir.saga_targets where target = '%s'", "http://present");
    gateway_ends(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_all_goes_well_nothing_is_written),
        cmocka_unit_test(failures_of_all_gateways_open_the_breaker_of_all),
        cmocka_unit_test(a_success_anywhere_begins_the_count_anew),
        cmocka_unit_test(one_probe_of_all_gateways_each_time_and_two_successes_close_it),
        cmocka_unit_test(a_probe_that_fails_opens_it_again),
        cmocka_unit_test(a_target_that_answers_slower_than_a_claim_is_believed),
        cmocka_unit_test(a_probe_that_hangs_does_not_keep_back_the_next),
        cmocka_unit_test(who_could_not_probe_leaves_it_to_others_for_a_while),
        cmocka_unit_test(a_gateway_that_ends_gives_its_probe_back),
        cmocka_unit_test(slots_bound_what_runs_and_who_waits_is_told),
        cmocka_unit_test(a_rate_is_shared_by_the_gateways),
        cmocka_unit_test(a_new_target_takes_the_place_of_the_one_that_was_not_called_for_longest),
        cmocka_unit_test(rows_of_targets_that_nobody_calls_are_removed),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
