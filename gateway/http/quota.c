#include "gateway/http/quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"

#define NS_PER_US 1000

struct account {
    struct account *chain;             /* of its bucket */
    struct account *older, *newer;     /* among those that nobody holds */
    size_t refs;
    int64_t streams;
    int64_t tat[QUOTA_RATES];          /* nanoseconds, monotonic */
    uint64_t hash;
    size_t issuer_n, key_n;
    char key[];                        /* issuer and subject */
};

struct quota {
    int64_t window, limit[QUOTA_RATES], streams; /* nanoseconds; 0: no limit */
    size_t max, mask;
    uint64_t seed;                     /* so that nobody can choose names that fall into one bucket */
    pthread_mutex_t lock;              /* guards all below, and the accounts */
    struct account **buckets;
    struct account *oldest, *newest;   /* that nobody holds */
    size_t count;
};

static const struct {
    const char *name, *unit;           /* unit: as the draft names it; NULL: requests */
} rates[QUOTA_RATES] = { { "requests", NULL }, { "events", "events" }, { "bytes", "content-bytes" } };

int64_t gcra(int64_t *tat, int64_t now, int64_t window, int64_t limit, int64_t n, bool commit)
{
    int64_t from = *tat > now ? *tat : now;
    int64_t cost = n <= limit ? (int64_t)((double)n * (double)window / (double)limit) : -1;

    if (cost < 0)
        return -1;
    if (from + cost - now > window)
        return from + cost - now - window;
    if (commit)
        *tat = from + cost;
    return 0;
}

int64_t gcra_left(int64_t tat, int64_t now, int64_t window, int64_t limit)
{
    int64_t used = tat > now ? tat - now : 0;

    return used < window ? (int64_t)((double)(window - used) * (double)limit / (double)window) : 0;
}

struct quota *quota_new(const struct config *c)
{
    struct quota *q = calloc(1, sizeof *q);
    size_t buckets = 16;

    while (buckets < (size_t)c->quota_principals)
        buckets *= 2;
    if (!q || !(q->buckets = calloc(buckets, sizeof(struct account *))) ||
        getrandom(&q->seed, sizeof q->seed, 0) != sizeof q->seed) {
        if (q)
            free(q->buckets);
        free(q);
        return NULL;
    }
    q->window = c->quota_window_us * NS_PER_US;
    q->limit[QUOTA_REQUESTS] = c->quota_requests;
    q->limit[QUOTA_EVENTS] = c->quota_events;
    q->limit[QUOTA_BYTES] = c->quota_bytes;
    q->streams = c->quota_streams;
    q->max = (size_t)c->quota_principals;
    q->mask = buckets - 1;
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

void quota_free(struct quota *q)
{
    if (!q)
        return;
    for (size_t b = 0; b <= q->mask; b++)
        while (q->buckets[b]) {
            struct account *a = q->buckets[b];
            q->buckets[b] = a->chain;
            free(a);
        }
    pthread_mutex_destroy(&q->lock);
    free(q->buckets);
    free(q);
}

bool quota_on(const struct quota *q)
{
    return q->limit[QUOTA_REQUESTS] || q->limit[QUOTA_EVENTS] || q->limit[QUOTA_BYTES] || q->streams;
}

static uint64_t mix(uint64_t h, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211); /* FNV-1a */
    return h ^ (h >> 29);
}

static void unlink_idle(struct quota *q, struct account *a)
{
    *(a->older ? &a->older->newer : &q->oldest) = a->newer;
    *(a->newer ? &a->newer->older : &q->newest) = a->older;
    a->older = a->newer = NULL;
}

static void forget_oldest(struct quota *q)
{
    struct account *a = q->oldest, **at = &q->buckets[a->hash & q->mask];

    while (*at != a)
        at = &(*at)->chain;
    *at = a->chain;
    unlink_idle(q, a);
    free(a);
    q->count--;
}

static struct account *find(const struct quota *q, uint64_t hash, struct slice issuer, struct slice subject)
{
    struct account *a = q->buckets[hash & q->mask];

    while (a && !(a->hash == hash && slice_eq((struct slice){ a->key, a->issuer_n }, issuer) &&
                  slice_eq((struct slice){ a->key + a->issuer_n, a->key_n - a->issuer_n }, subject)))
        a = a->chain;
    return a;
}

static struct account *add(struct quota *q, uint64_t hash, struct slice issuer, struct slice subject)
{
    struct account *a = calloc(1, sizeof *a + issuer.n + subject.n);

