#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/migrations.h"
#include "gateway/base/clock.h"
#include "tests/db/support.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))
#define DATABASE "weir_test_migrate"

static const struct migration two[] = {
    { 1, "first", "create table weir.one (id int); insert into weir.one values (1);" },
    { 2, "second", "create table weir.two (id int);\ncreate index on weir.two (id);" },
};
static const struct migration_list both = { two, 2, 10 * US_PER_S }, older = { two, 1, 10 * US_PER_S };

static struct db_config config;
static char *url;
static PGconn *look;
static int said;

static void count_line(const char *line)
{
    assert_non_null(strstr(line, "applied migration 000"));
    __atomic_add_fetch(&said, 1, __ATOMIC_RELAXED);
}

static int64_t value(const char *sql)
{
    PGresult *res = PQexec(look, sql);
    int64_t v = PQntuples(res) ? strtoll(PQgetvalue(res, 0, 0), NULL, 10) : -1;

    PQclear(res);
    return v;
}

/* A database of its own for each test, because the schema's name is fixed. */
static int open_one(void **state)
{
    (void)state;
    config = test_config();
    side_open("weir_test_migrate_side");
    side_do("drop database if exists " DATABASE " with (force)");
    side_do("create database " DATABASE);
    url = test_url(NULL, NULL, DATABASE);
    config.url = url;
    look = PQconnectdb(url);
    said = 0;
    return PQstatus(look) == CONNECTION_OK ? 0 : -1;
}

static int close_one(void **state)
{
    (void)state;
    PQfinish(look);
    side_do("drop database " DATABASE " with (force)");
    side_close();
    free(url);
    return 0;
}

static void migrations_are_applied_once_and_in_order(void **state)
{
    int have = -1, want = -1;

    (void)state;
    assert_ok(migrate_check_with(&config, &both, &have, &want, NULL));
    assert_int_equal(have, 0);
    assert_int_equal(want, 2);
    assert_ok(migrate_up_with(&config, &older, count_line, NULL));
    assert_int_equal(said, 1);
    assert_ok(migrate_up_with(&config, &both, count_line, NULL));
    assert_ok(migrate_up_with(&config, &both, count_line, NULL));
    assert_int_equal(said, 2);
    assert_int_equal(value("select count(*) from weir.one"), 1);
    assert_ok(migrate_check_with(&config, &both, &have, &want, NULL));
    assert_int_equal(have, 2);
    assert_int_equal(value("select count(*) from weir.migrations m where checksum = sha256('create table weir.one (id int); "
                           "insert into weir.one values (1);') and name = 'first' and applied_at <= now()"), 1);
}

static void a_migration_that_fails_leaves_nothing_of_itself(void **state)
{
    static const struct migration bad[] = {
        { 1, "first", "create table weir.one (id int)" },
        { 2, "second", "create table weir.two (id int); select 1 / 0" },
    };
    const struct migration_list list = { bad, 2, 10 * US_PER_S };
    struct fault f = { 0 };

    (void)state;
    assert_int_equal(migrate_up_with(&config, &list, NULL, &f), ERR_INTERNAL);
    assert_string_equal(f.detail, "Failed at migration 0002_second: division by zero.");
    assert_int_equal(value("select max(number) from weir.migrations"), 1);
    assert_int_equal(value("select count(*) from pg_tables where schemaname = 'weir' and tablename = 'two'"), 0);
}

static void a_migration_may_not_end_its_transaction(void **state)
{
    static const struct migration bad[] = { { 1, "first", "create table weir.one (id int); commit" } };
    const struct migration_list list = { bad, 1, 10 * US_PER_S };
    struct fault f = { 0 };

    (void)state;
    assert_int_equal(migrate_up_with(&config, &list, NULL, &f), ERR_INTERNAL);
    assert_string_equal(f.detail, "The migration 0001_first ended its transaction by itself.");
}

