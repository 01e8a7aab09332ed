#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/thread.h"
#include "gateway/engine/audit.h"
#include "tests/db/log_support.h"

static struct gateway gw;
static struct outbox *outbox;
static struct audit *audit;

static void relay_start(void)
{
    outbox = outbox_start(&gw.config, &gw.db_config, gw.commit, gw.streams);
    audit = audit_new(&gw.config, outbox);
    assert_true(outbox && audit);
}

static void relay_stop(void)
{
    audit_free(audit);
    outbox_stop(outbox);
}

static int start(void **state)
{
    (void)state;
    log_open("weir_audit");
    gateway_start(&gw);
    relay_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    relay_stop();
    gateway_stop(&gw);
    log_close();
    return 0;
}

static struct audit_record record(const char *type, const char *resource)
{
    return (struct audit_record){ .type = type, .operation = "testIt", .resource = slice_of(resource), .subject = SLICE("alice") };
}

static enum err tell_by(struct audit *by, struct db *db, enum err e, const char *type, const char *resource)
{
    const struct audit_record r = record(type, resource);

    assert_ok(audit_begin(db, NULL));
    return audit_end(by, db, e, &r, NULL);
}

static enum err tell(struct db *db, enum err e, const char *type, const char *resource)
{
    return tell_by(audit, db, e, type, resource);
}

static void assert_told(const char *resource, int64_t times)
{
    side_until("select count(*) = 0 from weir.outbox");
    assert_int_equal(side_int("select count(*) from weir.log where stream = '_audit' and subject = '%s'", resource), times);
}

static void what_was_done_is_told_and_what_was_not_is_not(void **state)
{
    (void)state;
    assert_ok(tell(gw.db, OK, "ThingDone", "/v1/things/a"));
    assert_int_equal(tell(gw.db, ERR_CONFLICT, "ThingDone", "/v1/things/b"), ERR_CONFLICT);
    assert_ok(tell(gw.db, OK, NULL, "/v1/things/c"));
    side_until("select exists (select from weir.log where stream = '_audit' and subject = '/v1/things/a')");
    assert_told("/v1/things/a", 1);
    assert_told("/v1/things/b", 0);
    assert_told("/v1/things/c", 0);
    assert_int_equal(side_int("select count(*) from weir.log where source = '/v1/things' and type = 'ThingDone' and "
                              "data->'actor'->>'sub' = 'alice' and data->'actor'->'iss' is null and data->'changes' is null"), 1);
}

static void the_change_and_its_record_are_one(void **state)
{
    struct arena *a = arena_new(1 << 16);
    struct stream_row row, before;
    bool created;

    (void)state;
    streams_defaults(&row);
    row.name = SLICE("undone");
    assert_ok(audit_begin(gw.db, NULL));
    assert_ok(streams_put(gw.streams, gw.db, a, &row, false, &before, &created, NULL));
    assert_true(created);
    assert_int_equal(side_int("select count(*) from weir.streams where name = 'undone'"), 0);
    const struct audit_record r = record("StreamCreated", "/v1/streams/undone");
    assert_int_equal(audit_end(audit, gw.db, ERR_INTERNAL, &r, NULL), ERR_INTERNAL);
    assert_int_equal(streams_get(gw.db, a, row.name, &before, NULL), ERR_UNKNOWN_STREAM);
    assert_told("/v1/streams/undone", 0);
    arena_free(a);
}

static void a_transaction_that_was_left_open_is_not_gone_on_with(void **state)
{
    (void)state;
    assert_ok(audit_begin(gw.db, NULL));
    assert_ok(db_exec(gw.db, &NOTIFY, (struct arg[]){ arg_text(SLICE("x")) }, NULL, NULL));
    assert_ok(tell(gw.db, OK, "ThingDone", "/v1/things/after"));
    assert_told("/v1/things/after", 1);
    assert_int_equal(PQtransactionStatus(db_conn(gw.db)), PQTRANS_IDLE);
}

static void a_connection_lost_before_the_commit_has_done_nothing(void **state)
{
    const struct audit_record r = record("ThingDone", "/v1/things/lost");

    (void)state;
    assert_ok(audit_begin(gw.db, NULL));
    side_do("select pg_terminate_backend(%d)", db_backend_pid(gw.db));
    side_until("select not exists (select from pg_stat_activity where pid = %d)", db_backend_pid(gw.db));
    assert_int_equal(audit_end(audit, gw.db, OK, &r, NULL), ERR_DATABASE_UNAVAILABLE);
    assert_ok(tell(gw.db, OK, "ThingDone", "/v1/things/next"));
    assert_told("/v1/things/next", 1);
    assert_told("/v1/things/lost", 0);
}

/* As if the gateway had died after it published and before it removed: the row is there again. */
static void a_record_that_is_passed_on_twice_is_one_event(void **state)
{
    (void)state;
    side_do("create table weir_test.kept as select * from weir.outbox with no data");
    side_do("create function keep() returns trigger language plpgsql as "
            "$$ begin insert into weir_test.kept select old.*; return old; end $$");
    side_do("create trigger keep before delete on weir.outbox for each row execute function keep()");
    for (int i = 0; i < 3; i++)
        assert_ok(tell(gw.db, OK, "ThingDone", "/v1/things/twice"));
    assert_told("/v1/things/twice", 3);
    relay_stop();
    side_do("drop trigger keep on weir.outbox");
    side_do("insert into weir.outbox select * from kept");
    relay_start();
    assert_ok(tell(gw.db, OK, "ThingDone", "/v1/things/nudge"));
    assert_told("/v1/things/nudge", 1);
    assert_told("/v1/things/twice", 3);
}

#define THREADS 4
#define EACH 60

static struct audit *second;

static void *teller(void *arg)
{
    struct db *db = db_new(&gw.db_config);
    char resource[40];

    for (int i = 0; i < EACH; i++) {
        snprintf(resource, sizeof resource, "/v1/many/%d", (int)(intptr_t)arg);
        assert_ok(tell_by(i % 3 ? audit : second, db, OK, i % 2 ? "Odd" : "Even", resource));
    }
    db_free(db);
    return NULL;
}

static void several_relays_at_once_tell_all_of_it_once_in_order(void **state)
{
    pthread_t threads[THREADS];
    struct gateway other;
    struct outbox *theirs;

    (void)state;
    gateway_start(&other);
    theirs = outbox_start(&other.config, &other.db_config, other.commit, other.streams);
    second = audit_new(&other.config, theirs);
    for (intptr_t i = 0; i < THREADS; i++)
        assert_true(thread_start(&threads[i], "teller", teller, (void *)i));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        char resource[40];

        snprintf(resource, sizeof resource, "/v1/many/%d", i);
        assert_told(resource, EACH);
    }
    assert_int_equal(side_int("select count(*) from weir.log where stream = '_audit' and subject like '/v1/many/%%' "
                              "and (version %% 2 = 1) <> (type = 'Even')"), 0);
    audit_free(second);
    outbox_stop(theirs);
    gateway_stop(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_done_is_told_and_what_was_not_is_not),
        cmocka_unit_test(the_change_and_its_record_are_one),
        cmocka_unit_test(a_transaction_that_was_left_open_is_not_gone_on_with),
        cmocka_unit_test(a_connection_lost_before_the_commit_has_done_nothing),
        cmocka_unit_test(a_record_that_is_passed_on_twice_is_one_event),
        cmocka_unit_test(several_relays_at_once_tell_all_of_it_once_in_order),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
