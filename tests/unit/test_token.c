/* Forged and odd tokens, as tables: the verifier must refuse each for the reason given, or accept it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>

#include "gateway/base/clock.h"
#include "gateway/http/token.h"
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

typedef char *edit_fn(char *token); /* takes it over, gives the edited one */

struct odd {
    const char *what;
    enum signer by;
    const char *header, *claims;
    const char *fault;      /* of the sentence; NULL: it is accepted */
    edit_fn *edit;
};

static struct keys keys;

static char *join(char *token, const char *before, const char *after)
{
    char *out;

    if (asprintf(&out, "%s%s%s", before, token, after) < 0)
        abort();
    free(token);
    return out;
}

static char *sig_of(char *token)
{
    return strrchr(token, '.') + 1;
}

#define EDIT(name, body)                                                                                               \
    static char *name(char *t)                                                                                         \
    {                                                                                                                  \
        body;                                                                                                          \
        return t;                                                                                                      \
    }
EDIT(without_signature, *sig_of(t) = '\0')
EDIT(without_last_part, sig_of(t)[-1] = '\0')
EDIT(signature_cut_by_one, t[strlen(t) - 1] = '\0')
EDIT(signature_cut_by_four, t[strlen(t) - 4] = '\0'; t[strlen(t) - 1] = 'A')
EDIT(signature_first_bit, *sig_of(t) = *sig_of(t) == 'A' ? 'B' : 'A')
EDIT(padded, t = join(t, "", "="))
EDIT(padded_twice, t = join(t, "", "=="))
EDIT(trailing_newline, t = join(t, "", "\n"))
EDIT(trailing_junk, t = join(t, "", "!!"))
EDIT(trailing_digits, t = join(t, "", "AAAA"))
EDIT(trailing_dot, t = join(t, "", "."))
EDIT(fourth_part, t = join(t, "", ".AAAA"))
EDIT(fifth_part, t = join(t, "", ".AAAA.AAAA"))
EDIT(leading_space, t = join(t, " ", ""))
EDIT(leading_dot, t = join(t, ".", ""))
EDIT(leading_bearer, t = join(t, "Bearer ", ""))
EDIT(space_at_dot, *strchr(t, '.') = ' ')
EDIT(comma_at_dot, *strchr(t, '.') = ',')
EDIT(claims_emptied, char *dot = strchr(t, '.'); memmove(dot + 1, sig_of(t) - 1, strlen(sig_of(t) - 1) + 1))
EDIT(header_emptied, char *dot = strchr(t, '.'); memmove(t, dot, strlen(dot) + 1))
EDIT(only_dots, strcpy(t, ".."))
EDIT(no_dot, strcpy(t, "abcd"))
EDIT(parts_swapped, char *d = strchr(t, '.'); char *o = NULL;
     if (asprintf(&o, "%.*s.%.*s.%s", (int)(sig_of(t) - d - 2), d + 1, (int)(d - t), t, sig_of(t)) < 0) abort(); free(t); t = o)
EDIT(signature_zeroed, memset(sig_of(t), 'A', strlen(sig_of(t))))
EDIT(signature_doubled, char *s = strdup(sig_of(t)); t = join(t, "", s); free(s))
EDIT(too_long, char *pad = calloc(1, TOKEN_MAX + 1); memset(pad, 'A', TOKEN_MAX); t = join(t, "", pad); free(pad))

/* 32 bytes leave two bits of their last digit unused: another digit would be another text of the same bytes. */
EDIT(spare_bits_set, t[strlen(t) - 1]++)
EDIT(standard_alphabet, for (char *c = t; *c; c++) *c = *c == '-' ? '+' : *c == '_' ? '/' : *c; t = join(t, "", "+/+/"))

