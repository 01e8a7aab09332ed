#include "gateway/engine/tail_ring.h"

#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"

struct watch {
    struct watched *on;
    struct watch *next, **back;     /* list of on->watchers */
    void (*wake)(void *arg, bool more);
    void *arg;
    int only;
    bool armed, attached, trusted;
    uint64_t seq;                   /* next entry to look at */
    int64_t ahead;                  /* entries still to come that the reader has seen already */
};

void rings_init(struct rings *r, size_t cap, size_t bytes_max)
{
    *r = (struct rings){ .cap = cap, .bytes_max = bytes_max, .memory.max = SIZE_MAX };
    pthread_mutex_init(&r->lock, NULL);
}

static void watched_free(struct watched *w)
{
    ring_clear(&w->ring);
    buf_free(&w->scratch);
    pthread_mutex_destroy(&w->lock);
    free(w);
    metric_add(M_RING_STREAMS, -1);
}

void rings_free(struct rings *r)
{
    for (size_t b = 0; b < RING_BUCKETS; b++)
        while (r->buckets[b]) {
            struct watched *w = r->buckets[b];

            r->buckets[b] = w->next;
            watched_free(w);
        }
    pthread_mutex_destroy(&r->lock);
}

static struct watched **slot_of(struct rings *r, int64_t stream_id)
{
    struct watched **at = &r->buckets[(uint64_t)stream_id % RING_BUCKETS];

    while (*at && (*at)->ring.stream->row.stream_id != stream_id)
        at = &(*at)->next;
    return at;
}

/* The ring of a stream, locked; NULL: nobody watches it. Its lock is taken before the map's is let go. */
static struct watched *ring_lock(struct rings *r, int64_t stream_id)
{
    struct watched *w;

    pthread_mutex_lock(&r->lock);
    if ((w = *slot_of(r, stream_id)))
        pthread_mutex_lock(&w->lock);
    pthread_mutex_unlock(&r->lock);
    return w;
}

static struct watched *watched_new(struct rings *r, struct stream *s)
{
    struct watched *w = calloc(1, sizeof *w);

    if (!w || !ring_init(&w->ring, s, r->cap, r->bytes_max)) {
        free(w);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    w->ring.memory = &r->memory;
    w->poll = true;
    metric_add(M_RING_STREAMS, 1);
    return w;
}

struct watch *rings_watch(struct rings *r, struct stream *s, int only, void (*wake)(void *, bool), void *arg, bool *ret_cold)
{
    struct watch *w = calloc(1, sizeof *w);
    struct watched **at;

