/* The keys file: what it takes, and the sentence for each thing that it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/bn.h>

#include "gateway/http/issuers.h"
#include "tests/unit/tokens.h"

static char dir[] = "/tmp/weir-test-keys-XXXXXX";
static char path[64], pem_path[64];

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool load(const char *text, struct keys *ks, char err[512])
{
    const struct config c = { .auth_keys_file = path };

    write_file(path, text);
    *err = '\0';
    struct issuers none = { .n = 0 };

    bool good = keys_load(ks, &none, &c, err);

    issuers_free(&none);
    return good;
}

static char *with_pem(const char *alg, struct slice pem)
{
    json_t *o = json_pack("{s:[{s:s,s:s,s:s%}]}", "keys", "kid", "a", "alg", alg, "pem", pem.p, pem.n);
    char *text = json_dumps(o, 0);

    json_decref(o);
    assert_non_null(text);
    return text;
}

static bool verifies(const struct keys *ks, enum signer by, enum key_alg alg, const char *kid)
{
    char *token = token_sign(by, "{}", "{}"), *last = strrchr(token, '.');
    unsigned char sig[512], padded[700];
    size_t n = strlen(last + 1);

    for (char *c = last + 1; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    int len = snprintf((char *)padded, sizeof padded, "%s%s", last + 1, n % 4 == 2 ? "==" : n % 4 == 3 ? "=" : "");

    assert_true(EVP_DecodeBlock(sig, padded, len) > 0);
    bool good = keys_verify(ks, slice_of(kid), alg, (struct slice){ token, (size_t)(last - token) },
                            (struct slice){ (char *)sig, n * 3 / 4 });

    free(token);
    return good;
}

static void pem_records_of_every_algorithm_verify(void **state)
{
    static const struct {
        const char *alg;
        enum signer by;
        enum key_alg key;
    } rows[] = {
        { "RS256", BY_RS, KEY_RS256 }, { "PS256", BY_PS, KEY_PS256 }, { "ES256", BY_ES, KEY_ES256 },
        { "EdDSA", BY_ED, KEY_EDDSA },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct keys ks = { .n = 0 };
        char err[512], *text = with_pem(rows[i].alg, token_pem(rows[i].by));

        if (!load(text, &ks, err))
            fail_msg("%s", err);
        assert_true(verifies(&ks, rows[i].by, rows[i].key, "a"));
        assert_true(verifies(&ks, rows[i].by, rows[i].key, NULL));
        assert_false(verifies(&ks, rows[i].by, rows[i].key, "b"));
        keys_free(&ks);
        free(text);
    }
}

static char *base64url(const BIGNUM *bn, const unsigned char *raw, size_t n)
{
    unsigned char bytes[512];
    static char out[4][700];
    static unsigned turn;
    char *text = out[turn++ % 4];

    if (bn)
        BN_bn2binpad(bn, bytes, (int)(n = n ? n : (size_t)BN_num_bytes(bn)));
    else
        memcpy(bytes, raw, n);
    int len = EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);

    while (text[len - 1] == '=')
        text[--len] = '\0';
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return text;
}

static BIGNUM *number(enum signer by, const char *name)
{
    BIGNUM *bn = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(token_pkey(by), name, &bn), 1);
    return bn;
}

static char *jwk_of(enum signer by)
{
    unsigned char raw[32];
    size_t n = sizeof raw;
    char *text = NULL;
    int len;

    if (by == BY_ED) {
        assert_int_equal(EVP_PKEY_get_raw_public_key(token_pkey(by), raw, &n), 1);
        len = asprintf(&text, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"j\",\"use\":\"sig\",\"x\":\"%s\"}",
                       base64url(NULL, raw, n));
    } else if (by == BY_ES) {
        BIGNUM *x = number(by, OSSL_PKEY_PARAM_EC_PUB_X), *y = number(by, OSSL_PKEY_PARAM_EC_PUB_Y);

        len = asprintf(&text, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"j\",\"key_ops\":[\"verify\"],\"x\":\"%s\",\"y\":\"%s\"}",
                       base64url(x, NULL, 32), base64url(y, NULL, 32));
        BN_free(x);
        BN_free(y);
    } else {
        BIGNUM *m = number(by, OSSL_PKEY_PARAM_RSA_N), *e = number(by, OSSL_PKEY_PARAM_RSA_E);

        len = asprintf(&text, "{\"kty\":\"RSA\",\"kid\":\"j\",\"n\":\"%s\",\"e\":\"%s\"}", base64url(m, NULL, 0),
                       base64url(e, NULL, 0));
        BN_free(m);
        BN_free(e);
    }
    assert_true(len > 0);
    return text;
}

static void jwks_of_every_kind_verify(void **state)
{
    static const struct {
        const char *alg;
        enum signer by;
        enum key_alg key;
    } rows[] = {
        { "RS256", BY_RS, KEY_RS256 }, { "PS256", BY_PS, KEY_PS256 }, { "ES256", BY_ES, KEY_ES256 },
        { "EdDSA", BY_ED, KEY_EDDSA },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct keys ks = { .n = 0 };
        char err[512], *text, *jwk = jwk_of(rows[i].by);

        assert_true(asprintf(&text, "{\"keys\":[{\"alg\":\"%s\",\"jwk\":%s}]}", rows[i].alg, jwk) > 0);
        if (!load(text, &ks, err))
            fail_msg("%s", err);
        assert_true(verifies(&ks, rows[i].by, rows[i].key, "j")); /* the JWK's own kid */
        keys_free(&ks);
        free(text);
        free(jwk);
    }
}

