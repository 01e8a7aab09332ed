#include <stdatomic.h>
#include <stdio.h>

#include "gateway/base/clock.h"
#include "handlers/handlers.h"
#include "handlers/projections.h"

/* States as they change, as an event stream. A worker asks the database when a step of any gateway has woken it, and now and then
 * unasked; what changed since is told once, as it is then, so a reader that is slow, or a key that changes fast, makes no queue. */
#define LOOK_US (100 * INT64_C(1000))     /* between two looks, when it is woken all the time */
#define IDLE_US (10 * US_PER_S)           /* a wake may get lost */
#define LOOK_KEYS 500
#define LOOK_BYTES ((size_t)1 << 20)      /* of states */
#define LOOK_BUDGET 20000                 /* states that a page of the beginning looks at */
#define LOOK_ARENA ((size_t)32 << 20)
#define KEEP_ARENA ((size_t)256 << 10)    /* between two looks: 256 names of streams, and as many offsets */

enum phase { BEGIN, STATES, CHANGES };

struct watching {
    struct request *rq;
    struct slice name, prefix, start;     /* start: where the caller wants to begin; p == NULL: now */
    bool whole;                           /* all states come first, and again after a gap */
    enum phase phase;
    struct projection_watch *watch;
    atomic_bool due;                      /* a step was made since the last look */

    struct arena *arena;                  /* holds the view */
    struct projection_view view;          /* of the last look: projection, build, streams; all up to its pos is told, once `out` has gone */
    struct buf after;                     /* the key that the last page of states ended with; n == 0: there was none */
    enum err err;
    bool more, too_much;                  /* the look ended before everything was told; it was too large to be told */

    bool told, announced, ending, withheld; /* told: what is at `pos` may be named in an id */
    struct buf out;
    size_t sent;                          /* of out */
    int64_t look_us, quiet_since_us, expires_us; /* monotonic: no look before; the last byte; of the token */
};

static void watching_free(void *state)
{
    struct watching *w = state;

    projections_unwatch(w->rq->app->projections, w->watch);
    arena_free(w->arena);
    buf_free(&w->after);
    buf_free(&w->out);
}

static void wake(void *watching, bool more)
{
    struct watching *w = watching;

    atomic_store(&w->due, true);
    request_wake_wave(w->rq, more);
}

/* --- blocks --- */

/* What distinguishes a build of a projection from all others: half of SplitMix64's finalizer (Steele, Lea, Flood 2014). */
static void mark_of(const struct projection_view *v, char out[PROJECTION_MARK])
{
    uint64_t x = (uint64_t)v->projection_id * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)v->build;

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    snprintf(out, PROJECTION_MARK, "~%08x", (unsigned)((x ^ (x >> 31)) >> 32));
}

/* "": there is none. */
static void position(const struct projection_view *v, char out[CURSOR_TEXT + PROJECTION_MARK])
{
    size_t n = projection_position(v, v->pos, out);

    out[n] = '\0';
    if (n)
        mark_of(v, out + n);
}

static void put_id(struct watching *w)
{
    char id[CURSOR_TEXT + PROJECTION_MARK];

    if (!w->told || w->withheld)
        return;
    position(&w->view, id);
    if (id[0])
        buf_printf(&w->out, "id: %s\n", id);
}

static void put_block(struct watching *w, const char *event, const char *data)
{
    buf_printf(&w->out, "event: %s\n", event);
    put_id(w);
    buf_printf(&w->out, "data: %s\n\n", data);
}

static void end(struct watching *w, const char *event, const char *data)
{
    put_block(w, event, data);
    w->ending = true;
}

/* The last of them names the position, if all of it is told with them. */
static void put_states(struct watching *w, const struct projection_state *v, size_t n, bool name_last)
{
    for (size_t i = 0; i < n; i++) {
        if (name_last && i + 1 == n)
            put_id(w);
        BUF_LIT(&w->out, "data: ");
        projection_put_state(&w->out, &v[i]);
        BUF_LIT(&w->out, "}\n\n");
    }
}

