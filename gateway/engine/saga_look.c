#include "gateway/engine/saga_parts.h"

/* What is due: a look at the tables, and for calls a place at their target before they are taken out. */

#define CALLS_OF_TARGET 200        /* of one look */

/* Targets that have room for one call; it is theirs. */
static size_t admit_targets(struct sagas *s, struct arena *a, const struct saga_due *due, struct slice **ret,
                            struct outbound_slot **ret_slots, int32_t **ret_room)
{
    struct slice *v = arena_alloc(a, (due->target_n + 1) * sizeof *v);
    struct outbound_slot *slots = arena_alloc(a, (due->target_n + 1) * sizeof *slots);
    int32_t *room = arena_alloc(a, (due->target_n + 1) * sizeof *room);
    size_t n = 0;
    int64_t wait_us;

    for (size_t i = 0; v && slots && room && i < due->target_n; i++)
        if (outbound_admit(s->outbound, due->target[i], &slots[n], &wait_us) == OUTBOUND_ROOM) {
            room[n] = CALLS_OF_TARGET;
            v[n++] = due->target[i];
        }
    *ret = v;
    *ret_slots = slots;
    *ret_room = room;
    return n;
}

/* A row for each slot that can be had. false: no memory; the slot is given back. */
static bool add_call(struct turn *t, const struct saga_call_row *row, struct outbound_slot slot)
{
    struct saga_item *x = turn_item(t, ITEM_CALL);

    if (!x) {
        outbound_release(t->s->outbound, slot);
        return false;
    }
    x->key = row->key;
    x->input.step = row->step;
    x->input.kind = (enum saga_kind)row->kind;
    x->slot = slot;
    return true;
}

static enum err look_for_calls(struct turn *t, const struct saga_due *due, const struct saga_keys *but, struct fault *f)
{
    struct saga_call_row *rows = NULL;
    struct outbound_slot *slots;
    struct slice *targets;
    int32_t *room;
    size_t n = admit_targets(t->s, t->keep, due, &targets, &slots, &room), row_n = 0, at = 0;
    enum err e = n ? db_saga_calls_due(t->db, t->keep, targets, room, n, but, &rows, &row_n, f) : OK;

    for (size_t i = 0; i < n; i++) {
        bool more = true;
        size_t found = 0;
        int64_t wait_us;

        for (; !e && at < row_n && slice_eq(rows[at].target, targets[i]); at++, found++) {
            if (found)
                more = more && outbound_admit(t->s->outbound, targets[i], &slots[i], &wait_us) == OUTBOUND_ROOM;
            if (more && !add_call(t, &rows[at], slots[i]))
                e = ERR_NO_MEMORY;
        }
        if (!found)
            outbound_release(t->s->outbound, slots[i]);
        if (!e && found < CALLS_OF_TARGET && more)
            outbound_satisfied(t->s->outbound, targets[i]);
    }
    return e;
}

/* Those that have room again, and for which nothing is due: they need not say so any more. */
static void satisfy(struct sagas *s, const struct saga_due *due)
{
    struct outbound_free v[64];
    size_t n = outbound_rooms(s->outbound, v, sizeof v / sizeof *v);

    for (size_t i = 0; i < n; i++) {
        size_t k = 0;

        while (k < due->target_n && !slice_eq(due->target[k], v[i].target))
            k++;
        if (k == due->target_n)
            outbound_satisfied(s->outbound, v[i].target);
    }
}

static enum err add_looks(struct turn *t, const struct saga_key *key, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct saga_item *x = turn_item(t, ITEM_LOOK);

        if (!x)
            return ERR_NO_MEMORY;
        x->key = key[i];
    }
    return OK;
}

/* Timeouts of awaits, for those streams that were read as far: the others are left where they are, however many there are. */
static enum err look_for_awaits(struct turn *t, const struct saga_due *due, const struct saga_keys *but, bool *ret_more,
                                struct fault *f)
{
    struct saga_awaited *v = arena_alloc(t->keep, (due->awaited_n + 1) * sizeof *v);
    struct saga_key *key = NULL;
    size_t n = 0, key_n = 0;
    enum err e = v ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < due->awaited_n; i++) {
        int64_t passed = saga_events_passed(t->s->events, due->awaited[i].stream, due->awaited[i].due_us);

        if (passed >= due->awaited[i].due_us)
            v[n++] = (struct saga_awaited){ due->awaited[i].stream, passed };
    }
    if (!e && n && !(e = db_saga_awaits_due(t->db, t->keep, v, n, (int64_t)t->s->batch, but, &key, &key_n, f)))
        e = add_looks(t, key, key_n);
    *ret_more |= key_n >= t->s->batch;
    return e;
}

enum err saga_look(struct sagas *s, struct turn *t, bool *ret_inbox, bool *ret_more, struct fault *f)
{
    struct saga_due due;
    struct saga_keys but;
    int64_t *slow = NULL;
    size_t slow_n = 0;
    enum err e = aside_list(s, t->keep, &but) && saga_events_slow(s->events, t->keep, &slow, &slow_n) ? OK : ERR_NO_MEMORY;

    if (e || (e = db_saga_due(t->db, t->keep, (int64_t)s->batch, &but, slow, slow_n, &due, f)))
        return e;
    satisfy(s, &due);
    *ret_inbox = due.inbox;
    *ret_more = due.n >= s->batch;
    if ((e = add_looks(t, due.key, due.n)) || (e = look_for_awaits(t, &due, &but, ret_more, f)))
        return e;
    return due.target_n ? look_for_calls(t, &due, &but, f) : OK;
}
