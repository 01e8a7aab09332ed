#include <stdio.h>
#include <stdlib.h>

#include "db/sagas.h"
#include "gateway/base/clock.h"
#include "gateway/engine/saga_parts.h"
#include "tests/db/log_support.h"

/* What gateways look for in sagas, without a gateway that takes it away. */

static struct db_config config;
static struct db *db;
static struct arena *a;
static struct saga_key one = { 7, SLICE("i1") };
static const struct saga_keys none = { &one, 0 }, but_one = { &one, 1 };

/* Of i1 to i5 each step asks for something else: a timeout, a publish, a call, an attempt that is lost, and there are events. */
static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_sagas_work");
    config = test_config();
    db = db_new(&config);
    a = arena_new(64 << 20);
    assert_true(db && a);
    side_do("insert into weir.saga_instances (saga_id, instance_id, version, state, seq, input, input_hash, deadline, created,"
            " updated) select 7, 'i' || n, 1, 0, 1, '\"' || repeat('x', 998) || '\"', gen_random_uuid(), now(), now(), now()"
            "   from generate_series(1, 5) n");
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, due, owner, target, result)"
            " select 7, 'i' || n, k, 0, (array[3, 1, 1, 2])[k], 1, case when k < 4 then now() end,"
            "        case when k = 4 then 99 else 0 end, case when k > 2 then 'https://t' end,"
            "        case when k = 1 then '\"' || repeat('y', 998) || '\"' end"
            "   from generate_series(1, 5) n, generate_series(1, 4) k");
    side_do("insert into weir.saga_inbox select 7, 'i' || n, 1, 0, n, 0, 0, '\"' || repeat('z', 998) || '\"', timestamptz 'epoch'"
            "   from generate_series(1, 5) n");
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

/* How many; they are the oldest. */
static size_t taken(int64_t limit, int64_t bytes, const struct saga_keys *but, bool *ret_more)
{
    struct saga_inbox_row *v;
    size_t n;

    assert_ok(db_exec(db, &DB_BEGIN, NULL, NULL, NULL));
    assert_ok(db_saga_inbox_take(db, a, limit, bytes, but, &v, &n, ret_more, NULL));
    db_rollback(db);
    for (size_t i = 0; i < n; i++)
        assert_in_range(v[i].key.id.p[1] - '0', 1 + but->n, n + but->n);
    return n;
}

static void events_are_taken_the_oldest_first_and_not_much_more_than_so_many_bytes(void **state)
{
    bool more;

    (void)state;
    assert_int_equal(taken(10, 1 << 20, &none, &more), 5);
    assert_false(more);
    assert_int_equal(taken(5, 1 << 20, &none, &more), 5);
    assert_true(more);
    assert_int_equal(taken(10, 2500, &none, &more), 3); /* the third one exceeds it */
    assert_true(more);
    assert_int_equal(taken(10, 1, &none, &more), 1);    /* a large one comes alone */
    assert_true(more);
}

static void what_is_of_an_instance_that_is_set_aside_is_not_found(void **state)
{
    static const int32_t room = 10;
    const struct slice target = SLICE("https://t");

    (void)state;
    for (size_t out = 0; out < 2; out++) {
        const struct saga_keys *but = out ? &but_one : &none;
        struct saga_call_row *calls;
        struct saga_attempt_row *lost;
        struct saga_due due;
        struct saga_key first;
        bool found, more;
        size_t n;

        assert_ok(db_saga_due(db, a, 100, but, NULL, 0, &due, NULL));
        assert_int_equal(due.n, 15 - 3 * out); /* timeout, publish, deadline */
        assert_true(due.inbox && due.target_n == 1);
        assert_ok(db_saga_calls_due(db, a, &target, &room, 1, but, &calls, &n, NULL));
        assert_int_equal(n, 5 - out);
        assert_ok(db_saga_attempts_lost(db, a, US_PER_S, 100, but, &lost, &n, NULL));
        assert_int_equal(n, 5 - out);
        assert_ok(db_saga_inbox_first(db, a, but, &found, &first, NULL));
        assert_true(found && slice_is(first.id, out ? "i2" : "i1"));
        assert_int_equal(taken(10, 1 << 20, but, &more), 5 - out);
    }
}

static enum err loaded(size_t n, int64_t bytes)
{
    struct saga_key keys[] = { { 7, SLICE("i1") }, { 7, SLICE("i2") }, { 7, SLICE("i3") } };
    struct saga_instance_row *v;
    struct saga_step_row *steps;
    size_t found, step_n;
    enum err e;

    assert_ok(db_exec(db, &DB_BEGIN, NULL, NULL, NULL));
    if (!(e = db_saga_load(db, a, keys, n, bytes, &v, &found, &steps, &step_n, NULL))) {
        assert_true(found == n && step_n == 4 * n);
        assert_true(v[0].input.n == 1000 && steps[0].key.id.n == 2);
    }
    db_rollback(db);
    return e;
}

static void what_is_too_much_in_all_is_refused_before_it_is_brought(void **state)
{
    (void)state;
    assert_ok(loaded(3, 3000));
    assert_int_equal(loaded(3, 2999), ERR_NO_MEMORY);
    assert_ok(loaded(2, 2000));
    assert_ok(loaded(1, 0)); /* nothing is gained by refusing a single one */
    side_do("update weir.saga_instances set input = '0' where instance_id = 'i3'");
    assert_int_equal(loaded(3, 2999), ERR_NO_MEMORY); /* of the steps */
    side_do("update weir.saga_steps set result = null where instance_id = 'i3'");
    assert_ok(loaded(3, 2999));
}

/* Many of them are in a turn: trees of all would be gigabytes. */
static void a_large_event_takes_a_turn_little_more_than_its_text(void **state)
{
    enum { VALUES = 100000 };
    struct saga_def def = { .name = SLICE("s") };
    struct turn_run run = { .def = &def };
    struct turn t = { .arena = arena_new(1 << 20) };
    struct saga_item x = { .key = { 1, SLICE("i") } };
    struct buf b = { 0 };
    bool meets = true;

    (void)state;
    buf_str(&b, "{\"type\":\"T\",\"traceparent\":\"00-1\",\"data\":[0");
    for (int i = 0; i < VALUES; i++)
        buf_str(&b, " ,1");
    buf_str(&b, "]}");
    x.event = (struct slice){ b.p, b.n };
    assert_ok(turn_event_input(&t, &x, &def));
    assert_int_equal(x.given.n, 2 * VALUES + 3); /* without white space */
    assert_true(turn_trace(&t, &x) && slice_is(x.traceparent, "00-1"));
    assert_ok(turn_event_meets(&t, &x, &run, &meets));
    assert_false(meets);
    assert_in_range(arena_used(t.arena), 2 * VALUES, 3 * VALUES);
    buf_free(&b);
    arena_free(t.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_taken_the_oldest_first_and_not_much_more_than_so_many_bytes),
        cmocka_unit_test(what_is_of_an_instance_that_is_set_aside_is_not_found),
        cmocka_unit_test(what_is_too_much_in_all_is_refused_before_it_is_brought),
        cmocka_unit_test(a_large_event_takes_a_turn_little_more_than_its_text),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
