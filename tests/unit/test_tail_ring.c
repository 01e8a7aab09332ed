#include <stdio.h>
#include <unistd.h>

#include "gateway/engine/tail_ring.h"
#include "tests/unit/log_fixture.h"

#define MAX 16
#define ID 7

static struct rings rings;
static struct stream *stream;

/* A watcher as a request is one: its position, and what it was told. */
struct reader {
    struct watch *watch;
    int64_t pos[PARTITIONS_MAX];
    int woken;
    struct ring_event *got[MAX];
    size_t n;
    bool shared;
};

static void woken(void *arg, bool more)
{
    (void)more;
    ((struct reader *)arg)->woken++;
}

static void begin(int partitions, size_t cap)
{
    rings_init(&rings, cap, 1 << 20);
    stream = stream_made("orders", ID, partitions);
}

static int end(void **state)
{
    (void)state;
    rings_free(&rings);
    stream_unref(stream);
    return 0;
}

static bool start(struct reader *r, int only)
{
    bool cold;

    *r = (struct reader){ 0 };
    r->watch = rings_watch(&rings, stream, only, woken, r, &cold);
    assert_non_null(r->watch);
    return cold;
}

/* Takes at most max, gives the references back and moves on as a request does. */
static enum tail_state next(struct reader *r, size_t max)
{
    enum tail_state state = rings_next(r->watch, r->pos, r->got, max, &r->n, &r->shared);

    assert_true((state == TAIL_EVENTS) == (r->n > 0));
    for (size_t i = 0; i < r->n; i++) {
        assert_int_equal(r->got[i]->offset, r->pos[r->got[i]->partition] + 1);
        r->pos[r->got[i]->partition]++;
        ring_event_unref(r->got[i]);
    }
    return state;
}

static void warm(int64_t head)
{
    int64_t heads[PARTITIONS_MAX];

    for (int p = 0; p < PARTITIONS_MAX; p++)
        heads[p] = head;
    rings_heads(&rings, ID, heads, (int)stream->row.partitions);
}

static bool commit(int32_t partition, int64_t offset)
{
    struct event ev = event_made(partition, offset), *list = &ev;
    bool missing = rings_committed(&rings, ID, &list, 1);

    rings_wake(&rings, ID);
    return missing;
}

static void fetch(int32_t partition, int64_t offset)
{
    struct event ev = event_made(partition, offset);

    rings_fetched(&rings, ID, &ev, 1);
}

static void a_cold_ring_wakes_its_readers_when_the_heads_are_known(void **state)
{
    struct reader r;
    int64_t ids[4];

    (void)state;
    begin(1, 8);
    assert_true(start(&r, -1));
    assert_int_equal(rings_due(&rings, ids, 4), 1);
    assert_int_equal(ids[0], ID);
    assert_int_equal(rings_due(&rings, ids, 4), 0);
    assert_int_equal(next(&r, MAX), TAIL_COLD);
    assert_false(commit(0, 3)); /* not yet: the first look will find it */
    assert_int_equal(r.woken, 1);
    assert_int_equal(next(&r, MAX), TAIL_COLD);
    warm(2);
    assert_int_equal(r.woken, 2);
    assert_int_equal(next(&r, MAX), TAIL_BEHIND); /* at 0: history is in the database */
    r.pos[0] = 2;
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    fetch(0, 3);
    assert_int_equal(r.woken, 3);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    rings_unwatch(r.watch);
}

static void a_reader_is_woken_once_and_only_when_it_waits(void **state)
{
    struct reader r;

    (void)state;
    begin(1, 8);
    start(&r, -1);
    warm(0);
    assert_int_equal(r.woken, 0); /* it has not looked yet */
    commit(0, 1);
    assert_int_equal(r.woken, 0);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    commit(0, 2);
    assert_int_equal(r.woken, 0);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    commit(0, 3);
    commit(0, 4);
    assert_int_equal(r.woken, 1);
    assert_int_equal(next(&r, 1), TAIL_EVENTS);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    rings_wake(&rings, ID + 1); /* another stream */
    assert_int_equal(r.woken, 1);
    rings_wake(&rings, ID);
    rings_wake(&rings, ID);
    assert_int_equal(r.woken, 2);
    rings_unwatch(r.watch);
}

