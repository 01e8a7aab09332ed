#include "gateway/http/internal.h"

#define EXPOSED                                                                                                        \
    "Weir-Cursor, Idempotency-Replayed, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "              \
    "WWW-Authenticate, X-Request-Id"

static bool listed(const char *origins, struct slice origin)
{
    for (const char *p = origins ? origins : ""; *p;) {
        size_t n = strcspn(p, " ");
        if (n && slice_eq((struct slice){ p, n }, origin))
            return true;
        p += n + strspn(p + n, " ");
    }
    return false;
}

bool cors_configured(const struct request *rq)
{
    return rq->config->http_cors_origins && *rq->config->http_cors_origins;
}

void cors_headers(struct request_internal *in, struct MHD_Response *response)
{
    const struct request *rq = &in->rq;
    struct slice asked;

    if (!in->gate.origin.p || !listed(rq->config->http_cors_origins, in->gate.origin))
        return;
    /* libmicrohttpd terminates header values */
    MHD_add_response_header(response, "Access-Control-Allow-Origin", in->gate.origin.p);
    MHD_add_response_header(response, "Access-Control-Expose-Headers", EXPOSED);
    if (!in->allow || !request_header(rq, "Access-Control-Request-Method").p)
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Methods", in->allow);
    asked = request_header(rq, "Access-Control-Request-Headers");
    if (asked.n)
        MHD_add_response_header(response, "Access-Control-Allow-Headers", asked.p);
    MHD_add_response_header(response, "Access-Control-Max-Age", "600");
}
