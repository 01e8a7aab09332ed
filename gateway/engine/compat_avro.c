#include <stdlib.h>

#include "gateway/base/decimal.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/avro.h"
#include "gateway/engine/compat_parts.h"

/* Avro 1.11, "Schema Resolution": pairs of types that meet are put on a list once, so recursive types end. */
struct pair {
    const struct avro_type *reader, *writer;
};

struct pairs {
    struct compat_report *report;
    struct pair *v;
    size_t n, cap;
    uint32_t *slot; /* hash table of places in v, plus 1; twice cap */
    size_t looked;  /* at branches, fields, aliases and symbols */
    bool failed;    /* memory, more than COMPAT_STEPS pairs, or LOOKS_MAX looks */
};

enum { LOOKS_MAX = COMPAT_STEPS * 40 };

static bool pairs_grow(struct pairs *p)
{
    size_t cap = p->cap ? p->cap * 2 : 64;
    struct pair *v = cap <= COMPAT_STEPS ? realloc(p->v, cap * sizeof *v) : NULL;
    uint32_t *slot = v ? calloc(cap * 2, sizeof *slot) : NULL;

    if (v)
        p->v = v;
    if (!slot)
        return false;
    free(p->slot);
    p->slot = slot;
    p->cap = cap;
    for (size_t i = 0; i < p->n; i++) {
        size_t h = v[i].reader->id * (size_t)2654435761 + v[i].writer->id;

        while (slot[h % (cap * 2)])
            h++;
        slot[h % (cap * 2)] = (uint32_t)i + 1;
    }
    return true;
}

static void meet(struct pairs *p, const struct avro_type *reader, const struct avro_type *writer)
{
    if (p->failed || (p->n == p->cap && !pairs_grow(p))) {
        p->failed = true;
        return;
    }
    size_t h = reader->id * (size_t)2654435761 + writer->id;
    uint32_t *slot;

    for (; *(slot = &p->slot[h % (p->cap * 2)]); h++)
        if (p->v[*slot - 1].reader == reader && p->v[*slot - 1].writer == writer)
            return;
    p->v[p->n++] = (struct pair){ reader, writer };
    *slot = (uint32_t)p->n;
}

#define DIFFER(p, rule, r, w, ...) \
    compat_add((p)->report, rule, avro_pointer(w, (p)->report->arena), avro_pointer(r, (p)->report->arena), __VA_ARGS__)

static int shown(struct slice s)
{
    return (int)utf8_cut(s.p, s.n, 80);
}

/* What is written as `from` is read as `to` without loss of place (specification: "the writer's schema may be promoted"). */
static bool promotes(enum avro_kind from, enum avro_kind to)
{
    static const unsigned to_of[] = {
        [AVRO_INT] = 1U << AVRO_LONG | 1U << AVRO_FLOAT | 1U << AVRO_DOUBLE,
        [AVRO_LONG] = 1U << AVRO_FLOAT | 1U << AVRO_DOUBLE,
        [AVRO_FLOAT] = 1U << AVRO_DOUBLE,
        [AVRO_BYTES] = 1U << AVRO_STRING,
        [AVRO_STRING] = 1U << AVRO_BYTES,
        [AVRO_UNION] = 0,
    };

    return to_of[from] >> to & 1;
}

/* Records go by their name alone, as the specification says; decoders refuse an enum or a fixed of another namespace. */
static bool names_match(const struct avro_type *reader, const struct avro_type *writer)
{
    return slice_eq(reader->full, writer->full) || avro_alias_is(reader, writer->full) ||
           (reader->kind == AVRO_RECORD && slice_eq(reader->name, writer->name));
}

/* Do they match as branches of a union are chosen: without a look inside? */
static bool matches(const struct avro_type *reader, const struct avro_type *writer)
{
    return reader->kind == writer->kind ? !avro_named(reader->kind) || names_match(reader, writer)
                                        : promotes(writer->kind, reader->kind);
}

static bool look(struct pairs *p, size_t n)
{
    p->looked += n;
    p->failed |= p->looked > LOOKS_MAX;
    return !p->failed;
}

static size_t alias_count(const struct json_node *named)
{
    const struct json_node *aliases = json_tree_get(named, "aliases");

    return aliases ? aliases->n : 0;
}

/* The branch that a reader chooses: the same type, else the first that matches. */
static const struct avro_type *choose(struct pairs *p, const struct avro_type *reader, const struct avro_type *writer)
{
    const struct avro_type *first = NULL;

    for (unsigned i = 0; i < reader->n; i++) {
        const struct avro_type *b = reader->branch[i];

        if (!look(p, 1 + (avro_named(b->kind) ? alias_count(b->json) : 0)))
            return NULL;
        if (b->kind == writer->kind && (!avro_named(b->kind) || slice_eq(b->full, writer->full)))
            return b;
        if (!first && matches(b, writer))
            first = b;
    }
    return first;
}

