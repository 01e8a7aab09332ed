/* Forged and odd tokens, as tables: the verifier must refuse each for the reason given, or accept it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/http/token.h"
#include "tests/unit/token_edits.h"
#include "tests/unit/tokens.h"

#define NOW INT64_C(1800000000)
#define HS "{\"alg\":\"HS256\",\"kid\":\"hs\"}"
#define RS "{\"alg\":\"RS256\",\"kid\":\"rs\"}"
#define PS "{\"alg\":\"PS256\",\"kid\":\"ps\"}"
#define ES "{\"alg\":\"ES256\",\"kid\":\"es\"}"
#define ED "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"
#define GOOD "{\"exp\":1800003600}"
#define SHAPE "three parts"
#define UNSIGNED "not signed by"
#define HEADER "header is not"
#define CLAIMS "claims are not"
#define ALG "alg is not one"
#define TIMES "must be numbers"
#define PARTY "not a string"

struct odd {
    const char *what;
    enum signer by;
    const char *header, *claims;
    const char *fault;      /* of the sentence; NULL: it is accepted */
    edit_fn *edit;
};

static struct keys keys;

#define DEEP "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"

static const struct odd odds[] = {
    /* the shape */
    { "no signature", BY_HS, HS, GOOD, SHAPE, without_signature },
    { "two parts", BY_HS, HS, GOOD, SHAPE, without_last_part },
    { "four parts", BY_HS, HS, GOOD, SHAPE, fourth_part },
    { "five parts, as in JWE", BY_HS, HS, GOOD, SHAPE, fifth_part },
    { "a dot at the end", BY_HS, HS, GOOD, SHAPE, trailing_dot },
    { "a dot at the beginning", BY_HS, HS, GOOD, SHAPE, leading_dot },
    { "empty claims", BY_HS, HS, GOOD, SHAPE, claims_emptied },
    { "an empty header", BY_HS, HS, GOOD, SHAPE, header_emptied },
    { "nothing but dots", BY_HS, HS, GOOD, SHAPE, only_dots },
    { "no dot", BY_HS, HS, GOOD, SHAPE, no_dot },
    { "a padded signature", BY_HS, HS, GOOD, SHAPE, padded },
    { "a signature padded twice", BY_HS, HS, GOOD, SHAPE, padded_twice },
    { "a line feed at the end", BY_HS, HS, GOOD, SHAPE, trailing_newline },
    { "junk at the end", BY_HS, HS, GOOD, SHAPE, trailing_junk },
    { "a space at the beginning", BY_HS, HS, GOOD, SHAPE, leading_space },
    { "the scheme twice", BY_HS, HS, GOOD, SHAPE, leading_bearer },
    { "a space for a dot", BY_HS, HS, GOOD, SHAPE, space_at_dot },
    { "a comma for a dot", BY_HS, HS, GOOD, SHAPE, comma_at_dot },
    { "the standard alphabet", BY_HS, HS, GOOD, SHAPE, standard_alphabet },
    { "spare bits set in the signature", BY_HS, HS, GOOD, SHAPE, spare_bits_set },
    { "longer than the limit", BY_HS, HS, GOOD, "longer than", too_long },
    { "header and claims swapped", BY_HS, HS, GOOD, ALG, parts_swapped },
    /* the signature */
    { "a flipped bit", BY_HS, HS, GOOD, UNSIGNED, signature_first_bit },
    { "a flipped bit, RSA", BY_RS, RS, GOOD, UNSIGNED, signature_first_bit },
    { "a flipped bit, PSS", BY_PS, PS, GOOD, UNSIGNED, signature_first_bit },
    { "a flipped bit, ECDSA", BY_ES, ES, GOOD, UNSIGNED, signature_first_bit },
    { "a flipped bit, EdDSA", BY_ED, ED, GOOD, UNSIGNED, signature_first_bit },
    { "a signature cut inside a digit group", BY_ES, ES, GOOD, SHAPE, signature_cut_by_one },
    { "a short signature", BY_HS, HS, GOOD, UNSIGNED, signature_cut_by_four },
    { "a short signature, RSA", BY_RS, RS, GOOD, UNSIGNED, signature_cut_by_four },
    { "a long signature, RSA", BY_RS, RS, GOOD, UNSIGNED, trailing_digits },
    { "an HMAC with more bytes behind", BY_HS, HS, GOOD, UNSIGNED, trailing_digits },
    { "an ECDSA signature twice", BY_ES, ES, GOOD, UNSIGNED, signature_doubled },
    { "an ECDSA signature of zeros", BY_ES, ES, GOOD, UNSIGNED, signature_zeroed },
    { "an EdDSA signature of zeros", BY_ED, ED, GOOD, UNSIGNED, signature_zeroed },
    { "an RSA signature of zeros", BY_RS, RS, GOOD, UNSIGNED, signature_zeroed },
    { "an HMAC of zeros", BY_HS, HS, GOOD, UNSIGNED, signature_zeroed },
    { "an ECDSA signature as DER", BY_ES, ES, GOOD, UNSIGNED, as_der },
    { "r and s swapped", BY_ES, ES, GOOD, UNSIGNED, halves_swapped },
    { "an EdDSA s beyond the order", BY_ED, ED, GOOD, UNSIGNED, larger_s },
    { "claims replaced", BY_HS, HS, GOOD, UNSIGNED, claims_replaced },
    { "the header replaced", BY_HS, HS, GOOD, UNSIGNED, header_replaced },
    { "another secret", BY_HS_OTHER, HS, GOOD, UNSIGNED, NULL },
    { "another RSA key", BY_RS_OTHER, RS, GOOD, UNSIGNED, NULL },
    { "a P-384 key and ES256", BY_P384, ES, GOOD, UNSIGNED, NULL },
    { "PSS without salt", BY_PS_SALT0, PS, GOOD, UNSIGNED, NULL },
    /* the algorithm */
    { "alg none, signed", BY_HS, "{\"alg\":\"none\"}", GOOD, ALG, NULL },
    { "alg none, no signature", BY_HS, "{\"alg\":\"none\"}", GOOD, SHAPE, without_signature },
    { "alg nOnE", BY_HS, "{\"alg\":\"nOnE\"}", GOOD, ALG, NULL },
    { "no alg", BY_HS, "{\"kid\":\"hs\"}", GOOD, ALG, NULL },
    { "alg null", BY_HS, "{\"alg\":null}", GOOD, ALG, NULL },
    { "alg as a number", BY_HS, "{\"alg\":256}", GOOD, ALG, NULL },
    { "alg as an array", BY_HS, "{\"alg\":[\"HS256\"]}", GOOD, ALG, NULL },
    { "alg in lower case", BY_HS, "{\"alg\":\"hs256\"}", GOOD, ALG, NULL },
    { "alg with a space", BY_HS, "{\"alg\":\"HS256 \"}", GOOD, ALG, NULL },
    { "alg HS384", BY_HS, "{\"alg\":\"HS384\"}", GOOD, ALG, NULL },
    { "alg RS512", BY_RS, "{\"alg\":\"RS512\"}", GOOD, ALG, NULL },
    { "alg ES384", BY_P384, "{\"alg\":\"ES384\"}", GOOD, ALG, NULL },
    { "HS256 with the RSA public key as its secret", BY_RSA_PEM, "{\"alg\":\"HS256\"}", GOOD, UNSIGNED, NULL },
    { "the same under the RSA key's kid", BY_RSA_PEM, "{\"alg\":\"HS256\",\"kid\":\"rs\"}", GOOD, UNSIGNED, NULL },
    { "RS256 under the PS256 key's kid", BY_RS, "{\"alg\":\"RS256\",\"kid\":\"ps\"}", GOOD, UNSIGNED, NULL },
    { "PS256 under the RS256 key's kid", BY_PS, "{\"alg\":\"PS256\",\"kid\":\"rs\"}", GOOD, UNSIGNED, NULL },
    { "RS256 named PS256", BY_RS, PS, GOOD, UNSIGNED, NULL },
    { "PS256 named RS256", BY_PS, RS, GOOD, UNSIGNED, NULL },
    { "HS256 under the ES256 key's kid", BY_HS, "{\"alg\":\"HS256\",\"kid\":\"es\"}", GOOD, UNSIGNED, NULL },
    { "a good signature of the kid's key, named otherwise", BY_PS, "{\"alg\":\"RS256\",\"kid\":\"ps\"}", GOOD, UNSIGNED, NULL },
    { "a good RS256 signature, named HS256", BY_RS, "{\"alg\":\"HS256\",\"kid\":\"rs\"}", GOOD, UNSIGNED, NULL },
    { "a good HMAC, named RS256", BY_HS, "{\"alg\":\"RS256\",\"kid\":\"hs\"}", GOOD, UNSIGNED, NULL },
    { "a good HMAC, named ES256, without kid", BY_HS, "{\"alg\":\"ES256\"}", GOOD, UNSIGNED, NULL },
    /* the header */
    { "an unknown kid", BY_HS, "{\"alg\":\"HS256\",\"kid\":\"nobody\"}", GOOD, UNSIGNED, NULL },
    { "a kid that is a path", BY_HS, "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", GOOD, UNSIGNED, NULL },
    { "an empty kid", BY_HS, "{\"alg\":\"HS256\",\"kid\":\"\"}", GOOD, UNSIGNED, NULL },
    { "a kid as a number", BY_HS, "{\"alg\":\"HS256\",\"kid\":1}", GOOD, "kid is not", NULL },
    { "a kid null", BY_HS, "{\"alg\":\"HS256\",\"kid\":null}", GOOD, "kid is not", NULL },
    { "crit", BY_HS, "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", GOOD, "crit", NULL },
    { "crit, empty", BY_HS, "{\"alg\":\"HS256\",\"crit\":[]}", GOOD, "crit", NULL },
    { "crit with b64", BY_HS, "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", GOOD, "crit", NULL },
    { "two algs", BY_HS, "{\"alg\":\"none\",\"alg\":\"HS256\"}", GOOD, HEADER, NULL },
    { "two algs, one escaped", BY_HS, "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}", GOOD, HEADER, NULL },
    { "a header that is an array", BY_HS, "[\"HS256\"]", GOOD, HEADER, NULL },
    { "a header that is a string", BY_HS, "\"HS256\"", GOOD, HEADER, NULL },
    { "a header that is no JSON", BY_HS, "alg=HS256", GOOD, HEADER, NULL },
    { "a header with more behind", BY_HS, HS "{}", GOOD, HEADER, NULL },
    { "a header too deep", BY_HS, "{\"alg\":\"HS256\",\"x\":" DEEP "}", GOOD, HEADER, NULL },
    { "a header with a NUL", BY_HS, "{\"alg\":\"HS256\\u0000\"}", GOOD, HEADER, NULL },
    { "a header with a BOM", BY_HS, "\xEF\xBB\xBF" HS, GOOD, HEADER, NULL },
    { "a logout token", BY_HS, "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", GOOD, "typ", NULL },
    { "a typ as a number", BY_HS, "{\"alg\":\"HS256\",\"typ\":1}", GOOD, "typ", NULL },
    /* times */
    { "no exp", BY_HS, HS, "{}", "no exp", NULL },
    { "exp a string", BY_HS, HS, "{\"exp\":\"1800003600\"}", TIMES, NULL },
    { "exp null", BY_HS, HS, "{\"exp\":null}", TIMES, NULL },
    { "exp true", BY_HS, HS, "{\"exp\":true}", TIMES, NULL },
    { "exp negative", BY_HS, HS, "{\"exp\":-1}", TIMES, NULL },
    { "exp in milliseconds", BY_HS, HS, "{\"exp\":1800003600000}", TIMES, NULL },
    { "exp the largest integer", BY_HS, HS, "{\"exp\":9223372036854775807}", TIMES, NULL },
    { "exp beyond 64 bits", BY_HS, HS, "{\"exp\":9223372036854775808}", CLAIMS, NULL },
    { "exp 1e18", BY_HS, HS, "{\"exp\":1e18}", TIMES, NULL },
    { "exp 1e999", BY_HS, HS, "{\"exp\":1e999}", CLAIMS, NULL },
    { "exp NaN", BY_HS, HS, "{\"exp\":NaN}", CLAIMS, NULL },
    { "exp twice", BY_HS, HS, "{\"exp\":1,\"exp\":1800003600}", CLAIMS, NULL },
    { "exp zero", BY_HS, HS, "{\"exp\":0}", "expired", NULL },
    { "exp at the end of the leeway", BY_HS, HS, "{\"exp\":1799999940}", "expired", NULL },
    { "exp a real behind the leeway", BY_HS, HS, "{\"exp\":1799999939.5}", "expired", NULL },
    { "nbf after the leeway", BY_HS, HS, "{\"exp\":1800003600,\"nbf\":1800000061}", "not valid yet", NULL },
    { "nbf a string", BY_HS, HS, "{\"exp\":1800003600,\"nbf\":\"0\"}", TIMES, NULL },
    { "iat in the future", BY_HS, HS, "{\"exp\":1800003600,\"iat\":1800000061}", "in the future", NULL },
    { "iat an object", BY_HS, HS, "{\"exp\":1800003600,\"iat\":{}}", TIMES, NULL },
    /* other claims */
    { "claims that are an array", BY_HS, HS, "[1800003600]", CLAIMS, NULL },
    { "claims that are no JSON", BY_HS, HS, "exp=1800003600", CLAIMS, NULL },
    { "claims too deep", BY_HS, HS, "{\"exp\":1800003600,\"x\":" DEEP "}", CLAIMS, NULL },
    { "duplicates inside a claim", BY_HS, HS, "{\"exp\":1800003600,\"x\":{\"a\":1,\"a\":2}}", CLAIMS, NULL },
    { "claims that are not UTF-8", BY_HS, HS, "{\"exp\":1800003600,\"sub\":\"\xff\"}", CLAIMS, NULL },
    { "a sub with a NUL", BY_HS, HS, "{\"exp\":1800003600,\"sub\":\"a\\u0000b\"}", CLAIMS, NULL },
    { "a sub as a number", BY_HS, HS, "{\"exp\":1800003600,\"sub\":7}", PARTY, NULL },
    { "the iss of client certificates", BY_HS, HS, "{\"exp\":1800003600,\"iss\":\"tls\"}", "keeps for client certificates", NULL },
    { "an iss as an array", BY_HS, HS, "{\"exp\":1800003600,\"iss\":[\"a\"]}", PARTY, NULL },
    { "an aud as a number", BY_HS, HS, "{\"exp\":1800003600,\"aud\":1}", PARTY, NULL },
    { "an aud with a number in it", BY_HS, HS, "{\"exp\":1800003600,\"aud\":[\"a\",1]}", PARTY, NULL },
    { "a scope as an array", BY_HS, HS, "{\"exp\":1800003600,\"scope\":[\"admin:*\"]}", "scope is not", NULL },
    { "details that are an object", BY_HS, HS, "{\"exp\":1800003600,\"authorization_details\":{}}", "not an array", NULL },
    /* odd, and right */
    { "RS256", BY_RS, RS, GOOD, NULL, NULL },
    { "PS256", BY_PS, PS, GOOD, NULL, NULL },
    { "ES256", BY_ES, ES, GOOD, NULL, NULL },
    { "ES256 with the other s", BY_ES, ES, GOOD, NULL, other_s },
    { "EdDSA", BY_ED, ED, GOOD, NULL, NULL },
    { "no kid", BY_ED, "{\"alg\":\"EdDSA\"}", GOOD, NULL, NULL },
    { "members in white space", BY_HS, " { \"kid\" : \"hs\" ,\r\n\t\"alg\":\"HS256\" } ", GOOD, NULL, NULL },
    { "an escaped alg", BY_HS, "{\"\\u0061lg\":\"\\u0048S256\"}", GOOD, NULL, NULL },
    { "keys in the header, ignored", BY_HS, "{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1:1/\",\"jwk\":{},\"x5c\":[]}", GOOD,
      NULL, NULL },
    { "typ at+jwt", BY_HS, "{\"alg\":\"HS256\",\"typ\":\"at+JWT\"}", GOOD, NULL, NULL },
    { "exp within the leeway", BY_HS, HS, "{\"exp\":1799999941}", NULL, NULL },
    { "exp a real", BY_HS, HS, "{\"exp\":1800003600.25}", NULL, NULL },
    { "exp with an exponent", BY_HS, HS, "{\"exp\":1.8000036e9}", NULL, NULL },
    { "nbf and iat within the leeway", BY_HS, HS, "{\"exp\":1800003600,\"nbf\":1800000060,\"iat\":1800000059.9}", NULL, NULL },
    { "an aud that nobody asked for", BY_HS, HS, "{\"exp\":1800003600,\"aud\":[\"a\",\"b\"]}", NULL, NULL },
};

