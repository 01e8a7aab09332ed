#include <stdio.h>
#include <stdlib.h>

#include "db/deliveries.h"
#include "db/groups.h"
#include "db/jobs.h"
#include "db/letters.h"
#include "db/projection_letters.h"
#include "db/projections_parts.h"
#include "db/publish.h"
#include "db/read.h"
#include "db/retention.h"
#include "db/streams.h"
#include "db/subjects.h"
#include "gateway/base/clock.h"
#include "tests/db/log_support.h"
#include "tests/db/plans_support.h"

/* What the log must keep to be distributable, and the plans of what is said often: PostgreSQL shall choose them without
 * being forced, for any stream (generic plans) and with the statistics of a log that has grown. */
#define COUNT(x) (sizeof(x) / sizeof *(x))

static void grow_projections(void)
{
    side_do("insert into weir.projections select s, 'p' || s, 1, false, '{}', now(), now() from generate_series(1, 200) s");
    side_do("insert into weir.projection_builds select s, 1, 1, '{}', '{s1}', null, null, now(), now()"
            " from generate_series(1, 200) s");
    side_do("insert into weir.projection_parts select s, 1, 1 + s %% 20, p, p, 0, 500, null, 0, 0, 0, 1, 1"
            " from generate_series(1, 200) s, generate_series(0, 3) p");
    side_do("insert into weir.projection_states select s, 1, 'k' || k, '{\"n\":1}', 1, 0, 0, k"
            " from generate_series(1, 120) s, generate_series(1, 300) k");
    side_do("insert into weir.projection_lookups select projection_id, build, last_offset %% 50, key"
            " from weir.projection_states");
    side_do("insert into weir.projection_changes select s, 1, p, k * 10, 0, now() - (100 - k) * interval '1 s', '{k1,k2,k3}'"
            " from generate_series(1, 120) s, generate_series(0, 3) p, generate_series(1, 100) k");
    side_do("insert into weir.projection_skips select s, 1, 0, k, now() from generate_series(1, 200) s, generate_series(1, 50) k");
    side_do("vacuum analyze weir.projections, weir.projection_builds, weir.projection_parts, weir.projection_states,"
            " weir.projection_lookups, weir.projection_changes, weir.projection_skips");
}

