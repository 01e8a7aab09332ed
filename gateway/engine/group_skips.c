#include <stdlib.h>

#include "gateway/engine/group_parts.h"

/* What was passed over is remembered in chunks: rows are written for dozens of events, and only those that change. */

static struct chunk *chunk_new(struct group_state *s, int64_t id, int32_t partition)
{
    struct chunk *c = calloc(1, sizeof *c);

    if (!c) {
        s->failed = true;
        return NULL;
    }
    c->id = id;
    c->partition = partition;
    c->prev = s->chunks_last;
    *(c->prev ? &c->prev->next : &s->chunks) = c;
    s->chunks_last = c;
    if (id > s->last_chunk)
        s->last_chunk = id;
    return c;
}

static void chunk_free(struct group_state *s, struct chunk *c)
{
    *(c->prev ? &c->prev->next : &s->chunks) = c->next;
    *(c->next ? &c->next->prev : &s->chunks_last) = c->prev;
    if (c->stored) {
        int64_t *id = list_add(s, &s->skips_gone, sizeof *id);

        if (id)
            *id = c->id;
    }
    free(c);
}

/* The newest one of the partition, if it has room. Few are looked at: chunks of partitions alternate at worst. */
static struct chunk *room(const struct group_state *s, int32_t partition)
{
    struct chunk *c = s->chunks_last;
    size_t looked = 0;

    while (c && c->partition != partition && looked++ < PARTITIONS_MAX)
        c = c->prev;
    return c && c->partition == partition && c->n < CHUNK_ITEMS ? c : NULL;
}

bool skip_add(struct group_state *s, struct item *it)
{
    struct chunk *c = room(s, it->at.partition);
    size_t i;

    if (!c && !(c = chunk_new(s, s->last_chunk + 1, it->at.partition)))
        return false;
    for (i = c->n++; i && c->v[i - 1]->at.offset > it->at.offset; i--)
        c->v[i] = c->v[i - 1];
    c->v[i] = it;
    c->changed = true;
    it->chunk = c;
    return true;
}

void skip_remove(struct group_state *s, struct item *it)
{
    struct chunk *c = it->chunk;
    size_t i = 0;

    it->chunk = NULL;
    while (c->v[i] != it)
        i++;
    memmove(&c->v[i], &c->v[i + 1], (--c->n - i) * sizeof *c->v);
    c->changed = true;
    if (!c->n)
        chunk_free(s, c);
}

bool group_state_load_skip(struct group_state *s, const struct skip_row *r)
{
    struct chunk *c = chunk_new(s, r->chunk_id, r->partition);
    struct slice offsets = r->offsets;
    uint64_t step;
    int64_t offset = 0;

    if (!c || r->n < 1 || r->n > CHUNK_ITEMS || r->keys.n != (size_t)r->n * 8)
        return false;
    c->stored = true;
    while (c->n < (size_t)r->n) {
        struct group_place at = { r->partition, 0, 0 };
        uint64_t hash;

        if (!varint_get(&offsets, &step))
            return false;
        at.offset = offset += (int64_t)step;
        memcpy(&hash, r->keys.p + c->n * 8, 8);
        if (item_find(s, &at) || !(c->v[c->n] = item_new(s, &at, hash, ITEM_SKIPPED)))
            return false;
        c->v[c->n++]->chunk = c;
    }
    return true;
}
