#include "tests/unit/saga_fixture.h"

/* Sagas in small, turn by turn: what api.md says of each. */

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

/* An attempt with an error that is tried again. */
static void again(int step, bool unknown, int64_t after_us)
{
    struct saga_task *k;

    assert_int_equal(saga_world_admit(&w, step, SAGA_ACTION), SAGA_CHANGED);
    k = saga_world_task(&w, step, SAGA_ACTION);
    assert_int_equal(saga_world_give(&w, &(struct saga_input){ .what = SAGA_IN_AGAIN, .step = step, .owner = k->owner,
                                                          .attempt = k->attempts, .unknown = unknown, .after_us = after_us,
                                                          .error = SLICE("{\"type\":\"http-status\",\"status\":503}") }),
                     SAGA_CHANGED);
}

static void use_up(int step, bool unknown)
{
    for (int i = 0; i < 3; i++) {
        w.now += 400 * SECOND;
        again(step, unknown, 0);
    }
}

static void steps_run_one_after_the_other_and_the_saga_completes(void **state)
{
    (void)state;
    saga_world_begin(&w, 2);
    saga_world_start(&w);
    assert_true(saga_world_says(&w, "SagaStarted", "{\"version\":1,\"input\":{\"n\":1}}"));
    assert_int_equal(w.run->created_us, w.now);
    assert_int_equal(status(0), TASK_READY);
    assert_int_equal(status(1), TASK_PENDING);
    try(0, SAGA_IN_OK);
    assert_true(slice_is(saga_world_task(&w, 0, SAGA_ACTION)->request, "{\"q\":1}"));
    assert_true(slice_is(saga_world_task(&w, 0, SAGA_ACTION)->answer, "{\"a\":1}"));
    assert_true(saga_world_says(&w, "StepSucceeded",
                                "{\"step\":\"s0\",\"kind\":\"action\",\"attempts\":1,\"result\":{\"ok\":true}}"));
    assert_int_equal(w.run->state, SAGA_RUNNING);
    try(1, SAGA_IN_OK);
    assert_true(saga_world_told(&w, "SagaCompleted"));
    assert_int_equal(w.run->state, SAGA_COMPLETED);
    assert_int_equal(w.run->seq, 5);
    saga_world_end(&w);
}

static void independent_branches_run_at_once(void **state)
{
    (void)state;
    saga_world_begin(&w, 3);
    w.step[1].after = 0;
    w.step[2].after = 3;
    saga_world_start(&w);
    assert_int_equal(status(1), TASK_READY);
    try(1, SAGA_IN_OK);
    assert_int_equal(status(2), TASK_PENDING);
    try(0, SAGA_IN_OK);
    assert_int_equal(status(2), TASK_READY);
    saga_world_end(&w);
}

static void a_business_failure_undoes_what_was_done_in_reverse_order(void **state)
{
    (void)state;
    with_compensations(3);
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    try(1, SAGA_IN_OK);
    try(2, SAGA_IN_REFUSED);
    assert_int_equal(w.run->state, SAGA_COMPENSATING);
    assert_true(saga_world_says(&w, "SagaCompensating", "\"reason\":\"step-failed\""));
    assert_true(text_has(w.run->cause, "{\"reason\":\"step-failed\",\"step\":\"s2\",\"error\":{\"type\":\"test\""));
    assert_int_equal(undo(2), TASK_PENDING); /* it is known that it did nothing */
    assert_int_equal(undo(1), TASK_READY);
    assert_int_equal(undo(0), TASK_PENDING);
    saga_world_try(&w, 1, SAGA_COMPENSATION, SAGA_IN_OK);
    assert_true(saga_world_told(&w, "StepCompensated"));
    assert_int_equal(undo(0), TASK_READY);
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_OK);
    assert_true(saga_world_told(&w, "SagaCompensated"));
    assert_int_equal(w.run->state, SAGA_COMPENSATED);
    saga_world_end(&w);
}

