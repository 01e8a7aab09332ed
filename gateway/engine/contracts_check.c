#include "gateway/base/json.h"
#include "gateway/engine/contracts.h"

/* Does what producers write fit what consumers read? Each contract is read and compared in memory of its own: there may be many. */

static const struct compat_finding too_large = { .rule = "CANNOT_TELL", .old_pointer = { "", 0 }, .new_pointer = { "", 0 },
                                                 .detail = { "The comparison takes more memory than is allowed.", 49 } };

static bool string(struct json *j, struct arena *a, struct slice *ret)
{
    struct slice inside;
    bool escaped;

    return json_scan_string(j, &inside, &escaped) && json_unescape(a, inside, escaped, ret);
}

/* Documents as contract_body.c has written them. */
static bool document(struct json *j, struct arena *a, struct schema_reference *ret)
{
    struct slice key;
    bool escaped;

    *ret = (struct schema_reference){ SLICE_NONE, SLICE_NONE };
    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key, &escaped))
        if (!string(j, a, slice_is(key, "name") ? &ret->name : &ret->text))
            return false;
    return ret->name.p && ret->text.p;
}

static enum err schema_of(struct arena *a, const struct contract_read *r, struct schema_text *ret)
{
    struct schema_reference *v;
    struct json j, count;
    struct slice raw;
    size_t n = 0;

    json_begin(&count, r->documents, SCHEMA_BODY_DEPTH);
    j = count;
    for (json_array_begin(&count); json_array_next(&count) && json_value(&count, &raw);)
        n++;
    if (!(v = arena_alloc(a, (n + 1) * sizeof *v)))
        return ERR_NO_MEMORY;
    *ret = (struct schema_text){ r->row.text, v, n };
    json_array_begin(&j);
    for (size_t i = 0; json_array_next(&j); i++)
        if (!document(&j, a, &v[i]))
            return ERR_NO_MEMORY;
    return OK;
}

/* max > 0. */
static enum err compare(struct arena *work, const struct contract_read *r, int type, const struct schema_text *writer,
                        struct compat_finding *ret, size_t max, size_t *ret_n, struct fault *f)
{
    struct schema_text reader;
    enum err e;

    *ret_n = 1;
    *ret = schema_other_type;
    if (r->row.type != type)
        return OK;
    if (!(e = schema_of(work, r, &reader)))
        e = compat_check((enum schema_type)type, &reader, writer, work, ret, max, ret_n, f);
    if (e != ERR_NO_MEMORY || !arena_full(work))
        return e;
    *ret_n = 1;
    *ret = too_large;
    return OK;
}

enum err contracts_compare(struct db *db, const struct schema_row *row, const struct schema_text *whole, bool enforced,
                           struct comparison *with, enum err (*fn)(void *arg, const struct contract_verdict *v), void *arg,
                           struct fault *f)
{
    char last[CONTRACT_NAME];
    struct slice after = SLICE("");
    bool more = true;
    enum err e = OK;

    while (!e && more) {
        struct arena *work = arena_new(SCHEMA_WORK_BYTES);
        struct contract k = { .n = 0 };
        struct contract_verdict v;

        e = work ? db_contract_next(db, work, &row->subject, after, enforced, &k, f) : ERR_NO_MEMORY;
        more = !e && k.n;
        if (more) {
            memcpy(last, k.consumer.p, k.consumer.n);
            after = (struct slice){ last, k.consumer.n };
            v = (struct contract_verdict){ .consumer = after, .enforced = k.enforced };
            if (!(e = comparison_next(with, &v.compared, f)) && v.compared)
                e = compare(work, k.reads, row->type, whole, v.v, CONTRACT_FINDINGS, &v.n, f);
            e = e ? e : fn(arg, &v);
        }
        arena_free(work);
    }
    return e;
}

/* --- what is refused --- */

struct refusal {
    struct arena *arena;
    struct slice subject;
    int version;                  /* 0: it is being registered */
    struct fault *fault;
};

static enum err refuse(void *arg, const struct contract_verdict *v)
{
    const struct refusal *r = arg;
    struct compat_finding one;
    struct buf b = { 0 };

    if (!v->compared)
        return schema_fault(r->fault, SCHEMA_TOO_LARGE, "To compare it with all contracts takes longer than registry.check_time "
                            "allows; it went as far as consumer \"%.*s\".", (int)v->consumer.n, v->consumer.p);
    if (!v->n)
        return OK;
    if (!schema_finding_keep(r->arena, &v->v[0], &one))
        return ERR_NO_MEMORY;
    if (r->version)
        buf_printf(&b, "Version %d of subject \"", r->version);
    else
        BUF_LIT(&b, "Schema being registered for subject \"");
    buf_slice(&b, r->subject);
    BUF_LIT(&b, "\" breaks the contract of consumer \"");
    buf_slice(&b, v->consumer);
    buf_printf(&b, "\": %s at '", one.rule);
    buf_slice(&b, one.new_pointer);
    BUF_LIT(&b, "' of what it reads (at '");
    buf_slice(&b, one.old_pointer);
    BUF_LIT(&b, "' of what is written): ");
    buf_slice(&b, one.detail);
    if (one.counterexample.p) {
        BUF_LIT(&b, " counterexample: ");
        buf_slice(&b, one.counterexample);
    }
    r->fault->whole = b.failed ? NULL : arena_strndup(r->arena, b.p, b.n);
    buf_free(&b);
    return schema_fault(r->fault, SCHEMA_BREAKS_CONTRACT, "The schema breaks the contract of consumer \"%.*s\".",
                        (int)v->consumer.n, v->consumer.p);
}

enum err contracts_check(struct db *db, struct arena *a, const struct schema_candidate *candidate, struct comparison *with,
                         struct fault *f)
{
    struct refusal r = { .arena = a, .subject = schema_subject_text(a, &candidate->row.subject), .fault = f };

    if (!r.subject.p)
        return ERR_NO_MEMORY;
    return contracts_compare(db, &candidate->row, &candidate->whole, true, with, refuse, &r, f);
}

static enum err check_latest(const struct config *c, struct db *db, struct arena *work, struct refusal *r, const struct contract *k,
                             const struct contract_read *read, struct comparison *with)
{
    struct contract_verdict v = { .consumer = k->consumer, .enforced = true };
    struct fault *f = r->fault;
    struct schema_text whole;
    struct schema_row *row;
    size_t n;
    enum err e = db_schema_get(db, work, &read->row.subject, SCHEMA_ALL, false, 1, &row, &n, f);

    if (e || !n || (e = schema_whole(c, db, work, row, &whole, f)) ||
        (e = comparison_next(with, &v.compared, f)) ||
        (v.compared && (e = compare(work, read, row->type, &whole, v.v, CONTRACT_FINDINGS, &v.n, f))))
        return e;
    r->subject = schema_subject_text(r->arena, &read->row.subject);
    r->version = row->version;
    return r->subject.p ? refuse(r, &v) : ERR_NO_MEMORY;
}

enum err contract_check_latest(const struct config *c, struct db *db, struct arena *a, const struct contract *k,
                               struct comparison *with, struct fault *f)
{
    struct refusal r = { .arena = a, .fault = f };
    enum err e = OK;

    for (size_t i = 0; !e && i < k->n; i++) {
        struct arena *work = arena_new(SCHEMA_WORK_BYTES);

        e = work ? check_latest(c, db, work, &r, k, &k->reads[i], with) : ERR_NO_MEMORY;
        arena_free(work);
    }
    return e;
}
