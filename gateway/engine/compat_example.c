#include <stdio.h>
#include <stdlib.h>

#include "gateway/engine/compat_json.h"

/* Counterexamples: documents are made from the writer's schema with a value in the place of the finding that may break the
 * reader's. One is kept only when the validator says that the writer's schema takes it and the reader's does not. */
enum {
    TRIES_MAX = 400, /* documents for one finding */
    REASONS = 16,    /* why the reader refuses one */
    STEPS = 60000,   /* of work to make them */
    PATH_MAX_STEPS = 64,
    SAMPLE_DEPTH = 12,
    LENGTH_MAX = 1000, /* of strings and arrays that are made */
    MEMORY = 32 << 20,
    JUDGING = JSONSCHEMA_STEPS, /* of work of the validator, for all documents of a comparison */
    JUDGING_BYTES = 16,         /* of a document: one step, besides */
};

struct trial {
    struct comparison *c;
    const struct jsonschema *writer, *reader;
    const struct spot *spot;
    const struct step *path[PATH_MAX_STEPS]; /* from the root */
    unsigned steps;
    int left;
    int64_t *judging;            /* what is left of JUDGING */
    const struct compat_finding *finding;
    struct buf found, other;     /* refused for the reason of the finding; for another one. Empty: none yet */
};

static const char *const values[] = {
    "null",       "true",        "0",      "1",      "-1",    "1.5",          "\"\"",
    "\"a\"",      "[]",          "{}",     "[null]", "[0,0]", "{\"a\":null}", "\"a longer string\"",
    "1000000007", "-1000000007", "[[],{}]"
};

static bool is_done(const struct trial *t)
{
    return t->found.n || t->left <= 0 || *t->judging <= 0 || t->c->gave_up || t->c->no_memory;
}

/* --- documents ------------------------------------------------------------------------------------------------------ */
static void put_sample(struct trial *t, const struct facts *f, unsigned at, struct slice leaf, struct buf *out, unsigned depth);

static unsigned long limit_of(struct comparison *c, const struct facts *f, enum family family)
{
    struct bound b = bound_of(c, f, family, false);
    double v = b.at.p ? strtod(b.at.p, NULL) : 0;

    return v > 0 && v < LENGTH_MAX ? (unsigned long)v : 0;
}

/* Names that a document must have, and the one on the way to the finding. */
static void put_object(struct trial *t, const struct facts *f, unsigned at, struct slice leaf, struct buf *out, unsigned depth)
{
    struct slice next = at < t->steps ? t->path[at]->name : SLICE_NONE;
    bool any = false, done = !next.p;

    buf_char(out, '{');
    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *required = f->is[i].value ? NULL : keyword(f->is[i].node, "required");

        for (unsigned k = 0; required && required->type == JSON_ARRAY && k < required->n && !t->c->gave_up; k++) {
            struct slice name = required->child[k]->text;
            bool here = next.p && slice_eq(name, next);
            struct facts member = facts_of_member(t->c, f, name);

            if (here)
                continue;
            if (any)
                buf_char(out, ',');
            any = true;
            buf_json_string(out, name);
            buf_char(out, ':');
            put_sample(t, &member, PATH_MAX_STEPS + 1, SLICE_NONE, out, depth - 1);
        }
    }
    if (!done) {
        struct facts member = facts_of_member(t->c, f, next);

        if (any)
            buf_char(out, ',');
        buf_json_string(out, next);
        buf_char(out, ':');
        put_sample(t, &member, at + 1, leaf, out, depth - 1);
    }
    buf_char(out, '}');
}

static void put_array(struct trial *t, const struct facts *f, unsigned at, struct slice leaf, struct buf *out, unsigned depth)
{
    bool here = at < t->steps && !t->path[at]->name.p;
    unsigned long least = limit_of(t->c, f, FAMILY_ITEMS), n = here ? t->path[at]->index + 1UL : 0;

    buf_char(out, '[');
    for (unsigned long i = 0; i < (n > least ? n : least) && i < LENGTH_MAX && !t->c->gave_up; i++) {
        struct facts item = facts_of_item(t->c, f, (unsigned)i);
        bool next = here && i == t->path[at]->index;

        if (i)
            buf_char(out, ',');
        put_sample(t, &item, next ? at + 1 : PATH_MAX_STEPS + 1, next ? leaf : SLICE_NONE, out, depth - 1);
    }
    buf_char(out, ']');
}

