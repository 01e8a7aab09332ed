#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine/commit_batch.h"
#include "tests/unit/log_fixture.h"

#define NOW INT64_C(1769903999000001)
#define MAX 64

/* The requests of a batch, all of one stream, and what is stored: group_decide is asked without a database. */
static struct {
    struct arena *arena;
    struct stream *stream;
    struct batch batch;
    struct group *g;
    struct publish pub[MAX], *list[MAX];
    struct event events[MAX][MAX];
} w;

static void begin(int partitions)
{
    w.arena = arena_new(16 << 20);
    w.stream = stream_made("orders", 7, partitions);
    w.batch = (struct batch){ .arena = w.arena, .pub = w.list, .now_us = NOW };
}

static int end(void **state)
{
    (void)state;
    arena_free(w.arena);
    stream_unref(w.stream);
    memset(&w, 0, sizeof w);
    return 0;
}

/* Begins a request; events follow. */
static struct publish *request(int64_t if_version)
{
    size_t i = w.batch.n++;

    w.pub[i] = (struct publish){ .stream = w.stream, .events = { .v = w.events[i], .array = true }, .if_version = if_version };
    w.list[i] = &w.pub[i];
    return &w.pub[i];
}

static struct event *add(const char *id, const char *content, const char *subject, int64_t expected, int32_t partition)
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

/* As after the first round trip: every head known, nothing else. */
static void looked(int64_t head)
{
    assert_int_equal(batch_group(&w.batch), OK);
    assert_int_equal(w.batch.group_n, 1);
    w.g = w.batch.groups;
    for (size_t i = 0; i < w.g->part_n; i++) {
        w.g->part[i].locked = true;
        w.g->part[i].head = head;
        w.g->part[i].recorded_us = NOW - 5;
    }
}

static void stored_id(const char *id, const char *content, int32_t partition, int64_t offset, int64_t version)
{
    uint8_t key[16] = { 0 };
    struct slot_id *s;

    memcpy(key, id, strnlen(id, 16));
    assert_non_null(s = group_id(w.g, key));
    s->known = true;
    s->partition = partition;
    s->offset = offset;
    s->version = version;
    s->recorded_us = 42;
    memcpy(s->fingerprint, content, strnlen(content, 16));
}

static struct slot_subject *stored_subject(const char *subject, int32_t partition, int64_t version)
{
    struct slot_subject *s = group_subject(w.g, slice_of(subject));

    assert_non_null(s);
    s->stored = true;
    s->partition = partition;
    s->version = s->stored_version = version;
    return s;
}

static struct slot_part *part(int p)
{
    return &w.g->part[w.g->part_of[p]];
}

/* Every partition's accepted events have the offsets that follow its head, one by one, and the sums agree. */
static void assert_no_gap(void)
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

static void offsets_follow_the_head_in_the_order_of_requests(void **state)
{
    (void)state;
    begin(2);
    request(-1);
    add("a", "x", NULL, -1, 0);
    add(NULL, "yy", NULL, -1, 1);
    request(-1);
    add("b", "zzz", NULL, -1, 0);
    looked(10);
    group_decide(w.g, NOW);
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
    begin(1);
    request(-1);
    add(NULL, "x", NULL, -1, 0);
    looked(0);
    part(0)->recorded_us = NOW + 7; /* another gateway's clock is ahead */
    group_decide(w.g, NOW);
    assert_int_equal(w.events[0][0].recorded_us, NOW + 7);
}

static void a_repeated_id_is_answered_with_the_first_receipt(void **state)
{
    (void)state;
    begin(2);
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
    group_decide(w.g, NOW);
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
    begin(1);
    request(-1);
    add("a", "x", NULL, -1, 0);
    request(-1);
    add("fresh", "1", NULL, -1, 0);
    add("a", "other", NULL, -1, 0);
    request(-1);
    add("fresh", "2", NULL, -1, 0); /* not reused: the request before wrote nothing */
    looked(10);
    group_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, OK);
    assert_int_equal(w.pub[1].err, ERR_ID_REUSED);
    assert_string_equal(w.pub[1].fault.pointer, "/1");
    assert_int_equal(w.pub[2].err, OK);
    assert_false(w.events[2][0].duplicate);
    assert_int_equal(w.events[2][0].offset, 12);
    assert_memory_equal(group_id(w.g, w.events[2][0].key)->fingerprint, w.events[2][0].fingerprint, 16);
    assert_int_equal(w.g->accepted_n, 2);
    assert_no_gap();
}

