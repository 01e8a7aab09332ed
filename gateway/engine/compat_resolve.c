#include <stdlib.h>

#include "gateway/engine/compat_json.h"
#include "gateway/jsonschema/keywords.h"
#include "gateway/jsonschema/uri.h"

enum draft draft_of(const struct json_node *n)
{
    return (enum draft)(n->tag & TAG_DRAFT);
}

const struct json_node *keyword(const struct json_node *schema, const char *name)
{
    const struct json_node *value = json_tree_get(schema, name);

    return value && keywords[keyword_find(slice_of(name))].drafts >> draft_of(schema) & 1 ? value : NULL;
}

/* --- documents ------------------------------------------------------------------------------------------------------ */
static struct side *side_of(struct comparison *c, const struct json_node *n)
{
    return n->tag & TAG_WRITER ? &c->writer : &c->reader;
}

/* References are followed late, also while a counterexample is made in memory of its own; what they lead to stays. */
static bool remember(struct comparison *c, struct side *s, struct resource one)
{
    if (!one.uri.p) {
        c->no_memory = true;
        return false;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct resource *v = arena_alloc(c->report->arena, cap * sizeof *v);

        if (!v) {
            c->no_memory = true;
            return false;
        }
        if (s->n)
            memcpy(v, s->v, s->n * sizeof *v);
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = one;
    return true;
}

static bool draft_said(const struct json_node *n, enum draft *ret)
{
    const struct json_node *schema = json_tree_get(n, "$schema");

    return !schema || schema->type != JSON_STRING || jsonschema_draft_named(schema->text, ret);
}

static bool index_anchor(struct comparison *c, struct json_node *n, struct slice base, const char *name)
{
    const struct json_node *anchor = keyword(n, name);

    return !anchor || anchor->type != JSON_STRING ||
           remember(c, side_of(c, n), (struct resource){ base, anchor->text, n, name[1] == 'd' });
}

/* Of an object: whether it begins a resource, and its anchors. */
static bool index_object(struct comparison *c, struct json_node *n, struct slice *base, enum draft *d)
{
    const struct json_node *id = json_tree_get(n, *d == DRAFT_4 ? "id" : "$id"), *recursive;
    struct side *s = side_of(c, n);

    if (id && id->type == JSON_STRING && !(*d <= DRAFT_7 && json_tree_get(n, "$ref"))) {
        struct slice fragment = uri_fragment(id->text);

        if (id->text.n && *id->text.p != '#') {
            *base = uri_resolve(c->report->arena, *base, id->text);
            n->tag |= TAG_RESOURCE;
            s->unknown |= !draft_said(n, d);
            if (!remember(c, s, (struct resource){ *base, SLICE_NONE, n, false }))
                return false;
        }
        if (fragment.n && *d <= DRAFT_7 && !remember(c, s, (struct resource){ *base, fragment, n, false }))
            return false;
    }
    n->tag = (n->tag & ~(unsigned)TAG_DRAFT) | *d;
    s->fourth |= *d == DRAFT_4;
    s->later |= *d != DRAFT_4;
    if ((recursive = keyword(n, "$recursiveAnchor")) && recursive->type == JSON_TRUE)
        s->recursive++;
    s->dynamic |= recursive || keyword(n, "$dynamicAnchor");
    return index_anchor(c, n, *base, "$anchor") && index_anchor(c, n, *base, "$dynamicAnchor");
}

/* A schema and all that its keywords hold; what stands elsewhere is one only when a reference leads to it. */
static bool walk(struct comparison *c, struct json_node *n, struct slice base, enum draft d)
{
    if (n->tag & TAG_SCHEMA)
        return true;
    n->tag |= TAG_SCHEMA | d;
    if (n->type == JSON_OBJECT && !index_object(c, n, &base, &d))
        return false;
    for (unsigned i = 0; n->type == JSON_OBJECT && i < n->n; i++) {
        struct json_node *value = n->child[i];
        enum keyword k = keyword_find(value->name);
        enum takes takes = k == K_END || !(keywords[k].drafts >> d & 1) ? TAKES_ANY : (enum takes)keywords[k].takes;
        bool one = takes == TAKES_SCHEMA || takes == TAKES_SCHEMA_OR_BOOL || (takes == TAKES_ITEMS && value->type != JSON_ARRAY);

        if (takes < TAKES_SCHEMA)
            continue;
        if (one && !walk(c, value, base, d))
            return false;
        for (unsigned m = 0; !one && m < value->n; m++)
            if (!walk(c, value->child[m], base, d))
                return false;
    }
    return true;
}

static void mark(struct json_node *n, unsigned tag)
{
    n->tag = tag;
    for (unsigned i = 0; i < n->n; i++)
        mark(n->child[i], tag);
}

static enum err read_document(struct comparison *c, struct side *s, struct slice text, struct slice uri, unsigned tag,
                              struct json_node **ret, struct fault *f)
{
    enum draft d = DRAFT_7;
    enum err e;

    if ((e = json_tree_parse(text, COMPAT_DEPTH, c->arena, ret, f)))
        return e;
    mark(*ret, tag);
    (*ret)->tag |= TAG_RESOURCE;
    s->unknown |= !draft_said(*ret, &d);
    if (!remember(c, s, (struct resource){ uri, SLICE_NONE, *ret, false }) || !walk(c, *ret, uri, d))
        return fault(f, ERR_NO_MEMORY, "The schema takes more memory than there is for it.");
    return OK;
}

/* Other documents are known by their names, as they are and as seen from the schema. */
enum err side_read(struct comparison *c, struct side *s, const struct schema_text *text, bool writer, struct fault *f)
{
    unsigned side = writer ? TAG_WRITER : 0;
    struct json_node *document;
    enum err e;

    s->text = text;
    if ((e = read_document(c, s, text->text, SLICE(""), side, &s->root, f)))
        return e;
    struct slice base = s->n > 1 && s->v[1].node == s->root && !s->v[1].anchor.p ? s->v[1].uri : SLICE("");

    for (size_t i = 0; i < text->n; i++) {
        struct slice is = uri_resolve(c->arena, SLICE(""), text->refs[i].name);
        struct slice seen = uri_resolve(c->arena, base, text->refs[i].name);

        if ((e = read_document(c, s, text->refs[i].text, seen, side | (unsigned)(i + 1) << TAG_DOCUMENT, &document, f)))
            return e;
        if (!remember(c, s, (struct resource){ is, SLICE_NONE, document, false }))
            return fault(f, ERR_NO_MEMORY, "The schema takes more memory than there is for it.");
    }
    return OK;
}

struct slice place_of(struct comparison *c, const struct json_node *n)
{
    struct slice pointer = json_tree_pointer(n, c->arena);
    unsigned document = n->tag >> TAG_DOCUMENT;
    char *p;

    if (!document || !pointer.p)
        return pointer;
    const struct slice name = side_of(c, n)->text->refs[document - 1].name;

    p = arena_printf(c->arena, "%.*s#%.*s", (int)name.n, name.p, (int)pointer.n, pointer.p);
    return slice_of(p);
}

/* --- references ----------------------------------------------------------------------------------------------------- */
/* The resource that a node is in; a node's own URI is told after that of its document. */
static struct slice base_of(struct comparison *c, const struct json_node *n)
{
    const struct side *s = side_of(c, n);
    struct slice base = SLICE("");

    while (n->parent && !(n->tag & TAG_RESOURCE))
        n = n->parent;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].node == n && !s->v[i].anchor.p) {
            base = s->v[i].uri;
            if (i + 1 == s->n || s->v[i + 1].node != n || s->v[i + 1].anchor.p)
                break;
        }
    return base;
}

