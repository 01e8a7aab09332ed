#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/json_tree.h"
#include "gateway/engine/avro.h"
#include "gateway/engine/schemas.h"
#include "gateway/jsonschema/jsonschema.h"

/* From what was sent to what can be kept: references are resolved, the schema is looked through, its content gets a digest. */

/* All that a schema refers to, in the order in which it was found. A name counts once: the one nearest to the schema. */
struct closure {
    struct schema_reference *v;
    size_t n, max, bytes;
};

static enum err invalid(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static enum err invalid(struct fault *f, const char *fmt, ...)
{
    struct fault why;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why.detail, sizeof why.detail, fmt, ap);
    va_end(ap);
    return schema_fault(f, SCHEMA_INVALID, "Invalid schema: %s", why.detail);
}

static bool is_known(const struct closure *c, struct slice name)
{
    for (size_t i = 0; i < c->n; i++)
        if (slice_eq(c->v[i].name, name))
            return true;
    return false;
}

static enum err find_target(struct db *db, struct arena *a, const struct schema_named *r, struct slice context, int type,
                            bool deleted, struct schema_row *ret, struct fault *f)
{
    struct schema_subject s = schema_target(r, context);
    struct schema_span span = r->version ? (struct schema_span){ r->version, r->version } : SCHEMA_ALL;
    struct schema_row *row;
    size_t n = 0;
    enum err e = OK;

    for (int hidden = 0; !e && !n && hidden <= deleted; hidden++) /* the latest one is of those that are not, if there are any */
        e = db_schema_get(db, a, &s, span, hidden, 1, &row, &n, f);
    if (e)
        return e;
    if (!n && r->version)
        return invalid(f, "No schema reference found for subject \"%.*s\" and version %d", (int)r->subject_text.n,
                       r->subject_text.p, r->version);
    if (!n)
        return invalid(f, "No schema reference found for subject \"%.*s\"", (int)r->subject_text.n, r->subject_text.p);
    if (row->type != type)
        return invalid(f, "The reference \"%.*s\" is of type %s, the schema of type %s", r->name.n < 200 ? (int)r->name.n : 0,
                       r->name.p, schema_type_names[row->type], schema_type_names[type]);
    *ret = *row;
    return OK;
}

static enum err take(struct closure *c, struct slice name, struct slice text, struct fault *f)
{
    c->bytes += text.n;
    if (c->n == c->max)
        return schema_fault(f, SCHEMA_TOO_LARGE,
                            "The schema refers to more than %zu others, the most that registry.references allows.", c->max);
    if (c->bytes > SCHEMA_WHOLE_BYTES)
        return schema_fault(f, SCHEMA_TOO_LARGE, "With what it refers to the schema has more than %zu bytes.", SCHEMA_WHOLE_BYTES);
    c->v[c->n++] = (struct schema_reference){ name, text };
    return OK;
}

/* Breadth first, without recursion: `rows` holds those whose own references are still to be looked at. */
static enum err close_over(struct db *db, struct arena *a, struct schema_row *rows, size_t n, struct closure *c, struct fault *f)
{
    enum err e = OK;

    for (size_t i = 0; !e && i < n; i++) {
        struct schema_body b;

        e = schema_refs_parse(a, rows[i].refs, &b, f);
        for (size_t k = 0; !e && k < b.n; k++) {
            if (is_known(c, b.refs[k].name))
                continue;
            e = find_target(db, a, &b.refs[k], rows[i].subject.context, rows[i].type, true, &rows[n], f);
            if (!e && !(e = take(c, b.refs[k].name, rows[n].text, f)))
                n++;
        }
    }
    return e;
}

static bool closure_begin(const struct config *c, struct arena *a, struct closure *ret, struct schema_row **ret_rows)
{
    *ret = (struct closure){ .max = (size_t)c->registry_references };
    ret->v = arena_alloc(a, (ret->max + 1) * sizeof *ret->v);
    *ret_rows = arena_alloc(a, (ret->max + 2) * sizeof **ret_rows);
    return ret->v && *ret_rows;
}

enum err schema_whole(const struct config *c, struct db *db, struct arena *a, const struct schema_row *row, struct schema_text *ret,
                      struct fault *f)
{
    struct schema_row *rows;
    struct closure all;
    enum err e;

