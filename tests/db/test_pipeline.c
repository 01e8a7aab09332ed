#include <stdlib.h>

#include "gateway/base/clock.h"
#include "tests/db/support.h"

static const struct stmt HEAD = {
    "head", "update weir_test_pipeline.heads set head = head + $1 where id = 1 returning head", "int8", "int8"
};
static const struct stmt ADD = { "add", "insert into weir_test_pipeline.items (id, data) values ($1, $2)", "int8 bytea", "" };
static const struct stmt LATER = { "later", "insert into weir_test_pipeline.items (id, later) values ($1, $2)", "int8 int4", "" };
static const struct stmt ECHO_IT = { "echo", "select $1::bytea", "bytea", "bytea" };
static const struct stmt COUNT_ALL = { "count", "select count(*) from weir_test_pipeline.items", "", "int8" };
static const struct stmt *const stmts[] = { &DB_BEGIN, &DB_COMMIT, &DB_ROLLBACK, &HEAD, &ADD, &LATER, &ECHO_IT, &COUNT_ALL };
#define COUNT(x) (sizeof(x) / sizeof *(x))
#define BIG (8u << 20)

static struct db_config config;

static int open_all(void **state)
{
    config = test_config();
    side_open("weir_test_pipeline");
    side_do("create table heads (id bigint primary key, head bigint not null); insert into heads values (1, 0);"
            "create table items (id bigint primary key, data bytea, later int unique deferrable initially deferred)");
    *state = db_new_with(&config, stmts, COUNT(stmts));
    return *state ? 0 : -1;
}

static int close_all(void **state)
{
    db_free(*state);
    side_close();
    return 0;
}

static int clean(void **state)
{
    (void)state;
    side_do("truncate items; update heads set head = 0");
    return 0;
}

static void free_rows(struct rows *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rows_free(&r[i]);
}

/* BEGIN, the head, an item for each id, and COMMIT if so wanted. */
static enum err write_items(struct db *db, const int64_t *ids, size_t n, struct slice data, bool commit, struct fault *f)
{
    const struct arg head[] = { arg_int8((int64_t)n) };
    struct arg args[4][2];
    struct rows r[8];
    size_t count = n + 2 + commit;
    enum err e;

    db_queue(db, &DB_BEGIN, NULL);
    db_queue(db, &HEAD, head);
    for (size_t i = 0; i < n; i++) {
        args[i][0] = arg_int8(ids[i]);
        args[i][1] = arg_bytea(data);
        db_queue(db, &ADD, args[i]);
    }
    if (commit)
        db_queue(db, &DB_COMMIT, NULL);
    e = db_flush(db, r, count, f);
    free_rows(r, count);
    return e;
}

static enum err commit(struct db *db, struct fault *f)
{
    db_queue(db, &DB_COMMIT, NULL);
    return db_flush(db, NULL, 1, f);
}

static void check_stored(int64_t items, int64_t head)
{
    assert_int_equal(side_int("select count(*) from items"), items);
    assert_int_equal(side_int("select head from heads"), head);
}

static void a_transaction_is_one_round_trip_with_a_result_for_each_statement(void **state)
{
    const struct arg head[] = { arg_int8(5) }, add[] = { arg_int8(1), arg_bytea(SLICE("x")) };
    struct rows r[4];

    db_queue(*state, &DB_BEGIN, NULL);
    db_queue(*state, &HEAD, head);
    db_queue(*state, &ADD, add);
    db_queue(*state, &DB_COMMIT, NULL);
    assert_ok(db_flush(*state, r, 4, NULL));
    assert_int_equal(row_int8(&r[1], 0, 0), 5);
    assert_int_equal(r[2].affected, 1);
    free_rows(r, 4);
    check_stored(1, 5);
}

static void an_error_in_the_middle_writes_nothing_and_keeps_the_connection(void **state)
{
    static const int64_t good[] = { 1, 2, 3 }, bad[] = { 4, 1, 5 };
    struct fault f = { 0 };
    int pid;

    assert_ok(write_items(*state, good, 3, SLICE("x"), true, NULL));
    pid = db_backend_pid(*state);
    assert_int_equal(write_items(*state, bad, 3, SLICE("x"), true, &f), ERR_DB_UNIQUE);
    assert_string_equal(f.detail, "items_pkey");
    check_stored(3, 3);
    assert_int_equal(db_backend_pid(*state), pid);
    assert_int_equal(PQtransactionStatus(db_conn(*state)), PQTRANS_IDLE);
    assert_ok(write_items(*state, (const int64_t[]){ 9 }, 1, SLICE("x"), true, NULL));
    check_stored(4, 4);
}

