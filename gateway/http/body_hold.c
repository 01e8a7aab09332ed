#include "gateway/base/metrics.h"
#include "gateway/http/internal.h"

/* Slow bodies of many clients must not fill the memory: all together are bounded. Only bytes that have come are counted. */

enum err body_hold(struct request_internal *in, size_t n)
{
    struct server *s = loop_server(in->rq.loop);

    if (atomic_fetch_add(&s->body_bytes, n) + n > (size_t)in->rq.config->http_body_memory) {
        atomic_fetch_sub(&s->body_bytes, n);
        return fault(&in->rq.fault, ERR_OVERLOADED, "The bodies of all requests in process take too much memory.");
    }
    in->body_held += n;
    metric_add(M_HTTP_BODY_BYTES, (int64_t)n);
    return OK;
}

void body_drop(struct request_internal *in)
{
    if (in->body_held) {
        atomic_fetch_sub(&loop_server(in->rq.loop)->body_bytes, in->body_held);
        metric_add(M_HTTP_BODY_BYTES, -(int64_t)in->body_held);
    }
    in->body_held = 0;
    buf_free(&in->body);
}
