#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/engine/commit_batch.h"
#include "tests/db/log_support.h"

#define WEEK (7 * 24 * 3600 * US_PER_S)

static struct gateway gw, other;
static struct stream *stream;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_outcome");
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

/* --- an answer that was lost: what became of the batch? --- */

/* A request for each stream, in a batch of its own. */
static struct batch batch_of(struct stream *const *s, size_t n, const char *body, struct asked **ret)
{
    struct batch b = { .arena = arena_new(16 << 20), .n = n, .now_us = clock_unix_us() };

    b.pub = arena_alloc(b.arena, n * sizeof *b.pub);
    for (size_t i = 0; i < n; i++) {
        ret[i] = draft(s[i], -1, body);
        b.pub[i] = &ret[i]->p;
    }
    assert_ok(batch_sort_out(&b));
    return b;
}

/* As it was when COMMIT had been sent and nothing was heard. */
static void forget_answer(struct batch *b)
{
    for (struct lot *g = b->lots; g < b->lots + b->lot_n; g++) {
        g->accepted_n = g->event_n;
        for (size_t i = 0; i < g->pub_n; i++) {
            g->pub[i]->err = OK;
            if (b->plain)
                g->pub[i]->events.v[0].offset = 0;
        }
    }
}

static void a_batch_that_was_committed_is_found_and_one_that_was_not_is_not(void **state)
{
    struct stream *s[3];
    char name[40];

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const char *body = kind ? "{\"id\":\"x\",\"type\":\"A\"}" : "{\"type\":\"A\"}";
        struct asked *a[3], *other_a[3];
        struct batch b;
        bool committed = false;

        for (int i = 0; i < 3; i++) {
            snprintf(name, sizeof name, "lost-%d-%d", kind, i);
            s[i] = stream_here(&gw, name, 1, WEEK);
            assert_ok(publish(&gw, s[i], "{\"type\":\"A\"}"));
        }
        if (!kind)
            assert_ok(streams_delete(other.streams, other.db, s[0]->row.name, NULL));
        b = batch_of(s, 3, body, a);
        assert_int_equal(b.plain, !kind);
        assert_ok(batch_write(&b, gw.db));
        forget_answer(&b);
        assert_ok(batch_outcome(&b, gw.db, &committed));
        assert_true(committed);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(a[i]->p.err, !kind && i == 0 ? ERR_UNKNOWN_STREAM : OK);
            assert_int_equal(a[i]->p.events.v[0].offset, a[i]->p.err ? 0 : 2);
            asked_free(a[i]);
        }
        arena_free(b.arena);

        b = batch_of(s + 1, 2, "{\"id\":\"y\",\"type\":\"A\"}", a);
        struct batch rival = batch_of(s + 1, 2, "{\"id\":\"y\",\"type\":\"A\"}", other_a);

        assert_ok(batch_write(&b, gw.db)); /* decides, and is rolled back as it were */
        for (int i = 1; i < 3; i++) {
            side_do("delete from weir.events where stream_id = %lld and \"offset\" = 3", id_of(s[i]));
            side_do("delete from weir.dedup where stream_id = %lld", id_of(s[i]));
            side_do("update weir.partitions p set head = 2, bytes = (select sum(octet_length(attributes)) from weir.events e"
                    " where e.stream_id = p.stream_id) where stream_id = %lld", id_of(s[i]));
        }
        usleep(1000);
        rival.now_us = clock_unix_us();
        assert_ok(batch_write(&rival, gw.db)); /* the same ids at the same offsets, by another gateway */
        forget_answer(&b);
        assert_ok(batch_outcome(&b, gw.db, &committed));
        assert_false(committed);
        for (int i = 0; i < 2; i++) {
            asked_free(a[i]);
            asked_free(other_a[i]);
        }
        arena_free(b.arena);
        arena_free(rival.arena);
        for (int i = 0; i < 3; i++)
            stream_unref(s[i]);
    }
    assert_ok(retention_tick(&(struct retention){ .config = &gw.config, .db = gw.db }, &(bool){ false }));
}

/* --- a server that is behind what the lane remembers: a failover that lost commits, a restored database --- */

static void set_back(const struct stream *s, int head)
{
    side_do("delete from weir.events where stream_id = %lld and \"offset\" > %d", id_of(s), head);
    side_do("update weir.partitions p set head = %d, bytes = coalesce((select sum(octet_length(attributes)) from weir.events e"
            " where e.stream_id = p.stream_id), 0) where stream_id = %lld", head, id_of(s));
    if (!head)
        side_do("delete from weir.partition_months where stream_id = %lld", id_of(s));
}

static void a_head_that_was_set_back_is_looked_at_anew(void **state)
{
    struct stream *s;
    struct asked *a;
    struct batch b;

    (void)state;
    stream = stream_here(&gw, "set-back", 1, WEEK);
    for (int head = 2; head >= 0; head -= 2) { /* at last without its month: readers look into months only */
        while (stream->lane[0].head < 5)
            assert_ok(publish(&gw, stream, "{\"type\":\"A\"}"));
        set_back(stream, head);
        s = stream;
        b = batch_of(&s, 1, "{\"type\":\"A\"}", &a);
        assert_true(b.plain);
        assert_int_equal(batch_write(&b, gw.db), ERR_DB_RETRY);
        assert_int_equal(side_int("select head from weir.partitions where stream_id = %lld", id_of(stream)), head);
        asked_free(a);
        arena_free(b.arena);
        assert_ok(publish(&gw, stream, "{\"type\":\"A\"}"));
        assert_int_equal(stream->lane[0].head, head + 1);
        assert_log_whole();
    }
}

