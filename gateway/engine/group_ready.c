#include <stdlib.h>

#include "gateway/engine/group_parts.h"

/* A binary heap of what can go out, or will at its time; each item knows where it is. First come, first served: what was skipped of
 * busy keys, one after another, does not hold up retries. */

static int64_t due(const struct item *it)
{
    return it->state == ITEM_WAITING ? it->not_before_us : it->free_us;
}

static bool sooner(const struct item *a, const struct item *b)
{
    return due(a) != due(b) ? due(a) < due(b) : a->at.offset < b->at.offset;
}

static void place(struct group_state *s, size_t i, struct item *it)
{
    s->ready[i] = it;
    it->ready_at = i + 1;
}

static void up(struct group_state *s, size_t i, struct item *it)
{
    while (i && sooner(it, s->ready[(i - 1) / 2])) {
        place(s, i, s->ready[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(s, i, it);
}

static void down(struct group_state *s, size_t i, struct item *it)
{
    for (size_t child; (child = 2 * i + 1) < s->ready_n; i = child) {
        if (child + 1 < s->ready_n && sooner(s->ready[child + 1], s->ready[child]))
            child++;
        if (!sooner(s->ready[child], it))
            break;
        place(s, i, s->ready[child]);
    }
    place(s, i, it);
}

void ready_remove(struct group_state *s, struct item *it)
{
    size_t i = it->ready_at - 1;
    struct item *last;

    if (!it->ready_at)
        return;
    it->ready_at = 0;
    last = s->ready[--s->ready_n];
    if (last == it)
        return;
    if (i && sooner(last, s->ready[(i - 1) / 2]))
        up(s, i, last);
    else
        down(s, i, last);
}

void ready_update(struct group_state *s, struct item *it)
{
    if (!it->ready_at)
        it->free_us = s->now_us;
    ready_remove(s, it);
    if (it->state == ITEM_LEASED || !item_free_to_go(it))
        return;
    if (s->ready_n == s->ready_cap) {
        size_t cap = s->ready_cap ? s->ready_cap * 2 : 64;
        struct item **v = realloc(s->ready, cap * sizeof *v);

        if (!v) {
            s->failed = true;
            return;
        }
        s->ready = v;
        s->ready_cap = cap;
    }
    up(s, s->ready_n++, it);
}
