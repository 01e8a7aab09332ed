#include "tests/unit/saga_fixture.h"

/* Steps of sagas that wait, and what is told of all of them. */

static struct saga_world w;

static enum saga_status status(int step)
{
    return saga_world_task(&w, step, SAGA_ACTION)->status;
}

static enum saga_status undo(int step)
{
    return saga_world_task(&w, step, SAGA_COMPENSATION)->status;
}

static void try(int step, enum saga_input_kind what)
{
    saga_world_try(&w, step, SAGA_ACTION, what);
}

static void with_compensations(size_t steps)
{
    saga_world_begin(&w, steps);
    for (size_t i = 0; i < steps; i++)
        saga_world_deed(&w, (int)i, SAGA_COMPENSATION, SAGA_HTTP, false);
}

/* Paths are relative to the root of the tree, where the tests run. The caller frees. */
static char *whole_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    assert_true(feof(f));
    fclose(f);
    return text;
}

static void an_approval_waits_and_a_rejection_undoes(void **state)
{
    (void)state;
    for (int approve = 0; approve < 2; approve++) {
        const struct saga_input in = { .what = SAGA_IN_DECISION, .step = 1, .approve = approve, .actor = SLICE("ann"),
                                       .comment = SLICE("fine") };
        struct saga_input other = in;

        with_compensations(2);
        saga_world_deed(&w, 1, SAGA_ACTION, SAGA_APPROVAL, false);
        saga_world_start(&w);
        try(0, SAGA_IN_OK);
        assert_true(saga_world_says(&w, "StepWaiting", "\"for\":\"approval\""));
        assert_int_equal(w.run->state, SAGA_WAITING);
        assert_int_equal(saga_world_give(&w, &in), SAGA_CHANGED);
        assert_int_equal(w.run->state, approve ? SAGA_COMPLETED : SAGA_COMPENSATING);
        assert_true(text_has(approve ? saga_world_task(&w, 1, SAGA_ACTION)->result : saga_world_task(&w, 1, SAGA_ACTION)->error,
                        approve ? "{\"decision\":\"approve\",\"by\":\"ann\",\"comment\":\"fine\"}" : "\"by\":\"ann\""));
        assert_int_equal(saga_world_give(&w, &in), SAGA_UNCHANGED);
        other.approve = !approve;
        assert_int_equal(saga_world_give(&w, &other), SAGA_DENIED);
        saga_world_end(&w);
    }
}

static void signals_and_decisions_that_come_early_are_kept(void **state)
{
    const struct saga_input signal = { .what = SAGA_IN_SIGNAL, .step = 1, .result = SLICE("{\"paid\":true}") };
    struct saga_input other = signal;

    (void)state;
    saga_world_begin(&w, 3);
    saga_world_deed(&w, 1, SAGA_ACTION, SAGA_SIGNAL, false);
    saga_world_deed(&w, 2, SAGA_ACTION, SAGA_APPROVAL, false);
    saga_world_start(&w);
    assert_int_equal(saga_world_give(&w, &signal), SAGA_CHANGED);
    assert_true(saga_world_told(&w, "SignalReceived"));
    assert_int_equal(saga_world_give(&w, &signal), SAGA_UNCHANGED);
    other.result = SLICE("{\"paid\":false}");
    assert_int_equal(saga_world_give(&w, &other), SAGA_DENIED);
    other.step = 0;
    assert_int_equal(saga_world_give(&w, &other), SAGA_DENIED);
    assert_int_equal(saga_world_give(&w, &(struct saga_input){ .what = SAGA_IN_DECISION, .step = 2, .approve = true }),
                     SAGA_CHANGED);
    try(0, SAGA_IN_OK);
    assert_int_equal(w.run->state, SAGA_COMPLETED);
    assert_true(slice_is(saga_world_task(&w, 1, SAGA_ACTION)->result, "{\"paid\":true}"));
    assert_null(saga_world_task(&w, 1, SAGA_ACTION)->early.p);
    saga_world_end(&w);
}

