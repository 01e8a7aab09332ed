#include "gateway/app_parts.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"

#define LIST_MAX 1000
#define LIST_DEFAULT 100
#define EXPIRES_MAX_US (INT64_C(3650) * 24 * 3600 * US_PER_S)

struct asked {
    struct slice jti, sub, iss, issued_before, expires, reason;
};

#define AT(member) offsetof(struct asked, member)

static const struct field fields[] = {
    { "jti", F_STRING, AT(jti), false, 1, 1024, NULL, SIZE_MAX, false, SIZE_MAX },
    { "sub", F_STRING, AT(sub), false, 1, 1024, NULL, SIZE_MAX, false, SIZE_MAX },
    { "iss", F_STRING, AT(iss), false, 1, 1024, NULL, SIZE_MAX, false, SIZE_MAX },
    { "issued_before", F_STRING, AT(issued_before), false, 1, 40, NULL, SIZE_MAX, false, SIZE_MAX },
    { "expires", F_STRING, AT(expires), false, 1, 40, NULL, SIZE_MAX, false, SIZE_MAX },
    { "reason", F_STRING, AT(reason), false, 0, 500, NULL, SIZE_MAX, false, SIZE_MAX },
    { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX },
};

static enum err bad(struct request *rq, const char *pointer, const char *why)
{
    strcpy(rq->fault.pointer, pointer);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", why);
}

static enum err read_times(struct request *rq, const struct asked *a, struct revocation_row *v)
{
    int64_t now = clock_unix_us();

    v->issued_before_us = now;
    v->expires_us = now + rq->config->auth_revocations_keep_us;
    if (a->issued_before.p && !clock_parse(a->issued_before, &v->issued_before_us))
        return bad(rq, "/issued_before", "It must be an RFC 3339 time.");
    if (a->expires.p && !clock_parse(a->expires, &v->expires_us))
        return bad(rq, "/expires", "It must be an RFC 3339 time.");
    if (v->expires_us <= now || v->expires_us > now + EXPIRES_MAX_US)
        return bad(rq, "/expires", "It must be in the future, and within ten years.");
    return OK;
}

static enum err read_revocation(struct request *rq, struct revocation_row *v)
{
    struct asked a = { .reason = SLICE("") };
    enum err e = request_body(rq, fields, &a);

    if (e)
        return e;
    if (!a.jti.p == !a.sub.p)
        return fault(&rq->fault, ERR_BAD_BODY, "Name either a token by jti, or the tokens of a subject by sub.");
    if (a.jti.p && a.issued_before.p)
        return bad(rq, "/issued_before", "It goes with sub alone: a jti names one token, whenever it was issued.");
    *v = (struct revocation_row){ .jti = a.jti, .sub = a.sub, .iss = a.iss, .reason = a.reason,
                                  .created_by = principal_subject(rq->who) };
    return read_times(rq, &a, v);
}

static void put_text(struct buf *b, const char *name, struct slice value)
{
    if (!value.p)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_json_string(b, value);
}

static void put_revocation(struct buf *b, const struct revocation_row *v)
{
    buf_printf(b, "{\"id\":\"%lld\"", (long long)v->id);
    put_text(b, "jti", v->jti);
    put_text(b, "sub", v->sub);
    put_text(b, "iss", v->iss);
    if (v->sub.p)
        buf_member_time(b, "issued_before", v->issued_before_us);
    buf_member_time(b, "expires", v->expires_us);
    put_text(b, "reason", v->reason);
    buf_member_time(b, "created", v->created_us);
    put_text(b, "created_by", v->created_by);
    buf_char(b, '}');
}

static enum err reply_revocation(struct reply *rp, int status, const struct revocation_row *v)
{
    struct buf b = { 0 };

    put_revocation(&b, v);
    return reply_json(rp, status, &b);
}

static const char *path_of(struct request *rq, int64_t id)
{
    return arena_printf(rq->arena, "/v1/revocations/%lld", (long long)id);
}

enum err handle_revoke(struct request *rq, struct reply *rp)
{
    struct buf changes = { 0 };
    struct revocation_row v = { 0 };
    const char *path;
    enum err e;

    if ((e = read_revocation(rq, &v)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    if (!(e = revocations_add(rq->app->revocation_feed, rq->db, &v, &rq->fault))) {
        BUF_LIT(&changes, "{\"after\":");
        put_revocation(&changes, &v);
        buf_char(&changes, '}');
    }
    path = path_of(rq, v.id);
    if ((e = audited(rq, e, "TokensRevoked", slice_of(path), &changes)))
        return e;
    revocations_take_effect(rq->app->revocation_feed, rq->db);
    reply_header(rq, rp, "Location", path);
    return reply_revocation(rp, 201, &v);
}

/* What is no number names no entry. */
static enum err read_id(struct request *rq, int64_t *ret)
{
    return json_int64(request_path(rq, "id"), ret) ? OK : fault(&rq->fault, ERR_NOT_FOUND, "There is no such revocation.");
}

enum err handle_get_revocation(struct request *rq, struct reply *rp)
{
    struct revocation_row v = { 0 };
    int64_t id;
    enum err e = read_id(rq, &id);

    return e || (e = revocations_get(rq->db, rq->arena, id, &v, &rq->fault)) ? e : reply_revocation(rp, 200, &v);
}

enum err handle_unrevoke(struct request *rq, struct reply *rp)
{
    int64_t id;
    enum err e = read_id(rq, &id);

    if (e || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    e = revocations_remove(rq->db, id, &rq->fault);
    if ((e = audited(rq, e, "RevocationRemoved", slice_of(path_of(rq, id)), NULL)))
        return e;
    revocations_take_effect(rq->app->revocation_feed, rq->db);
    return reply_empty(rp, 204);
}

enum err handle_list_revocations(struct request *rq, struct reply *rp)
{
    int64_t limit = LIST_DEFAULT, after = 0;
    struct revocation_row *v;
    struct buf b = { 0 };
    bool more;
    size_t n;
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) || (e = request_query_int(rq, "after", 0, INT64_MAX, &after)) ||
        (e = revocations_list(rq->db, rq->arena, after, limit, &v, &n, &more, &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        put_revocation(&b, &v[i]);
    }
    if (more) {
        long long last = (long long)v[n - 1].id;

        buf_printf(&b, "],\"next\":\"%lld\"}", last);
        reply_header(rq, rp, "Link", arena_printf(rq->arena, "</v1/revocations?limit=%lld&after=%lld>; rel=\"next\"",
                                                  (long long)limit, last));
    } else {
        BUF_LIT(&b, "],\"next\":null}");
    }
    return reply_json(rp, 200, &b);
}
