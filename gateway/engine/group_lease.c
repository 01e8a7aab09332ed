#include <stdlib.h>

#include "gateway/engine/group_parts.h"

struct lease *lease_new(struct group_state *s, int64_t id, struct slice consumer)
{
    struct lease *l = calloc(1, sizeof *l);

    if (l && !(l->consumer = calloc(1, consumer.n + 1))) {
        free(l);
        l = NULL;
    }
    if (!l) {
        s->failed = true;
        return NULL;
    }
    if (consumer.n)
        memcpy(l->consumer, consumer.p, consumer.n);
    l->id = id;
    if (id > s->last_lease)
        s->last_lease = id;
    l->prev = s->leases_last;
    *(l->prev ? &l->prev->next : &s->leases) = l;
    s->leases_last = l;
    return l;
}

void lease_free(struct group_state *s, struct lease *l)
{
    *(l->prev ? &l->prev->next : &s->leases) = l->next;
    *(l->next ? &l->next->prev : &s->leases_last) = l->prev;
    if (l->stored) {
        int64_t *id = list_add(s, &s->leases_gone, sizeof *id);

        if (id)
            *id = l->id;
    }
    free(l->consumer);
    free(l->v);
    free(l);
}

static struct entry *entry_add(struct lease *l)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct entry *v = realloc(l->v, cap * sizeof *v);

        if (!v)
            return NULL;
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n] = (struct entry){ 0 };
    return &l->v[l->n++];
}

bool lease_add(struct group_state *s, struct lease *l, struct item *it)
{
    struct entry *e = entry_add(l);

    if (!e) {
        s->failed = true;
        return false;
    }
    *e = (struct entry){ .at = it->at, .item = it };
    it->lease = l;
    it->lease_at = l->n - 1;
    l->open++;
    l->changed = true;
    return true;
}

void lease_over(struct group_state *s, struct item *it)
{
    struct lease *l = it->lease;

    l->v[it->lease_at].state = ENTRY_OVER;
    l->v[it->lease_at].item = NULL;
    it->lease = NULL;
    l->changed = true;
    if (--l->open == 0 && l != s->lease)
        lease_free(s, l);
}

void lease_soonest(struct lease *l)
{
    l->soonest_us = INT64_MAX;
    for (const struct entry *e = l->v; e < l->v + l->n; e++) {
        int64_t deadline = e->deadline_us ? e->deadline_us : l->deadline_us;

        if (e->state != ENTRY_OVER && deadline < l->soonest_us)
            l->soonest_us = deadline;
    }
}

/* --- how it is stored: runs of consecutive offsets --- */

void varint_put(struct buf *b, uint64_t v)
{
    while (v >= 0x80) {
        buf_char(b, (char)(v | 0x80));
        v >>= 7;
    }
    buf_char(b, (char)v);
}

bool varint_get(struct slice *s, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; s->n && shift < 64; shift += 7) {
        unsigned char c = (unsigned char)*s->p++;

        s->n--;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *ret = v;
            return (c || !shift) && (shift < 63 || c < 2); /* the shortest form, and within 64 bits */
        }
    }
    return false;
}

struct run {
    struct group_place first;
    uint64_t n;
};

static bool run_get(struct slice *items, struct run *ret)
{
    uint64_t v[4];

    for (int i = 0; i < 4; i++)
        if (!varint_get(items, &v[i]))
            return false;
    *ret = (struct run){ { (int32_t)v[0], (int32_t)v[1], (int64_t)v[2] }, v[3] };
    return ret->n <= RECEIVE_MAX;
}

static struct group_place run_place(const struct run *run, uint64_t i)
{
    return (struct group_place){ run->first.partition, run->first.round, run->first.offset + (int64_t)i };
}

static bool load_items(struct lease *l, struct slice items)
{
    struct run run;

    while (items.n) {
        if (!run_get(&items, &run))
            return false;
        for (uint64_t i = 0; i < run.n; i++) {
            struct entry *e = entry_add(l);

            if (!e)
                return false;
            e->at = run_place(&run, i);
        }
    }
    return true;
}

size_t group_lease_places(struct slice items, struct group_place *ret, size_t max)
{
    struct run run;
    size_t n = 0;

    while (items.n && run_get(&items, &run))
        for (uint64_t i = 0; i < run.n; i++, n++)
            if (n < max)
                ret[n] = run_place(&run, i);
    return n;
}

static void load_marks(struct lease *l, const struct lease_row *r)
{
    for (size_t i = 0; i < l->n; i++) {
        struct entry *e = &l->v[i];

        if (r->keys.n == l->n * 8)
            memcpy(&e->hash, r->keys.p + i * 8, 8);
        if (r->extended.n == l->n * 8)
            memcpy(&e->deadline_us, r->extended.p + i * 8, 8);
        if (i / 4 < r->done.n)
            e->state = (enum entry_state)((unsigned char)r->done.p[i / 4] >> i % 4 * 2 & 3);
    }
}

bool group_state_load_lease(struct group_state *s, const struct lease_row *r)
{
    struct lease *l = lease_new(s, r->lease_id, r->consumer);

    if (!l || !load_items(l, r->items))
        return false;
    load_marks(l, r);
    l->began_us = r->began_us;
    l->deadline_us = r->deadline_us;
    l->stored = true;
    for (size_t i = 0; i < l->n; i++) {
        struct entry *e = &l->v[i];

        if (e->state == ENTRY_OVER)
            continue;
        if (!(e->item = item_find(s, &e->at)) && !(e->item = item_new(s, &e->at, e->hash, ITEM_LEASED)))
            return false;
        if (e->item->state != ITEM_LEASED)
            item_set(s, e->item, ITEM_LEASED);
        e->item->lease = l;
        e->item->lease_at = i;
        e->item->acked = e->state == ENTRY_HELD;
        l->open++;
    }
    lease_soonest(l);
    return true;
}
