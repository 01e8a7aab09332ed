#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/engine/commit_batch.h"
#include "handlers/publishing.h"
#include "tests/db/log_support.h"

#define WEEK (7 * 24 * 3600 * US_PER_S)
#define LIMIT ((size_t)1 << 20)

static struct gateway gw, other;
static struct stream *stream;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_idempotency");
    gateway_start(&gw);
    gateway_start(&other);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    gateway_stop(&gw);
    gateway_stop(&other);
    log_close();
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_log_whole();
    stream_unref(stream);
    stream = NULL;
    return 0;
}

static long long id_of(const struct stream *s)
{
    return (long long)s->row.stream_id;
}

/* A request under a key; the body is its fingerprint. */
static struct asked *keyed(struct stream *s, const char *name, const char *body)
{
    struct asked *a = draft(s, -1, body);
    struct publish_key *key = arena_zalloc(a->arena, sizeof *key);

    memcpy(key->key, name, strnlen(name, sizeof key->key));
    memcpy(key->fingerprint, body + strlen(body) - strnlen(body, 16), strnlen(body, 16));
    key->render = receipt_render;
    key->limit = LIMIT;
    a->p.key = key;
    return a;
}

static struct asked *ask_keyed(struct gateway *g, struct stream *s, const char *name, const char *body)
{
    struct asked *a = keyed(s, name, body);
    enum err e = commit_submit(g->commit, &a->p, &a->p.fault);

    if (e) {
        a->p.err = e;
        a->p.done(&a->p, false);
    }
    return a;
}

static void keyed_free(struct asked *a)
{
    buf_free(&a->p.key->answer);
    asked_free(a);
}

static void assert_same(const struct publish_key *x, const struct publish_key *y)
{
    assert_int_equal(x->status, y->status);
    assert_int_equal(x->answer.n, y->answer.n);
    assert_memory_equal(x->answer.p, y->answer.p, x->answer.n);
    assert_string_equal(x->cursor, y->cursor);
}

static int64_t events_of(const struct stream *s)
{
    return side_int("select count(*) from weir.events where stream_id = %lld", id_of(s));
}

static void an_answer_is_replayed_wherever_its_request_goes(void **state)
{
    static const char *const body = "[{\"type\":\"A\"},{\"type\":\"B\",\"subject\":\"s\"}]";
    struct asked *first, *again;

    (void)state;
    stream = stream_here(&gw, "replayed", 8, WEEK);
    first = ask_keyed(&gw, stream, "k", body);
    assert_ok(answer(first));
    assert_int_equal(first->p.key->status, 201);
    for (int i = 0; i < 8; i++) { /* other events, other partitions */
        again = ask_keyed(i % 2 ? &gw : &other, stream, "k", body);
        assert_ok(answer(again));
        assert_true(again->p.key->replayed);
        assert_same(first->p.key, again->p.key);
        keyed_free(again);
    }
    again = ask_keyed(&other, stream, "k", "{\"type\":\"C\"}");
    assert_int_equal(answer(again), ERR_IDEMPOTENCY_KEY_REUSED);
    keyed_free(again);
    assert_int_equal(events_of(stream), 2);
    assert_int_equal(side_int("select status from weir.idempotency where stream_id = %lld", id_of(stream)), 201);
    keyed_free(first);
}

static void a_key_is_free_after_its_window(void **state)
{
    struct asked *a;

    (void)state;
    stream = stream_here(&gw, "window", 1, WEEK);
    for (int i = 1; i <= 3; i++) {
        a = ask_keyed(&gw, stream, "k", i < 3 ? "{\"type\":\"A\"}" : "{\"type\":\"B\"}");
        assert_ok(answer(a));
        assert_false(a->p.key->replayed);
        assert_int_equal(a->p.events.v[0].offset, i);
        keyed_free(a);
        side_do("update weir.idempotency set expires = now() where stream_id = %lld", id_of(stream));
        usleep(2000);
    }
    assert_int_equal(side_int("select count(*) from weir.idempotency where stream_id = %lld", id_of(stream)), 1);
}

static void what_is_over_goes_in_batches(void **state)
{
    struct retention r = { .config = &gw.config, .db = gw.db, .next_room_us = INT64_MAX };
    int64_t batch = gw.config.retention_batch;
    bool more = false;

    (void)state;
    stream = stream_here(&gw, "over", 1, WEEK);
    side_do("insert into weir.idempotency select %lld, md5(i::text)::uuid, md5('')::uuid, now() + (i - 150) * interval"
            " '1 hour' - interval '1 minute', 201, '', '' from generate_series(1, 200) i", id_of(stream));
    gw.config.retention_batch = 100;
    assert_ok(retention_tick(&r, &more));
    assert_true(more);
    assert_int_equal(side_int("select count(*) from weir.idempotency where stream_id = %lld", id_of(stream)), 100);
    more = false;
    assert_ok(retention_tick(&r, &more));
    assert_false(more);
    assert_int_equal(side_int("select count(*) from weir.idempotency where stream_id = %lld and expires > now()",
                              id_of(stream)), 50);
    gw.config.retention_batch = batch;
    side_do("delete from weir.idempotency where stream_id = %lld", id_of(stream));
}

