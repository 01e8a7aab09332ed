#include <stdio.h>
#include <stdlib.h>

#include "db/outbox.h"
#include "gateway/base/clock.h"
#include "gateway/engine/dlq.h"
#include "gateway/engine/outbox.h"
#include "tests/db/log_support.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static struct gateway gw;
static struct outbox *outbox;

static int start(void **state)
{
    (void)state;
    log_open("weir_outbox");
    gateway_start(&gw);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    outbox_stop(outbox);
    gateway_stop(&gw);
    log_close();
    return 0;
}

static void relay_start(void)
{
    outbox = outbox_start(&gw.config, &gw.db_config, gw.commit, gw.streams);
    assert_non_null(outbox);
}

static void relay_stop(void)
{
    outbox_stop(outbox);
    outbox = NULL;
}

/* What the transaction of n letters tells of them. */
static void tell(const struct stream *s, size_t n)
{
    struct arena *a = arena_new(1 << 20);
    uint8_t ids[100][16] = { 0 };
    struct rows rows[3];

    for (size_t i = 0; i < n; i++)
        ids[i][15] = (uint8_t)(i + 1);
    db_queue(gw.db, &DB_BEGIN, NULL);
    assert_true(db_outbox_letters(gw.db, a, s->row.stream_id, s->row.name, ids, sizeof *ids, n));
    db_queue(gw.db, &DB_COMMIT, NULL);
    assert_ok(db_flush(gw.db, rows, 3, NULL));
    assert_int_equal(rows[1].affected, n);
    for (int i = 0; i < 3; i++)
        rows_free(&rows[i]);
    arena_free(a);
}

/* All events of the stream die, once more for each `redrives`. Returns how many. */
static size_t die(const struct stream *s, int redrives)
{
    long long id = (long long)s->row.stream_id;
    size_t n = (size_t)side_int("select count(*) from weir.events where stream_id = %lld", id);

    side_do("delete from weir.dead_letters where stream_id = %lld", id);
    side_do("insert into weir.dead_letters select stream_id, lpad(to_hex(row_number() over ()), 32, '0')::uuid, 'billing',"
            " partition, \"offset\", 0, 0, 'rejected', '{\"type\":\"Bad\",\"message\":\"a  b\"}', 'Bad', 'a',"
            " md5('f')::uuid, %d > 0, '{\"attempt\":1},{\"attempt\":2}', %d, 0,"
            " case when %d > 0 then 'again \"now\"' end, now(), now(),"
            " recorded, id, source, type, subject, version, attributes, data_format, data from weir.events where stream_id = %lld",
            redrives, redrives, redrives, id);
    tell(s, n);
    return n;
}

static size_t pending(struct arena *a, size_t max, int64_t bytes, struct outbox_row **ret)
{
    int64_t floor_us;
    size_t n;

    assert_ok(db_outbox_pending(gw.db, a, 0, max, bytes, ret, &n, &floor_us, NULL));
    return n;
}

static const struct event *read_all(struct arena *a, struct stream *s, size_t n)
{
    const struct read_spec spec = { .from = READ_EARLIEST, .only = -1, .limit = 1000, .bytes = 64 << 20, .scan = 1000 };
    struct read_page *page = arena_zalloc(a, sizeof *page);
    int64_t pos[PARTITIONS_MAX] = { 0 };
    struct read_spec from = spec;

    from.pos = pos;
    assert_ok(read_page(gw.db, a, s, &from, page, NULL));
    assert_int_equal(page->n, n);
    return page->events;
}

static bool holds(struct slice text, struct slice part)
{
    return memmem(text.p, text.n, part.p, part.n) != NULL;
}

/* --- letters --- */

