#include "tests/unit/commit_fixture.h"

static struct slot_part *part(int p)
{
    return &w.g->part[w.g->part_of[p]];
}

static void offsets_follow_the_head_in_the_order_of_requests(void **state)
{
    (void)state;
    world_begin(2);
    request(-1);
    add("a", "x", NULL, -1, 0);
    add(NULL, "yy", NULL, -1, 1);
    request(-1);
    add("b", "zzz", NULL, -1, 0);
    looked(10);
    lot_decide(w.g, NOW);
    assert_int_equal(w.events[0][0].offset, 11);
    assert_int_equal(w.events[0][1].offset, 11);
    assert_int_equal(w.events[1][0].offset, 12);
    assert_int_equal(w.events[1][0].version, 0);
    assert_int_equal(w.g->accepted_n, 3);
    assert_no_gap();
}

static void time_does_not_go_back(void **state)
{
    (void)state;
    world_begin(1);
    request(-1);
    add(NULL, "x", NULL, -1, 0);
    looked(0);
    part(0)->recorded_us = NOW + 7; /* another gateway's clock is ahead */
    lot_decide(w.g, NOW);
    assert_int_equal(w.events[0][0].recorded_us, NOW + 7);
}

static void a_repeated_id_is_answered_with_the_first_receipt(void **state)
{
    (void)state;
    world_begin(2);
    request(-1);
    add("old", "x", "s", -1, 1);
    request(-1);
    add("new", "y", "s", -1, 1);
    add("new", "y", "s", -1, 1); /* within the request */
    request(-1);
    add("new", "y", "s", -1, 1); /* and across requests */
    looked(10);
    stored_id("old", "x", 1, 3, 1);
    stored_subject("s", 1, 4);
    lot_decide(w.g, NOW);
    for (int i = 0; i < 3; i++)
        assert_int_equal(w.pub[i].err, OK);
    assert_true(w.events[0][0].duplicate);
    assert_int_equal(w.events[0][0].offset, 3);
    assert_int_equal(w.events[0][0].version, 1);
    assert_int_equal(w.events[0][0].recorded_us, 42);
    assert_false(w.events[1][0].duplicate);
    assert_true(w.events[1][1].duplicate && w.events[2][0].duplicate);
    assert_int_equal(w.events[2][0].offset, 11);
    assert_int_equal(w.events[2][0].version, 5);
    assert_int_equal(w.events[2][0].recorded_us, NOW);
    assert_int_equal(w.g->accepted_n, 1);
    assert_no_gap();
}

static void an_id_with_other_content_refuses_its_request_alone(void **state)
{
    (void)state;
    world_begin(1);
    request(-1);
    add("a", "x", NULL, -1, 0);
    request(-1);
    add("fresh", "1", NULL, -1, 0);
    add("a", "other", NULL, -1, 0);
    request(-1);
    add("fresh", "2", NULL, -1, 0); /* not reused: the request before wrote nothing */
    looked(10);
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, OK);
    assert_int_equal(w.pub[1].err, ERR_ID_REUSED);
    assert_string_equal(w.pub[1].fault.pointer, "/1");
    assert_int_equal(w.pub[2].err, OK);
    assert_false(w.events[2][0].duplicate);
    assert_int_equal(w.events[2][0].offset, 12);
    assert_memory_equal(lot_id(w.g, w.events[2][0].key)->fingerprint, w.events[2][0].fingerprint, 16);
    assert_int_equal(w.g->accepted_n, 2);
    assert_no_gap();
}

static void expected_versions_are_checked_in_the_order_of_the_requests(void **state)
{
    (void)state;
    world_begin(1);
    request(-1);
    add(NULL, "x", "s", 0, 0);
    add(NULL, "x", "s", 1, 0); /* after the request's own first */
    request(-1);
    add(NULL, "x", "s", 0, 0); /* too late */
    request(-1);
    add(NULL, "x", "s", 2, 0);
    looked(0);
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, OK);
    assert_int_equal(w.pub[1].err, ERR_VERSION_CONFLICT);
    assert_true(w.pub[1].fault.has_version);
    assert_int_equal(w.pub[1].fault.current_version, 2);
    assert_int_equal(w.pub[2].err, OK);
    assert_int_equal(w.events[2][0].version, 3);
    assert_int_equal(lot_subject(w.g, SLICE("s"))->last_offset, 3);
    assert_no_gap();
}

static void a_duplicate_is_decided_before_the_lock(void **state)
{
    (void)state;
    world_begin(1);
    request(4);
    add("a", "x", "s", 4, 0);
    looked(10);
    stored_id("a", "x", 0, 5, 5);
    stored_subject("s", 0, 9);
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, OK);
    assert_true(w.events[0][0].duplicate);
    assert_int_equal(w.g->accepted_n, 0);
}

