#include "gateway/engine/group_parts.h"

/* What a transaction has to write: whatever is marked as changed, as rows. */

static struct slice taken(struct group_state *s, struct buf *b)
{
    struct slice text = b->failed ? SLICE_NONE : b->n ? arena_slice(s->arena, (struct slice){ b->p, b->n }) : SLICE("");

    if (!text.p)
        s->failed = true;
    buf_free(b);
    return text;
}

static bool follows(const struct group_place *a, const struct group_place *b)
{
    return b->partition == a->partition && b->round == a->round && b->offset == a->offset + 1;
}

static struct slice put_items(struct group_state *s, const struct lease *l)
{
    struct buf b = { 0 };

    for (size_t i = 0, run; i < l->n; i += run) {
        const struct group_place *at = &l->v[i].at;

        for (run = 1; i + run < l->n && follows(&l->v[i + run - 1].at, &l->v[i + run].at); run++)
            ;
        varint_put(&b, (uint64_t)at->partition);
        varint_put(&b, (uint64_t)at->round);
        varint_put(&b, (uint64_t)at->offset);
        varint_put(&b, run);
    }
    return taken(s, &b);
}

static struct slice put_done(struct group_state *s, const struct lease *l)
{
    struct buf b = { 0 };
    bool any = false;

    for (size_t i = 0; i < l->n; i++)
        any |= l->v[i].state != ENTRY_OPEN;
    for (size_t i = 0; any && i < l->n; i += 4) {
        unsigned c = 0;

        for (size_t k = i; k < i + 4 && k < l->n; k++)
            c |= (unsigned)l->v[k].state << (k - i) * 2;
        buf_char(&b, (char)c);
    }
    return taken(s, &b);
}

static struct slice put_extended(struct group_state *s, const struct lease *l)
{
    struct buf b = { 0 };
    bool any = false;

    for (size_t i = 0; i < l->n; i++)
        any |= l->v[i].deadline_us != 0;
    for (size_t i = 0; any && i < l->n; i++)
        buf_put(&b, &l->v[i].deadline_us, 8);
    return taken(s, &b);
}

static void put_lease(struct group_state *s, struct list *fresh, struct list *changed, struct lease *l)
{
    struct lease_row *r = list_add(s, l->stored ? changed : fresh, sizeof *r);

    if (!r)
        return;
    *r = (struct lease_row){ .lease_id = l->id, .began_us = l->began_us, .deadline_us = l->deadline_us,
                             .consumer = arena_slice(s->arena, slice_of(l->consumer)), .done = put_done(s, l),
                             .extended = put_extended(s, l), .open = (int32_t)l->open };
    if (!l->stored) {
        r->items = put_items(s, l);
        r->keys = SLICE("");
    }
    s->failed |= !r->consumer.p;
    l->stored = true;
    l->changed = false;
}

static void put_chunk(struct group_state *s, struct list *to, struct chunk *c)
{
    struct skip_row *r = list_add(s, to, sizeof *r);
    struct buf offsets = { 0 }, keys = { 0 };
    int64_t last = 0;

    for (size_t i = 0; i < c->n; i++) {
        varint_put(&offsets, (uint64_t)(c->v[i]->at.offset - last));
        last = c->v[i]->at.offset;
        buf_put(&keys, &c->v[i]->hash, 8);
    }
    if (r)
        *r = (struct skip_row){ c->id, c->partition, (int32_t)c->n, taken(s, &offsets), taken(s, &keys) };
    c->stored = true;
    c->changed = false;
}

bool group_state_changes(struct group_state *s, struct group_changes *ret)
{
    struct list fresh = { 0 }, changed = { 0 }, skips = { 0 };

    for (struct lease *l = s->leases; l; l = l->next)
        if (l->changed)
            put_lease(s, &fresh, &changed, l);
    for (struct chunk *c = s->chunks; c; c = c->next)
        if (c->changed)
            put_chunk(s, &skips, c);
#define LIST(to, l) ret->to = (void *)(l).v, ret->to##_n = (l).n
    *ret = (struct group_changes){ 0 };
    LIST(retries, s->retries);
    LIST(retries_gone, s->retries_gone);
    LIST(leases, fresh);
    LIST(leases_changed, changed);
    LIST(leases_gone, s->leases_gone);
    LIST(skips, skips);
    LIST(skips_gone, s->skips_gone);
    LIST(deaths, s->deaths);
    LIST(resolved, s->resolved);
#undef LIST
    ret->any = s->moved || ret->retries_n || ret->retries_gone_n || ret->leases_n || ret->leases_changed_n || ret->leases_gone_n ||
               ret->skips_n || ret->skips_gone_n || ret->deaths_n || ret->resolved_n;
    ret->lease_floor = s->leases ? s->leases->id : s->last_lease + 1;
    ret->acked = s->acked;
    ret->nacked = s->nacked;
    ret->expired = s->expired;
    ret->delivered = s->delivered;
    return !s->failed;
}

/* --- loading --- */

bool group_state_restore(struct group_state *s, int32_t generation, int64_t lease_floor)
{
    s->generation = generation;
    s->last_lease = lease_floor - 1;
    return s->partitions <= PARTITIONS_MAX;
}

bool group_state_load_retry(struct group_state *s, const struct retry_change *r)
{
    struct item *it = item_new(s, &r->at, r->key, ITEM_WAITING);

    if (!it)
        return false;
    it->kept = true;
    it->failures = r->failures;
    it->not_before_us = r->not_before_us;
    it->single = r->single;
    it->has_letter = r->has_letter;
    memcpy(it->letter, r->letter, sizeof it->letter);
    return true;
}

void group_state_loaded(struct group_state *s)
{
    for (size_t i = 0; i < s->items.cap; i++)
        for (struct node *n = s->items.v[i]; n; n = n->next)
            ready_update(s, (struct item *)n);
}
