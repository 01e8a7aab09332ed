#include "handlers/projections.h"

#include "gateway/base/clock.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"
#include "handlers/link.h"

#define LIST_MAX 100 /* each takes several statements */
#define LIST_DEFAULT 100

/* --- as JSON --- */

void projection_put_position(struct buf *b, const struct projection_view *v)
{
    char cursor[CURSOR_TEXT];
    size_t n = projection_position(v, v->pos, cursor);

    buf_member_text(b, "position", n ? (struct slice){ cursor, n } : SLICE_NONE);
}

void projection_put_state(struct buf *b, const struct projection_state *s)
{
    BUF_LIT(b, "{\"key\":");
    buf_json_string(b, s->key);
    BUF_LIT(b, ",\"state\":");
    buf_slice(b, s->state.p ? s->state : SLICE("null"));
    buf_printf(b, ",\"version\":%lld", s->state.p ? (long long)s->version : 0);
}

static void put_raw(struct buf *b, const char *name, struct slice json)
{
    buf_printf(b, ",\"%s\":", name);
    buf_slice(b, json.p ? json : SLICE("null"));
}

static void put_rebuild(struct buf *b, const struct projection_build_status *s)
{
    BUF_LIT(b, ",\"rebuild\":");
    if (!s->build) {
        BUF_LIT(b, "null");
        return;
    }
    buf_printf(b, "{\"build\":%d,\"state\":\"%s\",\"folded\":%lld,\"done\":%lld,\"total\":%lld", (int)s->build,
               s->error.p ? "failed" : "running", (long long)s->folded, (long long)s->done, (long long)s->total);
    put_raw(b, "error", s->error);
    buf_member_time(b, "created", s->created_us);
    buf_char(b, '}');
}

static void put_partitions(struct buf *b, const struct projection_status *s)
{
    BUF_LIT(b, ",\"partitions\":[");
    for (size_t i = 0; i < s->part_n; i++) {
        const struct projection_part_status *p = &s->parts[i];

        buf_str(b, i ? ",{\"stream\":" : "{\"stream\":");
        buf_json_string(b, p->stream);
        buf_printf(b, ",\"partition\":%d,\"position\":\"%lld\",\"head\":\"%lld\"}", (int)p->partition, (long long)p->position,
                   (long long)p->head);
    }
    buf_char(b, ']');
}

/* The definition is an object that has members: what else there is to tell goes in between its braces. */
static void put_projection(struct buf *b, const struct projection_status *s, bool partitions)
{
    static const char *const conditions[] = { "running", "paused", "failed", "rebuilding" };

    BUF_LIT(b, "{\"name\":");
    buf_json_string(b, s->name);
    buf_char(b, ',');
    buf_put(b, s->definition.p + 1, s->definition.n - 2);
    buf_printf(b, ",\"paused\":%s,\"state\":\"%s\",\"build\":%d", s->paused ? "true" : "false", conditions[s->condition],
               (int)s->active.build);
    buf_member_text(b, "position", s->position);
    buf_printf(b, ",\"lag\":{\"events\":%lld,\"seconds\":%lld.%03lld}", (long long)s->lag_events,
               (long long)(s->lag_us / US_PER_S), (long long)(s->lag_us % US_PER_S / 1000));
    put_raw(b, "error", s->active.error);
    put_rebuild(b, &s->building);
    BUF_LIT(b, ",\"verified\":");
    if (s->verified)
        projection_check_render(b, &s->last_check, false);
    else
        BUF_LIT(b, "null");
    if (partitions)
        put_partitions(b, s);
    buf_member_time(b, "created", s->created_us);
    buf_member_time(b, "updated", s->updated_us);
    buf_char(b, '}');
}

static enum err reply_projection(struct request *rq, struct reply *rp, int status)
{
    struct projection_status s;
    struct buf b = { 0 };
    enum err e = projections_get(rq->db, rq->arena, request_path(rq, "projection"), &s, &rq->fault);

    if (e)
        return e;
    put_projection(&b, &s, true);
    return reply_json(rp, status, &b);
}

/* --- changes --- */

/* A change of a projection, as its transaction makes it. */
struct change {
    struct slice name;
    struct projection_definition def;
    struct projection_skip skip;
    bool has_skip;
    struct projection_start from;
    bool has_from;
    struct projection_change done;
    const char *type;           /* of the audit event; NULL: nothing was changed */
};
typedef enum err step_fn(struct request *rq, struct change *c);

static const char *path_of(struct request *rq)
{
    struct slice name = request_path(rq, "projection");

    return arena_printf(rq->arena, "/v1/projections/%.*s", (int)name.n, name.p);
}