static int open_all(void **state)
{
    (void)state;
    log_open("weir_test_plans");
    for (int month = 1; month <= 3; month++)
        side_do("select weir.make_room(now() - interval '%d months')", month);
    side_do("insert into weir.streams (stream_id, name, partitions, dedup_window, created, updated)"
            " select s, 's' || s, 4, 1000000, now(), now() from generate_series(1, 20) s");
    side_do("insert into weir.partitions (stream_id, partition, head, recorded)"
            " select s, p, 1000, now() from generate_series(1, 5000) s, generate_series(0, 3) p");
    side_do("insert into weir.events (stream_id, partition, \"offset\", recorded, id, type, subject, version,"
            " subject_hash,"
            "                         attributes, data_format, data)"
            " select s, p, o, now() - (1000 - o) * interval '2 hours', o, 'T', 'x' || o, 1, hashtextextended('x' ||"
            " o, 0), '', 1,"
            "        repeat('y', 200)::bytea"
            "   from generate_series(1, 20) s, generate_series(0, 3) p, generate_series(1, 1000) o");
    side_do("insert into weir.partition_months select stream_id, partition, date_trunc('month', recorded at time zone"
            " 'UTC'),"
            " min(\"offset\") from weir.events group by 1, 2, 3");
    side_do("insert into weir.subjects select s, 'x' || o, o %% 4, 1, o from generate_series(1, 20) s,"
            " generate_series(1, 2500) o");
    side_do("insert into weir.snapshots select s, 'x' || o, 1, '{}', now() from generate_series(1, 20) s,"
            " generate_series(1, 2500) o");
    side_do("insert into weir.dedup select s, extract(epoch from now() + o %% 3 * interval '7 days')::bigint / 604800,"
            "       md5(s || '-' || o)::uuid, md5('x')::uuid, now() + o %% 3 * interval '7 days', 0, o, null, now()"
            "  from generate_series(1, 20) s, generate_series(1, 2500) o");
    side_do("insert into weir.idempotency select s, md5(s || '-' || o)::uuid, md5('x')::uuid, now() - o * interval '30 s', 201,"
            " 'answer', 'cursor' from generate_series(1, 20) s, generate_series(1, 2500) o");
    side_do("insert into weir.dead_letters (stream_id, letter_id, group_name, partition, \"offset\", key, state, reason,"
            " error_type, error_masked, fingerprint, attempts, dead_at, updated_at, recorded, id, type, attributes, data_format)"
            " select s, lpad(to_hex(o), 32, '0')::uuid, 'g' || o %% 5, 0, o, 0, o %% 4, 'max-retries', 'E', 'm',"
            "        md5('' || o %% 9)::uuid, repeat('y', 200), now(), now(), now(), o, 'T', '', 0"
            "   from generate_series(1, 20) s, generate_series(1, 1000) o");
    side_do("insert into weir.groups select s, s * 1000 + g, 'g' || g, 1, false, 1, 3, 1, 2, 1, 0, 1, 1, 1, 1, '[]', null, 0,"
            " now(), now() from generate_series(1, 20) s, generate_series(0, 99) g");
    side_do("insert into weir.group_states select stream_id, group_id, seq, 1, 1, '{1,1,1,1}', 1, now() from weir.groups,"
            " generate_series(101, 108) seq");
    side_do("insert into weir.leases select stream_id, group_id, l, now(), now(), '', '', '', '', '', 1 from weir.groups,"
            " generate_series(1, 5) l");
    side_do("insert into weir.retries select stream_id, group_id, 0, o, 0, null, 1, 0, now(), false, '' from weir.groups,"
            " generate_series(1, 10) o");
    side_do("vacuum analyze weir.groups, weir.group_states, weir.leases, weir.retries");
    side_do("insert into weir.jobs (stream_id, job_id, kind, state, filter, matched, last, actor, created, updated, due)"
            " select s, lpad(to_hex(s * 1000 + o), 32, '0')::uuid, 0, (o > 1)::int, '{}', 0, md5('x')::uuid, '{}', now(),"
            "        now() - o * interval '1 h', now() from generate_series(1, 20) s, generate_series(1, 500) o");
    grow_projections();
    side_do("vacuum analyze weir.jobs, weir.dead_letters, weir.streams, weir.partitions, weir.partition_months, weir.subjects,"
            " weir.snapshots, weir.idempotency");
    side_do("do $$ declare t regclass; n bigint; begin" /* as autovacuum does: neither parents nor what is empty */
            " for t in select inhrelid::regclass from pg_inherits where inhparent in ('weir.events'::regclass,"
            " 'weir.dedup'::regclass) loop"
            "  execute 'select count(*) from ' || t into n; if n > 0 then execute 'analyze ' || t; end if; end loop;"
            " end $$");
    return plans_open();
}

static int close_all(void **state)
{
    (void)state;
    plans_close();
    log_close();
    return 0;
}

