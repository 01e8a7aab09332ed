#include "tests/unit/http_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "tests/unit/http_fixture.h"

static enum err echo(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 };

    buf_slice(&b, rq->body);
    return reply_bytes(rp, 200, "text/plain", &b);
}

static enum err slow(struct request *rq, struct reply *rp)
{
    usleep(300000);
    return rq->db ? echo(rq, rp) : ERR_INTERNAL;
}

/* What the request was, for tests of parsing. */
static enum err show(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 };
    struct slice name = request_path(rq, "name"), trace = rq->traceparent, q = request_query(rq, "q");
    static const char *const offers[] = { "application/json", "text/plain" };
    const char *type = request_accept(rq, offers, 2);

    if (!type)
        return ERR_NOT_ACCEPTABLE;
    buf_printf(&b, "name=%.*s q=%.*s trace=%.*s type=%s", (int)name.n, name.p, (int)q.n, q.p ? q.p : "", (int)trace.n,
               trace.p ? trace.p : "", type);
    return reply_bytes(rp, 200, "text/plain", &b);
}

static enum err fails(struct request *rq, struct reply *rp)
{
    (void)rp;
    rq->fault.retry_after = 7;
    return fault(&rq->fault, ERR_OVERLOADED, "too much");
}

static void leave(void *state)
{
    struct waiter *w = state;

    pthread_mutex_lock(&w->app->lock);
    w->app->freed++;
    w->app->early += w->expected;
    if (w->listed) {
        if (w->prev)
            w->prev->next = w->next;
        else
            w->app->waiters = w->next;
        if (w->next)
            w->next->prev = w->prev;
    }
    pthread_mutex_unlock(&w->app->lock);
    free(w);
}

static struct waiter *join(struct request *rq)
{
    struct waiter *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    *w = (struct waiter){ .rq = rq, .app = rq->app, .listed = true };
    rq->state = w;
    rq->state_free = leave;
    pthread_mutex_lock(&w->app->lock);
    if ((w->next = w->app->waiters))
        w->next->prev = w;
    w->app->waiters = w;
    pthread_mutex_unlock(&w->app->lock);
    return w;
}

static enum err park(struct request *rq, struct reply *rp)
{
    struct waiter *w = rq->state;
    int64_t wait_us = 30 * US_PER_S;
    const char *why = NULL;
    enum err e;

    if ((e = request_query_duration(rq, "wait", 60 * US_PER_S, &wait_us)))
        return e;
    if (!w) {
        if (!(w = join(rq)))
            return ERR_NO_MEMORY;
        w->until_us = clock_mono_us() + wait_us;
        request_wait_until(rq, w->until_us);
    }
    pthread_mutex_lock(&w->app->lock);
    w->app->gone += rq->gone;
    if (w->woken)
        why = "woken";
    else if (rq->gone)
        why = "gone";
    else if (rq->draining)
        why = "draining";
    else if (clock_mono_us() >= w->until_us)
        why = "deadline";
    pthread_mutex_unlock(&w->app->lock);
    return why ? reply_fixed(rp, 200, "text/plain", slice_of(why)) : ERR_PARKED;
}

/* Never ends by itself and does not heed `draining`: what the drain timeout is for. */
static enum err stubborn(struct request *rq, struct reply *rp)
{
    (void)rp;
    return rq->state || join(rq) ? ERR_PARKED : ERR_NO_MEMORY;
}

static long read_chunk(struct request *rq, char *out, size_t max)
{
    struct waiter *w = rq->state;
    int produced, sent = (int)w->until_us; /* counts what was sent */

    request_wait_until(rq, slice_is(rq->target, "/wide") ? clock_mono_us() + 100000 : 0);
    pthread_mutex_lock(&w->app->lock);
    produced = w->app->produced;
    w->app->gone += rq->gone;
    pthread_mutex_unlock(&w->app->lock);
    if (rq->gone || rq->draining || produced < 0)
        return -1;
    if (sent >= produced)
        return 0;
    w->until_us++;
    return slice_is(rq->target, "/wide") ? snprintf(out, max, "%0*d", WIDE_BYTES, sent) : snprintf(out, max, "chunk %d\n", sent);
}

static enum err stream(struct request *rq, struct reply *rp)
{
    if (!join(rq))
        return ERR_NO_MEMORY;
    return reply_stream(rp, 200, "text/event-stream", read_chunk);
}

