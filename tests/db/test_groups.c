#include <pthread.h>
#include <stdio.h>

#include "db/deliveries.h"
#include "db/groups.h"
#include "gateway/base/clock.h"
#include "tests/db/log_support.h"

#define STREAM 7
#define PARTITIONS 3

static struct db_config config;
static struct db *db, *other;
static struct arena *arena;

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_groups");
    config = test_config();
    db = db_new(&config);
    other = db_new(&config);
    arena = arena_new(1 << 24);
    return db && other && arena && !db_connect(db, NULL) && !db_connect(other, NULL) ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    arena_free(arena);
    db_free(db);
    db_free(other);
    log_close();
    return 0;
}

static struct group_row plain(const char *name, int64_t id)
{
    return (struct group_row){ .stream_id = STREAM, .group_id = id, .name = slice_of(name), .ordering = ORDER_KEY,
                               .ack_deadline_us = 1, .max_retries = 2, .backoff_initial_us = 3, .backoff_factor = 4.25,
                               .backoff_max_us = 5, .backoff_jitter = 0.1, .max_in_flight = 6, .max_retrying = 7, .max_skipped = 8,
                               .key_batch = 9, .types = SLICE("[\"\xc3\xa4*\"]"), .dlq_retry_after_us = -1, .created_us = 11,
                               .updated_us = 11 };
}

static void assert_same(const struct group_row *a, const struct group_row *b)
{
    assert_true(a->stream_id == b->stream_id && a->group_id == b->group_id && slice_eq(a->name, b->name));
    assert_true(a->ordering == b->ordering && a->paused == b->paused && a->ack_deadline_us == b->ack_deadline_us);
    assert_true(a->max_retries == b->max_retries && a->backoff_initial_us == b->backoff_initial_us);
    assert_true(a->backoff_factor == b->backoff_factor && a->backoff_max_us == b->backoff_max_us);
    assert_true(a->backoff_jitter == b->backoff_jitter && a->max_in_flight == b->max_in_flight);
    assert_true(a->max_retrying == b->max_retrying && a->max_skipped == b->max_skipped && a->key_batch == b->key_batch);
    assert_true(slice_eq(a->types, b->types) && a->dlq_retry_after_us == b->dlq_retry_after_us);
    assert_true(a->dlq_retry_rounds == b->dlq_retry_rounds && a->created_us == b->created_us && a->updated_us == b->updated_us);
}

static void make(const char *name, int64_t id)
{
    const struct group_row g = plain(name, id);
    bool made = false;

    assert_ok(db_group_create(db, arena, &g, (const int64_t[]){ 10, 20, 30 }, PARTITIONS, &made, NULL));
    assert_true(made);
}

static int64_t states(int64_t group, const char *what)
{
    return side_int("select %s from weir.group_states where group_id = %lld", what, (long long)group);
}

static void a_definition_is_read_back_as_it_was_written(void **state)
{
    struct group_row g = plain("one", 1), got;
    struct fault f = { 0 };
    bool made = true;

    (void)state;
    make("one", 1);
    assert_ok(db_group_get(db, arena, STREAM, SLICE("one"), &got, &f));
    assert_same(&g, &got);
    g.ordering = ORDER_NONE;
    g.paused = true;
    g.ack_deadline_us = INT64_C(1) << 40;
    g.max_retries = 0;
    g.backoff_factor = 1e-300;
    g.types = SLICE("[]");
    g.dlq_retry_after_us = 12;
    g.dlq_retry_rounds = 13;
    g.updated_us = 14;
    assert_ok(db_group_update(db, &g, &f));
    assert_ok(db_group_lock(db, arena, STREAM, SLICE("one"), &got, &f));
    assert_same(&g, &got);
    assert_ok(db_group_create(db, arena, &g, (const int64_t[]){ 1 }, 1, &made, &f));
    assert_false(made);
    assert_int_equal(db_group_get(db, arena, STREAM, SLICE("none"), &got, &f), ERR_UNKNOWN_GROUP);
    assert_int_equal(db_group_get(db, arena, STREAM + 1, SLICE("one"), &got, &f), ERR_UNKNOWN_GROUP);
    g.group_id = 99;
    assert_int_equal(db_group_update(db, &g, &f), ERR_UNKNOWN_GROUP);
    assert_int_equal(db_group_claim(db, STREAM, 99, &f), ERR_UNKNOWN_GROUP);
}

