#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/http/internal.h"
#include "gateway/http/query.h"
#include "gateway/http/registry.h"
#include "gateway/http/tls.h"

static void visit_gate(void *arg, struct slice name, struct slice value)
{
    gate_header(arg, name, value);
}

static void set_id(struct request_internal *in)
{
    static const char digits[] = "0123456789abcdef";
    struct request *rq = &in->rq;

    if (request_id_valid(in->gate.request_id)) {
        memcpy(rq->id, in->gate.request_id.p, in->gate.request_id.n);
        return;
    }
    for (size_t half = 0; half < 32; half += 16) {
        uint64_t v = loop_unique(rq->loop);
        for (size_t i = 0; i < 16; i++, v >>= 4)
            rq->id[half + i] = digits[v & 15];
    }
}

static enum err find_route(struct request_internal *in)
{
    struct request *rq = &in->rq;
    struct match m = { 0 };
    const char *question = memchr(rq->target.p, '?', rq->target.n);
    struct slice path = { rq->target.p, question ? (size_t)(question - rq->target.p) : rq->target.n };
    enum err e = router_match(loop_server(rq->loop)->router, rq->arena, rq->method, path, &m, &rq->fault);

    in->allow = m.allow;
    if (e)
        return e;
    rq->route = m.route;
    rq->route_index = m.index;
    rq->path_count = m.count;
    memcpy(rq->path_names, m.names, sizeof m.names);
    memcpy(rq->path_values, m.values, sizeof m.values);
    return OK;
}

static enum err check_query(struct request *rq)
{
    const char *question = memchr(rq->target.p, '?', rq->target.n);
    enum err e;

    if (!question++)
        return OK;
    e = query_parse(rq, (struct slice){ question, (size_t)(rq->target.p + rq->target.n - question) });
    return e || registry_speaks(rq) ? e : query_check(rq); /* clients of the registry send more than they need */
}

struct slice head_resource(const struct request *rq)
{
    static const char *const kinds[] = { "stream", "subject", "projection", "saga" };
    struct slice name = SLICE_NONE;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !name.p; i++)
        name = request_path(rq, kinds[i]);
    return name;
}

bool head_allows(const struct request *rq)
{
    struct slice name = head_resource(rq);
    enum perm perm = (enum perm)rq->route->perm;

    if (perm == PERM_AUTHENTICATED)
        return true;
    if (name.p)
        return principal_may(rq->who, perm, name);
    return perm == PERM_ADMIN ? principal_may_all(rq->who, perm) : principal_may_any(rq->who, perm);
}

static void wake_pending(void *rq)
{
    request_wake(rq);
}

/* A token whose key is being fetched is looked at again when that has ended, or after so long as it may take. */
static enum err check_token(struct request_internal *in)
{
    struct request *rq = &in->rq;
    struct auth *auth = loop_server(rq->loop)->c.auth;
    struct auth_wait *w = &in->wait;
    int64_t now_us = clock_mono_us();
    uint64_t age = in->token_age = auth_age(auth); /* before the look */
    enum err e;

    if ((rq->who = auth_recall(auth, &in->client->token, in->gate.authorization, clock_unix_us())))
        return OK;
    auth_unwait(w);
    if (rq->route->perm == PERM_NONE || (in->wait_until_us && now_us >= in->wait_until_us))
        w = NULL;
    else
        w->wake = wake_pending, w->arg = rq;
    e = auth_check_or_wait(auth, in->gate.authorization, clock_unix_us(), w, &rq->who, &rq->fault);
    if (!e && in->client->again) /* one that asks once, as subscribers do, needs no memory for it */
        auth_remember(auth, &in->client->token, in->gate.authorization, rq->who, age);
    if (e != ERR_PARKED)
        return e;
    if (!in->wait_until_us)
        in->wait_until_us = now_us + rq->config->auth_jwks_timeout_us;
    request_wait_until(rq, in->wait_until_us);
    return e;
}

/* A token or a ticket wins; a client certificate that is not good any more spoils it all the same. */
static enum err identify(struct request_internal *in)
{
    struct request *rq = &in->rq;
    struct tls_peer *peer = in->client->tls;
    struct principal *named = NULL;
    bool ticket = ticket_present(in);
    enum err e;

    if (peer && (e = tls_peer_identify(peer, clock_unix_us(), &named, &rq->fault)))
        return e;
    if (!ticket && !in->gate.authorization.p && peer && tls_peer_has_certificate(peer)) {
        rq->who = named;
        return named ? OK : fault(&rq->fault, ERR_UNAUTHENTICATED, "There is no token, and this client certificate is not listed.");
    }
    principal_unref(named);
    in->by_token = !ticket;
    return ticket ? ticket_check(in) : check_token(in);
}

static enum err check_rights(struct request_internal *in)
{
    struct request *rq = &in->rq;
    bool public = rq->route->perm == PERM_NONE;
    enum err e;

    if (public && !in->gate.authorization.p)
        return OK;
    e = identify(in);
    if (public) { /* a bad token on a public route is as good as none */
        rq->fault = (struct fault){ 0 };
        return OK;
    }
    if (e)
        return e;
    if (!vet_caller(in))
        return vet_fault(rq);
    if ((e = limits_begin(in)))
        return e;
    return head_allows(rq) ? OK : fault(&rq->fault, ERR_FORBIDDEN, "The token does not allow this (%s).", rq->route->op);
}

static enum err check_body(struct request_internal *in)
{
    struct request *rq = &in->rq;
    size_t limit = rq->route->body_limit == SIZE_MAX ? (size_t)rq->config->request_bytes : rq->route->body_limit;
    const struct gate *g = &in->gate;

    in->body_limit = limit;
    if (g->content_encoding.n && !slice_is(g->content_encoding, "identity"))
        return fault(&rq->fault, ERR_UNSUPPORTED_MEDIA_TYPE, "A Content-Encoding is not accepted here.");
    if (limit == 0 && (g->content_length > 0 || g->chunked))
        return fault(&rq->fault, ERR_BODY_TOO_LARGE, "This call takes no body.");
    if (g->content_length > 0 && (uint64_t)g->content_length > limit)
        return fault(&rq->fault, ERR_BODY_TOO_LARGE, "The body may have %zu bytes at most here.", limit);
    return OK;
}

enum err head_check(struct request_internal *in, const char *method, const char *version)
{
    struct request *rq = &in->rq;
    enum err e;

    rq->method = slice_of(method);
    gate_begin(&in->gate, rq->method, rq->target, slice_of(version));
    request_headers(rq, visit_gate, &in->gate);
    set_id(in);
    if ((e = gate_end(&in->gate, &rq->fault))) {
        metric_add(M_HTTP_REJECTED, 1);
        return e;
    }
    if (traceparent_valid(in->gate.traceparent))
        rq->traceparent = in->gate.traceparent;
    if ((e = find_route(in)) || (registry_speaks(rq) && (e = registry_credentials(in))))
        return e;
    if ((e = check_rights(in)) == ERR_PARKED)
        in->pending = check_rights;
    else if (e)
        return e;
    return (e = check_query(rq)) ? e : check_body(in);
}