static void put_gap(struct watching *w, const char *from)
{
    char to[CURSOR_TEXT + PROJECTION_MARK], data[2 * sizeof to + 40];

    position(&w->view, to);
    snprintf(data, sizeof data, "{\"from\":\"%s\",\"to\":\"%s\"}", from, to);
    w->told = !w->whole; /* then all of it is told anew */
    w->announced = w->announced && !w->whole;
    put_block(w, "gap", data);
    w->phase = w->whole ? STATES : CHANGES;
    buf_reset(&w->after);
}

static void put_up_to_date(struct watching *w)
{
    char cursor[CURSOR_TEXT + PROJECTION_MARK], data[sizeof cursor + 20];

    position(&w->view, cursor);
    snprintf(data, sizeof data, "{\"cursor\":\"%s\"}", cursor);
    put_block(w, "up-to-date", data);
    w->announced = true;
}

/* --- looks; on a worker --- */

/* What the next look has to know of this one, whose arena goes. */
static enum err keep(struct watching *w, const struct projection_view *v, const int64_t *pos, const int32_t *told)
{
    struct projection_view k = { .projection_id = v->projection_id, .build = v->build, .stream_n = v->stream_n, .n = v->n };
    struct arena *a = arena_new(KEEP_ARENA);
    bool good;

    if (!a)
        return ERR_NO_MEMORY;
    k.streams = arena_alloc(a, (v->stream_n + 1) * sizeof *k.streams);
    k.pos = arena_alloc(a, (v->n + 1) * sizeof *k.pos);
    k.told = arena_zalloc(a, (v->n + 1) * sizeof *k.told);
    good = k.streams && k.pos && k.told;
    if (good)
        memcpy(k.pos, pos, v->n * sizeof *k.pos);
    if (good && told)
        memcpy(k.told, told, v->n * sizeof *k.told);
    for (size_t i = 0; good && i < v->stream_n; i++) {
        k.streams[i] = v->streams[i];
        good = (k.streams[i].name = arena_slice(a, v->streams[i].name)).p;
    }
    if (!good) {
        arena_free(a);
        return ERR_NO_MEMORY;
    }
    arena_free(w->arena);
    w->arena = a;
    w->view = k;
    return OK;
}

/* Where the caller wants to go on. A mark says that it was read here: of another build, or of streams that are not those of now, it is
 * a gap and no mistake, so that a reader that comes back is told as one that had stayed. */
static enum err find_start(struct request *rq, struct watching *w, struct arena *a, const struct projection_view *view,
                           int64_t **ret_pos, bool *ret_gap)
{
    struct slice text = projection_without_mark(w->start);
    bool marked = w->start.n > text.n;
    unsigned char bytes[CURSOR_BYTES];
    char mark[PROJECTION_MARK];
    enum err e = OK;

    mark_of(view, mark);
    *ret_gap = marked && !slice_is((struct slice){ text.p + text.n, w->start.n - text.n }, mark) && cursor_unseal(text, bytes);
    if (!*ret_gap) {
        e = projection_positions(a, view, text, ret_pos, &rq->fault);
        *ret_gap = marked && (e == ERR_CURSOR_FOREIGN || e == ERR_CURSOR_UNKNOWN || e == ERR_CURSOR_PARTIAL);
    }
    if (!*ret_gap)
        return e;
    rq->fault = (struct fault){ 0 };
    *ret_pos = view->pos;
    return OK;
}

static enum err look_begin(struct request *rq, struct watching *w, struct arena *a)
{
    char from[CURSOR_TEXT + PROJECTION_MARK];
    struct projection_view view;
    int64_t *pos = NULL;
    bool gap = false;
    enum err e;

    if ((e = projections_look(rq->db, a, w->name, &view, &rq->fault)) ||
        (w->start.p && (e = find_start(rq, w, a, &view, &pos, &gap))) || (e = keep(w, &view, pos ? pos : view.pos, NULL)))
        return e;
    if (!(w->watch = projections_watch(rq->app->projections, view.projection_id, NULL, wake, w)))
        return ERR_NO_MEMORY;
    w->phase = w->whole && !w->start.p ? STATES : CHANGES;
    w->told = w->phase == CHANGES;
    w->more = true;
    BUF_LIT(&w->out, "retry: 2000\n");
    if (!gap) /* who hears of the new position without the gap would pass over it */
        put_id(w);
    BUF_LIT(&w->out, "\n");
    if (gap) {
        snprintf(from, sizeof from, "%.*s", (int)w->start.n, w->start.p);
        put_gap(w, from);
    }
    return OK;
}

