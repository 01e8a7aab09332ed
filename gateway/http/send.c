#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/http/direct.h"
#include "gateway/http/internal.h"
#include "gateway/http/ticket_url.h"

#define STREAM_BLOCK 1024   /* HTTP/1.0 streams only: chunks are written straight into the connection's memory */

long send_read(struct request_internal *in, char *out, size_t max)
{
    struct request *rq = &in->rq;
    long n;

    if (in->broken || in->ended)
        return -1;
    vet_caller(in);
    rq->gone = in->gone;
    rq->draining = loop_draining(rq->loop);
    n = in->reply.reader(rq, out, max);
    in->ended = n < 0;
    if (n > 0 && request_working(rq)) {
        log_line(LOG_ERROR, "a stream's reader must write nothing when it has started a job");
        in->broken = true;
        return 0;
    }
    if (n == 0 && !request_working(rq) && (in->gone || loop_cutting(rq->loop))) {
        in->broken = true;
        return -1;
    }
    in->sent_bytes += n > 0 ? n : 0;
    return n;
}

static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t max)
{
    struct request_internal *in = cls;
    long n = send_read(in, out, max);

    (void)position;
    if (n < 0)
        return in->broken ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        in->direct = direct_possible(in);
        loop_suspend(in);
    }
    loop_unfinished(in->rq.loop);
    return n;
}

static struct MHD_Response *make_response(struct request_internal *in)
{
    struct reply *rp = &in->reply;
    struct MHD_Response *r;

    if (rp->reader)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, in, NULL);
    if (rp->fixed.p) {
        in->sent_bytes = (int64_t)rp->fixed.n;
        return MHD_create_response_from_buffer_static(rp->fixed.n, rp->fixed.p);
    }
    if (rp->body.n == 0) {
        r = MHD_create_response_from_buffer_static(0, "");
        if (r && (rp->status == 304 || slice_is(in->rq.method, "HEAD"))) /* how long the GET's is it does not say */
            MHD_set_response_options(r, MHD_RF_HEAD_ONLY_RESPONSE, MHD_RO_END);
        return r;
    }
    in->sent_bytes = (int64_t)rp->body.n;
    r = MHD_create_response_from_buffer_with_free_callback(rp->body.n, rp->body.p, free);
    if (r)
        rp->body = (struct buf){ 0 };
    return r;
}

/* One field for all that the choice of the answer hangs on. */
static void vary(struct request_internal *in, struct MHD_Response *r)
{
    const struct reply *rp = &in->reply;
    char text[128] = "";
    size_t n = 0;

    for (size_t i = 0; i < rp->header_count; i++)
        if (strcmp(rp->headers[i].name, "Vary") == 0)
            n += (size_t)snprintf(text + n, sizeof text - n, ", %.40s", rp->headers[i].value);
    if (in->varies)
        n += (size_t)snprintf(text + n, sizeof text - n, ", Accept-Encoding");
    if (cors_configured(&in->rq))
        n += (size_t)snprintf(text + n, sizeof text - n, ", Origin");
    if (n)
        MHD_add_response_header(r, "Vary", text + 2);
}

static bool has_header(const struct reply *rp, const char *name)
{
    for (size_t i = 0; i < rp->header_count; i++) {
        if (strcmp(rp->headers[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Connections that end now and then let a load balancer spread them anew. */
static bool last_of_connection(const struct request_internal *in)
{
    int64_t most = in->rq.config->http_connection_requests;

    return in->reply.close || loop_draining(in->rq.loop) || (most && in->client->requests >= most);
}

enum MHD_Result send_reply(struct request_internal *in)
{
    struct request *rq = &in->rq;
    struct reply *rp = &in->reply;
    struct MHD_Response *r = make_response(in);
    enum MHD_Result queued;

    if (!r)
        return MHD_NO;
    in->phase = PHASE_REPLY;
    in->watch = false;
    loop_deadline(in, 0);
    if (rp->content_type)
        MHD_add_response_header(r, "Content-Type", rp->content_type);
    for (size_t i = 0; i < rp->header_count; i++)
        if (strcmp(rp->headers[i].name, "Vary") != 0)
            MHD_add_response_header(r, rp->headers[i].name, rp->headers[i].value);
    vary(in, r);
    MHD_add_response_header(r, "X-Request-Id", rq->id);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (!has_header(rp, "Cache-Control"))
        MHD_add_response_header(r, "Cache-Control", "no-store");
    if (last_of_connection(in))
        MHD_add_response_header(r, "Connection", "close");
    limits_headers(in, r);
    cors_headers(in, r);
    if (rq->route)
        metric_request(rq->route_index, rp->status, (double)(clock_mono_us() - rq->began_us) / 1e6);
    queued = MHD_queue_response(in->connection, (unsigned)rp->status, r);
    MHD_destroy_response(r);
    if (rp->reader)
        metric_add(M_HTTP_SSE, 1);
    return queued;
}

void send_finished(struct request_internal *in)
{
    const struct request *rq = &in->rq;
    int status = in->reply.status;
    enum log_level level = status >= 500 || rq->config->http_access_log ? LOG_INFO : LOG_DEBUG;
    struct slice trace = { rq->traceparent.p ? rq->traceparent.p + 3 : NULL, rq->traceparent.p ? 32 : 0 };
    struct slice sub = rq->who ? principal_subject(rq->who) : SLICE_NONE;

    if (in->reply.reader && in->phase == PHASE_REPLY)
        metric_add(M_HTTP_SSE, -1);
    LOG_(level, "request", L_SLICE("method", rq->method), L_SLICE("target", ticket_hide(rq->arena, rq->target)),
         L_STR("op", rq->route ? rq->route->op : NULL), L_INT("status", status),
         L_REAL("ms", (double)(clock_mono_us() - rq->began_us) / 1e3), L_INT("bytes", in->sent_bytes),
         L_STR("request_id", rq->id), L_SLICE("trace_id", trace), L_SLICE("sub", sub),
         L_STR("detail", status >= 500 ? rq->fault.detail : NULL));
}