    if (!a)
        return NULL;
    while (q->count >= q->max && q->oldest)
        forget_oldest(q);
    a->hash = hash;
    a->issuer_n = issuer.n;
    a->key_n = issuer.n + subject.n;
    if (issuer.n)
        memcpy(a->key, issuer.p, issuer.n);
    if (subject.n)
        memcpy(a->key + issuer.n, subject.p, subject.n);
    a->chain = q->buckets[hash & q->mask];
    q->buckets[hash & q->mask] = a;
    q->count++;
    return a;
}

struct account *quota_enter(struct quota *q, struct slice issuer, struct slice subject)
{
    uint64_t hash = mix(mix(q->seed, issuer), subject);
    struct account *a;

    pthread_mutex_lock(&q->lock);
    if (!(a = find(q, hash, issuer, subject)))
        a = add(q, hash, issuer, subject);
    else if (a->refs == 0)
        unlink_idle(q, a);
    if (a)
        a->refs++;
    pthread_mutex_unlock(&q->lock);
    return a;
}

void quota_leave(struct quota *q, struct account *a, bool held)
{
    pthread_mutex_lock(&q->lock);
    a->streams -= held;
    if (--a->refs == 0) {
        a->older = q->newest;
        *(q->newest ? &q->newest->newer : &q->oldest) = a;
        q->newest = a;
        if (q->count > q->max)
            forget_oldest(q);
    }
    pthread_mutex_unlock(&q->lock);
}

enum quota_rate quota_charge(struct quota *q, struct account *a, const int64_t n[QUOTA_RATES], int64_t now_us,
                             int64_t *ret_wait_us)
{
    int64_t wait = 0, now = now_us * NS_PER_US;
    enum quota_rate r = 0, shortest;

    pthread_mutex_lock(&q->lock);
    for (; r < QUOTA_RATES; r++)
        if (q->limit[r] && n[r] && (wait = gcra(&a->tat[r], now, q->window, q->limit[r], n[r], false)))
            break;
    shortest = r;
    for (r = 0; !wait && r < QUOTA_RATES; r++)
        if (q->limit[r] && n[r])
            gcra(&a->tat[r], now, q->window, q->limit[r], n[r], true);
    pthread_mutex_unlock(&q->lock);
    *ret_wait_us = wait < 0 ? wait : (wait + NS_PER_US - 1) / NS_PER_US;
    if (wait)
        metric_add(M_QUOTA_REFUSED, 1);
    return shortest;
}

bool quota_hold(struct quota *q, struct account *a)
{
    bool free_one;

    pthread_mutex_lock(&q->lock);
    free_one = !q->streams || a->streams < q->streams;
    a->streams += free_one;
    pthread_mutex_unlock(&q->lock);
    if (!free_one)
        metric_add(M_QUOTA_REFUSED, 1);
    return free_one;
}

static int64_t seconds(int64_t ns)
{
    const int64_t s = US_PER_S * NS_PER_US;

    return ns > 0 ? (ns + s - 1) / s : 0;
}

void quota_policy(const struct quota *q, struct buf *out)
{
    for (int r = 0; r < QUOTA_RATES; r++) {
        if (!q->limit[r])
            continue;
        buf_printf(out, "%s\"%s\";q=%lld", out->n ? ", " : "", rates[r].name, (long long)q->limit[r]);
        if (rates[r].unit)
            buf_printf(out, ";qu=\"%s\"", rates[r].unit);
        buf_printf(out, ";w=%lld", (long long)seconds(q->window));
    }
    if (q->streams)
        buf_printf(out, "%s\"streams\";q=%lld;qu=\"concurrent-requests\"", out->n ? ", " : "", (long long)q->streams);
}

void quota_state(struct quota *q, const struct account *a, int64_t now_us, struct buf *out)
{
    int64_t now = now_us * NS_PER_US, tat[QUOTA_RATES], streams;

    pthread_mutex_lock(&q->lock);
    memcpy(tat, a->tat, sizeof tat);
    streams = a->streams;
    pthread_mutex_unlock(&q->lock);
    for (int r = 0; r < QUOTA_RATES; r++)
        if (q->limit[r])
            buf_printf(out, "%s\"%s\";r=%lld;t=%lld", out->n ? ", " : "", rates[r].name,
                       (long long)gcra_left(tat[r], now, q->window, q->limit[r]), (long long)seconds(tat[r] - now));
    if (q->streams)
        buf_printf(out, "%s\"streams\";r=%lld", out->n ? ", " : "", (long long)(q->streams - streams));
}

int64_t quota_limit(const struct quota *q, enum quota_rate rate)
{
    return q->limit[rate];
}

const char *quota_rate_name(enum quota_rate rate)
{
    return rates[rate].name;
}