static void readers_share_the_same_events_and_their_cursors(void **state)
{
    struct reader a, b;
    struct ring_event *first;

    (void)state;
    begin(2, 8);
    start(&a, -1);
    assert_true(start(&b, -1));
    warm(0);
    commit(0, 1);
    commit(1, 1);
    assert_int_equal(next(&a, MAX), TAIL_EVENTS);
    first = a.got[0];
    assert_true(a.shared);
    assert_int_equal(next(&b, MAX), TAIL_EVENTS);
    assert_ptr_equal(b.got[0], first);
    assert_true(b.shared);
    assert_int_equal(b.n, 2);
    rings_unwatch(a.watch);
    rings_unwatch(b.watch);
}

static void a_reader_ahead_of_the_ring_passes_over_what_it_has_seen(void **state)
{
    struct reader r;

    (void)state;
    begin(2, 16);
    start(&r, -1);
    warm(0);
    commit(0, 1);
    commit(1, 1);
    commit(0, 2);
    r.pos[0] = 3; /* the database gave it more than the ring has */
    r.pos[1] = 0;
    rings_trust(r.watch);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.pos[1], 1);
    assert_false(r.shared); /* its cursor says 3, the ring's says 1 */
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    commit(1, 2);
    commit(0, 3);
    commit(0, 4);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS); /* up to where the cursors begin to agree */
    assert_int_equal(r.n, 1);
    assert_false(r.shared);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(r.n, 1);
    assert_true(r.shared);
    assert_int_equal(r.pos[0], 4);
    assert_int_equal(r.pos[1], 2);
    rings_unwatch(r.watch);
}

static void a_position_that_nobody_vouched_for_is_the_databases_to_judge(void **state)
{
    struct reader r, other;

    (void)state;
    begin(2, 8);
    start(&r, -1);
    start(&other, 1);
    warm(5);
    r.pos[0] = 5;
    r.pos[1] = 6;
    assert_int_equal(next(&r, MAX), TAIL_BEHIND);
    rings_trust(r.watch);
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    other.pos[0] = 100; /* not its partition */
    other.pos[1] = 5;
    assert_int_equal(next(&other, MAX), TAIL_NOTHING);
    rings_unwatch(r.watch);
    rings_unwatch(other.watch);
}

static void a_reader_of_one_partition_gets_no_other(void **state)
{
    struct reader r;

    (void)state;
    begin(2, 4);
    start(&r, 1);
    warm(0);
    commit(0, 1);
    commit(1, 1);
    commit(0, 2);
    commit(1, 2);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.pos[1], 2);
    assert_int_equal(r.pos[0], 0);
    assert_false(r.shared); /* its cursor names one partition only */
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    for (int64_t o = 3; o <= 9; o++)
        commit(0, o); /* they push out what it has read: it is still at the end */
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    commit(1, 3);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(r.pos[1], 3);
    rings_unwatch(r.watch);
}

static void a_slow_reader_falls_back_to_the_database_and_returns(void **state)
{
    struct reader r;

    (void)state;
    begin(1, 4);
    start(&r, -1);
    warm(0);
    commit(0, 1);
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    for (int64_t o = 2; o <= 7; o++)
        commit(0, o);
    assert_int_equal(next(&r, MAX), TAIL_BEHIND);
    r.pos[0] = 5; /* a page later */
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(r.n, 2);
    assert_true(r.shared);
    rings_unwatch(r.watch);
}

