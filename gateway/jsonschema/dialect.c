#include "gateway/jsonschema/compile.h"
#include "gateway/jsonschema/uri.h"

static const struct {
    const char *uri;             /* without scheme and # */
    enum draft draft;
} drafts[] = {
    { "json-schema.org/draft-04/schema", DRAFT_4 },
    { "json-schema.org/draft-06/schema", DRAFT_6 },
    { "json-schema.org/draft-07/schema", DRAFT_7 },
    { "json-schema.org/draft/2019-09/schema", DRAFT_2019_09 },
    { "json-schema.org/draft/2020-12/schema", DRAFT_2020_12 },
};

static const struct {
    const char *name;            /* the end of its URI */
    unsigned adds, when_required;
} vocabularies[] = {
    { "core", V_CORE, 0 },
    { "applicator", V_APPLICATOR, 0 },
    { "unevaluated", V_UNEVALUATED, 0 },
    { "validation", V_VALIDATION, 0 },
    { "meta-data", V_OTHER, 0 },
    { "content", V_OTHER, 0 },
    { "format", V_FORMAT, V_ASSERT_FORMAT },
    { "format-annotation", V_FORMAT, 0 },
    { "format-assertion", V_FORMAT | V_ASSERT_FORMAT, 0 },
};

static bool begins(struct slice s, const char *prefix)
{
    return s.n >= strlen(prefix) && memcmp(s.p, prefix, strlen(prefix)) == 0;
}

static struct slice without_scheme(struct slice uri)
{
    size_t skip = begins(uri, "https://") ? 8 : begins(uri, "http://") ? 7 : 0;

    while (uri.n > skip && uri.p[uri.n - 1] == '#')
        uri.n--;
    return (struct slice){ uri.p + skip, uri.n - skip };
}

static enum err vocabulary_add(struct compiler *c, const struct resource *meta, const struct node *name, struct resource *r)
{
    struct slice uri = without_scheme(node_slice(name));
    const char *root = meta->draft == DRAFT_2019_09 ? "json-schema.org/draft/2019-09/vocab/"
                                                    : "json-schema.org/draft/2020-12/vocab/";
    bool required = name[1].type == T_TRUE;

    if (begins(uri, root)) {
        uri.p += strlen(root);
        uri.n -= strlen(root);
        for (size_t i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++)
            if (slice_is(uri, vocabularies[i].name)) {
                r->vocabulary |= vocabularies[i].adds | (required ? vocabularies[i].when_required : 0);
                return OK;
            }
    }
    return required ? refuse(c, meta->document, name, "The metaschema requires a vocabulary that is not known here.") : OK;
}

/* What a metaschema that was given says of its schemas. */
static enum err dialect_given(struct compiler *c, const struct resource *meta, struct resource *r)
{
    const struct node *list = node_member(meta->root->node, SLICE("$vocabulary")), *name = list ? list + 1 : NULL;
    enum err e;

    r->draft = meta->draft;
    r->vocabulary = V_ALL;
    if (!list || list->type != T_OBJECT || meta->draft < DRAFT_2019_09)
        return OK;
    r->vocabulary = 0;
    for (uint32_t i = 0; i < list->n; i++, name += 1 + name[1].skip)
        if ((e = vocabulary_add(c, meta, name, r)))
            return e;
    if (meta->draft == DRAFT_2019_09 && r->vocabulary & V_APPLICATOR)
        r->vocabulary |= V_UNEVALUATED;
    return OK;
}

bool jsonschema_draft_named(struct slice uri, enum draft *ret)
{
    uri = without_scheme(uri);
    for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++)
        if (slice_is(uri, drafts[i].uri)) {
            *ret = drafts[i].draft;
            return true;
        }
    return slice_is(uri, "json-schema.org/schema");
}

enum err dialect_of(struct compiler *c, const struct node *schema, struct resource *r)
{
    const struct node *said = node_member(schema, SLICE("$schema"));
    struct site *meta;
    enum err e;

    if (!said)
        return OK;
    if (said->type != T_STRING)
        return refuse(c, r->document, said, "\"$schema\" takes a string.");
    if (jsonschema_draft_named(node_slice(said), &r->draft)) {
        r->vocabulary = V_ALL;
        return OK;
    }
    if (++c->nesting > MAX_METASCHEMAS)
        return refuse(c, r->document, said, "There are too many metaschemas of metaschemas.");
    struct slice absolute = uri_resolve(c->temp, SLICE(""), node_slice(said));

    if (!absolute.p)
        return ERR_NO_MEMORY;
    if ((e = uri_site(c, absolute, &meta)))
        return e;
    c->nesting--;
    if (!meta || !meta->resource || meta->resource == r)
        return refuse(c, r->document, said,
                      "This metaschema is not known: drafts 4, 6, 7, 2019-09 and 2020-12 are, and what is given as a reference.");
    return dialect_given(c, meta->resource, r);
}