static void an_event_may_come_before_it_is_known_that_its_command_was_published(void **state)
{
    (void)state;
    with_compensations(1);
    saga_world_deed(&w, 0, SAGA_ACTION, SAGA_PUBLISH, true);
    saga_world_start(&w);
    assert_true(w.wait[SAGA_ACTION][0]); /* from the moment it can be tried */
    assert_int_equal(saga_world_admit(&w, 0, SAGA_ACTION), SAGA_CHANGED);
    assert_int_equal(saga_world_event(&w, 0, SAGA_ACTION, false), SAGA_CHANGED);
    assert_int_equal(status(0), TASK_RUNNING);
    assert_int_equal(saga_world_event(&w, 0, SAGA_ACTION, false), SAGA_UNCHANGED);
    assert_int_equal(saga_world_attempt(&w, 0, SAGA_ACTION, SAGA_IN_OK), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_COMPLETED);
    assert_true(slice_is(saga_world_task(&w, 0, SAGA_ACTION)->result, "{\"id\":\"e\"}"));
    saga_world_end(&w);
}

static void a_command_whose_answer_fails_or_stays_away_is_undone(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        with_compensations(1);
        saga_world_deed(&w, 0, SAGA_ACTION, SAGA_PUBLISH, true);
        w.step[0].timeout_us = 30 * SECOND;
        saga_world_start(&w);
        w.now += 10 * SECOND;
        try(0, SAGA_IN_OK);
        assert_true(saga_world_says(&w, "StepWaiting", "\"for\":\"event\",\"until\":\"1970-"));
        assert_int_equal(w.run->state, SAGA_WAITING);
        assert_int_equal(saga_run_alarm(w.run), w.now + 20 * SECOND); /* since the step began */
        if (late)
            assert_int_equal(saga_world_time(&w, 20 * SECOND), SAGA_CHANGED);
        else
            assert_int_equal(saga_world_event(&w, 0, SAGA_ACTION, true), SAGA_CHANGED);
        assert_true(text_has(saga_world_task(&w, 0, SAGA_ACTION)->error, late ? "\"timeout\"" : "\"failure-event\""));
        assert_int_equal(undo(0), TASK_READY);
        assert_false(w.wait[SAGA_ACTION][0]);
        saga_world_end(&w);
    }
}

/* Is it published again after its answer it is another event; after an attempt of which nobody knows what became it is the same. */
static void a_command_is_another_event_only_once_its_answer_was_awaited(void **state)
{
    const struct saga_task *k;

    (void)state;
    with_compensations(2);
    saga_world_deed(&w, 0, SAGA_COMPENSATION, SAGA_PUBLISH, true);
    w.step[0].timeout_us = 30 * SECOND;
    w.step[0].retry.max_attempts = 4;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    try(1, SAGA_IN_REFUSED);
    k = saga_world_task(&w, 0, SAGA_COMPENSATION);
    assert_true(k->status == TASK_READY && k->round == 0);
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_LOST);
    w.now += 60 * SECOND;
    assert_int_equal(saga_world_task(&w, 0, SAGA_COMPENSATION)->round, 0);
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_OK);
    assert_int_equal(undo(0), TASK_WAITING);
    assert_int_equal(saga_world_event(&w, 0, SAGA_COMPENSATION, true), SAGA_CHANGED);
    k = saga_world_task(&w, 0, SAGA_COMPENSATION);
    assert_true(k->status == TASK_READY && k->round == 1 && slice_is(k->event, "1-0-7"));
    w.now += 60 * SECOND;
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_LOST);
    w.now += 60 * SECOND;
    assert_int_equal(saga_world_task(&w, 0, SAGA_COMPENSATION)->round, 1);
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_OK);
    assert_int_equal(saga_world_time(&w, 30 * SECOND), SAGA_CHANGED); /* its attempts are used up */
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, 0), SAGA_CHANGED);
    assert_int_equal(saga_world_task(&w, 0, SAGA_COMPENSATION)->round, 2);
    saga_world_end(&w);
}