static void a_gap_is_fetched_once_and_closed(void **state)
{
    struct reader r;
    struct rings_gap gap;

    (void)state;
    begin(2, 8);
    start(&r, -1);
    warm(0);
    assert_false(rings_gap(&rings, &gap));
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    rings_target(&rings, ID, 0, 2); /* another gateway's */
    rings_target(&rings, ID, -1, 2);
    rings_target(&rings, ID, PARTITIONS_MAX, 2);
    assert_int_equal(r.woken, 0);
    assert_true(commit(0, 3)); /* ours cannot go in before them */
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    assert_true(rings_gap(&rings, &gap));
    assert_ptr_equal(gap.stream, stream);
    assert_int_equal(gap.pos[0], 0);
    stream_unref(gap.stream);
    fetch(0, 1);
    fetch(0, 2);
    assert_true(rings_gap(&rings, &gap));
    assert_int_equal(gap.pos[0], 2);
    stream_unref(gap.stream);
    assert_false(commit(0, 3)); /* late, and just in time */
    fetch(0, 3);                /* the fetch that was under way: refused */
    assert_false(rings_gap(&rings, &gap));
    assert_int_equal(next(&r, MAX), TAIL_EVENTS);
    assert_int_equal(r.n, 3);
    rings_unwatch(r.watch);
}

static void a_hopeless_gap_is_left_to_the_readers_own_pages(void **state)
{
    struct reader r;
    struct rings_gap gap;

    (void)state;
    begin(1, 4);
    start(&r, -1);
    warm(0);
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    rings_target(&rings, ID, 0, 5);
    assert_false(rings_gap(&rings, &gap));
    assert_int_equal(r.woken, 1);
    assert_int_equal(next(&r, MAX), TAIL_BEHIND);
    r.pos[0] = 5;
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    rings_target(&rings, ID, 0, 6);
    rings_unwatch(r.watch);
    assert_false(rings_gap(&rings, &gap)); /* nobody watches: not worth a query */
    warm(9);
    assert_false(rings_gap(&rings, &gap));
}

static void what_cannot_be_read_any_more_sends_the_readers_to_the_database(void **state)
{
    struct reader r;

    (void)state;
    begin(1, 8);
    start(&r, -1);
    warm(0);
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    rings_target(&rings, ID, 0, 4);
    rings_lost(&rings, ID, false);
    assert_int_equal(r.woken, 1);
    assert_int_equal(next(&r, MAX), TAIL_BEHIND);
    r.pos[0] = 4;
    assert_int_equal(next(&r, MAX), TAIL_NOTHING);
    rings_lost(&rings, ID, true);
    assert_int_equal(next(&r, MAX), TAIL_GONE);
    rings_unwatch(r.watch);
}

static void a_log_that_was_set_back_is_no_more_trusted(void **state)
{
    struct reader ahead, behind;
    int64_t ids[4];

    (void)state;
    begin(2, 8);
    start(&ahead, -1);
    start(&behind, 0);
    warm(10);
    ahead.pos[0] = ahead.pos[1] = behind.pos[0] = 10;
    rings_trust(ahead.watch);
    for (int64_t o = 11; o <= 13; o++)
        assert_false(commit(0, o));
    assert_int_equal(next(&ahead, MAX), TAIL_EVENTS);
    assert_int_equal(next(&ahead, MAX), TAIL_NOTHING);
    rings_poll_all(&rings);
    assert_int_equal(rings_due(&rings, ids, 4), 1);
    commit(0, 14);
    rings_heads(&rings, ID, (const int64_t[]){ 13, 10 }, 2); /* read before: not set back */
    assert_int_equal(next(&ahead, MAX), TAIL_EVENTS);
    assert_int_equal(next(&ahead, MAX), TAIL_NOTHING);
    rings_poll_all(&rings);
    assert_int_equal(rings_due(&rings, ids, 4), 1);
    ahead.woken = 0;
    rings_heads(&rings, ID, (const int64_t[]){ 12, 10 }, 2);
    assert_int_equal(ahead.woken, 1);
    assert_int_equal(next(&ahead, MAX), TAIL_BEHIND); /* at 14: the database will tell */
    assert_int_equal(next(&behind, MAX), TAIL_BEHIND);
    behind.pos[0] = 12;
    assert_int_equal(next(&behind, MAX), TAIL_NOTHING);
    assert_false(commit(0, 13)); /* another 13 than before */
    assert_int_equal(next(&behind, MAX), TAIL_EVENTS);
    assert_int_equal(behind.pos[0], 13);
    assert_int_equal(next(&ahead, MAX), TAIL_BEHIND);
    rings_unwatch(ahead.watch);
    rings_unwatch(behind.watch);
}

