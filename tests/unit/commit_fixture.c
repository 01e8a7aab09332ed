#include "tests/unit/commit_fixture.h"

struct world w;

void world_begin(int partitions)
{
    w.arena = arena_new(16 << 20);
    w.stream = stream_made("orders", 7, partitions);
    w.batch = (struct batch){ .arena = w.arena, .pub = w.list, .now_us = NOW };
}

int world_end(void **state)
{
    (void)state;
    arena_free(w.arena);
    stream_unref(w.stream);
    memset(&w, 0, sizeof w);
    return 0;
}

struct publish *request(int64_t if_version)
{
    size_t i = w.batch.n++;

    w.pub[i] = (struct publish){ .stream = w.stream, .events = { .v = w.events[i], .array = true }, .if_version = if_version };
    w.list[i] = &w.pub[i];
    return &w.pub[i];
}

struct event *add(const char *id, const char *content, const char *subject, int64_t expected, int32_t partition)
{
    struct publish *p = &w.pub[w.batch.n - 1];
    struct event *ev = &p->events.v[p->events.n++];

    *ev = event_made(partition, 0);
    ev->recorded_us = 0;
    ev->data = slice_of(content);
    ev->subject = slice_of(subject);
    ev->expected_version = expected;
    if (id) {
        ev->id = slice_of(id);
        ev->client_id = true;
        memcpy(ev->key, id, strnlen(id, 16));
        memcpy(ev->fingerprint, content, strnlen(content, 16));
    }
    return ev;
}

void looked(int64_t head)
{
    assert_int_equal(batch_sort_out(&w.batch), OK);
    assert_int_equal(w.batch.lot_n, 1);
    w.g = w.batch.lots;
    for (size_t i = 0; i < w.g->part_n; i++) {
        w.g->part[i].locked = true;
        w.g->part[i].head = head;
        w.g->part[i].recorded_us = NOW - 5;
    }
}

void stored_id(const char *id, const char *content, int32_t partition, int64_t offset, int64_t version)
{
    uint8_t key[16] = { 0 };
    struct slot_id *s;

    memcpy(key, id, strnlen(id, 16));
    assert_non_null(s = lot_id(w.g, key));
    s->known = true;
    s->partition = partition;
    s->offset = offset;
    s->version = version;
    s->recorded_us = 42;
    memcpy(s->fingerprint, content, strnlen(content, 16));
}

struct slot_subject *stored_subject(const char *subject, int32_t partition, int64_t version)
{
    struct slot_subject *s = lot_subject(w.g, slice_of(subject));

    assert_non_null(s);
    s->stored = true;
    s->partition = partition;
    s->version = s->stored_version = version;
    return s;
}

void assert_no_gap(void)
{
    int64_t next[PARTITIONS_MAX], bytes[PARTITIONS_MAX] = { 0 };

    for (size_t i = 0; i < w.g->part_n; i++)
        next[w.g->part[i].partition] = w.g->part[i].head;
    for (size_t i = 0; i < w.g->accepted_n; i++) {
        const struct event *ev = w.g->accepted[i];

        assert_int_equal(ev->offset, ++next[ev->partition]);
        assert_int_equal(ev->recorded_us, NOW);
        assert_false(ev->duplicate);
        bytes[ev->partition] += (int64_t)(ev->attributes.n + ev->data.n);
    }
    for (size_t i = 0; i < w.g->part_n; i++) {
        assert_int_equal(w.g->part[i].head + w.g->part[i].n, next[w.g->part[i].partition]);
        assert_int_equal(w.g->part[i].bytes, bytes[w.g->part[i].partition]);
    }
}
