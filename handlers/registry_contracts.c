#include "gateway/engine/contracts.h"

#include "handlers/audit.h"
#include "handlers/handlers.h"
#include "handlers/registry.h"

/* Contracts of consumers. Who may see none of the subjects of one does not know of it. */

static bool may(void *rq, const struct schema_subject *s)
{
    return registry_visible(rq, s);
}

static enum err name_of(struct request *rq, struct slice *ret)
{
    *ret = request_path(rq, "consumer");
    return contract_name_check(*ret, &rq->fault);
}

static enum err none(struct request *rq, struct slice consumer)
{
    return schema_fault(&rq->fault, SCHEMA_NO_CONTRACT, "Contract '%.*s' not found.", (int)consumer.n, consumer.p);
}

static void put_contract(struct request *rq, struct arena *a, struct buf *b, const struct contract *k)
{
    bool first = true;

    BUF_LIT(b, "{\"consumer\":");
    buf_json_string(b, k->consumer);
    buf_printf(b, ",\"enforced\":%s,\"reads\":[", k->enforced ? "true" : "false");
    for (size_t i = 0; i < k->n; i++) {
        if (!registry_visible(rq, &k->reads[i].row.subject))
            continue;
        buf_str(b, first ? "{" : ",{");
        contract_read_members(b, a, &k->reads[i], true);
        buf_char(b, '}');
        first = false;
    }
    BUF_LIT(b, "]}");
}

static enum err reply_contract(struct request *rq, struct reply *rp, int status, struct arena *a, const struct contract *k)
{
    struct buf b = { 0 };

    put_contract(rq, a, &b, k);
    return registry_reply_status(rq, rp, status, &b);
}

static void free_arena(void *a)
{
    arena_free(a);
}

/* Beside the request's, for schemas with all that they refer to. NULL: no memory. */
static struct arena *roomy(struct request *rq)
{
    struct arena *a = arena_new(CONTRACT_ARENA);

    if (a && arena_defer(rq->arena, free_arena, a))
        return a;
    arena_free(a);
    return NULL;
}

/* The right to each subject that it reads or refers to. */
static enum err check_rights(struct request *rq, const struct contract_body *body)
{
    for (size_t i = 0; i < body->n; i++) {
        const struct contract_wanted *w = &body->v[i];

        if (!registry_visible(rq, &w->subject) || registry_visible_refs(rq, w->subject.context, &w->body) < w->body.n)
            return fault(&rq->fault, ERR_FORBIDDEN, "/reads/%zu: The token does not allow this subject, or one it refers to.", i);
    }
    return OK;
}

/* Consumers put theirs at each start: what is there already is found without any lock. */
enum err handle_put_contract(struct request *rq, struct reply *rp)
{
    struct comparison with = { .schemas = rq->app->schemas, .time_us = rq->config->registry_check_us };
    struct contract_rights rights = { may, rq };
    struct arena *a = roomy(rq);
    struct contract k, there;
    struct contract_body body;
    struct slice consumer;
    bool created = false;
    enum err e;

    if (!a)
        return ERR_NO_MEMORY;
    if ((e = name_of(rq, &consumer)) || (e = registry_json(rq)) ||
        (e = contract_body_parse(rq->config, rq->arena, consumer, rq->body, &body, &rq->fault)) || (e = check_rights(rq, &body)) ||
        (e = contract_prepare(rq->config, rq->db, a, consumer, &body, &k, &rq->fault)) ||
        (e = contracts_get(rq->db, a, consumer, &there, &rq->fault)))
        return e;
    if (contract_same(&k, &there))
        return reply_contract(rq, rp, 200, a, &k);
    if ((e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = contracts_put(rq->config, rq->db, a, &k, &with, rights, &created, &rq->fault);
    if ((e = registry_end(rq, e, created ? "ContractCreated" : "ContractChanged")))
        return e;
    return reply_contract(rq, rp, created ? 201 : 200, a, &k);
}

enum err handle_get_contract(struct request *rq, struct reply *rp)
{
    struct arena *a = roomy(rq);
    struct slice consumer;
    struct contract k;
    bool seen = false;
    enum err e;

    if (!a)
        return ERR_NO_MEMORY;
    if ((e = name_of(rq, &consumer)) || (e = contracts_get(rq->db, a, consumer, &k, &rq->fault)))
        return e;
    for (size_t i = 0; !seen && i < k.n; i++)
        seen = registry_visible(rq, &k.reads[i].row.subject);
    return seen ? reply_contract(rq, rp, 200, a, &k) : none(rq, consumer);
}

enum err handle_delete_contract(struct request *rq, struct reply *rp)
{
    struct contract_rights rights = { may, rq };
    struct arena *a = roomy(rq);
    struct contract k = { .n = 0 };
    struct slice consumer;
    enum err e;

    if (!a)
        return ERR_NO_MEMORY;
    if ((e = name_of(rq, &consumer)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = contracts_delete(rq->db, a, consumer, rights, &k, &rq->fault);
    if ((e = registry_end(rq, e, "ContractDeleted")))
        return e;
    return reply_contract(rq, rp, 200, a, &k);
}

#define LIST_MOST 1000                    /* contracts in one answer, */
#define LIST_BYTES ((size_t)16 << 20)     /* which ends early at so many bytes */
#define LIST_PAGE 20
#define LIST_ARENA ((size_t)64 << 20)     /* of a page: the longest names of the most subjects that there may be */

/* true: the caller may see one of its subjects. */
static bool put_summary(struct request *rq, struct buf *b, struct arena *a, const struct contract *k)
{
    size_t mark = b->n, seen = 0;

    buf_str(b, b->n > 1 ? ",{\"consumer\":" : "{\"consumer\":");
    buf_json_string(b, k->consumer);
    buf_printf(b, ",\"enforced\":%s,\"subjects\":[", k->enforced ? "true" : "false");
    for (size_t i = 0; i < k->n; i++) {
        struct slice name = schema_subject_text(a, &k->reads[i].row.subject);

        if (!name.p)
            b->failed = true;
        if (!name.p || !principal_may(rq->who, PERM_SCHEMA, name))
            continue;
        buf_str(b, seen++ ? "," : "");
        buf_json_string(b, name);
    }
    BUF_LIT(b, "]}");
    if (!seen)
        b->n = mark;
    return seen;
}

enum err handle_list_contracts(struct request *rq, struct reply *rp)
{
    int64_t offset, limit, at = 0;
    char last[CONTRACT_NAME];
    struct slice after = SLICE("");
    struct buf b = { 0 };
    size_t n = LIST_PAGE;
    enum err e;

    if ((e = registry_window(rq, LIST_MOST, &offset, &limit)))
        return e;
    buf_char(&b, '[');
    while (!e && n == LIST_PAGE && at - offset < limit && b.n < LIST_BYTES) {
        struct arena *a = arena_new(LIST_ARENA);
        struct contract *v;

        e = a ? contracts_list(rq->db, a, after, LIST_PAGE, &v, &n, &rq->fault) : ERR_NO_MEMORY;
        for (size_t i = 0; !e && i < n && at - offset < limit; i++) {
            size_t mark = b.n;

            if (put_summary(rq, &b, a, &v[i]) && at++ < offset)
                b.n = mark;
        }
        if (!e && n) {
            memcpy(last, v[n - 1].consumer.p, v[n - 1].consumer.n);
            after = (struct slice){ last, v[n - 1].consumer.n };
        }
        arena_free(a);
    }
    buf_char(&b, ']');
    if (e)
        buf_free(&b);
    return e ? e : registry_reply(rq, rp, &b);
}