struct slice resolve_uri(struct comparison *c, const struct json_node *ref)
{
    struct slice uri = uri_resolve(c->arena, base_of(c, ref), ref->text);

    c->no_memory |= !uri.p;
    return uri;
}

static struct json_node *as_schema(struct comparison *c, struct json_node *n)
{
    const struct json_node *around = n;

    while (around->parent && !(around->tag & TAG_SCHEMA))
        around = around->parent;
    return walk(c, n, base_of(c, around), draft_of(around)) && !side_of(c, n)->unknown ? n : NULL;
}

/* Where a reference leads before it is evaluated; NULL: to nothing known. */
static struct json_node *resolve(struct comparison *c, const struct json_node *ref)
{
    const struct side *s = side_of(c, ref);
    struct slice fragment, uri;

    if (ref->type != JSON_STRING || !(uri = resolve_uri(c, ref)).p || !spend(c, (long)(s->n * (1 + uri.n / 64))))
        return NULL;
    fragment = uri_fragment(ref->text);
    if (fragment.n && !uri_unescape(c->arena, fragment, &fragment)) {
        c->no_memory = true;
        return NULL;
    }
    bool pointer = !fragment.n || *fragment.p == '/';

    for (size_t i = 0; i < s->n; i++) {
        struct json_node *n = s->v[i].node;

        if (!slice_eq(s->v[i].uri, uri) ||
            (pointer ? s->v[i].anchor.p != NULL : !s->v[i].anchor.p || !slice_eq(s->v[i].anchor, fragment)))
            continue;
        if (!pointer || (n = json_tree_at(n, fragment)))
            return as_schema(c, n);
    }
    return NULL;
}

const struct json_node *reference_at(const struct json_node *schema, int i)
{
    static const char *const names[REFERENCES] = { "$ref", "$dynamicRef", "$recursiveRef" };

    return keyword(schema, names[i]);
}

static unsigned dynamic_anchors(const struct side *s, struct slice name)
{
    unsigned n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->v[i].dynamic && slice_eq(s->v[i].anchor, name);
    return n;
}

/* Where there is one dynamic anchor of that name, every path of evaluation leads to it. */
const struct json_node *target_of(struct comparison *c, const struct json_node *ref)
{
    const struct json_node *n = resolve(c, ref), *anchor;
    const struct side *s = side_of(c, ref);

    if (!n || slice_is(ref->name, "$ref"))
        return n;
    if (slice_is(ref->name, "$recursiveRef"))
        return keyword(n, "$recursiveAnchor") && s->recursive > 1 ? NULL : n;
    struct slice name = uri_fragment(ref->text);

    anchor = keyword(n, "$dynamicAnchor");
    return anchor && slice_eq(anchor->text, name) && dynamic_anchors(s, name) > 1 ? NULL : n;
}
