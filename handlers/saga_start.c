#include "gateway/base/json.h"
#include "handlers/handlers.h"
#include "handlers/publishing.h"
#include "handlers/sagas.h"

/* POST …/instances: the body is read (a large one on a worker), then the start waits with others for the lane's transaction. */

struct starting {
    struct saga_start *start;
    struct sagas *sagas;
    atomic_bool done;
    bool parsed, submitted;
    enum err err;                /* of parsing on a worker */
};

static void starting_free(void *state)
{
    struct starting *s = state;

    sagas_leave(s->sagas, s->start);
}

static void on_done(struct saga_start *start, bool more)
{
    struct request *rq = start->arg;
    struct starting *s = rq->state;

    atomic_store(&s->done, true);
    request_fulfil(rq, more);
}

static enum err wrong(struct request *rq, const char *pointer, const char *what)
{
    memcpy(rq->fault.pointer, pointer, strlen(pointer) + 1);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", what);
}

static enum err read_id(struct request *rq, const struct raw_member *m, struct saga_start *start)
{
    static const char what[] = "It must be a string of 1 to 120 visible ASCII characters without a slash, neither . nor ...";
    uint8_t digest[16];
    struct slice id;
    bool keyed = false;
    enum err e;

    if (m->raw.p && !slice_is(m->raw, "null")) {
        if (*m->raw.p != '"')
            return wrong(rq, "/id", what);
        if (!json_text(rq->arena, m->raw, &id))
            return ERR_NO_MEMORY;
        if (!saga_id_valid(id))
            return wrong(rq, "/id", what);
        start->id = arena_slice(start->arena, id);
        return start->id.p ? OK : ERR_NO_MEMORY;
    }
    if ((e = idempotency_digest(rq, digest, &keyed)))
        return e;
    return !keyed || saga_start_keyed(start, digest) ? OK : ERR_NO_MEMORY;
}

static enum err parse(struct request *rq, struct starting *s)
{
    struct raw_member members[] = { { "id", SLICE_NONE }, { "input", SLICE_NONE } };
    enum err e;

    if (!(s->start = saga_start_new(request_path(rq, "saga"))))
        return ERR_NO_MEMORY;
    s->start->done = on_done;
    s->start->arg = rq;
    if ((e = raw_members(rq, members, 2)) || (e = read_id(rq, &members[0], s->start)) ||
        (e = raw_json(rq, &members[1], s->start->arena, &s->start->input)))
        return e;
    if (!rq->traceparent.p)
        return OK;
    s->start->traceparent = arena_slice(s->start->arena, rq->traceparent);
    return s->start->traceparent.p ? OK : ERR_NO_MEMORY;
}

static void parse_job(struct request *rq)
{
    struct starting *s = rq->state;

    s->err = parse(rq, s);
}

static enum err submit(struct request *rq, struct starting *s)
{
    enum err e;

    s->submitted = true;
    request_expect(rq);
    if (!(e = sagas_submit(s->sagas, s->start, &rq->fault)))
        return ERR_PARKED;
    s->submitted = false;
    request_fulfil(rq, false);
    return e;
}

static enum err outcome(struct request *rq, struct reply *rp, struct starting *s)
{
    struct saga_start *start = s->start;
    struct buf b = { 0 };
    const char *path;

    if (!atomic_load(&s->done))
        return ERR_PARKED;
    if (start->err) {
        rq->fault = start->fault;
        return start->err;
    }
    if (!(path = saga_instance_path(rq, rq->arena, start->id)))
        return ERR_NO_MEMORY;
    BUF_LIT(&b, "{\"id\":");
    buf_json_string(&b, start->id);
    buf_member_text(&b, "saga", start->saga);
    buf_printf(&b, ",\"state\":\"%s\"}", saga_state_names[start->state]);
    if (start->created)
        reply_header(rq, rp, "Location", path);
    return reply_json(rp, start->created ? 201 : 200, &b);
}

enum err handle_start_saga_instance(struct request *rq, struct reply *rp)
{
    struct starting *s = rq->state;

    if (s && s->submitted)
        return outcome(rq, rp, s);
    if (!s) {
        if (!(s = arena_zalloc(rq->arena, sizeof *s)))
            return ERR_NO_MEMORY;
        s->sagas = rq->app->sagas;
        rq->state = s;
        rq->state_free = starting_free;
    }
    if (!s->parsed) {
        s->parsed = true;
        if (rq->body.n > (size_t)rq->config->inline_bytes)
            return request_job(rq, parse_job);
        s->err = parse(rq, s);
    }
    return s->err ? s->err : submit(rq, s);
}
