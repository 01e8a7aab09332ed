#include "gateway/engine/compat_json.h"

static size_t hash(const uintptr_t *key, unsigned words)
{
    uint64_t h = words;

    for (unsigned i = 0; i < words; i++) {
        h = (h ^ key[i]) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    return (size_t)h;
}

static bool grow(struct comparison *c)
{
    struct memo *m = &c->memo;
    size_t cap = m->cap ? m->cap * 2 : 256;
    struct memo_entry *v = arena_alloc(c->arena, cap * sizeof *v);
    uint32_t *slot = arena_zalloc(c->arena, cap * 2 * sizeof *slot);

    uint32_t *trail = arena_alloc(c->arena, cap * sizeof *trail);

    if (!v || !slot || !trail)
        return false;
    if (m->n) {
        memcpy(v, m->v, m->n * sizeof *v);
        memcpy(trail, m->trail, m->trail_n * sizeof *trail);
    }
    *m = (struct memo){ v, m->n, cap, slot, trail, m->trail_n, m->top };
    for (size_t i = 0; i < m->n; i++) {
        size_t h = hash(v[i].key, v[i].words);

        while (slot[h % (cap * 2)])
            h++;
        slot[h % (cap * 2)] = (uint32_t)i + 1;
    }
    return true;
}

/* NULL: no memory. */
struct memo_entry *memo_find(struct comparison *c, const uintptr_t *key, unsigned words, size_t *ret_at)
{
    struct memo *m = &c->memo;

    if (m->n == m->cap && !grow(c))
        goto fail;
    size_t h = hash(key, words), size = words * sizeof *key;
    uint32_t *slot;

    for (; *(slot = &m->slot[h % (m->cap * 2)]); h++) {
        struct memo_entry *e = &m->v[*slot - 1];

        if (e->words == words && !memcmp(e->key, key, size)) {
            *ret_at = *slot - 1;
            return e;
        }
    }
    uintptr_t *copy = arena_alloc(c->arena, size);

    if (!copy)
        goto fail;
    memcpy(copy, key, size);
    m->v[m->n] = (struct memo_entry){ .key = copy, .words = words, .state = MEMO_DEAD };
    *ret_at = m->n++;
    *slot = (uint32_t)m->n;
    return &m->v[*ret_at];
fail:
    c->no_memory = c->gave_up = true;
    return NULL;
}

void memo_open(struct comparison *c, size_t at)
{
    struct memo *m = &c->memo;
    struct memo_entry *e = &m->v[at];

    e->state = MEMO_OPEN;
    e->leans = false;
    e->level = c->level;
    e->trail = m->trail_n;
    e->below = m->top;
    m->top = (uint32_t)at + 1;
}

/* Values within one another may be taken for granted while they are looked at: they end. The value itself may not; so what
 * leans on the assumption and is about the same value as it must not be remembered: asked about the outer value, it would go
 * round in a circle. */
bool memo_assume(struct comparison *c, const struct memo_entry *open)
{
    struct memo *m = &c->memo;

    if (c->level <= open->level)
        return false;
    for (uint32_t i = m->top; i && m->v[i - 1].level == c->level; i = m->v[i - 1].below)
        m->v[i - 1].leans = true;
    return true;
}

/* Proofs that were found while this one was taken for granted fall with it. */
bool memo_close(struct comparison *c, size_t at, bool result)
{
    struct memo *m = &c->memo;
    bool kept = result && !m->v[at].leans;

    m->top = m->v[at].below;
    m->v[at].state = kept ? MEMO_TRUE : result ? MEMO_DEAD : MEMO_FALSE;
    if (kept)
        m->trail[m->trail_n++] = (uint32_t)at;
    while (!result && m->trail_n > m->v[at].trail)
        m->v[m->trail[--m->trail_n]].state = MEMO_DEAD;
    return result;
}
