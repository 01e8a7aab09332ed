#include <stdio.h>
#include <stdlib.h>

#include "db/sagas_read.h"
#include "gateway/base/clock.h"
#include "tests/db/log_support.h"

/* Sagas as callers look at them: lists and their filters, one with its steps, its history. */

static struct db_config config;
static struct db *db;
static struct arena *a;
static struct fault f;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_sagas_read");
    config = test_config();
    db = db_new(&config);
    a = arena_new(64 << 20);
    assert_true(db && a);
    side_do("insert into weir.sagas values (7, 'orders', 2, now(), now()), (8, 'refunds', 1, now(), now())");
    side_do("insert into weir.saga_definitions values"
            " (7, 1, '{\"steps\":[{\"name\":\"pay\"},{\"name\":\"ship\"}],\"description\":\"\\u0000\"}',"
            "  '{pay,ship}', now()),"
            " (7, 2, '{\"steps\":[{\"name\":\"reserve\"},{\"name\":\"pay\"}]}', '{reserve,pay}', now()),"
            " (8, 1, '{\"steps\":[]}', '{pay}', now())");
    /* i1 to i8, a second apart; odd ones in version 1, every fourth paused, the eighth at the seventh's time */
    side_do("insert into weir.saga_instances (saga_id, instance_id, version, state, seq, input, input_hash, created, updated)"
            " select 7, 'i' || n, 2 - n %% 2, case when n %% 4 = 0 then 2 else 0 end, n, '{\"n\":' || n || '}',"
            "        gen_random_uuid(), timestamptz '2026-01-01 00:00:00Z' + least(n, 7) * interval '1 second', now()"
            "   from generate_series(1, 8) n");
    side_do("insert into weir.saga_instances (saga_id, instance_id, version, state, seq, input, input_hash, created, updated,"
            " ended) values (7, 'done', 2, 4, 3, 'null', gen_random_uuid(), '2025-12-31', now(), now())");
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, error, request, answer) values"
            " (7, 'i4', 1, 0, 6, 3, '{\"type\":\"timeout\",\"message\":\"50%% slower\"}', '{\"url\":\"https://x\"}', null),"
            " (7, 'i8', 0, 1, 6, 10, '{\"type\":\"unavailable\",\"message\":\"\\u0000\"}', null, null),"
            " (7, 'i3', 0, 0, 6, 1, '{\"type\":\"refused\"}', null, '{\"why\":\"none left\"}'),"
            " (7, 'i3', 1, 0, 0, 0, null, null, null)");
    side_do("insert into weir.saga_history select 7, 'i4', 1 + n / 2, n %% 2, timestamptz '2026-01-01' + n * interval '1 second',"
            " 'StepSucceeded', case when n > 0 then 'pay' end, '{\"n\":' || n || '}' from generate_series(0, 6) n");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    db_free(db);
    arena_free(a);
    log_close();
    return 0;
}

enum { RUNNING, PAUSED = 2 }; /* of enum saga_state */
#define ANY .state = -1

/* The ids of a page, with spaces between. */
static const char *found(const struct saga_filter *q, int64_t before_us, const char *before, int64_t limit)
{
    struct saga_instance_shown *v;
    struct buf b = { 0 };
    size_t n;

    assert_ok(db_saga_instances_show(db, a, 7, q, before_us, slice_of(before), limit, &v, &n, &f));
    for (size_t i = 0; i < n; i++) {
        buf_str(&b, i ? " " : "");
        buf_slice(&b, v[i].id);
    }
    char *text = arena_strndup(a, b.p ? b.p : "", b.n);
    buf_free(&b);
    return text;
}

static int64_t at(const char *time)
{
    int64_t us;

    assert_true(clock_parse(slice_of(time), &us));
    return us;
}

static void instances_come_the_newest_first_and_in_pages(void **state)
{
    (void)state;
    assert_string_equal(found(&(struct saga_filter){ ANY }, 0, NULL, 20), "i8 i7 i6 i5 i4 i3 i2 i1 done");
    assert_string_equal(found(&(struct saga_filter){ ANY }, 0, NULL, 1), "i8");
    assert_string_equal(found(&(struct saga_filter){ ANY }, at("2026-01-01T00:00:07Z"), "i8", 2), "i7 i6");
    assert_string_equal(found(&(struct saga_filter){ .state = PAUSED }, at("2026-01-01T00:00:07Z"), "i8", 2), "i4");
}

