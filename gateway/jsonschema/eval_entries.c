#include "gateway/jsonschema/eval.h"

#include <stdlib.h>

enum { LATE = 16 };

bool track_begin(struct run *r, struct track *t, const struct node *v)
{
    bool entries = v->type == T_ARRAY || v->type == T_OBJECT;
    size_t words = entries ? (v->n + (size_t)63) / 64 : 0;

    *t = (struct track){ .n = entries ? v->n : 0 };
    t->bits = &t->few;
    if (words <= 1)
        return true;
    if (!toil_spend(&r->toil, (int64_t)words))
        return false;
    if (!(t->bits = arena_zalloc(r->toil.arena, words * sizeof *t->bits)))
        r->toil.err = ERR_NO_MEMORY;
    return t->bits;
}

void track_add(struct track *t, const struct track *more)
{
    if (!t)
        return;
    t->all |= more->all;
    for (size_t i = 0; i < (t->n + (size_t)63) / 64; i++)
        t->bits[i] |= more->bits[i];
}

static bool passes_at_once(const struct block *b, const struct node *v)
{
    return b->types >> v->type & 1 && b->ops[class_of(v)]->code == OP_END;
}

bool eval_items(struct run *r, const struct op *op, struct node *v, struct track *t)
{
    const struct items *items = op->u.items;
    struct node *e = v + 1;
    bool ok = true;
    uint32_t i = 0, n = v->n < items->n ? v->n : items->n;

    if (!toil_spend(&r->toil, v->n))
        return false;
    for (; i < n; i++, e += e->skip) {
        track_mark(t, i);
        if (!passes_at_once(items->prefix[i], e) && !eval(r, items->prefix[i], e, NULL)) {
            ok = false;
            if (!r->notes)
                return false;
        }
    }
    if (!items->rest)
        return ok;
    if (t)
        t->all = true;
    for (; i < v->n; i++, e += e->skip) {
        if (!passes_at_once(items->rest, e) && !eval(r, items->rest, e, NULL)) {
            ok = false;
            if (!r->notes)
                return false;
        }
    }
    return ok;
}

bool eval_contains(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t)
{
    const struct contains *x = op->u.contains;
    struct node *e = v + 1;
    uint32_t found = 0;

    if (!toil_spend(&r->toil, v->n))
        return false;
    for (uint32_t i = 0; i < v->n; i++, e += e->skip) {
        if (!eval_quietly(r, x->block, e, NULL))
            continue;
        found++;
        if (x->marks)
            track_mark(t, i);
        if (found > x->max)
            return failed_at(r, (struct failure){ b, op, v, K_MAX_CONTAINS, x->max_at, SLICE_NONE, x->max });
        if (found >= x->min && x->max == UINT32_MAX && !(t && x->marks))
            return true;
    }
    if (found >= x->min)
        return true;
    if (x->min_at)
        return failed_at(r, (struct failure){ b, op, v, K_MIN_CONTAINS, x->min_at, SLICE_NONE, x->min });
    return failed(r, b, op, v);
}

struct hashed {
    uint32_t hash, i;
    struct node *v;
};

static int by_hash(const void *x, const void *y)
{
    const struct hashed *a = x, *b = y;

    return a->hash != b->hash ? (a->hash < b->hash ? -1 : 1) : (a->i > b->i) - (a->i < b->i);
}

bool eval_unique(struct run *r, const struct block *b, const struct op *op, struct node *v)
{
    struct hashed few[32], *all = few;
    struct node *e = v + 1;

    if (v->n < 2)
        return true;
    if (v->n > sizeof few / sizeof *few && !(all = arena_alloc(r->toil.arena, v->n * sizeof *all))) {
        r->toil.err = ERR_NO_MEMORY;
        return false;
    }
    for (uint32_t i = 0; i < v->n; i++, e += e->skip)
        all[i] = (struct hashed){ node_hash(&r->toil, e), i, e };
    if (!toil_spend(&r->toil, 4 * (int64_t)v->n))
        return false;
    qsort(all, v->n, sizeof *all, by_hash);
    for (uint32_t i = 1; i < v->n; i++)
        for (uint32_t k = i; k && all[k - 1].hash == all[i].hash; k--) {
            if (node_equal(&r->toil, all[k - 1].v, all[i].v))
                return failed_at(r, (struct failure){ b, op, all[i].v, K_UNIQUE_ITEMS, op->at, SLICE_NONE, all[k - 1].i });
            if (r->toil.err)
                return false;
        }
    return true;
}

static const struct property *find(const struct members *m, const struct node *name)
{
    for (uint32_t at = name->hash;; at++) {
        const struct property *p = &m->table[at & m->mask];

        if (!p->name.p)
            return NULL;
        if (p->hash == name->hash && node_is(name, p->name))
            return p;
    }
}

