/* Outbound calls, what is pure of them: targets of URLs, the guard's addresses, what an answer means, signatures, the file, masking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "gateway/base/json.h"
#include "gateway/engine/outbound_address.h"
#include "gateway/engine/outbound_answer.h"
#include "gateway/engine/outbound_file.h"
#include "gateway/engine/outbound_mask.h"
#include "gateway/engine/outbound_sign.h"

#define N(v) (sizeof(v) / sizeof *(v))

struct url_row {
    const char *url, *target;    /* NULL: refused */
};

static void assert_targets(const struct url_row *v, size_t n)
{
    char target[OUTBOUND_TARGET_MAX];

    for (size_t i = 0; i < n; i++) {
        const char *why = NULL;
        bool good = outbound_target(slice_of(v[i].url), target, &why);

        if (good != (v[i].target != NULL))
            fail_msg("%s: %s", v[i].url, good ? target : why);
        if (good)
            assert_string_equal(target, v[i].target);
        else
            assert_non_null(why);
    }
}

static void a_url_names_one_target(void **state)
{
    static const struct url_row v[] = {
        { "https://Inventory.Example/reserve", "https://inventory.example" },
        { "HTTPS://inventory.example:443/a:b@c", "https://inventory.example" },
        { "http://inventory.example:80?x=@", "http://inventory.example" },
        { "http://inventory.example:8080#{{input.a}}", "http://inventory.example:8080" },
        { "http://10.0.0.1", "http://10.0.0.1" },
        { "https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443" },
        { "http://a_b.example/", "http://a_b.example" },
        { "ftp://a/", NULL },
        { "//a/", NULL },
        { "", NULL },
        { "http://", NULL },
        { "http:///path", NULL },
        { "http://:80/", NULL },
        { "http://user@host/", NULL },
        { "http://user:pass@host/", NULL },
        { "http://host:0/", NULL },
        { "http://host:65536/", NULL },
        { "http://host:/", NULL },
        { "http://host:80a/", NULL },
        { "http://host:000080/", NULL },
        { "http://{{input.host}}/", NULL },
        { "http://ho st/", NULL },
        { "http://host\r\n/", NULL },
        { "http://host%2f/", NULL },
        { "http://[::1/", NULL },
        { "http://[fe80::1%25eth0]/", NULL },
        { "http://[::1]a/", NULL },
        { "http://host\\@other/", NULL },
    };

    (void)state;
    assert_targets(v, N(v));
}

static void an_address_is_written_in_one_way(void **state)
{
    static const struct url_row v[] = {
        { "http://[2001:0DB8:0:0::0:1]/", "http://[2001:db8::1]" },
        { "http://[::FFFF:10.0.0.1]", "http://[::ffff:10.0.0.1]" },
        { "http://1.2.3.4.example./", "http://1.2.3.4.example." },
        { "http://x0x1.a1", "http://x0x1.a1" },
        { "http://127.1/", NULL },
        { "http://2130706433/", NULL },
        { "http://0x7f000001", NULL },
        { "http://0X7F.1", NULL },
        { "http://127.0.0.0x1", NULL },
        { "http://0177.0.0.1/", NULL },
        { "http://127.0.0.1./", NULL },
        { "http://1.2.3.256/", NULL },
        { "http://a.example.1:80/", NULL },
        { "http://[1::2::3]/", NULL },
        { "http://[127.0.0.1]/", NULL },
    };

    (void)state;
    assert_targets(v, N(v));
}

static void headers_that_frame_a_request_are_not_set_by_definitions(void **state)
{
    static const char *const good[] = { "Authorization", "X-Tenant", "Content-Type", "Accept",
                                        "accept-language", "Cookie", "ce-id", "Webhook", "te-st" };
    static const char *const bad[] = { "Host", "content-length", "Transfer-Encoding", "Connection", "Idempotency-Key",
                                       "traceparent", "webhook-id", "WEBHOOK-Signature", "Proxy-Authorization", "Expect", "TE",
                                       "Upgrade",
                                       "", "a b", "a:b", "a\r\nb", "\xc3\xa4" };

    (void)state;
    for (size_t i = 0; i < N(good); i++)
        assert_true(outbound_header_good(slice_of(good[i])));
    for (size_t i = 0; i < N(bad); i++)
        assert_false(outbound_header_good(slice_of(bad[i])));
    assert_true(outbound_method_good(SLICE("PATCH")));
    assert_false(outbound_method_good(SLICE("CONNECT")));
    assert_false(outbound_method_good(SLICE("get")));
}

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return outbound_address_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return outbound_address_public((const struct sockaddr *)&v6);
}