static void filters_are_joined_by_and(void **state)
{
    int64_t two = at("2026-01-01T00:00:02Z"), six = at("2026-01-01T00:00:06Z");

    (void)state;
    assert_string_equal(found(&(struct saga_filter){ .state = PAUSED }, 0, NULL, 20), "i8 i4");
    assert_string_equal(found(&(struct saga_filter){ .state = RUNNING, .version = 2 }, 0, NULL, 20), "i6 i2");
    assert_string_equal(found(&(struct saga_filter){ ANY, .from_us = two, .to_us = six }, 0, NULL, 20), "i5 i4 i3 i2");
    assert_string_equal(found(&(struct saga_filter){ ANY, .from_us = two, .to_us = six }, six - 2 * US_PER_S, "i4", 20), "i3 i2");
    assert_string_equal(found(&(struct saga_filter){ ANY, .from_us = six, .to_us = two }, 0, NULL, 20), "");
}

/* In version 1 it is the first step, in version 2 the second. */
static const int32_t versions[] = { 1, 2 };
static const int16_t steps_of_pay[] = { 0, 1 };
#define PAY(n) .by_step = true, .versions = versions, .steps = steps_of_pay, .step_n = n

static void a_step_is_found_by_its_number_in_the_version_that_runs(void **state)
{
    (void)state;
    assert_string_equal(found(&(struct saga_filter){ ANY, PAY(2) }, 0, NULL, 20), "i4 i3");
    assert_string_equal(found(&(struct saga_filter){ PAY(2), .state = PAUSED }, 0, NULL, 20), "i4");
    assert_string_equal(found(&(struct saga_filter){ ANY, PAY(1) }, 0, NULL, 20), "i3");
    assert_string_equal(found(&(struct saga_filter){ ANY, .by_step = true }, 0, NULL, 20), ""); /* no version has it */
}

static void an_error_is_found_by_what_it_holds(void **state)
{
    (void)state;
    assert_string_equal(found(&(struct saga_filter){ ANY, .error = SLICE("50% slow") }, 0, NULL, 20), "i4");
    assert_string_equal(found(&(struct saga_filter){ ANY, .error = SLICE("5_%") }, 0, NULL, 20), "");
    assert_string_equal(found(&(struct saga_filter){ ANY, .error = SLICE("type*timeout") }, 0, NULL, 20), "i4");
    assert_string_equal(found(&(struct saga_filter){ ANY, .error = SLICE("none left") }, 0, NULL, 20), "i3"); /* in the answer */
    assert_string_equal(found(&(struct saga_filter){ ANY, .error = SLICE("") }, 0, NULL, 20), "i8 i4 i3");
    assert_string_equal(found(&(struct saga_filter){ ANY, PAY(2), .error = SLICE("unavailable") }, 0, NULL, 20), "");
}

static void one_instance_comes_with_its_definition_and_steps(void **state)
{
    struct saga_instance_shown v;
    struct saga_step_shown *steps;
    size_t n;

    (void)state;
    assert_ok(db_saga_instance_show(db, a, SLICE("orders"), SLICE("i4"), &v, &steps, &n, &f));
    assert_true(slice_is(v.input, "{\"n\":4}") && v.version == 2 && v.saga_id == 7 && !v.cause.p && !v.ended_us);
    assert_true(slice_is(v.definition, "{\"steps\":[{\"name\":\"reserve\"},{\"name\":\"pay\"}]}"));
    assert_int_equal(n, 1);
    assert_true(steps[0].step == 1 && steps[0].kind == 0 && steps[0].status == 6 && steps[0].attempts == 3);
    assert_true(slice_is(steps[0].request, "{\"url\":\"https://x\"}") && !steps[0].answer.p && !steps[0].due_us);
    assert_int_equal(db_saga_instance_show(db, a, SLICE("orders"), SLICE("i9"), &v, &steps, &n, &f), ERR_UNKNOWN_INSTANCE);
    assert_string_equal(f.detail, "The saga orders has no instance i9.");
    assert_int_equal(db_saga_instance_show(db, a, SLICE("others"), SLICE("i4"), &v, &steps, &n, &f), ERR_UNKNOWN_SAGA);
}

static size_t history(int64_t seq, int n, int64_t limit, int64_t bytes, bool *more, struct saga_record_shown **v)
{
    size_t found_n;

    assert_ok(db_saga_history_show(db, a, SLICE("orders"), SLICE("i4"), seq, n, limit, bytes, v, &found_n, more, &f));
    return found_n;
}

