#include <ctype.h>
#include <stdatomic.h>

#include "gateway/base/clock.h"
#include "gateway/http/assets.h"
#include "handlers/handlers.h"
#include "handlers/link.h"
#include "handlers/projections.h"

/* States, of one key or a page of them. A request that names a position waits until the projection is there: parked, woken by the
 * step that reaches it, on whichever gateway that is done. */
#define LIST_MAX 1000
#define LIST_DEFAULT 100
#define PAGE_BYTES ((size_t)4 << 20)      /* of states */
#define PAGE_BUDGET 20000                 /* states that a page looks at */
#define LOOK_ARENA ((size_t)32 << 20)
#define LOOK_US US_PER_S                  /* a wake may get lost */
#define BUSY_US (5 * INT64_C(1000))       /* until the next try when all workers are busy */
#define WAIT_DEFAULT_US (5 * US_PER_S)

struct asking {
    struct request *rq;
    struct slice key;                     /* p == NULL: a page */
    struct projection_query query;
    struct slice at_least;                /* p == NULL: whatever there is */
    int64_t deadline_us, look_us;         /* monotonic: the end of the wait, or of the token; the next look */
    bool held;                            /* it counts as one that waits */
    struct projection_target target;      /* in the request's arena, as what it is for */
    bool aimed;
    int64_t projection_id;
    struct projection_watch *watch;
    atomic_bool due;                      /* something has come since the last look */

    /* of the last look */
    enum err err;
    bool reached, found;
    const char *stopped;                  /* why it does not go on; NULL: it does */
    char position[CURSOR_TEXT];           /* "": none */
    char etag[PROJECTION_ETAG + 4];       /* W/"…" */
    struct buf body;
    struct slice next;                    /* `after` of the next page; p == NULL: there is none */
};

static void asking_free(void *state)
{
    struct asking *q = state;

    projections_unwatch(q->rq->app->projections, q->watch);
    buf_free(&q->body);
}

static void wake(void *asking, bool more)
{
    struct asking *q = asking;

    atomic_store(&q->due, true);
    request_wake_wave(q->rq, more);
}

/* --- a look; on a worker --- */

static void put_one(struct asking *q, const struct projection_view *v, const struct projection_state *s)
{
    if (!(q->found = s->key.p != NULL))
        return;
    memcpy(q->etag, "W/\"", 3); /* weak: of the state; the position beside it moves on */
    q->etag[projection_etag(v, s, q->etag + 3) + 3] = '"';
    projection_put_state(&q->body, s);
    projection_put_position(&q->body, v);
    buf_char(&q->body, '}');
}

static enum err put_page(struct asking *q, const struct projection_view *v, const struct projection_page *page)
{
    BUF_LIT(&q->body, "{\"items\":[");
    for (size_t i = 0; i < page->n; i++) {
        if (i)
            buf_char(&q->body, ',');
        projection_put_state(&q->body, &page->v[i]);
        buf_char(&q->body, '}');
    }
    buf_char(&q->body, ']');
    buf_member_text(&q->body, "next", page->next);
    projection_put_position(&q->body, v);
    buf_char(&q->body, '}');
    q->next = page->next.p ? arena_slice(q->rq->arena, page->next) : SLICE_NONE;
    return page->next.p && !q->next.p ? ERR_NO_MEMORY : OK;
}

/* Is the view where the caller wants it? */
static enum err judge(struct request *rq, struct asking *q, const struct projection_view *v)
{
    enum err e = OK;

    q->position[projection_position(v, v->pos, q->position)] = '\0';
    q->stopped = v->error.p ? "has failed" : v->paused ? "is paused" : NULL;
    if (q->aimed && q->projection_id != v->projection_id)
        return fault(&rq->fault, ERR_UNKNOWN_PROJECTION, "The projection was deleted.");
    if (q->at_least.p && !q->aimed) {
        e = projections_target(rq->db, rq->arena, v, q->at_least, &q->target, &rq->fault);
        q->projection_id = v->projection_id;
        q->aimed = !e;
    }
    q->reached = !e && (!q->at_least.p || projection_reached(v, &q->target));
    return e;
}

static enum err look_at_key(struct request *rq, struct asking *q, struct arena *a)
{
    struct projection_state state;
    struct projection_view view;
    enum err e = projections_state(rq->db, a, request_path(rq, "projection"), q->key, &view, &state, &rq->fault);

    if (e || (e = judge(rq, q, &view)))
        return e;
    if (q->reached)
        put_one(q, &view, &state);
    return OK;
}

static enum err look_at_page(struct request *rq, struct asking *q, struct arena *a)
{
    struct slice name = request_path(rq, "projection");
    struct projection_view view;
    struct projection_page page;
    enum err e;

    if (q->at_least.p &&
        ((e = projections_look(rq->db, a, name, &view, &rq->fault)) || (e = judge(rq, q, &view)) || !q->reached))
        return e;
    if ((e = projections_states(rq->app->projections, rq->db, a, name, &q->query, &view, &page, &rq->fault)))
        return e;
    q->reached = true;
    return put_page(q, &view, &page);
}

static enum err look_once(struct request *rq, struct asking *q)
{
    struct arena *a = arena_new(LOOK_ARENA);
    enum err e;

    if (!a)
        return ERR_NO_MEMORY;
    atomic_store(&q->due, false);
    q->look_us = clock_mono_us() + LOOK_US;
    buf_reset(&q->body);
    e = q->key.p ? look_at_key(rq, q, a) : look_at_page(rq, q, a);
    arena_free(a);
    return e || !q->body.failed ? e : ERR_NO_MEMORY;
}

