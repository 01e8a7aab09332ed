#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/thread.h"
#include "tests/unit/http_fixture.h"
#include "tests/unit/http_routes.h"

/* Parked requests, streams and the end of the server. */
#define HOST "Host: weir.test\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST1(path) "POST " path " HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"

static int start(void **state)
{
    struct fixture *f = malloc(sizeof *f);

    if (!f)
        return -1;
    fixture_config(f);
    f->config.http_drain_timeout_us = 3 * US_PER_S;
    fixture_start(f);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    fixture_stop(*state);
    free(*state);
    return 0;
}

static int free_only(void **state)
{
    free(*state);
    return 0;
}

static void assert_answer(struct answer a, int status, const char *body)
{
    assert_int_equal(a.status, status);
    assert_string_equal(a.body, body);
    free(a.body);
}

static void a_parked_request_is_woken_by_another_thread(void **state)
{
    struct fixture *f = *state;
    struct conn c[20];

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 20; i++) {
            if (round == 0)
                conn_open(&c[i], f);
            conn_say(&c[i], GET("/park"));
        }
        wait_for_waiters(f, 20);
        wake_all(f);
        for (int i = 0; i < 20; i++)
            assert_answer(conn_answer(&c[i]), 200, "woken");
    }
    for (int i = 0; i < 20; i++)
        conn_close(&c[i]);
    for (int i = 0; i < 6000 && app_int(f, &f->app.freed) < 400; i++) /* freed after the answer was sent */
        usleep(10000);
    assert_int_equal(app_int(f, &f->app.freed), 400);
}

static void what_another_thread_fulfils_is_answered_soon_or_late(void **state)
{
    static const char *const requests[] = { GET("/expects?wait=0s"), GET("/expects?wait=2ms"), GET("/expects?wait=100ms") };
    struct conn c[30];

    for (int i = 0; i < 30; i++)
        conn_open(&c[i], *state);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 30; i++)
            conn_say(&c[i], requests[(i + round) % 3]);
        for (int i = 0; i < 30; i++)
            assert_answer(conn_answer(&c[i]), 200, "fulfilled");
    }
    for (int i = 0; i < 30; i++)
        conn_close(&c[i]);
}

/* Its memory must stay until the lane has let go of it. */
static void a_client_that_resets_amid_its_commit_takes_nothing_with_it(void **state)
{
    static const char *const requests[] = { GET("/expects?wait=2ms"), GET("/expects?wait=5ms"), GET("/expects?wait=50ms") };
    const struct linger reset = { .l_onoff = 1 };
    struct fixture *f = *state;
    struct conn c[30];

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 30; i++) {
            conn_open(&c[i], f);
            conn_say(&c[i], requests[i % 3]);
        }
        for (int i = 0; i < 30; i++) {
            setsockopt(c[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            conn_close(&c[i]);
        }
        wait_for_waiters(f, 0);
    }
    assert_true(app_int(f, &f->app.freed) > 0);
    assert_int_equal(app_int(f, &f->app.early), 0);
    assert_int_equal(status_of(f, GET("/expects")), 200);
}

static void the_drain_waits_for_what_a_lane_still_works_on(void **state)
{
    const struct linger reset = { .l_onoff = 1 };
    struct fixture *f = *state;
    struct conn c;

    conn_open(&c, f);
    conn_say(&c, GET("/expects?wait=400ms"));
    wait_for_waiters(f, 1);
    setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    conn_close(&c);
    server_stop(f->server);
    assert_int_equal(app_int(f, &f->app.freed), 1);
    assert_int_equal(app_int(f, &f->app.early), 0);
    fixture_stop(f);
}

