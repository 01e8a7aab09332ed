/* The token verifier under a fixed HS256 key, three ways: the input as a token, as the claims and as the header of a
 * token that is then signed properly, so that what lies behind the signature is reached too. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/http/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (INT64_C(1800000000) * US_PER_S)
#define LEEWAY (60 * US_PER_S)
#define SECRET SLICE("0123456789abcdef0123456789abcdef")

static struct keys keys;
static const struct token_rules rules = { { NULL, 0 }, { NULL, 0 }, LEEWAY, NULL };

static void must(bool x)
{
    if (!x)
        abort();
}

static void base64url(struct buf *b, const void *p, size_t n)
{
    size_t room = 4 * (n / 3 + 1) + 1;

    must(buf_reserve(b, room));
    int len = EVP_EncodeBlock((unsigned char *)b->p + b->n, p, (int)n);

    for (char *c = b->p + b->n; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    while (len && b->p[b->n + (size_t)len - 1] == '=')
        len--;
    b->n += (size_t)len;
}

/* Whatever was accepted holds together. */
static void hold(const struct principal *p)
{
    must(principal_expires_us(p) > NOW - LEEWAY);
    must(principal_subject(p).p && principal_issuer(p).p);
    for (unsigned a = PERM_PUBLISH; a <= PERM_ADMIN; a <<= 1) {
        bool all = principal_may_all(p, a), any = principal_may_any(p, a), one = principal_may(p, a, SLICE("orders.eu"));

        must((!all || one) && (!one || any));
        must(!principal_may(p, PERM_ADMIN, SLICE("orders.eu")) || one);
    }
}

static bool check(struct slice token)
{
    struct principal *p = NULL;
    struct fault f = { 0 };
    enum err e = token_verify(&keys, &rules, token, NOW, &p, NULL, &f);

    must(e == OK ? p != NULL : e == ERR_INVALID_TOKEN && !p && *f.detail);
    if (p)
        hold(p);
    principal_unref(p);
    return e == OK;
}

static void check_signed(struct slice header, struct slice claims)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    struct buf b = { 0 };
    unsigned n;

    base64url(&b, header.p, header.n);
    buf_char(&b, '.');
    base64url(&b, claims.p, claims.n);
    must(HMAC(EVP_sha256(), SECRET.p, (int)SECRET.n, (unsigned char *)b.p, b.n, mac, &n));
    buf_char(&b, '.');
    base64url(&b, mac, n);
    must(!b.failed);
    check((struct slice){ b.p, b.n });
    mac[0] ^= 1;
    while (b.p[b.n - 1] != '.')
        b.n--;
    base64url(&b, mac, n);
    must(!check((struct slice){ b.p, b.n }));
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    char why[KEY_WHY];

    if (!keys.n)
        must(keys_add(&keys, key_from_secret(SECRET, why), why));
    if (size > TOKEN_MAX + 1)
        return 0;
    check(input);
    check_signed(SLICE("{\"alg\":\"HS256\"}"), input);
    check_signed(input, SLICE("{\"exp\":1800003600}"));
    return 0;
}