static void a_deleted_stream_is_told_to_all(void **state)
{
    struct reader a, b;
    int64_t ids[4];

    (void)state;
    begin(1, 8);
    start(&a, -1);
    start(&b, 0);
    warm(0);
    assert_int_equal(next(&a, MAX), TAIL_NOTHING);
    assert_int_equal(next(&b, MAX), TAIL_NOTHING);
    rings_heads(&rings, ID, NULL, 0);
    assert_int_equal(a.woken + b.woken, 2);
    assert_int_equal(next(&a, MAX), TAIL_GONE);
    rings_gone(&rings, ID);
    rings_gone(&rings, ID + 1);
    assert_int_equal(next(&b, MAX), TAIL_GONE);
    rings_due(&rings, ids, 4);
    rings_poll_all(&rings);
    assert_int_equal(rings_due(&rings, ids, 4), 0);
    rings_unwatch(a.watch);
    rings_expire(&rings, 0);
    assert_int_equal(next(&b, MAX), TAIL_GONE); /* while somebody holds it, it stays */
    rings_unwatch(b.watch);
    rings_expire(&rings, INT64_MAX);
    assert_true(start(&a, -1)); /* a new, cold one */
    rings_unwatch(a.watch);
}

static void an_unwatched_ring_expires_after_its_time(void **state)
{
    struct reader r;

    (void)state;
    begin(1, 8);
    start(&r, -1);
    warm(0);
    rings_expire(&rings, -1);
    rings_unwatch(r.watch);
    rings_expire(&rings, INT64_C(60000000));
    assert_false(start(&r, -1)); /* still warm */
    rings_unwatch(r.watch);
    rings_expire(&rings, -1);
    assert_true(start(&r, -1));
    rings_unwatch(r.watch);
}

static void heads_are_due_in_portions(void **state)
{
    struct stream *more[10];
    struct watch *w[10];
    int64_t ids[4];
    bool cold;
    size_t n, seen = 0;

    (void)state;
    begin(1, 8);
    for (int i = 0; i < 10; i++) { /* some in one bucket */
        more[i] = stream_made("s", i % 2 ? i : i * RING_BUCKETS, 1);
        w[i] = rings_watch(&rings, more[i], -1, woken, NULL, &cold);
    }
    while ((n = rings_due(&rings, ids, 4)))
        seen += n;
    assert_int_equal(seen, 10);
    rings_heads(&rings, 1, (const int64_t[]){ 0 }, 1);
    rings_unwatch(w[1]); /* warm and unwatched: nobody asks */
    rings_poll_all(&rings);
    for (seen = 0; (n = rings_due(&rings, ids, 4));)
        seen += n;
    assert_int_equal(seen, 9);
    for (int i = 0; i < 10; i++) {
        if (i != 1)
            rings_unwatch(w[i]);
        stream_unref(more[i]);
    }
}

#define T(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_cold_ring_wakes_its_readers_when_the_heads_are_known),
        T(a_reader_is_woken_once_and_only_when_it_waits),
        T(readers_share_the_same_events_and_their_cursors),
        T(a_reader_ahead_of_the_ring_passes_over_what_it_has_seen),
        T(a_position_that_nobody_vouched_for_is_the_databases_to_judge),
        T(a_reader_of_one_partition_gets_no_other),
        T(a_slow_reader_falls_back_to_the_database_and_returns),
        T(a_gap_is_fetched_once_and_closed),
        T(a_hopeless_gap_is_left_to_the_readers_own_pages),
        T(what_cannot_be_read_any_more_sends_the_readers_to_the_database),
        T(a_log_that_was_set_back_is_no_more_trusted),
        T(a_deleted_stream_is_told_to_all),
        T(an_unwatched_ring_expires_after_its_time),
        T(heads_are_due_in_portions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
