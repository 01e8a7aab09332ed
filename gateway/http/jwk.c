#include "gateway/http/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http/jose.h"

enum { NUMBER_MAX = 2048, P256_HALF = 32, POINT_BYTES = 1 + 2 * P256_HALF, ED25519_BYTES = 32, DECODE_LIMIT = 16384 };

static struct slice text(const json_t *jwk, const char *name)
{
    const json_t *v = json_object_get(jwk, name);

    return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) } : SLICE_NONE;
}

/* What RFC 7517 says the key is for must include verification. */
static bool is_for_verifying(const json_t *jwk)
{
    const json_t *ops = json_object_get(jwk, "key_ops"), *op;
    size_t i;

    if (json_object_get(jwk, "use") && !slice_is(text(jwk, "use"), "sig"))
        return false;
    json_array_foreach(ops, i, op) {
        if (json_is_string(op) && !strcmp(json_string_value(op), "verify"))
            return true;
    }
    return !ops;
}

/* Decodes the member into out; its length, or 0 if it is missing, malformed or longer than max. */
static size_t number(const json_t *jwk, const char *name, unsigned char *out, size_t max)
{
    struct slice s = text(jwk, name), raw;
    struct arena *a = s.n ? arena_new(DECODE_LIMIT) : NULL;
    size_t n = 0;

    if (a && jose_base64url(a, s, &raw) && raw.n <= max) {
        memcpy(out, raw.p, raw.n);
        n = raw.n;
        OPENSSL_cleanse((char *)raw.p, raw.n); /* k of an oct key */
    }
    arena_free(a);
    return n;
}

static EVP_PKEY *import(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY *pkey = NULL;

    if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    unsigned char n_bytes[NUMBER_MAX], e_bytes[8];
    size_t n_n = number(jwk, "n", n_bytes, sizeof n_bytes), e_n = number(jwk, "e", e_bytes, sizeof e_bytes);
    BIGNUM *n = BN_bin2bn(n_bytes, (int)n_n, NULL), *e = BN_bin2bn(e_bytes, (int)e_n, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;

    if (n_n && e_n && n && e && bld && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
        pkey = import("RSA", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static EVP_PKEY *ec_key(const json_t *jwk)
{
    unsigned char point[POINT_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;

    /* RFC 7518, 6.2.1.2: coordinates have the full length of the field. */
    if (bld && slice_is(text(jwk, "crv"), "P-256") && number(jwk, "x", point + 1, P256_HALF) == P256_HALF &&
        number(jwk, "y", point + 1 + P256_HALF, P256_HALF) == P256_HALF &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point))
        pkey = import("EC", bld);
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

static EVP_PKEY *okp_key(const json_t *jwk)
{
    unsigned char x[ED25519_BYTES];

    if (!slice_is(text(jwk, "crv"), "Ed25519") || number(jwk, "x", x, sizeof x) != sizeof x)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof x);
}

static const struct {
    const char *kty, *needs;
    EVP_PKEY *(*make)(const json_t *jwk);
} kinds[] = {
    { "RSA", "n and e (at most 16384 bits)", rsa_key },
    { "EC", "crv P-256 and a point x, y on it", ec_key },
    { "OKP", "crv Ed25519 and x", okp_key },
};

EVP_PKEY *jwk_public_key(const json_t *jwk, char why[KEY_WHY])
{
    struct slice kty = text(jwk, "kty");

    if (json_object_get(jwk, "d")) {
        snprintf(why, KEY_WHY, "the JWK holds a private key (d); Weir verifies only and takes the public one");
        return NULL;
    }
    if (!is_for_verifying(jwk)) {
        snprintf(why, KEY_WHY, "the JWK's use or key_ops is not for verifying signatures");
        return NULL;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!slice_is(kty, kinds[i].kty))
            continue;
        EVP_PKEY *pkey = kinds[i].make(jwk);

        if (!pkey)
            snprintf(why, KEY_WHY, "a JWK of kty %s needs %s, in unpadded base64url", kinds[i].kty, kinds[i].needs);
        ERR_clear_error();
        return pkey;
    }
    snprintf(why, KEY_WHY, "the JWK's kty is not RSA, EC or OKP");
    return NULL;
}

bool jwk_secret(const json_t *jwk, char **ret, size_t *ret_n, char why[KEY_WHY])
{
    unsigned char k[NUMBER_MAX];
    size_t n = number(jwk, "k", k, sizeof k);

    *ret = NULL;
    if (!slice_is(text(jwk, "kty"), "oct") || !n || !is_for_verifying(jwk))
        snprintf(why, KEY_WHY, "HS256 needs a JWK of kty oct with k in unpadded base64url");
    else if (!(*ret = malloc(n)))
        snprintf(why, KEY_WHY, "memory is out");
    else
        memcpy(*ret, k, *ret_n = n);
    OPENSSL_cleanse(k, sizeof k);
    return *ret;
}
