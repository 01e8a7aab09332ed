#include <stdio.h>
#include <stdlib.h>

#include "db/figures.h"
#include "gateway/base/clock.h"
#include "gateway/engine/figures.h"
#include "tests/db/log_support.h"

static struct gateway gw;
static struct arena *arena;

static int start(void **state)
{
    (void)state;
    log_open("weir_figures");
    gateway_start(&gw);
    arena = arena_new(4 << 20);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_free(arena);
    gateway_stop(&gw);
    log_close();
    return 0;
}

static void put_group(const struct stream *s, int64_t id, const char *name, const char *next)
{
    side_do("insert into weir.groups select %lld, %lld, '%s', 1, false, 30000000, 3, 1, 2, 1, 0, 1000, 1000, 1000, 1, '[]', null,"
            " 0, now(), now()", (long long)s->row.stream_id, (long long)id, name);
    side_do("insert into weir.group_states select %lld, %lld, n, 1, 1, case n when 9 then '%s' else '{1,1,1}'::int8[] end, 5, now()"
            " from generate_series(2, 9) n", (long long)s->row.stream_id, (long long)id, next);
}

static void put_lease(const struct stream *s, int64_t group, int id, const char *began, const char *deadline, int open)
{
    side_do("insert into weir.leases values (%lld, %lld, %d, now() - interval '%s', now() + interval '%s', '', '', '', '', '', %d)",
            (long long)s->row.stream_id, (long long)group, id, began, deadline, open);
}

static void put_retry(const struct stream *s, int64_t group, int partition, int offset, const char *due)
{
    side_do("insert into weir.retries values (%lld, %lld, %d, %d, 0, null, 1, 0, now() + interval '%s', false, '{}')",
            (long long)s->row.stream_id, (long long)group, partition, offset, due);
}

static void put_letters(const struct stream *s, const char *group, int from, int to, int state, bool poison)
{
    side_do("insert into weir.dead_letters select %lld, gen_random_uuid(), '%s', 0, o, 0, %d, 'rejected', null, '', '',"
            " gen_random_uuid(), %d = 1, '{}', 0, 0, null, now(), now(), now(), 'i', null, 'T', null, null, '', 0, null"
            " from generate_series(%d, %d) o", (long long)s->row.stream_id, group, state, poison, from, to);
}

static struct metric_groups figures(int64_t max)
{
    struct metric_groups g;

    assert_ok(db_figures(gw.db, arena, max, &g, NULL));
    return g;
}

static void assert_lag(const struct metric_lag *l, const char *stream, const char *group, int64_t events, int64_t in_flight,
                       int64_t retrying)
{
    if (!slice_is(l->of.stream, stream) || !slice_is(l->of.group, group))
        fail_msg("%.*s of %.*s", (int)l->of.group.n, l->of.group.p, (int)l->of.stream.n, l->of.stream.p);
    assert_int_equal(l->events, events);
    assert_int_equal(l->in_flight, in_flight);
    assert_int_equal(l->retrying, retrying);
}

/* --- three partitions with 40, 20 and no events, of the last 40 days; the first 10 of the first one are gone --- */

static struct stream *filled(const char *name)
{
    struct stream *s = stream_here(&gw, name, 3, US_PER_S);
    long long id = (long long)s->row.stream_id;

    side_do("select weir.make_room(now() - interval '%d months')", 1);
    side_do("select weir.make_room(now() - interval '%d months')", 2);
    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, attributes, data_format)"
            " select %lld, p, o, now() - (40 - o) * interval '1 day', 'i', 'T', '', 0 from (values (0, 11, 40), (1, 1, 20)) v"
            " (p, f, t), generate_series(f, t) o", id);
    side_do("insert into weir.partition_months select stream_id, partition, date_trunc('month', recorded at time zone 'UTC'),"
            " min(\"offset\") from weir.events where stream_id = %lld group by 1, 2, 3", id);
    side_do("update weir.partitions set head = case partition when 0 then 40 when 1 then 20 else 0 end,"
            " earliest = case partition when 0 then 11 else 1 end where stream_id = %lld", id);
    return s;
}

