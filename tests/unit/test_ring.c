#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/metrics.h"
#include "gateway/engine/ring.h"
#include "tests/unit/log_fixture.h"

static struct ring ring;
static struct buf scratch;

static void begin(int partitions, size_t cap, size_t bytes, int64_t head)
{
    struct stream *s = stream_made("orders", 7, partitions);
    int64_t heads[PARTITIONS_MAX];

    for (int p = 0; p < PARTITIONS_MAX; p++)
        heads[p] = head;
    assert_true(ring_init(&ring, s, cap, bytes));
    stream_unref(s); /* the ring has its own */
    ring_warm(&ring, heads);
}

static int end(void **state)
{
    (void)state;
    ring_clear(&ring);
    buf_free(&scratch);
    return 0;
}

static bool push(int32_t partition, int64_t offset)
{
    struct event ev = event_made(partition, offset);

    return ring_push(&ring, &ev, &scratch);
}

static const struct ring_event *at(uint64_t seq)
{
    return ring.slots[seq % ring.cap];
}

static void a_cold_ring_takes_nothing(void **state)
{
    struct stream *s = stream_made("orders", 7, 1);
    int64_t ahead, pos[PARTITIONS_MAX] = { 0 };

    (void)state;
    assert_true(ring_init(&ring, s, 4, 1 << 20));
    stream_unref(s);
    assert_false(push(0, 1));
    assert_false(ring_attach(&ring, pos, -1, &ahead));
    ring_warm(&ring, (const int64_t[PARTITIONS_MAX]){ 41 });
    assert_false(push(0, 1));
    assert_true(push(0, 42));
}

static void only_what_follows_the_head_of_its_partition_is_taken(void **state)
{
    (void)state;
    begin(2, 8, 1 << 20, 10);
    assert_false(push(0, 10));
    assert_false(push(0, 12));
    assert_false(push(2, 11)); /* no such partition */
    assert_true(push(0, 11));
    assert_false(push(0, 11));
    assert_true(push(1, 11));
    assert_true(push(0, 12));
    assert_int_equal(ring.next - ring.first, 3);
    assert_int_equal(ring.head.pos[0], 12);
    assert_int_equal(ring.head.pos[1], 11);
    assert_false(ring_behind(&ring));
    ring.target[1] = 12;
    assert_true(ring_behind(&ring));
    assert_true(push(1, 12));
    assert_false(ring_behind(&ring));
}

static void the_oldest_make_room_and_move_the_base(void **state)
{
    (void)state;
    begin(2, 4, 1 << 20, 0);
    for (int64_t o = 1; o <= 3; o++) {
        assert_true(push(0, o));
        assert_true(push(1, o));
    }
    assert_int_equal(ring.next - ring.first, 4);
    assert_int_equal(ring.base[0], 1);
    assert_int_equal(ring.base[1], 1);
    assert_int_equal(at(ring.first)->offset, 2);
    assert_true(push(0, 4));
    assert_int_equal(ring.base[0], 2);
    assert_int_equal(ring.base[1], 1);
}

static void bytes_are_bounded_and_one_event_always_fits(void **state)
{
    size_t one;

    (void)state;
    begin(1, 1000, 4096, 0);
    assert_true(push(0, 1));
    one = ring.bytes;
    assert_true(one > sizeof(struct ring_event));
    for (int64_t o = 2; o <= 100; o++) {
        assert_true(push(0, o));
        assert_in_range(ring.bytes, one, 4096);
        assert_int_equal(ring.base[0] + (int64_t)(ring.next - ring.first), o);
    }
    assert_true(ring.base[0] > 0);
    ring.bytes_max = 1;
    assert_true(push(0, 101));
    assert_int_equal(ring.next - ring.first, 1);
    assert_int_equal(ring.base[0], 100);
}

