#include "gateway/base/buf.h"
#include "gateway/base/utf8.h"
#include "gateway/jsonschema/eval.h"

static const char *const type_names[T_TYPES] = {
    [T_NULL] = "null",   [T_FALSE] = "a boolean", [T_TRUE] = "a boolean", [T_INT] = "an integer", [T_WHOLE] = "an integer",
    [T_REAL] = "a number", [T_STRING] = "a string", [T_ARRAY] = "an array", [T_OBJECT] = "an object",
};

/* Keywords whose number or text says it all; %.*s is their value. */
static const char *const limits[K_END] = {
    [K_MAXIMUM] = "It must be at most %.*s.",
    [K_MINIMUM] = "It must be at least %.*s.",
    [K_EXCLUSIVE_MAXIMUM] = "It must be less than %.*s.",
    [K_EXCLUSIVE_MINIMUM] = "It must be more than %.*s.",
    [K_MULTIPLE_OF] = "It must be a multiple of %.*s.",
    [K_MAX_LENGTH] = "It must have at most %.*s characters.",
    [K_MIN_LENGTH] = "It must have at least %.*s characters.",
    [K_MAX_ITEMS] = "It must have at most %.*s items.",
    [K_MIN_ITEMS] = "It must have at least %.*s items.",
    [K_MAX_PROPERTIES] = "It must have at most %.*s members.",
    [K_MIN_PROPERTIES] = "It must have at least %.*s members.",
    [K_MAX_CONTAINS] = "At most %.*s of its items may match.",
    [K_MIN_CONTAINS] = "At least %.*s of its items must match.",
    [K_PATTERN] = "It must match the regular expression %.*s",
    [K_FORMAT] = "It must have the format %.*s.",
};

/* Keywords that need no value. */
static const char *const plain[K_END] = {
    [K_CONTAINS] = "None of its items matches.",
    [K_NOT] = "It matches what it must not match.",
    [K_ANY_OF] = "It matches none of the schemas of anyOf.",
    [K_ONE_OF] = "It matches none of the schemas of oneOf.",
    [K_ADDITIONAL_PROPERTIES] = "This member is not allowed.",
    [K_UNEVALUATED_PROPERTIES] = "This member is not allowed.",
    [K_PROPERTIES] = "This member is not allowed.",
    [K_PATTERN_PROPERTIES] = "This member is not allowed.",
    [K_PROPERTY_NAMES] = "This name is not allowed.",
    [K_ADDITIONAL_ITEMS] = "This item is not allowed.",
    [K_UNEVALUATED_ITEMS] = "This item is not allowed.",
    [K_ITEMS] = "This item is not allowed.",
    [K_PREFIX_ITEMS] = "This item is not allowed.",
    [K_DEPENDENCIES] = "It is not allowed beside another member.",
    [K_DEPENDENT_SCHEMAS] = "It is not allowed beside another member.",
};

enum { SHOWN = 60, NAMES = 12 };

/* The beginning of a text, for a sentence. */
static void put_some(struct buf *b, struct slice s)
{
    size_t n = utf8_cut(s.p, s.n, SHOWN);

    buf_put(b, s.p, n);
    if (n < s.n)
        buf_str(b, "…");
}

/* A value of the schema: short ones as they are. */
static void put_value(struct buf *b, const struct node *v)
{
    static const char *const words[] = { [T_NULL] = "null", [T_FALSE] = "false", [T_TRUE] = "true" };

    if (v->type == T_STRING) {
        buf_char(b, '"');
        put_some(b, node_slice(v));
        buf_char(b, '"');
    } else if (node_is_number(v)) {
        put_some(b, node_slice(v));
    } else {
        buf_str(b, v->type <= T_TRUE ? words[v->type] : type_names[v->type]);
    }
}

static void put_list(struct buf *b, const struct node *list)
{
    const struct node *e = list + 1;

    for (uint32_t i = 0; i < list->n; i++, e += e->skip) {
        if (i == NAMES) {
            buf_str(b, ", …");
            break;
        }
        buf_str(b, i ? ", " : "");
        put_value(b, e);
    }
}

static void put_type(struct buf *b, const struct failure *f)
{
    buf_printf(b, "It is %s and must be ", type_names[f->v->type]);
    if (f->at->type == T_STRING)
        put_some(b, node_slice(f->at));
    else
        put_list(b, f->at);
    buf_char(b, '.');
}

static void put_detail(struct buf *b, const struct failure *f)
{
    if (f->op && f->name.p) {
        buf_str(b, "The member \"");
        put_some(b, f->name);
        buf_str(b, "\" is missing.");
    } else if (!f->op && f->keyword == K_TYPE) {
        put_type(b, f);
    } else if (f->keyword == K_ENUM) {
        buf_str(b, "It must be one of ");
        put_list(b, f->at);
        buf_char(b, '.');
    } else if (f->keyword == K_CONST) {
        buf_str(b, "It must be ");
        put_value(b, f->at);
        buf_char(b, '.');
    } else if (f->keyword == K_UNIQUE_ITEMS) {
        buf_printf(b, "It equals item %u: items must be unique.", f->n);
    } else if (f->keyword == K_ONE_OF && f->n) {
        buf_printf(b, "It matches more than one schema of oneOf, number %u as well.", f->n - 1);
    } else if (f->op && f->keyword < K_END && limits[f->keyword]) {
        size_t n = utf8_cut(f->at->p, f->at->n, SHOWN);

        buf_printf(b, limits[f->keyword], (int)n, f->at->p);
    } else {
        buf_str(b, f->keyword < K_END && plain[f->keyword] ? plain[f->keyword] : "Nothing is allowed here.");
    }
}

/* In another document than the schema itself its URI and # stand before the pointer. */
static struct slice schema_pointer(struct run *r, const struct failure *f, struct arena *a)
{
    const struct document *d = f->block->document;
    struct slice pointer = tree_pointer(&d->tree, f->at, a);

    if (!pointer.p || d == r->s->document)
        return pointer;
    char *whole = arena_printf(a, "%.*s#%.*s", (int)d->uri.n, d->uri.p, (int)pointer.n, pointer.p);

    return slice_of(whole);
}

bool findings_render(struct run *r, const struct notes *notes, struct arena *a, struct finding *ret)
{
    struct buf b = { 0 };

    for (uint32_t i = 0; i < notes->n; i++) {
        const struct failure *f = &notes->list[i];

        buf_reset(&b);
        put_detail(&b, f);
        ret[i].pointer = tree_pointer(&r->tree, f->v, a);
        ret[i].keyword = slice_of(f->keyword < K_END ? keywords[f->keyword].name : "");
        ret[i].schema_pointer = schema_pointer(r, f, a);
        ret[i].detail = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
        if (!ret[i].pointer.p || !ret[i].schema_pointer.p || !ret[i].detail.p) {
            buf_free(&b);
            return false;
        }
    }
    buf_free(&b);
    return true;
}
