#include "gateway/jsonschema/eval.h"

#include "gateway/jsonschema/jsonschema.h"

bool failed_at(struct run *r, struct failure f)
{
    struct notes *notes = r->notes;

    if (notes && notes->n < notes->max && !r->toil.err)
        notes->list[notes->n++] = f;
    return false;
}

bool failed(struct run *r, const struct block *b, const struct op *op, struct node *v)
{
    if (!r->notes)
        return false;
    return failed_at(r, (struct failure){ .block = b, .op = op, .v = v, .keyword = op->keyword, .at = op->at });
}

static bool failed_type(struct run *r, const struct block *b, struct node *v)
{
    if (!r->notes)
        return false;
    return failed_at(r, (struct failure){ .block = b, .v = v, .keyword = b->types ? K_TYPE : b->role,
                                        .at = b->types ? b->type_at : b->at });
}

static bool bound_holds(struct run *r, const struct op *op, const struct node *v)
{
    const struct bound *b = op->u.bound;
    struct decimal d;
    int c;

    if (v->type == T_INT && v->n <= SMALL && b->is_small) {
        int64_t i = small_integer(v);

        if (op->code == OP_MULTIPLE_OF)
            return i % b->small == 0;
        c = (i > b->small) - (i < b->small);
    } else {
        if (!toil_spend(&r->toil, 1 + (op->code == OP_MULTIPLE_OF ? v->n : v->n / 16)))
            return false;
        d = decimal_of(node_slice(v));
        if (op->code == OP_MULTIPLE_OF)
            return decimal_multiple(&d, &b->decimal);
        c = decimal_compare(&d, &b->decimal);
    }
    switch (op->code) {
    case OP_MAXIMUM:
        return c <= 0;
    case OP_EXCLUSIVE_MAXIMUM:
        return c < 0;
    case OP_MINIMUM:
        return c >= 0;
    default:
        return c > 0;
    }
}

static uint32_t characters(const struct node *v)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < v->n; i++)
        n += ((unsigned char)v->p[i] & 0xC0) != 0x80;
    return n;
}

/* Characters are never more than bytes, escaped or not: most lengths need no count. */
static bool length_holds(struct run *r, const struct op *op, struct node *v)
{
    if (op->code == OP_MAX_LENGTH ? v->n <= op->n : v->n < op->n)
        return op->code == OP_MAX_LENGTH;
    if (!node_text(&r->toil, v) || !toil_spend(&r->toil, 1 + v->n / 64))
        return false;
    return op->code == OP_MAX_LENGTH ? characters(v) <= op->n : characters(v) >= op->n;
}

static bool in_set(struct run *r, const struct value_set *set, struct node *v)
{
    if (!(set->types >> v->type & 1))
        return false;
    if (v->type == T_STRING) {
        if ((v->n > set->longest && !v->escaped) || !node_text(&r->toil, v) || !toil_spend(&r->toil, v->n / 16))
            return false;
        for (uint32_t at = name_hash(v->p, v->n);; at++) {
            const struct node *s = set->strings[at & set->mask];

            if (!s || node_is(v, node_slice(s)))
                return s;
        }
    }
    for (uint32_t i = 0; i < set->others; i++)
        if (node_equal(&r->toil, v, set->other[i]))
            return true;
    return false;
}

/* Of a string that some format or pattern is asked of. */
static bool text_holds(struct run *r, const struct op *op, struct node *v)
{
    if (!node_text(&r->toil, v))
        return false;
    if (op->code == OP_FORMAT)
        return toil_spend(&r->toil, op->u.format->dear ? FORMAT_DEAR + (int64_t)v->n : 1 + v->n / 16) &&
               op->u.format->is(node_slice(v));
    return pattern_matches(op->u.pattern, node_slice(v), &r->toil, &r->matcher);
}

/* The outermost resource of the dynamic scope that has the anchor decides. */
static bool eval_dynamic(struct run *r, const struct op *op, struct node *v, struct track *t)
{
    const struct dynamic *d = op->u.dynamic;
    const struct block *b = d->otherwise;

    for (const struct scope *s = r->scope; s; s = s->up) {
        if (!toil_spend(&r->toil, 1 + d->n / 8))
            return false;
        for (uint32_t i = 0; i < d->n; i++)
            if (d->list[i].resource == s->resource)
                b = d->list[i].block;
    }
    return eval(r, b, v, t);
}

bool eval_quietly(struct run *r, const struct block *b, struct node *v, struct track *t)
{
    struct notes *notes = r->notes;

    r->notes = NULL;
    bool passes = eval(r, b, v, t);

    r->notes = notes;
    return passes;
}