static void groups_are_listed_by_name(void **state)
{
    struct group_row *v;
    int64_t count;
    size_t n;

    (void)state;
    make("list-b", 12);
    make("list-a", 11);
    make("list-c", 13);
    assert_ok(db_group_list(db, arena, STREAM, SLICE("list-"), 2, &v, &n, NULL));
    assert_true(n == 2 && v[0].group_id == 11 && v[1].group_id == 12);
    assert_ok(db_group_list(db, arena, STREAM, SLICE("list-b"), 2, &v, &n, NULL));
    assert_true(n >= 1 && v[0].group_id == 13);
    assert_ok(db_group_count(db, STREAM, &count, NULL));
    assert_int_equal(count, side_int("select count(*) from weir.groups where stream_id = %d", STREAM));
    assert_ok(db_group_count(db, STREAM + 1, &count, NULL));
    assert_int_equal(count, 0);
}

static void a_claim_is_the_next_state_and_the_last_ones_stay(void **state)
{
    (void)state;
    make("claimed", 20);
    for (int seq = 2; seq <= 30; seq++) {
        assert_ok(db_group_claim(db, STREAM, 20, NULL));
        assert_int_equal(states(20, "max(seq)"), seq);
        assert_int_equal(states(20, "count(*)"), seq < 8 ? seq : 8);
    }
    assert_int_equal(states(20, "count(distinct token)"), 8);
    assert_int_equal(states(20, "count(*) filter (where token > 0 and generation = 1 and next = '{10,20,30}')"), 8);
}

static void *claim_of_the_other(void *arg)
{
    *(enum err *)arg = db_group_claim(other, STREAM, 30, NULL);
    return NULL;
}

static void of_two_who_claim_at_once_one_is_told(void **state)
{
    enum err e = OK;
    pthread_t t;

    (void)state;
    make("raced", 30);
    assert_ok(db_exec(db, &DB_BEGIN, NULL, NULL, NULL));
    assert_ok(db_group_claim(db, STREAM, 30, NULL));
    assert_int_equal(pthread_create(&t, NULL, claim_of_the_other, &e), 0);
    side_until("select exists (select from pg_locks where not granted)");
    assert_ok(db_exec(db, &DB_COMMIT, NULL, NULL, NULL));
    pthread_join(t, NULL);
    assert_int_equal(e, ERR_DB_UNIQUE);
    assert_int_equal(states(30, "max(seq)"), 2);
}

/* A lease, a retry, a skip, and letters in every state. */
static void remember(long long group, const char *name)
{
    side_do("insert into weir.leases select %d, %lld, 5, now(), now(), '', '', '', '', '', 1", STREAM, group);
    side_do("insert into weir.retries select %d, %lld, 0, 1, 0, null, 1, 0, now(), false, ''", STREAM, group);
    side_do("insert into weir.skips select %d, %lld, 1, 0, 1, '', ''", STREAM, group);
    side_do("insert into weir.dead_letters (stream_id, letter_id, group_name, partition, \"offset\", key, state, reason,"
            " error_type, error_masked, fingerprint, attempts, dead_at, updated_at, recorded, id, type, attributes,"
            " data_format)"
            " select %d, gen_random_uuid(), '%s', 0, s, 0, s, 'rejected', '', '', gen_random_uuid(), '', now(), now(), now(), s,"
            " 'A', '', 0 from generate_series(0, 3) s", STREAM, name);
}

static void assert_forgotten(long long group, const char *name)
{
    static const char *const tables[] = { "leases", "retries", "skips" };

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(side_int("select count(*) from weir.%s where group_id = %lld", tables[i], group), 0);
    assert_int_equal(side_int("select sum(state) from weir.dead_letters where group_name = '%s'", name), 0 + 0 + 2 + 3);
}

static void a_move_is_a_new_generation_without_a_memory(void **state)
{
    int64_t dead;
    struct group_row g;

    (void)state;
    make("moved", 40);
    make("beside", 41);
    remember(40, "moved");
    remember(41, "beside");
    assert_ok(db_group_seek(db, arena, STREAM, 40, (const int64_t[]){ 1, 2, 3 }, PARTITIONS, NULL));
    assert_int_equal(side_int("select count(*) from weir.group_states where group_id = 40 and seq = 2 and generation = 2"
                              " and next = '{1,2,3}' and lease_floor = 6"), 1);
    assert_forgotten(40, "moved");
    assert_int_equal(side_int("select sum(state) from weir.dead_letters where group_name = 'beside'"), 6);
    assert_int_equal(side_int("select count(*) from weir.leases where group_id = 41"), 1);
    assert_ok(db_group_get(db, arena, STREAM, SLICE("moved"), &g, NULL));
    assert_ok(db_group_dead(db, &g, &dead, NULL));
    assert_int_equal(dead, 2);
}

/* As a lane does it. */
static enum err advance(struct db *conn, struct arena *a, int64_t group, int64_t seq)
{
    int64_t next[PARTITIONS] = { 1, 1, 1 };
    const struct group_state_row s = { seq, 1, 1, 1, next, PARTITIONS };

    assert_true(db_group_hold(conn, a, STREAM, group));
    assert_true(db_group_turn(conn, a, STREAM, group, &s, seq - 8, clock_unix_us(), NULL, 0, NULL, 0));
    return db_flush(conn, NULL, 2, NULL);
}

