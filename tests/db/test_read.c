#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "tests/db/log_support.h"

static struct gateway gw;
static struct stream *one, *five;

/* Partition p of n: COUNT events each 40 minutes apart, so that they lie in some four months before now. Offset o has type
 * T<o mod 10>, subject s<o mod 7> (none where that is 0) and o mod 50 bytes of data. */
enum { COUNT = 4000 };

static void fill(const struct stream *s)
{
    long long id = (long long)s->row.stream_id;

    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, subject, version,"
            " attributes,"
            "                         data_format, data)"
            " select %lld, p, o, now() - (%d - o) * interval '40 minutes' - p * interval '1 second', p || '-' || o,"
            " 'T' || o %% 10,"
            "        case when o %% 7 > 0 then 's' || o %% 7 end, case when o %% 7 > 0 then o end, '', 1,"
            "        convert_to('\"' || repeat('x', (o %% 50)::int) || '\"', 'UTF8')"
            "   from generate_series(0, %d) p, generate_series(1::bigint, %d) o",
            id, COUNT, (int)s->row.partitions - 1, COUNT);
    side_do("update weir.partitions p set head = %d, recorded = now() - p.partition * interval '1 second',"
            "       bytes = (select sum(octet_length(data)) from weir.events e"
            "                 where e.stream_id = p.stream_id and e.partition = p.partition)"
            " where stream_id = %lld", COUNT, id);
    side_do("insert into weir.partition_months select stream_id, partition, date_trunc('month', recorded at time zone"
            " 'UTC'),"
            "       min(\"offset\") from weir.events where stream_id = %lld group by 1, 2, 3", id);
}

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_read");
    gateway_start(&gw);
    for (int month = 1; month <= 5; month++)
        side_do("select weir.make_room(now() - interval '%d months')", month);
    one = stream_here(&gw, "one", 1, US_PER_S);
    five = stream_here(&gw, "five", 5, US_PER_S);
    fill(one);
    fill(five);
    assert_log_whole();
    assert_true(side_int("select count(distinct month) from weir.partition_months") >= 4);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    stream_unref(one);
    stream_unref(five);
    gateway_stop(&gw);
    log_close();
    return 0;
}

static struct read_spec all_of(int64_t limit)
{
    static int64_t pos[PARTITIONS_MAX]; /* one spec at a time is in use */

    return (struct read_spec){ .from = READ_EARLIEST, .pos = pos, .only = -1, .limit = limit, .bytes = 1 << 30, .scan = INT64_MAX };
}

/* What reading to the end brought. */
struct seen {
    int64_t pos[PARTITIONS_MAX];  /* the last offset seen */
    size_t events, pages, most;
    bool ordered;                 /* each partition's offsets went up one by one */
};

static bool matches(const struct filter *f, const struct event *ev)
{
    return filter_match(f, ev->type, ev->subject);
}

static void look_at(const struct read_page *page, const struct filter *f, struct seen *seen)
{
    for (size_t i = 0; i < page->n; i++) {
        const struct event *ev = &page->events[i];
        int64_t *at = &seen->pos[ev->partition];
        char id[32];

        snprintf(id, sizeof id, "%d-%lld", ev->partition, (long long)ev->offset);
        assert_true(slice_is(ev->id, id));
        assert_int_equal(ev->data.n, ev->offset % 50 + 2);
        assert_true(matches(f, ev));
        seen->ordered &= f ? ev->offset > *at : ev->offset == *at + 1;
        assert_true(ev->offset <= page->pos[ev->partition]);
        *at = ev->offset;
    }
    seen->events += page->n;
    seen->most = page->n > seen->most ? page->n : seen->most;
    seen->pages++;
}

static struct seen read_to_the_end(struct stream *s, struct read_spec spec, int64_t begin)
{
    struct seen seen = { .ordered = true };
    bool more = true;

