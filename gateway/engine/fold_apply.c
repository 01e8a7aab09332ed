#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/decimal.h"
#include "gateway/base/decimal_sum.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/fold_parts.h"

enum { SHOWN = 100 };            /* bytes of a pointer in a sentence */
#define SHOW(s) (int)utf8_cut((s).p, (s).n, SHOWN), (s).p

/* One path of one operation on one event. */
struct change {
    struct fold_tree *tree;
    const struct fold_operation *operation;
    const struct fold_target *target;
    const struct fold_event *event;
    struct fault *fault;
    struct slice value;          /* of the operation, if it has one */
    struct fold_node *node;      /* where the path leads to */
};

static enum fold_result refuse(const struct fold_operation *o, struct fault *f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum fold_result refuse(const struct fold_operation *o, struct fault *f, const char *fmt, ...)
{
    char text[2 * sizeof f->detail]; /* the fault cuts it between characters */
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (f)
        fold_refuse(f, o->node, "%s", text);
    return FOLD_REFUSED;
}

/* ---- values ---- */

static bool piece_text(const struct fold_piece *p, const struct fold_event *e, struct arena *a, struct slice *ret)
{
    *ret = p->text;
    if (p->text.p)
        return true;
    if (!fold_source_value(&p->source, e, a, ret))
        return false;
    if (!ret->p)
        *ret = p->fallback;
    return true;
}

static enum fold_result joined(struct change *c, const struct slice *parts, size_t n)
{
    size_t size = 0;
    char *out;

    for (size_t i = 0; i < n; i++)
        size += parts[i].n;
    if (!(out = arena_alloc(c->tree->arena, size)))
        return FOLD_NO_MEMORY;
    c->value = (struct slice){ out, size };
    for (size_t i = 0; i < n; i++) {
        memcpy(out, parts[i].p, parts[i].n);
        out += parts[i].n;
    }
    return FOLD_DONE;
}

static enum fold_result evaluate(struct change *c)
{
    const struct fold_value *v = &c->target->value;
    struct slice one, *parts = &one;

    if (v->n > 1 && !(parts = arena_alloc(c->tree->arena, v->n * sizeof *parts)))
        return FOLD_NO_MEMORY;
    for (size_t i = 0; i < v->n; i++) {
        if (!piece_text(&v->piece[i], c->event, c->tree->arena, &parts[i]))
            return FOLD_NO_MEMORY;
        if (!parts[i].p)
            return refuse(c->operation, c->fault, "The event has nothing at %.*s.", SHOW(v->piece[i].source.pointer));
    }
    if (v->n > 1)
        return joined(c, parts, v->n);
    c->value = v->n ? one : SLICE_NONE;
    return FOLD_DONE;
}

static bool is_number(struct slice s)
{
    return *s.p == '-' || (*s.p >= '0' && *s.p <= '9');
}

/* Of the state's node: p == NULL: nothing, or null. */
static struct slice scalar(const struct fold_node *n)
{
    if (n->form != FOLD_TEXT)
        return SLICE("{");
    return n->text.p && *n->text.p == 'n' ? SLICE_NONE : n->text;
}

/* ---- the operations ---- */

static enum fold_result put(struct change *c, struct slice text)
{
    fold_put(c->tree, c->node, text);
    return FOLD_DONE;
}

static enum fold_result set(struct change *c)
{
    if (!c->target->path.n && *c->value.p != '{')
        return refuse(c->operation, c->fault, "A state is an object; the event has none to set it to.");
    return put(c, c->value);
}

static enum fold_result merge(struct change *c)
{
    if (!c->target->path.n && *c->value.p != '{')
        return refuse(c->operation, c->fault, "A state is an object; the event has none to merge into it.");
    if (!fold_merge(c->tree, c->node, c->value))
        return refuse(c->operation, c->fault, "The value cannot be merged at %.*s: it is nested too deep.",
                      SHOW(c->target->path.pointer));
    return FOLD_DONE;
}

static enum fold_result add(struct change *c, struct slice value)
{
    struct slice old = scalar(c->node), at = c->target->path.pointer;
    char sum[DECIMAL_SUM_TEXT];
    size_t n;

    if (old.p && !is_number(old))
        return refuse(c->operation, c->fault, "The state's %.*s is no number.", SHOW(at));
    if (!(n = decimal_sum(old.p ? old : SLICE("0"), value, sum)))
        return refuse(c->operation, c->fault, "The sum at %.*s would have more than %d digits.", SHOW(at), DECIMAL_SUM_DIGITS);
    value = arena_slice(c->tree->arena, (struct slice){ sum, n });
    return value.p ? put(c, value) : FOLD_NO_MEMORY;
}

static enum fold_result increment(struct change *c)
{
    if (!is_number(c->value))
        return refuse(c->operation, c->fault, "What %.*s is to be incremented by is no number.", SHOW(c->target->path.pointer));
    return add(c, c->value);
}

static enum fold_result count(struct change *c)
{
    return add(c, SLICE("1"));
}

static bool unquote(struct arena *a, struct slice *s)
{
    struct json j;
    struct slice inside;
    bool escaped;

    json_begin(&j, *s, 1);
    json_scan_string(&j, &inside, &escaped);
    return json_unescape(a, inside, escaped, s);
}

static bool vast(struct slice number)
{
    return decimal_of(number).vast;
}

/* Of equal values the shorter spelling comes first, then the one that is less bytewise: so their order does not matter. */
static enum fold_result least_or_greatest(struct change *c, int sign)
{
    struct slice old = scalar(c->node), x = old, y = c->value, at = c->target->path.pointer;
    bool number = is_number(y);
    int order;

    if (!number && *y.p != '"')
        return refuse(c->operation, c->fault, "The value for %.*s is neither a number nor a string.", SHOW(at));
    if (number && vast(y))
        return refuse(c->operation, c->fault, "The number for %.*s has an exponent of more than 18 digits.", SHOW(at));
    if (!old.p)
        return put(c, y);
    if (is_number(old) != number || (!number && *old.p != '"') || (number && vast(old)))
        return refuse(c->operation, c->fault, "The state's %.*s is no %s.", SHOW(at), number ? "number" : "string");
    if (!number && (!unquote(c->tree->arena, &x) || !unquote(c->tree->arena, &y)))
        return FOLD_NO_MEMORY;
    order = number ? decimal_order(y, x) : slice_order(y, x);
    if (!order) {
        order = c->value.n < old.n ? -1 : c->value.n > old.n ? 1 : slice_order(c->value, old);
        sign = 1;
    }
    return order * sign < 0 ? put(c, c->value) : FOLD_DONE;
}

static enum fold_result min(struct change *c)
{
    return least_or_greatest(c, 1);
}

static enum fold_result max(struct change *c)
{
    return least_or_greatest(c, -1);
}

static enum fold_result append(struct change *c)
{
    struct slice old = scalar(c->node);

    if (old.p && (c->node->form == FOLD_TEXT ? *old.p != '[' : c->node->form != FOLD_ARRAY))
        return refuse(c->operation, c->fault, "The state's %.*s is no array.", SHOW(c->target->path.pointer));
    fold_append(c->tree, c->node, c->value, c->operation->cap);
    return FOLD_DONE;
}

static enum fold_result removal(struct change *c)
{
    struct fold_node *parent;

    if (!fold_reach(c->tree, &c->target->path, false, &c->node, &parent))
        fold_take_out(c->tree, parent, &c->target->path, c->node);
    return FOLD_DONE;
}

static enum fold_result (*const apply[FOLD_KINDS])(struct change *c) = {
    [FOLD_SET] = set, [FOLD_MERGE] = merge, [FOLD_INCREMENT] = increment, [FOLD_COUNT] = count,
    [FOLD_MIN] = min, [FOLD_MAX] = max,     [FOLD_APPEND] = append,
};

static enum fold_result change(struct change *c)
{
    struct slice at = c->target->path.pointer;
    struct fold_node *parent;
    enum fold_reach reached;
    enum fold_result r;

    if (c->operation->kind == FOLD_REMOVE)
        return removal(c);
    if ((r = evaluate(c)))
        return r;
    reached = fold_reach(c->tree, &c->target->path, true, &c->node, &parent);
    if (c->tree->failed)
        return FOLD_NO_MEMORY;
    if (reached)
        return refuse(c->operation, c->fault, reached == FOLD_BLOCKED
                      ? "The state has a value on the way to %.*s that is neither an object nor an array."
                      : "On the way to %.*s the state has an array without such an item.", SHOW(at));
    return apply[c->operation->kind](c);
}

/* ---- states ---- */

struct fold_state *fold_open(const struct fold *fold, struct arena *a, struct slice text, int64_t version, size_t max_bytes)
{
    struct fold_state *s = arena_zalloc(a, sizeof *s);
    struct fold_tree *t = arena_zalloc(a, sizeof *t);

    if (!s || !t)
        return NULL;
    *t = (struct fold_tree){ .arena = a, .bytes = text.n, .max_bytes = max_bytes };
    t->root.text = text;
    *s = (struct fold_state){ .exists = text.p, .version = text.p ? version : 0, .fold = fold, .tree = t };
    return s;
}

/* Sets the state to what it begins with, or to none. */
static void start(struct fold_state *s, bool exists)
{
    s->exists = exists;
    s->changed = true;
    s->version = 0;
    fold_put(s->tree, &s->tree->root, exists ? s->fold->initial : SLICE_NONE);
}

static enum fold_result operate(struct fold_state *s, const struct fold_operation *o, const struct fold_event *event,
                                struct fault *f)
{
    enum fold_result r = FOLD_DONE;

    if (!s->exists)
        start(s, true);
    for (size_t i = 0; !r && !s->tree->failed && i < o->target_n; i++) {
        struct change c = { .tree = s->tree, .operation = o, .target = &o->target[i], .event = event, .fault = f };

        r = change(&c);
    }
    return r;
}

static enum fold_result all(struct fold_state *s, const struct fold_event *event, struct fault *f)
{
    enum fold_result r = FOLD_DONE;

    for (size_t i = 0; !r && i < event->operation_n; i++) {
        const struct fold_operation *o = event->operation[i];

        if (o->kind != FOLD_DELETE) {
            r = operate(s, o, event, f);
            continue;
        }
        if (s->exists)
            start(s, false);
        return FOLD_DONE;
    }
    s->changed = true;
    s->version++;
    return r;
}

enum fold_result fold_apply(struct fold_state *s, const struct fold_event *event, struct fault *f)
{
    struct fold_state before = *s;
    struct fold_tree *t = s->tree;
    size_t bytes = t->bytes;
    enum fold_result r = all(s, event, f);

    if (t->failed)
        r = FOLD_NO_MEMORY;
    if (!r && s->exists && t->bytes > t->max_bytes)
        r = refuse(event->operation[event->operation_n - 1], f, "The state would have %zu bytes, more than the %zu that it may "
                   "have.", t->bytes, t->max_bytes);
    if (r) {
        fold_roll_back(t);
        t->bytes = bytes;
        *s = before;
    }
    t->undo_n = 0;
    return r;
}

bool fold_text(struct fold_state *s, struct slice *ret)
{
    *ret = fold_node_text(s->tree, &s->tree->root);
    return ret->p;
}
