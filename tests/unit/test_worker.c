#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/worker.h"

#define MS INT64_C(1000)

/* What a context remembers: its thread. */
struct context {
    pthread_t thread;
};
static atomic_int contexts, jobs_run, misplaced;

static void *context_new(void *arg)
{
    struct context *c = malloc(sizeof *c);

    (void)arg;
    c->thread = pthread_self();
    atomic_fetch_add(&contexts, 1);
    return c;
}

static void context_free(void *ctx)
{
    struct context *c = ctx;

    if (!pthread_equal(c->thread, pthread_self()))
        atomic_fetch_add(&misplaced, 1);
    atomic_fetch_sub(&contexts, 1);
    free(c);
}

static struct pool *start(int threads, int queue)
{
    const struct pool_config c = { "test", threads, queue, context_new, context_free, NULL };

    atomic_store(&jobs_run, 0);
    atomic_store(&misplaced, 0);
    return pool_new(&c);
}

/* A job that owns itself and leaves with its run. */
static void count_and_free(struct job *job, void *ctx)
{
    if (!pthread_equal(((struct context *)ctx)->thread, pthread_self()))
        atomic_fetch_add(&misplaced, 1);
    atomic_fetch_add(&jobs_run, 1);
    free(job);
}

static struct job *counting_job(void)
{
    struct job *job = calloc(1, sizeof *job);

    job->run = count_and_free;
    return job;
}

struct gate {
    struct job job;
    sem_t entered, leave;
    char thread_name[16];
};

static void hold(struct job *job, void *ctx)
{
    struct gate *g = (struct gate *)job;

    (void)ctx;
    pthread_getname_np(pthread_self(), g->thread_name, sizeof g->thread_name);
    sem_post(&g->entered);
    while (sem_wait(&g->leave))
        ;
}

/* Occupies the only thread of p. */
static void gate_close(struct gate *g, struct pool *p)
{
    *g = (struct gate){ .job.run = hold };
    sem_init(&g->entered, 0, 0);
    sem_init(&g->leave, 0, 0);
    assert_true(pool_submit(p, &g->job));
    while (sem_wait(&g->entered))
        ;
}

static void every_job_runs_once_with_the_context_of_its_thread(void **state)
{
    struct pool *p = start(4, 100000);

    (void)state;
    assert_non_null(p);
    assert_int_equal(atomic_load(&contexts), 4);
    for (int i = 0; i < 20000; i++)
        assert_true(pool_submit(p, counting_job()));
    pool_stop(p);
    assert_int_equal(atomic_load(&jobs_run), 20000);
    assert_int_equal(atomic_load(&misplaced), 0);
    assert_int_equal(atomic_load(&contexts), 0);
}

static void a_full_queue_refuses_and_stopping_runs_what_is_queued(void **state)
{
    struct pool *p = start(1, 3);
    struct job *refused = counting_job();
    struct gate g;

    (void)state;
    gate_close(&g, p);
    for (int i = 0; i < 3; i++)
        assert_true(pool_submit(p, counting_job()));
    assert_false(pool_submit(p, refused));
    assert_int_equal(atomic_load(&jobs_run), 0);
    sem_post(&g.leave);
    pool_stop(p);
    assert_int_equal(atomic_load(&jobs_run), 3);
    free(refused);
}

static void jobs_run_in_the_order_they_came(void **state)
{
    struct pool *p = start(1, 8);
    struct gate first, second;

    (void)state;
    gate_close(&first, p);
    assert_true(pool_submit(p, counting_job()));
    second = (struct gate){ .job.run = hold };
    sem_init(&second.entered, 0, 0);
    sem_init(&second.leave, 0, 0);
    assert_true(pool_submit(p, &second.job));
    assert_true(pool_submit(p, counting_job()));
    sem_post(&first.leave);
    while (sem_wait(&second.entered))
        ;
    assert_int_equal(atomic_load(&jobs_run), 1);
    assert_string_equal(second.thread_name, "test-0");
    sem_post(&second.leave);
    pool_stop(p);
    assert_int_equal(atomic_load(&jobs_run), 2);
}

static void *stop(void *p)
{
    pool_stop(p);
    return NULL;
}

static void a_stopping_pool_refuses(void **state)
{
    struct pool *p = start(1, 100000);
    struct job *job = counting_job();
    struct gate g;
    pthread_t t;
    int accepted = 0;

    (void)state;
    gate_close(&g, p);
    assert_int_equal(pthread_create(&t, NULL, stop, p), 0);
    for (; pool_submit(p, job); job = counting_job()) {
        assert_true(++accepted < 10000);
        usleep(1000);
    }
    free(job);
    sem_post(&g.leave);
    pthread_join(t, NULL);
    assert_int_equal(atomic_load(&jobs_run), accepted);
}

static void *every_second_fails(void *arg)
{
    return atomic_fetch_add((atomic_int *)arg, 1) % 2 ? NULL : context_new(NULL);
}

static void a_pool_whose_context_fails_does_not_start(void **state)
{
    atomic_int calls = 0;
    const struct pool_config c = { "test", 4, 8, every_second_fails, context_free, &calls };

    (void)state;
    assert_null(pool_new(&c));
    assert_int_equal(calls, 4);
    assert_int_equal(atomic_load(&contexts), 0);
    pool_stop(NULL);
}

/* A background job under test: what it answers, and how often it was asked. */
struct work {
    atomic_int ticks, answer, more;
};