/* The edges of each block of IANA's registries. */
static void only_addresses_of_the_internet_are_public(void **state)
{
    static const char *const open[] = {
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", "2000::1", "2001:200::", "2606:4700::1111", "2a00::", "3ffe::",
        "3fff:1000::", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    };
    static const char *const closed[] = {
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
        "168.63.129.16",
        "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.0",
        "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::",
        "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::8.8.8.8",
        "100::1", "2001::1", "2001:1ff:ffff::", "2001:db8::1", "2002:7f00:1::", "3fff::1",
        "5f00::1", "fc00::1", "fdff::1", "fe80::1",
        "fec0::1", "ff02::1", "4000::",
    };
    const struct sockaddr local = { .sa_family = AF_UNIX };

    (void)state;
    for (size_t i = 0; i < N(open); i++)
        if (!is_public(open[i]))
            fail_msg("%s is public", open[i]);
    for (size_t i = 0; i < N(closed); i++)
        if (is_public(closed[i]))
            fail_msg("%s is not public", closed[i]);
    assert_false(outbound_address_public(&local));
}

static void an_answer_means_what_the_contract_says(void **state)
{
    static const struct {
        enum outbound_end end;
        int status;
        int64_t retry_after_us;
        bool sent, before, unknown;
        enum outbound_class class;
        enum breaker_outcome breaker;
    } v[] = {
        { OUTBOUND_WHOLE, 200, -1, true, false, false, OUTBOUND_OK, BREAKER_GOOD },
        { OUTBOUND_WHOLE, 204, -1, true, false, false, OUTBOUND_OK, BREAKER_GOOD },
        { OUTBOUND_WHOLE, 202, -1, true, false, false, OUTBOUND_OK, BREAKER_GOOD },
        { OUTBOUND_WHOLE, 202, 0, true, false, true, OUTBOUND_NOT_YET, BREAKER_GOOD },
        { OUTBOUND_WHOLE, 425, -1, true, false, true, OUTBOUND_NOT_YET, BREAKER_GOOD },
        { OUTBOUND_WHOLE, 422, -1, true, true, false, OUTBOUND_FAILED, BREAKER_DECIDED },
        { OUTBOUND_WHOLE, 409, -1, true, false, false, OUTBOUND_FAILED, BREAKER_DECIDED },
        { OUTBOUND_WHOLE, 409, -1, true, true, false, OUTBOUND_AGAIN, BREAKER_DECIDED },
        { OUTBOUND_WHOLE, 301, -1, true, false, false, OUTBOUND_AGAIN, BREAKER_NEITHER },
        { OUTBOUND_WHOLE, 404, -1, true, false, false, OUTBOUND_AGAIN, BREAKER_NEITHER },
        { OUTBOUND_WHOLE, 429, 5, true, false, false, OUTBOUND_AGAIN, BREAKER_NEITHER },
        { OUTBOUND_WHOLE, 500, -1, true, false, true, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_WHOLE, 503, -1, true, false, true, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_WHOLE, 503, 5, true, false, false, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_LATE, 0, -1, false, false, false, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_LATE, 0, -1, true, false, true, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_BROKEN, 200, -1, true, false, true, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_NO_CONNECTION, 0, -1, false, false, false, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_NO_NAME, 0, -1, false, false, false, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_NO_TLS, 0, -1, false, false, false, OUTBOUND_AGAIN, BREAKER_BAD },
        { OUTBOUND_TOO_LARGE, 200, -1, true, false, true, OUTBOUND_AGAIN, BREAKER_NEITHER },
        { OUTBOUND_REFUSED_ADDRESS, 0, -1, false, false, false, OUTBOUND_FAILED, BREAKER_VOID },
        { OUTBOUND_REFUSED_HOST, 0, -1, false, false, false, OUTBOUND_FAILED, BREAKER_VOID },
        { OUTBOUND_REFUSED_HEADER, 0, -1, false, false, false, OUTBOUND_FAILED, BREAKER_VOID },
        { OUTBOUND_SHORT, 0, -1, false, false, false, OUTBOUND_AGAIN, BREAKER_VOID },
        { OUTBOUND_SHORT, 200, -1, true, false, true, OUTBOUND_AGAIN, BREAKER_VOID },
        { OUTBOUND_ABORTED, 0, -1, true, false, true, OUTBOUND_AGAIN, BREAKER_VOID },
    };

    (void)state;
    for (size_t i = 0; i < N(v); i++) {
        const struct outbound_came came = { v[i].end, v[i].sent, v[i].status, v[i].retry_after_us };
        struct outbound_answer a = { .class = OUTBOUND_OK };
        enum breaker_outcome o = outbound_judge(&came, v[i].before, &a);

        if (a.class != v[i].class || a.unknown != v[i].unknown || o != v[i].breaker || a.aborted != (v[i].end == OUTBOUND_ABORTED))
            fail_msg("row %zu: class %d, unknown %d, breaker %d", i, a.class, a.unknown, o);
    }
}

