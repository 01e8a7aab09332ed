#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "tests/db/support.h"

static const struct stmt ADD = { "add", "insert into weir_test_exec.items (id, note) values ($1, $2)", "int8 text", "" };
static const struct stmt GET = { "get", "select note from weir_test_exec.items where id = $1", "int8", "text" };
static const struct stmt TOUCH = { "touch", "update weir_test_exec.items set note = 'x' where id >= $1", "int8", "" };
static const struct stmt FAIL = { "fail", "select weir_test_exec.fail($1)", "text", "void" };
static const struct stmt SLEEP = { "sleep", "select pg_sleep($1)", "float8", "void" };
static const struct stmt SLOW_ADD = {
    "slow_add", "insert into weir_test_exec.items (id, note) select $1, 'x' from pg_sleep(5)", "int8", ""
};
static const struct stmt SESSION = {
    "session", "select current_setting($1) = $2", "text text", "bool"
};
static const struct stmt *const stmts[] = { &DB_BEGIN, &DB_COMMIT, &ADD,      &GET,    &TOUCH,
                                            &FAIL,     &SLEEP,     &SLOW_ADD, &SESSION };
#define COUNT(x) (sizeof(x) / sizeof *(x))

static struct db_config config;

static int open_all(void **state)
{
    config = test_config();
    side_open("weir_test_exec");
    side_do("create table items (id bigint primary key, note text not null, later int unique deferrable initially deferred);"
            "create function fail(code text) returns void language plpgsql as"
            " $$ begin raise exception 'told to fail' using errcode = code; end $$");
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
    config = test_config();
    side_do("truncate items");
    return 0;
}

static struct arg float8(double v)
{
    uint64_t bits;
    struct arg a;

    memcpy(&bits, &v, sizeof bits);
    a = arg_int8((int64_t)bits);
    return a;
}

static enum err add(struct db *db, int64_t id, struct fault *f)
{
    const struct arg args[] = { arg_int8(id), arg_text(SLICE("hello")) };

    return db_exec(db, &ADD, args, NULL, f);
}

static void a_statement_writes_and_another_reads_it(void **state)
{
    const struct arg args[] = { arg_int8(7) };
    struct rows r;

    assert_ok(add(*state, 7, NULL));
    assert_ok(db_exec(*state, &GET, args, &r, NULL));
    assert_int_equal(r.n, 1);
    assert_true(slice_is(row_text(&r, 0, 0), "hello"));
    rows_free(&r);
    assert_null(r.res);
}

static void affected_rows_are_counted(void **state)
{
    const struct arg args[] = { arg_int8(2) };
    struct rows r;

    for (int i = 1; i <= 4; i++)
        assert_ok(add(*state, i, NULL));
    assert_ok(db_exec(*state, &TOUCH, args, &r, NULL));
    assert_int_equal(r.affected, 3);
    assert_int_equal(r.n, 0);
    rows_free(&r);
}

static void a_unique_violation_names_the_constraint_and_keeps_the_connection(void **state)
{
    struct fault f = { 0 };
    int pid;

    assert_ok(add(*state, 1, &f));
    pid = db_backend_pid(*state);
    assert_int_equal(add(*state, 1, &f), ERR_DB_UNIQUE);
    assert_string_equal(f.detail, "items_pkey");
    assert_ok(add(*state, 2, &f));
    assert_int_equal(db_backend_pid(*state), pid);
}

