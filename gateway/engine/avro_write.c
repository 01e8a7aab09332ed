#include <stdlib.h>

#include "gateway/engine/avro.h"

/* What is written of a type, by its own keyword; all else are attributes, which the canonical form drops. */
static const char *const reserved_type[] = { "type",    "name",  "namespace", "doc",  "fields",  "symbols",
                                             "default", "items", "values",    "size", "aliases", NULL };
static const char *const reserved_field[] = { "name", "type", "doc", "default", "order", "aliases", NULL };

struct writer {
    struct buf *out;
    enum avro_form form;
    unsigned char *written; /* by id: a named type is defined once and named from then on */
};

static void write_type(struct writer *w, const struct avro_type *t, struct slice space);

static void key(struct writer *w, const char *name)
{
    if (w->out->n && w->out->p[w->out->n - 1] != '{')
        buf_char(w->out, ',');
    buf_printf(w->out, "\"%s\":", name);
}

static void member_text(struct writer *w, const char *name, struct slice value)
{
    key(w, name);
    buf_json_string(w->out, value);
}

/* A member of the schema as it stands there, if it does. */
static void member_value(struct writer *w, const char *name, const struct json_node *value)
{
    if (!value || w->form == AVRO_CANONICAL)
        return;
    key(w, name);
    json_tree_write(value, w->form == AVRO_NORMALIZED, w->out);
}

static void member_string(struct writer *w, const char *name, const struct json_node *value)
{
    if (value && value->type == JSON_STRING)
        member_value(w, name, value);
}

static bool is_one_of(struct slice name, const char *const *list)
{
    for (; *list; list++)
        if (slice_is(name, *list))
            return true;
    return false;
}

static bool has_attributes(const struct json_node *n, const char *const *reserved)
{
    for (unsigned i = 0; n->type == JSON_OBJECT && i < n->n; i++)
        if (!is_one_of(n->child[i]->name, reserved))
            return true;
    return false;
}

static void write_attributes(struct writer *w, const struct json_node *n, const char *const *reserved)
{
    if (w->form == AVRO_CANONICAL || n->type != JSON_OBJECT)
        return;
    for (unsigned i = 0; i < n->n; i++) {
        const struct json_node *one = w->form == AVRO_NORMALIZED ? n->by_name[i] : n->child[i];

        if (is_one_of(one->name, reserved))
            continue;
        if (w->out->n && w->out->p[w->out->n - 1] != '{')
            buf_char(w->out, ',');
        buf_json_string(w->out, one->name);
        buf_char(w->out, ':');
        json_tree_write(one, w->form == AVRO_NORMALIZED, w->out);
    }
}

static void write_aliases(struct writer *w, const struct json_node *n)
{
    const struct json_node *aliases = json_tree_get(n, "aliases");

    if (aliases && aliases->n)
        member_value(w, "aliases", aliases);
}

static void write_field(struct writer *w, const struct avro_field *f, struct slice space)
{
    const struct json_node *order = json_tree_get(f->json, "order");

    buf_char(w->out, '{');
    member_text(w, "name", f->name);
    key(w, "type");
    write_type(w, f->type, space);
    member_string(w, "doc", json_tree_get(f->json, "doc"));
    member_value(w, "default", f->value);
    if (order && !json_tree_is(order, "ascending"))
        member_value(w, "order", order);
    write_aliases(w, f->json);
    write_attributes(w, f->json, reserved_field);
    buf_char(w->out, '}');
}

static void write_body(struct writer *w, const struct avro_type *t)
{
    switch (t->kind) {
    case AVRO_RECORD:
        key(w, "fields");
        buf_char(w->out, '[');
        for (unsigned i = 0; i < t->n; i++) {
            if (i)
                buf_char(w->out, ',');
            write_field(w, &t->field[i], t->space);
        }
        buf_char(w->out, ']');
        break;
    case AVRO_ENUM:
        key(w, "symbols");
        json_tree_write(t->symbols, false, w->out);
        member_value(w, "default", json_tree_get(t->json, "default"));
        break;
    default:
        key(w, "size");
        buf_slice(w->out, t->size);
    }
}

static void write_reference(struct writer *w, const struct avro_type *t, struct slice space)
{
    buf_json_string(w->out, w->form == AVRO_COMPACT && slice_eq(t->space, space) ? t->name : t->full);
}

static void write_named(struct writer *w, const struct avro_type *t, struct slice space)
{
    const struct json_node *type = json_tree_get(t->json, "type");

    if (t->origin.p || w->written[t->id]) {
        write_reference(w, t, space);
        return;
    }
    w->written[t->id] = 1;
    buf_char(w->out, '{');
    if (w->form == AVRO_CANONICAL) {
        member_text(w, "name", t->full);
        member_text(w, "type", slice_of(avro_kind_name(t->kind)));
    } else {
        member_text(w, "type", type->text);
        member_text(w, "name", w->form == AVRO_COMPACT ? t->name : t->full);
    }
    /* A name without dots would be taken for one of the namespace around it. */
    if (w->form == AVRO_COMPACT ? !slice_eq(t->space, space) : w->form == AVRO_NORMALIZED && !t->space.n && space.n)
        member_text(w, "namespace", t->space);
    member_string(w, "doc", json_tree_get(t->json, "doc"));
    write_body(w, t);
    write_aliases(w, t->json);
    write_attributes(w, t->json, reserved_type);
    buf_char(w->out, '}');
}

static void write_type(struct writer *w, const struct avro_type *t, struct slice space)
{
    if (avro_named(t->kind)) {
        write_named(w, t, space);
        return;
    }
    if (t->kind == AVRO_UNION) {
        buf_char(w->out, '[');
        for (unsigned i = 0; i < t->n; i++) {
            if (i)
                buf_char(w->out, ',');
            write_type(w, t->branch[i], space);
        }
        buf_char(w->out, ']');
        return;
    }
    bool items = t->kind == AVRO_ARRAY || t->kind == AVRO_MAP;

    if (!items && (w->form == AVRO_CANONICAL || !has_attributes(t->json, reserved_type))) {
        buf_json_string(w->out, slice_of(avro_kind_name(t->kind)));
        return;
    }
    buf_char(w->out, '{');
    member_text(w, "type", slice_of(avro_kind_name(t->kind)));
    if (items) {
        key(w, t->kind == AVRO_ARRAY ? "items" : "values");
        write_type(w, t->branch[0], space);
    }
    write_attributes(w, t->json, reserved_type);
    buf_char(w->out, '}');
}

void avro_write(const struct avro_schema *s, enum avro_form form, struct buf *out)
{
    struct writer w = { out, form, calloc(s->types + 1, 1) };

    if (!w.written) {
        out->failed = true;
        return;
    }
    write_type(&w, s->root, SLICE(""));
    free(w.written);
}
