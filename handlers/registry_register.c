#include "gateway/engine/contracts.h"

#include "handlers/audit.h"
#include "handlers/handlers.h"
#include "handlers/registry.h"

/* Schemas that come: registered, looked up, compared. */

static enum err prepare(struct request *rq, const struct schema_subject *s, const struct schema_body *body, bool normalize,
                        struct schema_candidate *ret)
{
    return schema_prepare(rq->config, rq->db, rq->arena, s, body, normalize, ret, &rq->fault);
}

/* The schema of the body, as one of the subject of the path; `deleted`: what it refers to may be deleted softly. */
static enum err take(struct request *rq, bool deleted, struct schema_body *ret_body, struct schema_candidate *ret)
{
    struct schema_subject s;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = registry_body(rq, s.context, ret_body)))
        return e;
    ret_body->refs_deleted = deleted;
    return prepare(rq, &s, ret_body, registry_flag(rq, "normalize"), ret);
}

static struct comparison comparison(struct request *rq)
{
    return (struct comparison){ .schemas = rq->app->schemas, .time_us = rq->config->registry_check_us };
}

static enum err reply_id(struct request *rq, struct reply *rp, const struct schema_row *row)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"id\":%d}", row->id);
    return registry_reply(rq, rp, &b);
}

/* Producers register at each start: what is there already is found without any lock. */
enum err handle_register_schema(struct request *rq, struct reply *rp)
{
    struct comparison with = comparison(rq);
    struct schema_candidate candidate;
    struct schema_body body;
    struct schema_row there;
    bool found, made = false;
    enum err e;

    if ((e = take(rq, false, &body, &candidate)) ||
        (e = schemas_lookup(rq->db, rq->arena, &candidate, false, &there, &found, &rq->fault)))
        return e;
    if (found && (!body.id || body.id == there.id))
        return reply_id(rq, rp, &there);
    if ((e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_register(rq->config, rq->db, rq->arena, &candidate, &body, &with, false, &made, &rq->fault);
    if ((e = registry_end(rq, e, made ? "SchemaRegistered" : NULL)))
        return e;
    return reply_id(rq, rp, &candidate.row);
}

enum err handle_look_up_schema(struct request *rq, struct reply *rp)
{
    bool deleted = registry_flag(rq, "deleted"), found;
    struct schema_candidate candidate;
    struct schema_version *v;
    struct schema_body body;
    struct schema_subject s;
    struct schema_row row;
    struct buf b = { 0 };
    size_t n;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) ||
        (e = schemas_versions(rq->db, rq->arena, &s, deleted, false, &v, &n, &rq->fault)) ||
        (e = take(rq, deleted, &body, &candidate)) ||
        (e = schemas_lookup(rq->db, rq->arena, &candidate, deleted, &row, &found, &rq->fault)))
        return e;
    if (!found)
        return schema_fault(&rq->fault, SCHEMA_NONE, "Schema not found");
    registry_put_row(&b, &row);
    return registry_reply(rq, rp, &b);
}

static enum err old_version(struct request *rq, struct schema_subject *ret_s, struct schema_body *ret_body, bool *ret_force)
{
    struct schema_body wanted, refs;
    struct schema_row row;
    enum err e;

    if ((e = registry_subject(rq, false, ret_s)) || (e = registry_body(rq, ret_s->context, &wanted)))
        return e;
    if (wanted.force && !registry_may(rq, PERM_ADMIN, ret_s))
        return fault(&rq->fault, ERR_FORBIDDEN, "To go back by force needs admin on the subject.");
    if (wanted.version < 1)
        return schema_fault(&rq->fault, SCHEMA_BAD_VERSION, "The specified version '%d' is not a valid version id.",
                            wanted.version);
    if ((e = schemas_get(rq->db, rq->arena, ret_s, wanted.version, false, &row, &rq->fault)) ||
        (e = schema_refs_parse(rq->arena, row.refs, &refs, &rq->fault)))
        return e;
    *ret_force = wanted.force;
    *ret_body = (struct schema_body){ .text = row.text, .type = row.type, .refs = refs.refs, .n = refs.n, .metadata = row.metadata,
                                      .rule_set = row.rule_set };
    return OK;
}

