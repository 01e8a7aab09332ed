#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/uuid.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"

/* POST …/verify begins a check, which any gateway carries out, and waits a while for its end: parked, looking now and then. */
#define WAIT_DEFAULT_US (5 * US_PER_S)
#define LOOK_FIRST_US (50 * INT64_C(1000)) /* until the first look; each next one comes a half later, */
#define LOOK_LAST_US (US_PER_S / 2)        /* up to this */
#define LOOK_ARENA ((size_t)8 << 20)       /* a result is 1 MiB at most */

struct verifying {
    struct arena *arena;         /* of the last look, with check */
    struct check_row check;
    bool begun;
    enum err err;
    int64_t deadline_us, look_us, pause_us; /* monotonic; pause: until the next look */
};

static void verifying_free(void *state)
{
    struct verifying *v = state;

    arena_free(v->arena);
}

static const char *path_of(struct request *rq, const struct check_row *c)
{
    char id[UUID_TEXT];

    uuid_format(c->job_id, id);
    return arena_printf(rq->arena, "/v1/jobs/%s", id);
}

static enum err begin_once(struct request *rq, struct verifying *v)
{
    struct slice name = request_path(rq, "projection");
    const char *path = arena_printf(rq->arena, "/v1/projections/%.*s", (int)name.n, name.p);
    struct buf changes = { 0 };
    char id[UUID_TEXT];
    enum err e = path ? audit_begin(rq->db, &rq->fault) : ERR_NO_MEMORY;

    if (e)
        return e;
    if (!(e = projection_checks_begin(rq->config, rq->db, v->arena, name, false, &v->check, &v->begun, &rq->fault))) {
        uuid_format(v->check.job_id, id);
        buf_printf(&changes, "{\"job\":\"%s\",\"build\":%d}", id, (int)v->check.build);
    }
    return audited(rq, e, v->begun ? "ProjectionVerificationStarted" : NULL, slice_of(path), &changes);
}

/* On a worker, as `look`. One that runs already is waited for. */
static void begin(struct request *rq)
{
    struct verifying *v = rq->state;

    v->err = ERR_DB_RETRY;
    for (int i = 0; i < PROJECTIONS_TRIES && (v->err == ERR_DB_RETRY || v->err == ERR_DB_UNIQUE); i++) {
        arena_free(v->arena);
        rq->fault = (struct fault){ 0 };
        v->err = (v->arena = arena_new(LOOK_ARENA)) ? begin_once(rq, v) : ERR_NO_MEMORY;
    }
    if (v->err == ERR_DB_RETRY || v->err == ERR_DB_UNIQUE)
        v->err = fault(&rq->fault, ERR_CONFLICT, "The projection changes without a pause. Try again.");
    if (v->err || !v->begun)
        return;
    projections_poke(rq->app->projections, v->check.projection_id);
    projection_checks_wake(rq->app->checks);
}

static void look(struct request *rq)
{
    struct verifying *v = rq->state;
    struct arena *a = arena_new(LOOK_ARENA);
    struct check_row now;
    bool found = false;

    v->err = a ? db_check_find(rq->db, a, v->check.job_id, &now, &found, &rq->fault) : ERR_NO_MEMORY;
    if (!v->err && !found)
        v->err = fault(&rq->fault, ERR_UNKNOWN_PROJECTION, "The projection was deleted.");
    if (v->err) {
        arena_free(a);
        return;
    }
    arena_free(v->arena);
    v->arena = a;
    v->check = now;
}

static enum err answer(struct request *rq, struct reply *rp, const struct verifying *v)
{
    const struct check_row *c = &v->check;
    struct buf b = { 0 };

    if (c->state == JOB_CANCELLED || c->state == JOB_FAILED)
        return fault(&rq->fault, ERR_CONFLICT, "The verification did not come to an end: %.*s",
                     c->error.p ? (int)(c->error.n < 300 ? c->error.n : 300) : 12, c->error.p ? c->error.p : "it was cancelled.");
    projection_check_render(&b, c, true);
    reply_header(rq, rp, "Location", path_of(rq, c));
    return reply_json(rp, c->state == JOB_RUNNING ? 202 : 200, &b);
}

static enum err start(struct request *rq)
{
    int64_t most = rq->config->read_wait_max_us, wait = WAIT_DEFAULT_US < most ? WAIT_DEFAULT_US : most;
    struct verifying *v = arena_zalloc(rq->arena, sizeof *v);
    enum err e;

    if (!v)
        return ERR_NO_MEMORY;
    if ((e = request_query_duration(rq, "wait", most, &wait)) || (wait && (e = request_hold(rq))))
        return e;
    v->deadline_us = rq->began_us + wait;
    v->pause_us = LOOK_FIRST_US;
    v->look_us = clock_mono_us() + v->pause_us;
    rq->state = v;
    rq->state_free = verifying_free;
    return request_job(rq, begin);
}

enum err handle_verify_projection(struct request *rq, struct reply *rp)
{
    struct verifying *v = rq->state;
    int64_t now = clock_mono_us();

    if (!v)
        return start(rq);
    if (v->err)
        return v->err;
    if (v->check.state != JOB_RUNNING || rq->draining || rq->gone || now >= v->deadline_us)
        return answer(rq, rp, v);
    if (now >= v->look_us) {
        v->pause_us = v->pause_us * 3 / 2 < LOOK_LAST_US ? v->pause_us * 3 / 2 : LOOK_LAST_US;
        v->look_us = now + v->pause_us;
        if (request_work(rq, look))
            return ERR_PARKED;
    }
    request_wait_until(rq, v->look_us < v->deadline_us ? v->look_us : v->deadline_us);
    return ERR_PARKED;
}
