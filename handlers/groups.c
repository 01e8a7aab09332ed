#include "handlers/groups.h"

#include "handlers/audit.h"
#include "handlers/handlers.h"

#define LIST_MAX 1000
#define LIST_DEFAULT 100

/* A change of a group, as its transaction makes it. */
struct change {
    struct slice stream, name;
    struct group_to to;
    struct group_row before, after;
    const struct group_row *group; /* of these, which has its ids */
    int64_t next[PARTITIONS_MAX];
    size_t partitions;
    bool created;
    const char *type;          /* of the audit event */
    bool has_before, has_after, has_next;
};
typedef enum err step_fn(struct request *rq, struct change *c);

static const char *path_of(struct request *rq, const struct change *c)
{
    return arena_printf(rq->arena, "/v1/streams/%.*s/groups/%.*s", (int)c->stream.n, c->stream.p, (int)c->name.n, c->name.p);
}

static void put_changes(struct buf *b, const struct change *c)
{
    if (c->has_before) {
        BUF_LIT(b, "{\"before\":{");
        group_put_settings(b, &c->before);
        buf_char(b, '}');
    }
    if (c->has_after || c->has_next)
        buf_str(b, c->has_before ? ",\"after\":{" : "{\"after\":{");
    if (c->has_after)
        group_put_settings(b, &c->after);
    if (c->has_next) {
        BUF_LIT(b, "\"next\":[");
        for (size_t p = 0; p < c->partitions; p++)
            buf_printf(b, "%s\"%lld\"", p ? "," : "", (long long)c->next[p]);
        buf_char(b, ']');
    }
    if (c->has_after || c->has_next)
        buf_char(b, '}');
    buf_char(b, '}');
}

/* The whole transaction with its audit record, again while a lane of the group is faster. */
static enum err transact(struct request *rq, step_fn *step, struct change *c)
{
    enum err e = ERR_DB_UNIQUE;

    for (int i = 0; i < GROUPS_TRIES && (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY); i++) {
        struct buf changes = { 0 };

        rq->fault = (struct fault){ 0 };
        if ((e = audit_begin(rq->db, &rq->fault)))
            return e;
        if (!(e = step(rq, c)))
            put_changes(&changes, c);
        e = audited(rq, e, c->type, slice_of(path_of(rq, c)), &changes);
    }
    if (!e)
        groups_poke(rq->app->groups, c->group->stream_id, c->group->group_id);
    if (e != ERR_DB_UNIQUE && e != ERR_DB_RETRY)
        return e;
    rq->fault = (struct fault){ 0 };
    return fault(&rq->fault, ERR_CONFLICT, "The group changes without a pause, and this change did not get in between. Try again.");
}

static struct change change_of(const struct request *rq)
{
    return (struct change){ .stream = request_path(rq, "stream"), .name = request_path(rq, "group") };
}

static enum err reply_group(struct reply *rp, int status, const struct change *c)
{
    struct buf b = { 0 };

    buf_char(&b, '{');
    group_put(&b, c->stream, &c->after);
    buf_char(&b, '}');
    return reply_json(rp, status, &b);
}

static enum err put_step(struct request *rq, struct change *c)
{
    enum err e = groups_put(rq->app->streams, rq->db, rq->arena, c->stream, &c->after, &c->to, rq->config->groups_per_stream,
                            &c->before, &c->created, &rq->fault);

    c->group = &c->after;
    c->type = c->created ? "GroupCreated" : "GroupChanged";
    c->has_before = !c->created;
    c->has_after = true;
    return e;
}

enum err handle_put_group(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    enum err e;

    if (!name_valid(c.name))
        return fault(&rq->fault, ERR_BAD_NAME, "Group names are [a-z0-9][a-z0-9._-]{0,119}.");
    if (name_reserved(c.name))
        return fault(&rq->fault, ERR_RESERVED_NAME, "Groups of names like %.*s are Weir's own.", (int)c.name.n, c.name.p);
    if ((e = group_read(rq, &c.after, &c.to)))
        return e;
    c.after.name = c.name;
    if ((e = transact(rq, put_step, &c)))
        return e;
    if (c.created)
        reply_header(rq, rp, "Location", path_of(rq, &c));
    return reply_group(rp, c.created ? 201 : 200, &c);
}

static enum err delete_step(struct request *rq, struct change *c)
{
    c->group = &c->before;
    c->type = "GroupDeleted";
    c->has_before = true;
    return groups_delete(rq->db, rq->arena, c->stream, c->name, &c->before, &rq->fault);
}

enum err handle_delete_group(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    enum err e = transact(rq, delete_step, &c);

    return e ? e : reply_empty(rp, 204);
}

static enum err seek_step(struct request *rq, struct change *c)
{
    c->group = &c->after;
    c->type = "GroupSought";
    c->has_next = true;
    return groups_seek(rq->app->streams, rq->db, rq->arena, c->stream, c->name, &c->to, &c->after, c->next, &c->partitions,
                       &rq->fault);
}

enum err handle_seek_group(struct request *rq, struct reply *rp)
{
    struct change c = change_of(rq);
    enum err e;

    if ((e = group_read_seek(rq, &c.to)) || (e = transact(rq, seek_step, &c)))
        return e;
    return group_reply_status(rq, rp);
}

enum err handle_list_groups(struct request *rq, struct reply *rp)
{
    struct slice stream = request_path(rq, "stream"), after = request_query(rq, "after");
    int64_t limit = LIST_DEFAULT;
    struct group_row *v;
    struct buf b = { 0 };
    bool more;
    size_t n;
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) ||
        (e = groups_list(rq->db, rq->arena, stream, after.p ? after : SLICE(""), (size_t)limit, &v, &n, &more, &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < n; i++) {
        buf_str(&b, i ? ",{" : "{");
        group_put(&b, stream, &v[i]);
        buf_char(&b, '}');
    }
    BUF_LIT(&b, "],\"next\":");
    if (more) {
        struct slice last = v[n - 1].name;

        buf_json_string(&b, last);
        reply_header(rq, rp, "Link",
                     arena_printf(rq->arena, "</v1/streams/%.*s/groups?limit=%lld&after=%.*s>; rel=\"next\"", (int)stream.n,
                                  stream.p, (long long)limit, (int)last.n, last.p));
    } else {
        BUF_LIT(&b, "null");
    }
    buf_char(&b, '}');
    return reply_json(rp, 200, &b);
}