/* A page of all states, of whichever build is read now: was it another one before, the changes after them begin with a gap. */
static enum err look_states(struct request *rq, struct watching *w, struct arena *a)
{
    struct projection_query q = { .prefix = w->prefix, .limit = LOOK_KEYS, .bytes = LOOK_BYTES, .budget = LOOK_BUDGET };
    struct projection_view view;
    struct projection_page page;
    enum err e;

    if (w->after.n)
        q.after = (struct slice){ w->after.p, w->after.n };
    if ((e = projections_states(rq->app->projections, rq->db, a, w->name, &q, &view, &page, &rq->fault)))
        return e;
    if (view.projection_id != w->view.projection_id)
        return ERR_UNKNOWN_PROJECTION;
    put_states(w, page.v, page.n, false);
    w->more = true;
    buf_reset(&w->after);
    if (page.next.p) {
        buf_slice(&w->after, page.next);
        return w->after.failed ? ERR_NO_MEMORY : OK;
    }
    w->phase = CHANGES;
    w->told = true;
    put_id(w);
    BUF_LIT(&w->out, "\n");
    return OK;
}

/* What has changed; when that was more than can be told at once, the caller has to list the states instead. */
static enum err find_changes(struct request *rq, struct watching *w, struct arena *a, struct projection_view *view,
                             struct projection_changes *c)
{
    struct projection_changes_query q = { .build = w->view.build, .pos = w->view.pos, .seen = &w->view, .prefix = w->prefix,
                                          .keys = LOOK_KEYS, .bytes = LOOK_BYTES };
    enum err e;

    if (!w->too_much)
        return projections_changes(rq->db, a, w->name, &q, view, c, &rq->fault);
    w->too_much = false;
    e = projections_look(rq->db, a, w->name, view, &rq->fault);
    *c = (struct projection_changes){ .pos = e ? NULL : view->pos, .gap = true };
    return e;
}

static enum err look_changes(struct request *rq, struct watching *w, struct arena *a)
{
    char from[CURSOR_TEXT + PROJECTION_MARK];
    struct projection_view view;
    struct projection_changes c;
    enum err e = find_changes(rq, w, a, &view, &c);

    w->too_much = e == ERR_NO_MEMORY && arena_full(a);
    w->more = true;
    if (e)
        return w->too_much ? OK : e;
    if (view.projection_id != w->view.projection_id)
        return ERR_UNKNOWN_PROJECTION;
    position(&w->view, from);
    if ((e = keep(w, &view, c.pos, c.told)))
        return e;
    w->more = c.gap || !c.up_to_date;
    if (c.gap)
        put_gap(w, from);
    else
        put_states(w, c.v, c.n, true);
    if (!w->more && !w->announced)
        put_up_to_date(w);
    return OK;
}

static void look(struct request *rq)
{
    static enum err (*const looks[])(struct request *, struct watching *, struct arena *) = {
        look_begin, look_states, look_changes,
    };
    struct watching *w = rq->state;
    struct arena *a = arena_new(LOOK_ARENA);

    atomic_store(&w->due, false);
    w->err = a ? looks[w->phase](rq, w, a) : ERR_NO_MEMORY;
    if (w->out.failed)
        w->err = ERR_NO_MEMORY;
    arena_free(a);
}

/* --- the stream --- */

static const char *reason_to_end(const struct request *rq, const struct watching *w)
{
    if (rq->revoked)
        return "{\"reason\":\"token-revoked\"}";
    if (rq->draining)
        return "{\"reason\":\"shutdown\"}";
    return clock_mono_us() >= w->expires_us ? "{\"reason\":\"token-expired\"}" : NULL;
}

/* Whose token was revoked gets the rest of the block that has begun and nothing else; the position is past that, so it is not told. */
static void withhold(struct watching *w)
{
    size_t stop = 0;

    if (w->withheld || w->ending || w->out.n == 0)
        return;
    while (stop < w->sent) {
        const char *next = memmem(w->out.p + stop, w->out.n - stop, "\n\n", 2);

        stop = next ? (size_t)(next + 2 - w->out.p) : w->out.n;
    }
    w->withheld = stop < w->out.n;
    w->out.n = stop;
}

