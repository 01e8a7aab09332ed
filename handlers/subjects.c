#include "handlers/subjects.h"

#include "gateway/base/json.h"
#include "gateway/base/metrics.h"
#include "gateway/http/assets.h"
#include "handlers/handlers.h"

#define PAGE_ARENA ((size_t)1 << 20) /* besides the events; what they point to is the database's result */

enum format { FORMAT_PAGE, FORMAT_BATCH, FORMAT_NDJSON };
static const char *const media[] = { "application/json", "application/cloudevents-batch+json", "application/x-ndjson" };

/* What is read, and how it is answered. */
struct asked {
    struct arena *arena;       /* of the page: a request's own is bounded by what may be published */
    struct subject_spec spec;
    struct subject_page page;
    enum format format;
    bool load;                 /* the snapshot has a place in the answer */
};

enum err on_subject(struct request *rq, subject_fn *fn, void *arg)
{
    struct slice name = request_path(rq, "stream");
    struct stream *s = streams_cached(rq->app->streams, name);
    bool cached = s;
    enum err e = OK;

    for (;;) {
        if (!s && (e = streams_load(rq->app->streams, rq->db, name, &s, &rq->fault)))
            return e;
        if ((e = fn(rq, s->row.stream_id, arg)) == ERR_UNKNOWN_STREAM)
            streams_forget(rq->app->streams, s->row.stream_id);
        stream_unref(s);
        if (e != ERR_UNKNOWN_STREAM || !cached)
            return e;
        rq->fault = (struct fault){ 0 };
        cached = false;
        s = NULL;
    }
}

bool reply_etag(struct request *rq, struct reply *rp, const char *etag)
{
    bool listed = etag_listed(request_header(rq, "If-None-Match"), etag);

    if (listed)
        reply_empty(rp, 304);
    reply_header(rq, rp, "ETag", etag);
    return listed;
}

static const char *etag_of(struct request *rq, int64_t version)
{
    const char *etag = arena_printf(rq->arena, "\"%lld\"", (long long)version);

    return etag ? etag : "";
}

/* The version that the caller has, if it says one: then nothing is read. Lists of them are judged after the read. */
static int64_t known_version(struct request *rq)
{
    struct slice tag = request_header(rq, "If-None-Match");
    int64_t version;

    if (tag.n > 2 && memcmp(tag.p, "W/", 2) == 0)
        tag = (struct slice){ tag.p + 2, tag.n - 2 };
    if (tag.n < 3 || tag.p[0] != '"' || tag.p[tag.n - 1] != '"' ||
        !json_int64((struct slice){ tag.p + 1, tag.n - 2 }, &version))
        return -1;
    return version;
}

static enum err read_subject(struct request *rq, int64_t stream_id, void *asked)
{
    struct asked *q = asked;

    return subjects_read(rq->db, q->arena, stream_id, &q->spec, &q->page, &rq->fault);
}

/* Where the rest is. */
static void link_rest(struct request *rq, struct reply *rp, const struct asked *q)
{
    const char *question = memchr(rq->target.p, '?', rq->target.n), *link;
    int path_n = question ? (int)(question - rq->target.p) : (int)rq->target.n;

    link = arena_printf(rq->arena, "<%.*s%s?from_version=%lld&limit=%lld>; rel=\"next\"", path_n, rq->target.p,
                        q->load ? "/events" : "", (long long)q->page.next, (long long)q->spec.limit);
    if (link)
        reply_header(rq, rp, "Link", link);
}

static void put_snapshot(struct buf *b, const struct snapshot_row *s)
{
    BUF_LIT(b, "\"snapshot\":");
    if (s->version) {
        buf_printf(b, "{\"version\":%lld,\"state\":", (long long)s->version);
        buf_slice(b, s->state);
        buf_member_time(b, "updated", s->updated_us);
        buf_char(b, '}');
    } else {
        BUF_LIT(b, "null");
    }
    buf_char(b, ',');
}