static void rings_share_a_bound_and_each_keeps_its_newest(void **state)
{
    struct ring_memory memory = { .max = 4096 };
    struct stream *s = stream_made("other", 8, 1);
    struct ring second;

    (void)state;
    begin(1, 1000, 1 << 20, 0);
    assert_true(ring_init(&second, s, 1000, 1 << 20));
    stream_unref(s);
    ring_warm(&second, (const int64_t[PARTITIONS_MAX]){ 0 });
    ring.memory = second.memory = &memory;
    for (int64_t o = 1; o <= 50; o++)
        assert_true(push(0, o));
    assert_in_range(ring.bytes, 1, 4096);
    for (int64_t o = 1; o <= 50; o++) {
        struct event ev = event_made(0, o);

        assert_true(ring_push(&second, &ev, &scratch)); /* the one that wants more gives */
        assert_int_equal(atomic_load(&memory.bytes), ring.bytes + second.bytes);
    }
    assert_int_equal(second.next - second.first, 1);
    assert_true(ring.next - ring.first > 1);
    ring_clear(&second);
    assert_int_equal(atomic_load(&memory.bytes), ring.bytes);
    ring_clear(&ring);
    assert_int_equal(atomic_load(&memory.bytes), 0);
}

static int64_t bytes_told(void)
{
    struct buf text = { 0 };
    const char *line;
    int64_t v;

    metrics_render(&text);
    buf_char(&text, '\0');
    line = strstr(text.p, "\nweir_ring_bytes ");
    assert_non_null(line);
    v = strtoll(line + sizeof "\nweir_ring_bytes", NULL, 10);
    buf_free(&text);
    return v;
}

static void the_metric_follows_the_bytes(void **state)
{
    int64_t before = bytes_told();

    (void)state;
    begin(1, 3, 1 << 20, 0);
    for (int64_t o = 1; o <= 10; o++)
        assert_true(push(0, o));
    assert_true(ring.bytes > 0);
    assert_int_equal(bytes_told() - before, ring.bytes);
    ring_clear(&ring);
    assert_int_equal(bytes_told(), before);
}

static void a_reader_goes_on_where_the_ring_reaches_back_to(void **state)
{
    int64_t pos[PARTITIONS_MAX] = { 0 }, ahead = -1;

    (void)state;
    begin(2, 4, 1 << 20, 10);
    for (int64_t o = 11; o <= 13; o++) {
        assert_true(push(0, o));
        assert_true(push(1, o));
    } /* the base is 11, 11 */
    assert_false(ring_attach(&ring, pos, -1, &ahead));
    pos[0] = pos[1] = 11;
    assert_true(ring_attach(&ring, pos, -1, &ahead));
    assert_int_equal(ahead, 0);
    pos[0] = 13;
    assert_true(ring_attach(&ring, pos, -1, &ahead));
    assert_int_equal(ahead, 2);
    pos[1] = 15; /* beyond the ring: it has seen what is yet to come */
    assert_true(ring_attach(&ring, pos, -1, &ahead));
    assert_int_equal(ahead, 6);
    pos[0] = 10;
    assert_false(ring_attach(&ring, pos, -1, &ahead));
    assert_true(ring_attach(&ring, pos, 1, &ahead)); /* the other partition is none of its business */
    assert_int_equal(ahead, 4);
}

static void giving_up_a_gap_leaves_an_empty_ring_at_the_target(void **state)
{
    int64_t pos[PARTITIONS_MAX] = { 2, 2 }, ahead;
    uint64_t next;

    (void)state;
    begin(2, 4, 1 << 20, 0);
    assert_true(push(0, 1));
    next = ring.next;
    ring.target[0] = 50;
    ring_skip_to_target(&ring);
    assert_int_equal(ring.first, ring.next);
    assert_true(ring.first > next); /* whoever stood at the end notices */
    assert_int_equal(ring.bytes, 0);
    assert_int_equal(ring.base[0], 50);
    assert_int_equal(ring.base[1], 0);
    assert_false(ring_behind(&ring));
    assert_false(ring_attach(&ring, pos, -1, &ahead));
    assert_false(push(0, 2));
    assert_true(push(0, 51));
    assert_true(push(1, 1));
}