static void expected_versions_are_checked_in_the_order_of_the_requests(void **state)
{
    (void)state;
    begin(1);
    request(-1);
    add(NULL, "x", "s", 0, 0);
    add(NULL, "x", "s", 1, 0); /* after the request's own first */
    request(-1);
    add(NULL, "x", "s", 0, 0); /* too late */
    request(-1);
    add(NULL, "x", "s", 2, 0);
    looked(0);
    group_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, OK);
    assert_int_equal(w.pub[1].err, ERR_VERSION_CONFLICT);
    assert_true(w.pub[1].fault.has_version);
    assert_int_equal(w.pub[1].fault.current_version, 2);
    assert_int_equal(w.pub[2].err, OK);
    assert_int_equal(w.events[2][0].version, 3);
    assert_int_equal(group_subject(w.g, SLICE("s"))->last_offset, 3);
    assert_no_gap();
}

static void a_duplicate_is_decided_before_the_lock(void **state)
{
    (void)state;
    begin(1);
    request(4);
    add("a", "x", "s", 4, 0);
    looked(10);
    stored_id("a", "x", 0, 5, 5);
    stored_subject("s", 0, 9);
    group_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, OK);
    assert_true(w.events[0][0].duplicate);
    assert_int_equal(w.g->accepted_n, 0);
}

static void if_match_holds_against_the_version_before_the_request(void **state)
{
    (void)state;
    begin(1);
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
    group_decide(w.g, NOW);
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
    begin(3);
    request(-1);
    add(NULL, "x", "s", -1, 2);
    request(-1);
    add(NULL, "x", "new", -1, 1);
    add(NULL, "x", "new", -1, 2);
    request(-1);
    add(NULL, "x", "new", -1, 2); /* nobody had it after all */
    looked(0);
    stored_subject("s", 1, 1);
    group_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, ERR_SUBJECT_MOVED);
    assert_int_equal(w.pub[1].err, ERR_SUBJECT_MOVED);
    assert_string_equal(w.pub[1].fault.pointer, "/1");
    assert_int_equal(w.pub[2].err, OK);
    assert_int_equal(group_subject(w.g, SLICE("new"))->partition, 2);
    assert_no_gap();
}

static void a_refused_request_leaves_no_trace(void **state)
{
    struct slot_subject *s;

    (void)state;
    begin(2);
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
    group_decide(w.g, NOW);
    assert_int_equal(w.pub[1].err, ERR_VERSION_CONFLICT);
    assert_int_equal(w.pub[1].fault.current_version, 3);
    assert_string_equal(w.pub[1].fault.pointer, "/3");
    assert_false(w.events[1][2].duplicate);
    s = group_subject(w.g, SLICE("s"));
    assert_int_equal(s->version, 2);
    assert_int_equal(s->last_offset, 11);
    assert_int_equal(group_subject(w.g, SLICE("t"))->version, 0);
    assert_false(group_id(w.g, w.events[1][0].key)->known || group_id(w.g, w.events[1][0].key)->ours);
    assert_int_equal(w.events[2][0].offset, 11);
    assert_int_equal(w.g->accepted_n, 2);
    assert_no_gap();
}

static void a_deleted_stream_is_unknown_even_to_duplicates(void **state)
{
    (void)state;
    begin(2);
    request(-1);
    add(NULL, "x", NULL, -1, 0);
    request(-1);
    add("a", "x", NULL, -1, 1);
    looked(0);
    stored_id("a", "x", 1, 5, 0);
    part(0)->locked = part(1)->locked = false;
    group_decide(w.g, NOW);
    assert_int_equal(w.pub[0].err, ERR_UNKNOWN_STREAM);
    assert_int_equal(w.pub[1].err, ERR_UNKNOWN_STREAM);
    assert_int_equal(w.g->accepted_n, 0);
}

