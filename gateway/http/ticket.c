#include "gateway/http/ticket.h"

#include <jansson.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/http/internal.h"
#include "gateway/http/jose.h"
#include "gateway/http/principal.h"
#include "gateway/http/query.h"
#include "gateway/http/ticket_url.h"

#define LOOKUPS_MAX 2                        /* at one time: strangers must not keep every worker and PostgreSQL busy */
#define LOOKUP_TURN_US (5 * INT64_C(1000))   /* who finds so many tries again then … */
#define LOOKUP_WAIT_US (5 * US_PER_S)        /* … and for so long */

/* --- making one --- */

static enum err bad_url(struct request *rq, const char *why)
{
    strcpy(rq->fault.pointer, "/url");
    return fault(&rq->fault, ERR_BAD_BODY, "%s", why);
}

/* Origin-form (RFC 9112, 3.2.1) as a browser sends it: visible ASCII, no fragment, no second slash that would begin a host. */
static bool is_target(struct slice url)
{
    if (url.n == 0 || url.p[0] != '/' || (url.n > 1 && url.p[1] == '/'))
        return false;
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] <= ' ' || url.p[i] > '~' || url.p[i] == '#')
            return false;
    }
    return true;
}

/* The request that url would be, with its route, arguments and parameters. */
static enum err imagine(struct request *rq, struct slice url, struct request *ret)
{
    const char *question = memchr(url.p, '?', url.n);
    struct slice path = { url.p, question ? (size_t)(question - url.p) : url.n };
    struct match m = { 0 };

    *ret = (struct request){ .arena = rq->arena, .config = rq->config, .who = rq->who, .target = url };
    if (router_match(loop_server(rq->loop)->router, rq->arena, SLICE("GET"), path, &m, &ret->fault) ||
        !query_names(m.route, SLICE("ticket")))
        return bad_url(rq, "It must be the path and query of an event stream of this server.");
    ret->route = m.route;
    ret->path_count = m.count;
    memcpy(ret->path_names, m.names, sizeof m.names);
    memcpy(ret->path_values, m.values, sizeof m.values);
    if (question && (query_parse(ret, (struct slice){ question + 1, url.n - path.n - 1 }) || query_check(ret)))
        return bad_url(rq, ret->fault.detail);
    if (request_query(ret, "ticket").p || request_query(ret, "last_event_id").p)
        return bad_url(rq, "It must be without ticket and last_event_id: these are added when it is called.");
    return OK;
}

static void put_member(struct buf *b, const char *name, struct slice value)
{
    if (!value.n)
        return;
    buf_printf(b, "\"%s\":", name);
    buf_json_string(b, value);
    buf_char(b, ',');
}

/* Whose token it is, and its rights: on the stream alone where the path names one, else whatever it has of the route's action. */
static bool make_claims(const struct request *as, struct arena *a, struct slice *ret)
{
    struct slice name = head_resource(as);
    struct buf b = { 0 };

    buf_char(&b, '{');
    put_member(&b, "iss", principal_issuer(as->who));
    put_member(&b, "sub", principal_subject(as->who));
    put_member(&b, "jti", principal_token_id(as->who));
    if (principal_issued_us(as->who))
        buf_printf(&b, "\"iat\":%lld.%06lld,", (long long)(principal_issued_us(as->who) / US_PER_S),
                   (long long)(principal_issued_us(as->who) % US_PER_S));
    BUF_LIT(&b, "\"authorization_details\":[");
    if (name.p)
        rights_write_one(as->route->perm, name, &b);
    else
        principal_write_rights(as->who, as->route->perm, &b);
    BUF_LIT(&b, "]}");
    *ret = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ret->p;
}

static bool digest(struct slice x, struct slice y, unsigned char out[TICKET_HASH])
{
    struct buf b = { 0 };

    buf_slice(&b, x);
    buf_char(&b, '\n');
    buf_slice(&b, y);
    if (!b.failed)
        SHA256((const unsigned char *)b.p, b.n, out);
    buf_free(&b);
    return !b.failed;
}

static bool random_text(char out[TICKET_TEXT + 1])
{
    unsigned char bytes[32];
    struct buf b = { 0 };
    bool good = RAND_bytes(bytes, sizeof bytes) == 1;

    jose_base64url_put(&b, (struct slice){ (const char *)bytes, sizeof bytes });
    if ((good = good && !b.failed && b.n == TICKET_TEXT))
        memcpy(out, b.p, b.n);
    out[TICKET_TEXT] = '\0';
    buf_free(&b);
    return good;
}

