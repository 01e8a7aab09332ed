#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/engine/saga_events.h"
#include "gateway/engine/saga_waits.h"
#include "tests/db/log_support.h"

/* What sagas wait for on streams: gateways that read, against waits that the tests begin. */
static struct gateway gw;
static struct arena *scratch;
static struct saga_definition def;
static atomic_int found;

#define AWAIT(name)                                                                                                    \
    "{\"name\":\"" name "\",\"after\":[],\"timeout\":\"1m\",\"action\":{\"await\":{\"stream\":\"orders\",\"types\":"              \
    "[\"Paid\"],\"failure_types\":[\"Refused\"],\"match\":{\"/data/order\":\"{{input.order}}\"}}}}"
static const char definition[] = "{\"steps\":[" AWAIT("a") "," AWAIT("b") ",{\"name\":\"any\",\"after\":[],\"timeout\":\"1m\","
                                 "\"action\":{\"await\":{\"stream\":\"orders\",\"types\":[\"Bell*\"],\"match\":{}}}}],"
                                 "\"start_on\":{\"stream\":\"later\",\"types\":[\"Placed\"],\"id\":\"{{event.subject}}\"}}";

static enum err get(void *arg, struct db *db, int64_t saga_id, int32_t version, const struct saga_definition **ret, struct fault *f)
{
    (void)arg, (void)db;
    *ret = &def;
    return saga_id == 1 && version == 1 ? OK : fault(f, ERR_NOT_FOUND, "No such saga.");
}

static void drop(void *arg, const struct saga_definition *d)
{
    (void)arg;
    assert_ptr_equal(d, &def);
}

static void on_found(void *arg)
{
    (void)arg;
    atomic_fetch_add(&found, 1);
}

/* A gateway that reads; the tests publish by another one. */
struct reader {
    struct gateway gateway;
    struct config config;        /* of the reader alone */
    struct saga_events *events;
};

/* poll_us: 0: as it is configured. */
static struct reader *reads(int64_t poll_us)
{
    struct reader *r = calloc(1, sizeof *r);
    struct saga_events_def d = { .definition = get, .drop = drop, .found = on_found };

    gateway_start(&r->gateway);
    r->config = r->gateway.config;
    r->config.tail_poll_us = poll_us ? poll_us : r->config.tail_poll_us;
    d.config = &r->config;
    d.db = &r->gateway.db_config;
    d.tail = r->gateway.tail;
    d.streams = r->gateway.streams;
    assert_non_null(r->events = saga_events_start(&d));
    return r;
}

static void ends(struct reader *r)
{
    saga_events_stop(r->events);
    gateway_stop(&r->gateway);
    saga_events_free(r->events); /* after its tail */
    free(r);
}

static int start(void **state)
{
    struct fault f = { 0 };

    (void)state;
    log_open("weir_saga_events");
    gateway_start(&gw);
    scratch = arena_new(64 << 20);
    if (saga_definition_parse(scratch, slice_of(definition), &def, &f))
        fail_msg("%s %s", f.pointer, f.detail);
    side_do("insert into weir.sagas values (1, 'orders', 1, now(), now())");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_free(scratch);
    gateway_stop(&gw);
    log_close();
    return 0;
}

static int clean(void **state)
{
    (void)state;
    side_do("truncate weir.saga_waits, weir.saga_starts, weir.saga_readers, weir.saga_rereads, weir.saga_inbox");
    return 0;
}