static void deciding_again_gives_the_same(void **state)
{
    (void)state;
    begin(1);
    request(-1);
    add("a", "x", "s", 0, 0);
    add("a", "x", "s", -1, 0);
    request(-1);
    add("b", "x", "s", 7, 0);
    for (int i = 0; i < 2; i++) { /* the first attempt was rolled back: what is stored is read anew */
        looked(10 + i);
        group_decide(w.g, NOW);
        assert_int_equal(w.pub[0].err, OK);
        assert_int_equal(w.pub[1].err, ERR_VERSION_CONFLICT);
        assert_int_equal(w.events[0][0].offset, 11 + i);
        assert_int_equal(w.events[0][0].version, 1);
        assert_true(!w.events[0][0].duplicate && w.events[0][1].duplicate);
        assert_no_gap();
    }
}

/* --- against a model that does one request after the other on a copy of everything --- */

enum { IDS = 8, SUBJECTS = 5, PARTS = 3 };

struct model {
    int64_t head[PARTS];
    struct {
        bool known;
        char content;
        int32_t partition;
        int64_t offset, version;
    } id[IDS];
    struct {
        int32_t partition;
        int64_t version, last;
    } subject[SUBJECTS];
};

static const char *const ids[IDS] = { "i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7" };
static const char *const subjects[SUBJECTS] = { "s0", "s1", "s2", "s3", "s4" };

static enum err model_event(struct model *m, const struct publish *p, struct event *ev, bool *first)
{
    int i = ev->client_id ? ev->id.p[1] - '0' : -1, s = ev->subject.p ? ev->subject.p[1] - '0' : -1;
    int64_t version = 0;

    if (i >= 0 && m->id[i].known) {
        if (m->id[i].content != ev->data.p[0])
            return ERR_ID_REUSED;
        ev->duplicate = true;
        ev->partition = m->id[i].partition;
        ev->offset = m->id[i].offset;
        ev->version = m->id[i].version;
        return OK;
    }
    if (s >= 0) {
        if (m->subject[s].version && m->subject[s].partition != ev->partition)
            return ERR_SUBJECT_MOVED;
        if ((*first && p->if_version >= 0 && p->if_version != m->subject[s].version) ||
            (ev->expected_version >= 0 && ev->expected_version != m->subject[s].version))
            return ERR_VERSION_CONFLICT;
        version = ++m->subject[s].version;
        m->subject[s].partition = ev->partition;
        m->subject[s].last = m->head[ev->partition] + 1;
    }
    *first = false;
    ev->duplicate = false;
    ev->version = version;
    ev->offset = ++m->head[ev->partition];
    if (i >= 0) {
        m->id[i].known = true;
        m->id[i].content = ev->data.p[0];
        m->id[i].partition = ev->partition;
        m->id[i].offset = ev->offset;
        m->id[i].version = version;
    }
    return OK;
}

static enum err model_request(struct model *m, const struct publish *p, struct event *events)
{
    struct model before = *m;
    bool first = true;

    for (size_t k = 0; k < p->events.n; k++) {
        enum err e = model_event(m, p, &events[k], &first);

        if (e) {
            *m = before;
            return e;
        }
    }
    return OK;
}

static unsigned seed;

static int pick(int n)
{
    seed = seed * 1103515245 + 12345;
    return (int)(seed >> 16) % n;
}

static void random_batch(void)
{
    int requests = 1 + pick(12);

    for (int r = 0; r < requests; r++) {
        int n = 1 + pick(4), s = pick(SUBJECTS);

        request(pick(4) ? -1 : pick(4));
        for (int k = 0; k < n; k++) { /* a subject's usual partition, seldom another */
            bool has_subject = w.pub[r].if_version >= 0 || pick(3);

            s = w.pub[r].if_version >= 0 ? s : pick(SUBJECTS);
            add(pick(3) ? ids[pick(IDS)] : NULL, pick(8) ? "x" : "y", has_subject ? subjects[s] : NULL,
                has_subject && !pick(3) ? pick(4) : -1, pick(12) ? s % PARTS : pick(PARTS));
        }
    }
}

