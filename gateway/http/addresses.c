#include "gateway/http/addresses.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct address {
    struct address *next;
    uint64_t key;
    bool v6;
    size_t n;              /* its open connections */
};

struct addresses {
    pthread_mutex_t lock;  /* guards all below */
    size_t bound, mask;
    uint64_t seed;         /* strangers choose their addresses: not the bucket */
    struct address **buckets;
};

struct addresses *addresses_new(size_t bound, size_t entries)
{
    struct addresses *as = calloc(1, sizeof *as);
    size_t n = 16;

    while (n < entries)
        n *= 2;
    if (!as || !(as->buckets = calloc(n, sizeof *as->buckets)) ||
        getrandom(&as->seed, sizeof as->seed, 0) != sizeof as->seed) {
        if (as)
            free(as->buckets);
        free(as);
        return NULL;
    }
    pthread_mutex_init(&as->lock, NULL);
    as->bound = bound;
    as->mask = n - 1;
    return as;
}

void addresses_free(struct addresses *as)
{
    if (!as)
        return;
    pthread_mutex_destroy(&as->lock);
    free(as->buckets);
    free(as);
}

static uint64_t key_of(const struct sockaddr *from, bool *ret_v6)
{
    struct in6_addr v6;
    struct in_addr v4 = { 0 };
    uint64_t key = 0;

    *ret_v6 = false;
    if (from->sa_family == AF_INET6) {
        memcpy(&v6, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof v6);
        *ret_v6 = !IN6_IS_ADDR_V4MAPPED(&v6);
        if (*ret_v6)
            memcpy(&key, &v6, sizeof key);
        else
            memcpy(&v4, v6.s6_addr + 12, sizeof v4);
    } else if (from->sa_family == AF_INET) {
        v4 = ((const struct sockaddr_in *)from)->sin_addr;
    }
    return *ret_v6 ? key : v4.s_addr;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014), keyed by the seed. */
static struct address **bucket(struct addresses *as, uint64_t key)
{
    uint64_t z = key ^ as->seed;

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return &as->buckets[(z ^ (z >> 31) ^ as->seed) & as->mask];
}

static struct address *find_or_add(struct addresses *as, uint64_t key, bool v6)
{
    struct address **head = bucket(as, key), *a = *head;

    while (a && (a->key != key || a->v6 != v6))
        a = a->next;
    if (!a && (a = calloc(1, sizeof *a))) {
        a->key = key;
        a->v6 = v6;
        a->next = *head;
        *head = a;
    }
    return a;
}

bool addresses_enter(struct addresses *as, const struct sockaddr *from, struct address **ret)
{
    struct address *a;
    uint64_t key;
    bool v6, room;

    *ret = NULL;
    if (!as)
        return true;
    key = key_of(from, &v6);
    pthread_mutex_lock(&as->lock);
    a = find_or_add(as, key, v6);
    room = a && a->n < as->bound;
    if (room) {
        a->n++;
        *ret = a;
    }
    pthread_mutex_unlock(&as->lock);
    return room;
}

void addresses_leave(struct addresses *as, struct address *a)
{
    struct address **at;

    if (!a)
        return;
    pthread_mutex_lock(&as->lock);
    if (--a->n == 0) {
        for (at = bucket(as, a->key); *at != a;)
            at = &(*at)->next;
        *at = a->next;
        free(a);
    }
    pthread_mutex_unlock(&as->lock);
}
