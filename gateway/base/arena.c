#include "gateway/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALIGN = alignof(max_align_t), FIRST = 1024, CHUNK = 1000, CHUNK_MAX = 64000 }; /* malloc is fastest up to 1 KiB */

struct chunk {
    struct chunk *next;
    alignas(max_align_t) char data[];
};

struct deferred {
    struct deferred *next;
    void (*fn)(void *);
    void *arg;
};

struct arena {
    size_t limit, used;
    bool full;                   /* the limit has refused something */
    char *p, *end;               /* free space of the current chunk */
    size_t chunk;                /* size of the next one */
    struct chunk *chunks;
    struct deferred *deferred;
    alignas(max_align_t) char first[]; /* most requests need no other chunk */
};

struct arena *arena_new(size_t limit)
{
    struct arena *a = malloc(FIRST);

    if (!a)
        return NULL;
    *a = (struct arena){ .limit = limit, .chunk = CHUNK };
    a->p = a->first;
    a->end = (char *)a + FIRST;
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    while (a->deferred) {
        struct deferred *d = a->deferred;

        a->deferred = d->next;
        d->fn(d->arg);
    }
    while (a->chunks) {
        struct chunk *c = a->chunks;

        a->chunks = c->next;
        free(c);
    }
    free(a);
}

static char *chunk_add(struct arena *a, size_t n)
{
    struct chunk *c = n <= SIZE_MAX / 2 ? malloc(sizeof *c + n) : NULL;

    if (!c)
        return NULL;
    c->next = a->chunks;
    a->chunks = c;
    return c->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t room = (size_t)(a->end - a->p);
    char *p;

    if (n > a->limit - a->used) {
        a->full = true;
        return NULL;
    }
    if (n <= room) {
        p = a->p;
    } else if (n > a->chunk / 4) {
        p = chunk_add(a, n);     /* a chunk of its own: the current one stays in use */
        if (p)
            a->used += n;
        return p;
    } else {
        p = chunk_add(a, a->chunk);
        if (!p)
            return NULL;
        room = a->chunk;
        a->end = p + room;
        if (a->chunk < CHUNK_MAX)
            a->chunk *= 2;
    }
    size_t padded = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);

    a->p = p + (padded < room ? padded : room);
    a->used += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);

    return p ? memset(p, 0, n) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

    if (!p)
        return NULL;
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

struct slice arena_slice(struct arena *a, struct slice s)
{
    char *p = s.p ? arena_alloc(a, s.n) : NULL;

    if (!p)
        return SLICE_NONE;
    memcpy(p, s.p, s.n);
    return (struct slice){ p, s.n };
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *p = NULL;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && (p = arena_alloc(a, (size_t)n + 1)))
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

bool arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
    struct deferred *d = arena_alloc(a, sizeof *d);

    if (!d)
        return false;
    *d = (struct deferred){ a->deferred, fn, arg };
    a->deferred = d;
    return true;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}

bool arena_full(const struct arena *a)
{
    return a->full;
}