static char *claims_replaced(char *t)
{
    char *other = token_sign(BY_HS, HS, "{\"exp\":1800003600,\"scope\":\"admin:*\"}"), *out;
    char *dot = strchr(t, '.'), *end = strrchr(other, '.');

    if (asprintf(&out, "%.*s%.*s%s", (int)(dot - t), t, (int)(end - strchr(other, '.')), strchr(other, '.'),
                 sig_of(t) - 1) < 0)
        abort();
    free(other);
    free(t);
    return out;
}

static char *header_replaced(char *t)
{
    char *other = token_sign(BY_HS, "{\"alg\":\"HS256\"}", GOOD), *out;

    if (asprintf(&out, "%.*s%s", (int)(strchr(other, '.') - other), other, strchr(t, '.')) < 0)
        abort();
    free(other);
    free(t);
    return out;
}

static char *reseal(char *t, const unsigned char *sig, size_t n)
{
    unsigned char b64[256];
    int len = EVP_EncodeBlock(b64, sig, (int)n);

    while (b64[len - 1] == '=')
        len--;
    b64[len] = '\0';
    for (unsigned char *c = b64; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    *sig_of(t) = '\0';
    return join(t, "", (const char *)b64);
}

static size_t signature_bytes(const char *t, unsigned char out[96])
{
    char b64[129];
    size_t n = strlen(strrchr(t, '.') + 1);

    snprintf(b64, sizeof b64, "%s==", strrchr(t, '.') + 1);
    for (char *c = b64; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    b64[(n + 3) / 4 * 4] = '\0';
    EVP_DecodeBlock(out, (unsigned char *)b64, (int)strlen(b64));
    return n * 3 / 4;
}

static char *halves_swapped(char *t)
{
    unsigned char sig[96], swapped[64];

    assert_int_equal(signature_bytes(t, sig), 64);
    memcpy(swapped, sig + 32, 32);
    memcpy(swapped + 32, sig, 32);
    return reseal(t, swapped, 64);
}

static char *as_der(char *t)
{
    unsigned char sig[96], der[80], *end = der;
    ECDSA_SIG *pair = ECDSA_SIG_new();

    assert_int_equal(signature_bytes(t, sig), 64);
    ECDSA_SIG_set0(pair, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
    int n = i2d_ECDSA_SIG(pair, &end);

    ECDSA_SIG_free(pair);
    return reseal(t, der, (size_t)n);
}

/* (r, n - s) verifies as well: RFC 7518 allows both. */
static char *other_s(char *t)
{
    unsigned char sig[96];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);

    assert_int_equal(signature_bytes(t, sig), 64);
    BIGNUM *s = BN_bin2bn(sig + 32, 32, NULL);

    BN_sub(s, EC_GROUP_get0_order(group), s);
    BN_bn2binpad(s, sig + 32, 32);
    BN_free(s);
    EC_GROUP_free(group);
    return reseal(t, sig, 64);
}

/* s + the group's order is the same number modulo it: RFC 8032 demands the smaller. */
static char *larger_s(char *t)
{
    static const unsigned char order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2,
                                             0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
    unsigned char sig[96];
    unsigned carry = 0;

    assert_int_equal(signature_bytes(t, sig), 64);
    for (int i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (unsigned char)carry;
        carry >>= 8;
    }
    return reseal(t, sig, 64);
}

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
    enum err e = token_verify(&keys, rules, exact, NOW * US_PER_S, p, f);

    free((char *)exact.p);
    return e;
}

static void every_odd_token_is_refused_for_its_reason_or_accepted(void **state)
{
    const struct token_rules rules = { SLICE_NONE, SLICE_NONE, 60 * US_PER_S };
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
    const struct token_rules rules = { SLICE_NONE, SLICE_NONE, 60 * US_PER_S };

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
    const struct token_rules rules = { SLICE("https://a"), SLICE("weir"), 60 * US_PER_S };

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

        assert_int_equal(token_verify(&anonymous, &rules, slice_of(token), NOW * US_PER_S, &p, NULL),
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
