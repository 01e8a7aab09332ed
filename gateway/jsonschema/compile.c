#include "gateway/jsonschema/compile.h"

#include <stdlib.h>

static const struct op end = { 0 };

void emit(struct emitter *e, unsigned classes, struct op op)
{
    for (int i = 0; i < CLASSES; i++)
        if (classes >> i & 1)
            buf_put(&e->code[i], &op, sizeof op);
}

/* A schema that is a reference and nothing else stands for what it leads to. */
static const struct node *only_reference(const struct site *s)
{
    const struct node *v = s->node, *ref;

    if (v->type != T_OBJECT || !(ref = node_member(v, SLICE("$ref"))) || ref->type != T_STRING)
        return NULL;
    return s->resource->draft <= DRAFT_7 || (v->n == 1 && s->resource->root != s) ? ref : NULL;
}

/* The site whose block is called for s. */
static enum err followed(struct compiler *c, struct site *s, struct site **ret)
{
    const struct site *first = s;
    const struct node *ref;
    struct site *target;
    enum err e;

    for (int i = 0; (ref = only_reference(s)); i++) {
        if (i == MAX_REF_CHAIN)
            return refuse(c, first->resource->document, only_reference(first),
                          "\"$ref\" leads round in a circle, or over more than %d others.", MAX_REF_CHAIN);
        if ((e = reference_find(c, s->resource, ref, &target)))
            return e;
        if (s->resource->draft > DRAFT_7 && s->resource != target->resource)
            break;               /* both belong to the dynamic scope */
        s = target;
    }
    *ret = s;
    return OK;
}

enum err block_of(struct compiler *c, struct site *s, struct block **ret)
{
    enum err e = followed(c, s, &s);

    if (e)
        return e;
    if (!s->block) {
        if (c->blocks == JSONSCHEMA_BLOCKS)
            return refuse(c, s->resource->document, s->node, "The schema has more than %d subschemas.", JSONSCHEMA_BLOCKS);
        if (!(s->block = arena_zalloc(c->arena, sizeof *s->block)))
            return ERR_NO_MEMORY;
        s->block->number = c->blocks++;
        *c->work_end = s;
        c->work_end = &s->next_work;
    }
    *ret = s->block;
    return OK;
}

enum err sub_block(struct emitter *e, const struct node *v, const struct block **ret)
{
    struct site *s;
    struct block *b;
    enum err err;

    if ((err = site_at(e->c, v, e->site->resource, K_END, &s)) || (err = block_of(e->c, s, &b)))
        return err;
    *ret = b;
    return OK;
}

static enum err emit_call(struct emitter *e, enum keyword k)
{
    const struct node *ref = e->kw[k];
    struct op op = { .code = OP_CALL, .keyword = (uint8_t)k, .at = ref };
    struct site *target;
    struct block *b;
    enum err err;

    if ((err = reference_find(e->c, e->site->resource, ref, &target)) || (err = block_of(e->c, target, &b)))
        return err;
    op.u.block = b;
    emit(e, CLASS_ANY, op);
    return OK;
}

/* What a dynamic reference leads to is known when all anchors are: see dynamics_resolve. */
static enum err emit_dynamic(struct emitter *e, enum keyword k)
{
    const struct node *ref = e->kw[k];
    struct site *target;
    struct block *b;
    struct dynamic_use *use;
    enum err err;

    if ((err = reference_find(e->c, e->site->resource, ref, &target)) || (err = block_of(e->c, target, &b)))
        return err;
    const char *hash = memchr(ref->p, '#', ref->n);
    struct slice name = hash ? (struct slice){ hash + 1, (size_t)(ref->p + ref->n - hash - 1) } : SLICE("");
    bool dynamic = k == K_DYNAMIC_REF ? target->dynamic && name.n && name.p[0] != '/' &&
                                            node_is(node_member(target->node, SLICE("$dynamicAnchor")), name)
                                      : target->resource->recursive && target->resource->root == target;

    if (!dynamic) {
        emit(e, CLASS_ANY, (struct op){ .code = OP_CALL, .keyword = (uint8_t)k, .at = ref, .u.block = b });
        return OK;
    }
    if (!(use = arena_zalloc(e->c->temp, sizeof *use)) || !(use->dynamic = arena_zalloc(e->c->arena, sizeof *use->dynamic)))
        return ERR_NO_MEMORY;
    use->next = e->c->uses;
    use->name = k == K_DYNAMIC_REF ? name : SLICE("");
    use->dynamic->otherwise = b;
    e->c->uses = use;
    emit(e, CLASS_ANY, (struct op){ .code = OP_DYNAMIC, .keyword = (uint8_t)k, .at = ref, .u.dynamic = use->dynamic });
    return OK;
}