static void retry_after_is_seconds_or_a_date_and_an_hour_at_most(void **state)
{
    const int64_t now = INT64_C(784111700) * 1000000; /* Sun, 06 Nov 1994 08:48:20 GMT */
    static const struct {
        const char *text;
        int64_t s;
    } v[] = {
        { "0", 0 }, { "120", 120 }, { " 7 ", 7 }, { "3600", 3600 }, { "3601", 3600 }, { "99999999999999999999999", 3600 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 77 }, { "Sun, 06 Nov 1994 08:00:00 GMT", 0 }, { "Mon, 07 Nov 1994 08:00:00 GMT", 3600 },
    };
    static const char *const bad[] = { "", " ", "-1", "1.5", "soon", "Sun, 06 Nox 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 25:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT", "1e3" };

    (void)state;
    for (size_t i = 0; i < N(v); i++)
        assert_int_equal(outbound_retry_after(slice_of(v[i].text), now), v[i].s * 1000000);
    for (size_t i = 0; i < N(bad); i++)
        assert_int_equal(outbound_retry_after(slice_of(bad[i]), now), -1);
}

static void a_body_becomes_a_result(void **state)
{
    static const struct {
        const char *body, *result;
    } v[] = {
        { "{\"id\": 1.10}\r\n", "{\"id\": 1.10}" }, { "", "null" }, { "12", "12" }, { "created", "\"created\"" },
        { "{\"a\":", "\"{\\\"a\\\":\"" }, { "\xff\xfe", "null" }, { "{\"a\":\"\\u0000\"}", "{\"a\":\"\\u0000\"}" },
    };
    struct buf b = { 0 };

    (void)state;
    for (size_t i = 0; i < N(v); i++) {
        buf_reset(&b);
        outbound_put_result(&b, slice_of(v[i].body));
        buf_char(&b, '\0');
        assert_string_equal(b.p, v[i].result);
    }
    buf_free(&b);
}

static void an_answer_that_is_shown_is_bounded_and_json(void **state)
{
    const struct outbound_came came = { OUTBOUND_WHOLE, true, 500, -1 };
    static char large[OUTBOUND_SHOWN_BYTES + 3];
    struct buf b = { 0 };
    struct json j;
    struct slice raw;

    (void)state;
    outbound_put_answer(&b, &came, SLICE("application/json"), SLICE("{\"why\":\"no\"}"), false);
    buf_char(&b, '\0');
    assert_string_equal(b.p, "{\"status\":500,\"content_type\":\"application/json\",\"body\":{\"why\":\"no\"}}");
    memset(large, 'x', sizeof large);
    memcpy(large + OUTBOUND_SHOWN_BYTES - 1, "\xc3\xa4", 2); /* the bound is in the middle of a character */
    buf_reset(&b);
    outbound_put_answer(&b, &came, SLICE(""), (struct slice){ large, sizeof large }, false);
    json_begin(&j, (struct slice){ b.p, b.n }, 8);
    assert_true(json_value(&j, &raw) && json_end(&j));
    assert_true(b.n < OUTBOUND_SHOWN_BYTES + 64);
    assert_non_null(memmem(b.p, b.n, "\"cut\":true", 10));
    buf_free(&b);
}

