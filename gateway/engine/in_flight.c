#include "gateway/engine/in_flight.h"

/* Keys are halves of a SHA-256: any of their bits will do. */
static struct publish **chain_of(struct in_flight *t, const struct publish *p)
{
    uint32_t h;

    memcpy(&h, p->key->key, sizeof h);
    return &t->chain[h % IN_FLIGHT_CHAINS];
}

bool in_flight_add(struct in_flight *t, struct publish *p)
{
    struct publish **at = chain_of(t, p);

    for (const struct publish *q = *at; q; q = q->key->in_flight_next)
        if (q->stream->row.stream_id == p->stream->row.stream_id && memcmp(q->key->key, p->key->key, 16) == 0)
            return false;
    p->key->in_flight_next = *at;
    *at = p;
    return true;
}

void in_flight_remove(struct in_flight *t, struct publish *p)
{
    struct publish **at = chain_of(t, p);

    while (*at != p)
        at = &(*at)->key->in_flight_next;
    *at = p->key->in_flight_next;
}
