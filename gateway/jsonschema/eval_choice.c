#include "gateway/jsonschema/eval.h"

/* How near a branch came, by what failed in it: one that was not meant fails early, by a constant, an enumeration or a type. */
struct nearness {
    bool meant;
    uint32_t depth;              /* of the failure that is nearest to the value, as entries of the tree behind it */
    uint32_t failures;
};

static struct nearness nearness(struct run *r, const struct notes *notes, const struct node *v)
{
    struct nearness near = { .meant = true, .depth = UINT32_MAX, .failures = notes->n };

    for (uint32_t i = 0; i < notes->n; i++) {
        const struct failure *f = &notes->list[i];
        bool tells = f->keyword == K_CONST || f->keyword == K_ENUM || (f->keyword == K_TYPE && f->v == v);
        uint32_t depth = f->v == v ? 0 : 1;

        if (f->v != v) {
            /* A direct entry of the value, or deeper? */
            const struct node *e = v + 1;
            bool object = v->type == T_OBJECT;
            uint32_t k = 0;

            for (; k < v->n && e + object <= f->v; k++, e += object + e[object].skip)
                depth = e + object == f->v || e == f->v ? 1 : 2;
            if (!toil_spend(&r->toil, k / 8))
                break;
        }
        near.meant &= !(tells && depth < 2);
        near.depth = depth < near.depth ? depth : near.depth;
    }
    return near;
}

static bool nearer(struct nearness a, struct nearness b)
{
    if (a.meant != b.meant)
        return a.meant;
    if (a.depth != b.depth)
        return a.depth > b.depth;
    return a.failures < b.failures;
}

/* None of the branches passes: notes that, and what failed in the one that came nearest. */
static bool note_nearest(struct run *r, const struct block *b, const struct op *op, struct node *v)
{
    struct notes *notes = r->notes, best = { 0 };
    struct nearness best_near = { 0 };

    if (!notes)
        return false;
    failed(r, b, op, v);
    uint32_t room = notes->max - notes->n;

    if (!room || r->toil.err)
        return false;
    for (uint32_t i = 0; i < op->u.branches->n && !r->toil.err; i++) {
        struct notes tried = { .list = arena_alloc(r->toil.arena, room * sizeof *tried.list), .max = room };

        if (!tried.list)
            r->toil.err = ERR_NO_MEMORY;
        if (!toil_spend(&r->toil, 1))
            break;
        r->notes = &tried;
        eval(r, op->u.branches->list[i], v, NULL);
        r->notes = notes;
        struct nearness near = nearness(r, &tried, v);

        if (tried.n && (!best.n || nearer(near, best_near))) {
            best = tried;
            best_near = near;
        }
    }
    for (uint32_t i = 0; i < best.n && notes->n < notes->max; i++)
        notes->list[notes->n++] = best.list[i];
    return false;
}

bool eval_any_of(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t)
{
    const struct branches *list = op->u.branches;
    bool any = false;

    for (uint32_t i = 0; i < list->n; i++) {
        struct track more;

        if (!toil_spend(&r->toil, 1) || (t && !track_begin(r, &more, v)))
            return false;
        if (!eval_quietly(r, list->list[i], v, t ? &more : NULL))
            continue;
        if (!t)
            return true;
        track_add(t, &more);     /* every branch that passes counts */
        any = true;
    }
    return any || note_nearest(r, b, op, v);
}

bool eval_one_of(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t)
{
    const struct branches *list = op->u.branches;
    uint32_t passed = 0;

    for (uint32_t i = 0; i < list->n; i++) {
        struct track more;

        if (!toil_spend(&r->toil, 1) || (t && !track_begin(r, &more, v)))
            return false;
        if (!eval_quietly(r, list->list[i], v, t ? &more : NULL))
            continue;
        if (passed++)
            return r->notes ? failed_at(r, (struct failure){ b, op, v, op->keyword, op->at, SLICE_NONE, i + 1 }) : false;
        if (t)
            track_add(t, &more);
    }
    return passed || note_nearest(r, b, op, v);
}

bool eval_if(struct run *r, const struct op *op, struct node *v, struct track *t)
{
    const struct choice *x = op->u.choice;
    struct track more;

    if (!toil_spend(&r->toil, 1) || (t && !track_begin(r, &more, v)))
        return false;
    bool passes = eval_quietly(r, x->condition, v, t ? &more : NULL);
    const struct block *next = passes ? x->then : x->otherwise;

    if (r->toil.err)
        return false;
    if (t && passes)
        track_add(t, &more);
    return !next || eval(r, next, v, t);
}
