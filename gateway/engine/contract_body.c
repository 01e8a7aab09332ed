#include <stdlib.h>

#include "gateway/base/json.h"
#include "gateway/engine/contracts.h"
#include "gateway/engine/streams.h"

/* From what was sent to the contract that is kept. */

enum err contract_name_check(struct slice consumer, struct fault *f)
{
    if (!name_valid(consumer))
        return fault(f, ERR_BAD_NAME, "Names of consumers are [a-z0-9][a-z0-9._-]{0,119}.");
    if (name_reserved(consumer) || slice_is(consumer, "matrix"))
        return fault(f, ERR_BAD_NAME, "A consumer cannot be called %.*s.", (int)consumer.n, consumer.p);
    return OK;
}

/* A member of an object that has been looked through; p == NULL: it has none, or null. */
static struct slice member(struct slice object, const char *name)
{
    struct slice found = SLICE_NONE, key, raw;
    struct json j;
    bool escaped;

    json_begin(&j, object, SCHEMA_BODY_DEPTH);
    json_object_begin(&j);
    while (json_object_next(&j, &key, &escaped) && json_value(&j, &raw))
        if (slice_is(key, name))
            found = raw;
    return slice_is(found, "null") ? SLICE_NONE : found;
}

static enum err wrong(struct fault *f, size_t i, const char *what)
{
    return fault(f, ERR_BAD_BODY, "/reads/%zu: %s", i, what);
}

/* What a read's own fault says, with where. */
static enum err at_read(enum err e, size_t i, struct fault *f)
{
    struct fault inner = *f;

    if (e != ERR_BAD_BODY && e != ERR_BAD_JSON && e != ERR_REGISTRY)
        return e;
    return fault(f, e, "/reads/%zu: %s", i, inner.detail);
}

static enum err wanted(struct arena *a, struct slice raw, size_t i, struct contract_wanted *ret, struct fault *f)
{
    struct slice schema, subject;
    int64_t version;
    enum err e;

    *ret = (struct contract_wanted){ .body = { .text = SLICE_NONE } };
    if (raw.p[0] != '{')
        return wrong(f, i, "It must be an object.");
    if ((e = schema_member_parse(a, raw, "subject", &subject, f)))
        return at_read(e, i, f);
    if (!subject.p)
        return wrong(f, i, "A subject is needed.");
    if ((e = schema_subject_parse(subject, &ret->subject, f)))
        return at_read(e, i, f);
    if (!ret->subject.name.n)
        return wrong(f, i, "The subject is a context; it must have a name.");
    schema = member(raw, "schema");
    if (!schema.p)
        return wrong(f, i, "A schema is needed: its text, or the number of a version.");
    if (schema.p[0] == '"')
        return at_read(schema_body_parse(a, raw, &ret->body, f), i, f);
    if (!json_int64(schema, &version) || version == 0 || version < -1 || version > SCHEMA_VERSION_MAX)
        return wrong(f, i, "The schema must be a text, or the number of a version; -1 is the latest.");
    if (member(raw, "references").p || member(raw, "schemaType").p)
        return wrong(f, i, "A version has its own schemaType and references.");
    ret->body.version = version > 0 ? (int)version : 0;
    return OK;
}

static enum err all_wanted(const struct config *c, struct arena *a, struct slice reads, struct contract_body *ret, struct fault *f)
{
    struct json j, count;
    struct slice raw;
    size_t n = 0;
    enum err e = OK;

    json_begin(&count, reads, SCHEMA_BODY_DEPTH);
    j = count;
    for (json_array_begin(&count); json_array_next(&count) && json_value(&count, &raw); n++)
        ;
    if (!n)
        return fault(f, ERR_BAD_BODY, "A contract reads something: the member reads must have an item.");
    if (n > (size_t)c->registry_contract_reads)
        return schema_fault(f, SCHEMA_NOT_PERMITTED, "The contract reads %zu subjects, more than the %lld that "
                            "registry.contract_reads allows.", n, (long long)c->registry_contract_reads);
    if (!(ret->v = arena_alloc(a, n * sizeof *ret->v)))
        return ERR_NO_MEMORY;
    json_array_begin(&j);
    while (!e && json_array_next(&j) && json_value(&j, &raw)) {
        e = wanted(a, raw, ret->n, &ret->v[ret->n], f);
        ret->n++;
    }
    return e;
}

enum err contract_body_parse(const struct config *c, struct arena *a, struct slice consumer, struct slice text,
                             struct contract_body *ret, struct fault *f)
{
    struct slice named, reads, enforced;
    enum err e = schema_member_parse(a, text, "consumer", &named, f);

    *ret = (struct contract_body){ .n = 0 };
    if (e)
        return e;
    if (named.p && !slice_eq(named, consumer))
        return fault(f, ERR_BAD_BODY, "The member consumer is another one than the path names.");
    enforced = member(text, "enforced");
    if (enforced.p && !slice_is(enforced, "true") && !slice_is(enforced, "false"))
        return fault(f, ERR_BAD_BODY, "The member enforced must be true or false.");
    reads = member(text, "reads");
    if (!reads.p || reads.p[0] != '[')
        return fault(f, ERR_BAD_BODY, "The member reads must be an array.");
    ret->enforced = slice_is(enforced, "true");
    return all_wanted(c, a, reads, ret, f);
}

