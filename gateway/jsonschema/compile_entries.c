#include "gateway/jsonschema/compile.h"

static void emit_counts(struct emitter *e, unsigned class, enum keyword max, enum keyword min)
{
    const struct node *most = e->kw[max], *least = e->kw[min];

    if (most)
        emit(e, class, (struct op){ .code = OP_MAX_ENTRIES, .keyword = (uint8_t)max, .n = count_of(most), .at = most });
    if (least)
        emit(e, class, (struct op){ .code = OP_MIN_ENTRIES, .keyword = (uint8_t)min, .n = count_of(least), .at = least });
}

/* prefixItems and items, or, before 2020-12, items and additionalItems. */
static enum err emit_items(struct emitter *e)
{
    const struct node *prefix = e->kw[K_PREFIX_ITEMS], *rest = e->kw[K_ITEMS], *v;
    enum keyword k = K_ITEMS;
    struct items *items;
    enum err err;

    if (rest && rest->type == T_ARRAY) {
        prefix = rest;
        rest = e->kw[K_ADDITIONAL_ITEMS];
        k = K_ADDITIONAL_ITEMS;
    }
    if (!prefix && !rest)
        return OK;
    uint32_t n = prefix ? prefix->n : 0;

    if (!(items = arena_zalloc(e->c->arena, sizeof *items + n * sizeof *items->prefix)))
        return ERR_NO_MEMORY;
    items->n = n;
    v = prefix ? prefix + 1 : NULL;
    for (uint32_t i = 0; i < n; i++, v += v->skip)
        if ((err = sub_block(e, v, &items->prefix[i])))
            return err;
    if (rest && (err = sub_block(e, rest, &items->rest)))
        return err;
    emit(e, CLASS(CLASS_ARRAY),
         (struct op){ .code = OP_ITEMS, .keyword = (uint8_t)k, .at = rest ? rest : prefix, .u.items = items });
    return OK;
}

static enum err emit_contains(struct emitter *e)
{
    const struct node *v = e->kw[K_CONTAINS], *min = e->kw[K_MIN_CONTAINS], *max = e->kw[K_MAX_CONTAINS];
    struct contains *x = arena_zalloc(e->c->arena, sizeof *x);
    enum err err;

    if (!x)
        return ERR_NO_MEMORY;
    *x = (struct contains){ .min = min ? count_of(min) : 1, .max = max ? count_of(max) : UINT32_MAX, .min_at = min, .max_at = max };
    x->marks = e->site->resource->draft >= DRAFT_2020_12;
    if ((err = sub_block(e, v, &x->block)))
        return err;
    emit(e, CLASS(CLASS_ARRAY), (struct op){ .code = OP_CONTAINS, .keyword = K_CONTAINS, .at = v, .u.contains = x });
    return OK;
}

enum err emit_arrays(struct emitter *e)
{
    const struct node *unique = e->kw[K_UNIQUE_ITEMS];
    enum err err;

    emit_counts(e, CLASS(CLASS_ARRAY), K_MAX_ITEMS, K_MIN_ITEMS);
    if ((err = emit_items(e)) || (e->kw[K_CONTAINS] && (err = emit_contains(e))))
        return err;
    if (unique && unique->type == T_TRUE)
        emit(e, CLASS(CLASS_ARRAY), (struct op){ .code = OP_UNIQUE, .keyword = K_UNIQUE_ITEMS, .at = unique });
    return OK;
}

/* The slot of a name in the table, which has room. */
static struct property *slot_of(struct property *table, uint32_t mask, struct slice name)
{
    uint32_t hash = name_hash(name.p, name.n), at = hash & mask;

    while (table[at].name.p && !(table[at].hash == hash && slice_eq(table[at].name, name)))
        at = (at + 1) & mask;
    if (!table[at].name.p) {
        table[at].name = name;
        table[at].hash = hash;
    }
    return &table[at];
}

static enum err fill_table(struct emitter *e, struct members *m)
{
    const struct node *properties = e->kw[K_PROPERTIES], *required = e->kw[K_REQUIRED], *v;
    uint32_t n = (properties ? properties->n : 0) + (required ? required->n : 0), size = 2;
    struct property *table;
    enum err err;

    while (size < n * 2)
        size *= 2;
    if (!(table = arena_zalloc(e->c->arena, size * sizeof *table)))
        return ERR_NO_MEMORY;
    m->table = table;
    m->mask = size - 1;
    m->names = required;
    v = properties ? properties + 1 : NULL;
    for (uint32_t i = 0; properties && i < properties->n; i++, v += 1 + v[1].skip) {
        struct property *p = slot_of(table, m->mask, node_slice(v));

        p->known = true;
        if (v[1].type != T_TRUE && (err = sub_block(e, v + 1, &p->block)))
            return err;
    }
    for (uint32_t i = 0; required && i < required->n; i++) {
        const struct node *name = required + 1 + i;
        struct property *p = slot_of(table, m->mask, node_slice(name));

        m->required += !p->required;
        p->required = true;
        p->at = name;
    }
    return OK;
}

