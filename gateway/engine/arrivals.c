#include "gateway/engine/arrivals.h"

#include <stdlib.h>

struct arrival {
    struct arrival *next, **back;
    const struct selection *selection;
    void (*wake)(void *arg, bool more);
    void *arg;
};

void arrivals_init(struct arrivals *a)
{
    *a = (struct arrivals){ 0 };
    pthread_mutex_init(&a->lock, NULL);
}

void arrivals_free(struct arrivals *a)
{
    pthread_mutex_destroy(&a->lock);
}

struct arrival *arrivals_watch(struct arrivals *a, const struct selection *s, void (*wake)(void *, bool), void *arg)
{
    struct arrival *w = malloc(sizeof *w);

    if (!w)
        return NULL;
    pthread_mutex_lock(&a->lock);
    *w = (struct arrival){ a->list, &a->list, s, wake, arg };
    if (w->next)
        w->next->back = &w->next;
    a->list = w;
    pthread_mutex_unlock(&a->lock);
    return w;
}

void arrivals_unwatch(struct arrivals *a, struct arrival *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&a->lock);
    *w->back = w->next;
    if (w->next)
        w->next->back = w->back;
    a->known &= a->list != NULL; /* nobody keeps the mark true any more */
    pthread_mutex_unlock(&a->lock);
    free(w);
}

/* name.p == NULL: everybody */
static void wake_locked(struct arrivals *a, struct slice name)
{
    struct arrival *last = NULL;

    for (struct arrival *w = a->list; w; w = w->next)
        if (!name.p || selection_covers(w->selection, name)) {
            if (last)
                last->wake(last->arg, true);
            last = w;
        }
    if (last)
        last->wake(last->arg, false);
}

void arrivals_came(struct arrivals *a, int64_t stream_id, struct slice name)
{
    pthread_mutex_lock(&a->lock);
    a->mark.count++;
    a->mark.ids ^= stream_id;
    wake_locked(a, name);
    pthread_mutex_unlock(&a->lock);
}

void arrivals_went(struct arrivals *a, int64_t stream_id)
{
    pthread_mutex_lock(&a->lock);
    a->mark.count--;
    a->mark.ids ^= stream_id;
    pthread_mutex_unlock(&a->lock);
}

bool arrivals_waiting(struct arrivals *a)
{
    pthread_mutex_lock(&a->lock);
    bool some = a->list != NULL;
    pthread_mutex_unlock(&a->lock);
    return some;
}

void arrivals_mark(struct arrivals *a, const struct stream_mark *now)
{
    pthread_mutex_lock(&a->lock);
    if (!a->known || a->mark.count != now->count || a->mark.ids != now->ids)
        wake_locked(a, SLICE_NONE);
    a->known = true;
    a->mark = *now;
    pthread_mutex_unlock(&a->lock);
}
