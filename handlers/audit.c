#include "handlers/audit.h"

enum err audited(struct request *rq, enum err e, const char *type, struct slice resource, struct buf *changes)
{
    char address[REQUEST_ADDRESS];
    const struct audit_record r = {
        .type = type,
        .operation = rq->route->op,
        .resource = resource,
        .issuer = principal_issuer(rq->who),
        .subject = principal_subject(rq->who),
        .token_id = principal_token_id(rq->who),
        .request_id = slice_of(rq->id),
        .address = slice_of(request_address(rq, address)),
        .traceparent = rq->traceparent,
        .changes = changes && changes->n ? (struct slice){ changes->p, changes->n } : SLICE_NONE,
    };

    if (!e && (!resource.p || (changes && changes->failed)))
        e = ERR_NO_MEMORY;
    e = audit_end(rq->app->audit, rq->db, e, &r, &rq->fault);
    buf_free(changes);
    return e;
}