static void every_sqlstate_has_its_outcome(void **state)
{
    static const struct {
        const char *code;
        enum err e;
        bool connected;
    } cases[] = {
        { "23505", ERR_DB_UNIQUE, true },
        { "40001", ERR_DB_RETRY, true },
        { "40P01", ERR_DB_RETRY, true },
        { "55P03", ERR_DB_RETRY, true },
        { "53100", ERR_DATABASE_FULL, true },
        { "53200", ERR_DATABASE_UNAVAILABLE, false },
        { "57P01", ERR_DATABASE_UNAVAILABLE, false },
        { "57P03", ERR_DATABASE_UNAVAILABLE, false },
        { "57014", ERR_DATABASE_UNAVAILABLE, false },
        { "25006", ERR_DATABASE_UNAVAILABLE, false },
        { "08006", ERR_DATABASE_UNAVAILABLE, false },
        { "26000", ERR_INTERNAL, false },
        { "22012", ERR_DB_RETRY, true },
        { "22003", ERR_INTERNAL, true },
        { "23503", ERR_DB_RETRY, true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct arg args[] = { arg_text(slice_of(cases[i].code)) };
        struct fault f = { 0 };

        assert_int_equal(db_exec(*state, &FAIL, args, NULL, &f), cases[i].e);
        assert_int_equal(db_connected(*state), cases[i].connected);
        assert_null(strstr(f.detail, "told"));
    }
}

static void a_statement_that_takes_too_long_is_given_up_by_the_server_first(void **state)
{
    const struct arg args[] = { float8(60) };
    int64_t began = clock_mono_us();

    config.statement_timeout_us = 300000;
    db_disconnect(*state);
    assert_int_equal(db_exec(*state, &SLEEP, args, NULL, NULL), ERR_DATABASE_UNAVAILABLE);
    assert_in_range(clock_mono_us() - began, 200000, 30 * US_PER_S);
    assert_false(db_connected(*state));
    db_disconnect(*state);
    config = test_config();
    assert_ok(add(*state, 1, NULL));
}

static void an_idle_connection_that_was_killed_is_replaced_unnoticed(void **state)
{
    int pid;

    assert_ok(add(*state, 1, NULL));
    pid = db_backend_pid(*state);
    side_do("select pg_terminate_backend(%d, 5000)", pid);
    assert_ok(add(*state, 2, NULL));
    assert_int_not_equal(db_backend_pid(*state), pid);
    assert_int_equal(side_int("select count(*) from items"), 2);
}

static void *kill_when_it_sleeps(void *arg)
{
    int pid = *(int *)arg;

    side_until("select wait_event = 'PgSleep' from pg_stat_activity where pid = %d", pid);
    side_do("select pg_terminate_backend(%d, 5000)", pid);
    return NULL;
}

static void a_statement_whose_backend_is_killed_has_certainly_not_been_done(void **state)
{
    const struct arg args[] = { arg_int8(9) };
    pthread_t thread;
    int pid;

    assert_ok(add(*state, 1, NULL));
    pid = db_backend_pid(*state);
    assert_int_equal(pthread_create(&thread, NULL, kill_when_it_sleeps, &pid), 0);
    assert_int_equal(db_exec(*state, &SLOW_ADD, args, NULL, NULL), ERR_DATABASE_UNAVAILABLE);
    pthread_join(thread, NULL);
    assert_false(db_connected(*state));
    assert_int_equal(side_int("select count(*) from items"), 1);
    assert_ok(add(*state, 2, NULL));
}

static void the_session_is_as_weir_needs_it(void **state)
{
    static const char *const settings[][2] = {
        { "statement_timeout", "9001ms" },   { "idle_in_transaction_session_timeout", "10001ms" },
        { "synchronous_commit", "on" },      { "TimeZone", "UTC" },
        { "search_path", "pg_catalog, pg_temp" }, { "application_name", "weir test" },
        { "default_transaction_isolation", "read committed" },
    };

    db_disconnect(*state);
    for (size_t i = 0; i < COUNT(settings); i++) {
        const struct arg args[] = { arg_text(slice_of(settings[i][0])), arg_text(slice_of(settings[i][1])) };
        struct rows r;

        assert_ok(db_exec(*state, &SESSION, args, &r, NULL));
        if (!row_bool(&r, 0, 0))
            fail_msg("%s is not %s", settings[i][0], settings[i][1]);
        rows_free(&r);
    }
}

static void drift_is_found_by_the_check_at_start(void **state)
{
    static const struct stmt wrong[] = {
        { "wrong_args", "insert into weir_test_exec.items (id, note) values ($1, $2)", "int4 text", "" },
        { "wrong_count", "select note from weir_test_exec.items where id = $1", "int8 int8", "text" },
        { "wrong_rows", "select id from weir_test_exec.items", "", "int4" },
        { "no_table", "select id from weir_test_exec.nothing", "", "int8" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const struct stmt *const list[] = { &GET, &wrong[i] };
        struct db *db = db_new_with(&config, list, 2);
        struct fault f = { 0 };

        assert_int_equal(db_check(db, &f), ERR_INTERNAL);
        assert_non_null(strstr(f.detail, wrong[i].name));
        assert_false(db_connected(db));
        db_free(db);
    }
}

static void a_statement_is_prepared_on_a_connection_when_it_is_first_used_there(void **state)
{
    static const struct stmt PREPARED = {
        "prepared", "select count(*) from pg_prepared_statements where name <> $1", "text", "int8"
    };
    static const struct stmt *const list[] = { &ADD, &GET, &TOUCH, &PREPARED };
    const struct arg mine[] = { arg_text(SLICE("prepared")) }, one[] = { arg_int8(1) };
    struct db *db = db_new_with(&config, list, COUNT(list));

    (void)state;
    for (int64_t round = 0; round < 2; round++) { /* on a new connection all begins anew */
        for (int64_t used = 0; used < 3; used++) {
            struct rows r[3];

            db_queue(db, &PREPARED, mine);
            for (int64_t twice = 0; used && twice < 2; twice++)
                db_queue(db, used == 1 ? &GET : &TOUCH, one);
            assert_ok(db_flush(db, r, used ? 3 : 1, NULL));
            assert_int_equal(row_int8(&r[0], 0, 0), used);
            for (int i = 0; i < (used ? 3 : 1); i++)
                rows_free(&r[i]);
        }
        if (round) { /* what has been checked is all there */
            struct rows r;

            assert_ok(db_check(db, NULL));
            assert_ok(db_exec(db, &PREPARED, mine, &r, NULL));
            assert_int_equal(row_int8(&r, 0, 0), 3);
            rows_free(&r);
        }
        db_disconnect(db);
    }
    db_free(db);
}

static void what_drifts_later_is_found_before_anything_is_carried_out(void **state)
{
    static const struct stmt LATER = { "later", "select later from weir_test_exec.items where id = $1", "int8", "int4" };
    static const struct stmt *const list[] = { &DB_BEGIN, &DB_COMMIT, &ADD, &LATER };
    const struct arg one[] = { arg_int8(1), arg_text(SLICE("x")) };
    struct db *db = db_new_with(&config, list, COUNT(list));
    struct fault f = { 0 };

    (void)state;
    assert_ok(db_check(db, &f));
    assert_ok(db_exec(db, &LATER, one, NULL, &f));
    db_disconnect(db);
    side_do("alter table items alter later type bigint");
    db_queue(db, &DB_BEGIN, NULL);
    assert_ok(db_flush(db, NULL, 1, &f)); /* what is open is given up with it */
    db_queue(db, &ADD, one);
    db_queue(db, &LATER, one);
    db_queue(db, &DB_COMMIT, NULL);
    assert_int_equal(db_flush(db, NULL, 3, &f), ERR_INTERNAL);
    assert_string_equal(f.detail, "The statement later declares the columns \"int4\", but PostgreSQL says \"int8\".");
    assert_int_equal(side_int("select count(*) from items"), 0);
    assert_ok(db_exec(db, &ADD, one, NULL, &f)); /* others go on */
    side_do("alter table items alter later type int");
    assert_ok(db_exec(db, &LATER, one, NULL, &f));
    db_free(db);
}

static void a_statement_that_is_in_no_list_is_refused(void **state)
{
    static const struct stmt *const list[] = { &GET };
    const struct arg one[] = { arg_int8(1), arg_text(SLICE("x")) };
    struct db *db = db_new_with(&config, list, COUNT(list));
    struct fault f = { 0 };

    (void)state;
    assert_int_equal(db_exec(db, &ADD, one, NULL, &f), ERR_INTERNAL);
    assert_string_equal(f.detail, "The statement add is not in the list of those that are checked.");
    assert_ok(db_exec(db, &GET, one, NULL, &f));
    assert_int_equal(side_int("select count(*) from items"), 0);
    db_free(db);
}

static void a_server_that_is_not_there_is_a_sentence_without_the_address(void **state)
{
    static const char *const urls[] = { "host=127.0.0.1 port=1 dbname=x", "postgres://u:p@ss:w/rd@host/x", "host=/nowhere" };

    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct db_config nowhere = config;
        struct db *db = db_new_with(&nowhere, stmts, COUNT(stmts));
        struct fault f = { 0 };

        nowhere.url = urls[i];
        assert_int_equal(add(db, 1, &f), ERR_DATABASE_UNAVAILABLE);
        assert_string_equal(f.detail, "PostgreSQL could not be reached.");
        db_free(db);
    }
}

static void a_server_that_does_not_answer_is_given_up_in_time(void **state)
{
    struct proxy *p = proxy_new();
    struct db_config slow = config;
    struct db *db = db_new_with(&slow, stmts, COUNT(stmts));
    int64_t began = clock_mono_us();

    (void)state;
    slow.url = proxy_url(p);
    slow.connect_timeout_us = 300000;
    proxy_set(p, PROXY_MUTE);
    assert_int_equal(db_connect(db, NULL), ERR_DATABASE_UNAVAILABLE);
    assert_in_range(clock_mono_us() - began, 250000, 30 * US_PER_S);
    proxy_set(p, PROXY_PASS);
    slow.connect_timeout_us = 5 * US_PER_S;
    assert_ok(db_connect(db, NULL));
    db_free(db);
    proxy_free(p);
}

static void an_answer_that_never_comes_leaves_a_write_unknown_and_a_read_undone(void **state)
{
    struct proxy *p = proxy_new();
    struct db_config slow = config;
    struct db *db = db_new_with(&slow, stmts, COUNT(stmts));
    const struct arg args[] = { arg_int8(1) };

    (void)state;
    slow.url = proxy_url(p);
    slow.statement_timeout_us = 300000;
    assert_ok(db_check(db, NULL));
    proxy_set(p, PROXY_MUTE);
    assert_int_equal(add(db, 1, NULL), ERR_OUTCOME_UNKNOWN);
    assert_false(db_connected(db));
    proxy_set(p, PROXY_PASS);
    assert_ok(db_check(db, NULL));
    proxy_set(p, PROXY_MUTE);
    assert_int_equal(db_exec(db, &GET, args, NULL, NULL), ERR_DATABASE_UNAVAILABLE);
    side_until("select count(*) = 1 from items");
    db_free(db);
    proxy_free(p);
}

int main(void)
{
#define TEST(x) cmocka_unit_test_setup(x, clean)
    const struct CMUnitTest tests[] = {
        TEST(a_statement_writes_and_another_reads_it),
        TEST(affected_rows_are_counted),
        TEST(a_unique_violation_names_the_constraint_and_keeps_the_connection),
        TEST(every_sqlstate_has_its_outcome),
        TEST(a_statement_that_takes_too_long_is_given_up_by_the_server_first),
        TEST(an_idle_connection_that_was_killed_is_replaced_unnoticed),
        TEST(a_statement_whose_backend_is_killed_has_certainly_not_been_done),
        TEST(the_session_is_as_weir_needs_it),
        TEST(drift_is_found_by_the_check_at_start),
        TEST(a_statement_is_prepared_on_a_connection_when_it_is_first_used_there),
        TEST(what_drifts_later_is_found_before_anything_is_carried_out),
        TEST(a_statement_that_is_in_no_list_is_refused),
        TEST(a_server_that_is_not_there_is_a_sentence_without_the_address),
        TEST(a_server_that_does_not_answer_is_given_up_in_time),
        TEST(an_answer_that_never_comes_leaves_a_write_unknown_and_a_read_undone),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