static enum err emit_members(struct emitter *e)
{
    const struct node *patterns = e->kw[K_PATTERN_PROPERTIES], *additional = e->kw[K_ADDITIONAL_PROPERTIES], *v;
    struct members *m = arena_zalloc(e->c->arena, sizeof *m);
    const struct node *at = additional ? additional : e->kw[K_PROPERTIES] ? e->kw[K_PROPERTIES] : patterns;
    struct name_pattern *list = NULL;
    enum err err;

    if (!m || (patterns && !(list = arena_zalloc(e->c->arena, (patterns->n + 1) * sizeof *list))))
        return ERR_NO_MEMORY;
    if ((err = fill_table(e, m)))
        return err;
    v = patterns ? patterns + 1 : NULL;
    for (uint32_t i = 0; patterns && i < patterns->n; i++, v += 1 + v[1].skip)
        if ((err = pattern_of(e, v, &list[i].pattern)) || (err = sub_block(e, v + 1, &list[i].block)))
            return err;
    m->n_patterns = patterns ? patterns->n : 0;
    m->patterns = list;
    if (additional && (err = sub_block(e, additional, &m->additional)))
        return err;
    emit(e, CLASS(CLASS_OBJECT),
         (struct op){ .code = OP_MEMBERS, .keyword = K_PROPERTIES, .at = at ? at : e->kw[K_REQUIRED], .u.members = m });
    return OK;
}

/* dependencies, dependentRequired, dependentSchemas: a member's presence asks for more. */
static enum err emit_dependents(struct emitter *e, enum keyword k)
{
    const struct node *map = e->kw[k], *name = map ? map + 1 : NULL;
    enum err err;

    for (uint32_t i = 0; map && i < map->n; i++, name += 1 + name[1].skip) {
        const struct node *v = name + 1;
        struct dependent *d = arena_zalloc(e->c->arena, sizeof *d);

        if (!d)
            return ERR_NO_MEMORY;
        d->name = node_slice(name);
        if (v->type == T_ARRAY) {
            d->n = v->n;
            d->names = v + 1;
        } else if ((err = sub_block(e, v, &d->block))) {
            return err;
        }
        emit(e, CLASS(CLASS_OBJECT), (struct op){ .code = OP_DEPENDENT, .keyword = (uint8_t)k, .at = v, .u.dependent = d });
    }
    return OK;
}

enum err emit_objects(struct emitter *e)
{
    struct op names = { .code = OP_NAMES, .keyword = K_PROPERTY_NAMES, .at = e->kw[K_PROPERTY_NAMES] };
    enum err err;

    emit_counts(e, CLASS(CLASS_OBJECT), K_MAX_PROPERTIES, K_MIN_PROPERTIES);
    if ((e->kw[K_PROPERTIES] || e->kw[K_PATTERN_PROPERTIES] || e->kw[K_ADDITIONAL_PROPERTIES] || e->kw[K_REQUIRED]) &&
        (err = emit_members(e)))
        return err;
    if (names.at) {
        if ((err = sub_block(e, names.at, &names.u.block)))
            return err;
        emit(e, CLASS(CLASS_OBJECT), names);
    }
    if ((err = emit_dependents(e, K_DEPENDENT_REQUIRED)) || (err = emit_dependents(e, K_DEPENDENT_SCHEMAS)))
        return err;
    return emit_dependents(e, K_DEPENDENCIES);
}

enum err emit_unevaluated(struct emitter *e)
{
    static const struct {
        uint8_t keyword, code, class, flag;
    } rows[] = {
        { K_UNEVALUATED_ITEMS, OP_UNEVALUATED_ITEMS, CLASS_ARRAY, TRACKS_ITEMS },
        { K_UNEVALUATED_PROPERTIES, OP_UNEVALUATED_PROPERTIES, CLASS_OBJECT, TRACKS_MEMBERS },
    };

    for (int i = 0; i < 2; i++) {
        struct op op = { .code = rows[i].code, .keyword = rows[i].keyword, .at = e->kw[rows[i].keyword] };
        enum err err;

        if (!op.at)
            continue;
        if ((err = sub_block(e, op.at, &op.u.block)))
            return err;
        emit(e, CLASS(rows[i].class), op);
        e->block->flags |= rows[i].flag;
    }
    return OK;
}
