#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/retention.h"
#include "gateway/base/clock.h"
#include "tests/db/log_support.h"

#define HOUR (3600 * US_PER_S)
#define WORKERS 4

static struct gateway gw;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_retention");
    gateway_start(&gw);
    for (int month = 1; month <= 2; month++)
        side_do("select weir.make_room(now() - interval '%d months')", month);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    gateway_stop(&gw);
    log_close();
    return 0;
}

/* A stream with 1,000 events in each of two partitions, of which the first 600 are older than its retention of 30 days; every
 * hundredth of subject "s<its number>", and one subject from the first event on to the last but one. */
static struct stream *stream_of_two_ages(const char *name)
{
    struct stream *s = stream_here(&gw, name, 2, 7 * 24 * HOUR);
    long long id = (long long)s->row.stream_id;

    side_do("update weir.streams set retention = %lld where stream_id = %lld", (long long)(30 * 24 * HOUR), id);
    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, subject, version,"
            " attributes,"
            "                         data_format, data)"
            " select %lld, p, o, now() - interval '30 days' - (600.5 - o) * interval '1 hour', o, 'T',"
            "        case when o %% 100 = 0 then 's' || p || '-' || o when o in (1, 999) then 'long' || p end, 1,"
            " '\"a\":1', 1, '12345'"
            "   from generate_series(0, 1) p, generate_series(1, 1000) o", id);
    side_do("insert into weir.subjects select stream_id, subject, partition, max(version), max(\"offset\") from"
            " weir.events"
            " where stream_id = %lld and subject is not null group by 1, 2, 3", id);
    side_do("insert into weir.partition_months select stream_id, partition, date_trunc('month', recorded at time zone"
            " 'UTC'),"
            "       min(\"offset\") from weir.events where stream_id = %lld group by 1, 2, 3", id);
    side_do("update weir.partitions set head = 1000, bytes = 10000, recorded = now() where stream_id = %lld", id);
    return s;
}

static void tick_until_done(struct retention *r)
{
    bool more = true;

    for (int i = 0; more; i++) {
        more = false;
        assert_ok(retention_tick(r, &more));
        assert_in_range(i, 0, 100);
    }
}

static void assert_trimmed(const struct stream *s)
{
    long long id = (long long)s->row.stream_id;

    assert_log_whole();
    assert_int_equal(side_int("select count(*) from weir.partitions where stream_id = %lld and earliest = 601 and"
                              " head >= 1000", id),
                     2);
    assert_int_equal(side_int("select count(*) from weir.subjects where stream_id = %lld", id), 2 * (4 + 1));
    assert_int_equal(side_int("select count(*) from weir.subjects where stream_id = %lld and subject like 's%%' and"
                              " last_offset < 601",
                              id), 0);
    assert_int_equal(side_int("select count(*) from weir.partition_months m where stream_id = %lld and exists"
                              " (select from weir.partition_months n where n.stream_id = m.stream_id and n.partition"
                              " = m.partition"
                              "  and n.month > m.month and n.first_offset <= 601)", id), 0);
}

static void what_is_over_goes_in_batches_and_the_rest_stays(void **state)
{
    struct stream *s = stream_of_two_ages("ages");
    struct retention r = { .config = &gw.config, .db = gw.db };
    struct due_row due[4];
    int64_t removed;
    size_t n;
    struct arena *a = arena_new(1 << 20);

    (void)state;
    gw.config.retention_batch = 250;
    assert_ok(db_retention_due(gw.db, clock_unix_us(), due, 4, &n, NULL));
    assert_int_equal(n, 2);
    assert_ok(db_retention_remove(gw.db, &due[0], 250, clock_unix_us() - due[0].retention_us, &removed, NULL));
    assert_int_equal(removed, 250);
    assert_log_whole();
    assert_ok(db_retention_remove(gw.db, &due[0], 250, clock_unix_us() - due[0].retention_us, &removed, NULL));
    assert_int_equal(removed, 0); /* somebody else was faster: nothing twice */
    tick_until_done(&r);
    assert_trimmed(s);
    tick_until_done(&r);
    assert_trimmed(s);
    arena_free(a);
    stream_unref(s);
}