static void a_deadline_calls_the_handler_in_time(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } waits[] = { { GET("/park?wait=300ms"), 300000 }, { GET("/park?wait=100ms"), 100000 },
                  { GET("/park?wait=200ms"), 200000 }, { GET("/park?wait=0s"), 0 } };
    struct conn c[4];
    int64_t began = clock_mono_us();

    for (int i = 0; i < 4; i++) {
        conn_open(&c[i], *state);
        conn_say(&c[i], waits[i].text);
    }
    for (int order[] = { 3, 1, 2, 0 }, i = 0; i < 4; i++) {
        assert_answer(conn_answer(&c[order[i]]), 200, "deadline");
        assert_true(clock_mono_us() - began >= waits[order[i]].us);
        conn_close(&c[order[i]]);
    }
}

static void a_client_that_vanishes_while_parked_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct conn c;

    conn_open(&c, f);
    conn_say(&c, GET("/park"));
    wait_for_waiters(f, 1);
    conn_close(&c);
    wait_for_waiters(f, 0);
    assert_int_equal(app_int(f, &f->app.gone), 1);
    conn_open(&c, f);
    conn_say(&c, GET("/stream"));
    assert_true(conn_until(&c, "\r\n\r\n"));
    conn_close(&c);
    wait_for_waiters(f, 0);
    assert_int_equal(app_int(f, &f->app.gone), 2);
}

static void jobs_of_a_parked_request_run_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    struct conn c;

    assert_answer(ask(f, GET("/jobs")), 200, "two");
    conn_open(&c, f); /* a client that leaves amid a job */
    conn_say(&c, GET("/jobs"));
    wait_for_waiters(f, 1);
    conn_close(&c);
    wait_for_waiters(f, 0);
}

static void a_stream_sends_each_chunk_at_once(void **state)
{
    struct fixture *f = *state;
    struct conn c;
    char text[40];

    conn_open(&c, f);
    conn_say(&c, GET("/stream"));
    assert_true(conn_until(&c, "text/event-stream")); /* the head does not wait for the first chunk */
    for (int i = 0; i < 50; i++) {
        produce(f, 1);
        snprintf(text, sizeof text, "chunk %d\n", i);
        assert_true(conn_until(&c, text));
    }
    produce(f, -1000);
    assert_true(conn_until(&c, "\r\n0\r\n\r\n"));
    c.n = 0;
    wait_for_waiters(f, 0);
    conn_close(&c);
}

static void *produce_many(void *arg)
{
    for (int i = 0; i < 2000; i++)
        produce(arg, 1);
    return NULL;
}

static void a_producer_thread_reaches_every_stream_in_order(void **state)
{
    enum { N = 30 };
    struct fixture *f = *state;
    struct conn c[N];
    struct answer a;
    pthread_t t;

    for (int i = 0; i < N; i++) {
        conn_open(&c[i], f);
        conn_say(&c[i], GET("/stream"));
    }
    wait_for_waiters(f, N);
    assert_true(thread_start(&t, "producer", produce_many, f));
    for (int i = 0; i < N; i++)
        assert_true(conn_until(&c[i], "chunk 1999\n"));
    pthread_join(t, NULL);
    produce(f, -10000);
    for (int i = 0; i < N; i++) {
        a = conn_answer(&c[i]);
        char expected[40], *p = a.body;
        for (int k = 0; k < 2000; k++, p += strlen(expected)) {
            snprintf(expected, sizeof expected, "chunk %d\n", k);
            if (strncmp(p, expected, strlen(expected)) != 0)
                fail_msg("stream %d lacks chunk %d", i, k);
        }
        assert_string_equal(p, "");
        free(a.body);
        conn_close(&c[i]);
    }
}

enum { MANY = 6000 }; /* wide chunks: more than the buffers of both sockets hold */

static void open_stream_that_is_not_read(struct fixture *f, struct conn *c)
{
    conn_open(c, f);
    conn_say(c, GET("/wide"));
    assert_true(conn_until(c, "\r\n\r\n"));
    wait_for_waiters(f, 1);
    usleep(50000); /* suspended by now */
    produce(f, MANY);
    usleep(300000);
}

