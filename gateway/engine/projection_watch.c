#include <stdlib.h>

#include "gateway/engine/projection_parts.h"

struct projection_watch {
    int64_t projection_id;
    void (*wake)(void *arg, bool more);
    void *arg;
    struct projection_watch *next, **back;
    bool aimed;                  /* it has a target */
    size_t n;                    /* places of the target that were not yet reached */
    struct place target[];
};

struct projection_watch *projections_watch(struct projections *p, int64_t projection_id, const struct projection_target *target,
                                           void (*wake)(void *arg, bool more), void *arg)
{
    size_t n = target ? target->n : 0;
    struct projection_watch *w = calloc(1, sizeof *w + n * sizeof *w->target), **at;

    if (!w)
        return NULL;
    w->projection_id = projection_id;
    w->wake = wake;
    w->arg = arg;
    w->aimed = target;
    w->n = n;
    if (n)
        memcpy(w->target, target->v, n * sizeof *w->target);
    pthread_mutex_lock(&p->watch_lock);
    at = &p->watches[(uint64_t)projection_id % WATCH_BUCKETS];
    w->next = *at;
    w->back = at;
    if (w->next)
        w->next->back = &w->next;
    *at = w;
    pthread_mutex_unlock(&p->watch_lock);
    return w;
}

void projections_unwatch(struct projections *p, struct projection_watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&p->watch_lock);
    *w->back = w->next;
    if (w->next)
        w->next->back = w->back;
    pthread_mutex_unlock(&p->watch_lock);
    free(w);
}

/* Is it to look, now that the part has come to this place? Others may have been reached before it watched, so each that is reached may be
 * the last one. */
static bool concerns(struct projection_watch *w, const struct place *at)
{
    if (!w->aimed || !at)
        return true;
    for (size_t i = 0; i < w->n; i++)
        if (w->target[i].stream_id == at->stream_id && w->target[i].partition == at->partition &&
            w->target[i].offset <= at->offset) {
            w->target[i] = w->target[--w->n];
            return true;
        }
    return false;
}

/* Of a bucket, those of a projection (0: of any). Each but the very last is woken with the word that there are more. */
static struct projection_watch *wake_some(struct projection_watch *w, int64_t projection_id, const struct place *at,
                                          struct projection_watch *last)
{
    for (; w; w = w->next)
        if ((!projection_id || w->projection_id == projection_id) && concerns(w, at)) {
            if (last)
                last->wake(last->arg, true);
            last = w;
        }
    return last;
}

static void wake_all(struct projections *p, int64_t projection_id, const struct place *at)
{
    size_t first = projection_id ? (uint64_t)projection_id % WATCH_BUCKETS : 0, end = projection_id ? first + 1 : WATCH_BUCKETS;
    struct projection_watch *last = NULL;

    pthread_mutex_lock(&p->watch_lock);
    for (size_t i = first; i < end; i++)
        last = wake_some(p->watches[i], projection_id, at, last);
    if (last)
        last->wake(last->arg, false);
    pthread_mutex_unlock(&p->watch_lock);
}

void watches_progress(struct projections *p, int64_t projection_id, const struct place *at)
{
    wake_all(p, projection_id, at);
}

void watches_changed(struct projections *p, int64_t projection_id)
{
    wake_all(p, projection_id, NULL);
}

void watches_look(struct projections *p)
{
    wake_all(p, 0, NULL);
}
