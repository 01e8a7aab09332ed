#include <stdlib.h>

#include "gateway/engine/group_parts.h"

/* What a receive is given: first what is due again, then fresh events. */

void group_state_open(struct group_state *s, int64_t deadline_us, struct slice consumer, size_t max)
{
    s->lease = NULL;
    s->want = max < RECEIVE_MAX ? max : RECEIVE_MAX;
    s->alone = false;
    s->follow = NULL;
    s->open_deadline_us = deadline_us;
    s->open_consumer = consumer;
}

static bool room(const struct group_state *s)
{
    return s->want && !s->alone && !s->failed && s->in_flight < (size_t)s->def.max_in_flight;
}

static bool hand_out(struct group_state *s, struct item *it, struct handed *ret)
{
    if (!s->lease && !(s->lease = lease_new(s, s->last_lease + 1, s->open_consumer)))
        return false;
    if (it->chunk)
        skip_remove(s, it);
    if (!lease_add(s, s->lease, it))
        return false;
    if (it->state != ITEM_LEASED)
        item_set(s, it, ITEM_LEASED);
    s->want--;
    s->delivered++;
    *ret = (struct handed){ .at = it->at, .attempt = it->failures + 1, .has_letter = it->has_letter };
    memcpy(ret->letter, it->letter, sizeof ret->letter);
    return true;
}

/* The next one of the same key, where the answer may have several. */
static struct item *follower(struct group_state *s)
{
    struct item *it = s->follow;

    s->follow = NULL;
    if (!it || s->followed >= (size_t)s->def.key_batch || it->state == ITEM_LEASED || it->single ||
        (it->state == ITEM_WAITING && it->not_before_us > s->now_us))
        return NULL;
    return it;
}

bool group_state_take(struct group_state *s, struct handed *ret)
{
    struct item *it;

    if (!room(s))
        return false;
    if ((it = follower(s))) {
        s->followed++;
    } else {
        if (!s->ready_n || (s->ready[0]->state == ITEM_WAITING && s->ready[0]->not_before_us > s->now_us))
            return false;
        it = s->ready[0];
        if (it->single && s->lease)
            return false; /* it is the next answer's */
        s->alone = it->single;
        s->followed = 1;
    }
    s->follow = it->key_next;
    return hand_out(s, it, ret);
}

bool group_state_wants(const struct group_state *s, int32_t partition)
{
    return room(s) && s->retrying < (size_t)s->def.max_retrying && s->skipped[partition] < (size_t)s->def.max_skipped;
}

static struct key *key_find(const struct group_state *s, uint64_t hash)
{
    struct node *n = s->def.ordering == ORDER_KEY && hash ? bag_first(&s->keys, hash) : NULL;

    while (n && n->hash != hash)
        n = n->next;
    return (struct key *)n;
}

/* All that is unfinished of it goes out with this answer, and one more may. */
static bool goes_along(const struct group_state *s, const struct key *k)
{
    return s->lease && k->n < (size_t)s->def.key_batch && k->leased == k->n && k->first->lease == s->lease &&
           k->last->lease == s->lease && !k->first->acked;
}

static void passed(struct group_state *s, const struct group_place *at)
{
    s->next[at->partition] = at->offset + 1;
    s->moved = true;
}

enum offer group_state_offer(struct group_state *s, int32_t partition, int64_t offset, uint64_t hash, bool wanted,
                             struct handed *ret)
{
    struct group_place at = { partition, 0, offset };
    struct key *k;
    struct item *it;

    if (!wanted) {
        passed(s, &at);
        return OFFER_PASSED;
    }
    if (!group_state_wants(s, partition))
        return OFFER_REFUSED;
    k = key_find(s, hash);
    if (k && !goes_along(s, k)) {
        if (!(it = item_new(s, &at, hash, ITEM_SKIPPED)) || !skip_add(s, it))
            return OFFER_REFUSED;
        passed(s, &at);
        return OFFER_PASSED;
    }
    if (!(it = item_new(s, &at, hash, ITEM_LEASED)) || !hand_out(s, it, ret))
        return OFFER_REFUSED;
    passed(s, &at);
    return OFFER_TAKEN;
}

int64_t group_state_close(struct group_state *s)
{
    struct lease *l = s->lease;

    s->lease = NULL;
    s->want = 0;
    if (!l)
        return 0;
    if (!l->open) { /* all of it went back */
        lease_free(s, l);
        return 0;
    }
    l->began_us = s->now_us;
    l->deadline_us = l->soonest_us = s->open_deadline_us;
    return l->id;
}
