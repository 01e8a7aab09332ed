#include "gateway/jsonschema/compile.h"

uint32_t count_of(const struct node *v)
{
    struct decimal d = decimal_of(node_slice(v));
    uint64_t n = 0;
    int64_t digits = 0;

    if (d.vast || d.point > 10)
        return UINT32_MAX;       /* nothing that is checked has so many of anything */
    for (const char *p = d.digits; p < d.end; p++) {
        if (*p == '.')
            continue;
        n = n * 10 + (uint64_t)(*p - '0');
        digits++;
    }
    for (; digits < d.point; digits++)
        n *= 10;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static enum err set_of(struct emitter *e, const struct node *list, struct value_set **ret)
{
    struct value_set *set = arena_zalloc(e->c->arena, sizeof *set);
    const struct node *v = list + 1;
    uint32_t strings = 0, size = 4;

    if (!set)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < list->n; i++, v += v->skip)
        strings += v->type == T_STRING;
    while (size < strings * 2)
        size *= 2;
    set->mask = size - 1;
    set->strings = arena_zalloc(e->c->arena, size * sizeof *set->strings);
    set->other = arena_alloc(e->c->arena, (list->n - strings + 1) * sizeof *set->other);
    if (!set->strings || !set->other)
        return ERR_NO_MEMORY;
    v = list + 1;
    for (uint32_t i = 0; i < list->n; i++, v += v->skip) {
        set->types |= (uint16_t)(node_is_number(v) ? 1 << T_INT | 1 << T_WHOLE | 1 << T_REAL : 1 << v->type);
        if (v->type != T_STRING) {
            set->other[set->others++] = v;
            continue;
        }
        uint32_t at = name_hash(v->p, v->n) & set->mask;

        while (set->strings[at] && !node_is(set->strings[at], node_slice(v)))
            at = (at + 1) & set->mask;
        set->strings[at] = v;
        set->longest = v->n > set->longest ? v->n : set->longest;
    }
    *ret = set;
    return OK;
}

enum err emit_values(struct emitter *e)
{
    struct op op = { .code = OP_ENUM, .keyword = K_ENUM, .at = e->kw[K_ENUM] };
    struct value_set *set;
    enum err err;

    if (e->kw[K_CONST])
        emit(e, CLASS_ANY, (struct op){ .code = OP_CONST, .keyword = K_CONST, .at = e->kw[K_CONST], .u.value = e->kw[K_CONST] });
    if (!e->kw[K_ENUM])
        return OK;
    if ((err = set_of(e, e->kw[K_ENUM], &set)))
        return err;
    op.u.set = set;
    emit(e, CLASS_ANY, op);
    return OK;
}

static enum err emit_bound(struct emitter *e, enum keyword k, enum op_code code)
{
    struct bound *b = arena_zalloc(e->c->arena, sizeof *b);
    const struct node *v = e->kw[k];

    if (!b)
        return ERR_NO_MEMORY;
    b->decimal = decimal_of(node_slice(v));
    b->is_small = v->type == T_INT && v->n <= SMALL;
    if (b->is_small)
        b->small = small_integer(v);
    emit(e, CLASS(CLASS_NUMBER), (struct op){ .code = (uint8_t)code, .keyword = (uint8_t)k, .at = v, .u.bound = b });
    return OK;
}

enum err emit_numbers(struct emitter *e)
{
    static const struct {
        uint8_t keyword, code, exclusive, exclusive_code;
    } bounds[] = {
        { K_MAXIMUM, OP_MAXIMUM, K_EXCLUSIVE_MAXIMUM, OP_EXCLUSIVE_MAXIMUM },
        { K_MINIMUM, OP_MINIMUM, K_EXCLUSIVE_MINIMUM, OP_EXCLUSIVE_MINIMUM },
    };
    bool draft4 = e->site->resource->draft == DRAFT_4;
    enum err err = OK;

    for (int i = 0; i < 2 && !err; i++) {
        const struct node *exclusive = e->kw[bounds[i].exclusive];

        if (draft4) {
            bool excludes = exclusive && exclusive->type == T_TRUE;

            if (e->kw[bounds[i].keyword])
                err = emit_bound(e, (enum keyword)bounds[i].keyword,
                                 (enum op_code)(excludes ? bounds[i].exclusive_code : bounds[i].code));
            continue;
        }
        if (e->kw[bounds[i].keyword])
            err = emit_bound(e, (enum keyword)bounds[i].keyword, (enum op_code)bounds[i].code);
        if (exclusive && !err)
            err = emit_bound(e, (enum keyword)bounds[i].exclusive, (enum op_code)bounds[i].exclusive_code);
    }
    if (e->kw[K_MULTIPLE_OF] && !err)
        err = emit_bound(e, K_MULTIPLE_OF, OP_MULTIPLE_OF);
    return err;
}

enum err pattern_of(struct emitter *e, const struct node *text, const struct pattern **ret)
{
    struct compiler *c = e->c;
    struct pattern *p = names_get(&c->patterns, node_slice(text));
    struct fault why = { 0 };
    enum err err;

    if (!p) {
        err = pattern_compile(node_slice(text), c->arena, &p, &why);
        if (err)
            return err == ERR_BAD_BODY ? refuse(c, e->site->resource->document, text, "%s", why.detail) : err;
        c->regexes += pattern_memory(p);
        if (c->regexes > JSONSCHEMA_REGEXES)
            return refuse(c, e->site->resource->document, text, "The regular expressions of the schema are too large together.");
        if (!names_put(c, &c->patterns, node_slice(text), p))
            return ERR_NO_MEMORY;
    }
    *ret = p;
    return OK;
}

static bool format_asserts(const struct resource *r)
{
    return r->draft <= DRAFT_7 || r->vocabulary & V_ASSERT_FORMAT;
}

enum err emit_strings(struct emitter *e)
{
    const struct node *max = e->kw[K_MAX_LENGTH], *min = e->kw[K_MIN_LENGTH], *format = e->kw[K_FORMAT];
    struct op pattern = { .code = OP_PATTERN, .keyword = K_PATTERN, .at = e->kw[K_PATTERN] };
    const struct format *known = format && format_asserts(e->site->resource) ? format_find(node_slice(format)) : NULL;
    enum err err;

    if (max)
        emit(e, CLASS(CLASS_STRING), (struct op){ .code = OP_MAX_LENGTH, .keyword = K_MAX_LENGTH, .n = count_of(max), .at = max });
    if (min)
        emit(e, CLASS(CLASS_STRING), (struct op){ .code = OP_MIN_LENGTH, .keyword = K_MIN_LENGTH, .n = count_of(min), .at = min });
    if (known)
        emit(e, CLASS(CLASS_STRING), (struct op){ .code = OP_FORMAT, .keyword = K_FORMAT, .at = format, .u.format = known });
    if (!pattern.at)
        return OK;
    if ((err = pattern_of(e, pattern.at, &pattern.u.pattern)))
        return err;
    emit(e, CLASS(CLASS_STRING), pattern);
    return OK;
}