static void history_comes_the_oldest_first_and_says_whether_it_goes_on(void **state)
{
    struct saga_record_shown *v;
    size_t n;
    bool more;

    (void)state;
    assert_int_equal(history(0, -1, 7, 1 << 20, &more, &v), 7);
    assert_true(!more && !v[0].step.p && slice_is(v[1].step, "pay") && slice_is(v[6].data, "{\"n\":6}"));
    assert_int_equal(history(0, -1, 3, 1 << 20, &more, &v), 3);
    assert_true(more && v[2].seq == 2 && v[2].n == 0);
    assert_int_equal(history(v[2].seq, v[2].n, 10, 1 << 20, &more, &v), 4);
    assert_true(!more && slice_is(v[0].data, "{\"n\":3}"));
    assert_int_equal(history(0, -1, 10, 1, &more, &v), 1); /* one is always there */
    assert_true(more);
    assert_int_equal(history(4, 0, 10, 1 << 20, &more, &v), 0);
    assert_false(more);
    assert_int_equal(db_saga_history_show(db, a, SLICE("orders"), SLICE("i9"), 0, -1, 1, 1, &v, &n, &more, &f),
                     ERR_UNKNOWN_INSTANCE);
    assert_int_equal(db_saga_history_show(db, a, SLICE("other"), SLICE("i4"), 0, -1, 1, 1, &v, &n, &more, &f), ERR_UNKNOWN_SAGA);
}

static void a_step_has_its_number_in_each_version_that_has_it(void **state)
{
    struct saga_filter q = { ANY };
    size_t first;

    (void)state;
    assert_ok(db_saga_step_numbers(db, a, 7, SLICE("pay"), &q, &f));
    assert_true(q.by_step && q.step_n == 2);
    first = q.versions[0] == 1 ? 0 : 1;
    assert_true(q.versions[first] == 1 && q.steps[first] == 0 && q.versions[!first] == 2 && q.steps[!first] == 1);
    assert_ok(db_saga_step_numbers(db, a, 7, SLICE("ship"), &q, &f));
    assert_true(q.step_n == 1 && q.versions[0] == 1 && q.steps[0] == 1);
    q.version = 2;
    assert_ok(db_saga_step_numbers(db, a, 7, SLICE("pay"), &q, &f));
    assert_true(q.step_n == 1 && q.versions[0] == 2 && q.steps[0] == 1);
    assert_ok(db_saga_step_numbers(db, a, 7, SLICE("ship"), &q, &f));
    assert_true(q.by_step && q.step_n == 0);
}

static void definitions_are_found_by_version(void **state)
{
    struct saga_shown s, *v;
    int64_t counts[8] = { 0 };
    size_t n;

    (void)state;
    assert_ok(db_saga_show(db, a, SLICE("orders"), 0, &s, &f));
    assert_true(s.version == 2 && s.newest == 2 && s.saga_id == 7);
    assert_ok(db_saga_show(db, a, SLICE("orders"), 1, &s, &f));
    assert_true(s.version == 1 && s.newest == 2);
    assert_int_equal(db_saga_show(db, a, SLICE("orders"), 3, &s, &f), ERR_UNKNOWN_SAGA);
    assert_string_equal(f.detail, "The saga orders has no version 3: the newest is 2.");
    assert_int_equal(db_saga_show(db, a, SLICE("nothing"), 0, &s, &f), ERR_UNKNOWN_SAGA);
    assert_ok(db_sagas_show(db, a, SLICE("orders"), 10, &v, &n, &f));
    assert_true(n == 1 && slice_is(v[0].name, "refunds"));
    assert_ok(db_saga_counts(db, 7, counts, 8, &f));
    assert_true(counts[RUNNING] == 6 && counts[PAUSED] == 2 && counts[4] == 0); /* what has ended is not counted */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_come_the_newest_first_and_in_pages),
        cmocka_unit_test(filters_are_joined_by_and),
        cmocka_unit_test(a_step_is_found_by_its_number_in_the_version_that_runs),
        cmocka_unit_test(an_error_is_found_by_what_it_holds),
        cmocka_unit_test(one_instance_comes_with_its_definition_and_steps),
        cmocka_unit_test(history_comes_the_oldest_first_and_says_whether_it_goes_on),
        cmocka_unit_test(a_step_has_its_number_in_each_version_that_has_it),
        cmocka_unit_test(definitions_are_found_by_version),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
