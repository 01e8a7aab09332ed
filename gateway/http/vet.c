#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/http/internal.h"
#include "gateway/http/tls.h"

bool vet_caller(struct request_internal *in)
{
    struct revocations *list = loop_server(in->rq.loop)->c.revocations;
    uint64_t generation;

    if (!in->rq.revoked && in->rq.who && in->client->tls && !tls_peer_stands(in->client->tls, in->rq.who))
        in->rq.revoked = true;
    if (!list || !in->rq.who || in->rq.revoked || in->rq.route->perm == PERM_NONE)
        return !in->rq.revoked;
    generation = revocations_generation(list); /* before the look: a change meanwhile is looked at again */
    if (generation == in->vetted)
        return true;
    in->vetted = generation;
    in->rq.revoked = revocations_hold(list, in->rq.who, clock_unix_us());
    if (in->rq.revoked)
        metric_add(M_TOKEN_REVOKED, 1);
    return !in->rq.revoked;
}

enum err vet_fault(struct request *rq)
{
    return fault(&rq->fault, ERR_INVALID_TOKEN, "The token has been revoked, or the client certificate is not accepted any more.");
}
