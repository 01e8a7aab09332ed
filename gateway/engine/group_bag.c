#include <stdlib.h>

#include "gateway/engine/group_parts.h"

static bool grow(struct bag *b)
{
    size_t cap = b->cap ? b->cap * 2 : 64;
    struct node **v = calloc(cap, sizeof *v);

    if (!v)
        return false;
    for (size_t i = 0; i < b->cap; i++)
        for (struct node *n = b->v[i], *next; n; n = next) {
            next = n->next;
            n->next = v[n->hash & (cap - 1)];
            v[n->hash & (cap - 1)] = n;
        }
    free(b->v);
    b->v = v;
    b->cap = cap;
    return true;
}

bool bag_add(struct bag *b, struct node *node, uint64_t hash)
{
    if (b->n == b->cap && !grow(b))
        return false;
    node->hash = hash;
    node->next = b->v[hash & (b->cap - 1)];
    b->v[hash & (b->cap - 1)] = node;
    b->n++;
    return true;
}

struct node *bag_first(const struct bag *b, uint64_t hash)
{
    return b->cap ? b->v[hash & (b->cap - 1)] : NULL;
}

void bag_remove(struct bag *b, struct node *node)
{
    struct node **at = &b->v[node->hash & (b->cap - 1)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    b->n--;
}

void bag_free(struct bag *b, void (*fn)(struct node *node))
{
    for (size_t i = 0; fn && i < b->cap; i++)
        for (struct node *n = b->v[i], *next; n; n = next) {
            next = n->next;
            fn(n);
        }
    free(b->v);
    *b = (struct bag){ 0 };
}
