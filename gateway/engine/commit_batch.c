#include "gateway/engine/commit_batch.h"

#include <stdlib.h>
#include <time.h>

#include "gateway/base/clock.h"

static uint64_t fnv1a(uint64_t h, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return h;
}

/* FNV-1a with MurmurHash3's finalizer, which makes the low bits depend on all. */
int32_t event_partition(const struct event *ev, struct slice stream, int64_t partitions)
{
    uint64_t h = UINT64_C(14695981039346656037);

    if (partitions == 1)
        return 0;
    if (ev->partitionkey.p) {
        h = fnv1a(h, ev->partitionkey);
    } else if (ev->subject.p) {
        h = fnv1a(h, ev->subject);
    } else {
        h = ev->source.p ? fnv1a(h, ev->source) : fnv1a(fnv1a(h, SLICE("/v1/streams/")), stream);
        h = fnv1a(fnv1a(h, (struct slice){ "", 1 }), ev->id);
    }
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    h ^= h >> 33;
    return (int32_t)(h % (uint64_t)partitions);
}

int32_t month_index(int64_t unix_us)
{
    time_t s = (time_t)(unix_us / US_PER_S);
    struct tm tm;

    gmtime_r(&s, &tm);
    return tm.tm_year * 12 + tm.tm_mon;
}

static int by_stream(const void *a, const void *b)
{
    const struct publish *x = *(struct publish *const *)a, *y = *(struct publish *const *)b;

    if (x->stream->row.stream_id != y->stream->row.stream_id)
        return x->stream->row.stream_id < y->stream->row.stream_id ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static int by_key(const void *a, const void *b)
{
    return memcmp(((const struct slot_id *)a)->key, ((const struct slot_id *)b)->key, 16);
}

static int by_idempotency_key(const void *a, const void *b)
{
    return memcmp(((const struct slot_key *)a)->key, ((const struct slot_key *)b)->key, 16);
}

static int by_subject(const void *a, const void *b)
{
    return slice_order(((const struct slot_subject *)a)->subject, ((const struct slot_subject *)b)->subject);
}

struct slot_id *lot_id(struct lot *g, const uint8_t key[16])
{
    struct slot_id wanted;

    memcpy(wanted.key, key, 16);
    return bsearch(&wanted, g->ids, g->id_n, sizeof *g->ids, by_key);
}

struct slot_key *lot_key(struct lot *g, const uint8_t key[16])
{
    struct slot_key wanted;

    memcpy(wanted.key, key, 16);
    return g->key_n ? bsearch(&wanted, g->keys, g->key_n, sizeof *g->keys, by_idempotency_key) : NULL;
}

struct slot_subject *lot_subject(struct lot *g, struct slice subject)
{
    struct slot_subject wanted = { .subject = subject };

    return bsearch(&wanted, g->subjects, g->subject_n, sizeof *g->subjects, by_subject);
}

static size_t distinct(void *v, size_t n, size_t size, int (*order)(const void *, const void *))
{
    char *p = v;
    size_t kept = n > 0;

    if (n > 1) /* v may be NULL when there is nothing */
        qsort(v, n, size, order);
    for (size_t i = 1; i < n; i++)
        if (order(p + i * size, p + (kept - 1) * size)) {
            if (kept != i)
                memcpy(p + kept * size, p + i * size, size);
            kept++;
        }
    return kept;
}

/* Of two requests under one key it is the first one's answer that is asked for. */
static bool collect_keys(struct lot *g, struct arena *a)
{
    size_t n = 0;

    for (size_t i = 0; i < g->pub_n; i++)
        n += g->pub[i]->key != NULL;
    if (n == 0)
        return true;
    if (!(g->keys = arena_zalloc(a, n * sizeof *g->keys)))
        return false;
    for (size_t i = 0; i < g->pub_n; i++)
        if (g->pub[i]->key)
            memcpy(g->keys[g->key_n++].key, g->pub[i]->key->key, 16);
    g->key_n = distinct(g->keys, g->key_n, sizeof *g->keys, by_idempotency_key);
    for (size_t i = g->pub_n; i-- > 0;)
        if (g->pub[i]->key)
            memcpy(lot_key(g, g->pub[i]->key->key)->wanted, g->pub[i]->key->fingerprint, 16);
    return true;
}

/* Room for every event; which of them have an id or a subject is seen on the way. */
static bool lot_collect(struct lot *g, struct arena *a)
{
    bool touched[PARTITIONS_MAX] = { false };

    for (size_t i = 0; i < g->pub_n; i++)
        g->event_n += g->pub[i]->events.n;
    g->ids = arena_zalloc(a, g->event_n * sizeof *g->ids);
    g->subjects = arena_zalloc(a, g->event_n * sizeof *g->subjects);
    g->accepted = arena_alloc(a, g->event_n * sizeof *g->accepted);
    if (!g->ids || !g->subjects || !g->accepted || !collect_keys(g, a))
        return false;
    for (size_t i = 0; i < g->pub_n; i++)
        for (size_t k = 0; k < g->pub[i]->events.n; k++) {
            const struct event *ev = &g->pub[i]->events.v[k];

            touched[ev->partition] = true;
            if (ev->client_id)
                memcpy(g->ids[g->id_n++].key, ev->key, 16);
            if (ev->subject.p)
                g->subjects[g->subject_n++].subject = ev->subject;
        }
    g->plain = g->id_n == 0 && g->subject_n == 0 && g->key_n == 0;
    g->id_n = distinct(g->ids, g->id_n, sizeof *g->ids, by_key);
    g->subject_n = distinct(g->subjects, g->subject_n, sizeof *g->subjects, by_subject);
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        g->part_of[p] = -1;
        if (touched[p]) {
            g->part_of[p] = (int8_t)g->part_n;
            g->part[g->part_n++] = (struct slot_part){ .partition = p, .head = g->stream->lane[p].head };
        }
    }
    return true;
}