static enum err verify(const char *token, const struct token_rules *rules, struct principal **p, struct fault *f)
{
    struct slice exact = { malloc(strlen(token) + 1), strlen(token) };

    memcpy((char *)exact.p, token, exact.n); /* not terminated, so that a sanitizer sees each step beyond */
    exact.p = realloc((char *)exact.p, exact.n ? exact.n : 1);
    enum err e = token_verify(&keys, rules, exact, NOW * US_PER_S, p, NULL, f);

    free((char *)exact.p);
    return e;
}

static void every_odd_token_is_refused_for_its_reason_or_accepted(void **state)
{
    const struct token_rules rules = { SLICE_NONE, SLICE_NONE, 60 * US_PER_S, NULL };
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof odds / sizeof *odds; i++) {
        const struct odd *o = &odds[i];
        struct principal *p = NULL;
        struct fault f = { 0 };
        char *token = token_sign(o->by, o->header, o->claims);

        token = o->edit ? o->edit(token) : token;
        enum err e = verify(token, &rules, &p, &f);

        if (e != (o->fault ? ERR_INVALID_TOKEN : OK) || (p != NULL) != !o->fault ||
            (o->fault && !strstr(f.detail, o->fault))) {
            print_error("%s: outcome %d, \"%s\", expected \"%s\"\n", o->what, (int)e, f.detail, o->fault ? o->fault : "OK");
            wrong++;
        }
        principal_unref(p);
        free(token);
    }
    assert_int_equal(wrong, 0);
}