static void secrets_verify_however_they_are_written(void **state)
{
    static const char *const rows[] = {
        "{\"keys\":[{\"alg\":\"HS256\",\"kid\":\"a\",\"secret\":\"" TOKEN_SECRET "\"}]}",
        "{\"keys\":[{\"alg\":\"HS256\",\"kid\":\"a\",\"secret_base64\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"}]}",
        "{\"keys\":[{\"alg\":\"HS256\",\"kid\":\"a\",\"jwk\":{\"kty\":\"oct\",\"alg\":\"HS256\","
        "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct keys ks = { .n = 0 };
        char err[512];

        if (!load(rows[i], &ks, err))
            fail_msg("%s", err);
        assert_true(verifies(&ks, BY_HS, KEY_HS256, "a"));
        assert_false(verifies(&ks, BY_HS_OTHER, KEY_HS256, "a"));
        keys_free(&ks);
    }
}

static void a_pem_file_is_looked_for_beside_the_keys_file(void **state)
{
    const char *const names[] = { "key.pem", pem_path };

    (void)state;
    write_file(pem_path, token_pem(BY_ES).p);
    for (size_t i = 0; i < 2; i++) {
        struct keys ks = { .n = 0 };
        char err[512], text[200];

        snprintf(text, sizeof text,
                 "{\"keys\":[{\"kid\":\"a\",\"alg\":\"ES256\",\"file\":\"%s\",\"issuer\":\"i\",\"audience\":\"w\"}]}", names[i]);
        if (!load(text, &ks, err))
            fail_msg("%s", err);
        assert_true(verifies(&ks, BY_ES, KEY_ES256, "a"));
        assert_string_equal(ks.v[0]->issuer, "i");
        assert_string_equal(ks.v[0]->audience, "w");
        keys_free(&ks);
    }
    unlink(pem_path);
}

#define KEY(members) "{\"keys\":[{\"kid\":\"k1\"," members "}]}"
#define HS "\"alg\":\"HS256\",\"secret\":\"" TOKEN_SECRET "\""

