#include "gateway/http/revocations.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Entries in chains by the hash of what they name; a list is built once and never changed. */
struct list {
    size_t n, buckets;         /* buckets: a power of two */
    struct revocation *v;
    size_t *next;              /* of each entry: index + 1 of the next in its chain, 0: none */
    size_t *first;             /* of each bucket, likewise */
    char *text;
};

struct revocations {
    atomic_size_t n;
    atomic_uint_fast64_t generation;
    pthread_rwlock_t lock;     /* guards list */
    struct list list;
};

struct revocations *revocations_new(void)
{
    struct revocations *r = calloc(1, sizeof *r);

    if (!r || pthread_rwlock_init(&r->lock, NULL)) {
        free(r);
        return NULL;
    }
    atomic_init(&r->generation, 1);
    return r;
}

static void list_free(struct list *l)
{
    free(l->v);
    free(l->next);
    free(l->first);
    free(l->text);
}

void revocations_free(struct revocations *r)
{
    if (!r)
        return;
    list_free(&r->list);
    pthread_rwlock_destroy(&r->lock);
    free(r);
}

/* FNV-1a (Fowler, Noll, Vo). What is hashed comes from those who may revoke, so nobody can fill a chain on purpose. */
static uint64_t hash_of(char kind, struct slice name)
{
    uint64_t h = (UINT64_C(14695981039346656037) ^ (unsigned char)kind) * UINT64_C(1099511628211);

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * UINT64_C(1099511628211);
    return h ^ (h >> 32);
}

static uint64_t hash_of_entry(const struct revocation *v)
{
    return v->jti.p ? hash_of('j', v->jti) : hash_of('s', v->sub);
}

static struct slice copy(struct slice s, char **at)
{
    struct slice c = { s.p ? *at : NULL, s.n };

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return c;
}

static bool list_make(struct list *l, const struct revocation *v, size_t n)
{
    size_t bytes = 1;
    char *at;

    for (size_t i = 0; i < n; i++)
        bytes += v[i].jti.n + v[i].sub.n + v[i].iss.n;
    *l = (struct list){ .n = n, .buckets = 16 };
    while (l->buckets < n)
        l->buckets *= 2;
    l->v = calloc(n + 1, sizeof *l->v);
    l->next = calloc(n + 1, sizeof *l->next);
    l->first = calloc(l->buckets, sizeof *l->first);
    l->text = at = malloc(bytes);
    if (!l->v || !l->next || !l->first || !l->text)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t *first = &l->first[hash_of_entry(&v[i]) & (l->buckets - 1)];

        l->v[i] = v[i];
        l->v[i].jti = copy(v[i].jti, &at);
        l->v[i].sub = copy(v[i].sub, &at);
        l->v[i].iss = copy(v[i].iss, &at);
        l->next[i] = *first;
        *first = i + 1;
    }
    return true;
}

bool revocations_set(struct revocations *r, const struct revocation *v, size_t n)
{
    struct list made, old;

    if (!list_make(&made, v, n)) {
        list_free(&made);
        return false;
    }
    pthread_rwlock_wrlock(&r->lock);
    old = r->list;
    r->list = made;
    pthread_rwlock_unlock(&r->lock);
    atomic_store(&r->n, n);
    atomic_fetch_add(&r->generation, 1); /* last: whoever reads the new number finds the new list */
    list_free(&old);
    return true;
}

uint64_t revocations_generation(const struct revocations *r)
{
    return atomic_load(&r->generation);
}

static bool matches(const struct revocation *v, const struct principal *p, int64_t now_us)
{
    if (v->expires_us <= now_us || (v->iss.p && !slice_eq(v->iss, principal_issuer(p))))
        return false;
    if (v->jti.p)
        return slice_eq(v->jti, principal_token_id(p));
    return slice_eq(v->sub, principal_subject(p)) &&
           (principal_issued_us(p) == 0 || principal_issued_us(p) < v->issued_before_us);
}

static bool listed(const struct list *l, char kind, struct slice name, const struct principal *p, int64_t now_us)
{
    if (!l->n || !name.n)
        return false;
    for (size_t i = l->first[hash_of(kind, name) & (l->buckets - 1)]; i; i = l->next[i - 1]) {
        if (matches(&l->v[i - 1], p, now_us))
            return true;
    }
    return false;
}

bool revocations_hold(struct revocations *r, const struct principal *p, int64_t now_unix_us)
{
    bool found;

    if (atomic_load(&r->n) == 0)
        return false;
    pthread_rwlock_rdlock(&r->lock);
    found = listed(&r->list, 'j', principal_token_id(p), p, now_unix_us) ||
            listed(&r->list, 's', principal_subject(p), p, now_unix_us);
    pthread_rwlock_unlock(&r->lock);
    return found;
}
