#include "handlers/sagas.h"

#include "gateway/base/clock.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"
#include "handlers/link.h"

/* Definitions of sagas. */

#define LIST_MAX 100
#define LIST_DEFAULT 100
#define NAME_MAX_BYTES 115 /* the stream of its history is saga.<name> */

/* --- as JSON --- */

static void put_counts(struct buf *b, const int64_t counts[SAGA_STATES])
{
    const char *comma = "";

    BUF_LIT(b, ",\"instances\":{");
    for (int s = SAGA_RUNNING; s < SAGA_COMPLETED; s++) {
        buf_printf(b, "%s\"%s\":%lld", comma, saga_state_names[s], (long long)counts[s]);
        comma = ",";
    }
    buf_char(b, '}');
}

/* The definition is an object that has members: what else there is to tell goes around them. */
static void put_saga(struct buf *b, const struct saga_shown *s, const int64_t *counts)
{
    BUF_LIT(b, "{\"name\":");
    buf_json_string(b, s->name);
    buf_printf(b, ",\"version\":%d,\"newest\":%d,", (int)s->version, (int)s->newest);
    buf_put(b, s->definition.p + 1, s->definition.n - 2);
    if (counts)
        put_counts(b, counts);
    buf_member_time(b, "created", s->created_us);
    buf_member_time(b, "updated", s->updated_us);
    buf_char(b, '}');
}

static enum err reply_saga(struct request *rq, struct reply *rp, int status, int32_t version)
{
    struct arena *a = arena_new(SAGA_VIEW_ARENA);
    int64_t counts[SAGA_STATES];
    struct saga_shown s;
    struct buf b = { 0 };
    enum err e = a ? saga_view_definition(rq->db, a, request_path(rq, "saga"), version, &s, counts, &rq->fault) : ERR_NO_MEMORY;

    if (!e)
        put_saga(&b, &s, counts);
    arena_free(a);
    return e ? e : reply_json(rp, status, &b);
}

/* --- changes --- */

static const char *path_of(struct request *rq)
{
    struct slice name = request_path(rq, "saga");

    return arena_printf(rq->arena, "/v1/sagas/%.*s", (int)name.n, name.p);
}

static void put_raw(struct buf *b, const char *name, struct slice json)
{
    if (!json.p)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_slice(b, json);
}

/* A change with its audit record; again while somebody else is faster. def: NULL: it is deleted. */
static enum err change_once(struct request *rq, const struct saga_definition *def, struct saga_change *c)
{
    struct slice name = request_path(rq, "saga");
    const char *path = path_of(rq), *type = "SagaDeleted";
    struct buf changes = { 0 };
    enum err e = audit_begin(rq->db, &rq->fault);

    if (e)
        return e;
    e = def ? sagas_put(rq->app->sagas, rq->db, rq->arena, name, def, c, &rq->fault) :
              sagas_delete(rq->app->sagas, rq->db, rq->arena, name, c, &rq->fault);
    if (!e) {
        buf_printf(&changes, "{\"version\":%d", (int)c->version);
        put_raw(&changes, "before", c->before);
        put_raw(&changes, "after", def ? def->text : SLICE_NONE);
        buf_char(&changes, '}');
    }
    if (def)
        type = c->created ? "SagaCreated" : c->changed ? "SagaChanged" : NULL;
    return audited(rq, e, type, slice_of(path), &changes);
}

static enum err change(struct request *rq, const struct saga_definition *def, struct saga_change *c)
{
    enum err e = ERR_DB_RETRY;

    for (int i = 0; i < SAGAS_TRIES && (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY); i++) {
        rq->fault = (struct fault){ 0 };
        *c = (struct saga_change){ 0 };
        e = change_once(rq, def, c);
    }
    if (!e)
        sagas_poke(rq->app->sagas);
    if (e != ERR_DB_UNIQUE && e != ERR_DB_RETRY)
        return e;
    rq->fault = (struct fault){ 0 };
    return fault(&rq->fault, ERR_CONFLICT, "The saga changes without a pause, and this change did not get in between. Try again.");
}

/* Who may not use a stream learns nothing of it, not even whether it is there. */
static enum err may_use(struct request *rq, const struct saga_definition *d)
{
    for (size_t i = 0; i < d->stream_n; i++) {
        const struct saga_stream *s = &d->stream[i];
        int n = s->name.n < 200 ? (int)s->name.n : 200;

        if (s->publish && !principal_may(rq->who, PERM_PUBLISH, s->name))
            return fault(&rq->fault, ERR_FORBIDDEN, "The token grants no publish on %.*s.", n, s->name.p);
        if (s->subscribe && !principal_may(rq->who, PERM_SUBSCRIBE, s->name))
            return fault(&rq->fault, ERR_FORBIDDEN, "The token grants no subscribe on %.*s.", n, s->name.p);
    }
    return OK;
}

enum err handle_put_saga(struct request *rq, struct reply *rp)
{
    struct slice name = request_path(rq, "saga");
    struct saga_definition def;
    struct saga_change c;
    enum err e;

    if (!name_valid(name) || name.n > NAME_MAX_BYTES)
        return fault(&rq->fault, ERR_BAD_NAME, "Names of sagas are [a-z0-9][a-z0-9._-]{0,114}.");
    if (name_reserved(name))
        return fault(&rq->fault, ERR_RESERVED_NAME, "Sagas of names like %.*s are Weir's own.", (int)name.n, name.p);
    if ((e = request_json(rq)) || (e = saga_definition_parse(rq->arena, rq->body, &def, &rq->fault)) || (e = may_use(rq, &def)) ||
        (e = change(rq, &def, &c)))
        return e;
    if (c.created)
        reply_header(rq, rp, "Location", path_of(rq));
    return reply_saga(rq, rp, c.created ? 201 : 200, 0);
}

enum err handle_delete_saga(struct request *rq, struct reply *rp)
{
    struct saga_change c;
    enum err e = change(rq, NULL, &c);

    return e ? e : reply_empty(rp, 204);
}

/* --- looking --- */

enum err handle_get_saga(struct request *rq, struct reply *rp)
{
    int64_t version = 0;
    enum err e = request_query_int(rq, "version", 1, INT32_MAX, &version);

    return e ? e : reply_saga(rq, rp, 200, (int32_t)version);
}

struct listing {
    const struct principal *who;
    size_t limit, n;
    bool more;
    char last[NAME_MAX_BYTES + 1];
    struct buf body;
};

/* Those that the caller may see. */
static bool take(void *arg, const struct saga_shown *s)
{
    struct listing *l = arg;

    if (!principal_may(l->who, PERM_SAGA, s->name))
        return true;
    if ((l->more = l->n == l->limit))
        return false;
    if (l->n++)
        buf_char(&l->body, ',');
    put_saga(&l->body, s, NULL);
    snprintf(l->last, sizeof l->last, "%.*s", (int)s->name.n, s->name.p);
    return true;
}

enum err handle_list_sagas(struct request *rq, struct reply *rp)
{
    struct slice after = request_query(rq, "after");
    struct listing l = { .who = rq->who };
    int64_t limit = LIST_DEFAULT;
    enum err e = request_query_int(rq, "limit", 1, LIST_MAX, &limit);

    if (e)
        return e;
    l.limit = (size_t)limit;
    BUF_LIT(&l.body, "{\"items\":[");
    if ((e = saga_view_each(rq->db, after.p ? after : SLICE(""), take, &l, &rq->fault))) {
        buf_free(&l.body);
        return e;
    }
    link_page(rq, rp, &l.body, l.more ? slice_of(l.last) : SLICE_NONE);
    return reply_json(rp, 200, &l.body);
}
