#include "gateway/http/auth.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/http/fetch.h"
#include "gateway/http/jwks.h"
#include "gateway/http/principal.h"
#include "gateway/http/token.h"
#include "gateway/http/token_cache.h"

#define MEMO_MAX 2048             /* bytes of a header value that a connection remembers */

struct install {                  /* where a source puts what it fetched */
    struct auth *auth;
    struct issuer *issuer;
};

struct auth {
    const struct config *config;
    struct token_rules rules;     /* strings of the configuration */
    EVP_MD *sha256;               /* fetched once: a lookup by name costs more than the digest */
    struct token_cache *cache;    /* NULL: auth.cache is 0 */
    _Atomic uint64_t age;         /* goes up when a key is gone */
    struct issuers issuers;
    struct install installs[ISSUERS_MAX];
    pthread_rwlock_t lock;        /* guards keys, which only grow, and the set of each issuer: when one loses a key the cache is
                                   * outdated in the same step */
    struct keys keys;
};

/* Of the fetch that lies back farthest: what an alert looks at. Under the lock. */
static int64_t oldest_fetch_s(const struct issuers *is)
{
    int64_t oldest = INT64_MAX;

    for (size_t i = 0; i < is->n; i++) {
        if (is->v[i]->fetched && is->v[i]->fetched_s < oldest)
            oldest = is->v[i]->fetched_s;
    }
    return oldest;
}

/* jwks.h: on the thread of a source. Readers hold the lock as long as they use a key, so the old set can go at once. */
static void install_set(void *arg, struct jwks_set *set)
{
    const struct install *in = arg;
    struct auth *a = in->auth;
    struct issuer *is = in->issuer;
    size_t gone, came;

    pthread_rwlock_wrlock(&a->lock);
    struct jwks_set *old = is->set;

    gone = jwks_set_lacks(set, old);
    came = jwks_set_lacks(old, set);
    is->set = set;
    if (set)
        is->fetched_s = clock_unix_us() / US_PER_S;
    metric_set(M_JWKS_FETCHED, oldest_fetch_s(&a->issuers));
    if (gone) {
        token_cache_outdate(a->cache);
        atomic_fetch_add(&a->age, 1);
    }
    pthread_rwlock_unlock(&a->lock);
    jwks_set_free(old);
    if (gone || came)
        log_info("the keys of an issuer have changed", L_STR("issuer", is->name), L_INT("keys", set ? set->n : 0),
                 L_INT("added", came), L_INT("removed", gone));
}

static bool start_sources(struct auth *a, char err[512])
{
    int64_t until_us = clock_mono_us() + a->config->auth_jwks_start_wait_us;
    const char *ca = a->config->auth_jwks_ca_file;

    if (ca && *ca && !fetch_ca_good(ca)) {
        snprintf(err, 512, "The file %.300s (auth.jwks_ca_file) holds no PEM certificate that can be read.", ca);
        return false;
    }
    for (size_t i = 0; i < a->issuers.n; i++) {
        struct issuer *is = a->issuers.v[i];

        a->installs[i] = (struct install){ a, is };
        if (!is->fetched)
            continue;
        is->source = fetch_init() ? jwks_start(&(struct jwks_config){ a->config, is->name, is->jwks_url, is->algs, install_set,
                                                                      &a->installs[i] }) : NULL;
        if (!is->source) {
            snprintf(err, 512, "The thread that fetches the keys of %.300s cannot be started.", is->name);
            return false;
        }
    }
    for (size_t i = 0; i < a->issuers.n; i++) {
        if (a->issuers.v[i]->source)
            jwks_wait_first(a->issuers.v[i]->source, until_us);
    }
    return true;
}

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
    a->config = c;
    a->rules = (struct token_rules){ slice_of(c->auth_issuer), slice_of(c->auth_audience), c->auth_leeway_us, &a->issuers };
    a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    a->cache = c->auth_cache ? token_cache_new((size_t)c->auth_cache) : NULL;
    if (!a->sha256 || (c->auth_cache && !a->cache)) {
        snprintf(err, 512, "Memory is out.");
        goto fail;
    }
    if (!keys_load(&a->keys, &a->issuers, c, err))
        goto fail;
    if (dev_secret.n) {
        struct key *k = key_from_secret(dev_secret, why);

        if (!k || !keys_add(&a->keys, k, why)) {
            snprintf(err, 512, "The development key cannot be used: %s.", why);
            goto fail;
        }
    }
    if (start_sources(a, err))
        return a;
fail:
    auth_free(a);
    return NULL;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->issuers.n; i++)
        jwks_stop(a->issuers.v[i]->source);
    issuers_free(&a->issuers);
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
    bool some = a->keys.n > 0 || a->issuers.n > 0;
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