static const char *const bodies[] = {
    "{\"type\":\"A\",\"data\": { \"n\" : 12345678901234567890.10, \"z\":1, \"a\":[ ],\n \"t\":\"\\u0000\\u00e9\\/\" } }",
    "{\"type\":\"A\",\"id\":\"it's \\\"1\\\" \\\\ \u00e9\",\"source\":\"urn:x\",\"subject\":\"s/1\","
    "\"time\":\"2026-01-02T03:04:05Z\",\"correlationid\":\"c,\\\"partitionkey\\\":1\",\"count\":7,\"flag\":true,\"data\":null}",
    "{\"type\":\"A\",\"partitionkey\":\"k \\\"\\u00e9\\\" \\\\\",\"subject\":\"s/2\",\"data\":[1 , 2]}",
    "{\"type\":\"A\"}",
    "{\"type\":\"A\",\"datacontenttype\":\"text/plain\",\"data_base64\":\"bGluZQoJInR3byIgXCBcdTAwMDAgw6k=\"}",
    "{\"type\":\"A\",\"datacontenttype\":\"image/png\",\"data_base64\":\""
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
    "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZg==\"}",
};

static void a_letter_holds_its_event_byte_for_byte(void **state)
{
    struct arena *a = arena_new(64 << 20);
    struct stream *s = stream_here(&gw, "bytes", 1, US_PER_S);
    const struct event *events;
    struct outbox_row *rows;

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++)
        assert_ok(publish(&gw, s, "%s", bodies[i]));
    assert_int_equal(die(s, 0), COUNT(bodies));
    events = read_all(a, s, COUNT(bodies));
    assert_int_equal(pending(a, 100, 1 << 20, &rows), COUNT(bodies));
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct buf want = { 0 }, letter = { 0 };
        struct letter_row row;
        size_t at = 0;

        assert_ok(dlq_get(gw.db, a, s->row.stream_id, (const uint8_t[16]){ [15] = (uint8_t)(i + 1) }, false, &row, NULL));
        dlq_render(&letter, s->row.name, &row);
        while (at < COUNT(bodies) && !slice_eq(rows[at].data, (struct slice){ letter.p, letter.n }))
            at++;
        if (at == COUNT(bodies))
            fail_msg("%.*s", (int)letter.n, letter.p);
        BUF_LIT(&want, "\"event\":");
        event_render(&want, s->row.name, &events[i], false);
        BUF_LIT(&want, ",\"reason\":\"rejected\",");
        assert_true(holds(rows[at].data, (struct slice){ want.p, want.n }));
        assert_true(slice_is(rows[at].stream, "bytes.dlq") && slice_is(rows[at].type, "DeadLettered"));
        assert_true(slice_is(rows[at].source, "/v1/streams/bytes/dlq") && !rows[at].traceparent.p);
        assert_true(slice_is(rows[at].subject, (const char *const[]){ "", "s/1", "k \"\u00e9\" \\", "", "", "" }[i]));
        buf_free(&letter);
        buf_free(&want);
    }
    side_do("delete from weir.outbox");
    stream_unref(s);
    arena_free(a);
}

static void what_has_no_room_in_a_letter_kills_no_group(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct stream *s = stream_here(&gw, "nul", 1, US_PER_S);
    struct outbox_row *rows;

    (void)state;
    assert_ok(publish(&gw, s, "{\"type\":\"A\",\"datacontenttype\":\"text/plain\",\"data_base64\":\"YQBi\"}"));
    assert_int_equal(side_int("select data_format from weir.events where stream_id = %lld", (long long)s->row.stream_id),
                     DATA_TEXT);
    die(s, 0);
    assert_int_equal(pending(a, 100, 1 << 20, &rows), 1);
    assert_true(holds(rows->data, SLICE(",\"data_base64\":\"YQBi\"},\"reason\"")));
    side_do("update weir.dead_letters set attempts = repeat('{},', 100000) || '{}' where stream_id = %lld; delete from weir.outbox",
            (long long)s->row.stream_id);
    tell(s, 1);
    assert_int_equal(pending(a, 100, 1 << 20, &rows), 1);
    assert_true(holds(rows->data, SLICE(",\"attempts\":[],")));
    side_do("delete from weir.outbox");
    stream_unref(s);
    arena_free(a);
}