static const struct hot hot[] = {
    { &HEADS_LOCK, "(7, '{0,2}')", "partitions" },
    { &HEADS_ADVANCE, "(7, '{0,2}', '{1,1}', '{10,10}', '{0,0}', now())", "partitions" },
    { &HEADS_SET, "(7, '{0,2}', '{1001,1001}', array[now(),now()], '{10,10}')", "partitions" },
    { &EVENTS_APPEND, "(7, '{0}', '{0}', '{i}', '{null}', '{T}', '{\"\"}', '{0}', '{null}')", "partitions" },
    { &DEDUP_LOOK, "(7, array[md5('7-5')::uuid, md5('7-6')::uuid], extract(epoch from now())::int /"
                   " 604800)", "dedup_" },
    { &DEDUP_EXPIRE, "(7, array[md5('7-5')::uuid], extract(epoch from now())::int / 604800, now())", "dedup_" },
    { &IDEMPOTENCY_LOOK, "(7, array[md5('7-5')::uuid], array[md5('x')::uuid])", "idempotency" },
    { &IDEMPOTENCY_EXPIRE, "(7, array[md5('7-5')::uuid], now())", "idempotency" },
    { &ANSWERS_REMOVE, "(now() - interval '20 hours', 10)", "idempotency" },
    { &SUBJECTS_LOOK, "(7, '{x5,x77,nobody}')", "subjects" },
    { &SUBJECTS_UPDATE, "(7, '{x5,x77}', '{2,2}', '{1001,1002}')", "subjects" },
    { &SUBJECT_LOOK, "(7, 'x5')", "subjects" },
    { &SUBJECT_PAGE, "(7, 'x5', 1, '0001-01-01Z', '9999-01-01Z', 100, 1000000)", "events_" },
    { &SUBJECT_BEFORE, "(7, 'x5', 5, '0001-01-01Z', '9999-01-01Z')", "events_" },
    { &SUBJECT_SCAN, "(7, 1, 'x5', 1, 100, '0001-01-01Z', '9999-01-01Z', 1, 100, 1000000)", "events_" },
    { &SNAPSHOT_GET, "(7, 'x5')", "snapshots" },
    { &SNAPSHOTS_PUT, "(7, 1, '{x5,x77,nobody}', '{1,1,1}', '{1,2,3}', now(), false)", "subjects" },
    { &SNAPSHOT_DELETE, "(7, 1, 'x5')", "snapshots" },
    { &OUTCOME_LOOK, "(7, '{0,1}', now() - interval '1 day', '{995,997}')", "events_" },
    { &READ_BOUNDS, "(7, '{0,1,2,3}', '{5,500,900,1000}')", "partition" },
    { &EVENTS_AT, "(7, '{0,1}', '{500,501}')", "events_" },
    { &KEYS_AT, "(7, '{0,1}', '{500,501}')", "events_" },
    { &PAGE_BACK, "(7, 0, 300, 500, now() - interval '62 days', now(), 1000000, 600, 'T')", "events_" },
    { &RECORDED_AT, "(7, '{0,1}', '{500,501}')", "events_" },
    { &STREAM_FIGURES, "('{7,8}')", "partitions" },
    { &LETTERS_LIST, "(7, md5('x')::uuid, null, null, null, null, null, null, null, null, 50, 100000)", "dead_letters" },
    { &LETTER_LOCK, "(7, md5('x')::uuid)", "dead_letters" },
    { &LETTERS_MATCH, "(7, md5('x')::uuid, 'g1', 0, null, null, null, null, null, null, md5('y')::uuid, 50)", "dead_letters" },
    { &LETTERS_GROUPS, "(7, array[md5('x')::uuid, md5('y')::uuid])", "dead_letters" },
    { &LETTERS_LOCK, "(7, array[md5('x')::uuid, md5('y')::uuid])", "dead_letters" },
    { &LETTERS_REDRIVE, "(7, array[md5('x')::uuid, md5('y')::uuid], '{g1}', '{1}', '', false)", "dead_letters" },
    { &LETTERS_DISCARD, "(7, array[md5('x')::uuid, md5('y')::uuid], '')", "dead_letters" },
    { &GROUP_LOCK, "(7, 'g5')", "groups" },
    { &GROUP_HOLD, "(7, 7005)", "groups" },
    { &GROUP_STATE, "(7, 7005)", "group_states" },
    { &GROUP_TURN, "(7, 7005, 109, 1, 1, '{1,1,1,1}', 1, now(), 101, '{5}', '{6}', array[now()], array[now()], '{c}', "
      "array[''::bytea], array[''::bytea], array[''::bytea], array[''::bytea], '{1}')", "group_states" },
    { &GROUP_CLAIM, "(7, 7005, 1)", "group_states" },
    { &GROUP_SEEK, "(7, 7005, 1, '{1,1,1,1}')", "leases" },
    { &GROUP_CLEAR, "(7, 7005)", "retries" },
    { &GROUP_PARK, "(7, 7005)", "dead_letters" },
    { &GROUP_DEAD, "(7, 'g1')", "dead_letters" },
    { &GROUP_OLDEST, "(7, '{0,1}', '{500,501}')", "events_" },
    { &LETTERS_REMOVE_CLOSED, "(now() - interval '1 day', 10)", "dead_letters" },
    { &LETTERS_REMOVE_PARKED, "(now() - interval '1 day', 10)", "dead_letters" },
    { &FOLD_LETTERS, "('g1', 7, 0, 10, 20, 10, 100, 7)", "dead_letters" },
    { &LETTERS_REFOLD, "(7, array[md5('x')::uuid, md5('y')::uuid], '{g1}', '')", "dead_letters" },
    { &LETTERS_FIT, "(7, array[md5('x')::uuid, md5('y')::uuid])", "dead_letters" },
    { &AUTO_MATCH, "(7, 'g1', 3, 1000000, 50, 0::int2)", "dead_letters" },
    { &JOB_TAKE, "", "jobs" },
    { &JOB_FIND, "(md5('x')::uuid)", "jobs" },
    { &JOB_LOCK, "(7, md5('x')::uuid)", "jobs" },
    { &JOB_LIST, "(md5('x')::uuid, null, null, 10)", "jobs" },
    { &JOB_MOVE, "(7, md5('x')::uuid, 0::int2, 1, 1, 0, md5('x')::uuid, null, now(), now())", "jobs" },
    { &JOBS_FORGET, "(now() - interval '400 h', 10)", "jobs" },
    { &PART_ADVANCE, "(7, 1, 8, 2, 1, 500, 510, 10, false)", "projection_parts" },
    { &PART_GET, "(7, 1, 8, 2)", "projection_parts" },
    { &STATES_LOCK, "(7, 1, '{k1,k77,nobody}', 10000)", "projection_states" },
    { &STATES_DELETE, "(7, 1, '{k1,k77,nobody}')", "projection_states" },
    { &STATE_GET, "('p7', 'k5')", "projection_states" },
    { &STATES_PAGE, "(7, 1, 'k1', 'k', 'l', 10, 10000)", "projection_states" },
    { &STATES_FOUND, "(7, 1, 'k1', 'k', 'l', 10, 10000, '{7,8}')", "projection_lookups" },
    { &LOOKUPS_REMOVE, "(7, 1, '{7,7}', '{k7,k57}')", "projection_lookups" },
    { &LOOKUPS_DROP, "(7, 1, 10)", "projection_lookups" },
    { &CHANGES_DROP, "(7, 1, 10)", "projection_changes" },
    { &STATES_OF, "(7, 1, '{k1,k77,nobody}')", "projection_states" },
    { &STATES_REMOVE, "(7, 1, 10)", "projection_states" },
    { &PROJECTION_VIEW_PARTS, "('p7')", "projection_parts" },
    { &CHANGES_READ, "(7, 1, '{0,1,2,3}', '{900,950,990,1000}', 10, 100, '{0,0,0,0}')", "projection_changes" },
    { &CHANGES_TRIM, "(7, 1, 0, 50000000, 90, 10)", "projection_changes" },
    { &SKIPS_OF, "(7, 1, 0, 10, 20)", "projection_skips" },
    { &RETENTION_REMOVE, "(7, 0, 1, 100, now() - interval '80 days')", "events_" },
};