static long send_out(struct watching *w, char *out, size_t max)
{
    size_t n = w->out.n - w->sent < max ? w->out.n - w->sent : max;

    memcpy(out, w->out.p + w->sent, n);
    w->sent += n;
    if (w->sent == w->out.n) {
        buf_free(&w->out); /* a page of states may have made it large */
        w->sent = 0;
    }
    w->quiet_since_us = clock_mono_us();
    return (long)n;
}

/* Begins a look, or says when to come again. */
static void wait_or_look(struct request *rq, struct watching *w, int64_t now)
{
    int64_t until = w->look_us;

    if (w->more || (atomic_load(&w->due) && now >= w->look_us) || now >= w->look_us + IDLE_US) {
        w->look_us = now + LOOK_US;
        if (request_work(rq, look))
            return;
        until = w->look_us; /* the workers are busy */
    } else if (!atomic_load(&w->due)) {
        until += IDLE_US;
    }
    if (until > w->quiet_since_us + rq->config->http_keepalive_us)
        until = w->quiet_since_us + rq->config->http_keepalive_us;
    request_wait_until(rq, until < w->expires_us ? until : w->expires_us);
}

static long read_stream(struct request *rq, char *out, size_t max)
{
    struct watching *w = rq->state;
    int64_t now = clock_mono_us();
    const char *reason;

    if (request_working(rq))
        return 0;
    if (rq->revoked)
        withhold(w);
    if (w->sent < w->out.n)
        return send_out(w, out, max);
    if (w->ending)
        return -1;
    if ((reason = reason_to_end(rq, w)))
        end(w, "bye", reason);
    else if (w->err == ERR_UNKNOWN_PROJECTION)
        end(w, "deleted", "{\"code\":\"unknown-projection\"}");
    else if (w->err)
        return -1; /* the reader comes again with its last position */
    else if (now >= w->quiet_since_us + rq->config->http_keepalive_us) {
        BUF_LIT(&w->out, ": keep-alive\n");
        put_id(w);
        BUF_LIT(&w->out, "\n");
    } else {
        wait_or_look(rq, w, now);
        return 0;
    }
    return w->out.failed ? -1 : send_out(w, out, max);
}

static enum err begin_stream(struct request *rq, struct reply *rp, struct watching *w)
{
    enum err e = request_hold(rq);
    int64_t now = clock_mono_us();

    if (e)
        return e;
    w->quiet_since_us = w->look_us = now;
    w->expires_us = now + principal_expires_us(rq->who) - clock_unix_us();
    reply_header(rq, rp, "X-Accel-Buffering", "no");
    return reply_stream(rp, 200, "text/event-stream", read_stream);
}

static void read_start(struct request *rq, struct watching *w)
{
    struct slice resume = request_header(rq, "Last-Event-ID"), after = request_query(rq, "after");

    if (!resume.n)
        resume = request_query(rq, "last_event_id");
    w->whole = after.p && slice_is(after, "earliest");
    if (resume.n && !slice_is(resume, "latest"))
        w->start = resume;
    else if (after.p && !w->whole && !slice_is(after, "latest"))
        w->start = after;
    if (w->start.p && slice_is(w->start, "earliest")) {
        w->start = SLICE_NONE;
        w->whole = true;
    }
}

enum err handle_watch_projection(struct request *rq, struct reply *rp)
{
    static const char *const offers[] = { "text/event-stream" };
    struct watching *w = rq->state;

    if (w)
        return w->err ? w->err : begin_stream(rq, rp, w);
    if (!request_accept(rq, offers, 1))
        return fault(&rq->fault, ERR_NOT_ACCEPTABLE, "Changes come as text/event-stream.");
    if (!(w = arena_zalloc(rq->arena, sizeof *w)))
        return ERR_NO_MEMORY;
    w->rq = rq;
    w->name = request_path(rq, "projection");
    w->prefix = request_query(rq, "prefix");
    read_start(rq, w);
    rq->state = w;
    rq->state_free = watching_free;
    return request_job(rq, look);
}