/* Instance i-<n> waits at the step for {"order":"o-<n>"}, or o-<order>, for n of [from, to); in the transaction that is open, if one is. */
static void begin_for(int order, int step, int from, int to)
{
    size_t n = (size_t)(to - from);
    struct saga_wait *v = arena_zalloc(scratch, (n + 1) * sizeof *v);
    struct slice *values = arena_alloc(scratch, (n + 1) * sizeof *values);

    for (size_t i = 0; i < n; i++) {
        values[i] = slice_of(arena_printf(scratch, "\"o-%zu\"", order < 0 ? (size_t)from + i : (size_t)order));
        v[i] = (struct saga_wait){ .id = { 1, slice_of(arena_printf(scratch, "i-%zu", (size_t)from + i)), (int16_t)step, 0 },
                                   .version = 1, .await = def.await[2 * step], .values = &values[i] };
    }
    assert_ok(saga_waits_begin(gw.db, scratch, v, n, NULL));
    for (size_t i = 0; i < n; i++)
        assert_false(v[i].missing);
}

static void begin(int step, int from, int to)
{
    begin_for(-1, step, from, to);
}

static void in_inbox(int64_t n)
{
    side_until("select count(*) = %lld from weir.saga_inbox", (long long)n);
}

static void has(const char *instance, int step, const char *part)
{
    assert_int_equal(side_int("select count(*) from weir.saga_inbox where instance_id = '%s' and step = %d and event like '%%%s%%'",
                              instance, step, part), 1);
}

static void pay(struct stream *s, int order, const char *type)
{
    assert_ok(publish(&gw, s, "[{\"type\":\"%s\",\"data\":{\"order\":\"o-%d\"}}]", type, order));
}

static void an_event_meets_the_wait_of_its_value(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e = reads(0);

    (void)state;
    pay(s, 1, "Paid"); /* before it waits */
    begin(0, 1, 4);
    saga_events_wake(e->events);
    pay(s, 2, "Paid");
    pay(s, 2, "Shipped");
    pay(s, 3, "Refused");
    pay(s, 9, "Paid");
    in_inbox(2);
    has("i-2", 0, "\"order\":\"o-2\"");
    has("i-3", 0, "\"type\":\"Refused\"");
    assert_int_equal(side_int("select count(*) from weir.saga_waits"), 1);
    assert_true(atomic_load(&found) > 0);
    ends(e);
    stream_unref(s);
}

static void an_event_that_was_passed_before_the_wait_is_committed_is_found(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e = reads(0);

    (void)state;
    begin(0, 100, 101); /* so that the stream is read */
    saga_events_wake(e->events);
    side_until("select count(*) = 1 from weir.saga_readers");
    assert_ok(db_exec(gw.db, &DB_BEGIN, NULL, NULL, NULL));
    begin(0, 1, 3);
    pay(s, 1, "Paid");
    pay(s, 50, "Paid");
    side_until("select not exists (select from weir.partitions p join weir.saga_readers r using (stream_id)"
               " where p.head > r.position[p.partition + 1])");
    assert_int_equal(side_int("select count(*) from weir.saga_inbox"), 0);
    assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
    saga_events_wake(e->events);
    in_inbox(1);
    has("i-1", 0, "o-1");
    pay(s, 2, "Paid");
    in_inbox(2);
    side_until("select count(*) = 0 from weir.saga_rereads");
    ends(e);
    stream_unref(s);
}

static void an_event_serves_an_instance_once(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e = reads(0);

    (void)state;
    begin(0, 1, 2);
    begin(1, 1, 2);
    saga_events_wake(e->events);
    pay(s, 1, "Paid");
    in_inbox(1);
    has("i-1", 0, "Paid");
    usleep(50000);
    in_inbox(1);
    pay(s, 1, "Refused");
    in_inbox(2);
    has("i-1", 1, "Refused");
    ends(e);
    stream_unref(s);
}

/* More than a step holds, so that it ends within an event, which comes again for the others. */
static void an_event_serves_an_instance_once_also_when_it_takes_several_steps(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e;

    (void)state;
    begin_for(7, 0, 0, 700);
    begin_for(7, 1, 0, 700);
    pay(s, 7, "Paid");
    e = reads(0);
    side_until("select count(*) = 0 from weir.saga_rereads");
    assert_int_equal(side_int("select count(*) from weir.saga_inbox where step = 0"), 700);
    assert_int_equal(side_int("select count(*) from weir.saga_inbox"), 700);
    pay(s, 7, "Refused");
    in_inbox(1400);
    assert_int_equal(side_int("select count(*) from weir.saga_inbox where step = 1 and event like '%%Refused%%'"), 700);
    ends(e);
    stream_unref(s);
}

