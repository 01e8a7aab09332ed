#include "gateway/http/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http/jwk.h"

enum { SECRET_MIN = 32, HMAC_BYTES = 32, P256_HALF = 32, P256_DER_MAX = 80, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 16384 };

static bool verify_hmac(const struct key *k, struct slice input, struct slice sig);
static bool verify_rsa(const struct key *k, struct slice input, struct slice sig);
static bool verify_pss(const struct key *k, struct slice input, struct slice sig);
static bool verify_ecdsa(const struct key *k, struct slice input, struct slice sig);
static bool verify_ed25519(const struct key *k, struct slice input, struct slice sig);

static const struct {
    const char *name;
    int type;                       /* what OpenSSL must say the key is; 0: a secret */
    const char *what;
    bool (*verify)(const struct key *k, struct slice input, struct slice sig);
} algs[] = {
    [KEY_HS256] = { "HS256", 0, "a secret", verify_hmac },
    [KEY_RS256] = { "RS256", EVP_PKEY_RSA, "an RSA key", verify_rsa },
    [KEY_PS256] = { "PS256", EVP_PKEY_RSA, "an RSA key", verify_pss },
    [KEY_ES256] = { "ES256", EVP_PKEY_EC, "an EC key on P-256", verify_ecdsa },
    [KEY_EDDSA] = { "EdDSA", EVP_PKEY_ED25519, "an Ed25519 key", verify_ed25519 },
};

__attribute__((format(printf, 2, 3))) static void *because(char why[KEY_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, KEY_WHY, fmt, ap);
    va_end(ap);
    ERR_clear_error();
    return NULL;
}

bool key_alg_parse(struct slice name, enum key_alg *ret)
{
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        if (slice_is(name, algs[i].name)) {
            *ret = (enum key_alg)i;
            return true;
        }
    }
    return false;
}

void key_free(struct key *k)
{
    if (!k)
        return;
    if (k->secret)
        OPENSSL_cleanse(k->secret, k->secret_n);
    free(k->secret);
    EVP_PKEY_free(k->pkey);
    free(k->kid);
    free(k->issuer);
    free(k->audience);
    free(k);
}

struct key *key_from_secret(struct slice secret, char why[KEY_WHY])
{
    if (secret.n < SECRET_MIN)
        return because(why, "the secret has %zu bytes, HS256 needs at least %d", secret.n, SECRET_MIN);
    /* A public key is known to everybody: as a secret it would let anybody sign. */
    if (memmem(secret.p, secret.n, "-----BEGIN ", 11))
        return because(why, "the secret is a PEM block, which others may know; HS256 needs random bytes");

    struct key *k = calloc(1, sizeof *k);

    if (!k || !(k->secret = malloc(secret.n))) {
        free(k);
        return because(why, "memory is out");
    }
    memcpy(k->secret, secret.p, secret.n);
    k->secret_n = secret.n;
    k->alg = KEY_HS256;
    return k;
}

/* The key is what the algorithm needs, and strong enough. */
static bool is_fit(enum key_alg alg, EVP_PKEY *pkey, char why[KEY_WHY])
{
    int bits = EVP_PKEY_get_bits(pkey);
    char group[32] = "another curve";

    if (EVP_PKEY_get_base_id(pkey) != algs[alg].type)
        return because(why, "%s needs %s, this is another kind", algs[alg].name, algs[alg].what);
    if (algs[alg].type == EVP_PKEY_RSA && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
        return because(why, "the RSA key has %d bits, %d to %d are allowed", bits, RSA_BITS_MIN, RSA_BITS_MAX);
    if (algs[alg].type == EVP_PKEY_EC &&
        (!EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) || strcmp(group, SN_X9_62_prime256v1) != 0))
        return because(why, "ES256 needs an EC key on P-256, this one is on %s", group);
    return true;
}

/* Takes pkey over, whatever happens. */
static struct key *key_of(enum key_alg alg, EVP_PKEY *pkey, char why[KEY_WHY])
{
    struct key *k = NULL;

    if (!is_fit(alg, pkey, why))
        goto out;
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool sound = check && EVP_PKEY_public_check(check) == 1;