static void a_lost_commit_is_found_below_the_head_that_was_remembered(void **state)
{
    struct stream *s;
    struct asked *a;
    struct batch b;
    bool committed = false;

    (void)state;
    stream = stream_here(&gw, "below", 1, WEEK);
    for (int i = 0; i < 2; i++)
        assert_ok(publish(&gw, stream, "{\"type\":\"A\"}"));
    s = stream;
    b = batch_of(&s, 1, "{\"type\":\"A\"}", &a);
    assert_ok(batch_write(&b, gw.db));
    b.lots[0].part[0].head = 7; /* as the lane had it from the other server */
    forget_answer(&b);
    assert_ok(batch_outcome(&b, gw.db, &committed));
    assert_true(committed);
    assert_int_equal(a->p.events.v[0].offset, 3);
    asked_free(a);
    arena_free(b.arena);
}

/* --- connections that die --- */

enum { PUBLISHERS = 4, KILLS = 60 };

struct publisher {
    pthread_t thread;
    int index;
    size_t ok, unknown, refused, wrong;
};
static atomic_bool stop;
static atomic_size_t confirmed;

static int64_t count_of(PGconn *conn, const struct event *ev, bool at_offset)
{
    char sql[512];
    PGresult *res;
    int64_t n;

    snprintf(sql, sizeof sql, "select count(*) from weir.events where stream_id = %lld and id ="
                              " '%.*s'%s", id_of(stream),
             (int)ev->id.n, ev->id.p, at_offset ? " and (partition, \"offset\") = " : "");
    if (at_offset)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "(%d, %lld)", ev->partition, (long long)ev->offset);
    res = PQexec(conn, sql);
    n = PQntuples(res) == 1 ? strtoll(PQgetvalue(res, 0, 0), NULL, 10) : -1;
    PQclear(res);
    return n;
}

static void *publish_on(void *arg)
{
    struct publisher *p = arg;
    PGconn *conn = PQconnectdb(gw.db_config.url);

    for (int i = 0; !atomic_load(&stop); i++) {
        struct asked *a =
            i % 3 == 0   ? ask(&gw, stream, -1, "{\"id\":\"%d-%d\",\"type\":\"A\",\"subject\":\"%d\"}", p->index, i, i % 50)
            : i % 3 == 1 ? ask(&gw, stream, -1, "[{\"type\":\"A\"},{\"type\":\"B\"}]")
                         : ask(&gw, stream, -1, "{\"type\":\"A\"}");
        enum err e = answer(a);

        for (size_t k = 0; k < a->p.events.n; k++) {
            int64_t there = count_of(conn, &a->p.events.v[k], false), exact = count_of(conn, &a->p.events.v[k], true);

            p->wrong += e == OK ? there != 1 || exact != 1 : e == ERR_OUTCOME_UNKNOWN ? there > 1 : there != 0;
        }
        p->ok += e == OK;
        atomic_fetch_add(&confirmed, e == OK);
        p->unknown += e == ERR_OUTCOME_UNKNOWN;
        p->refused += e && e != ERR_OUTCOME_UNKNOWN;
        asked_free(a);
    }
    PQfinish(conn);
    return NULL;
}

static void a_connection_that_dies_leaves_no_doubt(void **state)
{
    struct publisher p[PUBLISHERS] = { 0 };
    size_t ok = 0, wrong = 0;
    unsigned seed = 7;

    (void)state;
    stream = stream_here(&gw, "killed", 3, WEEK);
    side_do("create index on weir.events (stream_id, id)"); /* for the test's own look */
    atomic_store(&stop, false);
    for (int i = 0; i < PUBLISHERS; i++) {
        p[i].index = i;
        assert_int_equal(pthread_create(&p[i].thread, NULL, publish_on, &p[i]), 0);
    }
    for (int i = 0; i < KILLS; i++) {
        size_t before = atomic_load(&confirmed);

        while (atomic_load(&confirmed) == before) /* it is back */
            usleep(500);
        seed = seed * 1103515245 + 12345;
        usleep(seed / 65536 % 8000);
        side_do("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'weir-lane%%'");
    }
    atomic_store(&stop, true);
    for (int i = 0; i < PUBLISHERS; i++) {
        pthread_join(p[i].thread, NULL);
        ok += p[i].ok;
        wrong += p[i].wrong;
    }
    assert_int_equal(wrong, 0);
    assert_true(ok >= KILLS);
    side_do("drop index weir.events_stream_id_id_idx");
}

#define T(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_batch_that_was_committed_is_found_and_one_that_was_not_is_not),
        T(a_head_that_was_set_back_is_looked_at_anew),
        T(a_lost_commit_is_found_below_the_head_that_was_remembered),
        T(a_connection_that_dies_leaves_no_doubt),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
