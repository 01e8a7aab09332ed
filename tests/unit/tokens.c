#include "tests/unit/tokens.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

static EVP_PKEY *pkeys[SIGNERS];
static char pems[2][SIGNERS][4096];

#define must(x)                                                                                                        \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            abort();                                                                                                   \
    } while (0)

EVP_PKEY *token_pkey(enum signer by)
{
    static const enum signer same[SIGNERS] = { [BY_PS] = BY_RS, [BY_PS_SALT0] = BY_RS };

    by = same[by] ? same[by] : by;
    if (pkeys[by])
        return pkeys[by];
    switch (by) {
    case BY_RS:
    case BY_RS_OTHER:
        pkeys[by] = EVP_RSA_gen(2048);
        break;
    case BY_RS_WEAK:
        pkeys[by] = EVP_RSA_gen(1024);
        break;
    case BY_ES:
        pkeys[by] = EVP_EC_gen("P-256");
        break;
    case BY_P384:
        pkeys[by] = EVP_EC_gen("P-384");
        break;
    case BY_ED:
        pkeys[by] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    default:
        return NULL;
    }
    must(pkeys[by]);
    return pkeys[by];
}

void tokens_free(void)
{
    for (size_t i = 0; i < SIGNERS; i++) {
        EVP_PKEY_free(pkeys[i]);
        pkeys[i] = NULL;
    }
}

static struct slice pem_of(enum signer by, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *out = pems[private][by], *p;

    if (private)
        must(PEM_write_bio_PrivateKey(bio, token_pkey(by), NULL, NULL, 0, NULL, NULL));
    else
        must(PEM_write_bio_PUBKEY(bio, token_pkey(by)));
    long n = BIO_get_mem_data(bio, &p);

    must(n > 0 && n < (long)sizeof pems[0][0]);
    memcpy(out, p, (size_t)n);
    out[n] = '\0';
    BIO_free(bio);
    return (struct slice){ out, (size_t)n };
}

struct slice token_pem(enum signer by)
{
    return pem_of(by, false);
}

struct slice token_private_pem(enum signer by)
{
    return pem_of(by, true);
}

struct key *token_key(enum signer by, enum key_alg alg, const char *kid)
{
    char why[KEY_WHY] = "";
    struct key *k = token_pkey(by) ? key_from_pem(alg, token_pem(by), why) : key_from_secret(SLICE(TOKEN_SECRET), why);

    if (!k)
        fprintf(stderr, "%s\n", why);
    must(k);
    k->kid = kid ? strdup(kid) : NULL;
    return k;
}

static char *base64url(const unsigned char *p, size_t n)
{
    char *out = malloc(4 * (n / 3 + 1) + 1);
    int len = EVP_EncodeBlock((unsigned char *)out, p, (int)n);

    while (len && out[len - 1] == '=')
        len--;
    out[len] = '\0';
    for (char *c = out; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return out;
}

static size_t hmac(struct slice secret, const char *input, unsigned char *out)
{
    unsigned n;

    must(HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)input, strlen(input), out, &n));
    return n;
}

static size_t raw_ecdsa(const unsigned char *der, size_t n, int half, unsigned char *out)
{
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);

    must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, half) == half &&
         BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, half) == half);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)half;
}

static size_t signature(enum signer by, const char *input, unsigned char out[512])
{
    const EVP_MD *md = by == BY_ED ? NULL : by == BY_P384 ? EVP_sha384() : EVP_sha256();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how;
    unsigned char sig[512];
    size_t n = sizeof sig;

    must(EVP_DigestSignInit(ctx, &how, md, NULL, token_pkey(by)) == 1);
    if (by == BY_PS || by == BY_PS_SALT0)
        must(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(how, by == BY_PS ? 32 : 0) == 1);
    must(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)input, strlen(input)) == 1);
    EVP_MD_CTX_free(ctx);
    if (by == BY_ES || by == BY_P384)
        return raw_ecdsa(sig, n, by == BY_ES ? 32 : 48, out);
    memcpy(out, sig, n);
    return n;
}

char *token_seal(enum signer by, const char *input)
{
    unsigned char sig[512];
    size_t n;
    char *text, *token;

    if (by == BY_HS)
        n = hmac(SLICE(TOKEN_SECRET), input, sig);
    else if (by == BY_HS_OTHER)
        n = hmac(SLICE("another secret of thirty-two byte"), input, sig);
    else if (by == BY_RSA_PEM)
        n = hmac(token_pem(BY_RS), input, sig);
    else
        n = signature(by, input, sig);
    text = base64url(sig, n);
    must(asprintf(&token, "%s.%s", input, text) > 0);
    free(text);
    return token;
}

char *token_sign(enum signer by, const char *header, const char *claims)
{
    char *h = base64url((const unsigned char *)header, strlen(header));
    char *c = base64url((const unsigned char *)claims, strlen(claims));
    char *input, *token;

    must(asprintf(&input, "%s.%s", h, c) > 0);
    token = token_seal(by, input);
    free(input);
    free(h);
    free(c);
    return token;
}
