#include "gateway/app_parts.h"
#include "gateway/engine/outbound.h"
#include "handlers/handlers.h"
#include "handlers/link.h"

/* The services that sagas call: how their circuit breakers stand. */

#define LIST_MAX 1000
#define LIST_DEFAULT 100

static void put_time(struct buf *b, const char *name, int64_t us)
{
    if (us)
        buf_member_time(b, name, us);
    else
        buf_printf(b, ",\"%s\":null", name);
}

static void put_target(struct buf *b, const struct target_status *t)
{
    const struct breaker *k = &t->breaker;

    BUF_LIT(b, "{\"name\":");
    buf_json_string(b, t->target);
    buf_printf(b, ",\"state\":\"%s\",\"failures\":%d,\"successes\":%d", breaker_names[k->state], (int)k->failures,
               (int)k->successes);
    put_time(b, "opened", k->state == BREAKER_CLOSED ? 0 : k->opened_us);
    put_time(b, "retry_at", t->retry_us);
    buf_printf(b, ",\"running\":%d,\"concurrency\":%d", t->running, t->concurrency);
    if (t->rate > 0)
        buf_printf(b, ",\"rate\":%.6g", t->rate);
    else
        BUF_LIT(b, ",\"rate\":null");
    buf_printf(b, ",\"signed\":%s,\"configured\":%s}", t->is_signed ? "true" : "false", t->configured ? "true" : "false");
}

enum err handle_list_targets(struct request *rq, struct reply *rp)
{
    struct slice after = request_query(rq, "after");
    int64_t limit = LIST_DEFAULT;
    struct target_status *v;
    struct buf b = { 0 };
    bool more;
    size_t n;
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) ||
        (e = targets_list(rq->app->outbound, rq->db, rq->arena, after.p ? after : SLICE(""), (size_t)limit, &v, &n, &more,
                          &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        put_target(&b, &v[i]);
    }
    link_page(rq, rp, &b, more ? v[n - 1].target : SLICE_NONE);
    return reply_json(rp, 200, &b);
}
