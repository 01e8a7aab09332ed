#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "tests/db/log_support.h"

/* Which streams patterns find, the mark of all streams, and one page over several streams. */

static struct gateway gw;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_streams_match");
    gateway_start(&gw);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    gateway_stop(&gw);
    log_close();
    return 0;
}

static bool but_b2(void *arg, const struct stream_row *row)
{
    ++*(int *)arg;
    return !slice_is(row->name, "b2");
}

static void patterns_find_streams_by_name_and_the_caller_picks(void **state)
{
    struct slice patterns[] = { SLICE("b*"), SLICE("a_*"), SLICE("b1") };
    const char *names[] = { "a_x", "abx", "b1", "b2", "b3" };
    struct stream *found[8];
    struct arena *a = arena_new(1 << 20);
    size_t n;
    int asked = 0;

    (void)state;
    for (size_t i = 0; i < 5; i++)
        stream_unref(stream_here(&gw, names[i], 1, US_PER_S));
    assert_int_equal(streams_match(gw.streams, gw.db, a, patterns, 3, but_b2, &asked, found, &n, NULL), OK);
    assert_int_equal(asked, 4); /* `_` stands for itself */
    assert_int_equal(n, 3);
    assert_true(slice_is(found[0]->row.name, "a_x") && slice_is(found[1]->row.name, "b1") && slice_is(found[2]->row.name, "b3"));
    for (size_t i = 0; i < n; i++)
        stream_unref(found[i]);
    arena_free(a);
}

static void the_mark_changes_with_every_stream_that_comes_or_goes(void **state)
{
    struct stream_mark before, with, after;
    struct stream *s;

    (void)state;
    assert_int_equal(db_stream_mark(gw.db, &before, NULL), OK);
    s = stream_here(&gw, "marked", 2, US_PER_S);
    assert_int_equal(db_stream_mark(gw.db, &with, NULL), OK);
    assert_int_equal(with.count, before.count + 1);
    assert_int_equal(with.ids, before.ids ^ s->row.stream_id);
    assert_int_equal(streams_delete(gw.streams, gw.db, SLICE("marked"), NULL), OK);
    assert_int_equal(db_stream_mark(gw.db, &after, NULL), OK);
    assert_memory_equal(&after, &before, sizeof after);
    stream_unref(s);
}

static void a_page_of_several_streams_names_the_one_that_was_deleted(void **state)
{
    struct stream *one = stream_here(&gw, "one", 2, US_PER_S), *two = stream_here(&gw, "two", 3, US_PER_S);
    int64_t start[2][3], end[2][3];
    const int64_t zero[3] = { 0 };
    struct read_member m[] = { { one, zero, start[0], end[0], false }, { two, zero, start[1], end[1], false } };
    struct read_spec spec = { .only = -1, .limit = 10, .bytes = 1 << 20, .scan = 1000 };
    struct arena *a = arena_new(1 << 20);
    struct read_page page = { 0 };
    size_t gone = 9, of_two = 0;

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(publish(&gw, one, "{\"type\":\"A\",\"subject\":\"s%d\"}", i), OK);
    assert_int_equal(publish(&gw, two, "[{\"type\":\"A\"},{\"type\":\"B\"}]"), OK);
    assert_int_equal(read_members(gw.db, a, m, 2, &spec, &page, &gone, NULL), OK);
    assert_int_equal(page.n, 10); /* the short ones leave their share to the long ones */
    for (size_t i = 0; i < page.n; i++)
        of_two += page.events[i].member == 1;
    assert_int_equal(of_two, 2);
    assert_int_equal(end[1][0] + end[1][1] + end[1][2], 2);
    assert_int_equal(end[0][0] + end[0][1], 8);
    assert_true(m[1].up_to_date && !m[0].up_to_date && !page.up_to_date);
    assert_int_equal(streams_delete(gw.streams, gw.db, SLICE("two"), NULL), OK);
    assert_int_equal(read_members(gw.db, a, m, 2, &spec, &page, &gone, NULL), ERR_UNKNOWN_STREAM);
    assert_int_equal(gone, 1);
    assert_int_equal(read_members(gw.db, a, m, 1, &spec, &page, &gone, NULL), OK);
    assert_int_equal(page.n, 10);
    assert_int_equal(read_members(gw.db, a, m, 0, &spec, &page, &gone, NULL), OK);
    assert_true(page.up_to_date && page.n == 0);
    arena_free(a);
    stream_unref(one);
    stream_unref(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_find_streams_by_name_and_the_caller_picks),
        cmocka_unit_test(the_mark_changes_with_every_stream_that_comes_or_goes),
        cmocka_unit_test(a_page_of_several_streams_names_the_one_that_was_deleted),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