static void put_changes(struct buf *b, const struct change *c)
{
    const struct projection_change *d = &c->done;

    buf_printf(b, "{\"paused_before\":%s", d->paused_before ? "true" : "false");
    if (d->before.p)
        put_raw(b, "before", d->before);
    if (d->after.p)
        put_raw(b, "after", d->after);
    if (c->has_skip) {
        BUF_LIT(b, ",\"skip\":{\"stream\":");
        buf_json_string(b, c->skip.stream);
        buf_printf(b, ",\"partition\":%d,\"offset\":\"%lld\"}", (int)c->skip.partition, (long long)c->skip.offset);
    }
    if (d->build)
        buf_printf(b, ",\"build\":%d", (int)d->build);
    if (d->instead_of)
        buf_printf(b, ",\"instead_of\":%d", (int)d->instead_of);
    buf_char(b, '}');
}

/* The whole transaction with its audit record, again while somebody else is faster. */
static enum err transact(struct request *rq, step_fn *step, struct change *c)
{
    const char *path = path_of(rq);
    enum err e = ERR_DB_RETRY;

    for (int i = 0; i < PROJECTIONS_TRIES && (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY); i++) {
        struct buf changes = { 0 };

        rq->fault = (struct fault){ 0 };
        c->done = (struct projection_change){ 0 };
        if ((e = audit_begin(rq->db, &rq->fault)))
            return e;
        if (!(e = step(rq, c)))
            put_changes(&changes, c);
        e = audited(rq, e, c->type, slice_of(path), &changes);
    }
    if (!e)
        projections_poke(rq->app->projections, c->done.projection_id);
    if (e != ERR_DB_UNIQUE && e != ERR_DB_RETRY)
        return e;
    rq->fault = (struct fault){ 0 };
    return fault(&rq->fault, ERR_CONFLICT,
                 "The projection changes without a pause, and this change did not get in between. Try again.");
}

static struct change change_of(const struct request *rq)
{
    return (struct change){ .name = request_path(rq, "projection") };
}

/* Who may not read a stream learns nothing of it, not even whether it is there. */
static enum err may_read(struct request *rq, const struct projection_definition *d)
{
    for (size_t i = 0; i < d->stream_n; i++) {
        struct slice s = d->streams[i];

        if (!principal_may(rq->who, PERM_SUBSCRIBE, s))
            return fault(&rq->fault, ERR_FORBIDDEN, "The token grants no subscribe on %.*s.", s.n < 200 ? (int)s.n : 200, s.p);
    }
    return OK;
}

static enum err put_step(struct request *rq, struct change *c)
{
    enum err e = projections_put(rq->app->projections, rq->db, rq->arena, c->name, &c->def, &c->done, &rq->fault);

    c->type = c->done.created ? "ProjectionCreated" : "ProjectionChanged";
    return e;
}

enum err handle_put_projection(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    enum err e;

    if (!name_valid(c.name))
        return fault(&rq->fault, ERR_BAD_NAME, "Names of projections are [a-z0-9][a-z0-9._-]{0,119}.");
    if (name_reserved(c.name))
        return fault(&rq->fault, ERR_RESERVED_NAME, "Projections of names like %.*s are Weir's own.", (int)c.name.n, c.name.p);
    if ((e = request_json(rq)) ||
        (e = projection_definition_parse(rq->arena, rq->body, (size_t)rq->config->projections_state_bytes, &c.def, &rq->fault)) ||
        (e = may_read(rq, &c.def)) || (e = transact(rq, put_step, &c)))
        return e;
    if (c.done.created)
        reply_header(rq, rp, "Location", path_of(rq));
    return reply_projection(rq, rp, c.done.created ? 201 : 200);
}

static enum err delete_step(struct request *rq, struct change *c)
{
    c->type = "ProjectionDeleted";
    return projections_delete(rq->app->projections, rq->db, rq->arena, c->name, &c->done, &rq->fault);
}

enum err handle_delete_projection(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    enum err e = transact(rq, delete_step, &c);

    return e ? e : reply_empty(rp, 204);
}

static enum err pause_step(struct request *rq, struct change *c)
{
    enum err e = projections_pause(rq->app->projections, rq->db, rq->arena, c->name, &c->done, &rq->fault);

    c->type = c->done.paused_before ? NULL : "ProjectionPaused";
    return e;
}

enum err handle_pause_projection(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    enum err e = transact(rq, pause_step, &c);

    return e ? e : reply_projection(rq, rp, 200);
}

/* --- resume --- */

struct resuming {
    struct slice stream, offset;
    int64_t partition;
    bool skip;
};

