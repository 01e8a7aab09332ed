#include "gateway/engine/saga_parts.h"
#include "gateway/engine/saga_waits.h"

/* What follows from a turn's inputs, until nothing more does: waits begin, and attempts of what is ready. */

#define ROUNDS_MAX (4 * SAGA_STEPS_MAX) /* each changes a step */

/* {"type","message"} */
static struct slice error_text(struct arena *a, const char *type, const char *message)
{
    struct buf b = { 0 };
    struct slice s;

    BUF_LIT(&b, "{\"type\":");
    buf_json_string(&b, slice_of(type));
    buf_member_text(&b, "message", slice_of(message));
    buf_char(&b, '}');
    s = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return s;
}

static enum err refuse(struct turn *t, struct turn_run *r, int step, enum saga_kind kind, enum saga_input_kind what,
                       const char *type, const char *message)
{
    const struct saga_input in = { .what = what, .step = step, .kind = kind, .error = error_text(t->arena, type, message) };

    if (!in.error.p)
        return ERR_NO_MEMORY;
    saga_apply(r->run, &in, t->now_us, NULL);
    return saga_run_failed(r->run) ? ERR_NO_MEMORY : OK;
}

static enum err unfit(struct turn *t, struct turn_run *r, int step, enum saga_kind kind, const char *type, const char *message)
{
    return refuse(t, r, step, kind, SAGA_IN_UNFIT, type, message);
}

/* --- waits --- */

struct wait_of {
    struct turn_run *run;
    int step;
    enum saga_kind kind;
};
struct waits {
    struct saga_wait *v;
    struct wait_of *of;
    size_t n, cap;
    bool unfit;                    /* a step has failed instead */
};

static bool waits_room(struct waits *w, struct arena *a)
{
    size_t cap = w->cap ? 2 * w->cap : 64;
    struct saga_wait *v;
    struct wait_of *of;

    if (w->n < w->cap)
        return true;
    v = arena_alloc(a, cap * sizeof *v);
    of = arena_alloc(a, cap * sizeof *of);
    if (!v || !of)
        return false;
    if (w->n) {
        memcpy(v, w->v, w->n * sizeof *v);
        memcpy(of, w->of, w->n * sizeof *of);
    }
    w->v = v;
    w->of = of;
    w->cap = cap;
    return true;
}

static enum err add_wait(struct turn *t, struct turn_run *r, int step, enum saga_kind kind, struct waits *w)
{
    const struct saga_await *await = r->def->def.await[2 * step + (int)kind];
    struct slice *values = await ? arena_zalloc(t->arena, (await->match_n + 1) * sizeof *values) : NULL;
    struct saga_scope scope;
    struct fault f = { 0 };
    enum saga_rendering made;

    if (!values || !waits_room(w, t->arena))
        return ERR_NO_MEMORY;
    saga_scope(r, t->arena, &scope, step, kind);
    if ((made = saga_await_wanted(await, &scope, t->arena, values, &f)) == SAGA_NO_MEMORY)
        return ERR_NO_MEMORY;
    if (made != SAGA_RENDERED) {
        w->unfit = true;
        return unfit(t, r, step, kind, "template", f.detail);
    }
    r->waits[kind] |= UINT64_C(1) << step;
    w->of[w->n] = (struct wait_of){ r, step, kind };
    w->v[w->n++] = (struct saga_wait){ .id = { r->key.saga_id, r->key.id, (int16_t)step, (int16_t)kind },
                                       .version = r->def->version, .await = await, .values = values };
    return OK;
}

static enum err list_waits(struct turn *t, struct waits *w)
{
    enum err e = OK;

    for (struct turn_run *r = t->run; !e && r < t->run + t->run_n; r++)
        for (size_t i = 0; r->run && r->run->changed && !e && i < r->def->def.step_n; i++)
            for (int kind = 0; !e && kind < SAGA_KINDS; kind++)
                if (r->run->task[kind][i].wait_begins && !(r->waits[kind] >> i & 1))
                    e = add_wait(t, r, (int)i, (enum saga_kind)kind, w);
    return e;
}

/* Those of them that end first. */
static enum err end_former(struct turn *t, const struct waits *w, struct fault *f)
{
    struct saga_wait_id *ids = arena_alloc(t->arena, w->n * sizeof *ids);
    size_t n = 0;

    if (!ids)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < w->n; i++) {
        struct saga_task *k = &w->of[i].run->run->task[w->of[i].kind][w->of[i].step];

        if (k->wait_ends)
            ids[n++] = w->v[i].id;
        k->wait_ends = false;
    }
    if (!n)
        return OK;
    return saga_waits_end(t->db, t->arena, ids, n) ? db_flush(t->db, NULL, 1, f) : ERR_NO_MEMORY;
}

