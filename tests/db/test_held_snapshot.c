#include <stdio.h>
#include <stdlib.h>

#include "db/deliveries.h"
#include "tests/db/log_support.h"

/* While somebody holds a snapshot (a backup, a long report), rows that are gone stay, and so do their entries in indexes. What a
 * group's lane says must not walk over them: it would take longer with every event, for as long as the snapshot is held. */
#define GONE 20000   /* of each table; some 200 pages */
#define PAGES_MAX 100

static PGconn *conn, *holder;

static void gone(const char *insert, const char *table)
{
    side_do("insert into weir.%s generate_series(11, %d) n", insert, GONE);
    side_do("delete from weir.%s", table);
}

static int open_all(void **state)
{
    struct db_config config;

    (void)state;
    log_open("weir_test_held");
    config = test_config();
    side_do("insert into weir.streams (stream_id, name, partitions, dedup_window, created, updated)"
            " values (7, 's', 1, 1000000, now(), now())");
    side_do("insert into weir.groups values (7, 1, 'g', 1, false, 1, 3, 1, 2, 1, 0, 1, 1, 1, 1, '[]', null, 0, now(), now())");
    holder = PQconnectdb(config.url);
    PQclear(PQexec(holder, "begin isolation level repeatable read; select count(*) from weir.streams"));
    gone("group_states select 7, 1, n, 1, 1, '{1}', 1, now() from", "group_states");
    gone("leases select 7, 1, n, now(), now(), '', '', '', '', '', 1 from", "leases");
    gone("retries select 7, 1, 0, n, 0, null, 1, 0, now(), false, '' from", "retries");
    gone("skips select 7, 1, n, 0, 1, '', '' from", "skips");
    side_do("insert into weir.group_states select 7, 1, n, 1, 1, '{1}', 1, now() from generate_series(%d, %d) n", GONE + 1,
            GONE + 8);
    side_do("insert into weir.leases select 7, 1, n, now(), now(), '', '', '', '', '', 1 from generate_series(%d, %d) n",
            GONE + 1, GONE + 3);
    side_do("insert into weir.retries select 7, 1, 0, n, 0, null, 1, 0, now(), false, '' from generate_series(%d, %d) n", GONE + 1,
            GONE + 3);
    side_do("insert into weir.skips select 7, 1, n, 0, 1, '', '' from generate_series(%d, %d) n", GONE + 1, GONE + 3);
    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, attributes, data_format)"
            " values (7, 0, %d, now(), 'i', 'T', '', 0)", GONE + 1);
    side_do("insert into weir.dead_letters (stream_id, letter_id, group_name, partition, \"offset\", key, state, reason,"
            " error_type, error_masked, fingerprint, attempts, dead_at, updated_at, recorded, id, type, attributes, data_format)"
            " values (7, md5('l')::uuid, 'g', 0, 1, 0, 1, 'r', 'E', 'm', md5('f')::uuid, '', now(), now(), now(), 'i', 'T', '',"
            " 0)");
    side_do("analyze weir.groups, weir.group_states, weir.leases, weir.retries, weir.skips");
    conn = PQconnectdb(config.url);
    return PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(holder) == PQTRANS_INTRANS ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    PQfinish(holder);
    PQfinish(conn);
    log_close();
    return 0;
}

static PGresult *say(const char *sql)
{
    PGresult *res = PQexec(conn, sql);

    if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    return res;
}

/* The most pages that a node of the statement's plan and those below it have looked at. */
static void check(const struct stmt *s, const char *values, const char *mode)
{
    char *sql;
    PGresult *res;

    assert_true(asprintf(&sql, "set plan_cache_mode = %s; prepare probe as %s; begin", mode, s->sql) > 0);
    PQclear(say(sql));
    free(sql);
    assert_true(asprintf(&sql, "explain (analyze, buffers, costs off, timing off) execute probe%s", values) > 0);
    res = say(sql);
    for (int i = 0; i < PQntuples(res); i++) {
        const char *line = PQgetvalue(res, i, 0), *hit = strstr(line, "hit="), *read = strstr(line, "read=");
        int pages = (hit ? atoi(hit + 4) : 0) + (read ? atoi(read + 5) : 0);

        if (strstr(line, "Planning"))
            break;
        if (pages > PAGES_MAX) {
            for (int k = 0; k < PQntuples(res); k++)
                print_message("%s\n", PQgetvalue(res, k, 0));
            fail_msg("%s (%s) looks at %d pages", s->name, mode, pages);
        }
    }
    PQclear(res);
    PQclear(say("rollback; deallocate probe"));
    free(sql);
}

static void what_a_lane_says_does_not_walk_over_what_is_gone(void **state)
{
    static const struct {
        const struct stmt *s;
        const char *values;
    } said[] = {
        { &GROUP_HOLD, "(7, 1)" },
        { &GROUP_STATE, "(7, 1)" },
        { &GROUP_WRITTEN, "(7, 1, 20008)" },
        { &GROUP_TURN, "(7, 1, 20009, 1, 1, '{1}', 1, now(), 20001, '{20001,20003}', '{20004}', array[now()], array[now()], '{c}',"
                       " array[''::bytea], array[''::bytea], array[''::bytea], array[''::bytea], '{1}')" },
        { &LEASES_UPDATE, "(7, 1, '{20001,20002}', array['','']::bytea[], array['','']::bytea[], '{1,1}')" },
        { &RETRIES_PUT, "(7, 1, '{0,0}', '{20001,20009}', '{0,0}', array[null,null]::uuid[], '{1,1}', '{0,0}', array[now(),now()],"
                        " '{0,0}', '{e,e}')" },
        { &RETRIES_DELETE, "(7, 1, '{0,0}', '{20001,20002}', '{0,0}')" },
        { &SKIPS_PUT, "(7, 1, '{20001,20009}', '{0,0}', '{1,1}', array['','']::bytea[], array['','']::bytea[])" },
        { &SKIPS_DELETE, "(7, 1, '{20001,20003}')" },
        { &LETTERS_BURY, "(7, 1, 'g', now(), array[md5('n')::uuid], '{0}', '{20001}', '{0}', '{r}', '{\"{}\"}', '{E}', '{m}',"
                         " '{e}')" },
        { &LETTERS_PARK, "(7, 1, 'g', now(), array[md5('l')::uuid], '{0}', '{1}', '{0}', '{r}', '{\"{}\"}', '{E}', '{m}', '{e}')" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        check(said[i].s, said[i].values, "force_generic_plan");
        check(said[i].s, said[i].values, "force_custom_plan");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_a_lane_says_does_not_walk_over_what_is_gone) };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