static bool put_known(struct comparison *c, const struct facts *f, struct buf *out)
{
    const struct json_node *list = listed(f), *known = NULL;

    for (unsigned i = 0; i < f->n && !known; i++)
        known = f->is[i].value ? f->is[i].node : NULL;
    if (!known && list)
        known = slice_is(list->name, "const") ? list : list->n ? list->child[0] : NULL;
    if (known && spend(c, (long)known->text.n / 16))
        json_tree_write(known, false, out);
    return known;
}

static void put_number(struct trial *t, const struct facts *f, struct buf *out)
{
    struct bound low = bound_of(t->c, f, FAMILY_NUMBER, false), high = bound_of(t->c, f, FAMILY_NUMBER, true);

    if (low.at.p && decimal_order(low.at, SLICE("0")) >= 0)
        buf_printf(out, "%.15g", strtod(low.at.p, NULL) + (low.exclusive ? 1 : 0));
    else if (high.at.p && decimal_order(high.at, SLICE("0")) <= 0)
        buf_printf(out, "%.15g", strtod(high.at.p, NULL) - (high.exclusive ? 1 : 0));
    else
        buf_char(out, '0');
}

/* The first branch of each choice is taken. */
static struct facts settled(struct comparison *c, const struct facts *f)
{
    struct facts one = *f;

    for (unsigned i = 0; i < f->n; i++) {
        const struct json_node *s = f->is[i].node, *list = f->is[i].value ? NULL : keyword(s, "anyOf");

        if (!f->is[i].value && (list || (list = keyword(s, "oneOf"))) && list->type == JSON_ARRAY && list->n)
            facts_add(c, &one, list->child[0]);
    }
    return one;
}

static bool speaks_of(const struct facts *f, const char *const *names)
{
    for (unsigned i = 0; i < f->n; i++)
        for (unsigned k = 0; names[k]; k++)
            if (!f->is[i].value && keyword(f->is[i].node, names[k]))
                return true;
    return false;
}

