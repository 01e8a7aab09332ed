#include <stdlib.h>

#include "gateway/engine/compat_json.h"

/* Which keywords a draft knows; what is not listed is in all of them. */
static const struct {
    const char *name;
    enum draft from, to;
} eras[] = {
    { "const", DRAFT_6, DRAFT_2020_12 },
    { "contains", DRAFT_6, DRAFT_2020_12 },
    { "propertyNames", DRAFT_6, DRAFT_2020_12 },
    { "if", DRAFT_7, DRAFT_2020_12 },
    { "then", DRAFT_7, DRAFT_2020_12 },
    { "else", DRAFT_7, DRAFT_2020_12 },
    { "dependentRequired", DRAFT_2019_09, DRAFT_2020_12 },
    { "dependentSchemas", DRAFT_2019_09, DRAFT_2020_12 },
    { "unevaluatedItems", DRAFT_2019_09, DRAFT_2020_12 },
    { "unevaluatedProperties", DRAFT_2019_09, DRAFT_2020_12 },
    { "minContains", DRAFT_2019_09, DRAFT_2020_12 },
    { "maxContains", DRAFT_2019_09, DRAFT_2020_12 },
    { "$anchor", DRAFT_2019_09, DRAFT_2020_12 },
    { "$recursiveRef", DRAFT_2019_09, DRAFT_2019_09 },
    { "$recursiveAnchor", DRAFT_2019_09, DRAFT_2019_09 },
    { "prefixItems", DRAFT_2020_12, DRAFT_2020_12 },
    { "$dynamicRef", DRAFT_2020_12, DRAFT_2020_12 },
    { "$dynamicAnchor", DRAFT_2020_12, DRAFT_2020_12 },
    { "additionalItems", DRAFT_4, DRAFT_2019_09 },
};

static const struct {
    const char *uri;             /* without # at its end */
    enum draft draft;
} metaschemas_known[] = {
    { "http://json-schema.org/draft-04/schema", DRAFT_4 },
    { "http://json-schema.org/draft-06/schema", DRAFT_6 },
    { "http://json-schema.org/draft-07/schema", DRAFT_7 },
    { "https://json-schema.org/draft/2019-09/schema", DRAFT_2019_09 },
    { "https://json-schema.org/draft/2020-12/schema", DRAFT_2020_12 },
};

/* What holds values, not schemas. */
static bool holds_values(struct slice name)
{
    return slice_is(name, "enum") || slice_is(name, "const") || slice_is(name, "default") || slice_is(name, "examples");
}

enum draft draft_of(const struct json_node *n)
{
    return (enum draft)(n->tag & TAG_DRAFT);
}

const struct json_node *keyword(const struct json_node *schema, const char *name)
{
    const struct json_node *value = json_tree_get(schema, name);
    enum draft d;

    if (!value)
        return NULL;
    d = draft_of(schema);
    for (size_t i = 0; i < sizeof eras / sizeof *eras; i++)
        if (!strcmp(eras[i].name, name))
            return d >= eras[i].from && d <= eras[i].to ? value : NULL;
    return value;
}

/* --- URIs (RFC 3986, 5.2) ------------------------------------------------------------------------------------------- */
static size_t scheme_length(struct slice u)
{
    for (size_t i = 0; i < u.n; i++) {
        char c = u.p[i];

        if (c == ':')
            return i ? i + 1 : 0;
        if (c == '/' || c == '?' || c == '#')
            break;
    }
    return 0;
}

static struct slice without_fragment(struct slice u, struct slice *ret_fragment)
{
    const char *hash = u.n ? memchr(u.p, '#', u.n) : NULL;

    *ret_fragment = hash ? (struct slice){ hash + 1, (size_t)(u.p + u.n - hash - 1) } : SLICE_NONE;
    return hash ? (struct slice){ u.p, (size_t)(hash - u.p) } : u;
}

/* The length of scheme and authority. */
static size_t root_length(struct slice u)
{
    size_t n = scheme_length(u);

    if (u.n >= n + 2 && u.p[n] == '/' && u.p[n + 1] == '/')
        for (n += 2; n < u.n && u.p[n] != '/' && u.p[n] != '?'; n++)
            ;
    return n;
}

static void remove_dots(char *path, size_t *n)
{
    size_t out = 0, i = 0;

    while (i < *n) {
        size_t end = i + 1;

        while (end < *n && path[end] != '/')
            end++;
        size_t len = end - i;

        if (len == 2 && !memcmp(path + i, "/.", 2)) {
            if (end == *n)
                path[out++] = '/';
        } else if (len == 3 && !memcmp(path + i, "/..", 3)) {
            while (out && path[--out] != '/')
                ;
            if (end == *n)
                path[out++] = '/';
        } else {
            memmove(path + out, path + i, len);
            out += len;
        }
        i = end;
    }
    *n = out;
}