    for (int p = 0; p < PARTITIONS_MAX; p++)
        seen.pos[p] = begin;
    while (more) {
        struct arena *a = arena_new(64 << 20);
        struct read_page page = { 0 };
        struct fault f = { 0 };

        if (read_page(gw.db, a, s, &spec, &page, &f))
            fail_msg("%s", f.detail);
        look_at(&page, spec.filter, &seen);
        more = !page.up_to_date;
        assert_true(!more || page.n || memcmp(page.start, page.pos, sizeof page.pos));
        spec.from = READ_CURSOR;
        memcpy(spec.pos, page.pos, sizeof page.pos);
        arena_free(a);
    }
    for (int p = 0; p < s->row.partitions; p++)
        if (spec.only < 0 || spec.only == p)
            assert_int_equal(spec.pos[p], COUNT);
    return seen;
}

static void pages_of_any_size_make_up_the_whole_log(void **state)
{
    static const int64_t limits[] = { 3, 7, 64, 100, 999, 1000, 4000, 10000, 100000 };
    struct seen seen;

    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        seen = read_to_the_end(one, all_of(limits[i]), 0);
        assert_true(seen.ordered);
        assert_int_equal(seen.events, COUNT);
        assert_in_range(seen.most, 1, limits[i]);
        if (limits[i] < 64)
            continue;
        seen = read_to_the_end(five, all_of(limits[i]), 0);
        assert_true(seen.ordered);
        assert_int_equal(seen.events, 5 * COUNT);
        assert_in_range(seen.most, 1, limits[i]);
    }
}

static void a_limit_below_the_partitions_starves_none(void **state)
{
    struct read_spec spec = all_of(1);

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct arena *a = arena_new(1 << 20);
        struct read_page page = { 0 };

        assert_ok(read_page(gw.db, a, five, &spec, &page, NULL));
        assert_int_equal(page.n, 1);
        spec.from = READ_CURSOR;
        memcpy(spec.pos, page.pos, sizeof page.pos);
        arena_free(a);
    }
    for (int p = 0; p < 5; p++)
        assert_in_range(spec.pos[p], 1, 3);
}

static void one_partition_alone(void **state)
{
    struct read_spec spec = all_of(700);
    struct seen seen;

    (void)state;
    spec.only = 3;
    seen = read_to_the_end(five, spec, 0);
    assert_true(seen.ordered);
    assert_int_equal(seen.events, COUNT);
    assert_int_equal(seen.pos[3], COUNT);
    assert_int_equal(seen.pos[2], 0);
}