/* The example of the specification's own libraries. */
static void a_signature_is_that_of_standard_webhooks(void **state)
{
    struct arena *a = arena_new(4096);
    struct slice key[2];
    struct buf b = { 0 };

    (void)state;
    assert_true(outbound_key_parse(SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), a, &key[0]));
    key[1] = key[0];
    outbound_sign(&b, key, 1, SLICE("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330, SLICE("{\"test\": 2432232314}"));
    buf_char(&b, '\0');
    assert_string_equal(b.p, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    buf_reset(&b);
    outbound_sign(&b, key, 2, SLICE("x"), 1, SLICE_NONE);
    assert_int_equal(b.n, 2 * 47 + 1);
    assert_false(outbound_key_parse(SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), a, &key[0]));
    assert_false(outbound_key_parse(SLICE("whsec_dG9vIHNob3J0"), a, &key[0]));
    assert_false(outbound_key_parse(SLICE("whsec_????"), a, &key[0]));
    buf_free(&b);
    arena_free(a);
}

static void an_id_is_fit_for_a_header(void **state)
{
    struct buf b = { 0 };

    (void)state;
    outbound_id(&b, SLICE("orders.v1/o 1\xc3\xa4%/reserve/action\r\n"));
    buf_char(&b, '\0');
    assert_string_equal(b.p, "orders.v1/o%201%C3%A4%25/reserve/action%0D%0A");
    buf_free(&b);
}

