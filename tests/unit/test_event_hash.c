#include "tests/unit/event_fixture.h"

#include <openssl/evp.h>
#include <pthread.h>

#define ID "{\"id\":\"i\",\"type\":\"t\""

static void fingerprint(const char *body, uint8_t ret[16])
{
    assert_parsed(parse(EVENT_JSON, body));
    assert_true(parsed.events.v->client_id);
    memcpy(ret, parsed.events.v->fingerprint, 16);
}

static void the_same_content_has_the_same_fingerprint(void **state)
{
    static const char *const rows[][2] = {
        { ID "}", "{\"specversion\":\"1.0\",\"type\":\"\\u0074\",\"id\":\"i\"}" },
        { ID "}", "{\"id\":\"other\",\"source\":\"/elsewhere\",\"type\":\"t\"}" },
        { ID ",\"time\":\"2020-01-01T00:00:00Z\"}", ID ",\"time\":\"2021-01-01T00:00:00Z\"}" },
        { ID "}", ID ",\"traceparent\":\"a\",\"tracestate\":\"b\",\"expectedversion\":3}" },
        { ID ",\"a\":1,\"b\":\"x\",\"ab\":true}", ID ",\"ab\":true,\"b\":\"\\u0078\",\"c\":null,\"a\":1}" },
        { ID ",\"subject\":\"\xc3\xa4\"}", ID ",\"subject\":\"\\u00e4\"}" },
        { ID ",\"data\":{\"a\":1}}", "{\"data\":{\"a\":1},\"type\":\"t\",\"id\":\"i\"}" },
        { ID ",\"data\":[1]}", ID ",\"data\": [1] ,\"offset\":\"9\",\"version\":4}" },
        { ID ",\"datacontenttype\":\"application/json\",\"data\":[1]}",
          ID ",\"datacontenttype\":\"application/json\",\"data_base64\":\"WzFd\"}" },
    };
    uint8_t a[16], b[16];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fingerprint(rows[i][0], a);
        fingerprint(rows[i][1], b);
        if (memcmp(a, b, 16) != 0)
            fail_msg("%s / %s", rows[i][0], rows[i][1]);
    }
}

static void other_content_has_another_fingerprint(void **state)
{
    static const char *const bodies[] = {
        ID "}",
        "{\"id\":\"i\",\"type\":\"u\"}",
        ID ",\"subject\":\"s\"}",
        ID ",\"partitionkey\":\"s\"}",
        ID ",\"datacontenttype\":\"s\"}",
        ID ",\"dataschema\":\"s\"}",
        ID ",\"foo\":\"s\"}",
        ID ",\"foo\":\"\"}",
        ID ",\"fo\":\"os\"}",
        ID ",\"foo\":1}",
        ID ",\"foo\":\"1\"}",
        ID ",\"foo\":true}",
        ID ",\"foo\":\"true\"}",
        ID ",\"foo\":true,\"bar\":true}",
        ID ",\"data\":null}",
        ID ",\"data\":[1]}",
        ID ",\"data\":[1 ]}",
        ID ",\"data\":\"AAAA\"}",
        ID ",\"data_base64\":\"\"}",
        ID ",\"data_base64\":\"AAAA\"}",
        ID ",\"data_base64\":\"WzFd\"}",
        ID ",\"correlationid\":\"c\"}",
        ID ",\"causationid\":\"c\"}",
    };
    enum { N = sizeof bodies / sizeof *bodies };
    uint8_t prints[N][16];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        fingerprint(bodies[i], prints[i]);
        for (size_t k = 0; k < i; k++)
            if (memcmp(prints[i], prints[k], 16) == 0)
                fail_msg("%s / %s", bodies[k], bodies[i]);
    }
}

static void long_content_counts_to_the_last_byte(void **state)
{
    static char body[9000];
    uint8_t first[16], other[16];

    (void)state;
    for (int n = 900; n < 8000; n += 700) {
        snprintf(body, sizeof body, ID ",\"foo\":\"%0*d\",\"data\":\"%0*d\"}", n / 8, 1, n, 1);
        fingerprint(body, first);
        snprintf(body, sizeof body, ID ",\"foo\":\"%0*d\",\"data\":\"%0*d\"}", n / 8, 1, n, 2);
        fingerprint(body, other);
        assert_memory_not_equal(first, other, 16);
        snprintf(body, sizeof body, ID ",\"foo\":\"%0*d\",\"data\":\"%0*d\"}", n / 8, 2, n, 1);
        fingerprint(body, other);
        assert_memory_not_equal(first, other, 16);
    }
}

