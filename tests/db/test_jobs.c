#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/engine/job_step.h"
#include "gateway/engine/outbox.h"
#include "tests/db/log_support.h"

#define WORKERS 4

static struct gateway gw;
static struct outbox *outbox;
static struct job_steps steps;
static struct arena *arena;
static struct proxy *proxy;

static int start(void **state)
{
    (void)state;
    log_open("weir_jobs");
    gateway_start(&gw);
    outbox = outbox_start(&gw.config, &gw.db_config, gw.commit, gw.streams);
    arena = arena_new(64 << 20);
    proxy = proxy_new();
    steps = (struct job_steps){ &gw.config, gw.db, audit_new(&gw.config, outbox),
                                groups_new(&gw.config, &gw.db_config, gw.tail, gw.streams, outbox) };
    assert_true(outbox && arena && proxy && steps.audit && steps.groups);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    proxy_free(proxy);
    arena_free(arena);
    audit_free(steps.audit);
    groups_stop(steps.groups);
    outbox_stop(outbox);
    gateway_stop(&gw);
    log_close();
    return 0;
}

/* A stream with group g, which redrives by itself if after_us >= 0, and n letters, each a second older than the one before. Every
 * second letter has another fingerprint. */
static long long stream_with(const char *name, int letters, int max_retrying, long long after_us)
{
    struct stream *s = stream_here(&gw, name, 1, US_PER_S);
    long long id = (long long)s->row.stream_id;

    side_do("insert into weir.groups values (%lld, 7, 'g', 0, false, 30000000, 3, 1000000, 2, 300000000, 0.2, 1000, %d, 10000, 1,"
            " '[]', nullif(%lld, -1), 2, now(), now())", id, max_retrying, after_us);
    side_do("insert into weir.group_states values (%lld, 7, 1, 1, 1, '{1}', 1, now())", id);
    side_do("insert into weir.dead_letters (stream_id, letter_id, group_name, partition, \"offset\", key, state, reason,"
            " error_type, error_masked, fingerprint, attempts, dead_at, updated_at, recorded, id, type, attributes, data_format)"
            " select %lld, lpad(to_hex(i), 32, '0')::uuid, 'g', 0, i, 0, 0, 'rejected', 'E', 'm',"
            " lpad(to_hex(i %% 2), 32, '0')::uuid, '', now() - i * interval '1 s', now(), now(), i, 'T', '', 0"
            " from generate_series(1, %d) i", id, letters);
    stream_unref(s);
    return id;
}

static struct job_row made(const char *stream, int kind, int64_t limit, double rate)
{
    struct job_row j = { .stream = slice_of(stream), .kind = kind, .letters = limit, .rate = rate,
                         .filter = SLICE("{\"group\":\"g\"}"), .reason = SLICE("why"),
                         .actor = SLICE("{\"sub\":\"alice\",\"request_id\":\"r-1\"}") };

    assert_ok(audit_begin(gw.db, NULL));
    assert_ok(jobs_add(&gw.config, gw.db, arena, &j, NULL));
    assert_ok(audit_end(steps.audit, gw.db, OK, &(struct audit_record){ 0 }, NULL));
    return j;
}

static struct job_row now_of(const struct job_row *j)
{
    struct job_row now;

    assert_ok(jobs_find(gw.db, arena, j->job_id, &now, NULL));
    return now;
}

static void assert_counts(const struct job_row *j, int state, int64_t matched, int64_t done, int64_t failed)
{
    struct job_row now = now_of(j);

    assert_int_equal(now.state, state);
    assert_int_equal(now.matched, matched);
    assert_int_equal(now.done, done);
    assert_int_equal(now.failed, failed);
}

static void step(void)
{
    bool more = false;

    assert_ok(job_step(&steps, &more));
}

static void run_out(void)
{
    bool more = true;

    for (int i = 0; more; i++) {
        more = false;
        assert_ok(job_step(&steps, &more));
        assert_in_range(i, 0, 1000);
    }
}

/* --- pace --- */