static void a_running_attempt_ends_before_anything_is_undone(void **state)
{
    (void)state;
    with_compensations(2);
    w.step[1].after = 0;
    saga_world_start(&w);
    assert_int_equal(saga_world_admit(&w, 1, SAGA_ACTION), SAGA_CHANGED);
    try(0, SAGA_IN_REFUSED);
    assert_int_equal(w.run->state, SAGA_COMPENSATING);
    assert_int_equal(undo(1), TASK_PENDING);
    assert_int_equal(saga_world_attempt(&w, 1, SAGA_ACTION, SAGA_IN_LATER), SAGA_CHANGED); /* not tried again now */
    assert_int_equal(status(1), TASK_FAILED);
    assert_true(saga_world_says(&w, "StepFailed", "\"not-yet\""));
    assert_int_equal(undo(1), TASK_READY);
    saga_world_end(&w);
}

static void a_step_of_unknown_outcome_is_undone_too(void **state)
{
    (void)state;
    with_compensations(1);
    saga_world_start(&w);
    again(0, true, 0);
    assert_int_equal(saga_world_admit(&w, 0, SAGA_ACTION), SAGA_UNCHANGED); /* the backoff */
    w.now += SECOND;
    try(0, SAGA_IN_REFUSED);
    assert_true(saga_world_says(&w, "StepFailed", "\"outcome\":\"unknown\""));
    assert_int_equal(undo(0), TASK_READY);
    saga_world_end(&w);
}

static void attempts_that_are_used_up_undo_or_pause_as_the_definition_says(void **state)
{
    (void)state;
    for (int pause = 0; pause < 2; pause++) {
        with_compensations(2);
        w.def.pause = pause;
        saga_world_start(&w);
        try(0, SAGA_IN_OK);
        use_up(1, false);
        assert_int_equal(w.run->state, pause ? SAGA_PAUSED : SAGA_COMPENSATING);
        assert_true(text_has(w.run->cause, "{\"reason\":\"attempts-used-up\",\"step\":\"s1\""));
        assert_int_equal(undo(0), pause ? TASK_PENDING : TASK_READY);
        saga_world_end(&w);
    }
}

static void backoff_doubles_and_retry_after_is_honoured(void **state)
{
    (void)state;
    saga_world_begin(&w, 1);
    saga_world_start(&w);
    again(0, false, 0);
    assert_int_equal(saga_world_task(&w, 0, SAGA_ACTION)->due_us, w.now + SECOND);
    assert_true(saga_world_says(&w, "StepAttemptFailed",
                                "\"attempt\":1,\"error\":{\"type\":\"http-status\",\"status\":503},\"again_at\":"));
    w.now += SECOND;
    again(0, false, 0);
    assert_int_equal(saga_world_task(&w, 0, SAGA_ACTION)->due_us, w.now + 2 * SECOND);
    saga_world_end(&w);
    saga_world_begin(&w, 1);
    saga_world_start(&w);
    again(0, false, 60 * SECOND);
    assert_int_equal(saga_world_task(&w, 0, SAGA_ACTION)->due_us, w.now + 60 * SECOND);
    saga_world_end(&w);
}

static void not_yet_costs_no_attempt_but_counts_as_unknown(void **state)
{
    (void)state;
    with_compensations(1);
    saga_world_start(&w);
    for (int i = 0; i < 20; i++) {
        try(0, SAGA_IN_LATER);
        w.now += 10 * SECOND;
    }
    assert_int_equal(saga_world_task(&w, 0, SAGA_ACTION)->attempts, 0);
    try(0, SAGA_IN_REFUSED);
    assert_int_equal(undo(0), TASK_READY);
    saga_world_end(&w);
}

static void a_lost_attempt_is_made_again_and_its_late_answer_changes_nothing(void **state)
{
    struct saga_input late;

    (void)state;
    saga_world_begin(&w, 1);
    saga_world_start(&w);
    assert_int_equal(saga_world_admit(&w, 0, SAGA_ACTION), SAGA_CHANGED);
    late = (struct saga_input){ .what = SAGA_IN_OK, .owner = saga_world_task(&w, 0, SAGA_ACTION)->owner, .attempt = 1 };
    assert_int_equal(saga_world_attempt(&w, 0, SAGA_ACTION, SAGA_IN_LOST), SAGA_CHANGED);
    assert_true(saga_world_task(&w, 0, SAGA_ACTION)->unknown);
    assert_true(saga_world_says(&w, "StepAttemptFailed", "\"gateway-lost\""));
    assert_int_equal(saga_world_give(&w, &late), SAGA_UNCHANGED);
    assert_int_equal(saga_world_admit(&w, 0, SAGA_ACTION), SAGA_CHANGED);
    assert_int_equal(saga_world_give(&w, &late), SAGA_UNCHANGED);
    assert_int_equal(saga_world_attempt(&w, 0, SAGA_ACTION, SAGA_IN_OK), SAGA_CHANGED);
    saga_world_end(&w);
}