static const struct {
    const char *text, *err;
} unusable[] = {
    { "", "is not JSON" },
    { "[]", "not of the form" },
    { "{}", "not of the form" },
    { "{\"keys\":{}}", "not of the form" },
    { "{\"keys\":[],\"key\":[]}", "not of the form" },
    { "{\"keys\":[],\"keys\":[]}", "is not JSON" },
    { "{\"keys\":[7]}", "key 1 (kid absent)" },
    { "{\"keys\":[{\"kid\":\"a\"," HS "},{\"kid\":\"b\"}]}", "key 2 (kid b)" },
    { "{\"keys\":[{\"kid\":\"a\"," HS "},{\"kid\":\"a\"," HS "}]}", "another key has this kid" },
    { KEY("\"secret\":\"" TOKEN_SECRET "\""), "alg is one of" },
    { KEY("\"alg\":\"none\",\"secret\":\"" TOKEN_SECRET "\""), "alg is one of" },
    { KEY("\"alg\":\"HS512\",\"secret\":\"" TOKEN_SECRET "\""), "alg is one of" },
    { KEY("\"alg\":\"HS256\""), "it needs one of" },
    { KEY("\"alg\":\"HS256\",\"secret\":\"short\""), "has 5 bytes" },
    { KEY("\"alg\":\"HS256\",\"secret\":7"), "a secret is a string" },
    { KEY("\"alg\":\"RS256\",\"secret\":\"" TOKEN_SECRET "\""), "for HS256 alone" },
    { KEY("\"alg\":\"HS256\",\"secret_base64\":\"c2hvcnQ=\""), "has 5 bytes" },
    { KEY("\"alg\":\"HS256\",\"secret_base64\":\"a-_\""), "standard base64" },
    { KEY("\"alg\":\"HS256\",\"pem\":\"-----BEGIN PUBLIC KEY-----\""), "not a PEM" },
    { KEY("\"alg\":\"RS256\",\"pem\":\"-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\""), "can read" },
    { KEY("\"alg\":\"RS256\",\"pem\":\"-----BEGIN PRIVATE KEY-----\""), "private key" },
    { KEY("\"alg\":\"RS256\",\"pem\":\"-----BEGIN PUBLIC KEY----------BEGIN PUBLIC KEY-----\""), "more than one" },
    { KEY("\"alg\":\"RS256\",\"pem\":7"), "no PEM block" },
    { KEY("\"alg\":\"RS256\",\"file\":\"absent.pem\""), "absent.pem: No such file" },
    { KEY("\"alg\":\"RS256\",\"file\":7"), "path of a PEM" },
    { KEY(HS ",\"pem\":\"\""), "more than one of" },
    { KEY(HS ",\"isuer\":\"x\""), "the member isuer is unknown" },
    { KEY(HS ",\"issuer\":\"\""), "issuer is a string" },
    { KEY(HS ",\"audience\":[\"x\"]"), "audience is a string" },
    { "{\"keys\":[{\"kid\":7," HS "}]}", "kid is a string" },
    { KEY("\"alg\":\"RS256\",\"jwk\":7"), "kty is not" },
    { KEY("\"alg\":\"RS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}"), "kty is not" },
    { KEY("\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"alg\":\"PS256\"}"), "alg is not the record's" },
    { KEY("\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"use\":\"enc\"}"), "not for verifying" },
    { KEY("\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"]}"), "not for verifying" },
    { KEY("\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"d\":\"AAAA\"}"), "private key (d)" },
    { KEY("\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"AAAA\"}"), "needs n and e" },
    { KEY("\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"wQ\",\"e\":\"AQAB\"}"), "the RSA key has" },
    { KEY("\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AAAA\",\"y\":\"AAAA\"}"), "crv P-256" },
    { KEY("\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
          "\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\",\"y\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}"),
      "point x, y on it" },
    { KEY("\"alg\":\"ES256\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
          "\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}"),
      "ES256 needs an EC key" },
    { KEY("\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"}"), "crv Ed25519" },
    { KEY("\"alg\":\"HS256\",\"jwk\":{\"kty\":\"RSA\"}"), "kty oct" },
};

static void unusable_records_are_named_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        struct keys ks = { .n = 0 };
        char err[512];

        if (load(unusable[i].text, &ks, err) || !strstr(err, unusable[i].err) || strstr(err, TOKEN_SECRET))
            fail_msg("%s: \"%s\" instead of \"%s\"", unusable[i].text, err, unusable[i].err);
        keys_free(&ks);
    }
}

static void weak_and_unfit_public_keys_are_refused(void **state)
{
    static const struct {
        const char *err;
        enum signer by;
        enum key_alg alg;
    } rows[] = {
        { "P-256, this one is on secp384r1", BY_P384, KEY_ES256 },
        { "has 1024 bits, 2048 to 16384", BY_RS_WEAK, KEY_RS256 },
        { "has 1024 bits, 2048 to 16384", BY_RS_WEAK, KEY_PS256 },
        { "needs an RSA key", BY_ES, KEY_RS256 },
        { "needs an RSA key", BY_ED, KEY_PS256 },
        { "needs an Ed25519 key", BY_RS, KEY_EDDSA },
        { "needs a secret", BY_RS, KEY_HS256 },
    };
    char why[KEY_WHY];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(key_from_pem(rows[i].alg, token_pem(rows[i].by), why));
        assert_non_null(strstr(why, rows[i].err));
    }
    assert_null(key_from_pem(KEY_RS256, token_private_pem(BY_RS), why));
    assert_non_null(strstr(why, "private"));
}

static void no_more_keys_than_the_bound(void **state)
{
    struct keys ks = { .n = 0 };
    char why[KEY_WHY];

    (void)state;
    for (int i = 0; i < KEYS_MAX; i++)
        assert_true(keys_add(&ks, token_key(BY_HS, KEY_HS256, NULL), why));
    assert_false(keys_add(&ks, token_key(BY_HS, KEY_HS256, NULL), why));
    assert_non_null(strstr(why, "more than 32"));
    keys_free(&ks);
    assert_int_equal(ks.n, 0);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/keys.json", dir);
    snprintf(pem_path, sizeof pem_path, "%s/key.pem", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tokens_free();
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pem_records_of_every_algorithm_verify),
        cmocka_unit_test(jwks_of_every_kind_verify),
        cmocka_unit_test(secrets_verify_however_they_are_written),
        cmocka_unit_test(a_pem_file_is_looked_for_beside_the_keys_file),
        cmocka_unit_test(unusable_records_are_named_with_the_reason),
        cmocka_unit_test(weak_and_unfit_public_keys_are_refused),
        cmocka_unit_test(no_more_keys_than_the_bound),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