/* By the reader's name for it, then by its aliases. */
static const struct avro_field *written_field(const struct avro_type *writer, const struct avro_field *f)
{
    const struct json_node *aliases = json_tree_get(f->json, "aliases");

    for (unsigned i = 0; i < writer->n; i++)
        if (slice_eq(writer->field[i].name, f->name))
            return &writer->field[i];
    for (unsigned k = 0; aliases && k < aliases->n; k++)
        for (unsigned i = 0; i < writer->n; i++)
            if (slice_eq(writer->field[i].name, aliases->child[k]->text))
                return &writer->field[i];
    return NULL;
}

static void compare_records(struct pairs *p, const struct avro_type *r, const struct avro_type *w)
{
    for (unsigned i = 0; i < r->n; i++) {
        const struct avro_field *f = &r->field[i], *from;
        struct avro_type at = { .json = f->json, .origin = r->origin };

        if (!look(p, w->n * (1 + alias_count(f->json))))
            return;
        if ((from = written_field(w, f)))
            meet(p, f->type, from->type);
        else if (!f->value)
            DIFFER(p, "READER_FIELD_MISSING_DEFAULT_VALUE", &at, w,
                   "The field \"%.*s\" is read, but not written, and has no default.", shown(f->name), f->name.p);
    }
}

static void compare_enums(struct pairs *p, const struct avro_type *r, const struct avro_type *w)
{
    if (json_tree_get(r->json, "default") || !look(p, w->n))
        return;
    for (unsigned i = 0; i < w->n; i++) {
        const struct json_node *symbol = w->symbols->child[i];
        struct avro_type at = { .json = symbol, .origin = w->origin };

        if (!avro_has_symbol(r, symbol->text))
            DIFFER(p, "MISSING_ENUM_SYMBOLS", r, &at,
                   "The symbol %.*s is written, but the enum that reads it lacks it and has no default.", shown(symbol->text),
                   symbol->text.p);
    }
}

static void compare_same_kind(struct pairs *p, const struct avro_type *r, const struct avro_type *w)
{
    if (!look(p, avro_named(r->kind) ? 1 + alias_count(r->json) : 1))
        return;
    if (avro_named(r->kind) && !names_match(r, w)) {
        DIFFER(p, "NAME_MISMATCH", r, w, "%.*s is written and %.*s is read; an alias would make them one.", shown(w->full),
               w->full.p, shown(r->full), r->full.p);
        return;
    }
    switch (r->kind) {
    case AVRO_ARRAY:
    case AVRO_MAP:
        meet(p, r->branch[0], w->branch[0]);
        break;
    case AVRO_RECORD:
        compare_records(p, r, w);
        break;
    case AVRO_ENUM:
        compare_enums(p, r, w);
        break;
    case AVRO_FIXED:
        if (decimal_order(r->size, w->size))
            DIFFER(p, "FIXED_SIZE_MISMATCH", r, w, "%.*s bytes are written and %.*s are read.", shown(w->size), w->size.p,
                   shown(r->size), r->size.p);
        break;
    default:
        break;
    }
}

static void compare_pair(struct pairs *p, const struct avro_type *r, const struct avro_type *w)
{
    if (w->kind == AVRO_UNION) {
        for (unsigned i = 0; i < w->n; i++)
            meet(p, r, w->branch[i]);
    } else if (r->kind == AVRO_UNION) {
        const struct avro_type *b = choose(p, r, w);

        if (b)
            meet(p, b, w);
        else if (!p->failed)
            DIFFER(p, "MISSING_UNION_BRANCH", r, w, "%.*s is written, and no branch of the union that reads it takes it.",
                   avro_named(w->kind) ? shown(w->full) : 20, avro_named(w->kind) ? w->full.p : avro_kind_name(w->kind));
    } else if (r->kind == w->kind) {
        compare_same_kind(p, r, w);
    } else if (!promotes(w->kind, r->kind)) {
        DIFFER(p, "TYPE_MISMATCH", r, w, "%s is written and %s is read.", avro_kind_name(w->kind), avro_kind_name(r->kind));
    }
}

enum err compat_avro(const struct schema_text *reader, const struct schema_text *writer, struct compat_report *report,
                     struct fault *f)
{
    struct pairs p = { .report = report };
    const struct avro_schema *r, *w;
    enum err e;

    if ((e = avro_parse(reader, report->arena, &r, f)) || (e = avro_parse(writer, report->arena, &w, f)))
        return e;
    meet(&p, r->root, w->root);
    for (size_t i = 0; i < p.n && !p.failed; i++)
        compare_pair(&p, p.v[i].reader, p.v[i].writer);
    if (p.failed && !report->n)
        compat_add(report, "CANNOT_TELL", SLICE(""), SLICE(""), "The comparison takes more than %d steps.", COMPAT_STEPS);
    free(p.v);
    free(p.slot);
    return OK;
}
