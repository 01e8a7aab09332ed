#include <unistd.h>

#include "db/figures.h"
#include "gateway/engine/audit.h"
#include "tests/db/projections_support.h"

/* Gateways that fold. */
static int start(void **state)
{
    (void)state;
    return projections_open("weir_projections");
}

static void states_follow_the_events(void **state)
{
    struct projections *p = gateway_folds();
    struct stream *s = stream_here(&gw, "follow", 3, US_PER_S);

    (void)state;
    count(s, 5, 4);
    define("follow", COUNTING("follow"));
    settled("follow");
    assert_string_equal(state_of("follow", "s-3"), "{\"events\":4,\"sum\":0.4}");
    count(s, 5, 6);
    settled("follow");
    assert_string_equal(state_of("follow", "s-4"), "{\"events\":10,\"sum\":1.0}");
    assert_string_equal(state_of("follow", "s-9"), "none");
    gateway_ends(p);
    forget("follow");
    stream_unref(s);
}

static void a_rebuild_takes_the_place_of_what_is_read(void **state)
{
    struct projections *p = gateway_folds();
    struct stream *s = stream_here(&gw, "again", 2, US_PER_S);
    struct projection_change c;

    (void)state;
    define("again", COUNTING("again"));
    count(s, 10, 10);
    settled("again");
    c = act(rebuild, "again");
    assert_int_equal(c.build, 2);
    count(s, 10, 10);
    until_build("again", 2);
    settled("again");
    assert_string_equal(state_of("again", "s-7"), "{\"events\":20,\"sum\":2.0}");
    side_until("select count(*) = 0 from weir.projection_builds where projection_id = %lld and build = 1",
               (long long)c.projection_id);
    assert_int_equal(side_int("select count(*) from weir.projection_states where projection_id = %lld",
                              (long long)c.projection_id), 10);
    gateway_ends(p);
    forget("again");
    stream_unref(s);
}

static enum err skip_at(const char *name, int64_t offset)
{
    const struct projection_skip skip = { SLICE("stops"), 0, offset };
    struct projection_change c;

    assert_ok(audit_begin(gw.db, NULL));
    return change_done(projections_resume(manager, gw.db, scratch, slice_of(name), &skip, &c, NULL), &c);
}

static void an_event_that_cannot_be_folded_stops_until_it_is_passed_over(void **state)
{
    struct projections *p = gateway_folds();
    struct stream *s = stream_here(&gw, "stops", 1, US_PER_S);
    struct projection_status now;

    (void)state;
    define("stops", COUNTING("stops"));
    count(s, 2, 2);
    assert_ok(publish(&gw, s, "[{\"type\":\"Counted\",\"subject\":\"s-0\",\"id\":\"bad\",\"data\":{\"n\":\"x\"}}]"));
    count(s, 2, 2);
    now = until_failed("stops");
    assert_true(memmem(now.active.error.p, now.active.error.n, "\"offset\":\"5\",\"id\":\"bad\"", 23));
    assert_int_equal(folded("stops"), 4);
    assert_int_equal(skip_at("stops", 4), ERR_CONFLICT);
    assert_int_equal(skip_at("stops", 6), ERR_CONFLICT);
    act(resume, "stops");
    until_failed("stops");
    assert_ok(skip_at("stops", 5));
    settled("stops");
    assert_int_equal(folded("stops"), 8);
    act(rebuild, "stops"); /* passes over it too */
    until_build("stops", 2);
    settled("stops");
    assert_int_equal(folded("stops"), 8);
    assert_int_equal(skip_at("stops", 5), ERR_CONFLICT);
    gateway_ends(p);
    forget("stops");
    stream_unref(s);
}

static void two_gateways_fold_each_event_once_while_one_comes_and_goes(void **state)
{
    struct projections *one = gateway_folds(), *two;
    struct stream *s = stream_here(&gw, "two", 4, US_PER_S);

    (void)state;
    define("two", "{\"streams\":[\"two\"],\"key\":\"/data/n\",\"on\":{\"Counted\":[{\"count\":\"/events\"}]}}");
    for (int round = 0; round < 3; round++) {
        two = gateway_folds();
        count(s, 20, 10);
        usleep(300000);
        count(s, 20, 10);
        gateway_ends(two);
    }
    settled("two");
    assert_int_equal(folded("two"), 1200);
    gateway_ends(one);
    forget("two");
    stream_unref(s);
}

#define FROM_HEAD "{\"streams\":[\"told\"],\"key\":\"subject\",\"on\":{\"*\":[{\"count\":\"/n\"}]},\"start\":\"latest\""

static void figures_tell_of_those_that_are_the_furthest_behind(void **state)
{
    struct stream *s = stream_here(&gw, "told", 2, US_PER_S);
    struct metric_projection *v;
    int64_t all;
    size_t n;

    (void)state;
    define("told", COUNTING("told"));
    define("told-latest", FROM_HEAD "}");
    count(s, 6, 2);
    define("told-later", FROM_HEAD ",\"paused\":true}");
    side_do("update weir.projection_parts set position = position + 1 where projection_id = (select projection_id from"
            " weir.projections where name = 'told-latest')");
    assert_ok(db_figures_projections(gw.db, scratch, 2, &v, &n, &all, NULL));
    assert_int_equal(all, 3);
    assert_int_equal(n, 2);
    assert_true(slice_is(v[0].name, "told") && slice_is(v[1].name, "told-latest"));
    assert_int_equal(v[0].lag_events, 12);
    assert_int_equal(v[1].lag_events, 10);
    assert_true(v[0].lag_us > 0 && !v[0].failed && !v[0].paused);
    side_do("update weir.projection_builds set error = '{}' where projection_id = (select projection_id from weir.projections"
            " where name = 'told-later')");
    assert_ok(db_figures_projections(gw.db, scratch, 2, &v, &n, &all, NULL));
    assert_true(slice_is(v[1].name, "told-later"));
    assert_true(v[1].failed && v[1].paused && v[1].lag_events == 0 && v[1].lag_us == 0);
    forget("told");
    forget("told-latest");
    forget("told-later");
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_the_events),
        cmocka_unit_test(a_rebuild_takes_the_place_of_what_is_read),
        cmocka_unit_test(an_event_that_cannot_be_folded_stops_until_it_is_passed_over),
        cmocka_unit_test(two_gateways_fold_each_event_once_while_one_comes_and_goes),
        cmocka_unit_test(figures_tell_of_those_that_are_the_furthest_behind),
    };

    return cmocka_run_group_tests(tests, start, projections_close);
}
