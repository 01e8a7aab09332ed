#include <stdlib.h>

#include "db/retention.h"
#include "gateway/app_parts.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "handlers/handlers.h"

#define SKEW_MAX_US (5 * US_PER_S)

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

/* A check says why it fails in `f`. */
typedef bool check_fn(struct request *rq, struct fault *f);

static bool postgres(struct request *rq, struct fault *f)
{
    int64_t theirs, ours = clock_unix_us();

    if (db_connect(rq->db, f) || db_clock(rq->db, &theirs, f))
        return false;
    if (llabs(theirs - ours) > SKEW_MAX_US)
        return fault(f, ERR_INTERNAL, "The clocks of gateway and PostgreSQL differ by %lld s.",
                     (long long)(llabs(theirs - ours) / US_PER_S)) == OK;
    return true;
}

static bool migrations(struct request *rq, struct fault *f)
{
    int have, want;

    if (migrate_check(&rq->app->db, &have, &want, f))
        return false;
    if (have == want)
        return true;
    return fault(f, ERR_INTERNAL, "The database is at migration %d, the program at %d.", have, want) == OK;
}

static bool lanes(struct request *rq, struct fault *f)
{
    return commit_moving(rq->app->commit) || fault(f, ERR_INTERNAL, "A commit lane has no connection to PostgreSQL.") == OK;
}

static bool tail(struct request *rq, struct fault *f)
{
    return tail_listening(rq->app->tail) || fault(f, ERR_INTERNAL, "The LISTEN connection is down; events come by polling.") == OK;
}

static const struct {
    const char *name;
    check_fn *check;
    bool vital; /* the gateway does its work without the others */
} checks[] = {
    { "postgresql", postgres, true },
    { "migrations", migrations, true },
    { "commit_lanes", lanes, true },
    { "notifications", tail, false },
};

enum err handle_ready(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 }, list = { 0 };
    bool ready = true;

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct fault f = { 0 };
        bool ok = checks[i].check(rq, &f);

        ready &= ok || !checks[i].vital;
        buf_printf(&list, "%s{\"name\":\"%s\",\"ok\":%s", i ? "," : "", checks[i].name, ok ? "true" : "false");
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
