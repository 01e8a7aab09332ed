#include <stdarg.h>
#include <stdio.h>

#include "gateway/jsonschema/compile.h"
#include "gateway/jsonschema/uri.h"

enum err refuse(struct compiler *c, const struct document *d, const struct node *at, const char *fmt, ...)
{
    struct slice pointer = tree_pointer(&d->tree, at, c->temp);
    char text[300];
    va_list ap;

    if (!pointer.p)
        return ERR_NO_MEMORY;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!c->fault)
        return ERR_BAD_BODY;
    if (d != c->s->document)
        return fault(c->fault, ERR_BAD_BODY, "In %.*s#%.*s: %s", (int)(d->uri.n < 80 ? d->uri.n : 80), d->uri.p,
                     (int)(pointer.n < 80 ? pointer.n : 80), pointer.p, text);
    if (pointer.n < sizeof c->fault->pointer) {
        memcpy(c->fault->pointer, pointer.p, pointer.n);
        c->fault->pointer[pointer.n] = '\0';
    }
    return fault(c->fault, ERR_BAD_BODY, "%s", text);
}

/* Of a node, as a key: its address. */
static struct slice key_of(const struct node *const *v)
{
    return (struct slice){ (const char *)v, sizeof *v };
}

struct site *site_get(const struct compiler *c, const struct node *v)
{
    return names_get(&c->sites, key_of(&v));
}

bool keyword_counts(const struct resource *r, enum keyword k)
{
    return keywords[k].drafts >> r->draft & 1 && keywords[k].vocabulary & (r->vocabulary | V_CORE);
}

static struct site *site_add(struct compiler *c, const struct node *v, struct resource *r, uint8_t role)
{
    struct site *s = arena_zalloc(c->temp, sizeof *s);

    if (!s)
        return NULL;
    s->node = v;
    s->resource = r;
    s->role = role;
    return names_put(c, &c->sites, key_of(&s->node), s) ? s : NULL;
}

/* The $id of an object, or NULL; beside $ref it means nothing up to draft 7. */
static const struct node *id_of(const struct node *v, enum draft draft)
{
    const struct node *id = v->type == T_OBJECT ? node_member(v, draft == DRAFT_4 ? SLICE("id") : SLICE("$id")) : NULL;

    if (!id || id->type != T_STRING || (draft <= DRAFT_7 && node_member(v, SLICE("$ref"))))
        return NULL;
    return id;
}

static enum err uri_put(struct compiler *c, struct slice uri, struct site *s, const struct node *at)
{
    const struct site *other = names_get(&c->uris, uri);

    if (other && other != s)
        return refuse(c, s->resource->document, at, "The URI \"%.*s\" is given to two schemas.", (int)(uri.n < 150 ? uri.n : 150),
                      uri.p);
    return names_put(c, &c->uris, uri, s) ? OK : ERR_NO_MEMORY;
}

struct slice anchor_uri(struct compiler *c, const struct site *s, struct slice name)
{
    struct slice base = s->resource->base;
    char *uri = arena_alloc(c->temp, base.n + 1 + name.n);

    if (!uri)
        return SLICE_NONE;
    if (base.n)
        memcpy(uri, base.p, base.n);
    uri[base.n] = '#';
    memcpy(uri + base.n + 1, name.p, name.n);
    return (struct slice){ uri, base.n + 1 + name.n };
}

static enum err anchor_put(struct compiler *c, struct site *s, struct slice name, const struct node *at)
{
    struct slice uri = anchor_uri(c, s, name);

    return uri.p ? uri_put(c, uri, s, at) : ERR_NO_MEMORY;
}

static enum err dynamic_put(struct compiler *c, struct site *s, struct slice name, const struct node *at)
{
    struct anchor *a = arena_alloc(c->temp, sizeof *a);

    if (!a)
        return ERR_NO_MEMORY;
    if (++c->n_anchors > MAX_ANCHORS)
        return refuse(c, s->resource->document, at, "There are more than %d dynamic anchors.", MAX_ANCHORS);
    *a = (struct anchor){ c->anchors, name, s };
    c->anchors = a;
    s->dynamic = name.n > 0;
    return OK;
}

/* A resource of its own: the root of a document, or what has an $id. */
static enum err resource_begin(struct compiler *c, struct site *s, struct document *d, const struct resource *parent)
{
    struct resource *r = arena_zalloc(c->temp, sizeof *r);
    struct slice base = parent ? parent->base : d->uri;
    const struct node *id;
    enum err e;

    if (!r)
        return ERR_NO_MEMORY;
    *r = (struct resource){ .id = c->resources++, .base = base, .document = d, .root = s };
    r->draft = parent ? parent->draft : c->unless_said;
    r->vocabulary = parent ? parent->vocabulary : V_ALL;
    s->resource = r;
    if (s->node->type == T_OBJECT && (e = dialect_of(c, s->node, r)))
        return e;
    if ((id = id_of(s->node, r->draft)) && (id->n && id->p[0] != '#')) {
        if (!(r->base = uri_resolve(c->temp, base, node_slice(id))).p)
            return ERR_NO_MEMORY;
    }
    if (parent || !slice_eq(r->base, base))
        if ((e = uri_put(c, r->base, s, id ? id : s->node)))
            return e;
    return OK;
}

static enum err anchors_of(struct compiler *c, struct site *s)
{
    const struct resource *r = s->resource;
    const struct node *v = s->node, *id = id_of(v, r->draft), *a;
    struct slice name = id && r->draft <= DRAFT_7 ? uri_fragment(node_slice(id)) : SLICE_NONE;
    enum err e;