static long read_endless(struct request *rq, char *out, size_t max)
{
    (void)rq;
    memset(out, 'x', max);
    return (long)max;
}

static enum err endless(struct request *rq, struct reply *rp)
{
    if (!join(rq))
        return ERR_NO_MEMORY;
    return reply_stream(rp, 200, "text/plain", read_endless);
}

static enum err big(struct request *rq, struct reply *rp)
{
    struct buf b = { 0 };

    (void)rq;
    if (!buf_reserve(&b, BIG_BYTES))
        return ERR_NO_MEMORY;
    memset(b.p, 'b', BIG_BYTES);
    b.n = BIG_BYTES;
    return reply_bytes(rp, 200, "text/plain", &b);
}

/* A parked request that starts two jobs one after the other. */
static void job(struct request *rq)
{
    struct waiter *w = rq->state;

    usleep(20000);
    w->until_us += rq->db != NULL;
}

static enum err jobs(struct request *rq, struct reply *rp)
{
    struct waiter *w = rq->state;

    if (request_working(rq))
        return ERR_PARKED;
    if (!w && !(w = join(rq)))
        return ERR_NO_MEMORY;
    if (w->until_us < 2)
        return request_work(rq, job) ? ERR_PARKED : ERR_OVERLOADED;
    return reply_fixed(rp, 200, "text/plain", SLICE("two"));
}

/* As a commit lane does: a thread of its own fulfils the request after `wait`, whatever became of its client. */
static void *lane(void *arg)
{
    struct waiter *w = arg;
    struct request *rq = w->rq;
    struct app *app = w->app;

    usleep((useconds_t)w->until_us);
    pthread_mutex_lock(&app->lock);
    w->expected = false;
    pthread_mutex_unlock(&app->lock);
    request_fulfil(rq, false);
    pthread_mutex_lock(&app->lock);
    app->lanes--;
    pthread_mutex_unlock(&app->lock);
    return NULL;
}

static enum err expects(struct request *rq, struct reply *rp)
{
    struct waiter *w = rq->state;
    pthread_t thread;
    enum err e;

    if (w)
        return reply_fixed(rp, 200, "text/plain", SLICE("fulfilled"));
    if (!(w = join(rq)))
        return ERR_NO_MEMORY;
    if ((e = request_query_duration(rq, "wait", US_PER_S, &w->until_us)))
        return e;
    w->expected = true;
    pthread_mutex_lock(&w->app->lock);
    w->app->lanes++;
    pthread_mutex_unlock(&w->app->lock);
    request_expect(rq);
    if (pthread_create(&thread, NULL, lane, w))
        abort();
    pthread_detach(thread);
    return ERR_PARKED;
}

const struct route test_routes[] = {
    { "echo", "POST", "/echo", PERM_NONE, 64 << 10, false, echo, NULL },
    { "blocking", "POST", "/blocking", PERM_NONE, SIZE_MAX, true, echo, NULL },
    { "slow", "POST", "/slow", PERM_NONE, SIZE_MAX, true, slow, NULL },
    { "show", "GET", "/show/{name}", PERM_NONE, 0, false, show, "q" },
    { "fails", "GET", "/fails", PERM_NONE, 0, false, fails, NULL },
    { "park", "GET", "/park", PERM_NONE, 0, false, park, "wait" },
    { "expects", "GET", "/expects", PERM_NONE, 0, false, expects, "wait" },
    { "stubborn", "GET", "/stubborn", PERM_NONE, 0, false, stubborn, NULL },
    { "stream", "GET", "/stream", PERM_NONE, 0, false, stream, NULL },
    { "wide", "GET", "/wide", PERM_NONE, 0, false, stream, NULL },
    { "endless", "GET", "/endless", PERM_NONE, 0, false, endless, NULL },
    { "big", "GET", "/big", PERM_NONE, 0, false, big, NULL },
    { "jobs", "GET", "/jobs", PERM_NONE, 0, false, jobs, NULL },
    { "publish", "POST", "/v1/streams/{stream}/events", PERM_PUBLISH, 1024, false, echo, NULL },
    { "admin", "GET", "/v1/targets", PERM_ADMIN, 0, false, show, NULL },
    { "list", "GET", "/v1/streams", PERM_AUTHENTICATED, 0, false, show, NULL },
};
const size_t test_route_count = sizeof test_routes / sizeof *test_routes;
