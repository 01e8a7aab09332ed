#include "gateway/base/clock.h"
#include "gateway/http/internal.h"
#include "gateway/http/quota.h"

/* Quotas of requests: what they are charged, what they answer. */

static struct quota *quota_of(const struct request *rq)
{
    return loop_server(rq->loop)->quota;
}

static enum err refused(struct request *rq, enum quota_rate rate, int64_t n, int64_t wait_us)
{
    const char *name = quota_rate_name(rate);
    char window[32];

    duration_format(rq->config->quota_window_us, window);
    if (wait_us < 0)
        return fault(&rq->fault, rate == QUOTA_EVENTS ? ERR_TOO_MANY_EVENTS : ERR_BODY_TOO_LARGE,
                     "The request has %lld %s; a caller's whole quota is %lld in %s, so it can never pass.", (long long)n, name,
                     (long long)quota_limit(quota_of(rq), rate), window);
    rq->fault.retry_after = (int)((wait_us + US_PER_S - 1) / US_PER_S);
    return fault(&rq->fault, ERR_QUOTA_EXCEEDED, "The caller's quota of %lld %s in %s is used up; nothing was done.",
                 (long long)quota_limit(quota_of(rq), rate), name, window);
}

static enum err charge(struct request *rq, const int64_t n[QUOTA_RATES])
{
    int64_t wait_us;
    enum quota_rate rate = quota_charge(quota_of(rq), rq->in->account, n, clock_mono_us(), &wait_us);

    return rate == QUOTA_RATES ? OK : refused(rq, rate, n[rate], wait_us);
}

enum err limits_begin(struct request_internal *in)
{
    struct request *rq = &in->rq;
    struct quota *q = quota_of(rq);

    if (!quota_on(q))
        return OK;
    if (!(in->account = quota_enter(q, principal_issuer(rq->who), principal_subject(rq->who))))
        return ERR_NO_MEMORY;
    return charge(rq, (const int64_t[QUOTA_RATES]){ [QUOTA_REQUESTS] = 1 });
}

void limits_end(struct request_internal *in)
{
    if (in->account)
        quota_leave(quota_of(&in->rq), in->account, in->holds);
    in->account = NULL;
}

enum err request_charge(struct request *rq, size_t events, size_t bytes)
{
    if (!rq->in->account)
        return OK;
    return charge(rq, (const int64_t[QUOTA_RATES]){ [QUOTA_EVENTS] = (int64_t)events, [QUOTA_BYTES] = (int64_t)bytes });
}

enum err request_hold(struct request *rq)
{
    if (!rq->in->account || rq->in->holds)
        return OK;
    if ((rq->in->holds = quota_hold(quota_of(rq), rq->in->account)))
        return OK;
    return fault(&rq->fault, ERR_QUOTA_EXCEEDED, "The caller has %lld event streams and long-polls open, the most allowed.",
                 (long long)rq->config->quota_streams);
}

static void add(struct MHD_Response *r, const char *name, struct buf *value)
{
    buf_char(value, '\0');
    if (!value->failed)
        MHD_add_response_header(r, name, value->p);
    buf_free(value);
}

void limits_headers(struct request_internal *in, struct MHD_Response *r)
{
    struct buf policy = { 0 }, state = { 0 };

    if (!in->account)
        return;
    quota_policy(quota_of(&in->rq), &policy);
    quota_state(quota_of(&in->rq), in->account, clock_mono_us(), &state);
    add(r, "RateLimit-Policy", &policy);
    add(r, "RateLimit", &state);
}