    if (name.n && name.p[0] != '/' && (e = anchor_put(c, s, name, id)))
        return e;
    if (r->draft >= DRAFT_2019_09 && (a = node_member(v, SLICE("$anchor"))) && a->type == T_STRING &&
        (e = anchor_put(c, s, node_slice(a), a)))
        return e;
    if (r->draft == DRAFT_2020_12 && (a = node_member(v, SLICE("$dynamicAnchor"))) && a->type == T_STRING) {
        if ((e = anchor_put(c, s, node_slice(a), a)) || (e = dynamic_put(c, s, node_slice(a), a)))
            return e;
    }
    if (r->draft == DRAFT_2019_09 && r->root == s && (a = node_member(v, SLICE("$recursiveAnchor"))) && a->type == T_TRUE) {
        s->resource->recursive = true;
        return dynamic_put(c, s, SLICE(""), a);
    }
    return OK;
}

/* The subschemas in a value: itself, or its entries. */
static enum err walk_value(struct compiler *c, enum keyword k, const struct node *v, struct resource *r)
{
    enum takes takes = (enum takes)keywords[k].takes;
    bool object = v->type == T_OBJECT;
    struct site *s;
    enum err e;

    if (takes == TAKES_SCHEMA || takes == TAKES_SCHEMA_OR_BOOL || (takes == TAKES_ITEMS && v->type != T_ARRAY))
        return site_at(c, v, r, (uint8_t)k, &s);
    const struct node *entry = v + 1 + object;

    for (uint32_t i = 0; i < v->n; i++, entry += entry->skip + object) {
        if (takes == TAKES_DEPENDENCIES && entry->type == T_ARRAY)
            continue;
        if ((e = site_at(c, entry, r, (uint8_t)k, &s)))
            return e;
    }
    return OK;
}

static enum err walk(struct compiler *c, struct site *s)
{
    struct resource *r = s->resource;
    const struct node *name = s->node + 1, *bad;
    enum err e;

    if ((e = anchors_of(c, s)))
        return e;
    for (uint32_t i = 0; i < s->node->n; i++, name += 1 + name[1].skip) {
        enum keyword k = keyword_find(node_slice(name));
        struct fault why = { 0 };

        if (k == K_END || !keyword_counts(r, k))
            continue;
        if (keyword_check(k, name + 1, r->draft, &bad, &why))
            return refuse(c, r->document, bad, "%s", why.detail);
        if (keywords[k].takes >= TAKES_SCHEMA && (e = walk_value(c, k, name + 1, r)))
            return e;
    }
    return OK;
}

enum err site_at(struct compiler *c, const struct node *v, struct resource *r, uint8_t role, struct site **ret)
{
    const struct node *id;
    enum err e;

    if ((*ret = site_get(c, v)))
        return OK;
    if (v->type != T_OBJECT && v->type != T_TRUE && v->type != T_FALSE)
        return refuse(c, r->document, v, "This is no schema: a schema is an object, true or false.");
    if (!(*ret = site_add(c, v, r, role)))
        return ERR_NO_MEMORY;
    if (v->type != T_OBJECT)
        return OK;
    if ((id = id_of(v, r->draft)) && id->n && id->p[0] != '#' && (e = resource_begin(c, *ret, r->document, r)))
        return e;
    return walk(c, *ret);
}

enum err document_add(struct compiler *c, struct slice uri, struct slice text, struct document **ret)
{
    struct document *d = arena_zalloc(c->arena, sizeof *d);
    struct fault why = { 0 };
    struct site *s;
    enum err e;

    if (!d)
        return ERR_NO_MEMORY;
    c->bytes += text.n;
    if (text.n > JSONSCHEMA_TEXT || c->bytes > JSONSCHEMA_DOCUMENTS)
        return fault(c->fault, ERR_BAD_BODY, "The schema is too large: at most %d bytes, and %d with all that it names.",
                     JSONSCHEMA_TEXT, JSONSCHEMA_DOCUMENTS);
    d->uri = uri.n ? arena_slice(c->arena, uri) : SLICE("");
    text = text.n ? arena_slice(c->arena, text) : SLICE("");
    if (!d->uri.p || !text.p)
        return ERR_NO_MEMORY;
    if ((e = tree_build(&d->tree, text, c->arena, true, &why)))
        return e == ERR_BAD_JSON ? fault(c->fault, ERR_BAD_BODY, "The schema%s%.*s is not JSON. %s", uri.n ? " " : "",
                                         (int)(uri.n < 100 ? uri.n : 100), uri.n ? uri.p : "", why.detail)
                                 : e;
    if (!arena_defer(c->arena, (void (*)(void *))tree_free, &d->tree)) {
        tree_free(&d->tree);
        return ERR_NO_MEMORY;
    }
    if (!c->s->document)
        c->s->document = d;
    c->s->memory += d->tree.cap * sizeof *d->tree.nodes;
    d->next = c->documents;
    c->documents = d;
    *ret = d;
    const struct node *root = d->tree.nodes;

    if (root->type != T_OBJECT && root->type != T_TRUE && root->type != T_FALSE)
        return refuse(c, d, root, "This is no schema: a schema is an object, true or false.");
    if (!(s = site_add(c, root, NULL, K_END)))
        return ERR_NO_MEMORY;
    if (!names_put(c, &c->uris, d->uri, s))
        return ERR_NO_MEMORY;
    if ((e = resource_begin(c, s, d, NULL)))
        return e;
    return root->type == T_OBJECT ? walk(c, s) : OK;
}
