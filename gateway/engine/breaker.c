#include "gateway/engine/breaker.h"

const char *const breaker_names[BREAKER_STATES] = { "closed", "open", "half-open" };

static void become(struct breaker *b, enum breaker_state state)
{
    b->state = state;
    b->successes = 0;
    b->probe_owner = 0;
    b->probe_until_us = 0;
}

static bool take_closed(struct breaker *b, const struct breaker_rules *r, enum breaker_outcome o, int64_t now_us)
{
    if (o != BREAKER_BAD && (o != BREAKER_GOOD || !b->failures))
        return false;
    b->failures = o == BREAKER_GOOD ? 0 : b->failures + 1;
    if (b->failures >= r->failures) {
        become(b, BREAKER_OPEN);
        b->opened_us = now_us;
    }
    return true;
}

static void succeed(struct breaker *b, const struct breaker_rules *r)
{
    if (++b->successes < r->successes)
        return;
    become(b, BREAKER_CLOSED);
    b->failures = 0;
}

/* The probe's answer ends its claim, whatever it says. One that says nothing paces the next: a target that answers 429 is still busy. */
static bool take_probe(struct breaker *b, const struct breaker_rules *r, enum breaker_outcome o, int64_t now_us)
{
    b->probe_owner = 0;
    b->probe_until_us = o == BREAKER_NEITHER ? now_us + r->open_us : 0;
    if (o == BREAKER_GOOD || o == BREAKER_DECIDED) {
        succeed(b, r);
    } else if (o == BREAKER_BAD) {
        become(b, BREAKER_OPEN);
        b->opened_us = now_us;
    }
    return true;
}

/* It takes nothing from whoever has the claim now, but the target has answered, or has not. */
static bool take_late(struct breaker *b, const struct breaker_rules *r, enum breaker_outcome o)
{
    bool good = o == BREAKER_GOOD || o == BREAKER_DECIDED, ends = o == BREAKER_BAD && b->successes;

    if (good)
        succeed(b, r);
    else if (ends)
        b->successes = 0;
    return good || ends;
}

bool breaker_take(struct breaker *b, const struct breaker_rules *r, enum breaker_outcome o, int64_t probe_of, int64_t now_us)
{
    if (b->state == BREAKER_CLOSED)
        return take_closed(b, r, o, now_us);
    if (b->state == BREAKER_OPEN || !probe_of)
        return false;
    return probe_of == b->probe_owner ? take_probe(b, r, o, now_us) : take_late(b, r, o);
}

bool breaker_probe_due(const struct breaker *b, const struct breaker_rules *r, int64_t now_us, int64_t *ret_us)
{
    *ret_us = b->state == BREAKER_OPEN ? b->opened_us + r->open_us : b->probe_until_us;
    return b->state != BREAKER_CLOSED && *ret_us <= now_us;
}

void breaker_probe(struct breaker *b, int64_t owner, int64_t until_us)
{
    b->state = BREAKER_HALF_OPEN;
    b->probe_owner = owner;
    b->probe_until_us = until_us;
}