static void what_is_said_often_never_scans_a_whole_table(void **state)
{
    static const char *const large[] = { "events", "dedup", "subjects", "snapshots", "idempotency", "dead_letters", "group_states",
                                         "leases", "retries", "jobs", "projection_states", "projection_lookups",
                                         "projection_changes", "projection_skips" };

    (void)state;
    plans_check(hot, COUNT(hot), large, COUNT(large));
}

/* Where the month begins (or the next one) that holds the offset after this one in partition 2 of stream 7. */
static long long month_of(int after, const char *which)
{
    return (long long)side_int("select extract(epoch from coalesce(%s(month), '9999-01-01')::timestamp at time zone"
                               " 'UTC')"
                               "  from weir.partition_months where stream_id = 7 and partition = 2 and first_offset"
                               " %s %d",
                               which, strcmp(which, "max") == 0 ? "<=" : ">", after + 1);
}

static void a_page_reads_one_month_by_its_index(void **state)
{
    static const struct stmt *const pages[] = { &PAGE, &PAGE_FILTERED };

    (void)state;
    for (size_t i = 0; i < COUNT(pages); i++)
        for (int after = 1; after < 1000; after += 200) {
            long long to = month_of(after, "min");
            int months = to > 250000000000 ? 3 : 1; /* an open end: two tables of the months to come, empty */
            char values[200], *plan;

            snprintf(values, sizeof values, "(7, 2, %d, 100, to_timestamp(%lld), to_timestamp(%lld), 1000000%s)", after,
                     month_of(after, "max"), to, i ? ", 1000, '{T}', '{x%}'" : "");
            plan = plan_of(pages[i], values);
            if (executed(plan, "Index Scan using"
                               " ", " on events_") != months || executed(plan, "Scan", " on events_") != months)
                fail_msg("%s%s:\n%s", pages[i]->name, values, plan);
            free(plan);
        }
}

