#include <stdio.h>

#include "gateway/base/backoff.h"
#include "gateway/base/clock.h"
#include "gateway/engine/group_parts.h"

#define EXTEND_MAX_US (12 * 3600 * US_PER_S) /* a delivery, in all */

#define LATE "The delivery was not finished in time."
#define LATE_TYPE "deadline-exceeded"
#define LATE_ERROR "{\"type\":\"" LATE_TYPE "\",\"message\":\"" LATE "\"}"
static const struct finish_call missed_deadline = {
    .how = FINISH_NACK, .delay_us = -1,
    .error = { LATE_ERROR, sizeof LATE_ERROR - 1 },
    .error_type = { LATE_TYPE, sizeof LATE_TYPE - 1 },
    .error_message = { LATE, sizeof LATE - 1 },
};

static int64_t backoff(struct group_state *s, int32_t failures)
{
    const struct group_row *d = &s->def;

    return backoff_us(d->backoff_initial_us, d->backoff_factor, d->backoff_max_us, d->backoff_jitter, failures, &s->random);
}

static struct slice kept(struct group_state *s, struct buf *b)
{
    struct slice text = b->failed ? SLICE_NONE : arena_slice(s->arena, (struct slice){ b->p, b->n });

    if (!text.p)
        s->failed = true;
    buf_free(b);
    return text;
}

static struct slice history_entry(struct group_state *s, const struct item *it, const struct lease *l,
                                  const struct finish_call *call)
{
    struct buf b = { 0 };
    char at[CLOCK_TEXT];

    clock_format(s->now_us, at);
    buf_printf(&b, "{\"attempt\":%d,\"at\":\"%s\",\"consumer\":", it->failures, at);
    buf_json_string(&b, slice_of(l->consumer));
    if (call->error.p) {
        BUF_LIT(&b, ",\"error\":");
        buf_slice(&b, call->error);
    }
    buf_char(&b, '}');
    return kept(s, &b);
}

static void die(struct group_state *s, struct item *it, const struct finish_call *call, struct slice entry)
{
    struct death *d = list_add(s, &s->deaths, sizeof *d);

    if (!d)
        return;
    *d = (struct death){ .at = it->at, .key = it->hash, .failures = it->failures,
                         .reason = call->how == FINISH_REJECT ? "rejected" : "max-retries", .has_letter = it->has_letter,
                         .entry = entry, .error = call->error, .error_type = call->error_type,
                         .error_message = call->error_message };
    memcpy(d->letter, it->letter, sizeof d->letter);
}

static void retry_gone(struct group_state *s, const struct item *it)
{
    struct group_place *gone = it->kept ? list_add(s, &s->retries_gone, sizeof *gone) : NULL;

    if (gone)
        *gone = it->at;
}

static void remember(struct group_state *s, struct item *it, struct slice entry)
{
    struct retry_change *r = list_add(s, &s->retries, sizeof *r);

    if (!r)
        return;
    *r = (struct retry_change){ .at = it->at, .key = it->hash, .failures = it->failures, .not_before_us = it->not_before_us,
                                .single = it->single, .has_letter = it->has_letter, .entry = entry };
    memcpy(r->letter, it->letter, sizeof r->letter);
    it->kept = true;
}

static void give_back(struct group_state *s, struct item *it)
{
    lease_over(s, it);
    if (!it->kept && !skip_add(s, it))
        return;
    item_set(s, it, it->kept ? ITEM_WAITING : ITEM_SKIPPED);
}

/* Its later events that went out with it: they were not to be done before it. */
static void give_back_after(struct group_state *s, const struct item *it)
{
    for (struct item *later = it->key_next, *next; later; later = next) {
        next = later->key_next;
        if (later->lease == it->lease && later->state == ITEM_LEASED && !later->acked)
            give_back(s, later);
    }
}

static void fail(struct group_state *s, struct item *it, const struct finish_call *call, bool single)
{
    struct slice entry;

    it->failures++;
    entry = history_entry(s, it, it->lease, call);
    if (call->how != FINISH_REJECT && it->key && !single)
        give_back_after(s, it);
    if (call->how == FINISH_REJECT || it->failures > s->def.max_retries) {
        die(s, it, call, entry);
        retry_gone(s, it);
        lease_over(s, it);
        item_free(s, it);
        return;
    }
    it->single = single;
    it->not_before_us = s->now_us + (call->delay_us >= 0 ? call->delay_us : backoff(s, it->failures));
    lease_over(s, it);
    remember(s, it, entry);
    item_set(s, it, ITEM_WAITING);
}

static void resolve(struct group_state *s, const struct item *it)
{
    struct letter_ref *r = it->has_letter ? list_add(s, &s->resolved, sizeof *r) : NULL;

    if (r)
        memcpy(r->id, it->letter, sizeof r->id);
}

static void finished(struct group_state *s, struct item *it)
{
    resolve(s, it);
    retry_gone(s, it);
    if (it->lease)
        lease_over(s, it);
    item_free(s, it);
}