static void lag_is_what_is_not_finished(void **state)
{
    struct stream *s = filled("lags");
    struct metric_groups g;
    const int64_t day = 24 * 3600 * US_PER_S;

    (void)state;
    put_group(s, 1, "all", "{1,1,1}");
    put_group(s, 2, "busy", "{31,21,1}");
    put_lease(s, 2, 4, "9 days", "1 hour", 100); /* dead: below the floor */
    put_lease(s, 2, 5, "1 hour", "1 hour", 7);
    put_lease(s, 2, 6, "2 hours", "-1 s", 2);
    put_retry(s, 2, 1, 3, "1 hour");
    put_retry(s, 2, 1, 4, "1 hour");
    put_retry(s, 2, 1, 5, "-1 hour"); /* due: among the nine that are handed out */
    side_do("insert into weir.skips values (%lld, 2, 1, 1, 6, '', '')", (long long)s->row.stream_id);
    put_group(s, 3, "done", "{41,21,1}");
    put_group(s, 4, "held", "{41,21,1}");
    put_lease(s, 4, 5, "3 hours", "1 hour", 1);
    put_group(s, 5, "waiting", "{41,21,1}");
    put_retry(s, 5, 0, 12, "-1 hour");
    g = figures(100);
    assert_int_equal(g.lag_n, 5);
    assert_int_equal(g.dropped, 0);
    assert_lag(&g.lags[0], "lags", "all", 50, 0, 0);
    assert_lag(&g.lags[1], "lags", "busy", 10 + 9 + 2 + 6, 7, 2 + 2);
    assert_lag(&g.lags[2], "lags", "done", 0, 0, 0);
    assert_lag(&g.lags[3], "lags", "held", 1, 1, 0);
    assert_lag(&g.lags[4], "lags", "waiting", 1, 0, 1);
    assert_in_range(g.lags[0].us, 39 * day, 39 * day + 60 * US_PER_S);
    assert_in_range(g.lags[1].us, 37 * day, 37 * day + 60 * US_PER_S);
    assert_int_equal(g.lags[2].us, 0);
    assert_in_range(g.lags[3].us, day / 8, day / 8 + 60 * US_PER_S);
    assert_in_range(g.lags[4].us, 28 * day, 28 * day + 60 * US_PER_S);
    assert_ok(streams_delete(gw.streams, gw.db, s->row.name, NULL));
    assert_int_equal(figures(100).lag_n, 0);
    stream_unref(s);
}

static void letters_are_told_of_groups_that_are_gone_too(void **state)
{
    struct stream *a = stream_here(&gw, "a", 1, US_PER_S), *b = stream_here(&gw, "b", 1, US_PER_S);
    struct metric_groups g;

    (void)state;
    put_letters(b, "x", 1, 3, 0, false);
    put_letters(b, "x", 4, 5, 0, true);
    put_letters(b, "x", 6, 9, 2, true);
    put_letters(a, "y", 1, 1, 0, true);
    put_letters(a, "z", 1, 9, 3, false);
    g = figures(10);
    assert_int_equal(g.letter_n, 2);
    assert_true(slice_is(g.letters[0].of.stream, "a") && slice_is(g.letters[0].of.group, "y"));
    assert_true(slice_is(g.letters[1].of.stream, "b") && slice_is(g.letters[1].of.group, "x"));
    assert_true(g.letters[0].parked == 1 && g.letters[0].poison == 1 && g.letters[1].parked == 5 && g.letters[1].poison == 2);
    assert_int_equal(g.dropped, 0);
    g = figures(1);
    assert_true(g.letter_n == 1 && slice_is(g.letters[0].of.group, "x") && g.dropped == 1);
    assert_ok(streams_delete(gw.streams, gw.db, a->row.name, NULL));
    assert_ok(streams_delete(gw.streams, gw.db, b->row.name, NULL));
    assert_int_equal(figures(10).letter_n, 0);
    stream_unref(a);
    stream_unref(b);
}