/* The chunked body (RFC 9112, 7.1) so far; false: closed, or nothing for a long time. */
static bool next_line(struct conn *c, char line[WIDE_BYTES + 1])
{
    char *end;

    while (!(end = memmem(c->in, c->n, "\r\n", 2))) {
        struct pollfd p = { .fd = c->fd, .events = POLLIN };
        ssize_t n = poll(&p, 1, 5000) > 0 ? recv(c->fd, c->in + c->n, sizeof c->in - c->n, 0) : 0;

        if (n <= 0)
            return false;
        c->n += (size_t)n;
    }
    size_t n = (size_t)(end - c->in);

    assert_true(n <= WIDE_BYTES);
    memcpy(line, c->in, n);
    line[n] = '\0';
    c->n -= n + 2;
    memmove(c->in, end + 2, c->n);
    return true;
}

static void a_reader_that_pauses_gets_every_byte_when_it_goes_on(void **state)
{
    struct fixture *f = *state;
    char line[WIDE_BYTES + 1];
    struct conn c;

    open_stream_that_is_not_read(f, &c);
    c.n = 0; /* the head */
    for (int k = 0; k < MANY; k++) {
        assert_true(next_line(&c, line));
        assert_int_equal(strtoul(line, NULL, 16), WIDE_BYTES);
        assert_true(next_line(&c, line));
        assert_int_equal(strlen(line), WIDE_BYTES);
        assert_int_equal(strtol(line, NULL, 10), k);
    }
    produce(f, -10 * MANY);
    assert_true(next_line(&c, line));
    assert_string_equal(line, "0");
    conn_close(&c);
}

static void a_reader_that_takes_nothing_is_cut(void **state)
{
    struct fixture *f = *state;
    struct conn c;

    f->config.http_idle_timeout_us = 400000; /* read when the wait begins */
    open_stream_that_is_not_read(f, &c);
    assert_int_equal(app_int(f, &f->app.freed), 0);
    wait_for_waiters(f, 0);
    conn_close(&c);
}

static void an_http_1_0_stream_ends_with_the_connection(void **state)
{
    struct fixture *f = *state;
    struct conn c;
    struct answer a;
    char v[512];

    produce(f, 2);
    conn_open(&c, f);
    conn_say(&c, "GET /stream HTTP/1.0\r\n\r\n");
    assert_true(conn_until(&c, "chunk 1\n"));
    produce(f, -1000);
    a = conn_answer(&c);
    assert_null(answer_header(&a, "Transfer-Encoding", v));
    assert_string_equal(a.body, "chunk 0\nchunk 1\n");
    free(a.body);
    conn_close(&c);
}

static void the_end_answers_what_is_parked_and_in_process(void **state)
{
    struct fixture *f = *state;
    struct conn parked[10], slow, streaming;
    struct answer a;
    int64_t began;

    for (int i = 0; i < 10; i++) {
        conn_open(&parked[i], f);
        conn_say(&parked[i], GET("/park"));
    }
    conn_open(&streaming, f);
    conn_say(&streaming, GET("/stream"));
    wait_for_waiters(f, 11);
    conn_open(&slow, f);
    conn_say(&slow, POST1("/slow"));
    usleep(50000);
    f->config.http_drain_timeout_us = 100 * US_PER_S;
    began = clock_mono_us();
    fixture_stop(f);
    assert_in_range(clock_mono_us() - began, 0, 50 * US_PER_S); /* not as long as it may */
    for (int i = 0; i < 10; i++) {
        a = conn_answer(&parked[i]);
        assert_true(a.closes);
        assert_answer(a, 200, "draining");
        conn_close(&parked[i]);
    }
    a = conn_answer(&slow);
    assert_true(a.closes);
    assert_answer(a, 200, "x");
    conn_close(&slow);
    assert_answer(conn_answer(&streaming), 200, "");
    conn_close(&streaming);
}

