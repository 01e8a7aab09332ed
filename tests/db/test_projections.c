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

static void woken_up(void *count, bool more)
{
    (void)more;
    atomic_fetch_add((atomic_int *)count, 1);
}

static void who_watches_looks_again_when_listen_was_interrupted(void **state)
{
    const struct projection_target beyond = { .n = 1, .v = &(struct place){ 1, INT64_MAX, 0 } };
    struct stream *s = stream_here(&gw, "heard", 1, US_PER_S);
    struct projections *p;
    struct projection_watch *watch[2];
    atomic_int woken[2] = { 0 };
    struct tail *tail;
    int64_t id;

    (void)state;
    define("heard", COUNTING("heard"));
    id = look("heard").projection_id;
    tail = tail_new(&gw.config, &gw.db_config, &gw.db_config, gw.streams);
    p = projections_start(&gw.config, &gw.db_config, tail, gw.streams);
    watch[0] = projections_watch(p, id, NULL, woken_up, &woken[0]);
    watch[1] = projections_watch(p, id + 1, &beyond, woken_up, &woken[1]);
    for (int i = 0; i < 6000 && !tail_listening(tail); i++)
        usleep(10000);
    usleep(200000); /* what its coming up has brought is over */
    atomic_store(&woken[0], 0);
    atomic_store(&woken[1], 0);
    side_do("select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%%' and pid <> pg_backend_pid()");
    for (int i = 0; i < 6000 && !(atomic_load(&woken[0]) && atomic_load(&woken[1])); i++)
        usleep(10000);
    assert_true(atomic_load(&woken[0]) && atomic_load(&woken[1]));
    for (int i = 0; i < 2; i++)
        projections_unwatch(p, watch[i]);
    projections_stop(p);
    tail_stop(tail);
    projections_free(p);
    forget("heard");
    stream_unref(s);
}

/* Changes of 8 parts that are there already: so many steps of each, with so many keys. */
static void changed(const char *name, int steps, int keys)
{
    side_do("delete from weir.projection_changes");
    side_do("insert into weir.projection_changes (projection_id, build, part, position, refold, at, keys)"
            " select p.projection_id, 1, t.part, s, 0, now(), (select array_agg('k-' || t.part || '-' || s || '-' || k)"
            " from generate_series(1, %d) k) from weir.projections p join weir.projection_parts t using (projection_id)"
            " cross join generate_series(1, %d) s where p.name = '%s'", keys, steps, name);
}

static int64_t rows_read(void)
{
    return side_int("select sum(pg_stat_get_tuples_returned(oid)) from pg_class where relname ~ '^projection_changes'");
}

/* The keys that a reader from the beginning is told of; how many looks it takes, and how many steps are read in them. */
static size_t told_of(const char *name, int *ret_looks, int64_t *ret_steps)
{
    struct db *db = db_new(&gw.db_config);
    struct projection_view view = look(name);
    int64_t *pos = arena_zalloc(scratch, view.n * sizeof *pos), before;
    struct projection_changes_query q = { .build = view.build, .pos = pos, .seen = &view, .keys = 500, .bytes = 1 << 20 };
    struct projection_changes c = { 0 };
    size_t n = 0;

    before = rows_read();
    for (*ret_looks = 0; !c.up_to_date; ++*ret_looks) {
        struct projection_view *now = arena_zalloc(scratch, sizeof *now);

        assert_ok(projections_changes(db, scratch, slice_of(name), &q, now, &c, NULL));
        assert_false(c.gap);
        now->told = c.told;
        q.seen = now;
        q.pos = c.pos;
        n += c.n;
    }
    assert_ok(db_connect(db, NULL));
    side_do("select pg_terminate_backend(%d, 5000)", db_backend_pid(db)); /* what it has read is counted when it ends */
    db_free(db);
    *ret_steps = rows_read() - before;
    return n;
}

static void a_reader_of_changes_costs_what_it_is_told(void **state)
{
    struct stream *s = stream_here(&gw, "wide", 8, US_PER_S);
    int64_t steps;
    int looks;

    (void)state;
    define("wide", COUNTING("wide"));
    changed("wide", 20, 50);
    assert_int_equal(told_of("wide", &looks, &steps), 8 * 20 * 50);
    assert_in_range(steps, 8 * 20, 3 * 8 * 20);
    assert_in_range(looks, 8 * 20 * 50 / 600, 17);
    changed("wide", 60, 1); /* small ones: none is left for another look */
    assert_int_equal(told_of("wide", &looks, &steps), 8 * 60);
    assert_in_range(steps, 8 * 60, 2 * 8 * 60);
    assert_int_equal(looks, 1);
    forget("wide");
    stream_unref(s);
}

#define FROM_HEAD "{\"streams\":[\"told\"],\"key\":\"subject\",\"on\":{\"*\":[{\"count\":\"/n\"}]},\"start\":\"latest\""

/* A stream that is made again becomes a part between two of a reader's looks. */
static void a_stream_that_became_a_part_since_the_view_was_read_is_waited_for(void **state)
{
    struct projections *p = gateway_folds();
    struct stream *s = stream_here(&gw, "since", 1, US_PER_S);
    struct projection_view now, before;
    struct projection_target t;
    char cursor[CURSOR_TEXT];
    size_t n;

    (void)state;
    count(s, 3, 2);
    define("since", COUNTING("since"));
    before = now = settled("since");
    before.stream_n = before.n = 0;
    n = projection_position(&now, now.pos, cursor);
    for (int latest = 0; latest < 2; latest++) {
        assert_ok(projections_target(gw.db, scratch, &before, latest ? SLICE("latest") : (struct slice){ cursor, n }, &t, NULL));
        assert_int_equal(t.ahead, 1);
        assert_false(projection_reached(&before, &t));
        assert_true(projection_reached(&now, &t));
    }
    gateway_ends(p);
    forget("since");
    stream_unref(s);
}

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
        cmocka_unit_test(who_watches_looks_again_when_listen_was_interrupted),
        cmocka_unit_test(a_reader_of_changes_costs_what_it_is_told),
        cmocka_unit_test(a_stream_that_became_a_part_since_the_view_was_read_is_waited_for),
        cmocka_unit_test(figures_tell_of_those_that_are_the_furthest_behind),
    };

    return cmocka_run_group_tests(tests, start, projections_close);
}