static void what_is_lost_once_is_ready_at_once_and_what_is_lost_again_waits_for_its_backoff(void **state)
{
    const struct saga_task *k;

    (void)state;
    saga_world_begin(&w, 1);
    w.step[0].retry.max_attempts = 10;
    saga_world_start(&w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(saga_world_admit(&w, 0, SAGA_ACTION), SAGA_CHANGED);
        assert_int_equal(saga_world_attempt(&w, 0, SAGA_ACTION, SAGA_IN_LOST), SAGA_CHANGED);
        k = saga_world_task(&w, 0, SAGA_ACTION);
        assert_int_equal(k->status, TASK_READY);
        assert_int_equal(k->due_us - w.now, i ? SECOND << i : 0);
        w.now = k->due_us;
    }
    try(0, SAGA_IN_AGAIN);
    w.now += 300 * SECOND;
    assert_int_equal(saga_world_admit(&w, 0, SAGA_ACTION), SAGA_CHANGED);
    assert_int_equal(saga_world_attempt(&w, 0, SAGA_ACTION, SAGA_IN_LOST), SAGA_CHANGED);
    assert_int_equal(saga_world_task(&w, 0, SAGA_ACTION)->due_us, w.now); /* there was an answer between */
    saga_world_end(&w);
}

static void what_is_put_off_costs_no_attempt(void **state)
{
    (void)state;
    saga_world_begin(&w, 1);
    saga_world_start(&w);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(saga_world_give(&w, &(struct saga_input){ .what = SAGA_IN_PUT_OFF, .after_us = 7 * SECOND,
                                                              .error = SLICE("{\"type\":\"secret\"}") }), SAGA_CHANGED);
        assert_int_equal(saga_world_task(&w, 0, SAGA_ACTION)->due_us, w.now + 7 * SECOND);
        assert_true(text_has(saga_world_task(&w, 0, SAGA_ACTION)->error, "secret"));
        w.now += 7 * SECOND;
    }
    try(0, SAGA_IN_OK);
    assert_int_equal(w.run->state, SAGA_COMPLETED);
    saga_world_end(&w);
}

static void what_cannot_be_sent_is_a_business_failure_that_sends_no_pivot(void **state)
{
    (void)state;
    with_compensations(2);
    w.step[1].pivot = true;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    assert_int_equal(saga_world_attempt(&w, 1, SAGA_ACTION, SAGA_IN_UNFIT), SAGA_CHANGED);
    assert_false(w.run->pivot_sent);
    assert_int_equal(undo(0), TASK_READY);
    saga_world_end(&w);
}

static void once_a_pivot_is_sent_there_is_no_way_back(void **state)
{
    (void)state;
    with_compensations(3);
    w.step[1].pivot = true;
    w.def.timeout_us = 3600 * SECOND;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    try(1, SAGA_IN_OK);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_CANCEL, -1), SAGA_DENIED);
    try(2, SAGA_IN_REFUSED);
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_time(&w, 3600 * SECOND), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, 2), SAGA_CHANGED);
    assert_true(saga_world_says(&w, "StepRetried", "\"by\":\"op\\\"1\""));
    assert_true(saga_world_says(&w, "SagaResumed", "{\"reason\":\"by-hand\",\"by\":\"op\\\"1\",\"comment\":\"why\"}"));
    assert_null(saga_world_task(&w, 2, SAGA_ACTION)->error.p);
    assert_null(w.run->cause.p);
    try(2, SAGA_IN_OK);
    assert_int_equal(w.run->state, SAGA_COMPLETED);
    saga_world_end(&w);
}

static void the_pivots_own_failure_pauses(void **state)
{
    (void)state;
    with_compensations(2);
    w.step[1].pivot = true;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    try(1, SAGA_IN_REFUSED);
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_SKIP, -1), SAGA_CHANGED);
    assert_true(saga_world_says(&w, "StepSkipped", "\"by\":\"op\\\"1\",\"comment\":\"why\""));
    assert_int_equal(w.run->state, SAGA_COMPLETED);
    saga_world_end(&w);
}