static bool look_up(void *arg, bool is_file, struct slice name, struct arena *a, struct slice *ret, char why[200])
{
    (void)arg;
    snprintf(why, 200, "there is no %s", is_file ? "file" : "variable");
    if (slice_is(name, "SIGN"))
        *ret = arena_slice(a, SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    else if (slice_is(name, "KEY"))
        *ret = arena_slice(a, SLICE("sk/live \"1\""));
    else if (slice_is(name, "ODD"))
        *ret = arena_slice(a, SLICE("&\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80+<"));
    else if (slice_is(name, "PIN"))
        *ret = arena_slice(a, SLICE("pin"));
    else
        return false;
    return true;
}

static void the_file_says_what_targets_may_have(void **state)
{
    struct outbound_file *f;
    const struct outbound_rules *r;
    const char *why;
    char err[512];

    (void)state;
    f = outbound_file_parse(SLICE("{\"targets\":{\"https://A.example:443\":{\"signing_secret\":[{\"env\":\"SIGN\"},"
                                  "{\"env\":\"SIGN\"}],\"concurrency\":16,\"rate\":\"90/m\"},"
                                  "\"http://10.0.0.1:81\":{\"allow_private\":true}},"
                                  "\"secrets\":{\"key\":{\"env\":\"KEY\","
                                  "\"hosts\":[\"*.example\",\"https://pay.test:8443\"]}}}"), look_up, NULL, err);
    assert_non_null(f);
    r = outbound_file_rules(f, SLICE("https://a.example"));
    assert_int_equal(r->concurrency, 16);
    assert_true(r->rate > 1.49 && r->rate < 1.51);
    assert_int_equal(r->key_n, 2);
    assert_int_equal(r->keys[1].n, 24);
    assert_false(r->allow_private);
    assert_true(outbound_file_rules(f, SLICE("http://10.0.0.1:81"))->allow_private);
    assert_null(outbound_file_rules(f, SLICE("https://b.example")));
    assert_non_null(outbound_file_secret(f, SLICE("key"), SLICE("http://x.example:8080"), &why));
    assert_non_null(outbound_file_secret(f, SLICE("key"), SLICE("https://pay.test:8443"), &why));
    assert_null(outbound_file_secret(f, SLICE("key"), SLICE("http://pay.test:8443"), &why));
    assert_null(outbound_file_secret(f, SLICE("key"), SLICE("https://x.example.evil.test"), &why));
    assert_null(outbound_file_secret(f, SLICE("other"), SLICE("https://x.example"), &why));
    outbound_file_free(outbound_file_ref(f));
    outbound_file_free(f);
}

static void the_file_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *why;
    } v[] = {
        { "", "not JSON" },
        { "[]", "form" },
        { "{\"target\":{}}", "form" },
        { "{\"targets\":{},\"targets\":{}}", "not JSON" },
        { "{\"targets\":[]}", "/targets: it is an object of at most 1000" },
        { "{\"targets\":{\"inventory\":{}}}", "/targets/inventory: it does not begin with http" },
        { "{\"targets\":{\"https://a/path\":{}}}", "/targets/https:~1~1a~1path: it is more than scheme" },
        { "{\"targets\":{\"https://a\":{},\"https://A:443\":{}}}", "/targets/https:~1~1A:443: it stands there twice" },
        { "{\"targets\":{\"https://a\":[]}}", "/targets/https:~1~1a: it is not an object" },
        { "{\"targets\":{\"https://a\":{\"concurency\":1}}}", "/targets/https:~1~1a/concurency: it is none of" },
        { "{\"targets\":{\"https://a\":{\"concurrency\":0}}}", "/concurrency: it is an integer from 1 to 10000" },
        { "{\"targets\":{\"https://a\":{\"rate\":\"0/s\"}}}", "/rate: it is a number" },
        { "{\"targets\":{\"https://a\":{\"rate\":\"5\"}}}", "/rate: it is a number" },
        { "{\"targets\":{\"https://a\":{\"rate\":\"5/d\"}}}", "/rate: it is a number" },
        { "{\"targets\":{\"https://a\":{\"allow_private\":1}}}", "/allow_private: it is true or false" },
        { "{\"targets\":{\"https://a\":{\"signing_secret\":\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"}}}",
          "/targets/https:~1~1a/signing_secret: a signing secret is" },
        { "{\"targets\":{\"https://a\":{\"signing_secret\":[{\"env\":\"SIGN\"},{\"env\":\"KEY\"}]}}}",
          "/signing_secret/1: what it" },
        { "{\"targets\":{\"https://a\":{\"signing_secret\":{\"file\":\"whsec_MfKQ\"}}}}",
          "/signing_secret/file: there is no file" },
        { "{\"targets\":{\"https://a\":{\"signing_secret\":[]}}}", "/signing_secret: it is one secret, or a list of at most 4" },
        { "{\"secrets\":{\"a\":{\"env\":\"KEY\"}}}", "/secrets/a: hosts is missing" },
        { "{\"secrets\":{\"a\":{\"env\":\"KEY\",\"hosts\":[]}}}", "/secrets/a/hosts: it is a list of 1 to 64" },
        { "{\"secrets\":{\"a\":{\"env\":\"whsec_MfKQ\",\"hosts\":[\"x\"]}}}", "/secrets/a/env: there is no variable" },
        { "{\"secrets\":{\"a\":{\"value\":\"sk/live\",\"hosts\":[\"x\"]}}}", "/secrets/a: it has one of env and file" },
        { "{\"secrets\":{\"a b\":{\"env\":\"KEY\",\"hosts\":[\"x\"]}}}", "/secrets/a b: a name is" },
        { "{\"secrets\":{\"a\":{\"env\":\"KEY\",\"hosts\":[\"x\",1]}}}", "/secrets/a/hosts/1: it is a string" },
    };
    char err[512];

    (void)state;
    for (size_t i = 0; i < N(v); i++) {
        struct outbound_file *f = outbound_file_parse(slice_of(v[i].text), look_up, NULL, err);

        if (f || !strstr(err, v[i].why) || strstr(err, "whsec_MfKQ") || strstr(err, "sk/live"))
            fail_msg("%s: %s", v[i].text, f ? "taken" : err);
    }
}

