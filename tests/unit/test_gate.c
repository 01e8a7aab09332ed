#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gateway/http/gate.h"

static struct gate begin(const char *method, const char *target, const char *version)
{
    struct gate g;

    gate_begin(&g, slice_of(method), slice_of(target), slice_of(version));
    return g;
}

static struct gate with_host(void)
{
    struct gate g = begin("GET", "/v1?x=1", "HTTP/1.1");

    gate_header(&g, SLICE("Host"), SLICE("weir.test:8080"));
    return g;
}

static enum err with_header(const char *name, const char *value)
{
    struct gate g = with_host();

    gate_header(&g, slice_of(name), slice_of(value));
    return gate_end(&g, NULL);
}

static void an_ordinary_request_passes_and_is_noted(void **state)
{
    struct gate g = with_host();

    (void)state;
    gate_header(&g, SLICE("content-length"), SLICE("42"));
    gate_header(&g, SLICE("AUTHORIZATION"), SLICE("Bearer x"));
    gate_header(&g, SLICE("Expect"), SLICE("100-Continue"));
    gate_header(&g, SLICE("X-Any"), SLICE("a\tb \"c\""));
    gate_header(&g, SLICE("X-Any"), SLICE("again"));
    assert_int_equal(gate_end(&g, NULL), OK);
    assert_int_equal(g.content_length, 42);
    assert_true(slice_is(g.authorization, "Bearer x"));
    assert_true(g.expect_continue);
    g = begin("GET", "/", "HTTP/1.0");
    assert_int_equal(gate_end(&g, NULL), OK); /* no Host needed */
}

static void headers_that_come_once_may_not_come_twice(void **state)
{
    static const char *const once[] = { "Host", "Content-Length", "Authorization", "Content-Type", "Idempotency-Key",
                                        "Content-Encoding", "Origin", "Expect" };

    (void)state;
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        struct gate g = with_host();
        struct slice value = strcmp(once[i], "Expect") == 0 ? SLICE("100-continue") : SLICE("1");
        if (i)
            gate_header(&g, slice_of(once[i]), value);
        assert_int_equal(gate_end(&g, NULL), OK);
        gate_header(&g, slice_of(once[i]), value);
        assert_int_equal(gate_end(&g, NULL), ERR_BAD_REQUEST);
    }
}