static void while_it_is_paused_nothing_new_begins_but_what_runs_ends(void **state)
{
    (void)state;
    saga_world_begin(&w, 3);
    w.step[1].after = w.step[2].after = 0;
    w.def.pause = true;
    saga_world_start(&w);
    assert_int_equal(saga_world_admit(&w, 1, SAGA_ACTION), SAGA_CHANGED);
    use_up(0, false);
    assert_int_equal(status(2), TASK_HELD);
    assert_int_equal(saga_world_admit(&w, 2, SAGA_ACTION), SAGA_UNCHANGED);
    assert_int_equal(saga_world_attempt(&w, 1, SAGA_ACTION, SAGA_IN_OK), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_PAUSED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_SKIP, 2), SAGA_DENIED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_SKIP, 0), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_RUNNING);
    assert_int_equal(status(2), TASK_READY);
    saga_world_end(&w);
}

static void cancel_undoes_and_is_once(void **state)
{
    (void)state;
    with_compensations(2);
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_CANCEL, -1), SAGA_CHANGED);
    assert_true(text_has(w.run->cause, "{\"reason\":\"cancelled\",\"by\":\"op\\\"1\",\"comment\":\"why\"}"));
    assert_int_equal(status(1), TASK_SKIPPED);
    assert_true(saga_world_says(&w, "StepSkipped", "{\"step\":\"s1\",\"kind\":\"action\"}"));
    assert_int_equal(saga_world_hand(&w, SAGA_IN_CANCEL, -1), SAGA_UNCHANGED);
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_OK);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_CANCEL, -1), SAGA_DENIED);
    saga_world_end(&w);
}

static void a_saga_cancelled_before_anything_was_done_is_compensated_at_once(void **state)
{
    (void)state;
    with_compensations(2);
    saga_world_start(&w);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_CANCEL, -1), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_COMPENSATED);
    saga_world_end(&w);
}

static void a_compensation_that_cannot_be_done_waits_for_an_operator(void **state)
{
    (void)state;
    for (int skip = 0; skip < 2; skip++) {
        with_compensations(2);
        saga_world_start(&w);
        try(0, SAGA_IN_OK);
        try(1, SAGA_IN_REFUSED);
        for (int i = 0; i < 3; i++) {
            w.now += 400 * SECOND;
            saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_AGAIN);
        }
        assert_int_equal(w.run->state, SAGA_PAUSED);
        assert_true(saga_world_says(&w, "SagaPaused", "compensation-failed"));
        assert_true(text_has(w.run->cause, "step-failed")); /* why it compensates */
        assert_int_equal(saga_world_hand(&w, skip ? SAGA_IN_SKIP : SAGA_IN_RETRY, 0), SAGA_CHANGED);
        assert_true(saga_world_told(&w, "SagaResumed"));
        if (!skip)
            saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_OK);
        assert_int_equal(w.run->state, skip ? SAGA_FAILED : SAGA_COMPENSATED);
        saga_world_end(&w);
    }
}

static void the_timeout_of_the_saga_undoes_and_never_stops_that(void **state)
{
    (void)state;
    with_compensations(2);
    w.def.timeout_us = 60 * SECOND;
    saga_world_start(&w);
    try(0, SAGA_IN_OK);
    assert_int_equal(saga_run_alarm(w.run), w.now + 60 * SECOND);
    assert_int_equal(saga_world_time(&w, 59 * SECOND), SAGA_UNCHANGED);
    assert_int_equal(saga_world_time(&w, SECOND), SAGA_CHANGED);
    assert_int_equal(w.run->state, SAGA_COMPENSATING);
    assert_true(text_has(w.run->cause, "{\"reason\":\"timeout\"}"));
    assert_int_equal(saga_run_alarm(w.run), INT64_MAX);
    assert_int_equal(saga_world_time(&w, 3600 * SECOND), SAGA_UNCHANGED);
    saga_world_end(&w);
}

static void what_waits_for_its_next_attempt_can_be_tried_at_once_or_passed_over(void **state)
{
    (void)state;
    with_compensations(2);
    saga_world_start(&w);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, -1), SAGA_DENIED);
    again(0, false, 0);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_SKIP, 0), SAGA_DENIED); /* an action goes on by itself */
    assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, -1), SAGA_CHANGED);
    try(0, SAGA_IN_OK);
    try(1, SAGA_IN_REFUSED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_SKIP, 0), SAGA_DENIED); /* it was not tried yet */
    saga_world_try(&w, 0, SAGA_COMPENSATION, SAGA_IN_AGAIN);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_SKIP, -1), SAGA_DENIED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_SKIP, 0), SAGA_CHANGED);
    assert_true(saga_world_told(&w, "CompensationSkipped") && saga_world_told(&w, "SagaFailed"));
    assert_int_equal(w.run->state, SAGA_FAILED);
    saga_world_end(&w);
}