    if (!w)
        return NULL;
    *w = (struct watch){ .wake = wake, .arg = arg, .only = only };
    pthread_mutex_lock(&r->lock);
    at = slot_of(r, s->row.stream_id);
    if (!*at && !(*at = watched_new(r, s))) {
        pthread_mutex_unlock(&r->lock);
        free(w);
        return NULL;
    }
    w->on = *at;
    pthread_mutex_lock(&w->on->lock);
    pthread_mutex_unlock(&r->lock);
    w->next = w->on->watchers;
    w->back = &w->on->watchers;
    if (w->next)
        w->next->back = &w->next;
    w->on->watchers = w;
    w->on->watcher_count++;
    *ret_cold = !w->on->ring.warm;
    pthread_mutex_unlock(&w->on->lock);
    return w;
}

void rings_unwatch(struct watch *w)
{
    struct watched *on = w->on;

    pthread_mutex_lock(&on->lock);
    *w->back = w->next;
    if (w->next)
        w->next->back = w->back;
    if (--on->watcher_count == 0)
        on->idle_since_us = clock_mono_us();
    pthread_mutex_unlock(&on->lock);
    free(w);
}

void rings_trust(struct watch *w)
{
    pthread_mutex_lock(&w->on->lock);
    w->trusted = true;
    pthread_mutex_unlock(&w->on->lock);
}

/* A position that nobody has vouched for may lie beyond the end of a log that was set back. */
static bool plausible(const struct watch *w, const int64_t *pos)
{
    for (int p = 0; !w->trusted && p < w->on->ring.head.count; p++)
        if ((w->only < 0 || p == w->only) && pos[p] > w->on->ring.target[p])
            return false;
    return true;
}

/* Takes entries after pos. Stops where the reader's positions begin to equal the ring's, so that one answer is all of a kind. */
static size_t take_locked(struct watch *w, const int64_t *pos, struct ring_event **ret, size_t max, bool *ret_shared)
{
    struct ring *r = &w->on->ring;
    size_t n = 0;

    *ret_shared = w->ahead == 0 && w->only < 0;
    while (w->seq < r->next && n < max) {
        struct ring_event *e = r->slots[w->seq % r->cap];

        if (w->only >= 0 && e->partition != w->only) {
            w->seq++;
        } else if (e->offset <= pos[e->partition] && w->ahead > 0) {
            w->seq++;
            if (--w->ahead == 0 && w->only < 0) {
                if (n)
                    return n;
                *ret_shared = true;
            }
        } else {
            w->seq++;
            atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
            ret[n++] = e;
        }
    }
    return n;
}

enum tail_state rings_next(struct watch *w, const int64_t *pos, struct ring_event **ret, size_t max, size_t *ret_n,
                           bool *ret_shared)
{
    struct watched *on = w->on;
    enum tail_state state = TAIL_NOTHING;

    *ret_n = 0;
    pthread_mutex_lock(&on->lock);
    w->armed = false;
    if (w->attached && w->seq < on->ring.first)
        w->attached = false; /* evicted under the reader */
    if (!w->attached && ring_attach(&on->ring, pos, w->only, &w->ahead) && plausible(w, pos)) {
        w->attached = true;
        w->seq = on->ring.first;
    }
    if (on->gone)
        state = TAIL_GONE;
    else if (!w->attached && on->ring.warm)
        state = TAIL_BEHIND;
    else if (w->attached && (*ret_n = take_locked(w, pos, ret, max, ret_shared)))
        state = TAIL_EVENTS;
    else
        w->armed = true;
    if (w->armed && !w->attached)
        state = TAIL_COLD;
    pthread_mutex_unlock(&on->lock);
    if (*ret_n)
        metric_add(M_RING_HITS, (int64_t)*ret_n);
    return state;
}

static void wake_locked(struct watched *on)
{
    struct watch *last = NULL;

    for (struct watch *w = on->watchers; w; w = w->next)
        if (w->armed) {
            w->armed = false;
            if (last)
                last->wake(last->arg, true);
            last = w;
        }
    if (last)
        last->wake(last->arg, false);
}

bool rings_committed(struct rings *r, int64_t stream_id, struct event *const *events, size_t n)
{
    struct watched *w = ring_lock(r, stream_id);
    bool behind = false;

    if (!w)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct event *ev = events[i];

        if (!ring_push(&w->ring, ev, &w->scratch) && ev->partition < PARTITIONS_MAX && w->ring.target[ev->partition] < ev->offset)
            w->ring.target[ev->partition] = ev->offset;
    }
    behind = w->ring.warm && ring_behind(&w->ring);
    pthread_mutex_unlock(&w->lock);
    return behind;
}

void rings_wake(struct rings *r, int64_t stream_id)
{
    struct watched *w = ring_lock(r, stream_id);

    if (!w)
        return;
    wake_locked(w);
    pthread_mutex_unlock(&w->lock);
}

void rings_gone(struct rings *r, int64_t stream_id)
{
    struct watched *w = ring_lock(r, stream_id);

    if (!w)
        return;
    w->gone = true;
    wake_locked(w);
    pthread_mutex_unlock(&w->lock);
}

void rings_target(struct rings *r, int64_t stream_id, int partition, int64_t head)
{
    struct watched *w;

    if (partition < 0 || partition >= PARTITIONS_MAX || !(w = ring_lock(r, stream_id)))
        return;
    if (w->ring.target[partition] < head)
        w->ring.target[partition] = head;
    pthread_mutex_unlock(&w->lock);
}

/* Calls fn for each ring, locked, until it returns false. */
static void each_ring(struct rings *r, bool (*fn)(struct watched *w, void *arg), void *arg)
{
    bool more = true;

    pthread_mutex_lock(&r->lock);
    for (size_t b = 0; more && b < RING_BUCKETS; b++)
        for (struct watched *w = r->buckets[b]; more && w; w = w->next) {
            pthread_mutex_lock(&w->lock);
            more = fn(w, arg);
            pthread_mutex_unlock(&w->lock);
        }
    pthread_mutex_unlock(&r->lock);
}

static bool mark_poll(struct watched *w, void *arg)
{
    (void)arg;
    w->poll = !w->gone && (w->watcher_count || !w->ring.warm);
    return true;
}