static void render(struct request *rq, const struct asked *q, struct buf *b)
{
    const struct subject_page *p = &q->page;
    struct slice stream = request_path(rq, "stream");

    if (q->format == FORMAT_PAGE)
        buf_char(b, '{');
    if (q->load)
        put_snapshot(b, &p->snapshot);
    if (q->format != FORMAT_NDJSON)
        buf_str(b, q->format == FORMAT_PAGE ? "\"events\":[" : "[");
    for (size_t i = 0; i < p->n; i++) {
        if (i && q->format != FORMAT_NDJSON)
            buf_char(b, ',');
        event_render(b, stream, &p->events[i], q->format == FORMAT_NDJSON);
        if (q->format == FORMAT_NDJSON)
            buf_char(b, '\n');
    }
    if (q->format != FORMAT_NDJSON)
        buf_char(b, ']');
    if (q->format == FORMAT_PAGE)
        buf_printf(b, ",\"version\":%lld,\"up_to_date\":%s}", (long long)p->version, p->next > p->version ? "true" : "false");
}

static enum err reply_page(struct request *rq, struct reply *rp, const struct asked *q)
{
    struct buf b = { 0 };

    if (reply_etag(rq, rp, etag_of(rq, q->page.version)))
        return OK;
    if (q->page.next <= q->page.version)
        link_rest(rq, rp, q);
    render(rq, q, &b);
    metric_add(M_DELIVERED_EVENTS, (int64_t)q->page.n);
    return reply_bytes(rp, 200, media[q->format], &b);
}

static enum err answer(struct request *rq, struct reply *rp, struct asked *q)
{
    const struct config *c = rq->config;
    enum err e;

    q->spec.subject = request_path(rq, "subject");
    q->spec.unless = known_version(rq);
    q->spec.bytes = c->read_page_bytes;
    q->spec.scan = c->read_scan_events;
    q->spec.limit = c->read_limit_max;
    if ((e = request_query_int(rq, "limit", 1, c->read_limit_max, &q->spec.limit)))
        return e;
    if (!(q->arena = arena_new(PAGE_ARENA + (size_t)q->spec.limit * sizeof *q->page.events)))
        return ERR_NO_MEMORY;
    if (!(e = on_subject(rq, read_subject, q)))
        e = reply_page(rq, rp, q);
    arena_free(q->arena);
    return e;
}

enum err handle_read_subject(struct request *rq, struct reply *rp)
{
    struct asked q = { .spec.from = 1 };
    const char *type = request_accept(rq, media, sizeof media / sizeof *media);
    enum err e;

    if (!type)
        return fault(&rq->fault, ERR_NOT_ACCEPTABLE, "Events of a subject come as %s, %s or %s.", media[0], media[1], media[2]);
    while (media[q.format] != type)
        q.format++;
    e = request_query_int(rq, "from_version", 1, INT64_MAX - 1, &q.spec.from);
    return e ? e : answer(rq, rp, &q);
}

static enum err look(struct request *rq, int64_t stream_id, void *version)
{
    return subjects_version(rq->db, stream_id, request_path(rq, "subject"), version, &rq->fault);
}

/* The version alone. */
static enum err head(struct request *rq, struct reply *rp)
{
    int64_t version;
    struct buf nothing = { 0 };
    enum err e = on_subject(rq, look, &version);

    if (e || reply_etag(rq, rp, etag_of(rq, version)))
        return e;
    return reply_bytes(rp, 200, media[FORMAT_PAGE], &nothing);
}

enum err handle_load_subject(struct request *rq, struct reply *rp)
{
    struct asked q = { .spec.from = 1, .load = true };
    enum err e = request_query_bool(rq, "snapshot", &q.spec.snapshot);

    if (e)
        return e;
    return slice_is(rq->method, "HEAD") ? head(rq, rp) : answer(rq, rp, &q);
}