/* --- plans that outlive their statistics --- */

#define LOOKED 50

static void look_up(struct db *db, struct arena *a)
{
    struct publish_id ids[LOOKED] = { 0 };
    struct publish_subject subjects[LOOKED];
    struct publish_head head = { .partition = 0 };
    struct rows rows[6];
    char names[LOOKED][16];
    size_t n = 0;

    for (int i = 0; i < LOOKED; i++) {
        snprintf(names[i], sizeof names[i], "g%d", i + 1);
        subjects[i] = (struct publish_subject){ slice_of(names[i]), 0, 2, 2 };
        ids[i].key[15] = (uint8_t)(i + 1);
    }
    db_queue(db, &DB_BEGIN, NULL);
    assert_true(db_heads_lock(db, a, 999999, &head, 1));
    assert_true(db_dedup_look(db, a, 999999, ids, LOOKED, clock_unix_us()));
    assert_true(db_subjects_look(db, a, 999999, subjects, LOOKED));
    assert_true(db_subjects_update(db, a, 999999, subjects, LOOKED));
    db_queue(db, &DB_COMMIT, NULL);
    assert_ok(db_flush(db, rows, 6, NULL));
    n = (size_t)rows[2].n + (size_t)rows[3].n + (size_t)rows[4].affected;
    for (int i = 0; i < 6; i++)
        rows_free(&rows[i]);
    assert_int_equal(n, 3 * LOOKED);
}

static void grow(int from, int to)
{
    side_do("insert into weir.dedup select 999999, extract(epoch from now() + interval '7 days')::bigint / 604800,"
            " lpad(to_hex(o), 32, '0')::uuid, md5('x')::uuid, now() + interval '7 days', 0, o, null, now()"
            " from generate_series(%d, %d) o", from, to);
    side_do("insert into weir.subjects select 999999, 'g' || o, 0, 1, o from generate_series(%d, %d) o", from, to);
}

/* Rows that were read of the tables, in whichever way. */
static int64_t rows_read(void)
{
    return side_int("select sum(pg_stat_get_tuples_returned(c.oid)) from pg_class c where"
                    " c.relnamespace = 'weir'::regnamespace and c.relname ~ '^(dedup|subjects|partitions)'");
}

static void a_plan_made_while_the_log_was_small_is_good_for_a_large_one(void **state)
{
    struct db_config config = test_config();
    struct db *db = db_new(&config);
    struct arena *a = arena_new(64 << 20);
    int64_t before;

    (void)state;
    assert_ok(db_connect(db, NULL));
    side_do("truncate weir.dedup, weir.subjects");
    side_do("insert into weir.partitions values (999999, 0, 1, 1, now(), 0)");
    grow(1, LOOKED);
    side_do("vacuum analyze");
    for (int i = 0; i < 12; i++)
        look_up(db, a); /* by now the plans are cached */
    grow(LOOKED + 1, 50000);
    side_do("select pg_stat_force_next_flush()");
    before = rows_read();
    look_up(db, a);
    db_free(db); /* says what it has read */
    side_until("select not exists (select from pg_stat_activity where application_name = 'weir test' and pid <>"
               " pg_backend_pid())");
    assert_in_range(rows_read() - before, 0, 13 * 10 * LOOKED);
    arena_free(a);
}