enum err handle_roll_back_subject(struct request *rq, struct reply *rp)
{
    struct comparison with = comparison(rq);
    struct schema_candidate candidate;
    struct schema_subject s;
    struct schema_body body;
    struct buf b = { 0 };
    bool force = false, made;
    enum err e;

    if ((e = old_version(rq, &s, &body, &force)) || (e = prepare(rq, &s, &body, false, &candidate)) ||
        (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = schemas_register(rq->config, rq->db, rq->arena, &candidate, &body, force ? NULL : &with, true, &made, &rq->fault);
    if ((e = registry_end(rq, e, "SchemaRolledBack")))
        return e;
    buf_printf(&b, "{\"id\":%d,\"version\":%d}", candidate.row.id, candidate.row.version);
    return registry_reply(rq, rp, &b);
}

/* broken: of an enforced contract; p == NULL: none is. */
static enum err reply_verdict(struct request *rq, struct reply *rp, const struct schema_verdict *v, struct slice broken)
{
    struct slice lines[SCHEMA_LINES + 1];
    struct buf b = { 0 };
    size_t n;

    buf_printf(&b, "{\"is_compatible\":%s", v->n || broken.p ? "false" : "true");
    if (registry_flag(rq, "verbose")) {
        schema_verdict_lines(rq->arena, v, lines, &n);
        if (broken.p)
            lines[n++] = broken;
        BUF_LIT(&b, ",\"messages\":[");
        for (size_t i = 0; i < n; i++) {
            buf_str(&b, i ? "," : "");
            buf_json_string(&b, lines[i].p ? lines[i] : SLICE(""));
        }
        buf_char(&b, ']');
    }
    buf_char(&b, '}');
    return registry_reply(rq, rp, &b);
}

/* Would registering it be refused for a contract? */
static enum err check_contracts(struct request *rq, const struct schema_candidate *candidate, struct comparison *with,
                                struct slice *ret_broken)
{
    struct fault why = { 0 };
    enum err e = contracts_check(rq->db, rq->arena, candidate, with, &why);

    if (e == ERR_REGISTRY && why.registry == SCHEMA_BREAKS_CONTRACT) {
        *ret_broken = arena_slice(rq->arena, slice_of(why.whole ? why.whole : why.detail));
        return ret_broken->p ? OK : ERR_NO_MEMORY;
    }
    if (e)
        rq->fault = why;
    return e;
}

/* Against the level, as registering does it (version 0), or with one version alone. */
static enum err check(struct request *rq, struct reply *rp, int version)
{
    struct comparison with = comparison(rq);
    struct slice broken = SLICE_NONE;
    struct schema_candidate candidate;
    struct schema_verdict verdict;
    struct schema_body body;
    enum err e = take(rq, false, &body, &candidate);

    if (e)
        return e;
    e = schemas_check(rq->config, rq->db, rq->arena, &candidate, version, &with, &verdict, &rq->fault);
    if (!e && !version)
        e = check_contracts(rq, &candidate, &with, &broken);
    comparison_end(&with);
    return e ? e : reply_verdict(rq, rp, &verdict, broken);
}

enum err handle_check_with_versions(struct request *rq, struct reply *rp)
{
    return check(rq, rp, 0);
}

enum err handle_check_with_version(struct request *rq, struct reply *rp)
{
    struct schema_subject s;
    struct schema_row row;
    int version;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = registry_version(rq, &version)))
        return e;
    if (version && (e = schemas_get(rq->db, rq->arena, &s, version, false, &row, &rq->fault))) {
        if (e == ERR_REGISTRY) /* of no subject either */
            e = schema_fault(&rq->fault, SCHEMA_NO_VERSION, "Version %d not found.", version);
        return e;
    }
    return check(rq, rp, version ? version : -1);
}