enum err ticket_grant(struct request *rq, struct slice url, struct ticket_grant *ret)
{
    struct request as;
    enum err e;

    if (!is_target(url))
        return bad_url(rq, "It must be a path with its query, in visible ASCII and without a fragment.");
    if ((e = imagine(rq, url, &as)))
        return e;
    if (!head_allows(&as))
        return fault(&rq->fault, ERR_FORBIDDEN, "The token does not allow what the ticket is for (%s).", as.route->op);
    ret->url = ticket_url(rq->arena, url);
    if (!ret->url.p || !make_claims(&as, rq->arena, &ret->claims))
        return ERR_NO_MEMORY;
    if (!random_text(ret->text))
        return fault(&rq->fault, ERR_INTERNAL, "There are no random bytes for a ticket.");
    return digest(slice_of(ret->text), ret->url, ret->hash) &&
                   digest(principal_issuer(rq->who), principal_subject(rq->who), ret->owner)
               ? OK
               : ERR_NO_MEMORY;
}

/* --- taking one --- */

/* One sentence for whatever is wrong: nobody learns which tickets there are, or for what. */
static enum err refuse(struct request *rq)
{
    return fault(&rq->fault, ERR_INVALID_TOKEN, "The ticket is not valid for this path and query, or it has ended.");
}

static void find(struct request *rq)
{
    struct request_internal *in = rq->in;
    struct slice claims;
    int64_t expires_us;
    const char *why;
    json_t *v;

    metric_add(M_TICKET_LOOKUPS, 1);
    in->result = loop_server(rq->loop)->c.find_ticket(rq, (struct slice){ (char *)in->ticket_hash, TICKET_HASH }, &claims,
                                                      &expires_us);
    if (in->result)
        return;
    v = json_loadb(claims.p, claims.n, JSON_REJECT_DUPLICATES, NULL);
    rq->who = v ? principal_new(v, expires_us, &why) : NULL;
    json_decref(v);
    if (!rq->who) {
        in->result = ERR_NO_MEMORY;
        return;
    }
    auth_limit(loop_server(rq->loop)->c.auth, rq->who);
}

/* A job. */
static void look_up(struct request *rq)
{
    find(rq);
    atomic_fetch_sub(&loop_server(rq->loop)->ticket_lookups, 1);
}

/* Begins the job, or waits for its turn. */
static enum err ask(struct request_internal *in)
{
    atomic_int *lookups = &loop_server(in->rq.loop)->ticket_lookups;
    int64_t now = clock_mono_us();
    bool turn = atomic_fetch_add(lookups, 1) < LOOKUPS_MAX;

    if ((in->ticket_asked = turn && request_work(&in->rq, look_up)))
        return ERR_PARKED;
    atomic_fetch_sub(lookups, 1);
    if (!in->wait_until_us)
        in->wait_until_us = now + LOOKUP_WAIT_US;
    if (now >= in->wait_until_us) {
        in->rq.fault.retry_after = 1;
        return fault(&in->rq.fault, ERR_OVERLOADED, "Too many tickets are being looked up.");
    }
    request_wait_until(&in->rq, now + LOOKUP_TURN_US);
    return ERR_PARKED;
}

static enum err begin(struct request_internal *in)
{
    struct request *rq = &in->rq;
    struct slice text = ticket_in(rq->arena, rq->target), url = ticket_url(rq->arena, rq->target);

    if (in->gate.authorization.p)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "Give either a ticket or the header Authorization.");
    if (!slice_is(rq->method, "GET") || text.n != TICKET_TEXT)
        return refuse(rq);
    if (!url.p || !digest(text, url, in->ticket_hash))
        return ERR_NO_MEMORY;
    if ((rq->who = token_cache_get(loop_server(rq->loop)->tickets, in->ticket_hash, clock_unix_us(), 0)))
        return OK;
    return ERR_PARKED;
}

bool ticket_present(const struct request_internal *in)
{
    const struct request *rq = &in->rq;

    return loop_server(rq->loop)->tickets && query_names(rq->route, SLICE("ticket")) && ticket_in(rq->arena, rq->target).p;
}

enum err ticket_check(struct request_internal *in)
{
    struct request *rq = &in->rq;
    struct token_cache *cache = loop_server(rq->loop)->tickets;

    in->by_ticket = true;
    if (!in->pending)
        return begin(in);
    if (!in->ticket_asked)
        return ask(in);
    if (in->result)
        return in->result == ERR_NOT_FOUND ? refuse(rq) : in->result;
    token_cache_put(cache, in->ticket_hash, rq->who, token_cache_age(cache));
    return OK;
}