#define END { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX }

static const struct field skip_fields[] = {
    { "stream", F_STRING, offsetof(struct resuming, stream), true, 1, 200, NULL, SIZE_MAX, false, SIZE_MAX },
    { "partition", F_INT, offsetof(struct resuming, partition), true, 0, PARTITIONS_MAX - 1, NULL, SIZE_MAX, false, SIZE_MAX },
    { "offset", F_STRING, offsetof(struct resuming, offset), true, 1, 19, NULL, SIZE_MAX, false, SIZE_MAX },
    END,
};
static const struct field resume_fields[] = {
    { "skip", F_OBJECT, 0, false, 0, 0, skip_fields, offsetof(struct resuming, skip), false, SIZE_MAX },
    END,
};

static enum err bad(struct request *rq, const char *pointer, const char *why)
{
    strcpy(rq->fault.pointer, pointer);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", why);
}

static enum err resume_step(struct request *rq, struct change *c)
{
    enum err e = projections_resume(rq->app->projections, rq->db, rq->arena, c->name, c->has_skip ? &c->skip : NULL, &c->done,
                                    &rq->fault);

    c->type = c->done.resumed ? "ProjectionResumed" : NULL;
    return e;
}

enum err handle_resume_projection(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    struct resuming r = { 0 };
    enum err e;

    if (rq->body.n && (e = request_body(rq, resume_fields, &r)))
        return e;
    if (r.skip && (!json_int64(r.offset, &c.skip.offset) || c.skip.offset < 1))
        return bad(rq, "/skip/offset", "It must be an offset: a string of digits.");
    c.has_skip = r.skip;
    c.skip.stream = r.stream;
    c.skip.partition = (int32_t)r.partition;
    e = transact(rq, resume_step, &c);
    return e ? e : reply_projection(rq, rp, 200);
}

/* --- rebuild --- */

struct rebuilding {
    struct slice from, time;
};

static const struct field time_fields[] = {
    { "time", F_STRING, offsetof(struct rebuilding, time), true, 1, 40, NULL, SIZE_MAX, false, SIZE_MAX },
    END,
};
static const struct field rebuild_fields[] = {
    { "from", F_STRING, offsetof(struct rebuilding, from), false, 1, 20, NULL, SIZE_MAX, false, SIZE_MAX },
    { "from", F_OBJECT, 0, false, 0, 0, time_fields, SIZE_MAX, false, SIZE_MAX },
    END,
};

static enum err read_from(struct request *rq, struct change *c)
{
    struct rebuilding r = { 0 };
    enum err e = rq->body.n ? request_body(rq, rebuild_fields, &r) : OK;

    if (e)
        return e;
    c->has_from = r.from.p || r.time.p;
    c->from.from = READ_EARLIEST;
    if (r.time.p) {
        c->from.from = READ_TIME;
        return clock_parse(r.time, &c->from.time_us) ? OK : bad(rq, "/from/time", "It must be an RFC 3339 time.");
    }
    if (r.from.p && slice_is(r.from, "latest"))
        c->from.from = READ_LATEST;
    else if (r.from.p && !slice_is(r.from, "earliest"))
        return bad(rq, "/from", "It must be earliest, latest, or an object with a time.");
    return OK;
}

static enum err rebuild_step(struct request *rq, struct change *c)
{
    c->type = "ProjectionRebuildStarted";
    return projections_rebuild(rq->app->projections, rq->db, rq->arena, c->name, c->has_from ? &c->from : NULL, &c->done,
                               &rq->fault);
}

enum err handle_rebuild_projection(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    enum err e;

    if ((e = read_from(rq, &c)) || (e = transact(rq, rebuild_step, &c)))
        return e;
    return reply_projection(rq, rp, 202);
}

/* --- looking --- */

enum err handle_get_projection(struct request *rq, struct reply *rp)
{
    return reply_projection(rq, rp, 200);
}

static bool visible(const void *who, struct slice name)
{
    return principal_may(who, PERM_PROJECTION, name);
}

enum err handle_list_projections(struct request *rq, struct reply *rp)
{
    struct slice after = request_query(rq, "after");
    int64_t limit = LIST_DEFAULT;
    struct projection_status *v;
    struct buf b = { 0 };
    bool more;
    size_t n;
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) ||
        (e = projections_list(rq->db, rq->arena, after.p ? after : SLICE(""), (size_t)limit, visible, rq->who, &v, &n, &more,
                              &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        put_projection(&b, &v[i], false);
    }
    link_page(rq, rp, &b, more ? v[n - 1].name : SLICE_NONE);
    return reply_json(rp, 200, &b);
}