static void a_deleted_stream_takes_its_answers_along(void **state)
{
    struct asked *a;

    (void)state;
    stream = stream_here(&gw, "deleted", 1, WEEK);
    a = ask_keyed(&gw, stream, "k", "{\"type\":\"A\"}");
    assert_ok(answer(a));
    keyed_free(a);
    assert_ok(streams_delete(gw.streams, gw.db, SLICE("deleted"), NULL));
    a = ask_keyed(&gw, stream, "k", "{\"type\":\"A\"}");
    assert_int_equal(answer(a), ERR_UNKNOWN_STREAM);
    keyed_free(a);
    for (int i = 0; i < 3; i++)
        assert_ok(retention_tick(&(struct retention){ .config = &gw.config, .db = gw.db }, &(bool){ false }));
    assert_int_equal(side_int("select count(*) from weir.idempotency where stream_id = %lld", id_of(stream)), 0);
}

static void in_flight_a_key_is_refused_and_a_batch_that_fails_is_settled_singly(void **state)
{
    struct asked *first, *a[9], *twice;
    char name[16], body[64];

    (void)state;
    stream = stream_here(&gw, "singly", 3, WEEK);
    side_do("alter table weir.events add constraint no_bad check (type <> 'Bad')");
    heads_hold(stream);
    first = ask(&gw, stream, -1, "{\"type\":\"A\"}");
    heads_awaited();
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "k%d", i);
        snprintf(body, sizeof body, "{\"type\":\"%s\"}", i % 3 == 1 ? "Bad" : "Good");
        a[i] = ask_keyed(&gw, stream, name, body);
    }
    twice = ask_keyed(&gw, stream, "k4", "{\"type\":\"Bad\"}");
    assert_int_equal(answer(twice), ERR_IDEMPOTENCY_IN_FLIGHT);
    assert_true(twice->p.fault.retry_after > 0);
    keyed_free(twice);
    heads_release();
    assert_ok(answer(first));
    for (int i = 0; i < 9; i++) {
        assert_int_equal(answer(a[i]), i % 3 == 1 ? ERR_INTERNAL : OK);
        keyed_free(a[i]);
    }
    asked_free(first);
    side_do("alter table weir.events drop constraint no_bad");
    assert_int_equal(side_int("select count(*) from weir.idempotency where stream_id = %lld", id_of(stream)), 6);
    a[0] = ask_keyed(&gw, stream, "k4", "{\"type\":\"Bad\"}"); /* its key is free */
    assert_ok(answer(a[0]));
    assert_false(a[0]->p.key->replayed);
    keyed_free(a[0]);
}

/* Two transactions with one key in two partitions do not exclude each other by their heads. */
static void a_key_in_two_partitions_at_once_is_recorded_once(void **state)
{
    static const char *const body[] = { "{\"type\":\"A\",\"partitionkey\":\"a\"}", "{\"type\":\"A\",\"partitionkey\":\"b\"}" };
    struct asked *a[2];

    (void)state;
    stream = stream_here(&gw, "two-partitions", 2, WEEK);
    for (int i = 0; i < 2; i++) {
        a[i] = keyed(stream, "k", body[i]);
        memset(a[i]->p.key->fingerprint, 7, 16); /* else it would be another request */
    }
    assert_int_not_equal(event_partition(&a[0]->p.events.v[0], stream->row.name, 2),
                         event_partition(&a[1]->p.events.v[0], stream->row.name, 2));
    side_do("begin; lock table weir.idempotency in share mode"); /* both have looked, and wait before they write */
    assert_ok(commit_submit(gw.commit, &a[0]->p, NULL));
    assert_ok(commit_submit(other.commit, &a[1]->p, NULL));
    usleep(200000);
    side_do("commit");
    assert_ok(answer(a[0]));
    assert_ok(answer(a[1]));
    assert_int_equal(a[0]->p.key->replayed + a[1]->p.key->replayed, 1);
    assert_same(a[0]->p.key, a[1]->p.key);
    assert_int_equal(events_of(stream), 1);
    keyed_free(a[0]);
    keyed_free(a[1]);
}

/* --- answers that were lost --- */

