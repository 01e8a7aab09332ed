#include <pthread.h>
#include <stdio.h>

#include "gateway/engine/contracts.h"
#include "tests/db/registry_support.h"

/* Contracts and versions that meet: whoever comes second finds what the first has done. What an answer shows is tested in
 * tests/api/test_contracts.py. */
static int open_all(void **state)
{
    (void)state;
    return registry_open("weir_test_contracts");
}

static bool everybody(void *arg, const struct schema_subject *s)
{
    (void)arg;
    return s->name.n > 0;
}

/* In a transaction that stays open. */
static enum err register_on(struct db *on, struct arena *a, const char *text, struct fault *f)
{
    const struct schema_body body = { .text = slice_of(text), .type = SCHEMA_AVRO };
    struct comparison with = { .time_us = config.registry_check_us };
    struct schema_candidate c;
    bool made;
    enum err e = schema_prepare(&config, on, a, &orders, &body, false, &c, f);

    if (!e)
        e = db_exec(on, &DB_BEGIN, NULL, NULL, f);
    return e ? e : schemas_register(&config, on, a, &c, &body, &with, false, &made, f);
}

/* An enforced contract that reads `orders` as this type, and one subject more. */
static enum err promise_on(struct db *on, struct arena *a, const char *consumer, const char *text, const char *other,
                           struct fault *f)
{
    struct contract_wanted wanted[] = {
        { { SLICE("."), slice_of(other) }, { .text = SLICE("\"string\""), .type = SCHEMA_AVRO } },
        { orders, { .text = slice_of(text), .type = SCHEMA_AVRO } },
    };
    const struct contract_body body = { true, wanted, 2 };
    const struct contract_rights rights = { everybody, NULL };
    struct comparison with = { .time_us = config.registry_check_us };
    struct contract k;
    bool created;
    enum err e = contract_prepare(&config, on, a, slice_of(consumer), &body, &k, f);

    if (!e)
        e = db_exec(on, &DB_BEGIN, NULL, NULL, f);
    return e ? e : contracts_put(&config, on, a, &k, &with, rights, &created, f);
}

/* What the other one does meanwhile, on a connection of its own. */
struct other {
    bool registers;
    enum err err;
    struct fault fault;
};

static void *act(void *arg)
{
    struct other *o = arg;
    struct db *own = db_new(&database);
    struct arena *a = arena_new(1 << 24);

    o->err = registry_end(own, o->registers ? register_on(own, a, "\"string\"", &o->fault)
                                   : promise_on(own, a, "billing", "\"long\"", "others", &o->fault));
    arena_free(a);
    db_free(own);
    return NULL;
}

/* One of the two has begun; the other one waits for it and is refused. */
static void meet(bool contract_first)
{
    struct other o = { .registers = contract_first };
    struct fault f = { 0 };
    pthread_t thread;

    assert_ok(contract_first ? promise_on(db, arena, "billing", "\"long\"", "others", &f)
                             : register_on(db, arena, "\"string\"", &f));
    assert_int_equal(pthread_create(&thread, NULL, act, &o), 0);
    side_until("select count(*) = 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'");
    assert_ok(registry_end(db, OK));
    pthread_join(thread, NULL);
    assert_int_equal(o.err, ERR_REGISTRY);
    assert_int_equal(o.fault.registry, SCHEMA_BREAKS_CONTRACT);
    assert_int_equal(side_int("select count(*) from weir.contracts"), contract_first);
    assert_int_equal(side_int("select count(*) from weir.schema_versions where schema_id > 1"), !contract_first);
}

static void have_an_int(void)
{
    struct fault f = { 0 };

    side_do("insert into weir.schema_subjects (context, subject, compatibility) values ('.', 'orders', 0)");
    assert_ok(registry_end(db, register_on(db, arena, "\"int\"", &f)));
}

static void a_version_that_waited_for_a_contract_is_refused(void **state)
{
    (void)state;
    have_an_int();
    meet(true);
}

static void a_contract_that_waited_for_a_version_is_refused(void **state)
{
    (void)state;
    have_an_int();
    meet(false);
}