static void expiry_is_exactly_exp(void **state)
{
    static const struct {
        const char *claims;
        int64_t us;
    } rows[] = {
        { "{\"exp\":1800003600}", 1800003600000000 },
        { "{\"exp\":1800003600.25}", 1800003600250000 },
        { "{\"exp\":1799999941}", 1799999941000000 },
    };
    const struct token_rules rules = { SLICE_NONE, SLICE_NONE, 60 * US_PER_S, NULL };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *token = token_sign(BY_HS, HS, rows[i].claims);
        struct principal *p = NULL;

        assert_int_equal(verify(token, &rules, &p, NULL), OK);
        assert_true(principal_expires_us(p) == rows[i].us);
        principal_unref(p);
        free(token);
    }
}

static void issuer_and_audience_are_checked_when_configured(void **state)
{
    static const struct {
        const char *kid, *iss_aud;
        bool good;
    } rows[] = {
        { "hs", "\"iss\":\"https://a\",\"aud\":\"weir\"", true },
        { "hs", "\"iss\":\"https://a\",\"aud\":[\"x\",\"weir\"]", true },
        { "hs", "\"iss\":\"https://a\"", false },
        { "hs", "\"aud\":\"weir\"", false },
        { "hs", "\"iss\":\"https://a/\",\"aud\":\"weir\"", false },
        { "hs", "\"iss\":\"https://a\",\"aud\":\"weird\"", false },
        { "hs", "\"iss\":\"https://a\",\"aud\":[]", false },
        { "hs", "\"iss\":\"https://a\",\"aud\":[\"wei\",\"r\"]", false },
        { "hs", "\"iss\":\"https://a\",\"aud\":\"weir other\"", false },
        { "own", "\"iss\":\"https://b\",\"aud\":\"b\"", true },
        { "own", "\"iss\":\"https://a\",\"aud\":\"weir\"", false },
    };
    const struct token_rules rules = { SLICE("https://a"), SLICE("weir"), 60 * US_PER_S, NULL };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char header[80], claims[160];
        struct principal *p = NULL;

        snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", rows[i].kid);
        snprintf(claims, sizeof claims, "{\"exp\":1800003600,%s}", rows[i].iss_aud);
        char *token = token_sign(BY_HS, header, claims);

        if (verify(token, &rules, &p, NULL) != (rows[i].good ? OK : ERR_INVALID_TOKEN))
            fail_msg("%s %s", rows[i].kid, rows[i].iss_aud);
        principal_unref(p);
        free(token);
    }
}

