#include "gateway/http/auth.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/metrics.h"
#include "gateway/http/token.h"
#include "gateway/http/token_cache.h"

struct auth {
    struct token_rules rules;     /* strings of the configuration */
    EVP_MD *sha256;               /* fetched once: a lookup by name costs more than the digest */
    struct token_cache *cache;    /* NULL: auth.cache is 0 */
    pthread_rwlock_t lock;        /* guards keys, which only grow: what the cache holds stays true */
    struct keys keys;
};

struct auth *auth_new(const struct config *c, struct slice dev_secret, char err[512])
{
    struct auth *a = calloc(1, sizeof *a);
    char why[KEY_WHY];

    if (!a || pthread_rwlock_init(&a->lock, NULL)) {
        free(a);
        snprintf(err, 512, "Memory is out.");
        return NULL;
    }
    json_object_seed(0);          /* before any other thread parses */
    a->rules = (struct token_rules){ slice_of(c->auth_issuer), slice_of(c->auth_audience), c->auth_leeway_us };
    a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    a->cache = c->auth_cache ? token_cache_new((size_t)c->auth_cache) : NULL;
    if (!a->sha256 || (c->auth_cache && !a->cache)) {
        snprintf(err, 512, "Memory is out.");
        goto fail;
    }
    if (!keys_load(&a->keys, c, err))
        goto fail;
    if (dev_secret.n) {
        struct key *k = key_from_secret(dev_secret, why);

        if (!k || !keys_add(&a->keys, k, why)) {
            snprintf(err, 512, "The development key cannot be used: %s.", why);
            goto fail;
        }
    }
    return a;
fail:
    auth_free(a);
    return NULL;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    token_cache_free(a->cache);
    keys_free(&a->keys);
    EVP_MD_free(a->sha256);
    pthread_rwlock_destroy(&a->lock);
    free(a);
}

bool auth_has_keys(const struct auth *a)
{
    pthread_rwlock_t *lock = (pthread_rwlock_t *)&a->lock;

    pthread_rwlock_rdlock(lock);
    bool some = a->keys.n > 0;
    pthread_rwlock_unlock(lock);
    return some;
}

bool auth_add_secret(struct auth *a, struct slice secret)
{
    char why[KEY_WHY];
    struct key *k = key_from_secret(secret, why);

    if (!k)
        return false;
    pthread_rwlock_wrlock(&a->lock);
    bool added = keys_add(&a->keys, k, why);
    pthread_rwlock_unlock(&a->lock);
    return added;
}

/* RFC 9110, 11.4: the scheme in any case, then spaces. p == NULL: it is not Bearer. */
static struct slice bearer(struct slice authorization)
{
    static const char scheme[] = "Bearer";
    const char *p = authorization.p, *end = authorization.p + authorization.n;

    if (authorization.n < sizeof scheme || strncasecmp(p, scheme, sizeof scheme - 1) != 0 ||
        p[sizeof scheme - 1] != ' ')
        return SLICE_NONE;
    for (p += sizeof scheme; p < end && *p == ' ';)
        p++;
    return p < end ? (struct slice){ p, (size_t)(end - p) } : SLICE_NONE;
}

static bool digest_of(const struct auth *a, struct slice token, unsigned char out[TOKEN_DIGEST])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestInit_ex2(ctx, a->sha256, NULL) == 1 && EVP_DigestUpdate(ctx, token.p, token.n) == 1 &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

enum err auth_check(struct auth *a, struct slice authorization, int64_t now_unix_us, struct principal **ret,
                    struct fault *f)
{
    struct slice token = authorization.p ? bearer(authorization) : SLICE_NONE;
    unsigned char digest[TOKEN_DIGEST];
    struct principal *p = NULL;
    enum err e;

    if (!token.p)
        return fault(f, ERR_UNAUTHENTICATED, "This call needs a token: Authorization: Bearer <JWT>.");
    if (a->cache && token.n <= TOKEN_MAX) { /* what is longer is refused below, unread */
        if (!digest_of(a, token, digest))
            return fault(f, ERR_NO_MEMORY, "Memory is out.");
        if ((*ret = token_cache_get(a->cache, digest, now_unix_us, a->rules.leeway_us))) {
            metric_add(M_TOKEN_CACHE_HITS, 1);
            return OK;
        }
    }
    metric_add(M_TOKEN_CACHE_MISSES, 1);
    pthread_rwlock_rdlock(&a->lock);
    e = token_verify(&a->keys, &a->rules, token, now_unix_us, &p, f);
    pthread_rwlock_unlock(&a->lock);
    if (e) {
        metric_add(M_TOKEN_REFUSED, 1);
        return e;
    }
    if (a->cache)
        token_cache_put(a->cache, digest, p);
    *ret = p;
    return OK;
}