static void a_newer_database_is_refused(void **state)
{
    struct fault f = { 0 };

    (void)state;
    assert_ok(migrate_up_with(&config, &both, NULL, NULL));
    assert_int_equal(migrate_up_with(&config, &older, NULL, &f), ERR_INTERNAL);
    assert_string_equal(f.detail, "The database is at migration 2, but this program knows only 1: start a newer one.");
}

static void text_that_changed_after_it_was_applied_is_refused(void **state)
{
    static const struct migration changed[] = {
        { 1, "first", "create table weir.one (id bigint)" },
        { 2, "second", "create table weir.two (id int)" },
    };
    const struct migration_list list = { changed, 2, 10 * US_PER_S };
    struct fault f = { 0 };

    (void)state;
    assert_ok(migrate_up_with(&config, &older, NULL, NULL));
    assert_int_equal(migrate_up_with(&config, &list, NULL, &f), ERR_INTERNAL);
    assert_string_equal(f.detail, "Migration 0001_first is not the one that was applied to this database.");
    assert_int_equal(value("select count(*) from pg_tables where schemaname = 'weir' and tablename = 'two'"), 0);
}

static void a_gap_in_what_was_applied_is_refused(void **state)
{
    struct fault f = { 0 };

    (void)state;
    assert_ok(migrate_up_with(&config, &both, NULL, NULL));
    value("delete from weir.migrations where number = 1");
    assert_int_equal(migrate_up_with(&config, &both, NULL, &f), ERR_INTERNAL);
    assert_string_equal(f.detail, "Migration 0001_first is missing in the database although a later one was applied.");
}

struct starter {
    pthread_t thread;
    enum err e;
};

static void *start(void *arg)
{
    struct starter *s = arg;

    s->e = migrate_up_with(&config, &both, count_line, NULL);
    return NULL;
}

static void gateways_that_start_at_once_all_succeed(void **state)
{
    struct starter s[4];

    (void)state;
    for (size_t i = 0; i < COUNT(s); i++)
        assert_int_equal(pthread_create(&s[i].thread, NULL, start, &s[i]), 0);
    for (size_t i = 0; i < COUNT(s); i++) {
        pthread_join(s[i].thread, NULL);
        assert_ok(s[i].e);
    }
    assert_int_equal(said, 2);
    assert_int_equal(value("select count(*) from weir.one"), 1);
}

static void waiting_for_another_gateway_has_an_end(void **state)
{
    const struct migration_list hasty = { two, 2, 200000 };
    struct fault f = { 0 };
    int64_t began = clock_mono_us();

    (void)state;
    assert_int_equal(value("select count(*) from pg_advisory_lock(x'77656972'::bigint)"), 1);
    assert_int_equal(migrate_up_with(&config, &hasty, NULL, &f), ERR_DATABASE_UNAVAILABLE);
    assert_non_null(strstr(f.detail, "Another gateway"));
    assert_in_range(clock_mono_us() - began, 150000, 30 * US_PER_S);
    value("select pg_advisory_unlock_all()");
    assert_ok(migrate_up_with(&config, &both, NULL, NULL));
}

static void the_programs_own_migrations_apply(void **state)
{
    int have = 0, want = 0;

    (void)state;
    assert_ok(migrate_up(&config, NULL, NULL));
    assert_ok(migrate_check(&config, &have, &want, NULL));
    assert_int_equal(have, want);
    assert_int_equal(want, migration_count);
}

int main(void)
{
#define TEST(x) cmocka_unit_test_setup_teardown(x, open_one, close_one)
    const struct CMUnitTest tests[] = {
        TEST(migrations_are_applied_once_and_in_order),
        TEST(a_migration_that_fails_leaves_nothing_of_itself),
        TEST(a_migration_may_not_end_its_transaction),
        TEST(a_newer_database_is_refused),
        TEST(text_that_changed_after_it_was_applied_is_refused),
        TEST(a_gap_in_what_was_applied_is_refused),
        TEST(gateways_that_start_at_once_all_succeed),
        TEST(waiting_for_another_gateway_has_an_end),
        TEST(the_programs_own_migrations_apply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
