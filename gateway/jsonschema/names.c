#include "gateway/jsonschema/compile.h"

static struct name_slot *slot_of(const struct name_map *m, struct slice key)
{
    uint32_t at = name_hash(key.p, key.n);

    for (;; at++) {
        struct name_slot *s = &m->slots[at & m->mask];

        if (!s->key.p || slice_eq(s->key, key))
            return s;
    }
}

static bool grow(struct compiler *c, struct name_map *m)
{
    struct name_map wider = { .mask = m->slots ? m->mask * 2 + 1 : 63, .n = m->n };

    if (!(wider.slots = arena_zalloc(c->temp, (wider.mask + (size_t)1) * sizeof *wider.slots)))
        return false;
    for (uint32_t i = 0; m->slots && i <= m->mask; i++)
        if (m->slots[i].key.p)
            *slot_of(&wider, m->slots[i].key) = m->slots[i];
    *m = wider;
    return true;
}

bool names_put(struct compiler *c, struct name_map *m, struct slice key, void *value)
{
    if ((!m->slots || m->n * 2 > m->mask) && !grow(c, m))
        return false;
    struct name_slot *s = slot_of(m, key);

    m->n += !s->key.p;
    s->key = key.p ? key : SLICE("");
    s->value = value;
    return true;
}

void *names_get(const struct name_map *m, struct slice key)
{
    return m->slots ? slot_of(m, key)->value : NULL;
}
