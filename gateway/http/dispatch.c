#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/http/internal.h"

/* libmicrohttpd calls dispatch_access once for the head, for each piece of the body, and when all is in; then again after each
 * resume. Good requests are never answered on the first call: that would close the connection (stack.md B). */

#define ARENA_BYTES ((size_t)64 << 10)   /* beside twice the largest body */
#define BODY_RESERVE ((size_t)1 << 20)   /* at most taken on the word of Content-Length */

void *dispatch_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct loop *l = cls;
    const struct server *s = loop_server(l);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request_internal *in = calloc(1, sizeof *in);

    if (!in || !(in->rq.arena = arena_new(ARENA_BYTES + 2 * (size_t)s->c.config->request_bytes)))
        goto fail;
    in->rq.app = s->c.app;
    in->rq.config = s->c.config;
    in->rq.loop = l;
    in->rq.in = in;
    in->rq.began_us = clock_mono_us();
    in->rq.target = arena_slice(in->rq.arena, slice_of(target));
    in->connection = connection;
    in->client = info ? info->socket_context : NULL;
    if (!in->rq.target.p || !in->client)
        goto fail;
    in->client->in = in;
    in->client->requests++;
    loop_enter(l, in);
    return in;
fail:
    if (in)
        arena_free(in->rq.arena);
    free(in);
    return NULL;
}

void dispatch_end(struct request_internal *in)
{
    if (in->rq.state_free)
        in->rq.state_free(in->rq.state);
    loop_leave(in->rq.loop, in);
    limits_end(in);
    principal_unref(in->rq.who);
    body_drop(in);
    buf_free(&in->reply.body);
    buf_free(&in->rest);
    arena_free(in->rq.arena);
    free(in);
}

void dispatch_completed(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    struct request_internal *in = *state;

    (void)connection;
    (void)why;
    if (!in)
        return;
    *state = NULL;
    auth_unwait(&in->wait);
    send_finished(in);
    if (!loop_orphan(cls, in))
        dispatch_end(in);
}

static enum MHD_Result answer(struct request_internal *in, enum err e)
{
    if (e)
        reply_problem(&in->rq, &in->reply, e);
    else if (in->reply.status == 0)
        reply_problem(&in->rq, &in->reply, ERR_INTERNAL);
    if (in->allow)
        reply_header(&in->rq, &in->reply, "Allow", in->allow);
    if (in->phase == PHASE_RUN && encode_wanted(in) && request_work(&in->rq, encode_reply)) {
        in->phase = PHASE_ENCODE;
        loop_deadline(in, 0);
        loop_suspend(in);
        return MHD_YES;
    }
    return send_reply(in); /* as it is when every worker is busy */
}

/* So much of a refused body is read and dropped: a client that is still sending would see a reset instead of the answer. */
static size_t drain_bytes(const struct request_internal *in)
{
    return 2 * (size_t)in->rq.config->request_bytes;
}

static bool worth_draining(const struct request_internal *in)
{
    return in->verdict != ERR_BAD_REQUEST && !in->gate.expect_continue &&
           (in->gate.chunked || in->gate.content_length <= (int64_t)drain_bytes(in));
}

static enum MHD_Result take_head(struct request_internal *in, const char *method, const char *version)
{
    int64_t length;

    in->phase = PHASE_BODY;
    in->verdict = head_check(in, method, version);
    length = in->gate.content_length;
    if (in->verdict == ERR_METHOD_NOT_ALLOWED && slice_is(in->rq.method, "OPTIONS")) {
        in->verdict = OK;
        reply_empty(&in->reply, 204);
    }
    if (in->verdict && !worth_draining(in)) {
        in->reply.close = true;
        return answer(in, in->verdict);
    }
    if (in->verdict || length <= 0)
        return MHD_YES;
    in->body.limit = in->body_limit;
    if (!buf_reserve(&in->body, (size_t)length < BODY_RESERVE ? (size_t)length : BODY_RESERVE))
        in->verdict = ERR_NO_MEMORY;
    return MHD_YES;
}