static void the_key_is_sha_256_of_source_and_id(void **state)
{
    static const struct {
        const char *body;
        struct slice hashed;
    } rows[] = {
        { ID "}", { "/v1/streams/orders\0i", 20 } },
        { "{\"id\":\"i\",\"type\":\"t\",\"source\":\"/v1/streams/orders\"}", { "/v1/streams/orders\0i", 20 } },
        { "{\"id\":\"\\u0069\",\"type\":\"u\",\"source\":\"urn:x\",\"data\":1}", { "urn:x\0i", 7 } },
    };
    unsigned char digest[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_parsed(parse(EVENT_JSON, rows[i].body));
        assert_int_equal(EVP_Digest(rows[i].hashed.p, rows[i].hashed.n, digest, NULL, EVP_sha256(), NULL), 1);
        assert_memory_equal(parsed.events.v->key, digest, 16);
    }
}

static void uuids_are_of_version_7_and_grow(void **state)
{
    char last[37], now[37];
    int64_t us = INT64_C(4102444800000000); /* later than any other in this program: 2100 */

    (void)state;
    uuid7(us, last);
    assert_memory_equal(last, "03bb2cc3-d800-7", 15);
    for (int i = 0; i < 20000; i++) {
        us += i % 3 == 0 ? 250 : i % 3 == 1 ? 0 : -100;
        uuid7(us, now);
        assert_int_equal(strlen(now), 36);
        assert_int_equal(now[14], '7');
        assert_non_null(strchr("89ab", now[19]));
        for (size_t k = 0; k < 36; k++)
            assert_true(k == 8 || k == 13 || k == 18 || k == 23 ? now[k] == '-' : strchr("0123456789abcdef", now[k]) != NULL);
        assert_true(strcmp(last, now) < 0);
        memcpy(last, now, sizeof last);
    }
}

enum { THREADS = 4, EACH = 5000 };
static char made[THREADS][EACH][37];
static uint8_t prints[THREADS][16];

static void *make(void *arg)
{
    struct arena *a = arena_new(1 << 16);
    size_t t = *(size_t *)arg;
    struct events ret;

    for (size_t i = 0; i < EACH; i++)
        uuid7(NOW, made[t][i]);
    if (event_parse(a, SLICE("s"), EVENT_JSON, SLICE(ID "}"), SLICE_NONE, &limits, NOW, &ret, NULL) == OK)
        memcpy(prints[t], ret.v->fingerprint, 16);
    arena_free(a);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void threads_do_not_meet_in_an_id_and_agree_in_a_fingerprint(void **state)
{
    char(*all)[37] = made[0];
    pthread_t threads[THREADS];
    size_t numbers[THREADS];

    (void)state;
    for (size_t t = 0; t < THREADS; t++) {
        numbers[t] = t;
        assert_int_equal(pthread_create(&threads[t], NULL, make, &numbers[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    qsort(all, (size_t)THREADS * EACH, sizeof *all, compare);
    for (size_t i = 1; i < (size_t)THREADS * EACH; i++)
        assert_string_not_equal(all[i - 1], all[i]);
    for (size_t t = 0; t < THREADS; t++) {
        assert_memory_equal(prints[t], prints[0], 16);
        assert_memory_not_equal(prints[t], (uint8_t[16]){ 0 }, 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_content_has_the_same_fingerprint),
        cmocka_unit_test(other_content_has_another_fingerprint),
        cmocka_unit_test(long_content_counts_to_the_last_byte),
        cmocka_unit_test(the_key_is_sha_256_of_source_and_id),
        cmocka_unit_test(uuids_are_of_version_7_and_grow),
        cmocka_unit_test(threads_do_not_meet_in_an_id_and_agree_in_a_fingerprint),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    parsed_free();
    return failed;
}
