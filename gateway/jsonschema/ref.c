#include "gateway/jsonschema/compile.h"
#include "gateway/jsonschema/metaschemas.h"
#include "gateway/jsonschema/uri.h"

/* Of the documents given: by the URI that they are said to have, as it is or as seen from the schema. */
static const struct jsonschema_document *given(struct compiler *c, struct slice uri, bool *ret_failed)
{
    struct site *root = site_get(c, c->s->document->tree.nodes);
    struct slice base = root && root->resource ? root->resource->base : SLICE("");

    for (size_t i = 0; i < c->n_docs; i++) {
        struct slice is = uri_resolve(c->temp, SLICE(""), c->docs[i].uri), seen = uri_resolve(c->temp, base, c->docs[i].uri);

        *ret_failed = !is.p || !seen.p;
        if (*ret_failed)
            return NULL;
        if (slice_eq(is, uri) || slice_eq(seen, uri))
            return &c->docs[i];
    }
    return NULL;
}

enum err uri_site(struct compiler *c, struct slice uri, struct site **ret)
{
    const struct jsonschema_document *doc;
    struct document *d;
    bool failed = false;

    if ((*ret = names_get(&c->uris, uri)))
        return OK;
    struct slice text = SLICE_NONE;

    if ((doc = given(c, uri, &failed)))
        text = doc->text;
    if (failed)
        return ERR_NO_MEMORY;
    for (size_t i = 0; !text.p && i < metaschema_count; i++)
        if (slice_is(uri, metaschemas[i].uri))
            text = slice_of(metaschemas[i].text);
    if (!text.p)
        return OK;
    enum err e = document_add(c, uri, text, &d);

    *ret = e ? NULL : names_get(&c->uris, uri);
    return e;
}

static const struct node *step(struct compiler *c, const struct node *v, struct slice token)
{
    char *name = arena_alloc(c->temp, token.n + 1);
    size_t n = 0, index = 0;

    if (!name)
        return NULL;
    for (size_t i = 0; i < token.n; i++) {
        bool tilde = token.p[i] == '~' && i + 1 < token.n && (token.p[i + 1] == '0' || token.p[i + 1] == '1');

        name[n++] = !tilde ? token.p[i] : token.p[++i] == '0' ? '~' : '/';
    }
    if (v->type == T_OBJECT)
        return node_member(v, (struct slice){ name, n });
    if (v->type != T_ARRAY || !n || n > 9 || (n > 1 && name[0] == '0'))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (name[i] < '0' || name[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(name[i] - '0');
    }
    if (index >= v->n)
        return NULL;
    for (v++; index; index--)
        v += v->skip;
    return v;
}

/* Along a JSON Pointer; the resource may change on the way. */
static enum err pointed(struct compiler *c, struct site *root, struct slice pointer, struct site **ret)
{
    const struct node *v = root->node;
    struct resource *r = root->resource;
    const char *p = pointer.p, *end = p + pointer.n;

    *ret = NULL;
    while (p < end) {
        const char *slash = memchr(p + 1, '/', (size_t)(end - p - 1));
        struct site *s;

        slash = slash ? slash : end;
        if (!(v = step(c, v, (struct slice){ p + 1, (size_t)(slash - p - 1) })))
            return OK;
        if ((s = site_get(c, v)) && s->resource)
            r = s->resource;
        p = slash;
    }
    return site_at(c, v, r, K_END, ret);
}

static enum err nowhere(struct compiler *c, const struct resource *from, const struct node *reference, const char *why)
{
    return refuse(c, from->document, reference, "\"%.*s\" %s.", (int)(reference->n < 150 ? reference->n : 150), reference->p, why);
}

enum err reference_find(struct compiler *c, const struct resource *from, const struct node *reference, struct site **ret)
{
    struct slice absolute = uri_resolve(c->temp, from->base, node_slice(reference));
    struct slice fragment = uri_fragment(node_slice(reference));
    struct site *root;
    enum err e;

    if (!absolute.p || (fragment.n && !uri_unescape(c->temp, fragment, &fragment)))
        return ERR_NO_MEMORY;
    /* A document without an own URI is known by its resource alone. */
    if ((e = uri_site(c, absolute, &root)))
        return e;
    if (!root)
        return nowhere(c, from, reference, "leads to a document that is not given: nothing is fetched");
    if (!fragment.n) {
        *ret = root;
        return OK;
    }
    if (fragment.p[0] == '/') {
        if ((e = pointed(c, root, fragment, ret)))
            return e;
    } else {
        struct slice uri = anchor_uri(c, root, fragment);

        if (!uri.p)
            return ERR_NO_MEMORY;
        *ret = names_get(&c->uris, uri);
    }
    return *ret ? OK : nowhere(c, from, reference, "leads to nothing");
}
