#include "gateway/base/clock.h"
#include "handlers/handlers.h"
#include "handlers/jobs.h"

/* A job, as it is or as a stream of its changes. A stream asks the database by itself, on a worker: a job is done by any gateway. */
#define LOOK_US (US_PER_S / 2)   /* between two looks: so at most two changes a second are told */
#define LOOK_ARENA ((size_t)8 << 20) /* what a verification has found is 1 MiB at most */

struct watching {
    struct arena *arena;         /* of the last look, with job */
    struct any_job job;
    enum err err;
    bool looked;                 /* a look was begun, and what it found has not been told */
    bool ending;                 /* the last block is in `out` */
    struct buf found, told;      /* the job as JSON: now, and as it was told last */
    struct buf out;
    size_t sent;                 /* of out */
    int64_t look_us, quiet_since_us, expires_us; /* monotonic: the next look; the last byte; of the token */
};

static void watching_free(void *state)
{
    struct watching *w = state;

    arena_free(w->arena);
    buf_free(&w->found);
    buf_free(&w->told);
    buf_free(&w->out);
}

/* On a worker. */
static void look(struct request *rq)
{
    struct watching *w = rq->state;

    arena_free(w->arena);
    w->arena = arena_new(LOOK_ARENA);
    w->err = w->arena ? job_of_caller(rq, w->arena, &w->job) : ERR_NO_MEMORY;
    buf_reset(&w->found);
    if (!w->err)
        any_job_render(&w->found, &w->job);
    if (w->found.failed)
        w->err = ERR_NO_MEMORY;
}

static void end(struct watching *w, const char *event, const char *data)
{
    buf_printf(&w->out, "event: %s\ndata: %s\n\n", event, data);
    w->ending = true;
}

/* What the last look has found, if it is news. */
static void tell(struct watching *w)
{
    struct buf now = w->found;

    w->looked = false;
    w->look_us = clock_mono_us() + LOOK_US;
    if (w->err == ERR_UNKNOWN_JOB)
        end(w, "deleted", "{\"code\":\"unknown-job\"}");
    if (w->err || slice_eq((struct slice){ now.p, now.n }, (struct slice){ w->told.p, w->told.n }))
        return;
    BUF_LIT(&w->out, "data: ");
    buf_put(&w->out, now.p, now.n);
    BUF_LIT(&w->out, "\n\n");
    w->found = w->told;
    w->told = now;
    w->ending = any_job_state(&w->job) != JOB_RUNNING;
}

static const char *reason_to_end(const struct request *rq, const struct watching *w)
{
    if (rq->revoked)
        return "{\"reason\":\"token-revoked\"}";
    if (rq->draining)
        return "{\"reason\":\"shutdown\"}";
    return clock_mono_us() >= w->expires_us ? "{\"reason\":\"token-expired\"}" : NULL;
}

static long send_out(struct watching *w, char *out, size_t max)
{
    size_t n = w->out.n - w->sent < max ? w->out.n - w->sent : max;

    memcpy(out, w->out.p + w->sent, n);
    w->sent += n;
    if (w->sent == w->out.n) {
        buf_reset(&w->out);
        w->sent = 0;
    }
    w->quiet_since_us = clock_mono_us();
    return (long)n;
}

/* Makes something to send, begins a look (what that writes is the worker's then), or says when to come again. False: the last look
 * failed. */
static bool go_on(struct request *rq, struct watching *w)
{
    int64_t now = clock_mono_us(), until = w->quiet_since_us + rq->config->http_keepalive_us;
    const char *reason = reason_to_end(rq, w);

    if (reason) {
        end(w, "bye", reason);
    } else if (w->looked) {
        tell(w);
    } else if (now >= until) {
        BUF_LIT(&w->out, ": keep-alive\n\n");
    }
    if (w->out.n || w->err)
        return w->out.n;
    if (now >= w->look_us) {
        if ((w->looked = request_work(rq, look)))
            return true;
        w->look_us = now + LOOK_US; /* the workers are busy */
    }
    until = until < w->look_us ? until : w->look_us;
    request_wait_until(rq, until < w->expires_us ? until : w->expires_us);
    return true;
}

static long read_stream(struct request *rq, char *out, size_t max)
{
    struct watching *w = rq->state;

    if (w->out.n)
        return send_out(w, out, max);
    if (w->ending || w->out.failed)
        return -1;
    if (request_working(rq))
        return 0;
    if (!go_on(rq, w))
        return -1; /* the reader comes again */
    return w->out.n ? send_out(w, out, max) : 0;
}

static enum err begin_stream(struct request *rq, struct reply *rp, struct watching *w)
{
    enum err e = request_hold(rq);
    int64_t now = clock_mono_us();

    if (e)
        return e;
    w->looked = true;
    w->quiet_since_us = now;
    w->expires_us = now + principal_expires_us(rq->who) - clock_unix_us();
    BUF_LIT(&w->out, "retry: 2000\n\n");
    reply_header(rq, rp, "X-Accel-Buffering", "no");
    return reply_stream(rp, 200, "text/event-stream", read_stream);
}

enum err handle_get_job(struct request *rq, struct reply *rp)
{
    static const char *const offers[] = { "application/json", "text/event-stream" };
    const char *offer = request_accept(rq, offers, 2);
    struct watching *w = rq->state;

    if (!offer)
        return fault(&rq->fault, ERR_NOT_ACCEPTABLE, "A job comes as application/json or text/event-stream.");
    if (!w) {
        if (!(w = arena_zalloc(rq->arena, sizeof *w)))
            return ERR_NO_MEMORY;
        rq->state = w;
        rq->state_free = watching_free;
        return request_job(rq, look);
    }
    if (w->err)
        return w->err;
    return offer == offers[1] ? begin_stream(rq, rp, w) : reply_json(rp, 200, &w->found);
}