    if (slice_is(row->refs, "[]")) {
        *ret = (struct schema_text){ row->text, NULL, 0 };
        return OK;
    }
    if (!closure_begin(c, a, &all, &rows))
        return ERR_NO_MEMORY;
    rows[0] = *row;
    if ((e = close_over(db, a, rows, 1, &all, f)))
        return e;
    *ret = (struct schema_text){ row->text, all.v, all.n };
    return OK;
}

/* What the schema names itself; versions are settled now, whatever "latest" comes to be later. */
static enum err resolve(const struct config *c, struct db *db, struct arena *a, const struct schema_subject *s,
                        const struct schema_body *body, struct schema_candidate *ret, struct fault *f)
{
    struct buf refs = { 0 };
    struct schema_row *rows;
    struct closure all;
    enum err e = OK;

    if (!closure_begin(c, a, &all, &rows) || !(ret->refs = arena_alloc(a, (body->n + 1) * sizeof *ret->refs)))
        return ERR_NO_MEMORY;
    buf_char(&refs, '[');
    for (size_t i = 0; !e && i < body->n; i++) {
        const struct schema_named *r = &body->refs[i];

        if (is_known(&all, r->name))
            e = invalid(f, "The reference \"%.*s\" stands there twice", r->name.n < 200 ? (int)r->name.n : 0, r->name.p);
        else if (all.n == all.max)
            e = take(&all, r->name, SLICE(""), f);
        else if (!(e = find_target(db, a, r, s->context, body->type, body->refs_deleted, &rows[all.n], f)))
            e = take(&all, r->name, rows[all.n].text, f);
        if (e)
            break;
        ret->refs[ret->n++] = (struct schema_version){ rows[i].subject, rows[i].version, false };
        buf_str(&refs, i ? ",{\"name\":" : "{\"name\":");
        buf_json_string(&refs, r->name);
        BUF_LIT(&refs, ",\"subject\":");
        buf_json_string(&refs, r->subject_text);
        buf_printf(&refs, ",\"version\":%d}", rows[i].version);
    }
    buf_char(&refs, ']');
    ret->row.refs = refs.failed ? SLICE_NONE : arena_slice(a, (struct slice){ refs.p, refs.n });
    buf_free(&refs);
    if (!e)
        e = ret->row.refs.p ? close_over(db, a, rows, all.n, &all, f) : ERR_NO_MEMORY;
    ret->whole = (struct schema_text){ body->text, all.v, all.n };
    return e;
}

static struct slice kept(struct arena *a, struct buf *b)
{
    struct slice s = b->failed ? SLICE_NONE : arena_slice(a, (struct slice){ b->p, b->n });

    buf_free(b);
    return s;
}

/* *ret_text is what is kept; *ret_form the same for schemas that differ in white space alone. */
static enum err look_through_avro(struct arena *a, const struct schema_text *s, bool normalize, struct slice *ret_text,
                                  struct slice *ret_form, struct fault *f)
{
    const struct avro_schema *parsed;
    struct buf b = { 0 };
    enum err e = avro_parse(s, a, &parsed, f);

    if (e)
        return e;
    avro_write(parsed, normalize ? AVRO_NORMALIZED : AVRO_COMPACT, &b);
    *ret_text = *ret_form = kept(a, &b);
    return ret_form->p ? OK : ERR_NO_MEMORY;
}

static enum err look_through_json(struct arena *a, const struct schema_text *s, bool normalize, struct slice *ret_text,
                                  struct slice *ret_form, struct fault *f)
{
    struct jsonschema_document *docs = arena_alloc(a, (s->n + 1) * sizeof *docs);
    struct jsonschema *compiled;
    struct json_node *root;
    struct buf b = { 0 };
    enum err e;

    if (!docs)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s->n; i++)
        docs[i] = (struct jsonschema_document){ s->refs[i].name, s->refs[i].text };
    if ((e = jsonschema_compile(s->text, DRAFT_7, docs, s->n, &compiled, f)))
        return e;
    jsonschema_free(compiled);
    if ((e = json_tree_parse(s->text, JSONSCHEMA_DEPTH, a, &root, f)))
        return e;
    json_tree_write(root, normalize, &b);
    *ret_form = kept(a, &b);
    *ret_text = normalize ? *ret_form : s->text;
    return ret_form->p ? OK : ERR_NO_MEMORY;
}