static void the_answer_to_a_former_round_is_taken_and_nothing_is_published_again(void **state)
{
    (void)state;
    with_compensations(1);
    saga_world_deed(&w, 0, SAGA_ACTION, SAGA_PUBLISH, true);
    w.step[0].pivot = true;
    w.step[0].timeout_us = 30 * SECOND;
    for (int before = 0; before < 2; before++) {
        saga_world_start(&w);
        try(0, SAGA_IN_OK);
        assert_int_equal(saga_world_time(&w, 30 * SECOND), SAGA_CHANGED);
        assert_int_equal(w.run->state, SAGA_PAUSED);
        if (before)
            assert_int_equal(saga_world_event(&w, 0, SAGA_ACTION, false), SAGA_CHANGED);
        assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, 0), SAGA_CHANGED);
        assert_int_equal(status(0), before ? TASK_SUCCEEDED : TASK_READY);
        if (!before)
            assert_int_equal(saga_world_event(&w, 0, SAGA_ACTION, false), SAGA_CHANGED);
        assert_int_equal(status(0), TASK_SUCCEEDED);
        assert_int_equal(w.run->state, SAGA_COMPLETED);
    }
    saga_world_end(&w);
}

static void an_event_serves_an_instance_once(void **state)
{
    const struct saga_hit hits[] = { { 0, SAGA_ACTION, false }, { 1, SAGA_ACTION, false } };
    const struct saga_input in = { .what = SAGA_IN_EVENT, .step = -1, .result = SLICE("{}"), .hit = hits, .hit_n = 2 };

    (void)state;
    saga_world_begin(&w, 2);
    w.step[1].after = 0;
    saga_world_deed(&w, 0, SAGA_ACTION, SAGA_AWAIT, true);
    saga_world_deed(&w, 1, SAGA_ACTION, SAGA_AWAIT, true);
    saga_world_start(&w);
    assert_int_equal(saga_world_give(&w, &in), SAGA_CHANGED);
    assert_int_equal(status(0), TASK_SUCCEEDED);
    assert_int_equal(status(1), TASK_WAITING);
    assert_int_equal(saga_world_give(&w, &in), SAGA_CHANGED);
    assert_int_equal(status(1), TASK_SUCCEEDED);
    assert_int_equal(saga_world_give(&w, &in), SAGA_UNCHANGED);
    saga_world_end(&w);
}

static void an_event_that_is_late_for_a_paused_saga_is_found_by_the_retry(void **state)
{
    (void)state;
    saga_world_begin(&w, 2);
    w.step[0].pivot = true;
    saga_world_deed(&w, 1, SAGA_ACTION, SAGA_AWAIT, true);
    w.step[1].timeout_us = SECOND;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    assert_int_equal(saga_world_time(&w, SECOND), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_event(&w, 1, SAGA_ACTION, false), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, -1), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_COMPLETED);
    saga_world_end(&w);
}

static void a_compensation_that_awaits_asks_again_and_keeps_its_wait(void **state)
{
    (void)state;
    with_compensations(2);
    saga_world_deed(&w, 0, SAGA_COMPENSATION, SAGA_PUBLISH, true);
    w.step[0].timeout_us = 5 * SECOND;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    try(1, SAGA_IN_REFUSED);
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_OK);
    assert_int_equal(undo(0), TASK_WAITING);
    assert_int_equal(saga_world_time(&w, 5 * SECOND), SAGA_CHANGED);
    assert_int_equal(undo(0), TASK_READY);
    w.now += 10 * SECOND;
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_OK);
    assert_int_equal(undo(0), TASK_WAITING);
    assert_int_equal(w.waits_begun[SAGA_COMPENSATION][0], 1);
    assert_int_equal(saga_world_event(&w, 0, SAGA_COMPENSATION, false), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_COMPENSATED);
    saga_world_end(&w);
}