/* What is in containers is left for later: most of what does not fit is seen without it. */
struct late {
    const struct block *block;
    struct node *v;
};

struct walk {
    struct run *r;
    uint32_t n;
    struct late late[LATE];
};

static bool check(struct walk *w, const struct block *b, struct node *v)
{
    if (passes_at_once(b, v))
        return true;
    if (v->type >= T_ARRAY && b->types >> v->type & 1 && w->n < LATE) {
        w->late[w->n++] = (struct late){ b, v };
        return true;
    }
    return eval(w->r, b, v, NULL);
}

/* One member against whatever is said of its name; *ret_required counts those that have to be there. */
static bool check_member(struct walk *w, const struct members *m, struct node *name, struct track *t, uint32_t i,
                         uint32_t *ret_required)
{
    const struct property *p = find(m, name);
    bool ok = true, known = false;

    if (p) {
        if (!toil_spend(&w->r->toil, name->n / 16))
            return false;
        *ret_required += p->required;
        known = p->known;
        if (p->block)
            ok = check(w, p->block, name + 1);
    }
    for (uint32_t k = 0; k < m->n_patterns && (ok || w->r->notes); k++) {
        if (!pattern_matches(m->patterns[k].pattern, node_slice(name), &w->r->toil, &w->r->matcher))
            continue;
        known = true;
        ok &= check(w, m->patterns[k].block, name + 1);
    }
    if (!known && m->additional) {
        known = true;
        ok &= check(w, m->additional, name + 1);
    }
    if (known)
        track_mark(t, i);
    return ok && !w->r->toil.err;
}

/* What it takes to look for a member of that name. */
static int64_t look_up(const struct node *object, const struct node *name)
{
    return 1 + object->n / 8 + name->n / 16;
}

static bool note_missing(struct run *r, const struct block *b, const struct op *op, struct node *v)
{
    const struct node *name = op->u.members->names;

    if (!r->notes)
        return false;
    for (uint32_t i = 1; i <= name->n && r->notes->n < r->notes->max && toil_spend(&r->toil, look_up(v, name + i)); i++)
        if (!node_member(v, node_slice(name + i)))
            failed_at(r, (struct failure){ b, op, v, K_REQUIRED, name, node_slice(name + i), 0 });
    return false;
}

bool eval_members(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t)
{
    const struct members *m = op->u.members;
    struct node *name = v + 1;
    struct walk w;
    uint32_t required = 0;
    bool ok = true;

    w.r = r;
    w.n = 0;
    if (!toil_spend(&r->toil, v->n * (1 + (int64_t)m->n_patterns)) || (v->n < m->required && !r->notes))
        return false;
    for (uint32_t i = 0; i < v->n; i++, name += 1 + name[1].skip) {
        if (!check_member(&w, m, name, t, i, &required)) {
            ok = false;
            if (!r->notes)
                return false;
        }
    }
    if (required < m->required) {
        ok = note_missing(r, b, op, v);
        if (!r->notes)
            return false;
    }
    for (uint32_t i = 0; i < w.n; i++) {
        if (!eval(r, w.late[i].block, w.late[i].v, NULL)) {
            ok = false;
            if (!r->notes)
                return false;
        }
    }
    return ok;
}

bool eval_names(struct run *r, const struct op *op, struct node *v)
{
    struct node *name = v + 1;
    bool ok = true;

    if (!toil_spend(&r->toil, v->n))
        return false;
    for (uint32_t i = 0; i < v->n; i++, name += 1 + name[1].skip) {
        if (!eval(r, op->u.block, name, NULL)) {
            ok = false;
            if (!r->notes)
                return false;
        }
    }
    return ok;
}

bool eval_dependent(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t)
{
    const struct dependent *d = op->u.dependent;
    bool ok = true;

    if (!toil_spend(&r->toil, 1 + v->n / 8 + (int64_t)d->name.n / 16))
        return false;
    if (!node_member(v, d->name))
        return true;
    for (uint32_t i = 0; i < d->n && toil_spend(&r->toil, look_up(v, d->names + i)); i++)
        if (!node_member(v, node_slice(d->names + i)))
            ok = failed_at(r, (struct failure){ b, op, v, op->keyword, op->at, node_slice(d->names + i), 0 });
    return d->block ? eval(r, d->block, v, t) : ok;
}

bool eval_unevaluated(struct run *r, const struct op *op, struct node *v, struct track *t)
{
    bool object = v->type == T_OBJECT, ok = true;
    struct node *e = v + 1 + object;

    if (!toil_spend(&r->toil, v->n))
        return false;
    for (uint32_t i = 0; i < v->n; i++, e += e->skip + object) {
        if (track_has(t, i) || eval(r, op->u.block, e, NULL))
            continue;
        ok = false;
        if (!r->notes)
            return false;
    }
    t->all = true;
    return ok;
}
