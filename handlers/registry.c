#include "handlers/registry.h"

#include <strings.h>

#include "gateway/base/json.h"
#include "gateway/http/registry.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"

enum err registry_reply(struct request *rq, struct reply *rp, struct buf *body)
{
    return registry_reply_status(rq, rp, 200, body);
}

enum err registry_reply_status(struct request *rq, struct reply *rp, int status, struct buf *body)
{
    static const char *const offers[] = { REGISTRY_TYPE, "application/json" };
    const char *type = request_accept(rq, offers, 2);

    return reply_bytes(rp, status, type ? type : REGISTRY_TYPE, body); /* clients ask for older names of it too */
}

enum err registry_reply_numbers(struct request *rq, struct reply *rp, const int *v, size_t n)
{
    struct buf b = { 0 };

    buf_char(&b, '[');
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%d", i ? "," : "", v[i]);
    buf_char(&b, ']');
    return registry_reply(rq, rp, &b);
}

bool registry_flag(const struct request *rq, const char *name)
{
    struct slice v = request_query(rq, name);

    return v.n == 4 && strncasecmp(v.p, "true", 4) == 0;
}

static enum err number(struct request *rq, const char *name, int64_t *ret)
{
    struct slice v = request_query(rq, name);

    if (!v.p || json_int64(v, ret))
        return OK;
    return fault(&rq->fault, ERR_BAD_PARAMETER, "The parameter %s must be an integer.", name);
}

enum err registry_window(struct request *rq, int64_t most, int64_t *ret_offset, int64_t *ret_limit)
{
    int64_t offset = 0, limit = -1;
    enum err e;

    if ((e = number(rq, "offset", &offset)) || (e = number(rq, "limit", &limit)))
        return e;
    *ret_offset = offset > 0 ? offset : 0;
    *ret_limit = limit >= 0 && limit < most ? limit : most;
    return OK;
}

bool registry_may(struct request *rq, enum perm perm, const struct schema_subject *s)
{
    char room[SCHEMA_NAME_BYTES];

    return principal_may(rq->who, perm, schema_subject_name(s, room));
}

bool registry_visible(struct request *rq, const struct schema_subject *s)
{
    return registry_may(rq, PERM_SCHEMA, s);
}

enum err registry_subject(struct request *rq, bool context_too, struct schema_subject *ret)
{
    struct slice text = request_path(rq, "subject");
    enum err e = schema_subject_parse(text, ret, &rq->fault);

    if (e)
        return e;
    if (!ret->name.n && !context_too)
        return schema_fault(&rq->fault, SCHEMA_BAD_SUBJECT, "The specified subject '%.*s' is not a valid.", (int)text.n, text.p);
    if (!ret->name.n && slice_is(ret->context, SCHEMA_DEFAULT_CONTEXT) && !principal_may_all(rq->who, PERM_ADMIN))
        return fault(&rq->fault, ERR_FORBIDDEN, "What is set for all subjects needs admin:*.");
    return registry_visible(rq, ret) ? OK : fault(&rq->fault, ERR_FORBIDDEN, "The token does not allow this (%s).", rq->route->op);
}

enum err registry_version(struct request *rq, int *ret)
{
    return schema_version_parse(request_path(rq, "version"), ret, &rq->fault);
}

static bool ends_with(struct slice s, const char *end)
{
    size_t n = strlen(end);

    return s.n >= n && strncasecmp(s.p + s.n - n, end, n) == 0;
}

enum err registry_json(struct request *rq)
{
    struct slice type = request_header(rq, "Content-Type");
    const char *semicolon = type.p ? memchr(type.p, ';', type.n) : NULL;

    if (semicolon)
        type.n = (size_t)(semicolon - type.p);
    while (type.n && type.p[type.n - 1] == ' ')
        type.n--;
    if (!type.p || ends_with(type, "/json") || ends_with(type, "+json") || ends_with(type, "/octet-stream"))
        return OK;
    return fault(&rq->fault, ERR_UNSUPPORTED_MEDIA_TYPE, "Send a body of type " REGISTRY_TYPE ".");
}

size_t registry_visible_refs(struct request *rq, struct slice context, const struct schema_body *b)
{
    size_t i = 0;

    for (; i < b->n; i++) {
        struct schema_subject s = schema_target(&b->refs[i], context);

        if (!registry_visible(rq, &s))
            break;
    }
    return i;
}

enum err registry_body(struct request *rq, struct slice context, struct schema_body *ret)
{
    size_t visible;
    enum err e = registry_json(rq);

    if (e || (e = schema_body_parse(rq->arena, rq->body, ret, &rq->fault)))
        return e;
    if ((visible = registry_visible_refs(rq, context, ret)) == ret->n)
        return OK;
    return fault(&rq->fault, ERR_FORBIDDEN, "The token does not allow the subject of reference %zu.", visible + 1);
}

enum err registry_end(struct request *rq, enum err e, const char *type)
{
    const char *question = memchr(rq->target.p, '?', rq->target.n);
    struct slice path = { rq->target.p, question ? (size_t)(question - rq->target.p) : rq->target.n };

    if ((e = audited(rq, e, type, path, NULL)))
        return e;
    if (type)
        schemas_changed(rq->app->schemas, rq->db);
    return OK;
}

void registry_put_row(struct buf *b, const struct schema_row *row)
{
    char room[SCHEMA_NAME_BYTES];

    BUF_LIT(b, "{\"subject\":");
    buf_json_string(b, schema_subject_name(&row->subject, room));
    buf_printf(b, ",\"version\":%d,\"id\":%d", row->version, row->id);
    schema_row_members(b, row);
    buf_char(b, '}');
}

enum err handle_registry_root(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "{}");
    return registry_reply(rq, rp, &b);
}

enum err handle_schema_types(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 };

    for (int i = SCHEMA_TYPES - 1; i >= 0; i--)
        buf_printf(&b, "%s\"%s\"", i == SCHEMA_TYPES - 1 ? "[" : ",", schema_type_names[i]);
    buf_char(&b, ']');
    return registry_reply(rq, rp, &b);
}

/* Serializers of newer clients ask which subjects belong to a topic; none is tied to one here, so they go by their names. */
enum err handle_registry_associations(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "[]");
    return registry_reply(rq, rp, &b);
}
