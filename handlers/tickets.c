#include "gateway/app_parts.h"
#include "gateway/base/clock.h"
#include "gateway/engine/tickets.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"

#define TTL_DEFAULT_US (5 * 60 * US_PER_S)
#define URL_MAX 4096

struct asked {
    struct slice url;
    int64_t ttl_us;
};

static enum err read_ticket(struct request *rq, struct asked *a)
{
    const int64_t most = rq->config->tickets_ttl_max_us;
    const struct field fields[] = {
        { "url", F_STRING, offsetof(struct asked, url), true, 1, URL_MAX, NULL, SIZE_MAX, false, SIZE_MAX },
        { "ttl", F_DURATION, offsetof(struct asked, ttl_us), false, US_PER_S, most, NULL, SIZE_MAX, false, SIZE_MAX },
        { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX },
    };

    a->ttl_us = TTL_DEFAULT_US < most ? TTL_DEFAULT_US : most;
    return request_body(rq, fields, a);
}

/* Not beyond the token's own end. */
static enum err read_end(struct request *rq, int64_t ttl_us, int64_t *ret_us)
{
    int64_t now = clock_unix_us(), end = principal_expires_us(rq->who);

    *ret_us = now + ttl_us < end ? now + ttl_us : end;
    return *ret_us > now ? OK : fault(&rq->fault, ERR_INVALID_TOKEN, "The token has expired.");
}

enum err handle_make_ticket(struct request *rq, struct reply *rp)
{
    struct asked asked = { 0 };
    struct ticket_grant grant;
    struct ticket_row row;
    struct buf b = { 0 }, changes = { 0 };
    char expires[CLOCK_TEXT];
    enum err e;

    if ((e = read_ticket(rq, &asked)) || (e = ticket_grant(rq, asked.url, &grant)))
        return e;
    row = (struct ticket_row){ .hash = { (const char *)grant.hash, sizeof grant.hash }, .url = grant.url,
                               .owner = { (const char *)grant.owner, sizeof grant.owner }, .claims = grant.claims };
    if ((e = read_end(rq, asked.ttl_us, &row.expires_us)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    clock_format(row.expires_us, expires);
    BUF_LIT(&changes, "{\"after\":{\"url\":");
    buf_json_string(&changes, row.url);
    buf_printf(&changes, ",\"expires\":\"%s\"}}", expires);
    e = tickets_add(rq->config, rq->db, &row, &rq->fault);
    if ((e = audited(rq, e, "TicketMade", SLICE("/v1/tickets"), &changes)))
        return e;
    buf_printf(&b, "{\"ticket\":\"%s\",\"expires\":\"%s\"}", grant.text, expires);
    return reply_json(rp, 201, &b);
}

enum err tickets_look_up(struct request *rq, struct slice hash, struct slice *ret_claims, int64_t *ret_expires_us)
{
    struct ticket_row row;
    enum err e = tickets_find(rq->db, rq->arena, hash, &row, &rq->fault);

    if (e)
        return e;
    *ret_claims = row.claims;
    *ret_expires_us = row.expires_us;
    return OK;
}
