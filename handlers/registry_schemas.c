#include "gateway/base/json.h"
#include "handlers/handlers.h"
#include "handlers/registry.h"

/* Schemas by their id. Who may see none of the subjects that have one learns nothing of it: it is as unknown as one that never was.
 * A subject of another context than the default one has to have the schema (40403). A plain one need not, as at Confluent's: consumers
 * ask with the subject of the topic that they read, wherever the event was written first. */
struct found {
    struct schema_row row;
    struct schema_subject asked;   /* name.n == 0: any */
    struct schema_version *uses;   /* those that the caller may see */
    size_t n;
};

static bool is_asked(const struct found *found, const struct schema_version *v)
{
    bool anywhere = slice_is(found->asked.context, SCHEMA_DEFAULT_CONTEXT);

    return (!found->asked.name.n || slice_eq(found->asked.name, v->subject.name)) &&
           (anywhere || slice_eq(found->asked.context, v->subject.context));
}

static enum err find(struct request *rq, struct found *ret)
{
    struct slice text = request_path(rq, "id"), subject = request_query(rq, "subject");
    bool known = false;
    int64_t id = 0;
    size_t n = 0;
    enum err e = OK;

    *ret = (struct found){ .asked = { SLICE(SCHEMA_DEFAULT_CONTEXT), SLICE("") } };
    if (subject.n && (e = schema_subject_parse(subject, &ret->asked, &rq->fault)))
        return e;
    if (!json_int64(text, &id))
        return schema_fault(&rq->fault, SCHEMA_NONE, "Schema %.*s not found", text.n < 40 ? (int)text.n : 0, text.p);
    if ((e = schemas_by_id(rq->db, rq->arena, ret->asked.context, id, &ret->row, &ret->uses, &n, &rq->fault)))
        return e;
    for (size_t i = 0; i < n; i++) {
        if (!registry_visible(rq, &ret->uses[i].subject))
            continue;
        known = known || slice_is(ret->asked.context, SCHEMA_DEFAULT_CONTEXT) || is_asked(ret, &ret->uses[i]);
        ret->uses[ret->n++] = ret->uses[i];
    }
    return known ? OK : schema_fault(&rq->fault, SCHEMA_NONE, "Schema %lld not found", (long long)id);
}

enum err handle_get_schema(struct request *rq, struct reply *rp)
{
    struct buf members = { 0 }, b = { 0 };
    struct found found;
    enum err e = find(rq, &found);

    if (e)
        return e;
    schema_row_members(&members, &found.row);
    buf_char(&b, '{');
    if (members.failed)
        b.failed = true;
    else
        buf_put(&b, members.p + 1, members.n - 1); /* without the first comma */
    buf_char(&b, '}');
    buf_free(&members);
    return registry_reply(rq, rp, &b);
}

enum err handle_get_schema_text(struct request *rq, struct reply *rp)
{
    struct found found;
    struct buf b = { 0 };
    enum err e = find(rq, &found);

    if (e)
        return e;
    buf_slice(&b, found.row.text);
    return registry_reply(rq, rp, &b);
}

static enum err reply_uses(struct request *rq, struct reply *rp, bool versions)
{
    bool deleted = registry_flag(rq, "deleted");
    int64_t offset, limit, at = 0;
    struct slice last = SLICE_NONE;
    struct found found;
    struct buf b = { 0 };
    enum err e;

    if ((e = registry_window(rq, INT32_MAX, &offset, &limit)) || (e = find(rq, &found)))
        return e;
    buf_char(&b, '[');
    for (size_t i = 0; i < found.n && at - offset < limit; i++) {
        struct slice name = schema_subject_text(rq->arena, &found.uses[i].subject);

        if (!name.p)
            b.failed = true;
        if (!name.p || !is_asked(&found, &found.uses[i]) || (found.uses[i].deleted && !deleted) ||
            (!versions && last.p && slice_eq(name, last)))
            continue;
        last = name;
        if (at++ < offset)
            continue;
        buf_str(&b, b.n > 1 ? "," : "");
        buf_str(&b, versions ? "{\"subject\":" : "");
        buf_json_string(&b, name);
        if (versions)
            buf_printf(&b, ",\"version\":%d}", found.uses[i].version);
    }
    buf_char(&b, ']');
    return registry_reply(rq, rp, &b);
}

enum err handle_get_schema_subjects(struct request *rq, struct reply *rp)
{
    return reply_uses(rq, rp, false);
}

enum err handle_get_schema_uses(struct request *rq, struct reply *rp)
{
    return reply_uses(rq, rp, true);
}