static void results_after_the_error_are_empty(void **state)
{
    const struct arg a[] = { arg_int8(1), arg_bytea(SLICE("x")) };
    struct rows r[3];

    db_queue(*state, &ADD, a);
    db_queue(*state, &ADD, a);
    db_queue(*state, &COUNT_ALL, NULL);
    assert_int_equal(db_flush(*state, r, 3, NULL), ERR_DB_UNIQUE);
    assert_non_null(r[0].res);
    assert_null(r[1].res);
    assert_null(r[2].res);
    free_rows(r, 3);
    check_stored(0, 0); /* without BEGIN the whole flush is one transaction */
}

static void a_transaction_may_span_two_flushes(void **state)
{
    assert_ok(write_items(*state, (const int64_t[]){ 1 }, 1, SLICE("x"), false, NULL));
    check_stored(0, 0);
    assert_ok(commit(*state, NULL));
    check_stored(1, 1);
}

static void an_error_in_the_second_flush_rolls_the_first_back(void **state)
{
    const struct arg a[] = { arg_int8(1), arg_bytea(SLICE("x")) };

    assert_ok(write_items(*state, (const int64_t[]){ 1 }, 1, SLICE("x"), false, NULL));
    db_queue(*state, &ADD, a);
    db_queue(*state, &DB_COMMIT, NULL);
    assert_int_equal(db_flush(*state, NULL, 2, NULL), ERR_DB_UNIQUE);
    check_stored(0, 0);
    assert_ok(write_items(*state, (const int64_t[]){ 1 }, 1, SLICE("x"), true, NULL));
}

static void a_connection_killed_between_two_flushes_fails_the_second(void **state)
{
    assert_ok(write_items(*state, (const int64_t[]){ 1 }, 1, SLICE("x"), false, NULL));
    side_do("select pg_terminate_backend(%d, 5000)", db_backend_pid(*state));
    assert_int_equal(commit(*state, NULL), ERR_DATABASE_UNAVAILABLE);
    assert_int_equal(commit(*state, NULL), ERR_DATABASE_UNAVAILABLE); /* not on a new connection either */
    check_stored(0, 0);
    assert_ok(write_items(*state, (const int64_t[]){ 1 }, 1, SLICE("x"), true, NULL));
}

static void a_constraint_that_fails_at_the_commit_fails_the_flush(void **state)
{
    const struct arg one[] = { arg_int8(1), arg_int4(1) }, two[] = { arg_int8(2), arg_int4(1) };

    db_queue(*state, &DB_BEGIN, NULL);
    db_queue(*state, &LATER, one);
    db_queue(*state, &LATER, two);
    db_queue(*state, &DB_COMMIT, NULL);
    assert_int_equal(db_flush(*state, NULL, 4, NULL), ERR_DB_UNIQUE);
    db_queue(*state, &LATER, one); /* and at the end of an implicit transaction */
    db_queue(*state, &LATER, two);
    assert_int_equal(db_flush(*state, NULL, 2, NULL), ERR_DB_UNIQUE);
    assert_true(db_connected(*state));
    check_stored(0, 0);
    assert_ok(db_exec(*state, &LATER, one, NULL, NULL));
}

static void large_parameters_and_results_do_not_deadlock(void **state)
{
    struct slice big = { malloc(BIG), BIG };
    const struct arg args[] = { arg_bytea(big) };
    struct rows r[6];

    memset((char *)big.p, 'z', BIG);
    for (int i = 0; i < 6; i++)
        db_queue(*state, &ECHO_IT, args);
    assert_ok(db_flush(*state, r, 6, NULL));
    for (int i = 0; i < 6; i++)
        assert_true(slice_eq(row_text(&r[i], 0, 0), big));
    free_rows(r, 6);
    free((char *)big.p);
}

/* Sizes around what the socket holds: the rest leaves at any moment, also between a look and the wait that follows. */
static void transactions_of_every_size_are_sent_whole(void **state)
{
    struct slice data = { calloc(1, 512u << 10), 0 };
    int64_t id = 0;

    for (int round = 0; round < 8; round++)
        for (data.n = 32u << 10; data.n <= 512u << 10; data.n += 4u << 10) {
            id++;
            assert_ok(write_items(*state, &id, 1, data, true, NULL));
        }
    check_stored(id, id);
    free((char *)data.p);
}

static void parameters_that_lack_memory_fail_before_anything_is_sent(void **state)
{
    const struct arg bad[] = { arg_int8(1), { .n = -1 } }, good[] = { arg_int8(1), arg_null() };

    db_queue(*state, &ADD, good);
    db_queue(*state, &ADD, bad);
    assert_int_equal(db_flush(*state, NULL, 2, NULL), ERR_NO_MEMORY);
    check_stored(0, 0);
    assert_ok(db_exec(*state, &ADD, good, NULL, NULL));
}