static bool lot_ready_for_plain(const struct lot *g, int64_t now_us)
{
    int32_t month = month_index(now_us);

    if (!g->plain)
        return false;
    for (size_t i = 0; i < g->part_n; i++) {
        const struct lane_partition *l = &g->stream->lane[g->part[i].partition];

        if (l->head < 0 || l->month < month)
            return false;
    }
    return true;
}

enum err batch_sort_out(struct batch *b)
{
    struct publish **sorted = arena_alloc(b->arena, b->n * sizeof *sorted);
    struct lot *g;

    if (!sorted)
        return ERR_NO_MEMORY;
    memcpy(sorted, b->pub, b->n * sizeof *sorted);
    for (size_t i = 0; i < b->n; i++) /* the order of arrival breaks ties */
        sorted[i]->order = i;
    qsort(sorted, b->n, sizeof *sorted, by_stream);
    b->lot_n = 0;
    for (size_t i = 0; i < b->n; i++)
        b->lot_n += i == 0 || sorted[i]->stream->row.stream_id != sorted[i - 1]->stream->row.stream_id;
    if (!(b->lots = arena_zalloc(b->arena, b->lot_n * sizeof *b->lots)))
        return ERR_NO_MEMORY;
    g = b->lots;
    for (size_t i = 0; i < b->n; i++) {
        if (i && sorted[i]->stream->row.stream_id != sorted[i - 1]->stream->row.stream_id)
            g++;
        if (!g->pub_n++) {
            g->stream = sorted[i]->stream;
            g->pub = sorted + i;
        }
    }
    b->plain = true;
    for (g = b->lots; g < b->lots + b->lot_n; g++) {
        if (!lot_collect(g, b->arena))
            return ERR_NO_MEMORY;
        b->plain &= lot_ready_for_plain(g, b->now_us);
    }
    return OK;
}
