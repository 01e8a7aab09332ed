#include "gateway/http/deadlines.h"

#include <stdlib.h>

#include "gateway/http/internal.h"

bool deadlines_init(struct deadlines *d, size_t cap)
{
    *d = (struct deadlines){ .at = calloc(cap, sizeof(struct request_internal *)), .cap = cap };
    return d->at != NULL;
}

void deadlines_free(struct deadlines *d)
{
    free(d->at);
    *d = (struct deadlines){ 0 };
}

static void place(struct deadlines *d, size_t i, struct request_internal *in)
{
    d->at[i] = in;
    in->heap_at = i + 1;
}

static void sift_up(struct deadlines *d, size_t i, struct request_internal *in)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (d->at[parent]->deadline_us <= in->deadline_us)
            break;
        place(d, i, d->at[parent]);
        i = parent;
    }
    place(d, i, in);
}

static void sift_down(struct deadlines *d, size_t i, struct request_internal *in)
{
    for (size_t child; (child = 2 * i + 1) < d->n; i = child) {
        if (child + 1 < d->n && d->at[child + 1]->deadline_us < d->at[child]->deadline_us)
            child++;
        if (in->deadline_us <= d->at[child]->deadline_us)
            break;
        place(d, i, d->at[child]);
    }
    place(d, i, in);
}

void deadlines_set(struct deadlines *d, struct request_internal *in, int64_t mono_us)
{
    deadlines_remove(d, in);
    if (d->n == d->cap)
        return;
    in->deadline_us = mono_us;
    sift_up(d, d->n++, in);
}

void deadlines_remove(struct deadlines *d, struct request_internal *in)
{
    size_t i = in->heap_at;
    struct request_internal *last;

    if (i-- == 0)
        return;
    in->heap_at = 0;
    last = d->at[--d->n];
    if (last == in)
        return;
    sift_down(d, i, last);
    sift_up(d, last->heap_at - 1, last);
}

struct request_internal *deadlines_due(struct deadlines *d, int64_t now_us)
{
    struct request_internal *in;

    if (d->n == 0 || (in = d->at[0])->deadline_us > now_us)
        return NULL;
    deadlines_remove(d, in);
    return in;
}

int64_t deadlines_next(const struct deadlines *d)
{
    return d->n ? d->at[0]->deadline_us : INT64_MAX;
}