static void a_paused_saga_is_cancelled_or_ended_by_its_timeout(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        with_compensations(2);
        w.def.pause = true;
        w.def.timeout_us = 5000 * SECOND;
        saga_world_start(&w);
        try(0, SAGA_IN_OK);
        use_up(1, true);
        assert_int_equal(w.run->state, SAGA_PAUSED);
        assert_int_equal(late ? saga_world_time(&w, 5000 * SECOND) : saga_world_hand(&w, SAGA_IN_CANCEL, -1), SAGA_CHANGED);
        assert_int_equal(w.run->state, SAGA_COMPENSATING);
        assert_int_equal(undo(1), TASK_READY);
        saga_world_end(&w);
    }
}

static void a_timeout_after_the_pivot_pauses_until_somebody_says_go_on(void **state)
{
    (void)state;
    for (int running = 0; running < 2; running++) {
        saga_world_begin(&w, 2);
        w.step[0].pivot = true;
        w.def.timeout_us = 60 * SECOND;
        saga_world_start(&w);
        try(0, SAGA_IN_OK);
        if (running)
            assert_int_equal(saga_world_admit(&w, 1, SAGA_ACTION), SAGA_CHANGED);
        assert_int_equal(saga_world_time(&w, 60 * SECOND), SAGA_CHANGED);
        assert_int_equal(w.run->state, SAGA_PAUSED);
        assert_int_equal(status(1), running ? TASK_RUNNING : TASK_HELD);
        if (running) {
            assert_int_equal(saga_world_attempt(&w, 1, SAGA_ACTION, SAGA_IN_OK), SAGA_CHANGED);
        } else {
            assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, -1), SAGA_CHANGED);
            assert_int_equal(w.run->state, SAGA_RUNNING);
            assert_int_equal(saga_run_alarm(w.run), INT64_MAX);
            try(1, SAGA_IN_OK);
        }
        assert_int_equal(w.run->state, SAGA_COMPLETED);
        saga_world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_run_one_after_the_other_and_the_saga_completes),
        cmocka_unit_test(independent_branches_run_at_once),
        cmocka_unit_test(a_business_failure_undoes_what_was_done_in_reverse_order),
        cmocka_unit_test(a_running_attempt_ends_before_anything_is_undone),
        cmocka_unit_test(a_step_of_unknown_outcome_is_undone_too),
        cmocka_unit_test(attempts_that_are_used_up_undo_or_pause_as_the_definition_says),
        cmocka_unit_test(backoff_doubles_and_retry_after_is_honoured),
        cmocka_unit_test(not_yet_costs_no_attempt_but_counts_as_unknown),
        cmocka_unit_test(a_lost_attempt_is_made_again_and_its_late_answer_changes_nothing),
        cmocka_unit_test(what_is_lost_once_is_ready_at_once_and_what_is_lost_again_waits_for_its_backoff),
        cmocka_unit_test(what_is_put_off_costs_no_attempt),
        cmocka_unit_test(what_cannot_be_sent_is_a_business_failure_that_sends_no_pivot),
        cmocka_unit_test(once_a_pivot_is_sent_there_is_no_way_back),
        cmocka_unit_test(the_pivots_own_failure_pauses),
        cmocka_unit_test(while_it_is_paused_nothing_new_begins_but_what_runs_ends),
        cmocka_unit_test(cancel_undoes_and_is_once),
        cmocka_unit_test(a_saga_cancelled_before_anything_was_done_is_compensated_at_once),
        cmocka_unit_test(a_compensation_that_cannot_be_done_waits_for_an_operator),
        cmocka_unit_test(the_timeout_of_the_saga_undoes_and_never_stops_that),
        cmocka_unit_test(what_waits_for_its_next_attempt_can_be_tried_at_once_or_passed_over),
        cmocka_unit_test(a_paused_saga_is_cancelled_or_ended_by_its_timeout),
        cmocka_unit_test(a_timeout_after_the_pivot_pauses_until_somebody_says_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