/* A build begins without statistics of its own, and grows before there are any. */
static void a_build_without_statistics_is_found_by_its_keys(void **state)
{
    static const struct hot fresh[] = {
        { &STATES_LOCK, "(7, 1, '{k1,k77,nobody}', 10000)", "projection_states" },
        { &STATES_UPDATE, "(7, 1, 0, '{k1,k2}', '{a,b}', '{2,2}', '{501,502}')", NULL },
        { &STATES_DELETE, "(7, 1, '{k1,k77,nobody}')", "projection_states" },
        { &STATES_OF, "(7, 1, '{k1,k77,nobody}')", "projection_states" },
        { &STATES_PAGE, "(7, 1, 'k1', 'k', 'l', 10, 10000)", "projection_states" },
        { &STATES_FOUND, "(7, 1, 'k1', 'k', 'l', 10, 10000, '{7,8}')", "projection_lookups" },
        { &LOOKUPS_REMOVE, "(7, 1, '{7,7}', '{k7,k57}')", "projection_lookups" },
        { &CHANGES_READ, "(7, 1, '{0,1,2,3}', '{900,950,990,1000}', 10, 100, '{0,0,0,0}')", "projection_changes" },
    };

    (void)state;
    side_do("truncate weir.projection_states, weir.projection_lookups, weir.projection_changes");
    side_do("delete from pg_statistic where starelid in ('weir.projection_states'::regclass, 'weir.projection_lookups'::regclass,"
            " 'weir.projection_changes'::regclass)");
    side_do("insert into weir.projection_states select 7, 1, 'k' || k, '', 1, 0, 0, k from generate_series(1, 5000) k");
    side_do("insert into weir.projection_lookups select 7, 1, last_offset, key from weir.projection_states");
    side_do("insert into weir.projection_changes select 7, 1, p, k, 0, now(), '{k1}' from generate_series(0, 3) p,"
            " generate_series(1, 1000) k");
    for (size_t i = 0; i < COUNT(fresh); i++) {
        char *plan = plan_of(fresh[i].s, fresh[i].values);

        if (strstr(plan, "Rows Removed by") || (fresh[i].index_on && !executed(plan, "Index", fresh[i].index_on)))
            fail_msg("%s:\n%s", fresh[i].s->name, plan);
        free(plan);
    }
}

/* --- the catalog --- */

static void every_table_of_a_stream_has_its_id_in_every_key(void **state)
{
    (void)state;
    assert_true(side_int("select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname ="
                         " 'stream_id'"
                         " where c.relnamespace = 'weir'::regnamespace and c.relkind in ('r', 'p')") >= 6);
    assert_int_equal(side_int("select count(*) from pg_class c where c.relnamespace = 'weir'::regnamespace and"
                              " c.relkind in ('r', 'p')"
                              " and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname"
                              " in ('stream_id', 'saga_id'))"
                              " and c.relname not in ('audit', 'migrations', 'revocations', 'revocations_clock', 'settings',"
                              " 'projections', 'projection_builds', 'projection_changes', 'projection_checks',"
                              " 'projection_lookups',"
                              " 'projection_members', 'projection_states', 'saga_members', 'saga_targets',"
                              " 'tickets', 'registry', 'schemas', 'schema_subjects', 'schema_versions', 'schema_references',"
                              " 'contracts', 'contract_reads')"), 0); /* small: they stay in one place, or are copied to all */
    /* streams is found by name: it stays in one place, and is copied to all */
    assert_int_equal(side_int("select count(*) from pg_index i join pg_class c on c.oid = i.indrelid"
                              " join pg_attribute a on a.attrelid = c.oid and a.attname = 'stream_id'"
                              " where c.relnamespace = 'weir'::regnamespace and i.indisunique and not a.attnum ="
                              " any(i.indkey)"
                              "   and c.relname <> 'streams' and c.relname not like 'saga%%'"), 0); /* those: test_saga_plans.c */
    assert_int_equal(side_int("select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid and"
                              " a.attname = 'stream_id'"
                              " where c.relnamespace = 'weir'::regnamespace and c.relkind in ('r', 'p')"
                              " and c.relname not like 'saga%%'"
                              " and not exists"
                              " (select from pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum ="
                              " any(i.indkey))"), 0);
}