static void a_log_that_is_over_as_a_whole_goes_on_at_its_head(void **state)
{
    struct stream *s = stream_of_two_ages("old");
    struct retention r = { .config = &gw.config, .db = gw.db };
    int64_t pos[PARTITIONS_MAX] = { 999, 1000 };
    struct read_spec spec = { .from = READ_CURSOR, .pos = pos, .only = -1, .limit = 10, .bytes = 1 << 20, .scan = 1000 };
    struct read_page page = { 0 };
    struct arena *a = arena_new(1 << 20);
    long long id = (long long)s->row.stream_id;

    (void)state;
    side_do("update weir.streams set retention = 1 where stream_id = %lld", id);
    side_do("delete from weir.events where stream_id = %lld and recorded > now()", id);
    side_do("update weir.partitions p set (head, bytes) = (select max(\"offset\"), sum(10) from weir.events e where"
            " e.stream_id = p.stream_id and e.partition = p.partition) where stream_id = %lld", id);
    spec.pos[0] = side_int("select min(head) from weir.partitions where stream_id = %lld", id) - 1;
    spec.pos[1] = spec.pos[0] + 1;
    gw.config.retention_batch = 5000;
    tick_until_done(&r);
    assert_log_whole();
    assert_int_equal(side_int("select count(*) from weir.partitions where stream_id = %lld and earliest = head + 1"
                              " and bytes = 0", id),
                     2);
    assert_int_equal(side_int("select count(*) from weir.events where stream_id = %lld", id), 0);
    assert_int_equal(side_int("select count(*) from weir.subjects where stream_id = %lld", id), 0);
    assert_int_equal(side_int("select count(*) from weir.partition_months where stream_id = %lld", id), 2);
    assert_int_equal(read_page(gw.db, a, s, &spec, &page, NULL), ERR_CURSOR_EXPIRED);
    spec.from = READ_EARLIEST;
    assert_ok(read_page(gw.db, a, s, &spec, &page, NULL));
    assert_true(page.up_to_date && page.n == 0);
    side_do("update weir.streams set retention = null where stream_id = %lld", id);
    assert_ok(publish(&gw, s, "[{\"type\":\"A\"},{\"type\":\"A\"},{\"id\":\"1\",\"type\":\"B\",\"subject\":\"long0\","
                              "\"expectedversion\":0}]"));
    assert_log_whole();
    arena_free(a);
    stream_unref(s);
}

/* --- many at once --- */

static void *tick_alone(void *arg)
{
    struct db_config config = gw.db_config;
    struct retention r = { .config = arg, .db = db_new(&config), .next_room_us = INT64_MAX };

    tick_until_done(&r);
    db_free(r.db);
    return NULL;
}

static void gateways_remove_and_publish_at_once(void **state)
{
    struct stream *s = stream_of_two_ages("crowd");
    pthread_t t[WORKERS];

    (void)state;
    gw.config.retention_batch = 37;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, tick_alone, &gw.config), 0);
    for (int i = 0; i < 100; i++)
        assert_ok(publish(&gw, s, "[{\"type\":\"A\"},{\"id\":\"n%d\",\"type\":\"A\"},{\"type\":\"A\"}]", i));
    for (int i = 0; i < WORKERS; i++)
        pthread_join(t[i], NULL);
    assert_trimmed(s);
    stream_unref(s);
}

static void what_cannot_be_removed_lets_nothing_else_grow(void **state)
{
    struct stream *stuck = stream_of_two_ages("stuck"), *s = stream_of_two_ages("beside");
    struct retention r = { .config = &gw.config, .db = gw.db };
    bool more;

    (void)state;
    gw.config.retention_batch = 1000;
    side_do("create function weir.refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$");
    side_do("create trigger refuse before delete on weir.events for each row when (old.stream_id = %lld)"
            " execute function weir.refuse()", (long long)stuck->row.stream_id);
    side_do("insert into weir.tickets values ('\\x00', '/', '\\x00', '{}', now() - interval '1 hour',"
            " now() - interval '1 minute')");
    for (int i = 0; i < 2; i++)
        assert_int_not_equal(retention_tick(&r, &more), OK);
    assert_int_equal(side_int("select count(*) from weir.tickets"), 0);
    assert_trimmed(s);
    side_do("drop function weir.refuse() cascade");
    tick_until_done(&r);
    assert_trimmed(stuck);
    stream_unref(stuck);
    stream_unref(s);
}