static enum err look_through(struct arena *a, struct schema_candidate *c, bool normalize, struct slice *ret_form, struct fault *f)
{
    struct fault why = { 0 };
    enum err e = c->row.type == SCHEMA_AVRO ? look_through_avro(a, &c->whole, normalize, &c->row.text, ret_form, &why)
                                            : look_through_json(a, &c->whole, normalize, &c->row.text, ret_form, &why);

    if (e != ERR_BAD_JSON && e != ERR_BAD_BODY)
        return e;
    return schema_fault(f, SCHEMA_INVALID, "Invalid schema of type %s, details: %s%s%s", schema_type_names[c->row.type],
                        why.pointer, why.pointer[0] ? ": " : "", why.detail);
}

/* Parts are told apart by their lengths. */
static bool put_part(EVP_MD_CTX *ctx, struct slice s)
{
    uint64_t n = s.p ? s.n + 1 : 0;

    return EVP_DigestUpdate(ctx, &n, sizeof n) == 1 && (!s.n || EVP_DigestUpdate(ctx, s.p, s.n) == 1);
}

static enum err digest(struct arena *a, struct schema_candidate *c, const struct schema_body *body, struct slice form)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    char *out = arena_alloc(a, EVP_MAX_MD_SIZE);
    unsigned n = 0;
    bool good = ctx && out && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    good = good && put_part(ctx, slice_of(schema_type_names[c->row.type])) && put_part(ctx, form) &&
           put_part(ctx, c->row.metadata) && put_part(ctx, c->row.rule_set);
    for (size_t i = 0; good && i < c->n; i++)
        good = put_part(ctx, body->refs[i].name) && put_part(ctx, c->refs[i].subject.context) &&
               put_part(ctx, c->refs[i].subject.name) &&
               EVP_DigestUpdate(ctx, &c->refs[i].version, sizeof c->refs[i].version) == 1;
    good = good && EVP_DigestFinal_ex(ctx, (unsigned char *)out, &n) == 1;
    EVP_MD_CTX_free(ctx);
    c->digest = (struct slice){ out, n };
    return good ? OK : ERR_NO_MEMORY;
}

static enum err prepare(const struct config *c, struct db *db, struct arena *a, const struct schema_subject *s,
                        const struct schema_body *body, bool normalize, struct schema_candidate *ret, struct fault *f)
{
    size_t bytes = body->text.n + body->metadata.n + body->rule_set.n;
    struct slice form;
    enum err e;

    *ret = (struct schema_candidate){ .row = { .subject = *s, .type = body->type, .text = body->text, .metadata = body->metadata,
                                               .rule_set = body->rule_set } };
    if (!body->text.p || !body->text.n)
        return invalid(f, "it is empty");
    if (bytes > (size_t)c->registry_schema_bytes)
        return schema_fault(f, SCHEMA_TOO_LARGE, "The schema has %zu bytes, more than the %lld that registry.schema_bytes allows.",
                            bytes, (long long)c->registry_schema_bytes);
    if ((e = resolve(c, db, a, s, body, ret, f)) || (e = look_through(a, ret, normalize, &form, f)))
        return e;
    ret->whole.text = ret->row.text;
    return digest(a, ret, body, form);
}

enum err schema_no_room(const struct arena *work, struct fault *f)
{
    if (!arena_full(work))
        return ERR_NO_MEMORY;
    return schema_fault(f, SCHEMA_TOO_LARGE, "The schema has too many parts: to look through it, or to compare it, takes more than "
                        "%zu MiB of memory.", SCHEMA_WORK_BYTES >> 20);
}

static void free_arena(void *a)
{
    arena_free(a);
}

enum err schema_prepare(const struct config *c, struct db *db, struct arena *a, const struct schema_subject *s,
                        const struct schema_body *body, bool normalize, struct schema_candidate *ret, struct fault *f)
{
    struct arena *work = arena_new(SCHEMA_WORK_BYTES);
    enum err e;

    if (!work || !arena_defer(a, free_arena, work)) {
        arena_free(work);
        return ERR_NO_MEMORY;
    }
    e = prepare(c, db, work, s, body, normalize, ret, f);
    return e == ERR_NO_MEMORY ? schema_no_room(work, f) : e;
}