static void a_compensation_that_only_waits_is_paused_when_it_waited_often_enough(void **state)
{
    (void)state;
    with_compensations(2);
    saga_world_deed(&w, 0, SAGA_COMPENSATION, SAGA_AWAIT, true);
    w.step[0].timeout_us = 5 * SECOND;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    try(1, SAGA_IN_REFUSED);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(saga_world_time(&w, 5 * SECOND), SAGA_CHANGED);
        assert_true(saga_world_says(&w, "StepAttemptFailed", "\"timeout\""));
        assert_int_equal(saga_run_alarm(w.run), w.now + 5 * SECOND);
    }
    assert_int_equal(saga_world_time(&w, 5 * SECOND), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_event(&w, 0, SAGA_COMPENSATION, false), SAGA_CHANGED); /* late: kept for the retry */
    assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, -1), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_COMPENSATED);
    saga_world_end(&w);
}

static void what_begins_and_ends_in_one_transition_leaves_no_wait(void **state)
{
    (void)state;
    saga_world_begin(&w, 3);
    saga_world_deed(&w, 1, SAGA_ACTION, SAGA_AWAIT, true);
    saga_world_deed(&w, 2, SAGA_ACTION, SAGA_APPROVAL, false);
    w.step[2].after = 1;
    saga_world_start(&w);
    assert_int_equal(saga_world_give(&w, &(struct saga_input){ .what = SAGA_IN_DECISION, .step = 2 }), SAGA_CHANGED);
    try(0, SAGA_IN_OK);
    assert_int_equal(w.run->state, SAGA_COMPENSATED);
    assert_int_equal(status(1), TASK_SKIPPED);
    assert_false(w.wait[SAGA_ACTION][1]);
    saga_world_end(&w);
}

static void the_documentation_shows_the_tables(void **state)
{
    char *page = whole_file("docs/sagas.md");
    struct buf b = { 0 };

    (void)state;
    saga_table_print(&b);
    buf_char(&b, '\0');
    assert_false(b.failed);
    if (!strstr(page, b.p))
        fail_msg("docs/sagas.md lacks, word by word:\n%s", b.p);
    buf_free(&b);
    free(page);
}

static void long_texts_are_left_out_of_records(void **state)
{
    static char large[6002];

    (void)state;
    memset(large, 'x', sizeof large);
    large[0] = large[sizeof large - 1] = '"';
    saga_world_begin(&w, 1);
    saga_world_deed(&w, 0, SAGA_ACTION, SAGA_SIGNAL, false);
    saga_world_start(&w);
    assert_int_equal(saga_world_give(&w, &(struct saga_input){ .what = SAGA_IN_SIGNAL, .result = { large, sizeof large } }),
                     SAGA_CHANGED);
    assert_true(saga_world_says(&w, "StepSucceeded", "\"attempts\":1,\"result_bytes\":6002}"));
    saga_world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_approval_waits_and_a_rejection_undoes),
        cmocka_unit_test(signals_and_decisions_that_come_early_are_kept),
        cmocka_unit_test(an_event_may_come_before_it_is_known_that_its_command_was_published),
        cmocka_unit_test(a_command_whose_answer_fails_or_stays_away_is_undone),
        cmocka_unit_test(a_command_is_another_event_only_once_its_answer_was_awaited),
        cmocka_unit_test(the_answer_to_a_former_round_is_taken_and_nothing_is_published_again),
        cmocka_unit_test(an_event_serves_an_instance_once),
        cmocka_unit_test(an_event_that_is_late_for_a_paused_saga_is_found_by_the_retry),
        cmocka_unit_test(a_compensation_that_awaits_asks_again_and_keeps_its_wait),
        cmocka_unit_test(a_compensation_that_only_waits_is_paused_when_it_waited_often_enough),
        cmocka_unit_test(what_begins_and_ends_in_one_transition_leaves_no_wait),
        cmocka_unit_test(the_documentation_shows_the_tables),
        cmocka_unit_test(long_texts_are_left_out_of_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
