#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/http/internal.h"
#include "gateway/http/tls.h"

/* A key has gone since the token was found good: one that it had signed is good no more. */
static bool token_stands(struct request_internal *in)
{
    struct auth *auth = loop_server(in->rq.loop)->c.auth;
    uint64_t age = auth_age(auth); /* before the look: a change meanwhile is looked at again */

    if (!in->by_token || age == in->token_age)
        return true;
    in->token_age = age;
    return auth_stands(auth, in->gate.authorization, clock_unix_us());
}

static bool is_listed(struct request_internal *in)
{
    struct revocations *list = loop_server(in->rq.loop)->c.revocations;
    uint64_t generation = list ? revocations_generation(list) : in->vetted; /* before the look, likewise */

    if (generation == in->vetted)
        return false;
    in->vetted = generation;
    if (!revocations_hold(list, in->rq.who, clock_unix_us()))
        return false;
    metric_add(M_TOKEN_REVOKED, 1);
    return true;
}

/* NULL: nothing is against the caller. */
static const char *objection(struct request_internal *in)
{
    if (in->client->tls && !tls_peer_stands(in->client->tls, in->rq.who))
        return "The client certificate is not accepted any more.";
    if (!token_stands(in))
        return "The token is not signed by a key that this server still accepts.";
    return is_listed(in) ? "The token has been revoked." : NULL;
}

bool vet_caller(struct request_internal *in)
{
    if (in->rq.who && !in->objection && in->rq.route->perm != PERM_NONE)
        in->objection = objection(in);
    in->rq.revoked = in->objection != NULL;
    return !in->rq.revoked;
}

enum err vet_fault(struct request *rq)
{
    return fault(&rq->fault, ERR_INVALID_TOKEN, "%s", rq->in->objection);
}
