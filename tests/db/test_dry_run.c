#include <stdio.h>

#include "gateway/engine/dry_run.h"
#include "tests/db/log_support.h"

/* Dry runs that end early. What one finds is tested in tests/api/test_dry_run.py. */
#define EVENTS 60

static struct gateway gw;
static struct arena *arena;
static const struct schema_subject subject = { { ".", 1 }, { "orders-T", 8 } };
static struct checker *anything;

static int open_all(void **state)
{
    const struct schema_row row = { .type = SCHEMA_JSON, .text = SLICE("true"), .refs = SLICE("[]") };

    (void)state;
    log_open("weir_test_dry_run");
    gateway_start(&gw);
    arena = arena_new(1 << 24);
    return arena && !checker_new(&gw.config, gw.db, &row, &anything, NULL) ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    checker_unref(anything);
    arena_free(arena);
    gateway_stop(&gw);
    log_close();
    return 0;
}

/* Says yes when it was asked so often. */
static bool enough(void *calls)
{
    return --*(int *)calls <= 0;
}

static enum err run(const struct stream *s, int64_t last, int calls, struct dry_run *ret)
{
    return dry_run(gw.db, arena, s, &subject, anything, last, enough, &calls, ret, NULL);
}

static void it_stops_when_nobody_waits_any_more(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, 1000000);
    struct dry_run r;

    (void)state;
    for (int i = 0; i < EVENTS; i++)
        assert_ok(publish(&gw, s, "{\"type\":\"T\",\"data\":%d}", i));
    assert_ok(run(s, EVENTS, 1000, &r));
    assert_true(r.complete && r.checked == EVENTS && !r.refused);
    assert_ok(run(s, EVENTS, 20, &r));
    assert_true(!r.complete && r.checked > 0 && r.checked < 20);
    assert_ok(run(s, EVENTS, 1, &r));
    assert_true(!r.complete && r.checked == 0);
    assert_ok(run(s, 1, 1000, &r));
    assert_true(r.complete && r.checked == 1);
    stream_unref(s);
}

static void a_stream_that_is_gone_is_not_known(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, 1000000);
    struct dry_run r;

    (void)state;
    side_do("delete from weir.partitions where stream_id = %lld", (long long)s->row.stream_id);
    assert_int_equal(run(s, 10, 1000, &r), ERR_UNKNOWN_STREAM);
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stops_when_nobody_waits_any_more),
        cmocka_unit_test(a_stream_that_is_gone_is_not_known),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