static enum err emit_branches(struct emitter *e, enum keyword k, enum op_code code)
{
    const struct node *list = e->kw[k], *v = list + 1;
    struct branches *b = arena_alloc(e->c->arena, sizeof *b + list->n * sizeof *b->list);
    enum err err;

    if (!b)
        return ERR_NO_MEMORY;
    b->n = list->n;
    for (uint32_t i = 0; i < list->n; i++, v += v->skip)
        if ((err = sub_block(e, v, &b->list[i])))
            return err;
    if (code != OP_CALL) {
        emit(e, CLASS_ANY, (struct op){ .code = (uint8_t)code, .keyword = (uint8_t)k, .at = list, .u.branches = b });
        return OK;
    }
    v = list + 1;
    for (uint32_t i = 0; i < b->n; i++, v += v->skip)
        emit(e, CLASS_ANY, (struct op){ .code = OP_CALL, .keyword = (uint8_t)k, .at = v, .u.block = b->list[i] });
    return OK;
}

static enum err emit_condition(struct emitter *e)
{
    struct choice *x = arena_zalloc(e->c->arena, sizeof *x);
    enum err err;

    if (!x)
        return ERR_NO_MEMORY;
    if ((err = sub_block(e, e->kw[K_IF], &x->condition)) || (e->kw[K_THEN] && (err = sub_block(e, e->kw[K_THEN], &x->then))) ||
        (e->kw[K_ELSE] && (err = sub_block(e, e->kw[K_ELSE], &x->otherwise))))
        return err;
    emit(e, CLASS_ANY, (struct op){ .code = OP_IF, .keyword = K_IF, .at = e->kw[K_IF], .u.choice = x });
    return OK;
}

static enum err emit_in_place(struct emitter *e)
{
    struct op not = { .code = OP_NOT, .keyword = K_NOT, .at = e->kw[K_NOT] };
    enum err err = OK;

    if (e->kw[K_REF])
        err = emit_call(e, K_REF);
    if (!err && e->kw[K_DYNAMIC_REF])
        err = emit_dynamic(e, K_DYNAMIC_REF);
    if (!err && e->kw[K_RECURSIVE_REF])
        err = emit_dynamic(e, K_RECURSIVE_REF);
    if (!err && e->kw[K_ALL_OF])
        err = emit_branches(e, K_ALL_OF, OP_CALL);
    if (!err && e->kw[K_NOT] && !(err = sub_block(e, e->kw[K_NOT], &not .u.block)))
        emit(e, CLASS_ANY, not );
    if (!err && e->kw[K_IF])
        err = emit_condition(e);
    if (!err && e->kw[K_ANY_OF])
        err = emit_branches(e, K_ANY_OF, OP_ANY_OF);
    if (!err && e->kw[K_ONE_OF])
        err = emit_branches(e, K_ONE_OF, OP_ONE_OF);
    return err;
}

static void emit_types(struct emitter *e)
{
    const struct node *type = e->kw[K_TYPE];
    enum draft draft = e->site->resource->draft;

    if (!type)
        return;
    e->block->type_at = type;
    e->block->types = 0;
    if (type->type == T_STRING) {
        e->block->types = type_mask(node_slice(type), draft);
        return;
    }
    for (uint32_t i = 1; i <= type->n; i++)
        e->block->types |= type_mask(node_slice(type + i), draft);
}

static enum err finish(struct emitter *e)
{
    static const uint16_t types[CLASSES] = {
        [CLASS_PLAIN] = 1 << T_NULL | 1 << T_FALSE | 1 << T_TRUE,
        [CLASS_NUMBER] = 1 << T_INT | 1 << T_WHOLE | 1 << T_REAL,
        [CLASS_STRING] = 1 << T_STRING,
        [CLASS_ARRAY] = 1 << T_ARRAY,
        [CLASS_OBJECT] = 1 << T_OBJECT,
    };

    for (int i = 0; i < CLASSES; i++) {
        struct buf *b = &e->code[i];
        struct op *ops;

        e->block->ops[i] = &end;
        if (!b->n || !(types[i] & e->block->types))
            continue;
        buf_put(b, &end, sizeof end);
        if (b->failed || !(ops = arena_alloc(e->c->arena, b->n)))
            return ERR_NO_MEMORY;
        e->block->ops[i] = memcpy(ops, b->p, b->n);
    }
    return OK;
}

