/* The client of outbound calls against a server that misbehaves: what each end is taken for, what is sent, and what the guard stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/outbound_trial.h"

static void each_end_is_what_it_is_taken_for(void **state)
{
    static const struct {
        const char *url;
        int64_t timeout_us;
        enum outbound_class class;
        bool unknown;
        int status;
        const char *result, *error;
    } v[] = {
        { "/ok", 0, OUTBOUND_OK, false, 200, "{\"id\": 7}", "" },
        { "/text", 0, OUTBOUND_OK, false, 201, "\"created\"", "" },
        { "/none", 0, OUTBOUND_OK, false, 204, "null", "" },
        { "/early", 0, OUTBOUND_OK, false, 200, "{}", "" },
        { "/202", 0, OUTBOUND_NOT_YET, true, 202, "", "status" },
        { "/422", 0, OUTBOUND_FAILED, false, 422, "", "status" },
        { "/409", 0, OUTBOUND_FAILED, false, 409, "", "status" },
        { "/500", 0, OUTBOUND_AGAIN, true, 500, "", "status" },
        { "/503", 0, OUTBOUND_AGAIN, false, 503, "", "status" },
        { "/redirect", 0, OUTBOUND_AGAIN, false, 302, "", "status" },
        { "/close", 0, OUTBOUND_AGAIN, true, 0, "", "broken" },
        { "/half", 0, OUTBOUND_AGAIN, true, 200, "", "broken" },
        { "/garbage", 0, OUTBOUND_AGAIN, true, 0, "", "broken" },
        { "/large", 0, OUTBOUND_AGAIN, true, 200, "", "too-large" },
        { "/large-error", 0, OUTBOUND_FAILED, false, 422, "", "status" },
        { "/headers", 0, OUTBOUND_AGAIN, true, 200, "", "too-large" },
        { "/header", 0, OUTBOUND_AGAIN, true, 200, "", "too-large" },
        { "/hang", 100 * US_PER_MS, OUTBOUND_AGAIN, true, 0, "", "timeout" },
        { "/trickle", US_PER_S, OUTBOUND_AGAIN, true, 200, "", "timeout" },
        { "http://127.0.0.1:1/", 0, OUTBOUND_AGAIN, false, 0, "", "connect" },
        { "http://no-such-host.invalid/", 0, OUTBOUND_AGAIN, false, 0, "", "name" },
    };
    static struct trial t[sizeof v / sizeof *v];
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });
    const size_t n = sizeof v / sizeof *v;
    char type[40];

    (void)state;
    for (size_t i = 0; i < n; i++) {
        t[i].call.timeout_us = v[i].timeout_us;
        send_to(client, &t[i], v[i].url);
    }
    for (size_t i = 0; i < n; i++) {
        const struct outbound_answer *a = &t[i].answer;

        wait_for(&t[i]);
        snprintf(type, sizeof type, "{\"type\":\"%s\"", v[i].error);
        if (a->class != v[i].class || a->unknown != v[i].unknown || a->status != v[i].status || strcmp(t[i].result, v[i].result) ||
            (*v[i].error ? strncmp(t[i].error, type, strlen(type)) : *t[i].error))
            fail_msg("%s: class %d, unknown %d, status %d, result %s, error %s", v[i].url, a->class, a->unknown, a->status,
                     t[i].result, t[i].error);
        assert_true(a->ended_us >= a->begun_us && a->begun_us > 0);
    }
    assert_true(t[8].answer.retry_after_us == 7 * US_PER_S);
    assert_int_equal(t[3].answer.retry_after_us, -1); /* that of a 103 is not the answer's */
    assert_string_equal(t[5].shown, "{\"status\":422,\"content_type\":\"application/json\",\"body\":{\"why\":\"sold out\"}}");
    assert_non_null(strstr(t[14].shown, "\"cut\":true"));
    outbound_client_stop(client);
}

static int connections(void)
{
    int n;

    pthread_mutex_lock(&server.lock);
    n = server.connections;
    pthread_mutex_unlock(&server.lock);
    return n;
}