/* `ref` without its fragment, against an absolute base. */
static struct slice join(struct comparison *c, struct slice base, struct slice ref)
{
    size_t root = root_length(base), keep = base.n, n;
    char *p;

    if (!ref.n)
        return base;
    if (scheme_length(ref))
        return ref;
    if (ref.n >= 2 && ref.p[0] == '/' && ref.p[1] == '/')
        keep = root = scheme_length(base);
    else if (*ref.p == '/')
        keep = root;
    else
        while (keep > root && base.p[keep - 1] != '/')
            keep--;
    if (!(p = arena_alloc(c->arena, keep + ref.n + 1))) {
        c->no_memory = true;
        return SLICE_NONE;
    }
    if (keep)
        memcpy(p, base.p, keep);
    memcpy(p + keep, ref.p, ref.n);
    n = keep + ref.n - root;
    if (n && p[root] == '/')
        remove_dots(p + root, &n);
    return (struct slice){ p, root + n };
}

/* --- documents ------------------------------------------------------------------------------------------------------ */
static struct side *side_of(struct comparison *c, const struct json_node *n)
{
    return n->tag & TAG_WRITER ? &c->writer : &c->reader;
}

static bool remember(struct comparison *c, struct side *s, struct slice uri, struct slice anchor, struct json_node *n)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct resource *v = arena_alloc(c->arena, cap * sizeof *v);

        if (!v) {
            c->no_memory = true;
            return false;
        }
        if (s->n)
            memcpy(v, s->v, s->n * sizeof *v);
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = (struct resource){ uri, anchor, n };
    return true;
}

static bool draft_said(const struct json_node *n, enum draft *ret)
{
    const struct json_node *schema = json_tree_get(n, "$schema");
    struct slice fragment, uri;

    if (!schema || schema->type != JSON_STRING)
        return true;
    uri = without_fragment(schema->text, &fragment);
    for (size_t i = 0; i < sizeof metaschemas_known / sizeof *metaschemas_known; i++)
        if (slice_is(uri, metaschemas_known[i].uri)) {
            *ret = metaschemas_known[i].draft;
            return true;
        }
    return false;
}

struct walk {
    struct comparison *c;
    struct side *side;
    unsigned tag;                /* but for the draft */
    bool unknown;                /* a $schema that is not known */
};

static bool index_anchor(struct walk *w, struct json_node *n, struct slice base, const char *name)
{
    const struct json_node *anchor = keyword(n, name);

    return !anchor || anchor->type != JSON_STRING || remember(w->c, w->side, base, anchor->text, n);
}

static bool walk(struct walk *w, struct json_node *n, struct slice base, enum draft d);

static bool index_object(struct walk *w, struct json_node *n, struct slice *base, enum draft *d)
{
    const struct json_node *id = json_tree_get(n, *d == DRAFT_4 ? "id" : "$id");
    struct slice fragment, uri;

    if (id && id->type == JSON_STRING && !(*d <= DRAFT_7 && json_tree_get(n, "$ref"))) {
        uri = without_fragment(id->text, &fragment);
        if (uri.n || !fragment.p) {
            *base = join(w->c, *base, uri);
            n->tag |= TAG_RESOURCE;
            w->unknown |= !draft_said(n, d);
            if (!base->p || !remember(w->c, w->side, *base, SLICE_NONE, n))
                return false;
        }
        if (fragment.n && *d <= DRAFT_7 && !remember(w->c, w->side, *base, fragment, n))
            return false;
    }
    n->tag = (n->tag & ~(unsigned)TAG_DRAFT) | *d;
    w->side->fourth |= *d == DRAFT_4;
    w->side->later |= *d != DRAFT_4;
    w->side->dynamic |= keyword(n, "$dynamicAnchor") || keyword(n, "$recursiveAnchor");
    return index_anchor(w, n, *base, "$anchor") && index_anchor(w, n, *base, "$dynamicAnchor");
}

static bool walk(struct walk *w, struct json_node *n, struct slice base, enum draft d)
{
    bool schemas = n->type == JSON_OBJECT || n->type == JSON_ARRAY;

    n->tag |= w->tag | d;
    if (n->type == JSON_OBJECT && !index_object(w, n, &base, &d))
        return false;
    for (unsigned i = 0; schemas && i < n->n; i++) {
        struct json_node *child = n->child[i];
        /* A property may be called as a keyword is: then it is no string or array, but a schema. */
        bool values = n->type == JSON_OBJECT && holds_values(child->name) &&
                      !(n->parent && n->parent->type == JSON_OBJECT && (slice_is(n->name, "properties") ||
                          slice_is(n->name, "$defs") ||
                                                                        slice_is(n->name, "definitions")));

        if (!values && !walk(w, child, base, d))
            return false;
        if (values)
            child->tag |= w->tag | d;
    }
    return true;
}