void rings_poll_all(struct rings *r)
{
    each_ring(r, mark_poll, NULL);
}

struct due {
    int64_t *ids;
    size_t n, max;
};

static bool take_due(struct watched *w, void *arg)
{
    struct due *d = arg;

    if (w->poll && d->n < d->max) {
        w->poll = false;
        memcpy(w->asked, w->ring.head.pos, sizeof w->asked);
        d->ids[d->n++] = w->ring.stream->row.stream_id;
    }
    return d->n < d->max;
}

size_t rings_due(struct rings *r, int64_t *ids, size_t max)
{
    struct due d = { ids, 0, max };

    each_ring(r, take_due, &d);
    return d.n;
}

/* Heads below what was known before they were asked for: a replica took over that had not got the last events. What follows
 * has offsets that the ring has used, so it begins anew, and the database judges every reader's position. */
static bool set_back_locked(struct watched *w, const int64_t *heads)
{
    bool lower = false;

    for (int p = 0; p < w->ring.head.count; p++)
        lower |= heads[p] < w->asked[p];
    if (!lower)
        return false;
    memcpy(w->ring.target, heads, (size_t)w->ring.head.count * sizeof *heads);
    ring_skip_to_target(&w->ring);
    for (struct watch *x = w->watchers; x; x = x->next)
        x->trusted = false;
    wake_locked(w);
    return true;
}

void rings_heads(struct rings *r, int64_t stream_id, const int64_t *heads, int partitions)
{
    struct watched *w = ring_lock(r, stream_id);

    if (!w)
        return;
    if (partitions != w->ring.head.count) {
        w->gone = true;
        wake_locked(w);
    } else if (!w->ring.warm) {
        ring_warm(&w->ring, heads);
        wake_locked(w);
    } else if (!set_back_locked(w, heads)) {
        for (int p = 0; p < partitions; p++)
            if (w->ring.target[p] < heads[p])
                w->ring.target[p] = heads[p];
    }
    pthread_mutex_unlock(&w->lock);
}

static bool find_gap(struct watched *w, void *arg)
{
    struct rings_gap *gap = arg;
    int64_t missing = 0;

    if (!w->ring.warm || w->gone || !ring_behind(&w->ring))
        return true;
    for (int p = 0; p < w->ring.head.count; p++)
        missing += w->ring.target[p] - w->ring.head.pos[p];
    if (!w->watcher_count || missing > (int64_t)w->ring.cap) {
        ring_skip_to_target(&w->ring); /* its readers do better with pages of their own */
        wake_locked(w);
        return true;
    }
    gap->stream = stream_ref(w->ring.stream);
    memcpy(gap->pos, w->ring.head.pos, sizeof gap->pos);
    return false;
}

bool rings_gap(struct rings *r, struct rings_gap *ret)
{
    ret->stream = NULL;
    each_ring(r, find_gap, ret);
    return ret->stream != NULL;
}

void rings_fetched(struct rings *r, int64_t stream_id, struct event *events, size_t n)
{
    struct watched *w = ring_lock(r, stream_id);

    if (!w)
        return;
    for (size_t i = 0; i < n; i++)
        ring_push(&w->ring, &events[i], &w->scratch); /* refuses what a lane has pushed meanwhile */
    wake_locked(w);
    pthread_mutex_unlock(&w->lock);
}

void rings_lost(struct rings *r, int64_t stream_id, bool gone)
{
    struct watched *w = ring_lock(r, stream_id);

    if (!w)
        return;
    if (gone)
        w->gone = true;
    ring_skip_to_target(&w->ring);
    wake_locked(w);
    pthread_mutex_unlock(&w->lock);
}

void rings_expire(struct rings *r, int64_t idle_us)
{
    int64_t now = clock_mono_us();

    pthread_mutex_lock(&r->lock);
    for (size_t b = 0; b < RING_BUCKETS; b++)
        for (struct watched **at = &r->buckets[b]; *at;) {
            struct watched *w = *at;

            pthread_mutex_lock(&w->lock); /* whoever holds it got it before we took the map's */
            if (w->watcher_count == 0 && (w->gone || now - w->idle_since_us > idle_us)) {
                *at = w->next;
                pthread_mutex_unlock(&w->lock);
                watched_free(w);
            } else {
                pthread_mutex_unlock(&w->lock);
                at = &w->next;
            }
        }
    pthread_mutex_unlock(&r->lock);
}