/* What the model holds, where the batch asks for it. */
static void look(const struct model *m)
{
    looked(0);
    for (size_t i = 0; i < w.g->part_n; i++)
        w.g->part[i].head = m->head[w.g->part[i].partition];
    for (int i = 0; i < IDS; i++) {
        uint8_t key[16] = { (uint8_t)ids[i][0], (uint8_t)ids[i][1] };

        if (m->id[i].known && group_id(w.g, key))
            stored_id(ids[i], m->id[i].content == 'x' ? "x" : "y", m->id[i].partition, m->id[i].offset, m->id[i].version);
    }
    for (int s = 0; s < SUBJECTS; s++)
        if (m->subject[s].version && group_subject(w.g, slice_of(subjects[s])))
            stored_subject(subjects[s], m->subject[s].partition, m->subject[s].version)->last_offset = m->subject[s].last;
}

static void assert_as_the_model(const struct model *m)
{
    for (size_t i = 0; i < w.g->part_n; i++)
        assert_int_equal(w.g->part[i].head + w.g->part[i].n, m->head[w.g->part[i].partition]);
    for (size_t i = 0; i < w.g->id_n; i++) {
        int id = w.g->ids[i].key[1] - '0';

        assert_int_equal(w.g->ids[i].known, m->id[id].known);
        if (m->id[id].known) {
            assert_int_equal(w.g->ids[i].fingerprint[0], m->id[id].content);
            assert_int_equal(w.g->ids[i].offset, m->id[id].offset);
            assert_int_equal(w.g->ids[i].version, m->id[id].version);
        }
    }
    for (size_t i = 0; i < w.g->subject_n; i++) {
        const struct slot_subject *s = &w.g->subjects[i];

        assert_int_equal(s->version, m->subject[s->subject.p[1] - '0'].version);
        if (s->version != s->stored_version) {
            assert_int_equal(s->partition, m->subject[s->subject.p[1] - '0'].partition);
            assert_int_equal(s->last_offset, m->subject[s->subject.p[1] - '0'].last);
        }
    }
}

static void every_batch_is_decided_as_one_request_after_the_other(void **state)
{
    static struct event wanted[MAX][MAX];
    static const enum err kinds[] = { OK, ERR_ID_REUSED, ERR_SUBJECT_MOVED, ERR_VERSION_CONFLICT };
    size_t seen[ERR_END] = { 0 };

    (void)state;
    for (unsigned run = 0; run < 400; run++) {
        struct model m = { .head = { 0 } };

        seed = run * 7919 + 1;
        for (int batch = 0; batch < 4; batch++) {
            begin(PARTS);
            random_batch();
            look(&m);
            memcpy(wanted, w.events, sizeof wanted);
            group_decide(w.g, NOW);
            for (size_t r = 0; r < w.batch.n; r++) {
                enum err e = model_request(&m, &w.pub[r], wanted[r]);

                if (w.pub[r].err != e)
                    fail_msg("run %u, batch %d, request %zu: %d, not %d", run, batch, r, (int)w.pub[r].err, (int)e);
                seen[e]++;
                for (size_t k = 0; !e && k < w.pub[r].events.n; k++) {
                    assert_int_equal(w.events[r][k].duplicate, wanted[r][k].duplicate);
                    assert_int_equal(w.events[r][k].partition, wanted[r][k].partition);
                    assert_int_equal(w.events[r][k].offset, wanted[r][k].offset);
                    assert_int_equal(w.events[r][k].version, wanted[r][k].version);
                }
            }
            assert_as_the_model(&m);
            assert_no_gap();
            end(NULL);
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (seen[kinds[i]] < 300)
            fail_msg("outcome %d came %zu times", (int)kinds[i], seen[kinds[i]]);
}

#define T(f) cmocka_unit_test_teardown(f, end)

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
        cmocka_unit_test(every_batch_is_decided_as_one_request_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