static void a_key_without_kid_serves_tokens_whose_kid_no_key_has(void **state)
{
    const struct token_rules rules = { 0 };
    struct keys anonymous = { { token_key(BY_HS, KEY_HS256, NULL), token_key(BY_RS, KEY_RS256, "rs") }, 2 };
    static const struct {
        const char *header;
        bool good;
    } rows[] = {
        { "{\"alg\":\"HS256\"}", true },
        { "{\"alg\":\"HS256\",\"kid\":\"2024-01\"}", true },
        { "{\"alg\":\"HS256\",\"kid\":\"rs\"}", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *token = token_sign(BY_HS, rows[i].header, GOOD);
        struct principal *p = NULL;

        assert_int_equal(token_verify(&anonymous, &rules, slice_of(token), NOW * US_PER_S, &p, NULL, NULL),
                         rows[i].good ? OK : ERR_INVALID_TOKEN);
        principal_unref(p);
        free(token);
    }
    keys_free(&anonymous);
}

static void before_the_signature_nothing_is_told_of_the_keys(void **state)
{
    static const struct {
        enum signer by;
        const char *header;
    } rows[] = {
        { BY_HS_OTHER, HS },                                       /* wrong signature */
        { BY_HS, "{\"alg\":\"HS256\",\"kid\":\"nobody\"}" },       /* no such key */
        { BY_HS, "{\"alg\":\"HS256\",\"kid\":\"rs\"}" },           /* a key of another algorithm */
    };
    const struct token_rules rules = { 0 };
    struct fault first = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *token = token_sign(rows[i].by, rows[i].header, "{\"exp\":1}");
        struct fault f = { 0 };
        struct principal *p = NULL;

        assert_int_equal(verify(token, &rules, &p, &f), ERR_INVALID_TOKEN);
        first = i ? first : f;
        assert_string_equal(f.detail, first.detail);
        free(token);
    }
}

static int setup(void **state)
{
    static const struct {
        enum signer by;
        enum key_alg alg;
        const char *kid;
    } rows[] = {
        { BY_HS, KEY_HS256, "hs" }, { BY_RS, KEY_RS256, "rs" }, { BY_PS, KEY_PS256, "ps" },
        { BY_ES, KEY_ES256, "es" }, { BY_ED, KEY_EDDSA, "ed" }, { BY_HS, KEY_HS256, "own" },
    };
    char why[KEY_WHY];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!keys_add(&keys, token_key(rows[i].by, rows[i].alg, rows[i].kid), why))
            return -1;
    }
    keys.v[5]->issuer = strdup("https://b");
    keys.v[5]->audience = strdup("b");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    keys_free(&keys);
    tokens_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_odd_token_is_refused_for_its_reason_or_accepted),
        cmocka_unit_test(expiry_is_exactly_exp),
        cmocka_unit_test(issuer_and_audience_are_checked_when_configured),
        cmocka_unit_test(a_key_without_kid_serves_tokens_whose_kid_no_key_has),
        cmocka_unit_test(before_the_signature_nothing_is_told_of_the_keys),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
