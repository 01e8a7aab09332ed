#include "gateway/base/json_pointer.h"
#include "gateway/base/random.h"
#include "gateway/engine/saga_parts.h"

/* What an event that came is to its instance. */

/* A string of an event; p == NULL: there is none. It is looked for in the text: hundreds of large events as trees would be gigabytes. */
static bool text_in(struct arena *a, struct slice event, const char *pointer, struct slice *ret)
{
    struct json_spot spot;

    *ret = SLICE_NONE;
    if (!json_pointer_find(a, event, slice_of(pointer), &spot))
        return false;
    return !spot.value.p || *spot.value.p != '"' || json_text(a, spot.value, ret);
}

/* Without white space; what that takes is given back at once. */
static enum err compact(struct turn *t, struct slice json, struct slice *ret)
{
    struct arena *a = arena_new(TURN_ARENA);
    struct json_node *n;
    struct fault f = { 0 };
    struct buf b = { 0 };
    enum err e = a ? json_tree_parse(json, JSON_DEPTH, a, &n, &f) : ERR_NO_MEMORY;

    if (!e) {
        json_tree_write(n, false, &b);
        *ret = b.failed ? SLICE_NONE : arena_slice(t->arena, (struct slice){ b.p, b.n });
        e = ret->p ? OK : ERR_NO_MEMORY;
    }
    buf_free(&b);
    arena_free(a);
    return e == ERR_BAD_JSON ? ERR_BAD_EVENT : e;
}

/* Of an event: what start_on says, else its data. */
enum err turn_event_input(struct turn *t, struct saga_item *x, const struct saga_def *d)
{
    const struct saga_start_on *on = d->def.start_on;
    struct saga_scope scope = { .name = d->name, .id = x->key.id, .event = x->event, .missing_is_null = true };
    struct fault f = { 0 };
    struct json_spot data;

    if (on && on->input) {
        enum saga_rendering made = saga_render(on->input, &scope, t->arena, &x->given, &f);

        return made == SAGA_RENDERED ? OK : made == SAGA_NO_MEMORY ? ERR_NO_MEMORY : ERR_BAD_DEFINITION;
    }
    if (!json_pointer_find(t->arena, x->event, SLICE("/data"), &data))
        return ERR_NO_MEMORY;
    return compact(t, data.value.p ? data.value : SLICE("null"), &x->given);
}

/* Who brings no trace begins one: all calls of the instance are in it. */
bool turn_trace(struct turn *t, struct saga_item *x)
{
    int64_t high, low, span;
    const char *text;

    if (!x->traceparent.p && !x->start && !text_in(t->arena, x->event, "/traceparent", &x->traceparent))
        return false;
    if (x->traceparent.p)
        return true;
    if (!random_id(&high) || !random_id(&low) || !random_id(&span))
        return false;
    text = arena_printf(t->keep ? t->keep : t->arena, "00-%016llx%016llx-%016llx-01", (unsigned long long)high,
                        (unsigned long long)low, (unsigned long long)span);
    x->traceparent = slice_of(text);
    return text;
}

/* Of which type it is decides whether it is the one that was hoped for. */
enum err turn_event_meets(struct turn *t, struct saga_item *x, const struct turn_run *r, bool *ret_meets)
{
    const struct saga_definition *def = &r->def->def;
    const struct saga_await *w = (size_t)x->hit.step < def->step_n ? def->await[2 * x->hit.step + (int)x->hit.kind] : NULL;
    struct slice type = SLICE_NONE;
    enum saga_match_result m;

    *ret_meets = false;
    if (w && !text_in(t->arena, x->event, "/type", &type))
        return ERR_NO_MEMORY;
    if (!type.p)
        return OK;
    m = saga_await_type(w, type);
    x->hit.failure = m == SAGA_MATCHES_FAILURE;
    x->input.hit = &x->hit;
    x->input.hit_n = 1;
    *ret_meets = m != SAGA_MATCHES_NOT;
    return OK;
}
