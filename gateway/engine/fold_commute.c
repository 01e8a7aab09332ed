#include "gateway/base/json_pointer.h"
#include "gateway/engine/fold_parts.h"

/* What a path takes from any order of events, as long as it takes one kind alone. */
static bool commutes(const struct fold_operation *o, const struct fold_target *t)
{
    switch (o->kind) {
    case FOLD_COUNT:
    case FOLD_INCREMENT:
    case FOLD_MIN:
    case FOLD_MAX:
        break;
    case FOLD_SET:               /* a literal, so that only whether it was set matters */
        if (t->value.n != 1 || !t->value.piece->text.p)
            return false;
        break;
    default:
        return false;
    }
    for (size_t i = 0; i < t->path.n; i++)
        if (t->path.token[i].index != FOLD_NO_INDEX) /* could be an item that an event adds */
            return false;
    return t->path.n > 0;
}

static enum fold_kind kind_of(const struct fold_operation *o)
{
    return o->kind == FOLD_COUNT ? FOLD_INCREMENT : o->kind;
}

static bool agree(const struct fold_operation *o, const struct fold_target *t, const struct fold_operation *p,
                  const struct fold_target *u)
{
    struct slice x = t->path.pointer, y = u->path.pointer;

    if (slice_eq(x, y))
        return kind_of(o) == kind_of(p) && (o->kind != FOLD_SET || slice_eq(t->value.piece->text, u->value.piece->text));
    return !json_pointer_inside(x, y) && !json_pointer_inside(y, x);
}

struct each {
    const struct fold *fold;
    size_t entry, operation, target;
    const struct fold_operation *o;
    const struct fold_target *t;
};

/* To the next path of an operation; one without a path, as `delete`, is told with t == NULL. */
static bool next(struct each *e)
{
    for (; e->entry < e->fold->entry_n; e->entry++, e->operation = 0) {
        const struct fold_entry *n = &e->fold->entry[e->entry];

        for (; e->operation < n->operation_n; e->operation++, e->target = 0) {
            e->o = &n->operation[e->operation];
            e->t = e->target < e->o->target_n ? &e->o->target[e->target] : NULL;
            if (e->t || !e->o->target_n) {
                e->target++;
                e->operation += !e->t;
                return true;
            }
        }
    }
    return false;
}

bool fold_commutes(const struct fold *fold)
{
    for (struct each i = { .fold = fold }; next(&i);) {
        if (!i.t || !commutes(i.o, i.t))
            return false;
        for (struct each k = { .fold = fold }; next(&k);)
            if (!k.t || !commutes(k.o, k.t) || !agree(i.o, i.t, k.o, k.t))
                return false;
    }
    return true;
}
