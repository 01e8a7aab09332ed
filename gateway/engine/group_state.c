#include <stdlib.h>

#include "gateway/engine/group_parts.h"

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), its last step. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t group_key_hash(struct slice key)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a; a collision makes two keys wait for each other, no more */

    if (!key.p)
        return 0;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u;
    h = mix(h);
    return h ? h : 1;
}

static uint64_t place_hash(const struct group_place *at)
{
    return mix((uint64_t)at->offset ^ (uint64_t)at->partition << 48 ^ (uint64_t)at->round << 56);
}

struct group_state *group_state_new(const struct group_row *def, size_t partitions)
{
    struct group_state *s = calloc(1, sizeof *s);
    char *types = s ? malloc(def->types.n + 1) : NULL;

    if (!types) {
        free(s);
        return NULL;
    }
    memcpy(types, def->types.p, def->types.n);
    s->def = *def;
    s->def.name = SLICE_NONE; /* the caller's */
    s->types = s->def.types = (struct slice){ types, def->types.n };
    s->partitions = partitions;
    s->generation = 1;
    s->random = mix((uint64_t)def->group_id);
    return s;
}

static void free_item(struct node *n)
{
    free(n);
}

static void spares_free(struct spare *s)
{
    for (struct spare *next; s; s = next) {
        next = s->next;
        free(s);
    }
}

void group_state_free(struct group_state *s)
{
    if (!s)
        return;
    for (struct lease *l = s->leases, *next; l; l = next) {
        next = l->next;
        free(l->consumer);
        free(l->v);
        free(l);
    }
    for (struct chunk *c = s->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    spares_free(s->spare_items);
    spares_free(s->spare_keys);
    bag_free(&s->items, free_item);
    bag_free(&s->keys, free_item);
    free(s->ready);
    free((void *)(uintptr_t)s->types.p);
    free(s);
}

const struct group_row *group_state_def(const struct group_state *s)
{
    return &s->def;
}

int64_t *group_state_next(struct group_state *s)
{
    return s->next;
}

uint16_t group_state_tag(const struct group_state *s)
{
    return (uint16_t)mix((uint64_t)s->def.group_id);
}

int32_t group_state_generation(const struct group_state *s)
{
    return s->generation;
}

bool group_state_failed(const struct group_state *s)
{
    return s->failed;
}

void group_state_begin(struct group_state *s, struct arena *a, int64_t now_us, int64_t seq)
{
    static const struct list none;

    s->arena = a;
    s->now_us = now_us;
    s->moved = false;
    s->retries = s->retries_gone = s->leases_gone = s->skips_gone = s->deaths = s->resolved = none;
    s->acked = s->nacked = s->expired = s->delivered = 0;
    s->random = mix(s->random + (uint64_t)now_us);
    if (s->last_lease < seq << 20) /* never given before, whatever is left of the others */
        s->last_lease = seq << 20;
}

void *list_add(struct group_state *s, struct list *l, size_t size)
{
    char *v = l->v;

    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;

        if (!(v = arena_alloc(s->arena, cap * size))) {
            s->failed = true;
            return NULL;
        }
        if (l->n)
            memcpy(v, l->v, l->n * size);
        l->v = v;
        l->cap = cap;
    }
    v += l->n++ * size;
    memset(v, 0, size);
    return v;
}

/* --- items and their keys --- */

static void *spare_take(struct spare **from, size_t size)
{
    struct spare *s = *from;

    if (!s)
        return calloc(1, size);
    *from = s->next;
    return memset(s, 0, size);
}

static void spare_keep(struct spare **to, void *p)
{
    struct spare *s = p;

    s->next = *to;
    *to = s;
}

struct item *item_find(const struct group_state *s, const struct group_place *at)
{
    uint64_t hash = place_hash(at);

    for (struct node *n = bag_first(&s->items, hash); n; n = n->next) {
        struct item *it = (struct item *)n;

        if (n->hash == hash && it->at.offset == at->offset && it->at.partition == at->partition && it->at.round == at->round)
            return it;
    }
    return NULL;
}

static struct key *key_of(struct group_state *s, uint64_t hash)
{
    struct node *n = bag_first(&s->keys, hash);
    struct key *k;

    while (n && n->hash != hash)
        n = n->next;
    if (n)
        return (struct key *)n;
    if (!(k = spare_take(&s->spare_keys, sizeof *k)) || !bag_add(&s->keys, &k->node, hash)) {
        if (k)
            spare_keep(&s->spare_keys, k);
        return NULL;
    }
    return k;
}

static bool before(const struct group_place *a, const struct group_place *b)
{
    return a->offset != b->offset ? a->offset < b->offset : a->round < b->round;
}

/* Mostly at the end: what comes late is what was redriven. */
static void key_link(struct key *k, struct item *it)
{
    struct item *p = k->last;

    while (p && before(&it->at, &p->at))
        p = p->key_prev;
    it->key = k;
    it->key_prev = p;
    it->key_next = p ? p->key_next : k->first;
    *(it->key_prev ? &it->key_prev->key_next : &k->first) = it;
    *(it->key_next ? &it->key_next->key_prev : &k->last) = it;
    k->n++;
}

static void key_unlink(struct group_state *s, struct item *it)
{
    struct key *k = it->key;

    *(it->key_prev ? &it->key_prev->key_next : &k->first) = it->key_next;
    *(it->key_next ? &it->key_next->key_prev : &k->last) = it->key_prev;
    it->key = NULL;
    if (--k->n == 0) {
        bag_remove(&s->keys, &k->node);
        spare_keep(&s->spare_keys, k);
        return;
    }
    ready_update(s, k->first);
}

bool item_free_to_go(const struct item *it)
{
    return !it->key || (it->key->first == it && !it->key->leased);
}

static void count(struct group_state *s, const struct item *it, int by)
{
    size_t n = by > 0 ? 1 : (size_t)-1;

    if (it->state == ITEM_LEASED && it->key)
        it->key->leased += n;
    if (it->state == ITEM_LEASED)
        s->in_flight += n;
    else if (it->state == ITEM_WAITING)
        s->retrying += n;
    else
        s->skipped[it->at.partition] += n;
}

struct item *item_new(struct group_state *s, const struct group_place *at, uint64_t hash, enum item_state state)
{
    struct item *it = spare_take(&s->spare_items, sizeof *it);
    struct key *k = NULL;

    if (s->def.ordering != ORDER_KEY)
        hash = 0;
    if (!it || (hash && !(k = key_of(s, hash))) || !bag_add(&s->items, &it->node, place_hash(at))) {
        if (k && !k->n) {
            bag_remove(&s->keys, &k->node);
            spare_keep(&s->spare_keys, k);
        }
        if (it)
            spare_keep(&s->spare_items, it);
        s->failed = true;
        return NULL;
    }
    it->at = *at;
    it->hash = hash;
    it->state = state;
    if (k) {
        struct item *first = k->first;

        key_link(k, it);
        if (first && first != k->first) /* what was redriven goes before it */
            ready_update(s, first);
    }
    count(s, it, 1);
    return it;
}

void item_set(struct group_state *s, struct item *it, enum item_state state)
{
    count(s, it, -1);
    it->state = state;
    count(s, it, 1);
    ready_update(s, it);
    if (it->key && it->key->first != it)
        ready_update(s, it->key->first);
}

void item_free(struct group_state *s, struct item *it)
{
    ready_remove(s, it);
    if (it->chunk)
        skip_remove(s, it);
    count(s, it, -1);
    bag_remove(&s->items, &it->node);
    if (it->key)
        key_unlink(s, it);
    spare_keep(&s->spare_items, it);
}