static void each_death_of_a_letter_is_told(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct stream *s = stream_here(&gw, "again", 1, US_PER_S);
    struct outbox_row *rows;

    (void)state;
    assert_ok(publish(&gw, s, "{\"type\":\"A\"}"));
    die(s, 0);
    die(s, 0); /* discarded, sought back to, and dead again */
    die(s, 1);
    assert_int_equal(pending(a, 100, 1 << 20, &rows), 3);
    assert_true(holds(rows[2].data, SLICE("\"redrives\":1,\"poison\":true,")));
    assert_true(holds(rows[2].data, SLICE("\"note\":\"again \\\"now\\\"\"}")));
    side_do("delete from weir.outbox");
    stream_unref(s);
    arena_free(a);
}

/* --- the relay --- */

static void dead_letters_come_into_a_stream_of_their_own(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 2, US_PER_S);
    size_t n;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_ok(publish(&gw, s, "{\"type\":\"Placed\",\"subject\":\"order-%d\",\"data\":{ \"n\": %d }}", i % 2, i));
    n = die(s, 0);
    relay_start();
    side_until("select count(*) = 0 from weir.outbox");
    assert_int_equal(side_int("select count(*) from weir.log where stream = 'orders.dlq' and type = 'DeadLettered'"), n);
    assert_int_equal(side_int("select count(*) from weir.log where stream = 'orders.dlq' and source = '/v1/streams/orders/dlq' and"
                              " subject = 'order-0' and version = 1 + (data->'event'->'data'->>'n')::int / 2"), 3);
    assert_int_equal(side_int("select count(*) from weir.streams where name = 'orders.dlq' and partitions = 1 and retention is null"
                              " and dedup_window = 2592000000000"), 1);
    die(s, 1);
    outbox_wake(outbox);
    side_until("select count(*) = %d from weir.log where stream = 'orders.dlq'", (int)n * 2);
    relay_stop();
    stream_unref(s);
}

static void the_largest_event_fits_with_its_letter(void **state)
{
    struct stream *s = stream_here(&gw, "large", 1, US_PER_S);
    size_t n = (size_t)gw.config.event_bytes - 200;

    (void)state;
    assert_ok(publish(&gw, s, "{\"type\":\"A\",\"data\":1}"));
    side_do("update weir.events set data_format = 2, data = decode(repeat('01', %d), 'hex') where stream_id = %lld", (int)n,
            (long long)s->row.stream_id); /* each byte is six of JSON */
    die(s, 0);
    assert_true(side_int("select octet_length(data) from weir.outbox") > 6 * (int64_t)n);
    relay_start();
    side_until("select count(*) = 0 from weir.outbox");
    assert_int_equal(side_int("select count(*) from weir.log where stream = 'large.dlq'"), 1);
    relay_stop();
    stream_unref(s);
}

static void put_row(int64_t stream_id, const char *stream, const char *type, const char *ago, const char *data)
{
    side_do("insert into weir.outbox values (%lld, gen_random_uuid(), '%s', clock_timestamp() - interval '%s', '%s', '/v1/x',"
            " '/v1/x/1', null, %s)", (long long)stream_id, stream, ago, type, data);
}

/* As a gateway of the release before does. */
static void put_old(const char *type, const char *ago, const char *data)
{
    side_do("insert into weir.audit values (gen_random_uuid(), clock_timestamp() - interval '%s', '%s', '/v1/x/1', null,"
            " '%s')", ago, type, data);
}

