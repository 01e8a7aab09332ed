#include <stdio.h>
#include <stdlib.h>

#include "db/saga_waits.h"
#include "db/sagas.h"
#include "db/sagas_read.h"
#include "tests/db/log_support.h"
#include "tests/db/plans_support.h"

/* The plans of what sagas say often, with many instances that have ended, and many that wait. */
#define COUNT(x) (sizeof(x) / sizeof *(x))

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_saga_plans");
    side_do("insert into weir.sagas select s, 's' || s, 2, now(), now() from generate_series(1, 50) s");
    side_do("insert into weir.saga_definitions select s, v, '{\"steps\":[]}', '{}', now() from generate_series(1, 50) s,"
            " generate_series(1, 2) v");
    side_do("insert into weir.saga_instances (saga_id, instance_id, version, state, seq, input, input_hash, deadline, created,"
            " updated, ended) select s, 'i' || n, 2, case when n %% 10 > 2 then 4 when n %% 100 = 1 then 2 else 1 end, 5, '{}',"
            "        gen_random_uuid(), case when n %% 10 < 3 then now() + n * interval '1 s' - interval '10 s' end,"
            "        now() - n * interval '1 minute', now(), case when n %% 10 > 2 then now() - n * interval '1 minute' end"
            "   from generate_series(1, 20) s, generate_series(1, 2000) n");
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, due, owner, target, awaits, error)"
            " select saga_id, instance_id, k, 0, case when k = 0 then 4 when state = 1 then 3 when state = 2 then 1 else 4 end, 1,"
            "        case when k = 1 and state in (1, 2) then deadline end, 0, case when state = 2 then 'https://t' || saga_id end,"
            "        case when k = 1 and state = 1 and saga_id %% 2 = 0 then 'e' || saga_id end,"
            "        case when state = 2 then '{\"type\":\"timeout\"}' end"
            "   from weir.saga_instances, generate_series(0, 1) k");
    side_do("insert into weir.saga_steps (saga_id, instance_id, step, kind, status, attempts, owner, target)"
            " select 30, 'r' || n, 0, 0, 2, 1, 1000 + n %% 3, 'https://t1' from generate_series(1, 300) n");
    side_do("insert into weir.saga_history select saga_id, instance_id, k, 0, now(), 'StepSucceeded', 'a', '{}'"
            " from weir.saga_instances, generate_series(1, 5) k");
    side_do("insert into weir.saga_waits select saga_id, instance_id, 1, 0, 2, 5, hashtext(instance_id), '[]', '{0}',"
            " gen_random_uuid() from weir.saga_instances where state = 1");
    side_do("insert into weir.saga_inbox select s, 'i' || n, 1, 0, s * 10000 + n, 0, 0, '{}', now() - n * interval '1 s'"
            " from generate_series(1, 2) s, generate_series(1, 2000) n");
    side_do("insert into weir.saga_members select n, now() + n * interval '1 s' from generate_series(1, 4) n");
    side_do("vacuum analyze weir.sagas, weir.saga_definitions, weir.saga_instances, weir.saga_steps, weir.saga_history,"
            " weir.saga_waits, weir.saga_inbox");
    return plans_open();
}

static int close_all(void **state)
{
    (void)state;
    plans_close();
    log_close();
    return 0;
}

#define FOUND_BY                                                                                                       \
    "(5, '{7,7}', '{2,2}', '{1,1}', '{0,0}', array[hashtext('i2'), hashtext('i12')]::int8[], '{0,0}',"                    \
    " '{5,6}', '{0,0}', '{}', 1000, '')"