/* One look at the keys. *ret_lacking and *ret_seen: whose keys may be out of date, and as of which attempt to fetch them. */
static enum err look(struct auth *a, struct slice token, const unsigned char *digest, int64_t now_unix_us, struct principal **ret,
                     struct issuer **ret_lacking, uint64_t *ret_seen, struct fault *f)
{
    struct principal *p = NULL;

    *ret_lacking = NULL;
    pthread_rwlock_rdlock(&a->lock);
    uint64_t age = token_cache_age(a->cache);
    enum err e = token_verify(&a->keys, &a->rules, token, now_unix_us, &p, ret_lacking, f);

    if (*ret_lacking) /* under the lock: a set that comes after this look belongs to an attempt that ends after it */
        *ret_seen = jwks_attempts((*ret_lacking)->source);
    pthread_rwlock_unlock(&a->lock);
    if (!e && a->cache)
        token_cache_put(a->cache, digest, p, age);
    if (!e)
        *ret = p;
    return e;
}

static enum err verify(struct auth *a, struct slice token, const unsigned char *digest, int64_t now_unix_us, struct auth_wait *w,
                       struct principal **ret, struct fault *f)
{
    enum jwks_ask ask = JWKS_LOOK_AGAIN;
    struct issuer *lacking;
    uint64_t seen = 0;
    enum err e;

    while (ask == JWKS_LOOK_AGAIN) {
        e = look(a, token, digest, now_unix_us, ret, &lacking, &seen, f);
        if (!lacking)
            return e;
        ask = jwks_want(lacking->source, seen, w);
    }
    if (ask == JWKS_COMING && w)
        return ERR_PARKED;
    metric_add(M_TOKEN_UNKNOWN_KEYS, 1);
    return e;
}

enum err auth_check(struct auth *a, struct slice authorization, int64_t now_unix_us, struct principal **ret, struct fault *f)
{
    return auth_check_or_wait(a, authorization, now_unix_us, NULL, ret, f);
}

enum err auth_check_or_wait(struct auth *a, struct slice authorization, int64_t now_unix_us, struct auth_wait *w,
                            struct principal **ret, struct fault *f)
{
    struct slice token = authorization.p ? bearer(authorization) : SLICE_NONE;
    unsigned char digest[TOKEN_DIGEST];
    struct fault why = { 0 };
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
    e = verify(a, token, digest, now_unix_us, w, ret, &why);
    if (e && e != ERR_PARKED) {
        metric_add(M_TOKEN_REFUSED, 1);
        return fault(f, e, "%s", why.detail);
    }
    return e;
}

struct principal *auth_recall(const struct auth *a, const struct auth_memo *m, struct slice authorization, int64_t now_unix_us)
{
    if (!m->who || m->n != authorization.n || memcmp(m->value, authorization.p, m->n) != 0 ||
        m->age != auth_age(a) || now_unix_us - a->rules.leeway_us >= principal_expires_us(m->who))
        return NULL;
    metric_add(M_TOKEN_CACHE_HITS, 1);
    return principal_ref(m->who);
}

void auth_remember(const struct auth *a, struct auth_memo *m, struct slice authorization, struct principal *who, uint64_t age)
{
    char *value = a->cache && authorization.n <= MEMO_MAX ? malloc(authorization.n) : NULL;

    auth_forget(m);
    if (!value)
        return;
    memcpy(value, authorization.p, authorization.n);
    *m = (struct auth_memo){ value, authorization.n, principal_ref(who), age };
}

uint64_t auth_age(const struct auth *a)
{
    return atomic_load(&a->age);
}

bool auth_stands(struct auth *a, struct slice authorization, int64_t now_unix_us)
{
    struct slice token = bearer(authorization);
    unsigned char digest[TOKEN_DIGEST];
    struct principal *p = NULL;
    struct issuer *lacking;
    uint64_t seen;
    enum err e = OK;

    if (a->cache && !digest_of(a, token, digest))
        return true;
    if (!a->cache || !(p = token_cache_get(a->cache, digest, now_unix_us, a->rules.leeway_us)))
        e = look(a, token, digest, now_unix_us, &p, &lacking, &seen, NULL);
    principal_unref(p);
    return e != ERR_INVALID_TOKEN;
}

void auth_forget(struct auth_memo *m)
{
    if (m->value)
        OPENSSL_cleanse(m->value, m->n);
    free(m->value);
    principal_unref(m->who);
    *m = (struct auth_memo){ 0 };
}

void auth_unwait(struct auth_wait *w)
{
    jwks_unwait(w);
}

void auth_limit(const struct auth *a, struct principal *p)
{
    const struct issuer *is = issuers_find(&a->issuers, principal_issuer(p));

    if (is)
        principal_limit(p, is->ceiling);
}
