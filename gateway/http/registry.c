#include "gateway/http/registry.h"

#include <strings.h>

#include "gateway/base/json.h"
#include "gateway/http/internal.h"

bool registry_speaks(const struct request *rq)
{
    static const char root[] = "/registry";
    struct slice path = rq->route ? slice_of(rq->route->path) : rq->target; /* a target can spell it with percent signs */
    size_t n = sizeof root - 1;

    return path.n >= n && memcmp(path.p, root, n) == 0 && (path.n == n || strchr("/?", path.p[n]));
}

/* The codes of what concerns every HTTP API are its statuses. */
void registry_error(struct request *rq, enum err e, int *ret_status, struct buf *body)
{
    const struct problem *p = problem_of(e);
    const struct fault *f = &rq->fault;
    int code = e == ERR_REGISTRY ? f->registry : p->status;

    *ret_status = code > 999 ? code / 100 : code;
    buf_printf(body, "{\"error_code\":%d,\"message\":", code);
    buf_json_string(body, slice_of(e == ERR_REGISTRY && f->whole ? f->whole : f->detail[0] ? f->detail : p->title));
    buf_char(body, '}');
}

enum err registry_credentials(struct request_internal *in)
{
    static const char scheme[] = "Basic ";
    struct slice value = in->gate.authorization, pair;
    size_t n = sizeof scheme - 1;
    const char *colon, *bearer;

    if (!value.p || value.n <= n || strncasecmp(value.p, scheme, n) != 0)
        return OK;
    for (value.p += n, value.n -= n; value.n && *value.p == ' '; value.n--)
        value.p++;
    if (!base64_decode(in->rq.arena, value, &pair))
        return pair.p ? fault(&in->rq.fault, ERR_INVALID_TOKEN, "The credentials of Basic are not base64.") : ERR_NO_MEMORY;
    colon = memchr(pair.p, ':', pair.n);
    if (!colon)
        return fault(&in->rq.fault, ERR_INVALID_TOKEN, "The credentials of Basic have no password; a token is expected there.");
    bearer = arena_printf(in->rq.arena, "Bearer %.*s", (int)(pair.p + pair.n - colon - 1), colon + 1);
    in->gate.authorization = slice_of(bearer);
    return bearer ? OK : ERR_NO_MEMORY;
}
