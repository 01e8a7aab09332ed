#include "gateway/http/token_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAYS = 8, LOCKS = 32 };

struct entry {
    unsigned char digest[TOKEN_DIGEST];
    struct principal *principal;  /* NULL: free */
    uint64_t used;                /* the stripe's tick at the last use */
    uint64_t age;                 /* the cache's when it was verified */
};

struct set {
    struct entry ways[WAYS];
};

struct stripe {
    pthread_mutex_t lock;         /* guards tick and every LOCKS-th set */
    uint64_t tick;
};

struct token_cache {
    size_t n;
    _Atomic uint64_t age;         /* goes up when a key is gone */
    struct set *sets;
    struct stripe stripes[LOCKS];
};

struct token_cache *token_cache_new(size_t tokens)
{
    struct token_cache *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->n = tokens > WAYS ? (tokens + WAYS - 1) / WAYS : 1;
    if (!(c->sets = calloc(c->n, sizeof *c->sets))) {
        free(c);
        return NULL;
    }
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&c->stripes[i].lock, NULL);
    return c;
}

void token_cache_free(struct token_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n * WAYS; i++)
        principal_unref(c->sets[i / WAYS].ways[i % WAYS].principal);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&c->stripes[i].lock);
    free(c->sets);
    free(c);
}

static struct set *set_lock(struct token_cache *c, const unsigned char digest[TOKEN_DIGEST], struct stripe **ret_stripe)
{
    uint64_t h;

    memcpy(&h, digest, sizeof h);
    size_t i = (size_t)(h % c->n);

    *ret_stripe = &c->stripes[i % LOCKS];
    pthread_mutex_lock(&(*ret_stripe)->lock);
    return &c->sets[i];
}

/* memcmp suffices: whoever could steer a digest byte by byte would have inverted SHA-256. */
static struct entry *find(struct set *set, const unsigned char digest[TOKEN_DIGEST])
{
    for (struct entry *e = set->ways; e < set->ways + WAYS; e++) {
        if (e->principal && memcmp(e->digest, digest, TOKEN_DIGEST) == 0)
            return e;
    }
    return NULL;
}

struct principal *token_cache_get(struct token_cache *c, const unsigned char digest[TOKEN_DIGEST], int64_t now_unix_us,
                                  int64_t leeway_us)
{
    struct stripe *stripe;
    struct entry *e = find(set_lock(c, digest, &stripe), digest);
    struct principal *found = NULL, *expired = NULL;

    if (e && e->age == atomic_load(&c->age) && now_unix_us - leeway_us < principal_expires_us(e->principal)) {
        e->used = ++stripe->tick;
        found = principal_ref(e->principal);
    } else if (e) {
        expired = e->principal;
        e->principal = NULL;
    }
    pthread_mutex_unlock(&stripe->lock);
    principal_unref(expired);
    return found;
}

void token_cache_put(struct token_cache *c, const unsigned char digest[TOKEN_DIGEST], struct principal *p, uint64_t age)
{
    struct stripe *stripe;
    struct set *set = set_lock(c, digest, &stripe);
    struct entry *slot = find(set, digest);

    /* Another thread may have put the same token meanwhile: then its entry is replaced. */
    for (struct entry *e = set->ways; !slot && e < set->ways + WAYS; e++) {
        if (!e->principal)
            slot = e;
    }
    if (!slot) {
        slot = set->ways;
        for (struct entry *e = set->ways + 1; e < set->ways + WAYS; e++) {
            if (e->used < slot->used)
                slot = e;
        }
    }
    struct principal *old = slot->principal;

    memcpy(slot->digest, digest, TOKEN_DIGEST);
    slot->principal = principal_ref(p);
    slot->used = ++stripe->tick;
    slot->age = age;
    pthread_mutex_unlock(&stripe->lock);
    principal_unref(old);
}

void token_cache_outdate(struct token_cache *c)
{
    if (c)
        atomic_fetch_add(&c->age, 1);
}

uint64_t token_cache_age(const struct token_cache *c)
{
    return c ? atomic_load(&c->age) : 0;
}