static void request_lines_are_strict(void **state)
{
    static const char *const bad[][3] = {
        { "CONNECT", "weir.test:80", "HTTP/1.1" }, { "OPTIONS", "*", "HTTP/1.1" },    { "GET", "http://a/b", "HTTP/1.1" },
        { "GET", "", "HTTP/1.1" },                 { "GET", "/a b", "HTTP/1.1" },     { "GET", "/a#b", "HTTP/1.1" },
        { "GET", "/\x7f", "HTTP/1.1" },            { "GET", "/\xc3\xa4", "HTTP/1.1" }, { "G(T", "/", "HTTP/1.1" },
        { "", "/", "HTTP/1.1" },                   { "GET", "/", "HTTP/1.2" },        { "GET", "/", "HTTP/2.0" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gate g = begin(bad[i][0], bad[i][1], bad[i][2]);
        gate_header(&g, SLICE("Host"), SLICE("a"));
        assert_int_equal(gate_end(&g, NULL), ERR_BAD_REQUEST);
    }
}

static void hosts_are_a_name_or_address_with_an_optional_port(void **state)
{
    static const char *const good[] = { "a", "weir.example:80", "127.0.0.1", "[::1]", "[::ffff:1.2.3.4]:8080", "a:",
                                        "xn--1.a_b" };
    static const char *const bad[] = { "", ":80", "a/b", "a b", "u@a", "a:b", "a:70000", "[::1", "[]", "[::1]x", "a,b",
                                       "[a.b]x:1", "a?b", "a%41", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[fe80::1%eth0]",
                                       "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", "a:1:2", "[::1]:-1" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct gate g = begin("GET", "/", "HTTP/1.1");
        gate_header(&g, SLICE("Host"), slice_of(good[i]));
        assert_int_equal(gate_end(&g, NULL), OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gate g = begin("GET", "/", "HTTP/1.1");
        gate_header(&g, SLICE("Host"), slice_of(bad[i]));
        assert_int_equal(gate_end(&g, NULL), ERR_BAD_REQUEST);
    }
    struct gate none = begin("GET", "/", "HTTP/1.1");
    assert_int_equal(gate_end(&none, NULL), ERR_BAD_REQUEST);
}

static void header_bytes_are_visible_ascii(void **state)
{
    (void)state;
    assert_int_equal(with_header("X-A", "fine"), OK);
    assert_int_equal(with_header("X A", "v"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("X-A ", "v"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("", "v"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("X-A", "\x01"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("X-A", "a\rb"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("X-A", "\xc3\xa4"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("X-A", "\x7f"), ERR_BAD_REQUEST);
}

static void only_100_continue_can_be_expected(void **state)
{
    (void)state;
    assert_int_equal(with_header("Expect", "100-continue"), OK);
    assert_int_equal(with_header("Expect", "100-continue, x"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Expect", "200-ok"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Expect", ""), ERR_BAD_REQUEST);
}

static void framing_is_unambiguous(void **state)
{
    struct gate g = with_host();

    (void)state;
    assert_int_equal(with_header("Content-Length", "1, 1"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Content-Length", "-1"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Content-Length", "0x1"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Content-Length", ""), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Content-Length", "9999999999999999999"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Transfer-Encoding", "gzip, chunked"), ERR_BAD_REQUEST);
    assert_int_equal(with_header("Transfer-Encoding", "Chunked"), OK);
    gate_header(&g, SLICE("Transfer-Encoding"), SLICE("chunked"));
    gate_header(&g, SLICE("Content-Length"), SLICE("0"));
    assert_int_equal(gate_end(&g, NULL), ERR_BAD_REQUEST);
    g = begin("POST", "/", "HTTP/1.0");
    gate_header(&g, SLICE("Transfer-Encoding"), SLICE("chunked"));
    assert_int_equal(gate_end(&g, NULL), ERR_BAD_REQUEST);
}

#define TRACE "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void traceparents_follow_the_w3c_grammar(void **state)
{
    struct gate g = with_host();

    (void)state;
    assert_true(traceparent_valid(SLICE("00-" TRACE)));
    assert_true(traceparent_valid(SLICE("cc-" TRACE "-what-comes")));
    assert_false(traceparent_valid(SLICE("00-" TRACE "-what-comes")));
    assert_false(traceparent_valid(SLICE("cc-" TRACE "x")));
    assert_false(traceparent_valid(SLICE("ff-" TRACE)));
    assert_false(traceparent_valid(SLICE("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")));
    assert_false(traceparent_valid(SLICE("00-00000000000000000000000000000000-b7ad6b7169203331-01")));
    assert_false(traceparent_valid(SLICE("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")));
    assert_false(traceparent_valid(SLICE("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0")));
    assert_false(traceparent_valid(SLICE_NONE));
    gate_header(&g, SLICE("traceparent"), SLICE("00-" TRACE));
    assert_true(traceparent_valid(g.traceparent));
    gate_header(&g, SLICE("traceparent"), SLICE("00-" TRACE));
    assert_false(traceparent_valid(g.traceparent));
}

static void request_ids_are_1_to_128_visible_characters(void **state)
{
    char s[130];

    (void)state;
    memset(s, 'a', sizeof s);
    assert_true(request_id_valid((struct slice){ s, 1 }));
    assert_true(request_id_valid((struct slice){ s, 128 }));
    assert_false(request_id_valid((struct slice){ s, 129 }));
    assert_false(request_id_valid(SLICE("")));
    assert_false(request_id_valid(SLICE("a b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_request_passes_and_is_noted),
        cmocka_unit_test(headers_that_come_once_may_not_come_twice),
        cmocka_unit_test(request_lines_are_strict),
        cmocka_unit_test(hosts_are_a_name_or_address_with_an_optional_port),
        cmocka_unit_test(header_bytes_are_visible_ascii),
        cmocka_unit_test(only_100_continue_can_be_expected),
        cmocka_unit_test(framing_is_unambiguous),
        cmocka_unit_test(traceparents_follow_the_w3c_grammar),
        cmocka_unit_test(request_ids_are_1_to_128_visible_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
