#include "gateway/app_parts.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/health.h"
#include "handlers/handlers.h"

enum err handle_health(struct request *rq, struct reply *rp)
{
    (void)rq;
    return reply_fixed(rp, 200, "application/json", SLICE("{\"status\":\"ok\"}"));
}

enum err handle_metrics(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 };

    (void)rq;
    metrics_render(&b);
    return reply_bytes(rp, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

enum err handle_ready(struct request *rq, struct reply *rp)
{
    const struct health h = { rq->db, &rq->app->db, rq->app->commit, rq->app->tail };
    struct buf b = { 0 }, list = { 0 };
    bool ready = true;

    for (size_t i = 0; i < health_check_count; i++) {
        const struct health_check *c = &health_checks[i];
        struct fault f = { 0 };
        bool ok = c->ok(&h, &f);

        ready &= ok || !c->vital;
        buf_printf(&list, "%s{\"name\":\"%s\",\"ok\":%s", i ? "," : "", c->name, ok ? "true" : "false");
        if (!ok) {
            BUF_LIT(&list, ",\"detail\":");
            buf_json_string(&list, slice_of(f.detail));
        }
        buf_char(&list, '}');
    }
    buf_printf(&b, "{\"status\":\"%s\",\"checks\":[", ready ? "ready" : "unavailable");
    buf_put(&b, list.p, list.n);
    BUF_LIT(&b, "]}");
    b.failed |= list.failed;
    buf_free(&list);
    return reply_json(rp, ready ? 200 : 503, &b);
}