static void filters_pass_over_and_end_at_the_head(void **state)
{
    static const struct {
        struct filter filter;
        int64_t per_partition;
    } rows[] = {
        { { .type_n = 1, .types = { { "T3", 2 } } }, COUNT / 10 },
        { { .type_n = 2, .types = { { "T3", 2 }, { "*4", 2 } } }, COUNT / 5 },
        { { .type_n = 1, .types = { { "T_", 2 } } }, 0 },
        { { .type_n = 1, .types = { { "%", 1 } } }, 0 },
        { { .type_n = 1, .types = { { "\\T3", 3 } } }, 0 },
        { { .subject_n = 1, .subjects = { { "s2", 2 } } }, 572 },
        { { .subject_n = 1, .subjects = { { "*", 1 } } }, COUNT - COUNT / 7 },
        { { .type_n = 1, .types = { { "T*", 2 } }, .subject_n = 2, .subjects = { { "s1", 2 }, { "s2", 2 } } }, 1144 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int64_t limit = 50; limit <= 5000; limit *= 10) {
            struct read_spec spec = all_of(limit);
            struct seen seen;

            spec.filter = &rows[i].filter;
            seen = read_to_the_end(five, spec, 0);
            assert_true(seen.ordered);
            if ((int64_t)seen.events != 5 * rows[i].per_partition)
                fail_msg("filter %zu, limit %d: %zu events", i, (int)limit, seen.events);
            assert_in_range(seen.most, 0, limit);
        }
}

static void bytes_end_a_page_early_and_one_event_always_comes(void **state)
{
    struct read_spec spec = all_of(10000);
    struct filter odd = { .type_n = 1, .types = { SLICE("T1") } };
    struct seen seen;

    (void)state;
    spec.bytes = 20000;
    seen = read_to_the_end(one, spec, 0);
    assert_true(seen.ordered);
    assert_int_equal(seen.events, COUNT);
    assert_in_range(seen.most, 20, 100); /* some 227 bytes are counted for each */
    seen = read_to_the_end(five, spec, 0);
    assert_true(seen.ordered);
    assert_int_equal(seen.events, 5 * COUNT);
    spec.filter = &odd;
    seen = read_to_the_end(five, spec, 0);
    assert_int_equal(seen.events, COUNT / 2);
    assert_in_range(seen.most, 20, 100);
    spec.bytes = 1;
    spec.from = READ_CURSOR;
    for (int p = 0; p < 5; p++)
        spec.pos[p] = COUNT - 100;
    seen = read_to_the_end(five, spec, COUNT - 100);
    assert_int_equal(seen.events, 50);
    assert_in_range(seen.most, 1, 5);
}

static void a_scan_has_an_end_and_says_so(void **state)
{
    struct filter none = { .type_n = 1, .types = { SLICE("nothing") } };
    struct read_spec spec = all_of(100);
    struct arena *a = arena_new(1 << 20);
    struct read_page page = { 0 };
    struct seen seen;

    (void)state;
    spec.filter = &none;
    spec.scan = 100;
    assert_ok(read_page(gw.db, a, five, &spec, &page, NULL));
    assert_int_equal(page.n, 0);
    assert_false(page.up_to_date);
    for (int p = 0; p < 5; p++)
        assert_in_range(page.pos[p], 1, 20); /* all partitions together: 100 */
    arena_free(a);
    seen = read_to_the_end(five, spec, 0);
    assert_int_equal(seen.events, 0);
    assert_in_range(seen.pages, COUNT / 20, COUNT / 20 + 10);
}

static void a_time_is_found_in_every_partition(void **state)
{
    static const int from[] = { 1, 2, 777, 2500, COUNT - 1, COUNT };

    (void)state;
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        struct read_spec spec = all_of(10);

        spec.from = READ_TIME;
        spec.time_us = side_int("select (extract(epoch from recorded) * 1000000)::bigint from weir.events where"
                                " stream_id = %lld"
                                " and partition = 0 and \"offset\" = %d", (long long)five->row.stream_id, from[i]);
        for (int later = 0; later < 2; later++, spec.time_us++) { /* at the very time, and just after */
            struct arena *a = arena_new(1 << 20);
            struct read_page page = { 0 };

            assert_ok(read_page(gw.db, a, five, &spec, &page, NULL));
            assert_int_equal(page.start[0], from[i] - 1 + later);
            assert_int_equal(page.start[4], from[i]); /* these are 4 s older */
            arena_free(a);
        }
    }
}

static void a_time_before_and_after_everything(void **state)
{
    struct read_spec spec = all_of(10);
    struct arena *a = arena_new(1 << 20);
    struct read_page page = { 0 };

    (void)state;
    spec.from = READ_TIME;
    spec.time_us = 0;
    assert_ok(read_page(gw.db, a, five, &spec, &page, NULL));
    assert_int_equal(page.start[2], 0);
    spec.time_us = clock_unix_us() + 3600 * US_PER_S;
    assert_ok(read_page(gw.db, a, five, &spec, &page, NULL));
    assert_int_equal(page.start[2], COUNT);
    assert_int_equal(page.n, 0);
    assert_true(page.up_to_date);
    spec.from = READ_LATEST;
    assert_ok(read_page(gw.db, a, five, &spec, &page, NULL));
    assert_int_equal(page.pos[2], COUNT);
    assert_true(page.up_to_date);
    arena_free(a);
}

