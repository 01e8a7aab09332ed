#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "handlers/handlers.h"
#include "handlers/link.h"
#include "handlers/sagas.h"

/* Instances of sagas, as they are: lists, one with its steps, its history. */

#define LIST_MAX 1000
#define LIST_DEFAULT 100
#define ERROR_MAX 1024

static enum err bad(struct request *rq, const char *why)
{
    return fault(&rq->fault, ERR_BAD_PARAMETER, "%s", why);
}

static enum err read_filter(struct request *rq, struct saga_filter *q)
{
    struct slice state = request_query(rq, "state");
    int64_t version = 0;
    enum err e;

    *q = (struct saga_filter){ .state = -1, .error = request_query(rq, "error") };
    if (state.p && !saga_state_read(state, &q->state))
        return bad(rq, "state must be one of: running waiting paused compensating completed compensated failed.");
    if (q->error.n > ERROR_MAX)
        return bad(rq, "error has 1,024 bytes at most.");
    if ((e = request_query_int(rq, "version", 1, INT32_MAX, &version)) || (e = request_query_time(rq, "from", &q->from_us)) ||
        (e = request_query_time(rq, "to", &q->to_us)))
        return e;
    q->version = (int32_t)version;
    return saga_period_check(rq, q);
}

/* <created, unix microseconds>-<id> of the last one */
static enum err read_after(struct request *rq, int64_t *ret_us, struct slice *ret_id)
{
    struct slice after = request_query(rq, "after");
    const char *hyphen = after.p ? memchr(after.p, '-', after.n) : NULL;
    size_t n = hyphen ? (size_t)(hyphen - after.p) : 0;

    *ret_us = 0;
    *ret_id = SLICE_NONE;
    if (!after.p)
        return OK;
    if (!hyphen || !json_int64((struct slice){ after.p, n }, ret_us) || *ret_us < 1 || *ret_us > INT64_MAX / 2)
        return bad(rq, "after must be the next of another page.");
    *ret_id = (struct slice){ hyphen + 1, after.n - n - 1 };
    return OK;
}

/* What is read may be larger than what is published, by which a request's own arena is measured. */
static enum err with_arena(struct request *rq, struct reply *rp,
                           enum err (*read)(struct request *rq, struct reply *rp, struct arena *a))
{
    struct arena *a = arena_new(SAGA_VIEW_ARENA);
    enum err e = a ? read(rq, rp, a) : ERR_NO_MEMORY;

    arena_free(a);
    return e;
}

static enum err list_instances(struct request *rq, struct reply *rp, struct arena *a)
{
    int64_t limit = LIST_DEFAULT, before_us;
    struct slice before_id;
    struct saga_filter q;
    struct saga_page page;
    const char *next = NULL;
    struct buf b = { 0 };
    enum err e;

    if ((e = read_filter(rq, &q)) || (e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) ||
        (e = read_after(rq, &before_us, &before_id)) ||
        (e = saga_view_instances(rq->db, a, request_path(rq, "saga"), &q, request_query(rq, "step"), before_us, before_id,
                                 (size_t)limit, &page, &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < page.n; i++) {
        if (i)
            buf_char(&b, ',');
        saga_view_render_row(&b, &page.v[i]);
        buf_char(&b, '}');
    }
    if (page.more) {
        const struct saga_instance_shown *last = &page.v[page.n - 1];

        next = arena_printf(a, "%lld-%.*s", (long long)last->created_us, (int)last->id.n, last->id.p);
        if (!next)
            return buf_free(&b), ERR_NO_MEMORY;
    }
    link_page(rq, rp, &b, next ? slice_of(next) : SLICE_NONE);
    return reply_json(rp, 200, &b);
}

enum err handle_list_saga_instances(struct request *rq, struct reply *rp)
{
    return with_arena(rq, rp, list_instances);
}

enum err reply_saga_instance(struct request *rq, struct reply *rp, int status)
{
    struct slice saga = request_path(rq, "saga");
    struct arena *a = arena_new(SAGA_VIEW_ARENA);
    struct saga_view *v = a ? arena_alloc(a, sizeof *v) : NULL;
    struct buf b = { 0 };
    enum err e = v ? saga_view_instance(rq->db, a, saga, request_path(rq, "id"), v, &rq->fault) : ERR_NO_MEMORY;

    if (!e)
        saga_view_render(&b, saga, v);
    arena_free(a);
    return e ? e : reply_json(rp, status, &b);
}

enum err handle_get_saga_instance(struct request *rq, struct reply *rp)
{
    return reply_saga_instance(rq, rp, 200);
}

/* --- history --- */

/* <seq>-<n> */
static enum err read_record_id(struct request *rq, int64_t *ret_seq, int *ret_n)
{
    struct slice after = request_query(rq, "after");
    const char *hyphen = after.p ? memchr(after.p, '-', after.n) : NULL;
    size_t at = hyphen ? (size_t)(hyphen - after.p) : 0;
    int64_t n = -1;

    *ret_seq = 0;
    if (after.p && (!hyphen || !json_int64((struct slice){ after.p, at }, ret_seq) || *ret_seq < 0 ||
                    !json_int64((struct slice){ hyphen + 1, after.n - at - 1 }, &n) || n < 0 || n > INT16_MAX))
        return bad(rq, "after must be the next of another page, or the id of a record.");
    *ret_n = (int)n;
    return OK;
}

static void put_record(struct buf *b, const struct saga_record_shown *h)
{
    buf_printf(b, "{\"id\":\"%lld-%d\",\"type\":", (long long)h->seq, h->n);
    buf_json_string(b, h->type);
    buf_member_time(b, "at", h->at_us);
    buf_member_text(b, "step", h->step);
    BUF_LIT(b, ",\"data\":");
    buf_slice(b, h->data);
    buf_char(b, '}');
}

static enum err show_history(struct request *rq, struct reply *rp, struct arena *a)
{
    struct saga_record_shown *v;
    int64_t limit = LIST_DEFAULT, seq = 0;
    const char *next = NULL;
    struct buf b = { 0 };
    size_t found;
    bool more;
    int n = 0;
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) || (e = read_record_id(rq, &seq, &n)) ||
        (e = saga_view_history(rq->db, a, request_path(rq, "saga"), request_path(rq, "id"), seq, n, (size_t)limit,
                               rq->config->read_page_bytes, &v, &found, &more, &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < found; i++) {
        if (i)
            buf_char(&b, ',');
        put_record(&b, &v[i]);
    }
    if (more && !(next = arena_printf(a, "%lld-%d", (long long)v[found - 1].seq, v[found - 1].n)))
        return buf_free(&b), ERR_NO_MEMORY;
    link_page(rq, rp, &b, next ? slice_of(next) : SLICE_NONE);
    return reply_json(rp, 200, &b);
}

enum err handle_get_saga_history(struct request *rq, struct reply *rp)
{
    return with_arena(rq, rp, show_history);
}