static enum err read_document(struct comparison *c, struct side *s, struct slice text, struct slice uri, unsigned tag,
                              struct json_node **ret, struct fault *f)
{
    struct walk w = { c, s, tag, false };
    enum draft d = DRAFT_7;
    enum err e;

    if ((e = json_tree_parse(text, COMPAT_DEPTH, c->arena, ret, f)))
        return e;
    w.unknown = !draft_said(*ret, &d);
    (*ret)->tag |= TAG_RESOURCE;
    if (!remember(c, s, uri, SLICE_NONE, *ret) || !walk(&w, *ret, uri, d))
        return fault(f, ERR_NO_MEMORY, "The schema takes more memory than there is for it.");
    if (w.unknown)
        return fault(f, ERR_BAD_BODY, "The $schema of a schema is none of the drafts 4, 6, 7, 2019-09 and 2020-"
            "12: it cannot be compared.");
    return OK;
}

/* The schema's own URI is taken as the base of relative names of references. */
enum err side_read(struct comparison *c, struct side *s, const struct schema_text *text, bool writer, struct fault *f)
{
    unsigned side = writer ? TAG_WRITER : 0;
    struct json_node *document;
    struct slice fragment;
    enum err e;

    s->text = text;
    if ((e = read_document(c, s, text->text, SLICE(""), side, &s->root, f)))
        return e;
    struct slice base = s->n > 1 && s->v[1].node == s->root ? s->v[1].uri : SLICE("");

    for (size_t i = 0; i < text->n; i++) {
        struct slice uri = join(c, base, without_fragment(text->refs[i].name, &fragment));

        if (!uri.p)
            return fault(f, ERR_NO_MEMORY, "The schema takes more memory than there is for it.");
        if ((e = read_document(c, s, text->refs[i].text, uri, side | (unsigned)(i + 1) << TAG_DOCUMENT, &document, f)))
            return e;
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
/* The resource that a node is in; the last one told of a node has its fullest URI. */
static struct slice base_of(struct comparison *c, const struct json_node *n)
{
    const struct side *s = side_of(c, n);

    while (n->parent && !(n->tag & TAG_RESOURCE))
        n = n->parent;
    for (size_t i = s->n; i--;)
        if (s->v[i].node == n && !s->v[i].anchor.p)
            return s->v[i].uri;
    return SLICE("");
}

struct slice resolve_uri(struct comparison *c, const struct json_node *ref)
{
    struct slice fragment;

    return join(c, base_of(c, ref), without_fragment(ref->text, &fragment));
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct slice decode(struct comparison *c, struct slice s)
{
    char *p = arena_alloc(c->arena, s.n + 1);
    size_t n = 0;

    if (!p) {
        c->no_memory = true;
        return SLICE_NONE;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;

        p[n++] = escape ? (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])) : s.p[i];
        i += escape ? 2 : 0;
    }
    return (struct slice){ p, n };
}

struct json_node *resolve(struct comparison *c, const struct json_node *ref)
{
    const struct side *s = side_of(c, ref);
    struct slice fragment, uri;

    if (ref->type != JSON_STRING || !spend(c, (long)s->n))
        return NULL;
    without_fragment(ref->text, &fragment);
    uri = resolve_uri(c, ref);
    if (fragment.n && !(fragment = decode(c, fragment)).p)
        return NULL;
    bool pointer = !fragment.n || *fragment.p == '/';

    for (size_t i = 0; i < s->n; i++) {
        struct json_node *n = s->v[i].node;

        if (!slice_eq(s->v[i].uri, uri) || (pointer ? !!s->v[i].anchor.p : !s->v[i].anchor.p ||
            !slice_eq(s->v[i].anchor, fragment)))
            continue;
        if (!pointer)
            return n;
        if ((n = json_tree_at(n, fragment)))
            return n;
    }
    return NULL;
}

/* Of a schema: its reference, if it has one whose target is known before evaluation. */
const struct json_node *reference_of(struct comparison *c, const struct json_node *schema, const struct json_node **ret_target)
{
    static const char *const names[] = { "$ref", "$dynamicRef", "$recursiveRef" };

    *ret_target = NULL;
    for (int i = 0; i < 3; i++) {
        const struct json_node *ref = keyword(schema, names[i]);

        if (!ref)
            continue;
        if (!i || !side_of(c, ref)->dynamic)
            *ret_target = resolve(c, ref);
        return ref;
    }
    return NULL;
}