static void a_batch_is_the_oldest_rows_by_stream_within_its_bytes(void **state)
{
    struct arena *a = arena_new(16 << 20);
    struct outbox_row *rows;

    (void)state;
    put_row(1, "b.dlq", "First", "50 s", "repeat('x', 1000)");
    put_row(0, "_audit", "Second", "40 s", "repeat('x', 1000)");
    put_old("Third", "30 s", "{}");
    put_row(1, "b.dlq", "Fourth", "20 s", "repeat('x', 1000)");
    put_row(0, "_audit", "Fifth", "20 s", "'{'");
    side_do("update weir.outbox set recorded = 'infinity' where type = 'Fifth'");
    assert_int_equal(pending(a, 100, 1 << 20, &rows), 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(slice_is(rows[i].type, (const char *const[]){ "Second", "Third", "First", "Fourth" }[i]));
    assert_true(rows[1].of_audit && !rows[0].of_audit && slice_is(rows[1].source, "/v1/x"));
    assert_int_equal(pending(a, 3, 1 << 20, &rows), 3);
    assert_int_equal(pending(a, 100, 2500, &rows), 3);
    assert_int_equal(pending(a, 100, 1, &rows), 1);
    assert_true(slice_is(rows[0].type, "First"));
    side_do("delete from weir.outbox; delete from weir.audit");
    arena_free(a);
}

static void nothing_that_is_late_is_below_the_floor(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct outbox_row *rows;
    int64_t floor_us;
    size_t n;

    (void)state;
    assert_ok(db_outbox_pending(gw.db, a, 0, 100, 1 << 20, &rows, &n, &floor_us, NULL));
    assert_int_equal(n, 0);
    assert_in_range(floor_us, clock_unix_us() - US_PER_S, clock_unix_us() + US_PER_S);
    side_do("begin");
    put_row(0, "_audit", "Late", "0 s", "'{}'");
    put_row(0, "_audit", "Later", "0 s", "'{}'");
    assert_ok(db_outbox_pending(gw.db, a, 0, 100, 1 << 20, &rows, &n, &floor_us, NULL));
    assert_int_equal(n, 0);
    side_do("commit");
    assert_ok(db_outbox_pending(gw.db, a, floor_us, 1, 1 << 20, &rows, &n, &floor_us, NULL));
    assert_true(n == 1 && slice_is(rows->type, "Late") && floor_us == rows->recorded_us);
    assert_ok(db_outbox_pending(gw.db, a, floor_us + 1, 100, 1 << 20, &rows, &n, &floor_us, NULL));
    assert_true(n == 1 && slice_is(rows->type, "Later") && floor_us == rows->recorded_us);
    side_do("delete from weir.outbox");
    arena_free(a);
}

static void what_the_release_before_has_written_is_told_too_in_order(void **state)
{
    (void)state;
    put_row(0, "_audit", "One", "40 s", "'{}'");
    put_old("Two", "30 s", "{}");
    put_row(0, "_audit", "Three", "20 s", "'{}'");
    put_old("Four", "10 s", "{}");
    relay_start();
    side_until("select not exists (select from weir.outbox) and not exists (select from weir.audit)");
    assert_int_equal(side_int("select count(*) from weir.log where stream = '_audit' and subject = '/v1/x/1' and source = '/v1/x'"
                              " and type = (array['One', 'Two', 'Three', 'Four'])[version]"), 4);
    relay_stop();
}

static void what_tells_of_a_stream_that_was_deleted_goes_with_it(void **state)
{
    struct stream *s = stream_here(&gw, "brief", 1, US_PER_S);

    (void)state;
    assert_ok(publish(&gw, s, "{\"type\":\"A\"}"));
    die(s, 0);
    assert_ok(streams_delete(gw.streams, gw.db, s->row.name, NULL));
    relay_start();
    side_until("select count(*) = 0 from weir.outbox");
    assert_int_equal(side_int("select count(*) from weir.streams where name = 'brief.dlq'"), 0);
    relay_stop();
    stream_unref(s);
}

static void a_stream_of_dead_letters_is_deleted_with_its_origin(void **state)
{
    struct stream *s = stream_here(&gw, "pair", 1, US_PER_S), *next;

    (void)state;
    assert_ok(publish(&gw, s, "{\"type\":\"A\"}"));
    die(s, 0);
    relay_start();
    side_until("select count(*) = 0 from weir.outbox");
    assert_int_equal(side_int("select count(*) from weir.streams where name in ('pair', 'pair.dlq')"), 2);
    assert_ok(streams_delete(gw.streams, gw.db, s->row.name, NULL));
    assert_int_equal(side_int("select count(*) from weir.streams where name in ('pair', 'pair.dlq')"), 0);
    assert_int_equal(streams_delete(gw.streams, gw.db, s->row.name, NULL), ERR_UNKNOWN_STREAM);
    next = stream_here(&gw, "pair", 1, US_PER_S);
    die(s, 0); /* what is late of the first one does not come to the second */
    assert_ok(publish(&gw, next, "{\"type\":\"B\"}"));
    die(next, 0);
    outbox_wake(outbox);
    side_until("select count(*) = 0 from weir.outbox");
    assert_int_equal(side_int("select count(*) from weir.log where stream = 'pair.dlq' and data->'event'->>'type' = 'B'"), 1);
    assert_int_equal(side_int("select count(*) from weir.log where stream = 'pair.dlq'"), 1);
    relay_stop();
    stream_unref(s);
    stream_unref(next);
}

static void streams_of_sagas_are_kept_as_long_as_is_configured(void **state)
{
    (void)state;
    gw.config.sagas_retention_us = 3600 * US_PER_S;
    put_row(0, "saga.kept", "SagaStarted", "1 s", "'{}'");
    put_row(0, "saga.kept.dlq", "DeadLettered", "1 s", "'{}'");
    relay_start();
    side_until("select count(*) = 0 from weir.outbox");
    assert_int_equal(side_int("select count(*) from weir.streams where name = 'saga.kept' and retention = 3600000000"), 1);
    assert_int_equal(side_int("select count(*) from weir.streams where name = 'saga.kept.dlq' and retention is null"
                              " and description like 'What died in the groups of saga.kept.%%'"), 1);
    relay_stop();
    gw.config.sagas_retention_us = 0;
    relay_start();                                        /* with nothing to tell */
    side_until("select count(*) = 1 from weir.streams where name = 'saga.kept' and retention is null");
    relay_stop();
}

static void what_cannot_be_told_is_set_aside_and_holds_up_nothing(void **state)
{
    (void)state;
    put_row(0, "_audit", "Broken", "1 day", "'{'");
    put_row(0, "nobody", "Lost", "1 day", "'{}'");
    put_row(0, "_audit", "Whole", "1 s", "'{}'");
    put_old("Old", "1 day", "{");
    relay_start();
    side_until("select count(*) = 3 from (select recorded from weir.outbox union all select recorded from weir.audit) t"
               " where recorded = 'infinity'");
    side_until("select exists (select from weir.log where stream = '_audit' and type = 'Whole')");
    side_do("update weir.outbox set data = '{}', recorded = now() where type = 'Broken'"); /* mended by hand */
    outbox_wake(outbox);
    side_until("select exists (select from weir.log where stream = '_audit' and type = 'Broken')");
    relay_stop();
    side_do("delete from weir.outbox; delete from weir.audit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_holds_its_event_byte_for_byte),
        cmocka_unit_test(what_has_no_room_in_a_letter_kills_no_group),
        cmocka_unit_test(each_death_of_a_letter_is_told),
        cmocka_unit_test(dead_letters_come_into_a_stream_of_their_own),
        cmocka_unit_test(the_largest_event_fits_with_its_letter),
        cmocka_unit_test(a_batch_is_the_oldest_rows_by_stream_within_its_bytes),
        cmocka_unit_test(nothing_that_is_late_is_below_the_floor),
        cmocka_unit_test(what_the_release_before_has_written_is_told_too_in_order),
        cmocka_unit_test(what_tells_of_a_stream_that_was_deleted_goes_with_it),
        cmocka_unit_test(a_stream_of_dead_letters_is_deleted_with_its_origin),
        cmocka_unit_test(streams_of_sagas_are_kept_as_long_as_is_configured),
        cmocka_unit_test(what_cannot_be_told_is_set_aside_and_holds_up_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