static void an_event_outlives_the_ring_while_somebody_holds_it(void **state)
{
    struct ring_event *held;

    (void)state;
    begin(1, 1, 1 << 20, 0);
    assert_true(push(0, 1));
    held = ring.slots[0];
    atomic_fetch_add(&held->refs, 1);
    assert_true(push(0, 2));
    assert_int_equal(atomic_load(&held->refs), 1);
    assert_int_equal(held->offset, 1);
    assert_memory_equal(held->text, "id: ", 4);
    ring_event_unref(held);
    ring_event_unref(NULL);
}

static void warming_keeps_a_target_that_is_further(void **state)
{
    struct stream *s = stream_made("orders", 7, 1);

    (void)state;
    assert_true(ring_init(&ring, s, 4, 1 << 20));
    stream_unref(s);
    ring.target[0] = 9; /* a lane was faster than the first look */
    ring_warm(&ring, (const int64_t[PARTITIONS_MAX]){ 7 });
    assert_true(ring_behind(&ring));
    assert_true(push(0, 8));
    assert_true(push(0, 9));
    assert_false(ring_behind(&ring));
}

/* The frame as the text/event-stream wants it, with the cursor of a reader that has seen all up to here. */
static void assert_frame(const struct ring_event *e, const struct event *ev, const int64_t *pos)
{
    struct cursor c = { .count = 2, .pos = { pos[0], pos[1] } };
    char cursor[CURSOR_TEXT];
    struct buf want = { 0 };

    cursor_format(&c, SLICE("orders"), 7, cursor);
    buf_slice(&want, SLICE("id: "));
    buf_slice(&want, slice_of(cursor));
    buf_slice(&want, SLICE("\ndata: "));
    assert_int_equal(e->json_at, want.n);
    event_render(&want, SLICE("orders"), ev, true);
    assert_int_equal(e->json_n, want.n - e->json_at);
    buf_slice(&want, SLICE("\n\n"));
    assert_int_equal(e->text_n, want.n);
    assert_memory_equal(e->text, want.p, want.n);
    for (size_t i = e->json_at; i < e->json_at + e->json_n; i++)
        assert_true(e->text[i] != '\n' && e->text[i] != '\r');
    assert_true(slice_eq(ring_event_type(e), ev->type));
    assert_true(slice_eq(ring_event_subject(e), ev->subject));
    assert_true((ring_event_subject(e).p != NULL) == (ev->subject.p != NULL));
    buf_free(&want);
}

static void a_frame_is_the_event_in_one_line_with_its_cursor(void **state)
{
    struct event first = event_made(0, 6), second = event_made(1, 6), third = event_made(0, 7);

    (void)state;
    begin(2, 8, 1 << 20, 5);
    first.subject = SLICE("order-1");
    first.version = 3;
    second.data = SLICE("{\r\n \"a\": 1\n}");
    second.line_breaks = true;
    third.subject = SLICE("");
    third.data_format = DATA_NONE;
    assert_true(ring_push(&ring, &first, &scratch));
    assert_true(ring_push(&ring, &second, &scratch));
    assert_true(ring_push(&ring, &third, &scratch));
    assert_frame(at(0), &first, (const int64_t[]){ 6, 5 });
    assert_frame(at(1), &second, (const int64_t[]){ 6, 6 });
    assert_frame(at(2), &third, (const int64_t[]){ 7, 6 });
    assert_true(at(0)->exact);
    assert_false(at(1)->exact);
    assert_true(at(2)->exact);
}

#define RING_TEST(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(a_cold_ring_takes_nothing),
        RING_TEST(only_what_follows_the_head_of_its_partition_is_taken),
        RING_TEST(the_oldest_make_room_and_move_the_base),
        RING_TEST(bytes_are_bounded_and_one_event_always_fits),
        RING_TEST(rings_share_a_bound_and_each_keeps_its_newest),
        RING_TEST(the_metric_follows_the_bytes),
        RING_TEST(a_reader_goes_on_where_the_ring_reaches_back_to),
        RING_TEST(giving_up_a_gap_leaves_an_empty_ring_at_the_target),
        RING_TEST(an_event_outlives_the_ring_while_somebody_holds_it),
        RING_TEST(warming_keeps_a_target_that_is_further),
        RING_TEST(a_frame_is_the_event_in_one_line_with_its_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
