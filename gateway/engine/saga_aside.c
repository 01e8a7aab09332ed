#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/saga_parts.h"

/* Instances that cannot be taken further for what they are: a definition that this release cannot read, texts beyond an arena, a
 * database that refuses them. They must not hold up the others, so they are left out of what is looked for, for longer each time. */

#define ASIDE_MAX 5000             /* instances; beyond, the one that is next to be tried again is forgotten */
#define ASIDE_FIRST_US US_PER_S
#define ASIDE_LONGEST_US (60 * US_PER_S)

struct saga_aside {
    struct saga_aside *next;       /* of its bucket */
    int64_t until_us, pause_us;    /* monotonic */
    struct saga_key key;
    char id[];
};

static struct saga_aside **bucket(struct sagas *s, const struct saga_key *key)
{
    uint64_t h = (uint64_t)key->saga_id;

    for (size_t i = 0; i < key->id.n; i++)
        h = (h ^ (unsigned char)key->id.p[i]) * 0x100000001b3u;
    return &s->aside[h * 0x9e3779b97f4a7c15u >> 56];
}

/* Under the lock: its place, where NULL is if there is none. */
static struct saga_aside **find(struct sagas *s, const struct saga_key *key)
{
    struct saga_aside **at = bucket(s, key);

    while (*at && db_saga_order(&(*at)->key, key) != 0)
        at = &(*at)->next;
    return at;
}

static void forget(struct sagas *s, struct saga_aside **at)
{
    struct saga_aside *gone = *at;

    *at = gone->next;
    free(gone);
    atomic_fetch_sub(&s->aside_n, 1);
    metric_add(M_SAGAS_ASIDE, -1);
}

static void forget_next(struct sagas *s)
{
    struct saga_aside **next = NULL;

    for (size_t i = 0; i < SAGA_BUCKETS; i++)
        for (struct saga_aside **at = &s->aside[i]; *at; at = &(*at)->next)
            if (!next || (*at)->until_us < (*next)->until_us)
                next = at;
    if (next)
        forget(s, next);
}

static struct saga_aside *add(struct sagas *s, const struct saga_key *key)
{
    struct saga_aside *one = malloc(sizeof *one + key->id.n), **at;

    if (!one)
        return NULL;
    if (s->aside_n >= ASIDE_MAX)
        forget_next(s);
    *one = (struct saga_aside){ .key = { key->saga_id, { one->id, key->id.n } } };
    memcpy(one->id, key->id.p, key->id.n);
    at = bucket(s, key);
    one->next = *at;
    *at = one;
    atomic_fetch_add(&s->aside_n, 1);
    metric_add(M_SAGAS_ASIDE, 1);
    return one;
}

void aside_put(struct sagas *s, const struct saga_key *key, enum err why, const struct fault *f)
{
    const int64_t now = clock_mono_us();
    struct saga_aside *one;
    int64_t pause = 0;
    bool is;

    pthread_mutex_lock(&s->aside_lock);
    one = *find(s, key);
    is = one && now < one->until_us; /* of this very turn */
    if (!is && (one || (one = add(s, key)))) {
        pause = one->pause_us ? 2 * one->pause_us : ASIDE_FIRST_US;
        one->pause_us = pause = pause < ASIDE_LONGEST_US ? pause : ASIDE_LONGEST_US;
        one->until_us = now + pause;
    }
    pthread_mutex_unlock(&s->aside_lock);
    if (is)
        return;
    log_error("an instance of a saga cannot be taken further and is set aside", L_SLICE("instance", key->id), L_INT("err", why),
              L_STR("why", f->detail), L_INT("pause_s", pause / US_PER_S), L_INT("set_aside", atomic_load(&s->aside_n)));
}

void aside_drop(struct sagas *s, const struct saga_key *key)
{
    struct saga_aside **at;

    if (!atomic_load(&s->aside_n))
        return;
    pthread_mutex_lock(&s->aside_lock);
    if (*(at = find(s, key)))
        forget(s, at);
    pthread_mutex_unlock(&s->aside_lock);
}

int64_t aside_until(struct sagas *s, const struct saga_key *key)
{
    const struct saga_aside *one;
    int64_t until;

    if (!atomic_load(&s->aside_n))
        return 0;
    pthread_mutex_lock(&s->aside_lock);
    one = *find(s, key);
    until = one ? one->until_us : 0;
    pthread_mutex_unlock(&s->aside_lock);
    return until;
}

/* One that nobody came upon again for so long has ended, or another gateway can do what this one cannot. */
bool aside_list(struct sagas *s, struct arena *a, struct saga_keys *ret)
{
    const int64_t now = clock_mono_us();
    bool ok;

    pthread_mutex_lock(&s->aside_lock);
    *ret = (struct saga_keys){ .v = arena_alloc(a, (s->aside_n + 1) * sizeof *ret->v) };
    ok = ret->v;
    for (size_t i = 0; ok && s->aside_n && i < SAGA_BUCKETS; i++)
        for (struct saga_aside **at = &s->aside[i]; *at;) {
            if (now > (*at)->until_us + 2 * ASIDE_LONGEST_US) {
                forget(s, at);
                continue;
            }
            if (now < (*at)->until_us) {
                struct saga_key *key = &ret->v[ret->n++];

                *key = (struct saga_key){ (*at)->key.saga_id, arena_slice(a, (*at)->key.id) };
                ok &= key->id.p != NULL;
            }
            at = &(*at)->next;
        }
    pthread_mutex_unlock(&s->aside_lock);
    return ok;
}

void aside_free(struct sagas *s)
{
    while (s->aside_n)
        forget_next(s);
}