static struct outbound_file *file_of_secrets(void)
{
    char err[512];
    struct outbound_file *f = outbound_file_parse(
        SLICE("{\"secrets\":{\"key\":{\"env\":\"KEY\",\"hosts\":[\"a.example\"]},"
              "\"odd\":{\"env\":\"ODD\",\"hosts\":[\"a.example\"]},\"pin\":{\"env\":\"PIN\",\"hosts\":[\"a.example\"]}}}"),
        look_up, NULL, err);

    assert_non_null(f);
    return f;
}

static void what_a_target_echoes_of_its_secrets_is_masked(void **state)
{
    static const char *const forms[] = {
        "sk/live \"1\"", "sk/live \\\"1\\\"", "sk\\/live \\\"1\\\"", "sk/live \\\\\\\"1\\\\\\\"", "sk%2Flive%20%221%22",
        "sk%2flive%20%221%22", "sk%2Flive+%221%22", "\\u0073k\\u002Flive\\u0020\\u00221\\u0022",
        "sk\\\\u002flive \\\\\\\"1\\\\\\u0022",
        /* of "&ü€😀+<" */
        "&\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80+<", "\\u0026\\u00fc\\u20ac\\ud83d\\uDE00\\u002B\\u003c",
        "\\u0026\xc3\xbc\\u20AC\\\\ud83d\\\\ude00+\\u003C", "%26%C3%BC%e2%82%ac%F0%9F%98%80%2B%3c",
    };
    char text[200], before[200];
    struct outbound_file *f = file_of_secrets();

    (void)state;
    for (size_t i = 0; i < N(forms); i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "a %s b sk/live pin", forms[i]);

        strcpy(before, text);
        outbound_mask(f, SLICE("https://b.example"), text, n, false);
        assert_string_equal(text, before);
        outbound_mask(f, SLICE("https://a.example"), text, n, false);
        memset(before + 2, '*', strlen(forms[i]));
        assert_string_equal(text, before);
    }
    outbound_file_free(f);
}

/* However much of it is there, and whether or not the cut is within an escape. */
static void a_secret_that_is_cut_leaves_nothing_of_itself(void **state)
{
    static const char *const forms[] = { "sk/live \"1\"", "sk\\/live \\\"1\\\"", "sk\\\\u002flive \\\\\\\"1\\\\\\\"",
                                         "sk%2Flive%20%221%22" };
    char text[100], before[100];
    struct outbound_file *f = file_of_secrets();

    (void)state;
    for (size_t i = 0; i < N(forms); i++)
        for (size_t left = 1; left < strlen(forms[i]); left++) {
            size_t n = (size_t)snprintf(text, sizeof text, "a sk %.*s", (int)left, forms[i]);

            strcpy(before, text);
            outbound_mask(f, SLICE("https://a.example"), text, n, false);
            assert_string_equal(text, before);
            outbound_mask(f, SLICE("https://a.example"), text, n, true);
            memset(before + 5, '*', left);
            assert_string_equal(text, before);
        }
    outbound_file_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_names_one_target),
        cmocka_unit_test(an_address_is_written_in_one_way),
        cmocka_unit_test(headers_that_frame_a_request_are_not_set_by_definitions),
        cmocka_unit_test(only_addresses_of_the_internet_are_public),
        cmocka_unit_test(an_answer_means_what_the_contract_says),
        cmocka_unit_test(retry_after_is_seconds_or_a_date_and_an_hour_at_most),
        cmocka_unit_test(a_body_becomes_a_result),
        cmocka_unit_test(an_answer_that_is_shown_is_bounded_and_json),
        cmocka_unit_test(a_signature_is_that_of_standard_webhooks),
        cmocka_unit_test(an_id_is_fit_for_a_header),
        cmocka_unit_test(the_file_says_what_targets_may_have),
        cmocka_unit_test(the_file_is_refused_with_a_reason),
        cmocka_unit_test(what_a_target_echoes_of_its_secrets_is_masked),
        cmocka_unit_test(a_secret_that_is_cut_leaves_nothing_of_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