/* Every event of it is a duplicate: only the answer is kept, and there is no event to look for. */
static void a_lost_commit_without_events_is_decided_again(void **state)
{
    struct batch b = { .arena = arena_new(16 << 20), .n = 1, .now_us = clock_unix_us(), .key_window_us = WEEK };
    struct publish *list[1];
    struct publish_key lost;
    struct asked *a;
    bool committed = true;

    (void)state;
    stream = stream_here(&gw, "nothing-new", 1, WEEK);
    assert_ok(publish(&gw, stream, "{\"id\":\"1\",\"type\":\"A\"}"));
    a = keyed(stream, "k", "{\"id\":\"1\",\"type\":\"A\"}");
    b.pub = list;
    list[0] = &a->p;
    assert_ok(batch_sort_out(&b));
    assert_ok(batch_write(&b, gw.db));
    assert_false(a->p.key->replayed);
    lost = *a->p.key;
    a->p.key->answer = (struct buf){ 0 };
    assert_ok(batch_outcome(&b, gw.db, &committed));
    assert_false(committed);
    assert_ok(batch_write(&b, gw.db));
    assert_ok(a->p.err);
    assert_true(a->p.key->replayed);
    assert_same(&lost, a->p.key);
    buf_free(&lost.answer);
    keyed_free(a);
    arena_free(b.arena);
    assert_int_equal(events_of(stream), 1);
}

enum { RACERS = 4, KEYS = 150, KILLS = 40 };

struct racer {
    pthread_t thread;
    struct gateway *g;
    struct stream *s;
    unsigned seed;
    size_t wrong;
    struct buf answers[KEYS];
};
static atomic_size_t done;

/* Each key until it is answered, without ids: whoever asks, and however often, gets the same bytes. */
static void *race(void *arg)
{
    struct racer *r = arg;
    char name[16], body[64];

    for (int i = 0; i < KEYS; i++) {
        enum err e;

        snprintf(name, sizeof name, "k%d", i);
        snprintf(body, sizeof body, "[{\"type\":\"A\"},{\"type\":\"B\",\"data\":%d}]", i);
        do {
            struct asked *a = ask_keyed(r->g, r->s, name, body);

            if (!(e = answer(a))) {
                r->answers[i] = a->p.key->answer;
                a->p.key->answer = (struct buf){ 0 };
            } else {
                r->wrong += e != ERR_IDEMPOTENCY_IN_FLIGHT && e != ERR_OUTCOME_UNKNOWN && e != ERR_DATABASE_UNAVAILABLE;
                r->seed = r->seed * 1103515245 + 12345;
                usleep(r->seed / 65536 % 2000);
            }
            keyed_free(a);
        } while (e);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void run_race(const char *name, int kills)
{
    static struct racer r[RACERS];
    unsigned seed = 7;

    stream = stream_here(&gw, name, 5, WEEK);
    atomic_store(&done, 0);
    for (int i = 0; i < RACERS; i++) {
        struct gateway *g = i % 2 ? &gw : &other;

        r[i] = (struct racer){ .g = g, .s = stream_here(g, name, 5, WEEK), .seed = (unsigned)i };
        assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < kills && atomic_load(&done) < RACERS * KEYS; i++) {
        size_t before = atomic_load(&done);

        while (atomic_load(&done) == before && before < RACERS * KEYS)
            usleep(500);
        seed = seed * 1103515245 + 12345;
        usleep(seed / 65536 % 8000);
        side_do("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'weir-lane%%'");
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(r[i].thread, NULL);
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(r[i].wrong, 0);
        for (int k = 0; k < KEYS; k++) {
            assert_int_equal(r[i].answers[k].n, r[0].answers[k].n);
            assert_memory_equal(r[i].answers[k].p, r[0].answers[k].p, r[0].answers[k].n);
        }
        stream_unref(r[i].s);
    }
    for (int i = 0; i < RACERS; i++)
        for (int k = 0; k < KEYS; k++)
            buf_free(&r[i].answers[k]);
    assert_int_equal(side_int("select count(distinct convert_from(data, 'UTF8')) from weir.events where stream_id = %lld and"
                              " type = 'B'", id_of(stream)), KEYS);
    assert_int_equal(events_of(stream), 2 * KEYS);
}

static void gateways_that_race_for_keys_record_each_once(void **state)
{
    (void)state;
    run_race("race", 0);
}

static void connections_that_die_make_no_key_count_twice(void **state)
{
    (void)state;
    run_race("killed", KILLS);
}

#define T(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer_is_replayed_wherever_its_request_goes),
        T(a_key_is_free_after_its_window),
        T(what_is_over_goes_in_batches),
        T(a_deleted_stream_takes_its_answers_along),
        T(in_flight_a_key_is_refused_and_a_batch_that_fails_is_settled_singly),
        T(a_key_in_two_partitions_at_once_is_recorded_once),
        T(a_lost_commit_without_events_is_decided_again),
        T(gateways_that_race_for_keys_record_each_once),
        T(connections_that_die_make_no_key_count_twice),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
