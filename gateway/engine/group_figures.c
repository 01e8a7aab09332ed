#include <stdlib.h>

#include "gateway/base/json.h"
#include "gateway/engine/group_parts.h"

static int64_t first_ready(const struct group_state *s)
{
    if (!s->ready_n)
        return INT64_MAX;
    return s->ready[0]->state == ITEM_WAITING ? s->ready[0]->not_before_us : 0;
}

/* That, or the first deadline. */
static int64_t soonest(const struct group_state *s, int64_t due)
{
    for (const struct lease *l = s->leases; l; l = l->next)
        if (l->soonest_us < due)
            due = l->soonest_us;
    return due;
}

void group_state_figures(const struct group_state *s, struct group_figures *ret)
{
    *ret = (struct group_figures){ .in_flight = (int64_t)s->in_flight, .retrying = (int64_t)s->retrying };
    for (size_t p = 0; p < PARTITIONS_MAX; p++)
        ret->oldest_offset[p] = INT64_MAX;
    memcpy(ret->next, s->next, sizeof ret->next);
    for (size_t i = 0; i < s->items.cap; i++)
        for (const struct node *n = s->items.v[i]; n; n = n->next) {
            const struct item *it = (const struct item *)n;
            int32_t p = it->at.partition;

            ret->part_in_flight[p] += it->state == ITEM_LEASED;
            ret->part_retrying[p] += it->state == ITEM_WAITING;
            ret->part_skipped[p] += it->state == ITEM_SKIPPED;
            ret->skipped += it->state == ITEM_SKIPPED;
            if (it->at.offset < ret->oldest_offset[p])
                ret->oldest_offset[p] = it->at.offset;
        }
    for (size_t i = 0; i < s->keys.cap; i++)
        for (const struct node *n = s->keys.v[i]; n; n = n->next)
            ret->blocked_keys += ((const struct key *)n)->n > 1;
    ret->next_due_us = soonest(s, first_ready(s));
}

int64_t group_state_alarm(const struct group_state *s, bool waiting)
{
    int64_t ready = waiting ? first_ready(s) : INT64_MAX;

    return soonest(s, ready > s->now_us ? ready : INT64_MAX);
}

bool group_state_busy(const struct group_state *s)
{
    return s->items.n > 0;
}

/* What its key waits for: what is handed out, else the first one. */
static const struct item *blocker(const struct key *k)
{
    const struct item *it = k->first;

    while (k->leased && it->state != ITEM_LEASED)
        it = it->key_next;
    return it;
}

static struct group_blocker describe(const struct key *k)
{
    const struct item *it = blocker(k);
    struct group_blocker b = { .at = it->at, .behind = (int64_t)(k->n - (k->leased ? k->leased : 1)),
                               .leased = it->state == ITEM_LEASED, .failures = it->failures };

    if (b.leased)
        b.until_us = it->lease->v[it->lease_at].deadline_us ? it->lease->v[it->lease_at].deadline_us : it->lease->deadline_us;
    else
        b.until_us = it->state == ITEM_WAITING ? it->not_before_us : 0;
    return b;
}

size_t group_state_blockers(const struct group_state *s, struct group_blocker *ret, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < s->keys.cap; i++)
        for (const struct node *n = s->keys.v[i]; n; n = n->next) {
            struct group_blocker b = describe((const struct key *)n);
            size_t at = count;

            if (b.behind < 1)
                continue;
            while (at && ret[at - 1].behind < b.behind)
                at--;
            if (at == max)
                continue;
            count += count < max;
            memmove(&ret[at + 1], &ret[at], (count - at - 1) * sizeof *ret);
            ret[at] = b;
        }
    return count;
}

int64_t group_state_retry_due(const struct group_state *s)
{
    return s->ready_n && s->ready[0]->state == ITEM_WAITING ? s->ready[0]->not_before_us : INT64_MAX;
}

/* --- delivery ids: base64url of packed numbers --- */

static unsigned char *packed(unsigned char *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (unsigned char)(v | 0x80);
    *p++ = (unsigned char)v;
    return p;
}

void delivery_id_format(const struct delivery_id *id, char out[DELIVERY_ID])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint64_t v[] = { id->tag, (uint64_t)id->generation, (uint64_t)id->lease, (uint64_t)id->at.partition,
                           (uint64_t)id->at.round, (uint64_t)id->at.offset };
    unsigned char bytes[sizeof v / sizeof *v * 10 + 2] = { 0 }, *end = bytes;
    size_t bits;

    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        end = packed(end, v[i]);
    bits = (size_t)(end - bytes) * 8;
    for (size_t at = 0; at < bits; at += 6) {
        unsigned two = (unsigned)bytes[at / 8] << 8 | bytes[at / 8 + 1];

        *out++ = digits[two >> (10 - at % 8) & 63];
    }
    *out = '\0';
}

bool delivery_id_parse(struct slice text, struct delivery_id *ret)
{
    struct arena *a = text.n && text.n < DELIVERY_ID ? arena_new(1024) : NULL;
    struct slice raw = SLICE_NONE;
    uint64_t v[6];
    bool good = a && base64url_decode(a, text, &raw);

    for (size_t i = 0; good && i < 6; i++)
        good = varint_get(&raw, &v[i]);
    good = good && !raw.n && v[0] <= UINT16_MAX && v[1] <= INT32_MAX && v[2] <= INT64_MAX && v[3] < PARTITIONS_MAX &&
           v[4] <= INT32_MAX && v[5] <= INT64_MAX;
    if (good)
        *ret = (struct delivery_id){ (uint16_t)v[0], (int32_t)v[1], (int64_t)v[2],
                                     { (int32_t)v[3], (int32_t)v[4], (int64_t)v[5] } };
    arena_free(a);
    return good;
}
