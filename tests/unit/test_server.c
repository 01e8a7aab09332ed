#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "tests/unit/http_fixture.h"
#include "tests/unit/http_routes.h"

#define HOST "Host: weir.test\r\n"

static int start(void **state)
{
    struct fixture *f = malloc(sizeof *f);

    if (!f)
        return -1;
    fixture_config(f);
    f->config.http_request_timeout_us = US_PER_S / 2;
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

static void assert_answer(struct answer a, int status, const char *body)
{
    assert_int_equal(a.status, status);
    assert_string_equal(a.body, body);
    free(a.body);
}

static void an_inline_route_answers_with_the_common_headers(void **state)
{
    char v[512];
    struct answer a = ask(*state, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");

    assert_string_equal(answer_header(&a, "X-Content-Type-Options", v), "nosniff");
    assert_string_equal(answer_header(&a, "Cache-Control", v), "no-store");
    assert_int_equal(strlen(answer_header(&a, "X-Request-Id", v)), 32);
    assert_false(a.closes);
    assert_answer(a, 200, "hello");
}

static void a_request_id_is_taken_over_if_it_is_visible_ascii(void **state)
{
    char v[512];
    struct answer a = ask(*state, "GET /fails HTTP/1.1\r\n" HOST "X-Request-Id: order-7/a\r\n\r\n");

    assert_string_equal(answer_header(&a, "X-Request-Id", v), "order-7/a");
    free(a.body);
    a = ask(*state, "GET /fails HTTP/1.1\r\n" HOST "X-Request-Id: has blanks\r\n\r\n");
    assert_int_equal(strlen(answer_header(&a, "X-Request-Id", v)), 32);
    free(a.body);
}

static void path_query_trace_and_accept_reach_the_handler_decoded(void **state)
{
    assert_answer(ask(*state, "GET /show/a%2Fb?q=x+y%26z HTTP/1.1\r\n" HOST "Accept: text/*\r\n"
                              "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"),
                  200, "name=a/b q=x y&z trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 type=text/plain");
    assert_int_equal(status_of(*state, "GET /show/a HTTP/1.1\r\n" HOST "Accept: image/png\r\n\r\n"), 406);
    assert_int_equal(status_of(*state, "GET /show/a?z=1 HTTP/1.1\r\n" HOST "\r\n"), 400);
    assert_int_equal(status_of(*state, "GET /show/a%00b HTTP/1.1\r\n" HOST "\r\n"), 400);
}

static void an_error_becomes_a_problem_with_its_headers(void **state)
{
    char v[512];
    struct answer a = ask(*state, "GET /fails HTTP/1.1\r\n" HOST "\r\n");

    assert_int_equal(a.status, 429);
    assert_string_equal(answer_header(&a, "Content-Type", v), "application/problem+json");
    assert_string_equal(answer_header(&a, "Retry-After", v), "7");
    assert_non_null(strstr(a.body, "\"detail\":\"too much\""));
    assert_non_null(strstr(a.body, "\"instance\":\"/fails\""));
    assert_non_null(strstr(a.body, "\"retry_after\":7"));
    free(a.body);
}

static void methods_are_told_by_405_head_and_options(void **state)
{
    char v[512];
    struct answer a = ask(*state, "DELETE /show/a HTTP/1.1\r\n" HOST "\r\n");

    assert_int_equal(a.status, 405);
    assert_string_equal(answer_header(&a, "Allow", v), "GET, HEAD, OPTIONS");
    free(a.body);
    a = ask(*state, "OPTIONS /show/a HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(a.status, 204);
    assert_string_equal(answer_header(&a, "Allow", v), "GET, HEAD, OPTIONS");
    free(a.body);
    struct conn c;
    conn_open(&c, *state);
    conn_say(&c, "HEAD /show/a HTTP/1.1\r\n" HOST "\r\n");
    assert_true(conn_until(&c, "\r\n\r\n"));
    assert_non_null(strstr(c.in, "Content-Length: 38"));
    usleep(20000);
    assert_string_equal(strstr(c.in, "\r\n\r\n"), "\r\n\r\n");
    conn_close(&c);
}

static void cors_is_for_listed_origins_only(void **state)
{
    char v[512];
    struct answer a = ask(*state, "OPTIONS /echo HTTP/1.1\r\n" HOST "Origin: https://b.example\r\n"
                                  "Access-Control-Request-Method: POST\r\n"
                                  "Access-Control-Request-Headers: authorization, ce-type\r\n\r\n");

    assert_int_equal(a.status, 204);
    assert_string_equal(answer_header(&a, "Access-Control-Allow-Origin", v), "https://b.example");
    assert_string_equal(answer_header(&a, "Access-Control-Allow-Methods", v), "POST, OPTIONS");
    assert_string_equal(answer_header(&a, "Access-Control-Allow-Headers", v), "authorization, ce-type");
    free(a.body);
    a = ask(*state, "GET /fails HTTP/1.1\r\n" HOST "Origin: https://b.example.evil\r\n\r\n");
    assert_null(answer_header(&a, "Access-Control-Allow-Origin", v));
    assert_string_equal(answer_header(&a, "Vary", v), "Origin");
    free(a.body);
}

static struct answer with_token(struct fixture *f, const char *request, const char *scope, const char *rest)
{
    char text[2048];
    char *token = auth_mint_hs256(SLICE(FIXTURE_SECRET), scope, "tester", clock_unix_us(), 60 * US_PER_S);
    struct answer a;

    assert_non_null(token);
    snprintf(text, sizeof text, "%s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\n%s", request, token, rest);
    a = ask(f, text);
    free(token);
    return a;
}

static int status_with(struct fixture *f, const char *request, const char *scope, const char *rest)
{
    struct answer a = with_token(f, request, scope, rest);

    free(a.body);
    return a.status;
}

static void rights_are_checked_before_the_body(void **state)
{
    char v[512];
    struct answer a = ask(*state, "POST /v1/streams/a/events HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc");

    assert_int_equal(a.status, 401);
    assert_string_equal(answer_header(&a, "WWW-Authenticate", v), "Bearer");
    assert_false(a.closes);
    free(a.body);
    a = with_token(*state, "POST /v1/streams/a/events", "publish:b", "Content-Length: 3\r\n\r\nabc");
    assert_int_equal(a.status, 403);
    assert_string_equal(answer_header(&a, "WWW-Authenticate", v), "Bearer error=\"insufficient_scope\"");
    free(a.body);
    assert_answer(with_token(*state, "POST /v1/streams/a/events", "publish:a", "Content-Length: 3\r\n\r\nabc"), 200, "abc");
    assert_int_equal(status_with(*state, "GET /v1/targets", "admin:a*", "\r\n"), 403);
    assert_int_equal(status_with(*state, "GET /v1/targets", "admin:*", "\r\n"), 200);
    assert_int_equal(status_with(*state, "GET /v1/streams", "publish:zzz", "\r\n"), 200);
    assert_int_equal(status_of(*state, "GET /v1/streams HTTP/1.1\r\n" HOST "Authorization: Bearer x.y.z\r\n\r\n"), 401);
}

static void keep_alive_and_pipelined_requests_are_answered_in_order(void **state)
{
    struct conn c;

    conn_open(&c, *state);
    for (int i = 0; i < 3; i++) {
        conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
                     "POST /blocking HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\ntwo"
                     "POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                     "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nthr\r\n2\r\nee\r\n0\r\n\r\n");
        assert_answer(conn_answer(&c), 200, "one");
        assert_answer(conn_answer(&c), 200, "two");
        struct answer a = conn_answer(&c);
        assert_int_equal(a.status, 404);
        free(a.body);
        assert_answer(conn_answer(&c), 200, "three");
    }
    conn_close(&c);
}

static void a_body_beyond_the_limit_is_413_and_the_connection_lives_if_it_was_small(void **state)
{
    struct conn c;
    struct answer a;
    char *body = calloc(1, 65537);

    assert_non_null(body);
    conn_open(&c, *state);
    conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n");
    conn_send(&c, body, 65537);
    a = conn_answer(&c);
    assert_int_equal(a.status, 413);
    assert_false(a.closes);
    free(a.body);
    conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10001\r\n");
    conn_send(&c, body, 65537);
    conn_say(&c, "\r\n0\r\n\r\n");
    a = conn_answer(&c);
    assert_int_equal(a.status, 413);
    free(a.body);
    conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nok");
    assert_answer(conn_answer(&c), 200, "ok");
    conn_close(&c);
    free(body);
}

static void a_client_that_asks_first_gets_413_instead_of_100(void **state)
{
    struct conn c;

    conn_open(&c, *state);
    conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999\r\nExpect: 100-continue\r\n\r\n");
    assert_true(conn_until(&c, "\r\n\r\n"));
    assert_memory_equal(c.in, "HTTP/1.1 413", 12);
    conn_close(&c);
    conn_open(&c, *state);
    conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_true(conn_until(&c, "100 Continue"));
    conn_say(&c, "ok");
    assert_answer(conn_answer(&c), 200, "ok");
    conn_close(&c);
}

static void a_large_refused_body_still_gets_its_answer(void **state)
{
    struct conn c;
    struct answer a;
    size_t n = 8 << 20;
    char *body = calloc(1, n);

    assert_non_null(body);
    conn_open(&c, *state);
    conn_say(&c, "POST /blocking HTTP/1.1\r\n" HOST "Content-Length: 8388608\r\n\r\n");
    conn_send(&c, body, n);
    a = conn_answer(&c);
    assert_int_equal(a.status, 413);
    assert_true(a.closes);
    free(a.body);
    conn_close(&c);
    free(body);
}

static void a_body_where_none_is_taken_or_encoded_is_refused(void **state)
{
    assert_int_equal(status_of(*state, "GET /fails HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"), 413);
    assert_int_equal(status_of(*state, "GET /fails HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), 429);
    assert_int_equal(status_of(*state, "POST /echo HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"),
                     415);
}

static void hostile_requests_are_400_and_close(void **state)
{
    static const char *const hostile[] = {
        "GET /fails HTTP/1.1\r\n\r\n",
        "GET /fails HTTP/1.1\r\n" HOST HOST "\r\n",
        "GET /fails HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET http://weir.test/fails HTTP/1.1\r\n" HOST "\r\n",
        "GET * HTTP/1.1\r\n" HOST "\r\n",
        "CONNECT weir.test:80 HTTP/1.1\r\n" HOST "\r\n",
        "GET /fa\x01ls HTTP/1.1\r\n" HOST "\r\n",
        "GET /f\xc3\xa4ils HTTP/1.1\r\n" HOST "\r\n",
        "GET /fails HTTP/1.1\r\n" HOST "X-A: \xff\r\n\r\n",
        "GET /fails HTTP/1.1\r\n" HOST "X A: b\r\n\r\n",
        "GET /fails HTTP/1.1\r\n" HOST " folded: b\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Length: 0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    };

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct conn c;
        struct answer a;
        conn_open(&c, *state);
        conn_say(&c, hostile[i]);
        a = conn_answer(&c);
        if (a.status != 400 || !a.closes || !conn_closed(&c, 2000))
            fail_msg("request %zu: status %d, closes %d", i, a.status, a.closes);
        free(a.body);
        conn_close(&c);
    }
}

static void a_large_answer_arrives_whole_at_a_slow_reader(void **state)
{
    struct conn c;
    struct answer a;
    const int small = 4096;

    conn_open(&c, *state);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    conn_say(&c, "GET /big HTTP/1.1\r\n" HOST "\r\n");
    usleep(100000);
    a = conn_answer(&c);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_n, BIG_BYTES);
    assert_int_equal(strspn(a.body, "b"), BIG_BYTES);
    free(a.body);
    conn_close(&c);
}

static void a_full_pool_is_429(void **state)
{
    enum { N = 3 * (WORKERS + WORKER_QUEUE) };
    struct conn c[N];
    int ok = 0, overloaded = 0;

    for (int i = 0; i < N; i++) {
        conn_open(&c[i], *state);
        conn_say(&c[i], "POST /slow HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    }
    for (int i = 0; i < N; i++) {
        struct answer a = conn_answer(&c[i]);
        ok += a.status == 200;
        overloaded += a.status == 429;
        free(a.body);
        conn_close(&c[i]);
    }
    assert_int_equal(ok + overloaded, N);
    assert_true(ok >= WORKER_QUEUE && overloaded > 0);
}

static void trickle(struct fixture *f, const char *first)
{
    struct conn c;
    int64_t began = clock_mono_us();
    bool ended = false;

    conn_open(&c, f);
    for (int i = 0; i < 60 && !ended; i++) {
        conn_say(&c, i ? "x" : first);
        usleep(50000);
        ended = recv(c.fd, c.in, 12, MSG_DONTWAIT) == 12;
    }
    assert_true(ended);
    assert_memory_equal(c.in, "HTTP/1.1 408", 12);
    assert_true(clock_mono_us() - began >= 400000);
    conn_close(&c);
}

static void a_request_that_trickles_in_is_cut(void **state)
{
    trickle(*state, "GET /");
    trickle(*state, "GET /fails HTTP/1.1\r\nHost: ");
    trickle(*state, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n");
}

static void a_quiet_keep_alive_connection_is_not_cut_by_the_request_timeout(void **state)
{
    struct conn c;

    conn_open(&c, *state);
    conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n1");
    assert_answer(conn_answer(&c), 200, "1");
    usleep(1200000);
    conn_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n2");
    assert_answer(conn_answer(&c), 200, "2");
    conn_close(&c);
}

static void a_second_server_on_the_port_is_refused(void **state)
{
    struct fixture *f = *state;
    char err[512] = "";
    struct config config = f->config;
    const struct server_config c = { .config = &config, .auth = f->auth, .pool = f->pool, .routes = test_routes,
                                     .route_count = test_route_count };

    config.http_port = server_port(f->server);
    assert_null(server_start(&c, err));
    assert_non_null(strstr(err, "Address already in use"));
}

#define T(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_inline_route_answers_with_the_common_headers),
        T(a_request_id_is_taken_over_if_it_is_visible_ascii),
        T(path_query_trace_and_accept_reach_the_handler_decoded),
        T(an_error_becomes_a_problem_with_its_headers),
        T(methods_are_told_by_405_head_and_options),
        T(cors_is_for_listed_origins_only),
        T(rights_are_checked_before_the_body),
        T(keep_alive_and_pipelined_requests_are_answered_in_order),
        T(a_body_beyond_the_limit_is_413_and_the_connection_lives_if_it_was_small),
        T(a_client_that_asks_first_gets_413_instead_of_100),
        T(a_large_refused_body_still_gets_its_answer),
        T(a_body_where_none_is_taken_or_encoded_is_refused),
        T(hostile_requests_are_400_and_close),
        T(a_large_answer_arrives_whole_at_a_slow_reader),
        T(a_full_pool_is_429),
        T(a_request_that_trickles_in_is_cut),
        T(a_quiet_keep_alive_connection_is_not_cut_by_the_request_timeout),
        T(a_second_server_on_the_port_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