static void the_largest_lags_are_kept_and_the_rest_is_counted(void **state)
{
    struct stream *s = filled("many");
    struct metric_groups g;
    char name[16], next[32];

    (void)state;
    for (int i = 1; i <= 20; i++) {
        snprintf(name, sizeof name, "g%02d", i);
        snprintf(next, sizeof next, "{41,%d,1}", i);
        put_group(s, 100 + i, name, next);
    }
    g = figures(3);
    assert_int_equal(g.lag_n, 3);
    assert_int_equal(g.dropped, 17);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "g%02zu", i + 1);
        assert_lag(&g.lags[i], "many", name, 20 - (int64_t)i, 0, 0);
    }
    assert_ok(streams_delete(gw.streams, gw.db, s->row.name, NULL));
    stream_unref(s);
}

/* The page as it is now holds this line. */
static bool tells(const char *line)
{
    struct buf b = { 0 };
    bool found;

    metrics_render(&b);
    buf_char(&b, '\0');
    found = !b.failed && strstr(b.p, line);
    buf_free(&b);
    return found;
}

static void until_told(const char *line)
{
    for (int64_t until = clock_mono_us() + 60 * US_PER_S; !tells(line);)
        assert_true(clock_mono_us() < until);
}

static void instances_of_sagas_are_counted_until_they_end(void **state)
{
    struct metric_saga_now *v;
    int64_t all;
    size_t n;

    (void)state;
    for (int id = 1; id <= 3; id++) {
        side_do("insert into weir.sagas values (%d, 'saga-%d', 1, now(), now())", id, id);
        side_do("insert into weir.saga_instances (saga_id, instance_id, version, state, seq, input, input_hash, created, updated)"
                " select %d, 'i-' || s || '-' || i, 1, s, 1, '{}', gen_random_uuid(), now(), now()"
                " from generate_series(0, 6) s, generate_series(1, %d * (s + 1)) i", id, 3 - id);
    }
    assert_ok(db_figures_sagas(gw.db, arena, 2, &v, &n, &all, NULL));
    assert_int_equal(n, 2);
    assert_int_equal(all, 3);
    assert_true(slice_is(v[0].name, "saga-1") && slice_is(v[1].name, "saga-2"));
    for (int s = 0; s < METRIC_SAGA_STATES; s++) {
        assert_int_equal(v[0].in_state[s], 2 * (s + 1));
        assert_int_equal(v[1].in_state[s], s + 1);
    }
    side_do("truncate weir.saga_instances");
    assert_ok(db_figures_sagas(gw.db, arena, 9, &v, &n, &all, NULL));
    assert_int_equal(n, 3);
    assert_int_equal(v[2].in_state[0], 0);
}

static void they_are_collected_now_and_then(void **state)
{
    struct stream *s = filled("told");
    struct figures *f;

    (void)state;
    assert_true(tells("weir_group_figures_timestamp_seconds 0.000\n"));
    put_group(s, 1, "g", "{41,18,1}");
    put_letters(s, "g", 1, 4, 0, false);
    assert_true(config_set_default(&gw.config, "metrics.groups_period", "50ms"));
    assert_non_null(f = figures_start(&gw.config, &gw.db_config));
    until_told("weir_group_lag_events{stream=\"told\",group=\"g\"} 3\n");
    assert_true(tells("weir_dlq_letters{stream=\"told\",group=\"g\",state=\"parked\"} 4\n"));
    side_do("delete from weir.dead_letters");
    until_told("weir_dlq_letters{stream=\"told\",group=\"g\",state=\"parked\"} 0\n");
    until_told("weir_saga_instances{saga=\"saga-1\",state=\"paused\"} 0\n");
    figures_stop(f);
    assert_true(config_set_default(&gw.config, "metrics.groups_period", "0s"));
    assert_non_null(f = figures_start(&gw.config, &gw.db_config)); /* never */
    figures_stop(f);
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lag_is_what_is_not_finished),
        cmocka_unit_test(letters_are_told_of_groups_that_are_gone_too),
        cmocka_unit_test(the_largest_lags_are_kept_and_the_rest_is_counted),
        cmocka_unit_test(instances_of_sagas_are_counted_until_they_end),
        cmocka_unit_test(they_are_collected_now_and_then),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