    EVP_PKEY_CTX_free(check);
    if (!sound) {
        because(why, "OpenSSL finds the key's numbers invalid");
        goto out;
    }
    if (!(k = calloc(1, sizeof *k))) {
        because(why, "memory is out");
        goto out;
    }
    k->alg = alg;
    k->pkey = pkey;
    return k;
out:
    EVP_PKEY_free(pkey);
    return NULL;
}

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg; /* OpenSSL would ask on the terminal */
    return -1;
}

struct key *key_from_pem(enum key_alg alg, struct slice pem, char why[KEY_WHY])
{
    const char *begin = memmem(pem.p, pem.n, "-----BEGIN ", 11);

    if (!algs[alg].type)
        return because(why, "HS256 needs a secret, not a PEM");
    if (!begin || pem.n > INT32_MAX)
        return because(why, "no PEM block (-----BEGIN PUBLIC KEY-----) is there");

    size_t rest = pem.n - (size_t)(begin - pem.p);

    if (memmem(begin + 1, rest - 1, "-----BEGIN ", 11))
        return because(why, "there is more than one PEM block; give each key a record of its own");
    if (memmem(begin, rest, "PRIVATE KEY-----", 16))
        return because(why, "this is a private key; Weir takes the public one alone (openssl pkey -pubout)");

    BIO *bio = BIO_new_mem_buf(begin, (int)rest);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    if (!pkey)
        return because(why, "the PEM block is not a public key that OpenSSL can read");
    return key_of(alg, pkey, why);
}

struct key *key_from_jwk(enum key_alg alg, const json_t *jwk, char why[KEY_WHY])
{
    if (!algs[alg].type) {
        struct key *k = NULL;
        char *secret = NULL;
        size_t n = 0;

        if (jwk_secret(jwk, &secret, &n, why))
            k = key_from_secret((struct slice){ secret, n }, why);
        if (secret)
            OPENSSL_cleanse(secret, n);
        free(secret);
        return k;
    }
    EVP_PKEY *pkey = jwk_public_key(jwk, why);

    return pkey ? key_of(alg, pkey, why) : NULL;
}

static const unsigned char *bytes(struct slice s)
{
    return (const unsigned char *)s.p;
}

static bool verify_hmac(const struct key *k, struct slice input, struct slice sig)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    return k->secret_n <= INT32_MAX && sig.n == HMAC_BYTES &&
           HMAC(EVP_sha256(), k->secret, (int)k->secret_n, bytes(input), input.n, mac, &n) && n == HMAC_BYTES &&
           CRYPTO_memcmp(mac, sig.p, HMAC_BYTES) == 0;
}

/* One context a call: the key alone is shared between threads. */
static bool verify_digest(const struct key *k, const EVP_MD *md, bool pss, struct slice input, struct slice sig)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL; /* ctx owns it */
    bool good = ctx && EVP_DigestVerifyInit(ctx, &how, md, NULL, k->pkey) == 1;

    if (good && pss)
        good = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(how, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
    good = good && EVP_DigestVerify(ctx, bytes(sig), sig.n, bytes(input), input.n) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good)
        ERR_clear_error();
    return good;
}

static bool verify_rsa(const struct key *k, struct slice input, struct slice sig)
{
    return verify_digest(k, EVP_sha256(), false, input, sig);
}

static bool verify_pss(const struct key *k, struct slice input, struct slice sig)
{
    return verify_digest(k, EVP_sha256(), true, input, sig);
}

static bool verify_ed25519(const struct key *k, struct slice input, struct slice sig)
{
    return verify_digest(k, NULL, false, input, sig);
}

/* JWS carries r||s (RFC 7518, 3.4); OpenSSL wants the DER of both. */
static bool verify_ecdsa(const struct key *k, struct slice input, struct slice sig)
{
    unsigned char der[P256_DER_MAX], *end = der;

    if (sig.n != 2 * P256_HALF)
        return false;

    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes(sig), P256_HALF, NULL), *s = BN_bin2bn(bytes(sig) + P256_HALF, P256_HALF, NULL);
    int n = -1;

    if (pair && r && s && ECDSA_SIG_set0(pair, r, s)) {
        r = s = NULL;
        n = i2d_ECDSA_SIG(pair, &end);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return n > 0 && verify_digest(k, EVP_sha256(), false, input, (struct slice){ (const char *)der, (size_t)n });
}

bool key_verify(const struct key *k, struct slice input, struct slice signature)
{
    return algs[k->alg].verify(k, input, signature);
}