/* At PATH_MAX_STEPS + 1 it is away from the path: any value will do. */
static void put_sample(struct trial *t, const struct facts *f, unsigned at, struct slice leaf, struct buf *out, unsigned depth)
{
    static const char *const of_objects[] = { "properties", "required", "patternProperties", "additionalProperties", NULL };
    static const char *const of_arrays[] = { "items", "prefixItems", "minItems", NULL };
    struct facts one = settled(t->c, f);
    bool path = at < t->steps;

    if (at == t->steps && leaf.p) {
        buf_slice(out, leaf);
        return;
    }
    if (!path && put_known(t->c, &one, out))
        return;
    if (depth && (path ? t->path[at]->name.p != NULL
                       : one.kinds & KIND_OBJECT && (speaks_of(&one, of_objects) || !(one.kinds & ~(unsigned)KIND_OBJECT))))
        put_object(t, &one, at, leaf, out, depth);
    else if (depth && (path || (one.kinds & KIND_ARRAY && (speaks_of(&one, of_arrays) || !(one.kinds & ~(unsigned)KIND_ARRAY)))))
        put_array(t, &one, at, leaf, out, depth);
    else if (one.kinds & KIND_STRING)
        buf_printf(out, "\"%.*s\"", (int)limit_of(t->c, &one, FAMILY_LENGTH),
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    else if (one.kinds & KIND_NUMBER)
        put_number(t, &one, out);
    else
        buf_str(out, one.kinds & KIND_BOOLEAN ? "true" : one.kinds & KIND_ARRAY ? "[]" : one.kinds & KIND_OBJECT ? "{}" : "null");
}

/* --- trials --------------------------------------------------------------------------------------------------------- */
static bool begins(struct slice s, struct slice with)
{
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

/* What the writer's takes and the reader's refuses is kept: the first that it refuses where the finding is, or else the first. */
static void judge(struct trial *t, struct slice document)
{
    struct finding v[REASONS];
    int64_t before;
    bool takes, reads;
    size_t n = 0;

    *t->judging -= (int64_t)document.n / JUDGING_BYTES;
    if (jsonschema_conforms(t->writer, document, t->judging, &takes) || !takes)
        return;
    before = *t->judging;
    if (jsonschema_conforms(t->reader, document, t->judging, &reads) || reads)
        return;
    *t->judging -= 2 * (before - *t->judging); /* to say why it runs twice */
    if (jsonschema_validate(t->reader, document, t->c->arena, v, REASONS, &n, NULL))
        return;
    for (size_t i = 0; i < n && !t->found.n; i++)
        if (begins(v[i].schema_pointer, t->finding->new_pointer))
            buf_slice(&t->found, document);
    if (!t->found.n && !t->other.n)
        buf_slice(&t->other, document);
}

static void try_leaf(struct trial *t, struct slice leaf)
{
    struct comparison *c = t->c;
    struct facts root = facts_none(c->writer.root);
    struct buf text = { 0 };

    if (is_done(t))
        return;
    t->left--;
    facts_add(c, &root, c->writer.root);
    put_sample(t, &root, 0, leaf, &text, SAMPLE_DEPTH);
    if (!text.failed && !c->gave_up)
        judge(t, (struct slice){ text.p, text.n });
    buf_free(&text);
}

static void try_numbers(struct trial *t, const struct json_node *schema)
{
    static const double beside[] = { 0, 1, -1, 0.5, -0.5 };
    static const char *const limits[] = { "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "const" };

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct json_node *limit = json_tree_get(schema, limits[i]);

        for (int k = 0; k < 5 && limit && limit->type == JSON_NUMBER && !is_done(t); k++) {
            char text[64];

            snprintf(text, sizeof text, "%.15g", strtod(limit->text.p, NULL) + beside[k]);
            try_leaf(t, slice_of(text));
        }
    }
}

static void try_length(struct trial *t, int n)
{
    struct buf string = { 0 }, array = { 0 }, object = { 0 };

    buf_char(&string, '"');
    buf_char(&array, '[');
    buf_char(&object, '{');
    for (int k = 0; k < n && !is_done(t); k++) {
        struct facts item = facts_of_item(t->c, t->spot->facts, (unsigned)k);

        buf_char(&string, 'a');
        buf_str(&array, k > 0 ? "," : "");
        put_sample(t, &item, PATH_MAX_STEPS + 1, SLICE_NONE, &array, 3);
        buf_printf(&object, "%s\"m%d\":null", k > 0 ? "," : "", k);
    }
    buf_char(&string, '"');
    buf_char(&array, ']');
    buf_char(&object, '}');
    if (!string.failed && !array.failed && !object.failed) {
        try_leaf(t, (struct slice){ string.p, string.n });
        try_leaf(t, (struct slice){ array.p, array.n });
        try_leaf(t, (struct slice){ object.p, object.n });
    }
    buf_free(&string);
    buf_free(&array);
    buf_free(&object);
}

/* Strings, arrays and objects about as long as a limit. */
static void try_lengths(struct trial *t, const struct json_node *schema)
{
    static const char *const limits[] = { "minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains",
                                          "minProperties", "maxProperties" };

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct json_node *limit = json_tree_get(schema, limits[i]);
        double at = limit && limit->type == JSON_NUMBER ? strtod(limit->text.p, NULL) : -1;

        for (int n = (int)at - 1; at >= 0 && at <= LENGTH_MAX && n <= (int)at + 1 && !is_done(t); n++)
            if (n >= 0)
                try_length(t, n);
    }
}

/* An object as it has to be, with one member more. */
static void try_member(struct trial *t, struct slice object, struct slice name)
{
    for (size_t i = 0; i < sizeof values / sizeof *values && !is_done(t); i++) {
        struct buf text = { 0 };

        buf_put(&text, object.p, object.n - 1);
        buf_str(&text, object.n > 2 ? "," : "");
        buf_json_string(&text, name);
        buf_printf(&text, ":%s}", values[i]);
        try_leaf(t, (struct slice){ text.p, text.n });
        buf_free(&text);
    }
}

static void try_objects(struct trial *t, const struct json_node *schema)
{
    static const char *const maps[] = { "properties", "dependencies", "dependentRequired", "dependentSchemas" };
    struct buf object = { 0 };

    put_object(t, t->spot->facts, PATH_MAX_STEPS + 1, SLICE_NONE, &object, SAMPLE_DEPTH);
    if (!object.failed && !is_done(t)) {
        struct slice s = { object.p, object.n };

        try_leaf(t, s);
        try_member(t, s, SLICE("any other"));
        for (int i = 0; i < 4; i++) {
            const struct json_node *map = json_tree_get(schema, maps[i]);

            for (unsigned k = 0; map && map->type == JSON_OBJECT && k < map->n && !is_done(t); k++)
                try_member(t, s, map->child[k]->name);
        }
    }
    buf_free(&object);
}

/* The schema that the reader's keyword stands in. */
static const struct json_node *schema_around(const struct json_node *n)
{
    for (int i = 0; i < 2 && n->parent && (n->type != JSON_OBJECT || i); i++)
        n = n->parent;
    while (n->parent && n->type != JSON_OBJECT)
        n = n->parent;
    return n;
}

static void try_all(struct trial *t)
{
    const struct json_node *list = listed(t->spot->facts), *reader = t->spot->reader, *around = schema_around(reader);
    struct buf sample = { 0 };

    put_sample(t, t->spot->facts, PATH_MAX_STEPS + 1, SLICE_NONE, &sample, SAMPLE_DEPTH);
    if (!sample.failed)
        try_leaf(t, (struct slice){ sample.p, sample.n });
    buf_free(&sample);
    for (unsigned i = 0; list && slice_is(list->name, "enum") && i < list->n && !is_done(t); i++) {
        struct buf one = { 0 };

        json_tree_write(list->child[i], false, &one);
        try_leaf(t, (struct slice){ one.p, one.n });
        buf_free(&one);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        try_leaf(t, slice_of(values[i]));
    const struct json_node *schemas[] = { around, reader->parent, t->spot->facts->home };

    for (int i = 0; i < 3; i++) {
        try_numbers(t, schemas[i]);
        try_lengths(t, schemas[i]);
    }
    try_objects(t, reader->parent && reader->parent->type == JSON_OBJECT ? reader->parent : around);
    try_objects(t, around);
}

static void find_one(struct trial *t, struct compat_finding *finding)
{
    struct comparison *c = t->c;
    unsigned n = 0;

    for (const struct step *s = t->spot->at; s; s = s->up)
        n++;
    if (n > PATH_MAX_STEPS || !t->spot->facts)
        return;
    t->steps = n;
    for (const struct step *s = t->spot->at; s; s = s->up)
        t->path[--n] = s;
    try_all(t);
    struct buf *best = t->found.n ? &t->found : &t->other;

    if (best->n && !best->failed)
        finding->counterexample = arena_slice(c->report->arena, (struct slice){ best->p, best->n });
    buf_free(&t->found);
    buf_free(&t->other);
}

static struct jsonschema *compile(struct arena *a, const struct schema_text *s)
{
    struct jsonschema_document *docs = arena_alloc(a, (s->n + 1) * sizeof *docs);
    struct jsonschema *ret = NULL;

    for (size_t i = 0; docs && i < s->n; i++)
        docs[i] = (struct jsonschema_document){ s->refs[i].name, s->refs[i].text };
    return docs && jsonschema_compile(s->text, DRAFT_7, docs, s->n, &ret, NULL) == OK ? ret : NULL;
}

/* In memory of their own: not to find one is no failure. */
void find_examples(struct comparison *c)
{
    struct arena *outer = c->arena;
    struct jsonschema *writer = c->report->n ? compile(outer, c->writer.text) : NULL,
                      *reader = writer ? compile(outer, c->reader.text) : NULL;
    bool no_memory = c->no_memory;
    int64_t judging = JUDGING;

    c->quiet++;
    for (size_t i = 0; reader && i < c->report->n; i++) {
        struct trial t = { .c = c, .writer = writer, .reader = reader, .spot = &c->spots[i], .left = TRIES_MAX,
                           .judging = &judging, .finding = &c->report->v[i] };

        if (!t.spot->reader || !(c->arena = arena_new(MEMORY)))
            continue;
        c->steps = STEPS;
        c->gave_up = c->no_memory = false;
        find_one(&t, &c->report->v[i]);
        arena_free(c->arena);
    }
    c->arena = outer;
    c->no_memory = no_memory;
    jsonschema_free(writer);
    jsonschema_free(reader);
}