static const struct hot hot[] = {
    { &SAGA_INSTANCES_LOCK, "('{7,7}', '{i1,i77}', 1000000)", "saga_instances" },
    { &SAGA_STEPS_LOAD, "('{7,7}', '{i1,i77}', 1000000)", "saga_steps" },
    { &SAGA_INSTANCES_UPDATE, "('{7}', '{i1}', '{1}', '{0}', '{6}', '{null}', '{null}', '{0}', '{null}')", "saga_instances" },
    { &SAGA_STEPS_UPDATE,
      "('{7,7}', '{i1,i2}', '{0,1}', '{0,0}', '{4,4}', '{1,1}', '{0,0}', '{null,null}', '{0,0}', '{0,0}', '{null,null}',"
      " '{null,null}', '{null,null}', '{null,null}', '{null,null}', '{null,null}', '{null,null}', '{null,null}',"
      " '{0,0}', '{null,null}')", "saga_steps" },
    { &SAGA_DUE, "(100, '{}', '{}', '{5}')", "saga_steps" },
    { &SAGA_DUE, "(100, '{}', '{}', '{5}')", "saga_instances" },
    { &SAGA_DUE, "(100, '{}', '{}', '{5}')", "saga_waits" },
    { &SAGA_AWAITS_STREAMS, "", "saga_steps" },
    { &SAGA_AWAITS_DUE, "('{e2,e4}', '{4000000000000000,4000000000000000}', 100, '{}', '{}')", "saga_steps" },
    { &SAGA_TARGETS_DUE, "", "saga_steps" },
    { &SAGA_WAITS_FIND, FOUND_BY, "saga_steps" },
    { &SAGA_WAITS_FIND, FOUND_BY, "saga_waits" },
    { &SAGA_INBOX_TAKE, "(100, '{}', '{}', 1000000)", "saga_inbox" },
    { &SAGA_INBOX_FIRST, "('{}', '{}')", "saga_inbox" },
    { &SAGA_CALLS_DUE, "('{https://t1,https://t2}', '{5,5}', '{}', '{}')", "saga_steps" },
    { &SAGA_OWNERS_GONE, "(1000000)", "saga_steps" },
    { &SAGA_ATTEMPTS_OF, "('{1001}', 50, '{}', '{}')", "saga_steps" },
    { &SAGA_UNFINISHED, "(7)", "saga_instances" },
    { &SAGA_ENDED_REMOVE, "(7200000000, 100)", "saga_instances" },
    { &SAGA_ENDED_REMOVE, "(7200000000, 100)", "saga_steps" },
    { &SAGA_ENDED_REMOVE, "(7200000000, 100)", "saga_history" },
    { &SAGA_COUNTS, "(7)", "saga_instances" },
    { &SAGA_INSTANCES_SHOW, "(7, now(), '', null, null, null, null, null, null, 100)", "saga_instances" },
    { &SAGA_INSTANCES_SHOW_IN, "(7, now(), '', 2::smallint, null, null, null, null, null, 100)", "saga_instances" },
    { &SAGA_INSTANCES_SHOW_IN, "(7, now(), '', 2::smallint, null, null, '{2}', '{1}', '%time%', 100)", "saga_steps" },
    { &SAGA_INSTANCE_SHOW, "('s7', 'i77')", "saga_instances" },
    { &SAGA_STEPS_SHOW, "('s7', 'i77')", "saga_steps" },
    { &SAGA_HISTORY_SHOW, "('s7', 'i77', 2, 0::smallint, 100, 100000)", "saga_history" },
};

static void what_is_said_often_never_scans_a_whole_table(void **state)
{
    static const char *const large[] = { "saga_instances", "saga_steps", "saga_history", "saga_waits" };

    (void)state;
    plans_check(hot, COUNT(hot), large, COUNT(large));
}

/* However many there are: a list stops at its limit, what waits is not looked at before its time. */
static void what_is_looked_at_is_what_is_asked_for(void **state)
{
    static const struct hot few[] = {
        { &SAGA_INSTANCES_SHOW, "(7, now(), '', null, null, null, null, null, null, 10)", NULL },
        { &SAGA_INSTANCES_SHOW_IN, "(7, now(), '', 2::smallint, null, null, null, null, null, 10)", NULL },
        { &SAGA_DUE, "(100, '{}', '{}', '{}')", NULL },
        { &SAGA_AWAITS_STREAMS, "", NULL },
        { &SAGA_AWAITS_DUE, "('{e2,e4}', '{4000000000000000,4000000000000000}', 100, '{}', '{}')", NULL },
        { &SAGA_CALLS_DUE, "('{https://t1,https://t2}', '{5,5}', '{}', '{}')", NULL },
        { &SAGA_ATTEMPTS_OF, "('{1001}', 50, '{}', '{}')", NULL },
        { &SAGA_ENDED_REMOVE, "(7200000000, 100)", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(few); i++) {
        char *plan = plan_of(few[i].s, few[i].values);

        if (strstr(plan, "Rows Removed by") || executed(plan, "Sort", "rows=40000"))
            fail_msg("%s:\n%s", few[i].s->name, plan);
        free(plan);
    }
}

static void every_table_of_a_saga_has_its_id_in_every_key(void **state)
{
    (void)state;
    assert_true(side_int("select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'saga_id'"
                         " where c.relnamespace = 'weir'::regnamespace and c.relkind = 'r'") >= 8);
    assert_int_equal(side_int("select count(*) from pg_index i join pg_class c on c.oid = i.indrelid join pg_attribute a on"
                              " a.attrelid = c.oid and a.attname = 'saga_id' where c.relnamespace = 'weir'::regnamespace and"
                              " i.indisunique and not a.attnum = any(i.indkey) and c.relname <> 'sagas'"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_often_never_scans_a_whole_table),
        cmocka_unit_test(what_is_looked_at_is_what_is_asked_for),
        cmocka_unit_test(every_table_of_a_saga_has_its_id_in_every_key),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