/* The second wait begins while the event passes; of one instance that is in the inbox then, of the other one it was applied. */
static void an_event_serves_an_instance_once_also_when_the_reader_goes_back(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e = reads(0);

    (void)state;
    begin_for(7, 0, 0, 2);
    saga_events_wake(e->events);
    side_until("select count(*) = 1 from weir.saga_readers");
    assert_ok(db_exec(gw.db, &DB_BEGIN, NULL, NULL, NULL));
    begin_for(7, 1, 0, 2);
    pay(s, 7, "Paid");
    in_inbox(2);
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, event) select 1, 'i-1', 0, 0, 4,"
            " concat(stream_id, '-', partition, '-', \"offset\") from weir.saga_inbox where instance_id = 'i-1'");
    side_do("delete from weir.saga_inbox where instance_id = 'i-1'");
    assert_ok(db_exec(gw.db, &DB_COMMIT, NULL, NULL, NULL));
    saga_events_wake(e->events);
    side_until("select count(*) = 0 from weir.saga_rereads");
    assert_int_equal(side_int("select count(*) from weir.saga_inbox"), 1);
    pay(s, 7, "Refused");
    in_inbox(3);
    has("i-0", 1, "Refused");
    has("i-1", 1, "Refused");
    side_do("delete from weir.saga_steps");
    ends(e);
    stream_unref(s);
}

static void two_events_of_one_page_serve_two_waits_of_an_instance(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e;

    (void)state;
    begin(0, 1, 2);
    begin(1, 1, 2);
    assert_ok(publish(&gw, s, "[{\"type\":\"Paid\",\"subject\":\"s\",\"data\":{\"order\":\"o-1\"}},"
                              "{\"type\":\"Refused\",\"subject\":\"s\",\"data\":{\"order\":\"o-1\"}}]"));
    e = reads(0);
    in_inbox(2);
    has("i-1", 0, "Paid");
    has("i-1", 1, "Refused");
    ends(e);
    stream_unref(s);
}

static void an_event_that_many_wait_for_serves_all_of_them(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e;

    (void)state;
    begin(2, 0, 2500);
    begin(0, 2500, 2600);
    assert_ok(publish(&gw, s, "[{\"type\":\"BellRang\",\"data\":{}}]"));
    pay(s, 2550, "Paid");
    e = reads(0);
    in_inbox(2501);
    assert_int_equal(side_int("select count(*) from weir.saga_waits"), 99);
    side_until("select count(*) = 0 from weir.saga_rereads");
    ends(e);
    stream_unref(s);
}

/* They wait for something else, which only has the same hash. */
static void however_many_have_the_hash_of_an_event_it_finds_its_own(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e;

    (void)state;
    begin(0, 0, 2100);
    side_do("update weir.saga_waits set hash = (select hash from weir.saga_waits where instance_id = 'i-999')");
    pay(s, 999, "Paid"); /* the last one of them */
    e = reads(0);
    in_inbox(1);
    has("i-999", 0, "o-999");
    ends(e);
    stream_unref(s);
}

static void waits_that_end_before_their_event_get_none(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e;
    const struct saga_wait_id id = { 1, SLICE("i-1"), 0, 0 };

    (void)state;
    begin(0, 1, 3);
    assert_true(saga_waits_end(gw.db, scratch, &id, 1));
    assert_ok(db_flush(gw.db, NULL, 1, NULL));
    pay(s, 1, "Paid");
    pay(s, 2, "Paid");
    e = reads(0);
    in_inbox(1);
    has("i-2", 0, "o-2");
    pay(s, 3, "Paid");
    side_until("select count(*) = 0 from weir.saga_readers"); /* nobody waits any more */
    ends(e);
    stream_unref(s);
}