/* Who has to wait registers first and looks again: a step between the two would be missed. */
static void look(struct request *rq)
{
    struct asking *q = rq->state;

    q->err = look_once(rq, q);
    if (q->err || q->reached || q->watch || q->stopped || clock_mono_us() >= q->deadline_us)
        return;
    q->watch = projections_watch(rq->app->projections, q->projection_id, &q->target, wake, q);
    q->err = q->watch ? look_once(rq, q) : ERR_NO_MEMORY;
}

/* --- the answer --- */

static enum err reply_state(struct request *rq, struct reply *rp, struct asking *q)
{
    bool fresh = etag_listed(request_header(rq, "If-None-Match"), q->etag + 2);
    enum err e;

    if (!q->found)
        return fault(&rq->fault, ERR_UNKNOWN_KEY, "The projection has no state of this key.");
    if ((e = fresh ? reply_empty(rp, 304) : reply_json(rp, 200, &q->body)))
        return e;
    reply_header(rq, rp, "ETag", q->etag);
    return OK;
}

static enum err reply_page(struct request *rq, struct reply *rp, struct asking *q)
{
    if (q->next.p)
        link_next(rq, rp, q->next);
    return reply_json(rp, 200, &q->body);
}

/* It is not where the caller wants it, and no time is left, or waiting would be in vain. */
static enum err give_up(struct request *rq, const struct asking *q)
{
    rq->fault.position = q->position[0] ? q->position : NULL;
    if (q->stopped)
        return fault(&rq->fault, ERR_PROJECTION_STOPPED, "The projection %s and has not reached at_least.", q->stopped);
    return fault(&rq->fault, ERR_PROJECTION_BEHIND, "The projection has not reached at_least within wait.");
}

static enum err wait_for_it(struct request *rq, struct asking *q, int64_t now)
{
    enum err e;

    if (!q->held && (e = request_hold(rq)))
        return e;
    q->held = true;
    if (atomic_load(&q->due) || now >= q->look_us) {
        if (request_work(rq, look))
            return ERR_PARKED;
        q->look_us = now + BUSY_US;
        atomic_store(&q->due, false);
    }
    request_wait_until(rq, q->look_us < q->deadline_us ? q->look_us : q->deadline_us);
    return ERR_PARKED;
}

static enum err go_on(struct request *rq, struct reply *rp, struct asking *q)
{
    int64_t now = clock_mono_us();

    if (q->err)
        return q->err;
    if (q->reached)
        return q->key.p ? reply_state(rq, rp, q) : reply_page(rq, rp, q);
    if (rq->draining)
        return fault(&rq->fault, ERR_SHUTTING_DOWN, "The projection has not reached at_least yet.");
    if (q->stopped || rq->gone || now >= q->deadline_us)
        return give_up(rq, q);
    return wait_for_it(rq, q, now);
}

/* --- what is asked --- */

struct slice projection_without_mark(struct slice text)
{
    size_t n = text.n < PROJECTION_MARK ? 0 : text.n - PROJECTION_MARK + 1;

    for (size_t i = n + 1; n && i < text.n; i++)
        if (!isxdigit((unsigned char)text.p[i]))
            return text;
    return n && text.p[n] == '~' ? (struct slice){ text.p, n } : text;
}

static enum err read_wait(struct request *rq, struct asking *q)
{
    const int64_t most = rq->config->read_wait_max_us;
    int64_t wait = WAIT_DEFAULT_US < most ? WAIT_DEFAULT_US : most;
    int64_t expires = clock_mono_us() + principal_expires_us(rq->who) - clock_unix_us();
    enum err e = request_query_duration(rq, "wait", most, &wait);

    q->at_least = projection_without_mark(request_query(rq, "at_least"));
    q->deadline_us = rq->began_us + wait < expires ? rq->began_us + wait : expires;
    return e;
}

static enum err read_page_query(struct request *rq, struct projection_query *q)
{
    struct slice *where = arena_alloc(rq->arena, PROJECTION_WHERE_MAX * sizeof *where);
    int64_t limit = LIST_DEFAULT;
    enum err e = request_query_int(rq, "limit", 1, LIST_MAX, &limit);

    if (e || !where)
        return e ? e : ERR_NO_MEMORY;
    *q = (struct projection_query){ .prefix = request_query(rq, "prefix"), .after = request_query(rq, "after"), .where = where,
                                    .where_n = request_query_all(rq, "where", where, PROJECTION_WHERE_MAX),
                                    .limit = (size_t)limit, .bytes = PAGE_BYTES, .budget = PAGE_BUDGET };
    if (q->where_n > PROJECTION_WHERE_MAX)
        return fault(&rq->fault, ERR_BAD_PARAMETER, "At most %d conditions (where) may be given.", PROJECTION_WHERE_MAX);
    return OK;
}

static enum err begin(struct request *rq, bool one)
{
    struct asking *q = arena_zalloc(rq->arena, sizeof *q);
    enum err e;

    if (!q)
        return ERR_NO_MEMORY;
    q->rq = rq;
    q->key = one ? request_path(rq, "key") : SLICE_NONE;
    if ((e = read_wait(rq, q)) || (!one && (e = read_page_query(rq, &q->query))))
        return e;
    rq->state = q;
    rq->state_free = asking_free;
    return request_job(rq, look);
}

enum err handle_get_projection_state(struct request *rq, struct reply *rp)
{
    return rq->state ? go_on(rq, rp, rq->state) : begin(rq, true);
}

enum err handle_list_projection_states(struct request *rq, struct reply *rp)
{
    return rq->state ? go_on(rq, rp, rq->state) : begin(rq, false);
}
