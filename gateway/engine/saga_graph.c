#include <stdio.h>

#include "gateway/base/utf8.h"
#include "gateway/engine/saga_body_parts.h"

static bool name_good(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!good && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return s.n > 0 && s.n <= SAGA_NAME_MAX;
}

static enum err read_names(struct saga_reader *r, const struct json_node *steps)
{
    struct saga_definition *d = r->d;

    for (unsigned i = 0; i < steps->n; i++) {
        const struct json_node *step = steps->child[i], *name = json_tree_get(step, "name");

        if (step->type != JSON_OBJECT)
            return saga_refuse(r->fault, ERR_BAD_BODY, step, "It must be an object: a step.");
        if (!name)
            return saga_require(r, step, "name");
        if (name->type != JSON_STRING || !name_good(name->text))
            return saga_refuse(r->fault, ERR_BAD_BODY, name, "It must be a name of 1 to %d letters, digits, `_` and `-` that "
                               "begins with a letter or digit.", SAGA_NAME_MAX);
        if (saga_step_number(d, name->text) >= 0)
            return saga_refuse(r->fault, ERR_BAD_DEFINITION, name, "There are two steps %.*s.", SAGA_SHOW(name->text));
        r->names[i] = d->step[i].name = name->text;
        d->step_n++;
    }
    return OK;
}

static enum err read_after(struct saga_reader *r, const struct json_node *after, unsigned step)
{
    struct saga_definition *d = r->d;

    if (!after) {
        d->step[step].after = step ? UINT64_C(1) << (step - 1) : 0;
        return OK;
    }
    if (after->type != JSON_ARRAY)
        return saga_refuse(r->fault, ERR_BAD_BODY, after, "It must be an array of names of steps.");
    for (unsigned i = 0; i < after->n; i++) {
        const struct json_node *name = after->child[i];
        int before = name->type == JSON_STRING ? saga_step_number(d, name->text) : -1;

        if (name->type != JSON_STRING)
            return saga_refuse(r->fault, ERR_BAD_BODY, name, "It must be the name of a step.");
        if (before < 0)
            return saga_refuse(r->fault, ERR_BAD_DEFINITION, name, "There is no step %.*s.", SAGA_SHOW(name->text));
        d->step[step].after |= UINT64_C(1) << before;
    }
    return OK;
}

/* Everybody in `left` is after somebody in it: so going from one to the next leads into a circle. */
static enum err refuse_circle(struct saga_reader *r, const struct json_node *steps, uint64_t left)
{
    const struct saga_definition *d = r->d;
    uint64_t seen = 0;
    int at = __builtin_ctzll(left), first;
    struct buf b = { 0 };
    enum err e;

    for (; !(seen >> at & 1); at = __builtin_ctzll(d->step[at].after & left))
        seen |= UINT64_C(1) << at;
    first = at;
    do {
        buf_slice(&b, d->step[at].name);
        buf_str(&b, " after ");
        at = __builtin_ctzll(d->step[at].after & left);
    } while (at != first);
    buf_slice(&b, d->step[first].name);
    struct slice names = { b.p, b.failed ? 0 : b.n };

    e = saga_refuse(r->fault, ERR_BAD_DEFINITION, json_tree_get(steps->child[first], "after"),
                    "Steps cannot wait for each other in a circle: %.*s.", (int)utf8_cut(names.p, names.n, 250), names.p);
    buf_free(&b);
    return e;
}

/* In an order in which each step comes after those that it is after. */
static enum err close_over(struct saga_reader *r, const struct json_node *steps)
{
    struct saga_definition *d = r->d;
    uint64_t left = d->step_n == 64 ? UINT64_MAX : (UINT64_C(1) << d->step_n) - 1, before;

    while (left) {
        uint64_t ready = 0;

        for (size_t i = 0; i < d->step_n; i++)
            if (left >> i & 1 && !(d->step[i].after & left))
                ready |= UINT64_C(1) << i;
        if (!ready)
            return refuse_circle(r, steps, left);
        left &= ~ready;
        for (size_t i = 0; i < d->step_n; i++)
            if (ready >> i & 1)
                for (uint64_t after = d->step[i].after; after; after &= after - 1)
                    d->step[i].before |= UINT64_C(1) << __builtin_ctzll(after) | d->step[__builtin_ctzll(after)].before;
    }
    for (size_t i = 0; i < d->step_n; i++) {
        if (!d->step[i].after)
            d->roots |= UINT64_C(1) << i;
        for (before = d->step[i].before; before; before &= before - 1)
            d->step[__builtin_ctzll(before)].behind |= UINT64_C(1) << i;
    }
    return OK;
}

enum err saga_read_graph(struct saga_reader *r, const struct json_node *steps)
{
    enum err e;

    if (steps->type != JSON_ARRAY || !steps->n || steps->n > SAGA_STEPS_MAX)
        return saga_refuse(r->fault, ERR_BAD_BODY, steps, "It must be an array of 1 to %d steps.", SAGA_STEPS_MAX);
    if (!(r->d->step = arena_zalloc(r->arena, steps->n * sizeof *r->d->step)) ||
        !(r->names = arena_zalloc(r->arena, steps->n * sizeof *r->names)))
        return ERR_NO_MEMORY;
    if ((e = read_names(r, steps)))
        return e;
    for (unsigned i = 0; i < steps->n; i++)
        if ((e = read_after(r, json_tree_get(steps->child[i], "after"), i)))
            return e;
    return close_over(r, steps);
}