static enum err tick(void *self, bool *ret_more)
{
    struct work *w = self;
    int answer = atomic_load(&w->answer); /* before the tick counts: a test that saw it may change the next one */

    *ret_more = atomic_load(&w->more) > 0 && atomic_fetch_sub(&w->more, 1) > 0;
    atomic_fetch_add(&w->ticks, 1);
    return (enum err)answer;
}

static bool reaches(atomic_int *n, int least)
{
    int64_t until = clock_mono_us() + 30 * US_PER_S;

    while (atomic_load(n) < least && clock_mono_us() < until)
        usleep(1000);
    return atomic_load(n) >= least;
}

static void a_ticker_ticks_every_period(void **state)
{
    const struct ticker_def def = { "periodic", 20 * MS, tick };
    struct work w = { 0 };
    int64_t begin = clock_mono_us();
    struct ticker *t = ticker_start(&def, &w);
    int64_t most;

    (void)state;
    assert_non_null(t);
    assert_true(reaches(&w.ticks, 5));
    ticker_stop(t);
    most = (clock_mono_us() - begin) / (18 * MS) + 1;
    assert_in_range(atomic_load(&w.ticks), 5, most);
}

static void a_wake_and_more_work_tick_at_once(void **state)
{
    const struct ticker_def def = { "sleepy", 3600 * US_PER_S, tick };
    struct work w = { .more = 9 };
    struct ticker *t = ticker_start(&def, &w);
    int64_t begin;

    (void)state;
    assert_true(reaches(&w.ticks, 10));
    usleep(20000);
    assert_int_equal(atomic_load(&w.ticks), 10);
    ticker_wake(t);
    assert_true(reaches(&w.ticks, 11));
    begin = clock_mono_us();
    ticker_stop(t);
    assert_true(clock_mono_us() - begin < 30 * US_PER_S);
    ticker_stop(NULL);
}

static void a_failing_ticker_backs_off(void **state)
{
    const struct ticker_def def = { "failing", 20 * MS, tick };
    struct work w = { .answer = ERR_DATABASE_UNAVAILABLE };
    int64_t begin = clock_mono_us();
    struct ticker *t = ticker_start(&def, &w);

    (void)state;
    /* retries at 20, 60, 140, 300, 620 ms, each sleep up to a tenth shorter */
    assert_true(reaches(&w.ticks, 6));
    assert_true(clock_mono_us() - begin >= 558 * MS);
    atomic_store(&w.answer, OK);
    assert_true(reaches(&w.ticks, 12)); /* if it kept backing off, 40 s */
    ticker_stop(t);
}

static void a_wake_does_not_shorten_a_back_off(void **state)
{
    const struct ticker_def def = { "woken", 3600 * US_PER_S, tick };
    struct work w = { .answer = ERR_INTERNAL };
    int64_t begin = clock_mono_us();
    struct ticker *t = ticker_start(&def, &w);

    (void)state;
    assert_true(reaches(&w.ticks, 1));
    atomic_store(&w.answer, OK);
    while (atomic_load(&w.ticks) < 2 && clock_mono_us() - begin < 30 * US_PER_S) {
        ticker_wake(t);
        usleep(10000);
    }
    assert_true(clock_mono_us() - begin >= 900 * MS);
    assert_true(reaches(&w.ticks, 2));
    usleep(20000); /* the last wake may have come just after the tick */
    ticker_wake(t);
    assert_true(reaches(&w.ticks, 3)); /* it works again, so a wake counts again */
    ticker_stop(t);
}

static void an_error_is_logged_once_until_it_changes(void **state)
{
    const struct ticker_def def = { "noisy", 10 * MS, tick };
    struct work w = { .answer = ERR_INTERNAL };
    int pair[2], saved = dup(STDERR_FILENO), lines = 0;
    struct ticker *t;
    char line[1000];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    dup2(pair[1], STDERR_FILENO);
    log_setup(LOG_INFO, false);
    t = ticker_start(&def, &w);
    assert_true(reaches(&w.ticks, 4));
    atomic_store(&w.answer, ERR_DATABASE_UNAVAILABLE);
    assert_true(reaches(&w.ticks, atomic_load(&w.ticks) + 2));
    atomic_store(&w.answer, OK);
    assert_true(reaches(&w.ticks, atomic_load(&w.ticks) + 3));
    ticker_stop(t);
    log_setup(LOG_OFF, false);
    dup2(saved, STDERR_FILENO);
    while (recv(pair[0], line, sizeof line, MSG_DONTWAIT) > 0)
        lines++;
    assert_int_equal(lines, 3);
    close(saved);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once_with_the_context_of_its_thread),
        cmocka_unit_test(a_full_queue_refuses_and_stopping_runs_what_is_queued),
        cmocka_unit_test(jobs_run_in_the_order_they_came),
        cmocka_unit_test(a_stopping_pool_refuses),
        cmocka_unit_test(a_pool_whose_context_fails_does_not_start),
        cmocka_unit_test(a_ticker_ticks_every_period),
        cmocka_unit_test(a_wake_and_more_work_tick_at_once),
        cmocka_unit_test(a_failing_ticker_backs_off),
        cmocka_unit_test(a_wake_does_not_shorten_a_back_off),
        cmocka_unit_test(an_error_is_logged_once_until_it_changes),
    };

    log_setup(LOG_OFF, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