static void what_waits_in_the_backlog_is_still_answered(void **state)
{
    enum { N = 200 };
    struct conn *c = calloc(N, sizeof *c);
    int answered = 0;

    assert_non_null(c);
    for (int i = 0; i < N; i++) {
        conn_open(&c[i], *state);
        conn_say(&c[i], POST1("/echo"));
    }
    fixture_stop(*state);
    for (int i = 0; i < N; i++) {
        struct answer a = conn_answer(&c[i]);
        answered += a.status == 200;
        free(a.body);
        conn_close(&c[i]);
    }
    assert_int_equal(answered, N);
    free(c);
}

static void what_does_not_end_is_cut_after_the_drain_timeout(void **state)
{
    struct fixture *f = *state;
    struct conn stubborn, endless, half;
    int64_t began;

    conn_open(&stubborn, f);
    conn_say(&stubborn, GET("/stubborn"));
    conn_open(&endless, f);
    conn_say(&endless, GET("/endless"));
    conn_open(&half, f);
    conn_say(&half, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nhalf");
    wait_for_waiters(f, 2);
    began = clock_mono_us();
    fixture_stop(f);
    assert_in_range(clock_mono_us() - began, 2900000, 30000000);
    assert_int_equal(app_int(f, &f->app.freed), 2);
    conn_close(&stubborn);
    conn_close(&endless);
    conn_close(&half);
}

struct client_load {
    struct fixture *f;
    atomic_int answered;
    int lost;
};

/* Sends until the server says that it closes; an answer that does not come for a request sent in time is a loss. */
static void *load(void *arg)
{
    struct client_load *l = arg;
    struct conn c;
    struct answer a = { .closes = false };

    conn_open(&c, l->f);
    while (!a.closes) {
        conn_say(&c, l->answered % 3 ? POST1("/echo") : POST1("/blocking"));
        a = conn_answer(&c);
        l->answered += a.status == 200;
        l->lost += a.status == 0;
        free(a.body);
        if (a.status == 0)
            break;
    }
    conn_close(&c);
    return NULL;
}

static void no_request_is_lost_when_the_server_stops_under_load(void **state)
{
    enum { N = 16 };
    struct client_load loads[N];
    pthread_t threads[N];

    for (int i = 0; i < N; i++) {
        memset(&loads[i], 0, sizeof loads[i]);
        loads[i].f = *state;
        assert_true(thread_start(&threads[i], "load", load, &loads[i]));
    }
    usleep(200000);
    for (int i = 0; i < N; i++)
        for (int ms = 0; !atomic_load(&loads[i].answered); ms++) {
            assert_true(ms < 60000);
            usleep(1000);
        }
    fixture_stop(*state);
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(loads[i].lost, 0);
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define STOPS(test) cmocka_unit_test_setup_teardown(test, start, free_only)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_parked_request_is_woken_by_another_thread),
        T(what_another_thread_fulfils_is_answered_soon_or_late), T(a_client_that_resets_amid_its_commit_takes_nothing_with_it),
        STOPS(the_drain_waits_for_what_a_lane_still_works_on), T(a_deadline_calls_the_handler_in_time),
        T(a_client_that_vanishes_while_parked_is_noticed),
        T(jobs_of_a_parked_request_run_one_after_the_other),
        T(a_stream_sends_each_chunk_at_once),
        T(a_producer_thread_reaches_every_stream_in_order),
        T(a_reader_that_pauses_gets_every_byte_when_it_goes_on),
        T(a_reader_that_takes_nothing_is_cut),
        T(an_http_1_0_stream_ends_with_the_connection),
        STOPS(the_end_answers_what_is_parked_and_in_process),
        STOPS(what_waits_in_the_backlog_is_still_answered),
        STOPS(what_does_not_end_is_cut_after_the_drain_timeout),
        STOPS(no_request_is_lost_when_the_server_stops_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
