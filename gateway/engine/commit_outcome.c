#include "gateway/engine/commit_flight.h"

/* --- was it committed? --- */

/* Where offset and time were decided here they must be these: another gateway may have recorded the same id since. */
static bool is_row_of(const struct rows *r, int k, const struct event *ev, bool decided)
{
    return row_int4(r, k, 0) == ev->partition && slice_eq(row_text(r, k, 3), ev->id) && slice_eq(row_text(r, k, 4), ev->source) &&
           (!decided || (row_int8(r, k, 1) == ev->offset && row_time(r, k, 2) == ev->recorded_us));
}

static bool all_found(struct lot *g, const struct rows *r, bool decided)
{
    for (size_t i = 0; i < g->accepted_n; i++) {
        struct event *ev = g->accepted[i];
        int k = 0;

        while (k < r->n && !is_row_of(r, k, ev, decided))
            k++;
        if (k == r->n)
            return false;
        ev->offset = row_int8(r, k, 1);
        ev->recorded_us = row_time(r, k, 2);
    }
    return true;
}

static enum err look_for(struct batch *b, struct lot *g, struct db *db)
{
    struct flight f;
    size_t n;
    struct publish_head *heads = flight_heads(b, g, false, &n);
    struct publish_event *events = flight_events(b, g);
    enum err e;

    if (!heads || !events || !flight_begin(&f, b, db))
        return ERR_NO_MEMORY;
    flight_say(&f, &DB_BEGIN);
    flight_queued(&f, db_heads_lock(db, b->arena, g->stream->row.stream_id, heads, n)); /* waits for our lost transaction */
    flight_queued(&f, db_outcome_look(db, b->arena, g->stream->row.stream_id, heads, n, b->now_us, events, g->accepted_n));
    flight_say(&f, &DB_COMMIT);
    e = flight_flush(&f);
    g->found = !e && all_found(g, &f.rows[2], !b->plain);
    flight_end(&f);
    return e;
}

enum err batch_outcome(struct batch *b, struct db *db, bool *ret_committed)
{
    enum err e;

    *ret_committed = false;
    for (struct lot *g = b->lots; g < b->lots + b->lot_n; g++) {
        if (g->accepted_n && (e = look_for(b, g, db)))
            return e;
        *ret_committed |= g->accepted_n && g->found;
    }
    /* One transaction: what is missing of it met a deleted stream on the plain way, which decides nothing beforehand. */
    for (struct lot *g = b->lots; *ret_committed && g < b->lots + b->lot_n; g++)
        if (g->accepted_n && !g->found)
            lot_refuse(g);
    return OK;
}