static void gateways_share_what_comes_and_nothing_comes_twice(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e = reads(0), *o = reads(0);

    (void)state;
    for (int i = 0; i < 400; i += 20) {
        begin(0, i, i + 20);
        saga_events_wake((i % 40 ? e : o)->events);
        for (int k = i; k < i + 20; k++)
            pay(s, k, "Paid");
    }
    in_inbox(400);
    assert_int_equal(side_int("select count(distinct instance_id) from weir.saga_inbox"), 400);
    assert_int_equal(side_int("select count(*) from weir.saga_waits"), 0);
    ends(e);
    ends(o);
    stream_unref(s);
}

static void a_stream_that_comes_later_starts_instances_from_its_first_event(void **state)
{
    struct reader *e = reads(0);
    struct stream *s;

    (void)state;
    assert_ok(saga_starts_put(gw.db, 1, SLICE("later"), NULL));
    s = stream_here(&gw, "later", 2, US_PER_S);
    for (int i = 0; i < 3; i++) {
        struct buf b = { 0 };

        for (int k = 0; k < 800; k++)
            buf_printf(&b, "%c{\"type\":\"Placed\",\"subject\":\"order-%d\"}", k ? ',' : '[', i * 800 + k);
        buf_printf(&b, ",{\"type\":\"Other\",\"subject\":\"x\"},{\"type\":\"Placed\",\"subject\":\"a b\"},"
                       "{\"type\":\"Placed\",\"subject\":\"..\"}]");
        buf_char(&b, '\0');
        assert_ok(publish(&gw, s, "%s", b.p));
        buf_free(&b);
    }
    in_inbox(2406);
    has("order-0", -1, "\"subject\":\"order-0\"");
    assert_int_equal(side_int("select count(*) from weir.saga_inbox where instance_id like 'order-%%' and step = -1"), 2400);
    assert_int_equal(side_int("select count(*) from weir.saga_inbox where instance_id like '%lld-%%'",
                              (long long)s->row.stream_id), 6); /* `a b` and `..` are no ids */
    assert_ok(saga_starts_put(gw.db, 1, SLICE_NONE, NULL));
    assert_int_equal(side_int("select count(*) from weir.saga_starts"), 0);
    ends(e);
    stream_unref(s);
}

static void a_new_version_goes_on_where_the_old_one_was(void **state)
{
    struct stream *s = stream_here(&gw, "later", 2, US_PER_S);
    struct reader *e;

    (void)state;
    assert_ok(saga_starts_put(gw.db, 1, SLICE("later"), NULL));
    assert_ok(publish(&gw, s, "[{\"type\":\"Placed\",\"subject\":\"one\"}]"));
    assert_ok(saga_starts_put(gw.db, 1, SLICE("later"), NULL));
    assert_ok(publish(&gw, s, "[{\"type\":\"Placed\",\"subject\":\"two\"}]"));
    e = reads(0);
    in_inbox(2);
    has("one", -1, "one");
    has("two", -1, "two");
    ends(e);
    stream_unref(s);
}

static void timeouts_may_count_once_everything_before_them_was_looked_at(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e;
    int64_t due;

    (void)state;
    begin(0, 1, 2);
    pay(s, 1, "Paid");
    due = side_int("select (extract(epoch from clock_timestamp()) * 1000000)::int8");
    e = reads(0);
    for (int i = 0; saga_events_passed(e->events, SLICE("orders"), due) < due; i++) {
        assert_true(i < 6000);
        usleep(10000);
    }
    assert_int_equal(side_int("select count(*) from weir.saga_inbox"), 1);
    assert_true(saga_events_passed(e->events, SLICE("orders"), due + 3600 * US_PER_S) < due + 3600 * US_PER_S);
    ends(e);
    stream_unref(s);
}