static void a_cursor_outside_of_the_log_is_told(void **state)
{
    struct read_spec spec = all_of(10);
    struct arena *a = arena_new(1 << 20);
    struct read_page page = { 0 };
    struct fault f = { 0 };
    struct cursor c;

    (void)state;
    spec.from = READ_CURSOR;
    for (int p = 0; p < 5; p++)
        spec.pos[p] = 50;
    spec.pos[4] = COUNT + 1;
    assert_int_equal(read_page(gw.db, a, five, &spec, &page, &f), ERR_CURSOR_UNKNOWN);
    spec.only = 3; /* not this reader's partition */
    assert_ok(read_page(gw.db, a, five, &spec, &page, &f));
    spec.only = -1;
    spec.pos[4] = 50;
    side_do("update weir.partitions set earliest = 101 where stream_id = %lld and partition in (1, 3)",
            (long long)five->row.stream_id);
    assert_int_equal(read_page(gw.db, a, five, &spec, &page, &f), ERR_CURSOR_EXPIRED);
    assert_non_null(f.earliest);
    assert_ok(cursor_parse(slice_of(f.earliest), five->row.name, five->row.stream_id, &c, NULL));
    for (int p = 0; p < 5; p++) {
        assert_int_equal(c.pos[p], p == 1 || p == 3 ? 100 : 50);
        assert_int_equal(page.pos[p], c.pos[p]);
    }
    memcpy(spec.pos, c.pos, sizeof page.pos);
    assert_ok(read_page(gw.db, a, five, &spec, &page, &f));
    spec = all_of(10);
    assert_ok(read_page(gw.db, a, five, &spec, &page, &f));
    assert_int_equal(page.start[0], 0);
    assert_int_equal(page.start[1], 100);
    side_do("update weir.partitions set earliest = 1 where stream_id = %lld", (long long)five->row.stream_id);
    arena_free(a);
}

static void a_hole_is_an_error_and_never_passed_over(void **state)
{
    struct read_spec spec = all_of(100);
    struct arena *a = arena_new(1 << 20);
    struct read_page page = { 0 };
    struct fault f = { 0 };

    (void)state;
    side_do("create table held as select * from weir.events where stream_id = %lld and \"offset\" = 42",
            (long long)one->row.stream_id);
    side_do("delete from weir.events where stream_id = %lld and \"offset\" = 42", (long long)one->row.stream_id);
    assert_int_equal(read_page(gw.db, a, one, &spec, &page, &f), ERR_INTERNAL);
    side_do("insert into weir.events table held; drop table held");
    assert_ok(read_page(gw.db, a, one, &spec, &page, &f));
    arena_free(a);
}

static void a_stream_that_is_deleted_meanwhile_is_unknown(void **state)
{
    struct stream *s = stream_here(&gw, "gone", 2, US_PER_S);
    struct read_spec spec = all_of(10);
    struct arena *a = arena_new(1 << 20);
    struct read_page page = { 0 };

    (void)state;
    assert_ok(read_page(gw.db, a, s, &spec, &page, NULL));
    assert_true(page.up_to_date && page.n == 0);
    assert_ok(streams_delete(gw.streams, gw.db, SLICE("gone"), NULL));
    assert_int_equal(read_page(gw.db, a, s, &spec, &page, NULL), ERR_UNKNOWN_STREAM);
    stream_unref(s);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_any_size_make_up_the_whole_log),
        cmocka_unit_test(a_limit_below_the_partitions_starves_none),
        cmocka_unit_test(one_partition_alone),
        cmocka_unit_test(filters_pass_over_and_end_at_the_head),
        cmocka_unit_test(bytes_end_a_page_early_and_one_event_always_comes),
        cmocka_unit_test(a_scan_has_an_end_and_says_so),
        cmocka_unit_test(a_time_is_found_in_every_partition),
        cmocka_unit_test(a_time_before_and_after_everything),
        cmocka_unit_test(a_cursor_outside_of_the_log_is_told),
        cmocka_unit_test(a_hole_is_an_error_and_never_passed_over),
        cmocka_unit_test(a_stream_that_is_deleted_meanwhile_is_unknown),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
