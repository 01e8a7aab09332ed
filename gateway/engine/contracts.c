#include "gateway/engine/contracts.h"

#include <stdlib.h>

/* Contracts that are there: put, deleted, told. The locks of the subjects that an enforced one reads come first, in order, and then
 * the claim of the registry: who registers a version at the same moment has done it before, or finds the contract. */

enum err contracts_get(struct db *db, struct arena *a, struct slice consumer, struct contract *ret, struct fault *f)
{
    return db_contract_get(db, a, consumer, ret, f);
}

enum err contracts_list(struct db *db, struct arena *a, struct slice after, int64_t limit, struct contract **ret, size_t *ret_n,
                        struct fault *f)
{
    return db_contract_list(db, a, after, limit, ret, ret_n, f);
}

enum err contracts_subjects(struct db *db, struct arena *a, const struct schema_subject *after, int64_t limit,
                            struct schema_subject **ret, size_t *ret_n, struct fault *f)
{
    return db_contract_subjects(db, a, after, limit, ret, ret_n, f);
}

bool contract_same(const struct contract *x, const struct contract *y)
{
    bool same = x->n == y->n && x->enforced == y->enforced;

    for (size_t i = 0; same && i < x->n; i++) {
        const struct schema_row *p = &x->reads[i].row, *q = &y->reads[i].row;

        same = slice_eq(p->subject.context, q->subject.context) && slice_eq(p->subject.name, q->subject.name) &&
               p->version == q->version && p->type == q->type && slice_eq(p->text, q->text) && slice_eq(p->refs, q->refs) &&
               slice_eq(x->reads[i].documents, y->reads[i].documents);
    }
    return same;
}

void contract_read_members(struct buf *b, struct arena *a, const struct contract_read *r, bool whole)
{
    struct slice name = schema_subject_text(a, &r->row.subject);

    BUF_LIT(b, "\"subject\":");
    buf_json_string(b, name.p ? name : SLICE(""));
    if (!name.p)
        b->failed = true;
    if (r->row.version)
        buf_printf(b, ",\"version\":%d", r->row.version);
    if (whole || !r->row.version)
        schema_row_members(b, &r->row);
}

static enum err tell(struct db *db, struct arena *a, const char *type, const struct contract *k, struct fault *f)
{
    struct buf b = { 0 };
    enum err e;

    BUF_LIT(&b, "{\"consumer\":");
    buf_json_string(&b, k->consumer);
    buf_printf(&b, ",\"enforced\":%s,\"reads\":[", k->enforced ? "true" : "false");
    for (size_t i = 0; i < k->n; i++) {
        buf_str(&b, i ? ",{" : "{");
        contract_read_members(&b, a, &k->reads[i], false);
        buf_char(&b, '}');
    }
    BUF_LIT(&b, "]}");
    e = schemas_tell_data(db, type, "/registry/contracts", k->consumer, &b, f);
    buf_free(&b);
    return e;
}

/* How many of its subjects somebody may see. */
static size_t visible(const struct contract *k, struct contract_rights rights)
{
    size_t n = 0;

    for (size_t i = 0; i < k->n; i++)
        n += rights.may(rights.arg, &k->reads[i].row.subject);
    return n;
}

static enum err refuse_foreign(const struct contract *k, struct contract_rights rights, struct fault *f)
{
    return visible(k, rights) == k->n
               ? OK
               : fault(f, ERR_FORBIDDEN, "The contract of this consumer reads subjects that the token does not allow.");
}

static enum err check_room(const struct config *c, struct db *db, struct arena *a, const struct contract *k, struct fault *f)
{
    int64_t contracts, readers;
    enum err e = db_contract_room(db, a, k, &contracts, &readers, f);

    if (e)
        return e;
    if (contracts >= c->registry_contracts)
        return schema_fault(f, SCHEMA_NOT_PERMITTED, "There are as many contracts as registry.contracts allows.");
    if (readers >= c->registry_contract_readers)
        return schema_fault(f, SCHEMA_NOT_PERMITTED,
                            "One of the subjects is read by as many contracts as registry.contract_readers allows.");
    return OK;
}

static enum err lock_all(struct db *db, const struct contract *k, struct fault *f)
{
    struct schema_settings settings;
    enum err e = OK;

    for (size_t i = 0; !e && i < k->n; i++)
        e = db_schema_subject_lock(db, &k->reads[i].row.subject, &settings, f);
    return e;
}

/* Rows that were made for their lock alone. */
static enum err drop_unused(struct db *db, const struct contract *k, struct fault *f)
{
    enum err e = OK;

    for (size_t i = 0; !e && i < k->n; i++)
        e = db_schema_subject_drop(db, &k->reads[i].row.subject, f);
    return e;
}

static enum err check_enforced(const struct config *c, struct db *db, struct arena *a, const struct contract *k,
                               struct comparison *with, struct fault *f)
{
    enum err e = lock_all(db, k, f);

    e = e ? e : contract_check_latest(c, db, a, k, with, f);
    comparison_end(with);
    return e;
}

enum err contracts_put(const struct config *c, struct db *db, struct arena *a, const struct contract *k, struct comparison *with,
                       struct contract_rights rights, bool *ret_created, struct fault *f)
{
    struct contract before;
    int next_id;
    enum err e;

    if (k->enforced && (e = check_enforced(c, db, a, k, with, f)))
        return e;
    if ((e = db_registry_claim(db, &next_id, f)) || (e = db_contract_get(db, a, k->consumer, &before, f)) ||
        (e = refuse_foreign(&before, rights, f)) || (e = check_room(c, db, a, k, f)) || (e = db_contract_put(db, a, k, f)) ||
        (k->enforced && (e = drop_unused(db, k, f))))
        return e;
    *ret_created = !before.n;
    return tell(db, a, before.n ? "ContractChanged" : "ContractCreated", k, f);
}

enum err contracts_delete(struct db *db, struct arena *a, struct slice consumer, struct contract_rights rights,
                          struct contract *ret, struct fault *f)
{
    int next_id;
    enum err e;

    if ((e = db_registry_claim(db, &next_id, f)) || (e = db_contract_get(db, a, consumer, ret, f)))
        return e;
    if (!visible(ret, rights))
        return schema_fault(f, SCHEMA_NO_CONTRACT, "Contract '%.*s' not found.", (int)consumer.n, consumer.p);
    if ((e = refuse_foreign(ret, rights, f)) || (e = db_contract_delete(db, consumer, f)))
        return e;
    return tell(db, a, "ContractDeleted", ret, f);
}
