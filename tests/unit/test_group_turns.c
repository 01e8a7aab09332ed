#include "tests/unit/group_rows.h"

/* Whose turn it is: single cases that the model (test_group_model.c) leaves open. */

#define SECOND INT64_C(1000000)

static struct group_state *state;
static struct arena *memory;
static int64_t now, seq;

static void begin(int64_t after_us)
{
    arena_free(memory);
    memory = arena_new(1 << 20);
    now += after_us;
    group_state_begin(state, memory, now, ++seq);
    group_state_expire(state);
}

static void end(void)
{
    struct group_changes c;

    assert_true(group_state_changes(state, &c));
}

static void make(struct group_row def)
{
    def.group_id = 4711;
    def.ordering = ORDER_KEY;
    def.types = SLICE("[]");
    def.backoff_factor = 100;
    def.max_in_flight = def.max_retrying = def.max_skipped = 1000;
    def.key_batch = 1;
    state = group_state_new(&def, 1);
    now = 1000 * SECOND;
    seq = 0;
    assert_non_null(state);
    assert_true(group_state_restore(state, 1, 1));
    group_state_next(state)[0] = 1;
    group_state_loaded(state);
}

static int forget(void **unused)
{
    (void)unused;
    group_state_free(state);
    arena_free(memory);
    state = NULL;
    memory = NULL;
    return 0;
}

/* A receive by one who takes what is due, and then events of these keys. The offsets of what it was given. */
static size_t receive(size_t max, const uint64_t *keys, size_t keys_n, int64_t *ret)
{
    struct handed h;
    size_t n = 0;

    group_state_open(state, now + 60 * SECOND, SLICE("somebody"), max);
    while (group_state_take(state, &h))
        ret[n++] = h.at.offset;
    for (size_t i = 0; i < keys_n; i++)
        if (group_state_offer(state, 0, group_state_next(state)[0], keys[i], true, &h) == OFFER_TAKEN)
            ret[n++] = h.at.offset;
    return n;
}

static bool finish(int64_t lease, int64_t offset, enum finish how)
{
    struct delivery_id id = { group_state_tag(state), 1, lease, { 0, 0, offset } };
    struct finish_call call = { .how = how, .delay_us = -1 };

    return group_state_finish(state, &id, &call);
}

static void a_retry_does_not_wait_for_all_that_was_skipped_of_a_busy_key(void **unused)
{
    uint64_t keys[51];
    int64_t given[64], lease, offset = 1;
    int turns = 0;

    (void)unused;
    make((struct group_row){ .max_retries = 3, .backoff_initial_us = SECOND, .backoff_max_us = SECOND });
    for (int i = 0; i < 51; i++)
        keys[i] = i < 50 ? 1 : 2;
    begin(0);
    assert_int_equal(receive(1000, keys, 51, given), 2); /* the first of both keys */
    lease = group_state_close(state);
    assert_true(finish(lease, 51, FINISH_NACK));
    end();
    do { /* one after another of the busy key, one receive a second */
        begin(SECOND);
        assert_true(finish(lease, offset, FINISH_ACK));
        assert_int_equal(receive(1, NULL, 0, given), 1);
        offset = given[0];
        lease = group_state_close(state);
        end();
        turns++;
    } while (offset != 51 && turns < 50);
    assert_true(turns <= 2);
}

static void backoff_of_nothing_stays_nothing(void **unused)
{
    uint64_t key = 1;
    int64_t given[4], lease;

    (void)unused;
    make((struct group_row){ .max_retries = 1000, .backoff_initial_us = 0, .backoff_max_us = 300 * SECOND });
    begin(0);
    assert_int_equal(receive(1, &key, 1, given), 1);
    lease = group_state_close(state);
    end();
    for (int attempt = 2; attempt <= 1001; attempt++) {
        begin(1);
        assert_true(finish(lease, 1, FINISH_NACK));
        assert_int_equal(receive(1, NULL, 0, given), 1);
        lease = group_state_close(state);
        end();
    }
}

static void time_alone_matters_to_who_waits_only(void **unused)
{
    uint64_t keys[2] = { 1, 2 };
    int64_t given[4], lease;

    (void)unused;
    make((struct group_row){ .max_retries = 3, .backoff_initial_us = SECOND, .backoff_max_us = SECOND });
    begin(0);
    assert_int_equal(receive(2, keys, 2, given), 2);
    lease = group_state_close(state);
    end();
    assert_int_equal(group_state_alarm(state, true), now + 60 * SECOND);
    begin(0);
    assert_true(finish(lease, 1, FINISH_NACK));
    end();
    assert_int_equal(group_state_alarm(state, true), now + SECOND);
    assert_int_equal(group_state_alarm(state, false), now + 60 * SECOND);
    begin(2 * SECOND); /* due by now, and nobody has taken it: nothing comes of looking again */
    end();
    assert_int_equal(group_state_alarm(state, true), now + 58 * SECOND);
    begin(0);
    assert_true(finish(lease, 2, FINISH_ACK));
    end();
    assert_true(group_state_alarm(state, true) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_retry_does_not_wait_for_all_that_was_skipped_of_a_busy_key, forget),
        cmocka_unit_test_teardown(backoff_of_nothing_stays_nothing, forget),
        cmocka_unit_test_teardown(time_alone_matters_to_who_waits_only, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