static void gather(struct emitter *e)
{
    const struct node *v = e->site->node, *name = v + 1;
    const struct resource *r = e->site->resource;

    for (uint32_t i = 0; i < v->n; i++, name += 1 + name[1].skip) {
        enum keyword k = keyword_find(node_slice(name));

        if (k != K_END && keyword_counts(r, k))
            e->kw[k] = name + 1;
    }
}

static enum err compile_block(struct compiler *c, struct site *s)
{
    static enum err (*const parts[])(struct emitter *) = { emit_values,   emit_numbers, emit_strings,    emit_arrays,
                                                           emit_objects, emit_in_place, emit_unevaluated };
    struct emitter e = { .c = c, .site = s, .block = s->block };
    struct block *b = s->block;
    enum err err = OK;

    b->at = s->node;
    b->document = s->resource->document;
    b->resource = s->resource->id;
    b->role = s->role;
    b->types = s->node->type == T_FALSE ? 0 : (1 << T_TYPES) - 1;
    if (s->resource->draft >= DRAFT_2019_09)
        b->flags |= ENTERS;
    if (s->node->type == T_OBJECT) {
        gather(&e);
        emit_types(&e);
        for (size_t i = 0; !err && i < sizeof parts / sizeof *parts; i++)
            err = parts[i](&e);
    }
    if (!err)
        err = finish(&e);
    for (int i = 0; i < CLASSES; i++)
        buf_free(&e.code[i]);
    return err;
}

/* Gives every dynamic reference the places that it may lead to; may reach new ones. */
static enum err dynamics_resolve(struct compiler *c)
{
    for (struct dynamic_use *use = c->uses; use; use = use->next) {
        uint32_t n = 0;

        for (struct anchor *a = c->anchors; a; a = a->next)
            n += slice_eq(a->name, use->name);
        if (n == use->dynamic->n)
            continue;
        use->dynamic->list = arena_alloc(c->arena, n * sizeof *use->dynamic->list);
        if (!use->dynamic->list)
            return ERR_NO_MEMORY;
        use->dynamic->n = 0;
        for (struct anchor *a = c->anchors; a; a = a->next) {
            struct block *b;
            enum err e;

            if (!slice_eq(a->name, use->name))
                continue;
            if (use->dynamic->n == n)
                break;           /* more were found by what was just reached: the next round has them */
            if ((e = block_of(c, a->site, &b)))
                return e;
            use->dynamic->list[use->dynamic->n].resource = a->site->resource->id;
            use->dynamic->list[use->dynamic->n++].block = b;
        }
    }
    return OK;
}

static enum err compile_all(struct compiler *c)
{
    struct document *d;
    struct block *root;
    enum err e;

    c->work_end = &c->first;
    if ((e = document_add(c, SLICE(""), c->text, &d)))
        return e;
    struct site *site = site_get(c, d->tree.nodes);

    c->s->draft = site->resource->draft;
    if (site->resource->base.n)
        d->uri = arena_slice(c->arena, site->resource->base);
    if (!d->uri.p)
        return ERR_NO_MEMORY;
    if ((e = block_of(c, site, &root)))
        return e;
    c->s->root = root;
    for (struct site **work = &c->first; *work;) {
        for (; *work; work = &(*work)->next_work)
            if ((e = compile_block(c, *work)))
                return e;
        if ((e = dynamics_resolve(c)))
            return e;
    }
    return circles_check(c);
}

enum err jsonschema_compile(struct slice text, enum draft unless_said, const struct jsonschema_document *docs, size_t n,
                            struct jsonschema **ret, struct fault *f)
{
    struct compiler c = { .unless_said = unless_said, .docs = docs, .n_docs = n, .text = text, .fault = f };
    enum err e = ERR_NO_MEMORY;

    if (!(c.arena = arena_new(JSONSCHEMA_MEMORY)))
        return ERR_NO_MEMORY;
    c.temp = arena_new(JSONSCHEMA_MEMORY);
    if (c.temp && (c.s = arena_zalloc(c.arena, sizeof *c.s)))
        e = compile_all(&c);
    arena_free(c.temp);
    if (e) {
        arena_free(c.arena);
        return e;
    }
    c.s->arena = c.arena;
    c.s->memory += arena_used(c.arena) + c.regexes;
    *ret = c.s;
    return OK;
}

void jsonschema_free(struct jsonschema *s)
{
    if (s)
        arena_free(s->arena);
}

size_t jsonschema_memory(const struct jsonschema *s)
{
    return s->memory;
}

enum draft jsonschema_draft(const struct jsonschema *s)
{
    return s->draft;
}