static void each_letter_of_a_rate_has_its_moment(void **state)
{
    long long id = stream_with("rate", 1000, 100000, -1);
    struct job_row j = made("rate", JOB_REDRIVE, -1, 100), now;
    int64_t due;

    (void)state;
    side_do("update weir.jobs set due = now() - interval '500 ms' where stream_id = %lld", id);
    due = now_of(&j).due_us;
    step();
    now = now_of(&j);
    assert_in_range(now.done, 51, 70);
    assert_int_equal(now.due_us, due + now.done * US_PER_S / 100);
    assert_true(now.due_us > now.now_us - US_PER_S);
    side_do("update weir.jobs set due = now() + interval '1 h' where stream_id = %lld", id);
    step();
    assert_int_equal(now_of(&j).done, now.done);
    side_do("update weir.jobs set due = now() - interval '1 h' where stream_id = %lld", id); /* it stood still: no avalanche */
    step();
    assert_in_range(now_of(&j).done - now.done, 101, 101);
    side_do("update weir.jobs set due = now(), rate = 1e5 where stream_id = %lld", id);
    for (int i = 0; now_of(&j).state == JOB_RUNNING; i++) {
        step();
        assert_in_range(i, 0, 10000);
    }
    assert_counts(&j, JOB_DONE, 1000, 1000, 0);
}

static void a_group_takes_half_of_what_may_retry(void **state)
{
    long long id = stream_with("room", 100, 31, -1);
    struct job_row j = made("room", JOB_REDRIVE, -1, 0), now;

    (void)state;
    run_out();
    now = now_of(&j);
    assert_int_equal(now.done, 16);
    assert_in_range(now.due_us - now.now_us, 1, US_PER_S);
    side_do("delete from weir.retries where stream_id = %lld and \"offset\" <= 10", id);
    side_do("update weir.jobs set due = now() where stream_id = %lld", id);
    run_out();
    assert_counts(&j, JOB_RUNNING, 100, 26, 0);
    assert_int_equal(side_int("select count(*) from weir.retries where stream_id = %lld", id), 16);
    j = made("room", JOB_DISCARD, 80, 0);
    run_out();
    assert_counts(&j, JOB_DONE, 74, 74, 0);
}

/* --- once and only once --- */

static void *work(void *arg)
{
    struct job_steps mine = { &gw.config, db_new(&gw.db_config), steps.audit, steps.groups };
    bool more;

    while (!atomic_load((atomic_bool *)arg)) {
        more = false;
        assert_ok(job_step(&mine, &more));
        assert_ok(job_auto(&mine, &more));
    }
    db_free(mine.db);
    return NULL;
}

static void gateways_share_jobs_out(void **state)
{
    long long id = stream_with("crowd", 2000, 100000, -1);
    struct job_row j[] = { made("crowd", JOB_REDRIVE, -1, 0), made("crowd", JOB_DISCARD, 700, 0),
                           made("crowd", JOB_REDRIVE, 300, 5000), made("crowd", JOB_DISCARD, -1, 0) };
    int64_t redriven = 0, discarded = 0;
    atomic_bool over = false;
    pthread_t t[WORKERS];

    (void)state;
    gw.config.jobs_batch = 37;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, work, &over), 0);
    side_until("select not exists (select from weir.jobs where stream_id = %lld and state = 0)", id);
    atomic_store(&over, true);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(t[i], NULL);
    gw.config.jobs_batch = 500;
    for (int i = 0; i < 4; i++) {
        struct job_row now = now_of(&j[i]);

        assert_int_equal(now.matched, now.done + now.failed);
        *(now.kind == JOB_REDRIVE ? &redriven : &discarded) += now.done;
    }
    assert_int_equal(redriven + discarded, 2000);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 1 and redrives = 1", id),
                     redriven);
    assert_int_equal(side_int("select count(*) from weir.retries where stream_id = %lld", id), redriven);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 3", id), discarded);
}

