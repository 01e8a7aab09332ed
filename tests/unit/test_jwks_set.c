/* Key sets as issuers publish them: which keys are taken, how sets differ, discovery, Cache-Control. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/http/jwks_set.h"

#define ALL (1U << KEY_HS256 | 1U << KEY_RS256 | 1U << KEY_PS256 | 1U << KEY_ES256 | 1U << KEY_EDDSA)
#define ED "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define ED_OTHER "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw\""
#define EC                                                                                                                 \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                             \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define RSA                                                                                                                \
    "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""                                                                              \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"                 \
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"                 \
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"                 \
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\""

static struct jwks_set *parse(const char *text, unsigned algs)
{
    char why[KEY_WHY] = "";
    struct jwks_set *s = jwks_set_parse(slice_of(text), algs, why);

    assert_true(s || *why);
    return s;
}

static void keys_are_taken_or_passed_over_one_by_one(void **state)
{
    static const struct {
        const char *keys;
        unsigned algs;
        size_t taken, skipped;
    } rows[] = {
        { "", ALL, 0, 0 },
        { "{" RSA ",\"kid\":\"a\"}", ALL, 2, 0 },
        { "{" RSA ",\"kid\":\"a\",\"alg\":\"RS256\"}", ALL, 1, 0 },
        { "{" RSA ",\"kid\":\"a\",\"alg\":\"PS256\"}", 1U << KEY_RS256, 0, 1 },
        { "{" RSA ",\"kid\":\"a\"}", 1U << KEY_PS256, 1, 0 },
        { "{" RSA ",\"alg\":\"RS512\"}", ALL, 0, 1 },
        { "{" RSA ",\"alg\":7}", ALL, 0, 1 },
        { "{" RSA ",\"alg\":\"HS256\"}", ALL, 0, 1 },
        { "{" RSA ",\"alg\":\"ES256\"}", ALL, 0, 1 },
        { "{" EC "}", ALL, 1, 0 },
        { "{" EC "}", ALL & ~(1U << KEY_ES256), 0, 1 },
        { "{" EC ",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"x5t\":\"x\"}", ALL, 1, 0 },
        { "{" EC ",\"use\":\"enc\"}", ALL, 0, 1 },
        { "{" EC ",\"key_ops\":[\"sign\"]}", ALL, 0, 1 },
        { "{" EC ",\"d\":\"AQAB\"}", ALL, 0, 1 },
        { "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}", ALL, 0, 1 },
        { "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", ALL, 0, 1 },
        { "{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", ALL, 0, 1 },
        { "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"wQ\"}", ALL, 0, 1 },
        { "{\"kty\":\"new\"},{" ED "},7,[],null", ALL, 1, 4 },
        { "{" ED ",\"kid\":7}", ALL, 0, 1 },
        { "{" ED ",\"kid\":\"a\"},{" ED_OTHER ",\"kid\":\"a\"}", ALL, 1, 1 },
        { "{" ED ",\"kid\":\"a\"},{" EC ",\"kid\":\"a\"}", ALL, 2, 0 },
        { "{" ED ",\"kid\":\"a\"},{" ED_OTHER ",\"kid\":\"A\"},{" ED "},{" ED_OTHER "}", ALL, 4, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[2048];

        snprintf(text, sizeof text, "{\"keys\":[%s],\"more\":1}", rows[i].keys);
        struct jwks_set *s = parse(text, rows[i].algs);

        if (!s || s->n != rows[i].taken || s->skipped != rows[i].skipped)
            fail_msg("%s: %zu taken, %zu skipped", rows[i].keys, s ? s->n : 0, s ? s->skipped : 0);
        jwks_set_free(s);
    }
}

static void a_document_that_is_no_key_set_is_refused(void **state)
{
    static const char *const texts[] = { "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]", "{\"keys\":null}",
                                         "{\"keys\":[],\"keys\":[]}",
                                         "{\"keys\":[]}x", "\xef\xbb\xbf{\"keys\":[]}", "{\"keys\":[{\"kid\":\"\xff\"}]}",
                                         "{\"keys\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}" };
    struct buf b = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_null(parse(texts[i], ALL));
    for (int n = JWKS_KEYS_MAX; n <= JWKS_KEYS_MAX + 1; n++) {
        buf_reset(&b);
        buf_str(&b, "{\"keys\":[7");
        for (int i = 1; i < n; i++)
            buf_str(&b, ",{" ED "}");
        buf_str(&b, "]}");
        buf_char(&b, '\0');
        struct jwks_set *s = parse(b.p, ALL);

        assert_int_equal(s != NULL, n == JWKS_KEYS_MAX);
        jwks_set_free(s);
    }
    buf_free(&b);
}

static void sets_differ_by_name_algorithm_and_material(void **state)
{
    struct jwks_set *one = parse("{\"keys\":[{" ED ",\"kid\":\"a\"},{" EC ",\"kid\":\"b\"}]}", ALL);
    struct jwks_set *more = parse("{\"keys\":[{" RSA ",\"kid\":\"c\"},{" EC ",\"kid\":\"b\"},{" ED ",\"kid\":\"a\"}]}", ALL);
    struct jwks_set *changed = parse("{\"keys\":[{" ED_OTHER ",\"kid\":\"a\"},{" EC ",\"kid\":\"B\"}]}", ALL);

    (void)state;
    assert_int_equal(jwks_set_lacks(more, one), 0);
    assert_int_equal(jwks_set_lacks(one, more), 2);
    assert_int_equal(jwks_set_lacks(changed, one), 2);
    assert_int_equal(jwks_set_lacks(NULL, one), 2);
    assert_int_equal(jwks_set_lacks(one, NULL), 0);
    assert_true(jwks_set_has(one, SLICE("a")) && !jwks_set_has(one, SLICE("c")) && !jwks_set_has(one, SLICE("")));
    assert_false(jwks_set_has(one, SLICE_NONE) || jwks_set_has(NULL, SLICE("a")));
    jwks_set_free(one);
    jwks_set_free(more);
    jwks_set_free(changed);
}

static void discovery_takes_the_address_of_exactly_our_issuer(void **state)
{
    static const struct {
        const char *text, *found;
    } rows[] = {
        { "{\"issuer\":\"https://i\",\"jwks_uri\":\"https://i/k\",\"x\":[]}", "https://i/k" },
        { "{\"issuer\":\"https://i/\",\"jwks_uri\":\"https://i/k\"}", NULL },
        { "{\"issuer\":\"https://I\",\"jwks_uri\":\"https://i/k\"}", NULL },
        { "{\"issuer\":[\"https://i\"],\"jwks_uri\":\"https://i/k\"}", NULL },
        { "{\"jwks_uri\":\"https://i/k\"}", NULL },
        { "{\"issuer\":\"https://i\"}", NULL },
        { "{\"issuer\":\"https://i\",\"jwks_uri\":\"\"}", NULL },
        { "{\"issuer\":\"https://i\",\"jwks_uri\":7}", NULL },
        { "{\"issuer\":\"https://i\",\"issuer\":\"https://i\",\"jwks_uri\":\"https://i/k\"}", NULL },
        { "[]", NULL },
        { "", NULL },
    };
    char *url;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[KEY_WHY] = "", *found = discovery_parse(slice_of(rows[i].text), "https://i", why);

        if (rows[i].found ? !found || strcmp(found, rows[i].found) : found || !*why)
            fail_msg("%s", rows[i].text);
        free(found);
    }
    assert_string_equal(url = discovery_url("https://i/realm"), "https://i/realm/.well-known/openid-configuration");
    free(url);
    assert_string_equal(url = discovery_url("https://i/"), "https://i/.well-known/openid-configuration");
    free(url);
}

static void cache_control_tells_how_long_a_set_is_fresh(void **state)
{
    static const struct {
        const char *value;
        int64_t seconds; /* -1: nothing is said */
    } rows[] = {
        { "", -1 },
        { "public", -1 },
        { "max-age=60", 60 },
        { "public, Max-Age = 60 , must-revalidate", 60 },
        { "max-age=0", 0 },
        { "no-store", 0 },
        { "max-age=60, no-cache", 0 },
        { "max-age=60, max-age=30", 30 },
        { "max-age", 0 },
        { "max-age=", 0 },
        { "max-age=-1", 0 },
        { "max-age=1.5", 0 },
        { "max-age=99999999999999999999999999", 365 * 24 * 3600 },
        { "s-maxage=60", -1 },
        { "xmax-age=60", -1 },
        { ",,max-age=5,", 5 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = cache_control_max_age(slice_of(rows[i].value));

        if (us != (rows[i].seconds < 0 ? -1 : rows[i].seconds * US_PER_S))
            fail_msg("\"%s\": %lld", rows[i].value, (long long)us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_taken_or_passed_over_one_by_one),
        cmocka_unit_test(a_document_that_is_no_key_set_is_refused),
        cmocka_unit_test(sets_differ_by_name_algorithm_and_material),
        cmocka_unit_test(discovery_takes_the_address_of_exactly_our_issuer),
        cmocka_unit_test(cache_control_tells_how_long_a_set_is_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