static void the_guard_knows_loopback_by_all_its_names(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "0.0.0.0", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::]" };
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = false });
    int before;

    (void)state;
    before = connections();
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct trial t = { .done = false };
        char url[200];

        snprintf(url, sizeof url, "http://%s:%d/ok", hosts[i], server.port);
        send_to(client, &t, url);
        wait_for(&t);
        if (t.answer.class != OUTBOUND_FAILED || t.answer.unknown || !strstr(t.error, "\"blocked\""))
            fail_msg("%s: %d %s", url, t.answer.class, t.error);
    }
    outbound_client_stop(client);
    assert_int_equal(connections(), before);
}

static void a_kept_connection_does_not_outlive_its_permission(void **state)
{
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = false });
    struct outbound_file *without = file, *with;
    char text[100], err[512];
    int before;

    (void)state;
    snprintf(text, sizeof text, "{\"targets\":{\"http://127.0.0.1:%d\":{\"allow_private\":true}}}", server.port);
    assert_non_null(with = outbound_file_parse(slice_of(text), look_up, NULL, err));
    for (int i = 0; i < 4; i++) {
        struct trial t = { .done = false };

        file = i == 2 ? without : with;
        send_to(client, &t, "/ok");
        wait_for(&t);
        if (i == 0)
            before = connections();
        if (i == 1)
            assert_int_equal(connections(), before); /* it is kept */
        if (i == 2)
            assert_true(t.answer.class == OUTBOUND_FAILED && !t.answer.unknown && strstr(t.error, "\"blocked\""));
        else
            assert_int_equal(t.answer.class, OUTBOUND_OK);
    }
    outbound_client_stop(client);
    file = without;
    outbound_file_free(with);
}

static void only_hosts_that_are_listed_are_called(void **state)
{
    struct outbound_client *client =
        client_with((struct outbound_client_config){ .allow_private = true, .allow_hosts = " a.example  127.0.* " });
    struct trial listed = { .done = false }, other = { .done = false };

    (void)state;
    send_to(client, &listed, "/ok");
    send_to(client, &other, "http://localhost:1/");
    wait_for(&listed);
    wait_for(&other);
    assert_int_equal(listed.answer.class, OUTBOUND_OK);
    assert_int_equal(other.answer.class, OUTBOUND_FAILED);
    assert_non_null(strstr(other.error, "\"blocked\""));
    outbound_client_stop(client);
}

static bool sent(const char *line)
{
    bool found;

    pthread_mutex_lock(&server.lock);
    found = strstr(server.last, line);
    pthread_mutex_unlock(&server.lock);
    return found;
}

static void the_request_is_signed_and_has_its_key(void **state)
{
    const struct outbound_header headers[] = { { SLICE("X-Tenant"), SLICE("a b") }, { SLICE("X-Empty"), SLICE("") } };
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });
    struct trial t = { .call = { .headers = headers, .header_n = 2, .body = SLICE("{\"a\":1}"),
                                 .key = SLICE("orders/o 1/reserve/action"),
                                 .traceparent = SLICE("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") } };

    (void)state;
    send_to(client, &t, "/echo");
    wait_for(&t);
    assert_int_equal(t.answer.class, OUTBOUND_OK);
    assert_true(sent("POST /echo HTTP/1.1\r\n"));
    assert_true(sent("\r\nX-Tenant: a b\r\n"));
    assert_true(sent("\r\nX-Empty:\r\n"));
    assert_true(sent("\r\nContent-Type: application/json\r\n"));
    assert_true(sent("\r\nContent-Length: 7\r\n"));
    assert_true(sent("\r\nIdempotency-Key: orders/o%201/reserve/action\r\n"));
    assert_true(sent("\r\nwebhook-id: orders/o%201/reserve/action\r\n"));
    assert_true(sent("\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
    assert_true(sent("\r\nwebhook-signature: v1,"));
    assert_true(sent("\r\n\r\n{\"a\":1}"));
    assert_false(sent("Expect"));
    assert_false(sent("Accept-Encoding"));
    outbound_client_stop(client);
}

static void a_header_cannot_bring_another_one(void **state)
{
    static const char *const values[] = { "a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b" };
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct outbound_header h = { SLICE("X-Note"), { values[i], i == 3 ? 3 : strlen(values[i]) } };
        struct trial t = { .call = { .headers = &h, .header_n = 1 } };

        send_to(client, &t, "/echo");
        wait_for(&t);
        assert_int_equal(t.answer.class, OUTBOUND_FAILED);
        assert_non_null(strstr(t.error, "bad-request"));
    }
    outbound_client_stop(client);
}