/* Every third step's answers are lost on the way, at whichever statement: often that of COMMIT. */
static void steps_whose_answer_is_lost_are_counted_once(void **state)
{
    long long id = stream_with("lost", 600, 100000, -1);
    struct job_row j = made("lost", JOB_REDRIVE, -1, 0);
    struct db_config config = gw.db_config;
    struct job_steps mine = steps;
    int lost = 0;
    bool more;

    (void)state;
    gw.config.jobs_batch = 10;
    config.url = proxy_url(proxy);
    mine.db = db_new(&config);
    for (int i = 0; now_of(&j).state == JOB_RUNNING; i++) {
        proxy_set(proxy, PROXY_PASS);
        assert_ok(db_check(mine.db, NULL));
        if (i % 3 == 2) {
            assert_ok(audit_begin(mine.db, NULL)); /* connected for sure: what is lost is said in the step */
            db_rollback(mine.db);
            proxy_set_after(proxy, PROXY_SWALLOW, i / 3 % 12); /* a step has as many round trips */
        }
        lost += job_step(&mine, &more) != OK;
        assert_in_range(i, 0, 500);
    }
    db_free(mine.db);
    gw.config.jobs_batch = 500;
    assert_true(lost > 10);
    assert_counts(&j, JOB_DONE, 600, 600, 0);
    assert_int_equal(side_int("select count(*) from weir.retries where stream_id = %lld", id), 600);
    assert_int_equal(side_int("select sum(redrives) from weir.dead_letters where stream_id = %lld", id), 600);
}

/* --- what goes wrong --- */

static void what_fails_for_ever_is_said(void **state)
{
    long long id = stream_with("broken", 10, 100, -1);
    struct job_row j = made("broken", JOB_DISCARD, -1, 0), now;

    (void)state;
    side_do("update weir.jobs set filter = '{\"group\":5}' where stream_id = %lld", id);
    run_out();
    now = now_of(&j);
    assert_int_equal(now.state, JOB_FAILED);
    assert_true(now.error.n > 0 && now.done == 0);
    side_until("select count(*) = 1 from weir.log where stream = '_audit' and type = 'DeadLettersDiscardEnded' and"
               " data->'changes'->>'state' = 'failed' and data->'changes'->>'stream' = 'broken' and data->'actor'->>'sub' = 'alice'"
               " and data->>'request_id' = 'r-1'");
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 0", id), 10);
}

static void a_job_that_is_cancelled_or_held_elsewhere_takes_no_step(void **state)
{
    long long id = stream_with("held", 10, 100, -1);
    struct job_row j = made("held", JOB_DISCARD, -1, 0);
    bool more = false, cancelled = false;

    (void)state;
    side_do("begin; select from weir.jobs where stream_id = %lld for update", id);
    assert_ok(job_step(&steps, &more)); /* does not wait */
    assert_false(more);
    side_do("commit");
    assert_ok(audit_begin(gw.db, NULL));
    assert_ok(jobs_cancel(gw.db, arena, &j, &cancelled, NULL));
    assert_ok(audit_end(steps.audit, gw.db, OK, &(struct audit_record){ 0 }, NULL));
    assert_true(cancelled);
    run_out();
    assert_counts(&j, JOB_CANCELLED, 10, 0, 0);
}

static void jobs_of_a_deleted_stream_rest(void **state)
{
    long long id = stream_with("gone", 10, 100, -1);
    struct job_row j = made("gone", JOB_DISCARD, -1, 0), now;

    (void)state;
    assert_ok(streams_delete(gw.streams, gw.db, SLICE("gone"), NULL));
    run_out();
    assert_int_equal(side_int("select count(*) from weir.jobs where stream_id = %lld and state = 0 and done = 0", id), 1);
    assert_int_equal(jobs_find(gw.db, arena, j.job_id, &now, NULL), ERR_UNKNOWN_JOB);
}

/* --- automatic --- */

static void letters_come_back_by_themselves_once_a_round(void **state)
{
    long long id = stream_with("auto", 400, 100000, 60 * US_PER_S);
    atomic_bool over = false;
    pthread_t t[WORKERS];

    (void)state;
    gw.config.jobs_batch = 37;
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(pthread_create(&t[i], NULL, work, &over), 0);
        if (round < 3) /* i - 1 seconds ago at first: the first minute's are not due yet */
            side_until("select count(*) >= 340 from weir.dead_letters where stream_id = %lld and auto_redrives = %d", id, round);
        else
            side_do("select pg_sleep(0.2)");
        atomic_store(&over, true);
        for (int i = 0; i < WORKERS; i++)
            pthread_join(t[i], NULL);
        atomic_store(&over, false);
        assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and (redrives <> auto_redrives or"
                                  " redrives > %d)", id, round < 3 ? round : 2), 0);
        assert_int_equal(side_int("select count(*) from weir.retries where stream_id = %lld", id),
                         side_int("select sum(redrives) from weir.dead_letters where stream_id = %lld", id));
        side_do("update weir.dead_letters set state = 0 where stream_id = %lld and state = 1", id); /* dead again, long ago */
    }
    gw.config.jobs_batch = 500;
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and redrives > 2", id), 0);
}