/* --- what is kept --- */

static struct slice write_documents(struct arena *a, const struct schema_text *whole)
{
    struct buf b = { 0 };
    struct slice s;

    buf_char(&b, '[');
    for (size_t i = 0; i < whole->n; i++) {
        buf_str(&b, i ? ",{\"name\":" : "{\"name\":");
        buf_json_string(&b, whole->refs[i].name);
        BUF_LIT(&b, ",\"text\":");
        buf_json_string(&b, whole->refs[i].text);
        buf_char(&b, '}');
    }
    buf_char(&b, ']');
    s = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return s;
}

static enum err keep(struct arena *a, const struct contract_wanted *w, const struct schema_row *row,
                     const struct schema_text *whole, struct contract_read *ret)
{
    bool own = w->body.text.p;

    ret->row = (struct schema_row){ .subject = w->subject, .version = own ? 0 : row->version, .type = row->type,
                                    .text = arena_slice(a, row->text), .refs = arena_slice(a, row->refs) };
    ret->documents = write_documents(a, whole);
    return ret->row.text.p && ret->row.refs.p && ret->documents.p ? OK : ERR_NO_MEMORY;
}

static enum err prepare_read(const struct config *c, struct db *db, struct arena *a, const struct contract_wanted *w,
                             struct contract_read *ret, struct fault *f)
{
    struct arena *work = arena_new(SCHEMA_WORK_BYTES);
    struct schema_candidate candidate;
    struct schema_text whole;
    struct schema_row row;
    enum err e = work ? OK : ERR_NO_MEMORY;

    if (!e && w->body.text.p) {
        e = schema_prepare(c, db, work, &w->subject, &w->body, false, &candidate, f);
        row = candidate.row;
        whole = candidate.whole;
    } else if (!e) {
        e = schemas_get(db, work, &w->subject, w->body.version, false, &row, f);
        e = e ? e : schema_whole(c, db, work, &row, &whole, f);
    }
    e = e ? e : keep(a, w, &row, &whole, ret);
    arena_free(work);
    return e;
}

static int by_subject(const void *x, const void *y)
{
    const struct schema_subject *s = &((const struct contract_read *)x)->row.subject;
    const struct schema_subject *t = &((const struct contract_read *)y)->row.subject;
    struct slice p = slice_eq(s->context, t->context) ? s->name : s->context;
    struct slice q = slice_eq(s->context, t->context) ? t->name : t->context;
    int order = memcmp(p.p, q.p, p.n < q.n ? p.n : q.n);

    return order ? order : (p.n > q.n) - (p.n < q.n);
}

static enum err too_large(struct fault *f)
{
    return schema_fault(f, SCHEMA_TOO_LARGE, "With what they refer to the schemas of the contract have more than %zu bytes.",
                        CONTRACT_BYTES);
}

/* The event that tells of it has its texts. */
static enum err check_size(const struct config *c, const struct contract *k, struct fault *f)
{
    size_t own = 0, all = 0;

    for (size_t i = 0; i < k->n; i++) {
        const struct contract_read *r = &k->reads[i];

        own += r->row.subject.context.n + r->row.subject.name.n + (r->row.version ? 0 : r->row.text.n + r->row.refs.n);
        all += r->row.text.n + r->documents.n;
    }
    if (own > (size_t)c->registry_schema_bytes)
        return schema_fault(f, SCHEMA_TOO_LARGE, "The schemas of the contract have %zu bytes, more than the %lld that "
                            "registry.schema_bytes allows; name versions instead.", own, (long long)c->registry_schema_bytes);
    return all > CONTRACT_BYTES ? too_large(f) : OK;
}

enum err contract_prepare(const struct config *c, struct db *db, struct arena *a, struct slice consumer,
                          const struct contract_body *body, struct contract *ret, struct fault *f)
{
    enum err e = OK;

    *ret = (struct contract){ .consumer = consumer, .enforced = body->enforced };
    if (!(ret->reads = arena_alloc(a, body->n * sizeof *ret->reads)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; !e && i < body->n; i++) {
        e = at_read(prepare_read(c, db, a, &body->v[i], &ret->reads[i], f), i, f);
        ret->n++;
        if (!e || (e == ERR_NO_MEMORY && arena_full(a)))
            e = e ? too_large(f) : check_size(c, ret, f);
    }
    if (e)
        return e;
    qsort(ret->reads, ret->n, sizeof *ret->reads, by_subject);
    for (size_t i = 1; i < ret->n; i++)
        if (!by_subject(&ret->reads[i - 1], &ret->reads[i]))
            return fault(f, ERR_BAD_BODY, "The contract reads a subject twice.");
    return OK;
}
