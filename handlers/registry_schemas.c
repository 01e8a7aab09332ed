#include "gateway/base/json.h"
#include "handlers/handlers.h"
#include "handlers/registry.h"

/* Schemas by their id. Who may see none of the subjects that have one learns nothing of it: it is as unknown as one that never was.
 * A subject of another context than the default one has to have the schema (40403). A plain one need not, as at Confluent's: consumers
 * ask with the subject of the topic that they read, wherever the event was written first. */
struct found {
    struct schema_row row;
    struct schema_subject asked;   /* name.n == 0: any */
    bool known;                    /* to the caller */
};

static bool is_asked(const struct found *found, const struct schema_version *v)
{
    bool anywhere = slice_is(found->asked.context, SCHEMA_DEFAULT_CONTEXT);

    return (!found->asked.name.n || slice_eq(found->asked.name, v->subject.name)) &&
           (anywhere || slice_eq(found->asked.context, v->subject.context));
}

#define USES_FIRST 100                 /* read at once; those who may see little go on in larger steps */
#define USES_MOST 10000
#define USES_ARENA ((size_t)16 << 20)

/* Tells fn of the versions that have the schema and that the caller may see, in order, until it says that it has enough. */
static enum err each_use(struct request *rq, const struct schema_row *row, bool (*fn)(void *arg, const struct schema_version *v),
                         void *arg)
{
    struct schema_version after = { .subject = { SLICE(""), SLICE("") } };
    size_t n, limit = USES_FIRST;
    char name[SCHEMA_SUBJECT_BYTES];
    bool more = true, enough = false;
    enum err e = OK;

    while (!e && more && !enough) {
        struct arena *a = arena_new(USES_ARENA);
        struct schema_version *v;

        e = a ? schemas_uses(rq->db, a, row, &after, (int64_t)limit, &v, &n, &rq->fault) : ERR_NO_MEMORY;
        for (size_t i = 0; !e && !enough && i < n; i++)
            enough = registry_visible(rq, &v[i].subject) && fn(arg, &v[i]);
        if (!e && n) {
            memcpy(name, v[n - 1].subject.name.p, v[n - 1].subject.name.n);
            after.subject.name = (struct slice){ name, v[n - 1].subject.name.n };
            after.version = v[n - 1].version;
        }
        more = !e && n == limit;
        limit = USES_MOST;
        arena_free(a);
    }
    return e;
}

static bool is_known(void *arg, const struct schema_version *v)
{
    struct found *found = arg;

    found->known = slice_is(found->asked.context, SCHEMA_DEFAULT_CONTEXT) || is_asked(found, v);
    return found->known;
}

static enum err find(struct request *rq, struct found *ret)
{
    struct slice text = request_path(rq, "id"), subject = request_query(rq, "subject");
    int64_t id = 0;
    enum err e = OK;

    *ret = (struct found){ .asked = { SLICE(SCHEMA_DEFAULT_CONTEXT), SLICE("") } };
    if (subject.n && (e = schema_subject_parse(subject, &ret->asked, &rq->fault)))
        return e;
    if (!json_int64(text, &id))
        return schema_fault(&rq->fault, SCHEMA_NONE, "Schema %.*s not found", text.n < 40 ? (int)text.n : 0, text.p);
    if ((e = schemas_content(rq->db, rq->arena, ret->asked.context, id, &ret->row, &rq->fault)) ||
        (e = each_use(rq, &ret->row, is_known, ret)))
        return e;
    return ret->known ? OK : schema_fault(&rq->fault, SCHEMA_NONE, "Schema %lld not found", (long long)id);
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

struct uses {
    struct found found;
    struct buf b;
    int64_t offset, limit, at;
    bool versions, deleted;
    char last[SCHEMA_SUBJECT_BYTES];   /* the name that was told last */
    size_t last_n;
};

static bool put_use(void *arg, const struct schema_version *v)
{
    struct uses *u = arg;
    struct slice name = v->subject.name;
    char room[SCHEMA_NAME_BYTES];

    if (u->at - u->offset >= u->limit)
        return true;
    if (!is_asked(&u->found, v) || (v->deleted && !u->deleted) ||
        (!u->versions && slice_eq(name, (struct slice){ u->last, u->last_n })))
        return false;
    memcpy(u->last, name.p, name.n);
    u->last_n = name.n;
    if (u->at++ < u->offset)
        return false;
    buf_str(&u->b, u->b.n > 1 ? "," : "");
    buf_str(&u->b, u->versions ? "{\"subject\":" : "");
    buf_json_string(&u->b, schema_subject_name(&v->subject, room));
    if (u->versions)
        buf_printf(&u->b, ",\"version\":%d}", v->version);
    return u->at - u->offset >= u->limit;
}

static enum err reply_uses(struct request *rq, struct reply *rp, bool versions)
{
    struct uses u = { .versions = versions, .deleted = registry_flag(rq, "deleted") };
    enum err e;

    if ((e = registry_window(rq, INT32_MAX, &u.offset, &u.limit)) || (e = find(rq, &u.found)))
        return e;
    buf_char(&u.b, '[');
    e = each_use(rq, &u.found.row, put_use, &u);
    buf_char(&u.b, ']');
    if (e)
        buf_free(&u.b);
    return e ? e : registry_reply(rq, rp, &u.b);
}

enum err handle_get_schema_subjects(struct request *rq, struct reply *rp)
{
    return reply_uses(rq, rp, false);
}

enum err handle_get_schema_uses(struct request *rq, struct reply *rp)
{
    return reply_uses(rq, rp, true);
}