static bool eval_op(struct run *r, const struct block *b, const struct op *op, struct node *v, struct track *t)
{
    bool holds;

    switch ((enum op_code)op->code) {
    case OP_CONST:
        holds = node_equal(&r->toil, v, op->u.value);
        break;
    case OP_ENUM:
        holds = in_set(r, op->u.set, v);
        break;
    case OP_CALL:
        return toil_spend(&r->toil, 1) && eval(r, op->u.block, v, t);
    case OP_DYNAMIC:
        return eval_dynamic(r, op, v, t);
    case OP_ANY_OF:
        return eval_any_of(r, b, op, v, t);
    case OP_ONE_OF:
        return eval_one_of(r, b, op, v, t);
    case OP_NOT:
        holds = toil_spend(&r->toil, 1) && !eval_quietly(r, op->u.block, v, NULL);
        break;
    case OP_IF:
        return eval_if(r, op, v, t);
    case OP_MAXIMUM: case OP_EXCLUSIVE_MAXIMUM: case OP_MINIMUM: case OP_EXCLUSIVE_MINIMUM: case OP_MULTIPLE_OF:
        holds = bound_holds(r, op, v);
        break;
    case OP_MAX_LENGTH: case OP_MIN_LENGTH:
        holds = length_holds(r, op, v);
        break;
    case OP_FORMAT: case OP_PATTERN:
        holds = text_holds(r, op, v);
        break;
    case OP_MAX_ENTRIES:
        holds = v->n <= op->n;
        break;
    case OP_MIN_ENTRIES:
        holds = v->n >= op->n;
        break;
    case OP_ITEMS:
        return eval_items(r, op, v, t);
    case OP_CONTAINS:
        return eval_contains(r, b, op, v, t);
    case OP_UNIQUE:
        return eval_unique(r, b, op, v);
    case OP_MEMBERS:
        return eval_members(r, b, op, v, t);
    case OP_NAMES:
        return eval_names(r, op, v);
    case OP_DEPENDENT:
        return eval_dependent(r, b, op, v, t);
    case OP_UNEVALUATED_ITEMS: case OP_UNEVALUATED_PROPERTIES:
        return eval_unevaluated(r, op, v, t);
    default:
        return true;
    }
    return holds || failed(r, b, op, v);
}

bool eval(struct run *r, const struct block *b, struct node *v, struct track *outer)
{
    struct scope scope = { r->scope, b->resource };
    const struct op *op = b->ops[class_of(v)];
    struct track own, *t = outer;
    bool ok = true, tracks = b->flags & (v->type == T_ARRAY ? TRACKS_ITEMS : v->type == T_OBJECT ? TRACKS_MEMBERS : 0);

    if (!(b->types >> v->type & 1))
        return failed_type(r, b, v);
    if (op->code == OP_END)
        return true;
    if (!toil_spend(&r->toil, 1))
        return false;
    if (r->calls == JSONSCHEMA_CALLS) {
        r->toil.err = ERR_SCHEMA_LIMIT;
        return false;
    }
    if (tracks && !track_begin(r, t = &own, v))
        return false;
    r->calls++;
    if (b->flags & ENTERS && (!scope.up || scope.up->resource != b->resource))
        r->scope = &scope;
    for (; op->code != OP_END; op++) {
        if (!eval_op(r, b, op, v, t)) {
            ok = false;
            if (!r->notes)
                break;
        }
    }
    r->scope = scope.up;
    r->calls--;
    if (tracks && ok)
        track_add(outer, &own);
    return ok && !r->toil.err;
}

/* The second pass over a text that has failed; the first has made sure that it ends. */
static enum err collect(struct run *r, struct arena *a, struct finding *ret, size_t max, size_t *ret_n)
{
    struct notes notes = { .max = max < 1000 ? (uint32_t)max : 1000 };

    if (!(notes.list = arena_alloc(r->toil.arena, notes.max * sizeof *notes.list)))
        return ERR_NO_MEMORY;
    r->notes = &notes;
    eval(r, r->s->root, r->tree.nodes, NULL);
    if (!notes.n && r->toil.err)
        return r->toil.err;
    r->toil.err = OK;
    if (!findings_render(r, &notes, a, ret))
        return ERR_NO_MEMORY;
    *ret_n = notes.n;
    return OK;
}

enum err jsonschema_conforms(const struct jsonschema *s, struct slice json, int64_t *steps, bool *ret)
{
    struct run r = { .s = s, .toil = { .steps = *steps } };
    enum err e;

    *ret = false;
    if (!(r.toil.arena = arena_new(JSONSCHEMA_MEMORY)))
        return ERR_NO_MEMORY;
    if (!(e = tree_build(&r.tree, json, r.toil.arena, false, NULL))) {
        *ret = eval(&r, s->root, r.tree.nodes, NULL);
        e = r.toil.err;
    }
    *steps = r.toil.steps;
    matcher_free(r.matcher);
    tree_free(&r.tree);
    arena_free(r.toil.arena);
    return e;
}

enum err jsonschema_validate(const struct jsonschema *s, struct slice json, struct arena *a, struct finding *ret, size_t max,
                             size_t *ret_n, struct fault *f)
{
    struct run r = { .s = s, .toil = { .steps = JSONSCHEMA_STEPS + JSONSCHEMA_STEPS_BYTE * (int64_t)json.n } };
    int64_t steps = r.toil.steps;
    bool passes = false;
    enum err e;

    *ret_n = 0;
    if (json.n > JSONSCHEMA_INSTANCE)
        return fault(f, ERR_SCHEMA_LIMIT, "A text that is checked against a schema has at most %d bytes.", JSONSCHEMA_INSTANCE);
    if (!(r.toil.arena = arena_new(JSONSCHEMA_MEMORY)))
        return ERR_NO_MEMORY;
    e = tree_build(&r.tree, json, r.toil.arena, false, f);
    if (!e) {
        passes = eval(&r, s->root, r.tree.nodes, NULL);
        e = r.toil.err;
    }
    if (!e && !passes) {
        r.toil.steps = steps;
        *ret_n = 1;
        e = max ? collect(&r, a, ret, max, ret_n) : OK;
    }
    if (e == ERR_SCHEMA_LIMIT)
        fault(f, e, "Checking this value against its schema takes more steps or nesting than is allowed.");
    matcher_free(r.matcher);
    tree_free(&r.tree);
    arena_free(r.toil.arena);
    return e;
}