/* The head of the second event is told while the reader is on its way; it looks by itself only once in an hour. */
static void what_comes_while_the_reader_is_busy_needs_no_further_wake(void **state)
{
    struct stream *s = stream_here(&gw, "orders", 3, US_PER_S);
    struct reader *e;

    (void)state;
    begin(0, 1, 4);
    e = reads(3600 * US_PER_S);
    side_until("select count(*) = 0 from weir.saga_rereads");
    side_do("begin; lock weir.saga_inbox in exclusive mode");
    pay(s, 1, "Paid");
    side_until("select exists (select from pg_locks where not granted and relation = 'weir.saga_inbox'::regclass)");
    pay(s, 2, "Paid");
    pay(s, 3, "Paid");
    usleep(50000);
    side_do("commit");
    in_inbox(3);
    ends(e);
    stream_unref(s);
}

static void an_await_of_no_stream_is_told(void **state)
{
    struct saga_await nowhere = *def.await[4];
    struct saga_wait v = { .id = { 1, SLICE("i"), 0, 0 }, .version = 1, .await = &nowhere };

    (void)state;
    nowhere.stream = SLICE("nowhere");
    assert_ok(saga_waits_begin(gw.db, scratch, &v, 1, NULL));
    assert_true(v.missing);
    assert_int_equal(side_int("select count(*) from weir.saga_waits"), 0);
}

static void what_is_left_of_a_deleted_stream_is_removed(void **state)
{
    struct stream *s = stream_here(&gw, "gone", 1, US_PER_S);
    struct saga_await await = *def.await[4];
    struct saga_wait v = { .id = { 1, SLICE("i"), 2, 0 }, .version = 1, .await = &await };
    struct reader *e;

    (void)state;
    await.stream = SLICE("gone");
    assert_ok(saga_waits_begin(gw.db, scratch, &v, 1, NULL));
    assert_ok(streams_delete(gw.streams, gw.db, SLICE("gone"), NULL));
    e = reads(0);
    side_until("select not exists (select from weir.saga_rereads) and not exists (select from weir.saga_readers)");
    ends(e);
    stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_event_meets_the_wait_of_its_value, clean),
        cmocka_unit_test_teardown(an_event_that_was_passed_before_the_wait_is_committed_is_found, clean),
        cmocka_unit_test_teardown(an_event_serves_an_instance_once, clean),
        cmocka_unit_test_teardown(an_event_serves_an_instance_once_also_when_it_takes_several_steps, clean),
        cmocka_unit_test_teardown(an_event_serves_an_instance_once_also_when_the_reader_goes_back, clean),
        cmocka_unit_test_teardown(two_events_of_one_page_serve_two_waits_of_an_instance, clean),
        cmocka_unit_test_teardown(an_event_that_many_wait_for_serves_all_of_them, clean),
        cmocka_unit_test_teardown(however_many_have_the_hash_of_an_event_it_finds_its_own, clean),
        cmocka_unit_test_teardown(waits_that_end_before_their_event_get_none, clean),
        cmocka_unit_test_teardown(gateways_share_what_comes_and_nothing_comes_twice, clean),
        cmocka_unit_test_teardown(a_stream_that_comes_later_starts_instances_from_its_first_event, clean),
        cmocka_unit_test_teardown(a_new_version_goes_on_where_the_old_one_was, clean),
        cmocka_unit_test_teardown(timeouts_may_count_once_everything_before_them_was_looked_at, clean),
        cmocka_unit_test_teardown(what_comes_while_the_reader_is_busy_needs_no_further_wake, clean),
        cmocka_unit_test_teardown(an_await_of_no_stream_is_told, clean),
        cmocka_unit_test_teardown(what_is_left_of_a_deleted_stream_is_removed, clean),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
