#include "gateway/http/reply.h"

#include <stdio.h>

#include "gateway/http/internal.h"
#include "gateway/http/registry.h"

void reply_header(struct request *rq, struct reply *rp, const char *name, const char *value)
{
    char *copy;

    if (rp->header_count == REPLY_HEADERS_MAX || !(copy = arena_strndup(rq->arena, value, strlen(value))))
        return;
    rp->headers[rp->header_count++] = (struct reply_header){ name, copy };
}

/* A new answer in place of whatever was there; headers that were set before stay. */
static void begin(struct reply *rp, int status, const char *content_type)
{
    buf_free(&rp->body);
    rp->fixed = SLICE_NONE;
    rp->reader = NULL;
    rp->status = status;
    rp->content_type = content_type;
}

enum err reply_bytes(struct reply *rp, int status, const char *content_type, struct buf *body)
{
    if (body->failed) {
        buf_free(body);
        return ERR_NO_MEMORY;
    }
    begin(rp, status, content_type);
    rp->body = *body;
    *body = (struct buf){ 0 };
    return OK;
}

enum err reply_json(struct reply *rp, int status, struct buf *body)
{
    return reply_bytes(rp, status, "application/json", body);
}

enum err reply_fixed(struct reply *rp, int status, const char *content_type, struct slice bytes)
{
    begin(rp, status, content_type);
    rp->fixed = bytes;
    return OK;
}

enum err reply_empty(struct reply *rp, int status)
{
    begin(rp, status, NULL);
    return OK;
}

enum err reply_stream(struct reply *rp, int status, const char *content_type, reader_fn *reader)
{
    begin(rp, status, content_type);
    rp->reader = reader;
    return OK;
}

static void member(struct buf *b, const char *name, struct slice value)
{
    BUF_LIT(b, ",\"");
    buf_str(b, name);
    BUF_LIT(b, "\":");
    buf_json_string(b, value);
}

static void put_error(struct buf *b, const char *before, struct slice pointer, struct slice keyword, struct slice detail)
{
    buf_str(b, before);
    BUF_LIT(b, "{\"pointer\":");
    buf_json_string(b, pointer);
    if (keyword.p)
        member(b, "keyword", keyword);
    member(b, "detail", detail);
    buf_char(b, '}');
}

static void put_errors(const struct fault *f, const char *title, struct buf *b)
{
    if (!f->pointer[0] && !f->finding_n)
        return;
    BUF_LIT(b, ",\"errors\":");
    for (size_t i = 0; i < f->finding_n; i++)
        put_error(b, i ? "," : "[", f->findings[i].pointer, f->findings[i].keyword, f->findings[i].detail);
    if (!f->finding_n)
        put_error(b, "[", slice_of(f->pointer), SLICE_NONE, slice_of(f->detail[0] ? f->detail : title));
    buf_char(b, ']');
}

static void problem_body(const struct request *rq, const struct problem *p, struct buf *b)
{
    const struct fault *f = &rq->fault;
    char where[sizeof f->pointer + sizeof f->detail + 2]; /* the sentence by itself says which member it is about */
    const char *question = memchr(rq->target.p, '?', rq->target.n);
    size_t path_n = question ? (size_t)(question - rq->target.p) : rq->target.n;

    buf_printf(b, "{\"type\":\"/problems/%s\",\"title\":", p->code);
    buf_json_string(b, slice_of(p->title));
    buf_printf(b, ",\"status\":%d", p->status);
    snprintf(where, sizeof where, "%s%s%s", f->pointer, f->pointer[0] ? ": " : "", f->detail);
    if (f->detail[0])
        member(b, "detail", slice_of(where));
    if (path_n && rq->in->gate.refused == NULL)
        member(b, "instance", (struct slice){ rq->target.p, path_n });
    member(b, "code", slice_of(p->code));
    member(b, "request_id", slice_of(rq->id));
    put_errors(f, p->title, b);
    if (f->has_version)
        buf_printf(b, ",\"current_version\":%lld", (long long)f->current_version);
    if (f->earliest_version)
        buf_printf(b, ",\"earliest_version\":%lld", (long long)f->earliest_version);
    if (f->earliest)
        member(b, "earliest", slice_of(f->earliest));
    if (f->position)
        member(b, "position", slice_of(f->position));
    if (f->retry_after)
        buf_printf(b, ",\"retry_after\":%d", f->retry_after);
    BUF_LIT(b, "}");
}

static void problem_headers(struct request *rq, struct reply *rp, enum err e, int status)
{
    const char *challenge = "Bearer";

    if (e == ERR_INVALID_TOKEN)
        challenge = "Bearer error=\"invalid_token\"";
    else if (e == ERR_FORBIDDEN)
        challenge = "Bearer error=\"insufficient_scope\"";
    if (status == 401 || e == ERR_FORBIDDEN)
        reply_header(rq, rp, "WWW-Authenticate", challenge);
    if (rq->fault.retry_after) {
        const char *text = arena_printf(rq->arena, "%d", rq->fault.retry_after);
        reply_header(rq, rp, "Retry-After", text ? text : "1");
    }
}

void reply_problem(struct request *rq, struct reply *rp, enum err e)
{
    const struct problem *p = problem_of(e);
    bool registry = registry_speaks(rq);
    int status = p->status;
    struct buf body = { 0 };

    if ((status == 503 || status == 429) && !rq->fault.retry_after)
        rq->fault.retry_after = 1;
    rp->header_count = 0;
    if (registry)
        registry_error(rq, e, &status, &body);
    else
        problem_body(rq, p, &body);
    if (reply_bytes(rp, status, registry ? REGISTRY_TYPE : "application/problem+json", &body))
        reply_empty(rp, 503);
    problem_headers(rq, rp, e, status);
}