static void every_table_of_a_projection_has_its_id_in_every_key(void **state)
{
    (void)state;
    assert_int_equal(side_int("select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname ="
                              " 'projection_id' where c.relnamespace = 'weir'::regnamespace and c.relkind = 'r'"), 8);
    assert_int_equal(side_int("select count(*) from pg_index i join pg_class c on c.oid = i.indrelid join pg_attribute a on"
                              " a.attrelid = c.oid and a.attname = 'projection_id' where c.relnamespace = 'weir'::regnamespace and"
                              " i.indisunique and not a.attnum = any(i.indkey) and c.relname <> 'projections'"), 0);
}

static void nothing_stands_in_the_way_of_distribution(void **state)
{
    (void)state;
    assert_int_equal(side_int("select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid"
                              " where c.relnamespace = 'weir'::regnamespace and not t.tgisinternal"), 0);
    assert_int_equal(side_int("select count(*) from pg_class where relnamespace = 'weir'::regnamespace and relkind ="
                              " 'S'"), 0);
    assert_int_equal(side_int("select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid"
                              " where c.relnamespace = 'weir'::regnamespace and c.relkind = 'p'"), 0);
    assert_int_equal(side_int("select count(*) from pg_constraint k where k.connamespace = 'weir'::regnamespace and"
                              " k.contype = 'f'"
                              " and not exists (select from pg_attribute a where a.attrelid = k.conrelid and"
                              " a.attname = 'stream_id'"
                              "                 and a.attnum = any(k.conkey))"
                              " and k.conrelid::regclass::text not in ('weir.schema_versions', 'weir.schema_references',"
                              " 'weir.contract_reads')"), 0);
    assert_int_equal(side_int("select count(*) from pg_attrdef d join pg_class c on c.oid = d.adrelid where"
                              " c.relnamespace ="
                              " 'weir'::regnamespace and c.relname <> 'migrations' and pg_get_expr(d.adbin,"
                              " d.adrelid) ~ '(now|random|clock|nextval|uuid)'"), 0);
}

static void heads_are_updated_in_place(void **state)
{
    (void)state;
    assert_int_equal(side_int("select count(*) from pg_index i, unnest(i.indkey::smallint[]) k join pg_attribute a on"
                              " a.attrelid = 'weir.partitions'::regclass and a.attnum = k where i.indrelid ="
                              " 'weir.partitions'::regclass and a.attname not in ('stream_id', 'partition')"), 0);
    side_do("begin; update weir.partitions set head = head + 1 where stream_id = 7; commit");
    side_do("select pg_stat_force_next_flush()");
    assert_int_equal(side_int("select n_tup_hot_upd from pg_stat_user_tables where relid ="
                              " 'weir.partitions'::regclass"),
                     side_int("select n_tup_upd from pg_stat_user_tables where relid = 'weir.partitions'::regclass"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_often_never_scans_a_whole_table),
        cmocka_unit_test(a_page_reads_one_month_by_its_index),
        cmocka_unit_test(a_build_without_statistics_is_found_by_its_keys),
        cmocka_unit_test(every_table_of_a_stream_has_its_id_in_every_key),
        cmocka_unit_test(every_table_of_a_projection_has_its_id_in_every_key),
        cmocka_unit_test(nothing_stands_in_the_way_of_distribution),
        cmocka_unit_test(heads_are_updated_in_place),
        cmocka_unit_test(a_plan_made_while_the_log_was_small_is_good_for_a_large_one),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