static enum err begin_waits(struct turn *t, bool *ret_changed, struct fault *f)
{
    struct waits w = { 0 };
    enum err e = list_waits(t, &w);

    *ret_changed |= w.unfit;
    if (e || !w.n)
        return e;
    t->waited = true;
    if ((e = end_former(t, &w, f)) || (e = saga_waits_begin(t->db, t->arena, w.v, w.n, f)))
        return e;
    for (size_t i = 0; !e && i < w.n; i++)
        if (w.v[i].missing) {
            *ret_changed = true;
            e = unfit(t, w.of[i].run, w.of[i].step, w.of[i].kind, "unknown-stream", "The awaited event's stream does not exist.");
        }
    return e;
}

/* --- attempts --- */

/* The slot that an item has brought, or one that is free now. */
static enum outbound_room slot_for(struct turn *t, const struct turn_run *r, int step, enum saga_kind kind,
                                   struct outbound_slot *ret)
{
    int64_t wait_us;

    for (size_t i = 0; i < t->given; i++) {
        struct saga_item *x = &t->item[i];

        if (x->kind == ITEM_CALL && !x->slot_used && x->input.step == step && x->input.kind == kind &&
            db_saga_order(&x->key, &r->key) == 0) {
            x->slot_used = true;
            *ret = x->slot;
            return OUTBOUND_ROOM;
        }
    }
    return outbound_admit(t->s->outbound, r->def->def.step[step].deed[kind].http->target, ret, &wait_us);
}

static bool has_room(struct turn *t)
{
    bool room;

    pthread_mutex_lock(&t->s->lock);
    room = !t->s->stop && t->s->in_flight_n + t->s->kept_n + t->admitted_n < (size_t)t->s->config->sagas_in_flight;
    pthread_mutex_unlock(&t->s->lock);
    return room;
}

static enum err admit(struct turn *t, struct turn_run *r, int step, enum saga_kind kind, bool *ret_changed)
{
    const bool call = r->def->def.step[step].deed[kind].kind == SAGA_HTTP;
    struct outbound_slot slot = { 0 };
    struct saga_input in = { 0 };
    struct saga_attempt *at = NULL;
    enum outbound_room room = OUTBOUND_ROOM;
    enum saga_rendering made;

    if (!has_room(t) || (call && (room = slot_for(t, r, step, kind, &slot)) != OUTBOUND_ROOM)) {
        if (room != OUTBOUND_CROWDED)
            return OK;
        *ret_changed = true;
        return refuse(t, r, step, kind, SAGA_IN_PUT_OFF, "targets",
                      "The gateway calls as many other targets as it can keep in mind (outbound.targets).");
    }
    made = saga_attempt_new(t, r, step, kind, &at, &in);
    if (at) {
        at->call.slot = slot;
        *t->admitted_last = at;
        t->admitted_last = &at->next;
        t->admitted_n++;
    } else {
        outbound_release(t->s->outbound, slot);
    }
    if (made == SAGA_NO_MEMORY)
        return ERR_NO_MEMORY;
    saga_apply(r->run, &in, t->now_us, NULL);
    if (at) {
        at->answer.attempt = r->run->task[kind][step].attempts;
        at->answer.owner = in.owner;
    }
    *ret_changed = true;
    return saga_run_failed(r->run) ? ERR_NO_MEMORY : OK;
}

static enum err admit_all(struct turn *t, bool *ret_changed)
{
    enum err e = OK;

    t->owner = atomic_load(&t->s->owner); /* before the lease, which may already be another one's */
    if (!t->admits || clock_mono_us() >= atomic_load(&t->s->lives_until_us))
        return OK;
    for (struct turn_run *r = t->run; !e && r < t->run + t->run_n; r++)
        for (size_t i = 0; r->run && !e && i < r->def->def.step_n; i++)
            for (int kind = 0; !e && kind < SAGA_KINDS; kind++) {
                const struct saga_task *k = &r->run->task[kind][i];

                if (k->status == TASK_READY && k->due_us <= t->now_us)
                    e = admit(t, r, (int)i, (enum saga_kind)kind, ret_changed);
            }
    return e;
}

enum err turn_settle(struct turn *t, struct fault *f)
{
    bool changed = true;
    enum err e = OK;

    for (int round = 0; !e && changed && round < ROUNDS_MAX; round++) {
        changed = false;
        if (!(e = begin_waits(t, &changed, f)))
            e = admit_all(t, &changed);
    }
    return e;
}