/* The row of the subject, which was made for the lock, goes under the wait of the one who registers. */
static void so_it_is_with_a_subject_that_nobody_has_registered(void **state)
{
    (void)state;
    side_do("insert into weir.schemas select '.', 1, 0, '\\x00', '', '[]'"); /* so that ids are as above */
    side_do("update weir.registry set next_id = 2");
    meet(true);
    assert_int_equal(side_int("select count(*) from weir.schema_subjects"), 0);
}

static void a_contract_that_is_rolled_back_leaves_nothing(void **state)
{
    struct fault f = { 0 };

    (void)state;
    assert_ok(promise_on(db, arena, "billing", "\"long\"", "others", &f));
    db_rollback(db);
    assert_int_equal(side_int("select count(*) from weir.schema_subjects") + side_int("select count(*) from weir.outbox") +
                         side_int("select count(*) from weir.contract_reads"), 0);
}

#define THREADS 4
#define ROUNDS 10

static void *promise_often(void *arg)
{
    static const char *const others[THREADS] = { "a", "z", "orders.a", "Z" };
    struct db *own = db_new(&database);
    int n = *(const int *)arg;

    for (int i = 0; own && i < ROUNDS; i++) {
        struct arena *a = arena_new(1 << 24);
        struct fault f = { 0 };
        char name[20];

        snprintf(name, sizeof name, "c%d", (n + i) % THREADS);
        assert_ok(registry_end(own, promise_on(own, a, name, i % 2 ? "\"long\"" : "\"double\"", others[(n * i) % THREADS], &f)));
        arena_free(a);
    }
    db_free(own);
    return NULL;
}

/* Subjects are locked in order, however a contract names them. */
static void many_contracts_at_once_do_not_lock_one_another_out(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    (void)state;
    have_an_int();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, promise_often, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(side_int("select count(*) from weir.contracts"), THREADS);
    assert_int_equal(side_int("select count(*) from weir.contract_reads"), 2 * THREADS);
    assert_int_equal(side_int("select count(*) from weir.outbox where type like 'Contract%%'"), THREADS * ROUNDS);
    assert_int_equal(side_int("select count(*) from weir.schema_subjects"), 1);
}

static enum err write_down(void *seen, const struct contract_verdict *v)
{
    char *at = seen;

    at[strlen(at)] = v->compared ? v->n ? 'n' : 'y' : '?';
    return OK;
}

/* In order; the first of all that share a time is compared in any case. */
static void without_time_the_rest_is_left_open(void **state)
{
    const struct schema_row row = { .subject = orders, .type = SCHEMA_AVRO, .text = SLICE("\"int\"") };
    const struct schema_text whole = { row.text, NULL, 0 };
    static const char *const types[] = { "\"string\"", "\"long\"", "\"bytes\"" };
    struct fault f = { 0 };
    char name[] = "a", late[8] = "", after[8] = "", early[8] = "";
    struct comparison brief = { .time_us = 0 }, ample = { .time_us = 60000000 };

    (void)state;
    for (int i = 0; i < 3; i++, name[0]++)
        assert_ok(registry_end(db, promise_on(db, arena, name, types[i], "others", &f)));
    assert_ok(contracts_compare(db, &row, &whole, true, &brief, write_down, late, &f));
    assert_string_equal(late, "n??");
    assert_ok(contracts_compare(db, &row, &whole, true, &brief, write_down, after, &f));
    assert_string_equal(after, "???");
    assert_ok(contracts_compare(db, &row, &whole, true, &ample, write_down, early, &f));
    assert_string_equal(early, "nyn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_version_that_waited_for_a_contract_is_refused, registry_fresh, registry_done),
        cmocka_unit_test_setup_teardown(a_contract_that_waited_for_a_version_is_refused, registry_fresh, registry_done),
        cmocka_unit_test_setup_teardown(so_it_is_with_a_subject_that_nobody_has_registered, registry_fresh, registry_done),
        cmocka_unit_test_setup_teardown(a_contract_that_is_rolled_back_leaves_nothing, registry_fresh, registry_done),
        cmocka_unit_test_setup_teardown(without_time_the_rest_is_left_open, registry_fresh, registry_done),
        cmocka_unit_test_setup_teardown(many_contracts_at_once_do_not_lock_one_another_out, registry_fresh, registry_done),
    };

    return cmocka_run_group_tests(tests, open_all, registry_close);
}