static void a_lane_of_a_deleted_group_is_told(void **state)
{
    (void)state;
    make("deleted", 50);
    remember(50, "deleted");
    assert_ok(advance(other, arena, 50, 2));
    assert_ok(db_group_delete(db, STREAM, 50, NULL));
    assert_forgotten(50, "deleted");
    assert_int_equal(states(50, "count(*)"), 0);
    assert_int_equal(advance(other, arena, 50, 3), ERR_DB_RETRY);
    assert_int_equal(states(50, "count(*)"), 0);
}

static void who_is_behind_is_told_also_when_its_number_is_free_again(void **state)
{
    (void)state;
    make("behind", 55);
    for (int seq = 2; seq <= 20; seq++)
        assert_ok(db_group_claim(db, STREAM, 55, NULL));
    for (int seq = 2; seq <= 20; seq++)
        assert_int_equal(advance(other, arena, 55, seq), ERR_DB_UNIQUE);
    assert_int_equal(states(55, "count(*)"), 8);
    assert_ok(advance(other, arena, 55, 21));
    assert_int_equal(states(55, "max(seq)"), 21);
}

static void the_oldest_of_some_events_is_found(void **state)
{
    int64_t us;

    (void)state;
    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, attributes, data_format)"
            " select %d, p, o, now() + (o - 10 * p) * interval '1 s', 'x', 'T', '', 0"
            " from generate_series(0, 1) p, generate_series(1, 3) o", STREAM);
    assert_ok(db_group_oldest(db, arena, STREAM, (const int32_t[]){ 0, 1, 2 }, (const int64_t[]){ 1, 2, 1 }, 3, &us, NULL));
    assert_int_equal(us, side_int("select extract(epoch from recorded) * 1000000 from weir.events where stream_id = %d and"
                                  " partition = 1 and \"offset\" = 2", STREAM));
    assert_ok(db_group_oldest(db, arena, STREAM, (const int32_t[]){ 2 }, (const int64_t[]){ 1 }, 1, &us, NULL));
    assert_true(us == INT64_MAX);
}

/* --- a lane that never rests --- */

#define CLAIMS 100

struct busy {
    atomic_bool stop;
    atomic_int overtaken;
    int done, failed;
};

static void *lane(void *arg)
{
    struct busy *b = arg;
    int64_t seq = 2;

    while (!atomic_load(&b->stop)) {
        struct arena *a = arena_new(1 << 16);
        enum err e = advance(other, a, 60, seq);

        b->done += !e;
        atomic_fetch_add(&b->overtaken, e == ERR_DB_UNIQUE);
        b->failed += e && e != ERR_DB_UNIQUE;
        seq++; /* it is taken: by us, or by who has overtaken us */
        arena_free(a);
    }
    return NULL;
}

static void who_holds_the_group_is_neither_overtaken_nor_in_a_deadlock(void **state)
{
    int64_t began = clock_mono_us();
    struct busy b = { .done = 0 };
    struct group_row g;
    pthread_t t;
    int claims = 0;

    (void)state;
    make("busy", 60);
    assert_int_equal(pthread_create(&t, NULL, lane, &b), 0);
    for (; claims < CLAIMS || !atomic_load(&b.overtaken); claims++) {
        assert_ok(db_exec(db, &DB_BEGIN, NULL, NULL, NULL));
        assert_ok(db_group_lock(db, arena, STREAM, SLICE("busy"), &g, NULL));
        assert_ok(db_group_claim(db, STREAM, 60, NULL));
        assert_ok(db_exec(db, &DB_COMMIT, NULL, NULL, NULL));
    }
    atomic_store(&b.stop, true);
    pthread_join(t, NULL);
    assert_int_equal(b.failed, 0);
    assert_in_range(atomic_load(&b.overtaken), 1, claims);
    assert_int_equal(states(60, "max(seq)"), 1 + claims + b.done);
    assert_in_range(clock_mono_us() - began, 0, 60 * US_PER_S); /* a deadlock lasts for a second */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_definition_is_read_back_as_it_was_written),
        cmocka_unit_test(groups_are_listed_by_name),
        cmocka_unit_test(a_claim_is_the_next_state_and_the_last_ones_stay),
        cmocka_unit_test(of_two_who_claim_at_once_one_is_told),
        cmocka_unit_test(a_move_is_a_new_generation_without_a_memory),
        cmocka_unit_test(a_lane_of_a_deleted_group_is_told),
        cmocka_unit_test(who_is_behind_is_told_also_when_its_number_is_free_again),
        cmocka_unit_test(the_oldest_of_some_events_is_found),
        cmocka_unit_test(who_holds_the_group_is_neither_overtaken_nor_in_a_deadlock),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