/* An ack of an earlier delivery while another one runs. */
static bool late_ack(struct group_state *s, struct item *it)
{
    if (it->acked)
        return false;
    if (!it->key) {
        finished(s, it);
        return true;
    }
    resolve(s, it);
    retry_gone(s, it);
    it->kept = it->has_letter = false;
    it->acked = true;
    it->lease->v[it->lease_at].state = ENTRY_HELD;
    it->lease->changed = true;
    return true;
}

static bool acked(struct group_state *s, struct item *it, int64_t lease)
{
    if (it->state == ITEM_LEASED && it->lease->id != lease)
        return late_ack(s, it);
    if (it->acked) {
        finished(s, it); /* the delivery that ran beside: nothing is left to do, but its key is free now */
        return false;
    }
    finished(s, it);
    return true;
}

static void extend(struct item *it, int64_t now_us, int64_t by_us)
{
    struct lease *l = it->lease;
    int64_t until = now_us + by_us, most = l->began_us + EXTEND_MAX_US;

    if (until > most)
        until = most;
    l->v[it->lease_at].deadline_us = until;
    if (until < l->soonest_us)
        l->soonest_us = until;
    l->changed = true;
}

bool group_state_finish(struct group_state *s, const struct delivery_id *id, const struct finish_call *call)
{
    struct item *it;

    if (id->tag != group_state_tag(s) || id->generation != s->generation || id->lease > s->last_lease ||
        !(it = item_find(s, &id->at)) || (it->lease && it->lease->id < id->lease))
        return false;
    if (call->how == FINISH_ACK) {
        bool done = acked(s, it, id->lease);

        s->acked += done;
        return done;
    }
    if (it->state != ITEM_LEASED || it->lease->id != id->lease)
        return false;
    if (it->acked) {
        if (call->how != FINISH_EXTEND)
            finished(s, it);
        return false;
    }
    if (call->how == FINISH_EXTEND) {
        extend(it, s->now_us, call->by_us);
        return true;
    }
    s->nacked++;
    fail(s, it, call, false);
    return true;
}

void group_state_release(struct group_state *s, int64_t lease)
{
    struct lease *l = s->leases_last;

    while (l && l->id != lease)
        l = l->prev;
    for (size_t i = 0, n = l ? l->n : 0; i < n; i++) {
        struct item *it = l->v[i].item;
        bool last = l->open == 1;

        if (!it)
            continue;
        if (it->acked)
            finished(s, it);
        else
            give_back(s, it);
        if (last)
            return; /* the lease is gone */
    }
}

void group_state_give_back(struct group_state *s, const struct group_place *at)
{
    struct item *it = item_find(s, at);

    if (it && it->state == ITEM_LEASED) {
        s->delivered--;
        give_back(s, it);
    }
}

/* Of several events of a key only the first one counts as failed: the others were to wait for it. */
static void expire_entry(struct group_state *s, struct item *it)
{
    if (it->acked) {
        finished(s, it);
        return;
    }
    if (it->key && it->key->failed_in == s->expiry) {
        give_back(s, it);
        return;
    }
    if (it->key)
        it->key->failed_in = s->expiry;
    s->expired++;
    fail(s, it, &missed_deadline, true);
}

static void expire_lease(struct group_state *s, struct lease *l)
{
    s->expiry++;
    for (size_t i = 0, n = l->n; i < n; i++) {
        struct entry *e = &l->v[i];
        bool last = l->open == 1;

        if (!e->item || (e->deadline_us ? e->deadline_us : l->deadline_us) > s->now_us)
            continue;
        expire_entry(s, e->item);
        if (last)
            return;
    }
    lease_soonest(l);
}

void group_state_expire(struct group_state *s)
{
    for (struct lease *l = s->leases, *next; l; l = next) {
        next = l->next;
        if (l->soonest_us <= s->now_us)
            expire_lease(s, l);
    }
}

/* --- what retention has removed --- */

static void drop(struct group_state *s, struct item *it)
{
    retry_gone(s, it);
    s->follow = NULL;
    if (it->lease && it->lease == s->lease) { /* the open receive may have another one instead */
        s->want++;
        s->alone = false;
        s->delivered--;
    }
    if (it->lease)
        lease_over(s, it);
    item_free(s, it);
}

void group_state_forget(struct group_state *s, const struct group_place *at)
{
    struct item *it = item_find(s, at);

    if (it)
        drop(s, it);
}

/* Nobody has it, but for the receive that is being filled. */
static bool waits(const struct group_state *s, const struct item *it)
{
    return it->state != ITEM_LEASED || it->lease == s->lease;
}

bool group_state_lost(struct group_state *s, int32_t partition, int64_t earliest, int64_t *ret_from)
{
    int64_t from = s->next[partition];

    for (size_t i = 0; i < s->items.cap; i++)
        for (struct node *n = s->items.v[i], *next; n; n = next) {
            struct item *it = (struct item *)n;

            next = n->next;
            if (it->at.partition != partition || it->has_letter || it->at.offset >= earliest)
                continue;
            if (it->at.offset < from && waits(s, it))
                from = it->at.offset;
            drop(s, it);
        }
    if (s->next[partition] < earliest) {
        s->next[partition] = earliest;
        s->moved = true;
    }
    if (from >= earliest)
        return false;
    *ret_from = from;
    return true;
}
