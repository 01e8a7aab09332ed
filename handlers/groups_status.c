#include "gateway/engine/groups_status.h"

#include <stdio.h>

#include "gateway/base/clock.h"
#include "handlers/groups.h"
#include "handlers/handlers.h"

/* --- how it is doing --- */

static void put_partition(struct buf *b, const struct group_status *s, size_t p)
{
    const struct group_figures *f = &s->figures;

    buf_printf(b, "%s{\"partition\":%zu,\"next\":\"%lld\",\"head\":\"%lld\",\"lag\":%lld,\"in_flight\":%lld", p ? "," : "", p,
               (long long)f->next[p], (long long)s->head[p], (long long)s->part_lag[p], (long long)f->part_in_flight[p]);
    buf_printf(b, ",\"retrying\":%lld,\"skipped\":%lld}", (long long)f->part_retrying[p], (long long)f->part_skipped[p]);
}

static void put_figures(struct buf *b, const struct group_status *s)
{
    const struct group_figures *f = &s->figures;

    buf_printf(b, ",\"lag\":{\"events\":%lld,\"seconds\":%lld.%03lld}", (long long)s->lag_events, (long long)(s->lag_us / US_PER_S),
               (long long)(s->lag_us % US_PER_S / 1000));
    buf_printf(b, ",\"in_flight\":%lld,\"retrying\":%lld", (long long)f->in_flight, (long long)f->retrying);
    buf_printf(b, ",\"dead\":%lld,\"blocked_keys\":%lld,\"partitions\":[", (long long)s->dead, (long long)f->blocked_keys);
    for (size_t p = 0; p < s->partitions; p++)
        put_partition(b, s, p);
    buf_char(b, ']');
}

enum err group_reply_status(struct request *rq, struct reply *rp)
{
    struct slice stream = request_path(rq, "stream");
    struct group_status s;
    struct buf b = { 0 };
    enum err e;

    if ((e = groups_status(rq->app->streams, rq->db, rq->arena, stream, request_path(rq, "group"), &s, &rq->fault)))
        return e;
    buf_char(&b, '{');
    group_put(&b, stream, &s.group);
    put_figures(&b, &s);
    buf_char(&b, '}');
    return reply_json(rp, 200, &b);
}

enum err handle_get_group(struct request *rq, struct reply *rp)
{
    return group_reply_status(rq, rp);
}

/* --- why nothing is delivered --- */

static void say_paused(struct buf *b, const struct group_explanation *x)
{
    (void)x;
    BUF_LIT(b, "\"detail\":\"The group is paused: PUT it with paused false to go on.\"");
}

static void say_in_flight(struct buf *b, const struct group_explanation *x)
{
    buf_printf(b, "\"detail\":\"As many deliveries are out as max_in_flight allows (%lld); an ack or a deadline makes room.\"",
               (long long)x->status.figures.in_flight);
}

static void say_retrying(struct buf *b, const struct group_explanation *x)
{
    buf_printf(b, "\"detail\":\"As many events wait for a retry as max_retrying allows (%lld); nothing new goes out before.\"",
               (long long)x->status.figures.retrying);
}

static void say_skipped(struct buf *b, const struct group_explanation *x)
{
    const char *comma = "";

    buf_printf(b, "\"detail\":\"As many events wait behind blocked keys as max_skipped allows (%d); nothing new of these partitions"
               " goes out before.\",\"partitions\":[", (int)x->status.group.max_skipped);
    for (size_t p = 0; p < x->status.partitions; p++)
        if (x->full >> p & 1) {
            buf_printf(b, "%s%zu", comma, p);
            comma = ",";
        }
    buf_char(b, ']');
}

static void put_blocker(struct buf *b, const struct group_blocker *k)
{
    const char *state = k->leased ? "delivered" : k->until_us ? "waiting" : "ready";

    buf_printf(b, "{\"partition\":%d,\"offset\":\"%lld\",\"round\":%d,\"state\":\"%s\"", k->at.partition, (long long)k->at.offset,
               k->at.round, state);
    buf_printf(b, ",\"failures\":%d,\"behind\":%lld", k->failures, (long long)k->behind);
    if (k->until_us)
        buf_member_time(b, "until", k->until_us);
    buf_char(b, '}');
}

static void say_keys(struct buf *b, const struct group_explanation *x)
{
    buf_printf(b, "\"detail\":\"Blocked keys: %lld. Each waits for an event that is delivered, or for its retry.\",\"blockers\":[",
               (long long)x->blocked_keys);
    for (size_t i = 0; i < x->blocker_n; i++) {
        buf_str(b, i ? "," : "");
        put_blocker(b, &x->blockers[i]);
    }
    buf_char(b, ']');
}

static void say_backoff(struct buf *b, const struct group_explanation *x)
{
    if (x->retry_us == INT64_MAX) {
        buf_printf(b, "\"detail\":\"Events that wait for a retry, behind their keys: %lld.\"",
                   (long long)x->status.figures.retrying);
        return;
    }
    buf_printf(b, "\"detail\":\"Events that wait for a retry: %lld.\"", (long long)x->status.figures.retrying);
    buf_member_time(b, "until", x->retry_us);
}

static void say_types(struct buf *b, const struct group_explanation *x)
{
    buf_printf(b, "\"detail\":\"%lld events follow of types that the group does not take.\"", (long long)x->passed);
}

static void say_nothing(struct buf *b, const struct group_explanation *x)
{
    (void)x;
    BUF_LIT(b, "\"detail\":\"The group has looked at every event of the stream.\"");
}

static const struct {
    enum group_why why;
    const char *code;
    void (*say)(struct buf *b, const struct group_explanation *x);
} reasons[] = {
    { WHY_PAUSED, "paused", say_paused },
    { WHY_IN_FLIGHT, "in-flight-cap", say_in_flight },
    { WHY_RETRYING, "retry-cap", say_retrying },
    { WHY_SKIPPED, "skip-cap", say_skipped },
    { WHY_KEYS, "keys-blocked", say_keys },
    { WHY_BACKOFF, "backoff", say_backoff },
    { WHY_TYPES, "filtered-by-type", say_types },
    { WHY_NOTHING, "nothing-new", say_nothing },
};

enum err handle_explain_group(struct request *rq, struct reply *rp)
{
    struct group_explanation x;
    struct buf b = { 0 };
    const char *comma = "";
    enum err e;

    if ((e = groups_explain(rq->app->streams, rq->db, rq->arena, request_path(rq, "stream"), request_path(rq, "group"), &x,
                            &rq->fault)))
        return e;
    buf_printf(&b, "{\"deliverable\":%s,\"reasons\":[", x.deliverable ? "true" : "false");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (x.why & reasons[i].why) {
            buf_printf(&b, "%s{\"code\":\"%s\",", comma, reasons[i].code);
            reasons[i].say(&b, &x);
            buf_char(&b, '}');
            comma = ",";
        }
    BUF_LIT(&b, "]}");
    return reply_json(rp, 200, &b);
}