static void a_deleted_stream_vanishes_wholly(void **state)
{
    static const char *const tables[] = { "streams", "partitions", "partition_months", "events", "dedup", "subjects" };
    struct stream *s = stream_of_two_ages("doomed"), *kept = stream_of_two_ages("kept"), *again;
    struct retention r = { .config = &gw.config, .db = gw.db };

    (void)state;
    side_do("update weir.streams set retention = null where name in ('doomed', 'kept')");
    assert_ok(publish(&gw, s, "{\"id\":\"1\",\"type\":\"A\",\"subject\":\"x\"}"));
    assert_ok(publish(&gw, kept, "{\"id\":\"1\",\"type\":\"A\",\"subject\":\"x\"}"));
    assert_ok(streams_delete(gw.streams, gw.db, SLICE("doomed"), NULL));
    again = stream_here(&gw, "doomed", 1, US_PER_S); /* the name is free at once */
    assert_ok(publish(&gw, again, "{\"id\":\"1\",\"type\":\"A\",\"subject\":\"x\"}"));
    gw.config.retention_batch = 300;
    tick_until_done(&r);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        assert_int_equal(side_int("select count(*) from weir.%s where stream_id ="
                                  " %lld", tables[i], (long long)s->row.stream_id), 0);
        assert_true(side_int("select count(*) from weir.%s where stream_id ="
                             " %lld", tables[i], (long long)again->row.stream_id) > 0);
    }
    assert_int_equal(side_int("select count(*) from weir.events where stream_id ="
                              " %lld", (long long)kept->row.stream_id), 2001);
    stream_unref(s);
    stream_unref(kept);
    stream_unref(again);
}

/* --- tables --- */

static int64_t tables_of(const char *parent)
{
    return side_int("select count(*) from pg_inherits where inhparent = 'weir.%s'::regclass", parent);
}

static void *make_room_alone(void *arg)
{
    struct db_config config = gw.db_config;
    struct db *db = db_new(&config);
    int32_t made = -1;

    assert_ok(db_make_room(db, clock_unix_us() + 366 * 24 * HOUR, &made, NULL));
    __atomic_add_fetch((int *)arg, made, __ATOMIC_RELAXED);
    db_free(db);
    return NULL;
}

static void room_is_made_once_by_whoever_comes_first(void **state)
{
    int64_t events = tables_of("events"), dedup = tables_of("dedup");
    pthread_t t[WORKERS];
    int made = 0;

    (void)state;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, make_room_alone, &made), 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(made, 3 + 6);
    assert_int_equal(tables_of("events"), events + 3);
    assert_int_equal(tables_of("dedup"), dedup + 6);
    assert_int_equal(side_int("select count(*) from pg_inherits i where i.inhparent = 'weir.events'::regclass and not"
                              " exists"
                              " (select from pg_index x where x.indrelid = i.inhrelid and x.indisprimary)"), 0);
}

static void tables_that_are_over_go_when_they_are_empty_and_nobody_reads_them(void **state)
{
    struct stream *s = stream_here(&gw, "ancient", 1, US_PER_S);
    PGconn *reader = PQconnectdb(gw.db_config.url);
    int64_t now = clock_unix_us(), events, dedup;
    int32_t made, dropped = 1;

    (void)state;
    while (dropped)
        assert_ok(db_drop_over(gw.db, now, &dropped, NULL));
    events = tables_of("events");
    dedup = tables_of("dedup");
    assert_ok(db_make_room(gw.db, INT64_C(1577880000) * US_PER_S, &made, NULL)); /* 2020-01: three months, six weeks */
    assert_int_equal(made, 9);
    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, attributes, data_format)"
            " values (1, 0, 1, '2020-02-02', 'x', 'T', '', 0)");
    side_do("insert into weir.dedup select 1, 2609, gen_random_uuid(), gen_random_uuid(), '2020-01-03', 0, 1, 1,"
            " '2020-01-02'");
    PQclear(PQexec(reader, "begin; select * from weir.events_202001"));
    for (int i = 0; i < 7; i++) {
        assert_ok(db_drop_over(gw.db, now, &dropped, NULL));
        assert_int_equal(dropped, 1);
    }
    assert_ok(db_drop_over(gw.db, now, &dropped, NULL));
    assert_int_equal(dropped, 0); /* one holds an event, one is being read */
    assert_int_equal(tables_of("events"), events + 2);
    assert_int_equal(tables_of("dedup"), dedup);
    PQfinish(reader);
    assert_ok(db_drop_over(gw.db, now, &dropped, NULL));
    assert_int_equal(dropped, 1);
    side_do("delete from weir.events where stream_id = 1");
    assert_ok(db_drop_over(gw.db, now, &dropped, NULL));
    assert_int_equal(dropped, 1);
    assert_int_equal(tables_of("events"), events);
    assert_ok(publish(&gw, s, "{\"id\":\"1\",\"type\":\"A\"}"));
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_over_goes_in_batches_and_the_rest_stays),
        cmocka_unit_test(a_log_that_is_over_as_a_whole_goes_on_at_its_head),
        cmocka_unit_test(gateways_remove_and_publish_at_once),
        cmocka_unit_test(what_cannot_be_removed_lets_nothing_else_grow),
        cmocka_unit_test(a_deleted_stream_vanishes_wholly),
        cmocka_unit_test(room_is_made_once_by_whoever_comes_first),
        cmocka_unit_test(tables_that_are_over_go_when_they_are_empty_and_nobody_reads_them),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