static void what_is_echoed_of_secrets_is_not_shown(void **state)
{
    const struct outbound_header h = { SLICE("Authorization"), SLICE("Bearer sk-secret-1") };
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });
    struct trial t = { .call = { .headers = &h, .header_n = 1 } };

    (void)state;
    send_to(client, &t, "/echo");
    wait_for(&t);
    assert_true(sent("Bearer sk-secret-1"));
    assert_non_null(strstr(t.result, "Bearer ***********"));
    assert_null(strstr(t.result, "sk-secret"));
    assert_null(strstr(t.shown, "sk-secret"));
    outbound_client_stop(client);
}

static void neither_a_cut_answer_nor_its_type_shows_a_secret(void **state)
{
    static const char *const shown[] = {
        "{\"status\":422,\"content_type\":\"text/***********\",\"body\":{\"sent\":\"***********\"}}",
        "{\"status\":422,\"content_type\":\"text/***********\",\"body\":\"{\\\"sent\\\":\\\"*******\",\"cut\":true}",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct outbound_client *client =
            client_with((struct outbound_client_config){ .allow_private = true, .answer_bytes = i ? 16 : 65536 });
        struct trial t = { .done = false };

        send_to(client, &t, "/leak");
        wait_for(&t);
        assert_string_equal(t.shown, shown[i]);
        outbound_client_stop(client);
    }
}

static void proxies_of_the_environment_are_not_used(void **state)
{
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });
    struct trial t = { .done = false };
    char proxy[64];

    (void)state;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", server.port);
    setenv("http_proxy", proxy, 1);
    setenv("ALL_PROXY", proxy, 1);
    send_to(client, &t, "http://127.0.0.1:1/ok");
    wait_for(&t);
    assert_int_equal(t.answer.class, OUTBOUND_AGAIN);
    assert_non_null(strstr(t.error, "\"connect\""));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    outbound_client_stop(client);
}

static void what_runs_at_the_end_is_aborted(void **state)
{
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });
    struct trial t = { .done = false };

    (void)state;
    send_to(client, &t, "/hang");
    assert_false(outbound_client_drain(client, clock_mono_us() + 200 * US_PER_MS));
    outbound_client_stop(client);
    wait_for(&t);
    assert_true(t.answer.aborted && t.answer.unknown);
    assert_int_equal(t.answer.class, OUTBOUND_AGAIN);
}

/* Connections are kept: as many as there are calls at once, not as there are calls. */
static void many_calls_run_at_once(void **state)
{
    enum { CALLS = 500 };
    struct outbound_client *client = client_with((struct outbound_client_config){ .allow_private = true });
    struct trial *t = calloc(CALLS, sizeof *t);
    int before;

    (void)state;
    before = connections();
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < CALLS / 4; i++)
            send_to(client, &t[round * CALLS / 4 + i], i % 5 ? "/ok" : "/422");
        for (int i = 0; i < CALLS / 4; i++)
            wait_for(&t[round * CALLS / 4 + i]);
    }
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(t[i].answer.class, i % (CALLS / 4) % 5 ? OUTBOUND_OK : OUTBOUND_FAILED);
    assert_true(outbound_client_drain(client, clock_mono_us() + 60 * US_PER_S));
    assert_true(connections() - before <= CALLS / 4 + 5);
    outbound_client_stop(client);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_is_what_it_is_taken_for),
        cmocka_unit_test(the_guard_knows_loopback_by_all_its_names),
        cmocka_unit_test(a_kept_connection_does_not_outlive_its_permission),
        cmocka_unit_test(only_hosts_that_are_listed_are_called),
        cmocka_unit_test(the_request_is_signed_and_has_its_key),
        cmocka_unit_test(a_header_cannot_bring_another_one),
        cmocka_unit_test(what_is_echoed_of_secrets_is_not_shown),
        cmocka_unit_test(neither_a_cut_answer_nor_its_type_shows_a_secret),
        cmocka_unit_test(proxies_of_the_environment_are_not_used),
        cmocka_unit_test(what_runs_at_the_end_is_aborted),
        cmocka_unit_test(many_calls_run_at_once),
    };

    return cmocka_run_group_tests(tests, trials_begin, trials_end);
}