static void if_match_holds_against_the_version_before_the_request(void **state)
{
    (void)state;
    world_begin(1);
    request(3);
    add(NULL, "x", "s", -1, 0);
    add(NULL, "x", "s", -1, 0); /* 4 by now, and that is right */
    request(3);
    add(NULL, "x", "s", -1, 0);
    request(0); /* If-None-Match: * */
    add(NULL, "x", "t", -1, 0);
    request(0);
    add(NULL, "x", "t", -1, 0);
    looked(0);
    stored_subject("s", 0, 3);
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, OK);
    assert_int_equal(w.events[0][1].version, 5);
    assert_int_equal(w.pub[1].err, ERR_VERSION_CONFLICT);
    assert_int_equal(w.pub[1].fault.current_version, 5);
    assert_int_equal(w.pub[2].err, OK);
    assert_int_equal(w.pub[3].err, ERR_VERSION_CONFLICT);
    assert_no_gap();
}

static void a_subject_does_not_move(void **state)
{
    (void)state;
    world_begin(3);
    request(-1);
    add(NULL, "x", "s", -1, 2);
    request(-1);
    add(NULL, "x", "new", -1, 1);
    add(NULL, "x", "new", -1, 2);
    request(-1);
    add(NULL, "x", "new", -1, 2); /* nobody had it after all */
    looked(0);
    stored_subject("s", 1, 1);
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, ERR_SUBJECT_MOVED);
    assert_int_equal(w.pub[1].err, ERR_SUBJECT_MOVED);
    assert_string_equal(w.pub[1].fault.pointer, "/1");
    assert_int_equal(w.pub[2].err, OK);
    assert_int_equal(lot_subject(w.g, SLICE("new"))->partition, 2);
    assert_no_gap();
}

static void a_refused_request_leaves_no_trace(void **state)
{
    struct slot_subject *s;

    (void)state;
    world_begin(2);
    request(-1);
    add("a", "x", "s", -1, 0);
    request(-1);
    add("b", "x", "s", -1, 0);
    add("c", "x", "t", -1, 1);
    add("a", "x", "s", -1, 0); /* a duplicate, taken back too */
    add("d", "x", "s", 99, 0);
    request(-1);
    add("e", "x", "u", -1, 1);
    looked(10);
    stored_subject("s", 0, 1);
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[1].err, ERR_VERSION_CONFLICT);
    assert_int_equal(w.pub[1].fault.current_version, 3);
    assert_string_equal(w.pub[1].fault.pointer, "/3");
    assert_false(w.events[1][2].duplicate);
    s = lot_subject(w.g, SLICE("s"));
    assert_int_equal(s->version, 2);
    assert_int_equal(s->last_offset, 11);
    assert_int_equal(lot_subject(w.g, SLICE("t"))->version, 0);
    assert_false(lot_id(w.g, w.events[1][0].key)->known || lot_id(w.g, w.events[1][0].key)->ours);
    assert_int_equal(w.events[2][0].offset, 11);
    assert_int_equal(w.g->accepted_n, 2);
    assert_no_gap();
}

static void a_deleted_stream_is_unknown_even_to_duplicates(void **state)
{
    (void)state;
    world_begin(2);
    request(-1);
    add(NULL, "x", NULL, -1, 0);
    request(-1);
    add("a", "x", NULL, -1, 1);
    looked(0);
    stored_id("a", "x", 1, 5, 0);
    part(0)->locked = part(1)->locked = false;
    lot_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, ERR_UNKNOWN_STREAM);
    assert_int_equal(w.pub[1].err, ERR_UNKNOWN_STREAM);
    assert_int_equal(w.g->accepted_n, 0);
}

static void deciding_again_gives_the_same(void **state)
{
    (void)state;
    world_begin(1);
    request(-1);
    add("a", "x", "s", 0, 0);
    add("a", "x", "s", -1, 0);
    request(-1);
    add("b", "x", "s", 7, 0);
    for (int i = 0; i < 2; i++) { /* the first attempt was rolled back: what is stored is read anew */
        looked(10 + i);
        lot_decide(w.g, NOW);
        assert_int_equal(w.pub[0].err, OK);
        assert_int_equal(w.pub[1].err, ERR_VERSION_CONFLICT);
        assert_int_equal(w.events[0][0].offset, 11 + i);
        assert_int_equal(w.events[0][0].version, 1);
        assert_true(!w.events[0][0].duplicate && w.events[0][1].duplicate);
        assert_no_gap();
    }
}

#define T(f) cmocka_unit_test_teardown(f, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(offsets_follow_the_head_in_the_order_of_requests),
        T(time_does_not_go_back),
        T(a_repeated_id_is_answered_with_the_first_receipt),
        T(an_id_with_other_content_refuses_its_request_alone),
        T(expected_versions_are_checked_in_the_order_of_the_requests),
        T(a_duplicate_is_decided_before_the_lock),
        T(if_match_holds_against_the_version_before_the_request),
        T(a_subject_does_not_move),
        T(a_refused_request_leaves_no_trace),
        T(a_deleted_stream_is_unknown_even_to_duplicates),
        T(deciding_again_gives_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