static void more_than_the_queue_holds_is_refused(void **state)
{
    for (int i = 0; i <= DB_QUEUE_MAX; i++)
        db_queue(*state, &COUNT_ALL, NULL);
    assert_int_equal(db_flush(*state, NULL, DB_QUEUE_MAX + 1, NULL), ERR_INTERNAL);
    for (int i = 0; i < DB_QUEUE_MAX; i++)
        db_queue(*state, &COUNT_ALL, NULL);
    assert_ok(db_flush(*state, NULL, DB_QUEUE_MAX, NULL));
}

/* --- faults on the way ------------------------------------------------------------------------------------------------ */

struct faulty {
    struct proxy *proxy;
    struct db_config config;
    struct db *db;
};

static void faulty_open(struct faulty *x)
{
    x->proxy = proxy_new();
    x->config = config;
    x->config.url = proxy_url(x->proxy);
    x->db = db_new_with(&x->config, stmts, COUNT(stmts));
    assert_ok(db_check(x->db, NULL));
}

static void faulty_close(struct faulty *x)
{
    db_free(x->db);
    proxy_free(x->proxy);
}

static void a_commit_whose_answer_is_lost_is_unknown(void **state)
{
    struct faulty x;
    struct fault f = { 0 };

    (void)state;
    faulty_open(&x);
    proxy_set(x.proxy, PROXY_SWALLOW);
    assert_int_equal(write_items(x.db, (const int64_t[]){ 1 }, 1, SLICE("x"), true, &f), ERR_OUTCOME_UNKNOWN);
    assert_false(db_connected(x.db));
    side_until("select count(*) = 1 from items"); /* it was committed indeed */
    proxy_set(x.proxy, PROXY_PASS);
    assert_ok(write_items(x.db, (const int64_t[]){ 2 }, 1, SLICE("x"), true, &f));
    faulty_close(&x);
}

static void a_commit_that_never_arrived_is_unknown_too(void **state)
{
    struct faulty x;

    (void)state;
    faulty_open(&x);
    x.config.statement_timeout_us = 300000;
    proxy_set(x.proxy, PROXY_DEAF);
    assert_int_equal(write_items(x.db, (const int64_t[]){ 1 }, 1, SLICE("x"), true, NULL), ERR_OUTCOME_UNKNOWN);
    faulty_close(&x);
    check_stored(0, 0);
}

static void a_commit_that_was_not_sent_yet_is_certainly_not_done(void **state)
{
    struct slice big = { calloc(1, BIG), BIG };
    struct faulty x;

    (void)state;
    faulty_open(&x);
    x.config.statement_timeout_us = 300000;
    proxy_set(x.proxy, PROXY_DEAF);
    assert_int_equal(write_items(x.db, (const int64_t[]){ 1, 2 }, 2, big, true, NULL), ERR_DATABASE_UNAVAILABLE);
    assert_false(db_connected(x.db));
    faulty_close(&x);
    check_stored(0, 0);
    free((char *)big.p);
}

static void a_flush_without_commit_is_never_unknown(void **state)
{
    struct faulty x;

    (void)state;
    faulty_open(&x);
    proxy_set(x.proxy, PROXY_SWALLOW);
    assert_int_equal(write_items(x.db, (const int64_t[]){ 1 }, 1, SLICE("x"), false, NULL), ERR_DATABASE_UNAVAILABLE);
    faulty_close(&x);
    side_until("select count(*) = 0 from pg_locks where relation = 'items'::regclass");
    check_stored(0, 0);
}

int main(void)
{
#define TEST(x) cmocka_unit_test_setup(x, clean)
    const struct CMUnitTest tests[] = {
        TEST(a_transaction_is_one_round_trip_with_a_result_for_each_statement),
        TEST(an_error_in_the_middle_writes_nothing_and_keeps_the_connection),
        TEST(results_after_the_error_are_empty),
        TEST(a_transaction_may_span_two_flushes),
        TEST(an_error_in_the_second_flush_rolls_the_first_back),
        TEST(a_connection_killed_between_two_flushes_fails_the_second),
        TEST(a_constraint_that_fails_at_the_commit_fails_the_flush),
        TEST(large_parameters_and_results_do_not_deadlock),
        TEST(transactions_of_every_size_are_sent_whole),
        TEST(parameters_that_lack_memory_fail_before_anything_is_sent),
        TEST(more_than_the_queue_holds_is_refused),
        TEST(a_commit_whose_answer_is_lost_is_unknown),
        TEST(a_commit_that_never_arrived_is_unknown_too),
        TEST(a_commit_that_was_not_sent_yet_is_certainly_not_done),
        TEST(a_flush_without_commit_is_never_unknown),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