static void poison_holds_its_fingerprint_back_until_somebody_redrives_it(void **state)
{
    long long id = stream_with("poison", 100, 100000, 0);
    bool more = false;
    struct job_row j;

    (void)state;
    side_do("update weir.dead_letters set poison = true where stream_id = %lld and \"offset\" = 51", id);
    assert_ok(job_auto(&steps, &more));
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 1 and"
                              " \"offset\" %% 2 = 0", id), 50);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 0", id), 50);
    j = made("poison", JOB_REDRIVE, 26, 0); /* up to the letter that is poison */
    run_out();
    assert_counts(&j, JOB_DONE, 26, 26, 0);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and poison", id), 0);
    assert_ok(job_auto(&steps, &more));
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 1", id), 100);
}

/* --- retention --- */

static void letters_and_jobs_that_are_over_go(void **state)
{
    long long id = stream_with("over", 40, 100, -1), other = stream_with("over2", 10, 100, -1);
    struct retention r = { .config = &gw.config, .db = gw.db, .next_room_us = INT64_MAX };
    struct job_row old = made("over", JOB_DISCARD, 1, 0), recent = made("over", JOB_DISCARD, 1, 0);
    struct job_row runs = made("over", JOB_DISCARD, 1, 1), now;
    bool more = true;

    (void)state;
    run_out();
    side_do("update weir.jobs set updated = now() - interval '8 days' where stream_id = %lld", id);
    side_do("update weir.jobs set state = 0 where job_id ="
            " (select job_id from weir.jobs where stream_id = %lld order by job_id desc limit 1)", id);
    side_do("update weir.jobs set updated = now() where job_id ="
            " (select job_id from weir.jobs where stream_id = %lld order by job_id offset 1 limit 1)", id);
    side_do("update weir.dead_letters set state = \"offset\" %% 4, dead_at = now() - interval '1 day' * \"offset\","
            " updated_at = now() - interval '1 day' * case when \"offset\" <= 20 then 31 else 29 end where stream_id = %lld", id);
    gw.config.retention_batch = 3;
    for (int i = 0; more; i++) {
        more = false;
        assert_ok(retention_tick(&r, &more));
        assert_in_range(i, 0, 100);
    }
    /* gone: the older half of those that were resolved or discarded */
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld", id), 30);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 0", id), 10);
    gw.config.dlq_retention_us = 25 * 24 * 3600 * US_PER_S;
    for (more = true; more;) {
        more = false;
        assert_ok(retention_tick(&r, &more));
    }
    gw.config.dlq_retention_us = 0;
    gw.config.retention_batch = 5000;
    assert_int_equal(side_int("select max(\"offset\") from weir.dead_letters where stream_id = %lld and state = 0", id), 24);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld and state = 1", id), 10);
    assert_int_equal(side_int("select count(*) from weir.dead_letters where stream_id = %lld", other), 10);
    assert_int_equal(jobs_find(gw.db, arena, old.job_id, &now, NULL), ERR_UNKNOWN_JOB);
    assert_int_equal(now_of(&recent).state, JOB_DONE);
    assert_int_equal(now_of(&runs).state, JOB_RUNNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_letter_of_a_rate_has_its_moment),
        cmocka_unit_test(a_group_takes_half_of_what_may_retry),
        cmocka_unit_test(gateways_share_jobs_out),
        cmocka_unit_test(steps_whose_answer_is_lost_are_counted_once),
        cmocka_unit_test(what_fails_for_ever_is_said),
        cmocka_unit_test(a_job_that_is_cancelled_or_held_elsewhere_takes_no_step),
        cmocka_unit_test(jobs_of_a_deleted_stream_rest),
        cmocka_unit_test(letters_come_back_by_themselves_once_a_round),
        cmocka_unit_test(poison_holds_its_fingerprint_back_until_somebody_redrives_it),
        cmocka_unit_test(letters_and_jobs_that_are_over_go),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