/* A response cannot be queued amid a body: beyond what is worth reading the connection is cut. */
static enum MHD_Result take_body(struct request_internal *in, const char *p, size_t n)
{
    if (!in->verdict && in->body.n + n > in->body_limit)
        in->verdict = fault(&in->rq.fault, ERR_BODY_TOO_LARGE, "The body may have %zu bytes at most here.",
                            in->body_limit);
    if (!in->verdict)
        in->verdict = body_hold(in, n);
    if (!in->verdict) {
        buf_put(&in->body, p, n);
        if (!in->body.failed)
            return MHD_YES;
        in->verdict = ERR_NO_MEMORY;
    }
    body_drop(in);
    in->discarded += n;
    return in->discarded > drain_bytes(in) ? MHD_NO : MHD_YES;
}

static void run_blocking(struct request *rq)
{
    enum err e = rq->route->handle(rq, &rq->in->reply);

    if (!e && encode_wanted(rq->in))
        encode_reply(rq);
    rq->in->result = e == ERR_PARKED ? fault(&rq->fault, ERR_INTERNAL, "A blocking handler cannot park.") : e;
}

static enum err run_on_worker(struct request_internal *in)
{
    if (in->submitted)
        return in->result;
    in->submitted = true;
    return request_job(&in->rq, run_blocking);
}

/* Asks what head.c left pending. A client that left meanwhile gets no handler. */
static enum err settle(struct request_internal *in)
{
    enum err e = in->gone || loop_cutting(in->rq.loop) ? ERR_SHUTTING_DOWN : in->pending(in);

    if (e == ERR_PARKED)
        return e;
    in->pending = NULL;
    in->watch = false;
    loop_deadline(in, 0);
    return e;
}

/* Of whom nobody knows yet no body is taken: strangers would fill the memory that http.body_memory leaves to all. */
static bool is_known(struct request_internal *in)
{
    enum err e = in->pending && !in->verdict ? settle(in) : in->verdict;

    if (e != ERR_PARKED)
        in->verdict = e;
    return e != ERR_PARKED;
}

/* Not begun, or only reading. A request that may have changed something is told what became of it. */
static bool changes_nothing(const struct request_internal *in)
{
    return !in->begun || strcmp(in->rq.route->method, "GET") == 0;
}

static enum MHD_Result run(struct request_internal *in)
{
    struct request *rq = &in->rq;
    enum err e;

    if (in->phase == PHASE_BODY) {
        in->phase = PHASE_RUN;
        rq->body = (struct slice){ in->body.p ? in->body.p : "", in->body.n };
    }
    if (request_working(rq)) {
        loop_park(in);
        return MHD_YES;
    }
    if (in->phase == PHASE_ENCODE)
        return send_reply(in);
    if (in->verdict || (in->reply.status && !in->submitted))
        return answer(in, in->verdict);
    if (in->pending && (e = settle(in)) != OK) {
        if (e != ERR_PARKED)
            return answer(in, e);
        loop_suspend(in);
        return MHD_YES;
    }
    if (!vet_caller(in) && changes_nothing(in))
        return answer(in, vet_fault(rq));
    rq->gone = in->gone;
    rq->draining = loop_draining(rq->loop);
    in->begun = true;
    e = rq->route->blocking ? run_on_worker(in) : rq->route->handle(rq, &in->reply);
    if (e != ERR_PARKED)
        return answer(in, e);
    if (loop_cutting(rq->loop) && !request_working(rq))
        return answer(in, ERR_SHUTTING_DOWN);
    loop_park(in);
    return MHD_YES;
}

enum MHD_Result dispatch_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct request_internal *in = *state;

    (void)connection;
    (void)url;
    if (!in)
        return MHD_NO;
    if (in->phase == PHASE_HEAD)
        return take_head(in, method, version);
    if (*upload_size) {
        size_t n = *upload_size;

        if (!is_known(in)) {
            loop_suspend(in);
            return MHD_YES; /* called again with the same piece */
        }
        *upload_size = 0;
        loop_unfinished(cls);
        return take_body(in, upload, n);
    }
    return run(in);
}
