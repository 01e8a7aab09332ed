#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "gateway/engine/validate.h"
#include "handlers/handlers.h"
#include "handlers/publishing.h"

#define TRIES 2 /* a stream that was made anew under its old name is looked up once more */

struct media {
    const char *type;
    enum event_format format;
};

static const struct media media[] = {
    { "application/cloudevents+json", EVENT_STRUCTURED },
    { "application/cloudevents-batch+json", EVENT_BATCH },
    { "application/json", EVENT_JSON },
    { "application/x-ndjson", EVENT_NDJSON },
};

static void publishing_free(void *state)
{
    struct publishing *s = state;

    stream_unref(s->stream);
    if (s->p.key)
        buf_free(&s->p.key->answer);
}

static void on_done(struct publish *p, bool more)
{
    request_fulfil(p->arg, more);
}

static struct slice media_type(struct slice content_type)
{
    const char *semicolon = memchr(content_type.p, ';', content_type.n);

    if (semicolon)
        content_type.n = (size_t)(semicolon - content_type.p);
    while (content_type.n && isspace((unsigned char)content_type.p[content_type.n - 1]))
        content_type.n--;
    return content_type;
}

static void collect_ce(void *arg, struct slice name, struct slice value)
{
    struct ce_headers *h = arg;

    if (name.n <= 3 || strncasecmp(name.p, "ce-", 3))
        return;
    if (h->n < CE_HEADERS_MAX)
        h->v[h->n] = (struct event_header){ { name.p + 3, name.n - 3 }, value };
    h->n++;
}

enum err collect_ce_headers(struct request *rq, struct ce_headers *ret)
{
    ret->n = 0;
    request_headers(rq, collect_ce, ret);
    if (ret->n > CE_HEADERS_MAX)
        return fault(&rq->fault, ERR_BAD_REQUEST, "There may be %d ce- headers at most.", CE_HEADERS_MAX);
    return OK;
}

static enum err parse(struct request *rq, struct publishing *s)
{
    const struct config *c = rq->config;
    const struct event_limits limits = { (size_t)c->event_bytes, (size_t)c->request_events, (unsigned)c->json_depth };
    struct slice stream = request_path(rq, "stream"), content_type = request_header(rq, "Content-Type");
    struct slice type = content_type.p ? media_type(content_type) : SLICE_NONE;
    int64_t now = clock_unix_us();

    if (request_header(rq, "ce-specversion").p && (!type.p || type.n < 23 || strncasecmp(type.p, "application/cloudevents", 23))) {
        struct ce_headers h;
        enum err e = collect_ce_headers(rq, &h);

        if (e)
            return e;
        return event_parse_binary(rq->arena, stream, h.v, h.n, content_type, rq->body, rq->traceparent, &limits, now, &s->p.events,
                                  &rq->fault);
    }
    for (size_t i = 0; type.p && i < sizeof media / sizeof *media; i++)
        if (strlen(media[i].type) == type.n && !strncasecmp(type.p, media[i].type, type.n))
            return event_parse(rq->arena, stream, media[i].format, rq->body, rq->traceparent, &limits, now, &s->p.events,
                               &rq->fault);
    return fault(&rq->fault, ERR_UNSUPPORTED_MEDIA_TYPE,
                 "Send application/json, application/cloudevents+json, application/cloudevents-batch+json or "
                 "application/x-ndjson, or any type with a ce-specversion header.");
}

static bool one_subject(const struct events *e)
{
    for (size_t i = 0; i < e->n; i++)
        if (!e->v[i].subject.p || !slice_eq(e->v[i].subject, e->v[0].subject))
            return false;
    return e->n > 0;
}

/* If-Match: "n" and If-None-Match: * guard the one subject of the request. */
static enum err precondition(struct request *rq, struct publishing *s)
{
    struct slice match = request_header(rq, "If-Match"), none = request_header(rq, "If-None-Match");

    s->p.if_version = -1;
    if (match.n > 2 && memcmp(match.p, "W/", 2) == 0) /* the ETag of an answer that was compressed names the same version */
        match = (struct slice){ match.p + 2, match.n - 2 };
    if (none.p && !slice_is(none, "*"))
        return fault(&rq->fault, ERR_BAD_REQUEST, "If-None-Match takes only * here.");
    if (match.p && (none.p || match.n < 3 || match.p[0] != '"' || match.p[match.n - 1] != '"' ||
                    !json_int64((struct slice){ match.p + 1, match.n - 2 }, &s->p.if_version) || s->p.if_version < 0))
        return fault(&rq->fault, ERR_BAD_REQUEST, "If-Match takes one version in quotes, such as \"3\".");
    if (none.p)
        s->p.if_version = 0;
    if (s->p.if_version >= 0 && !one_subject(&s->p.events))
        return fault(&rq->fault, ERR_BAD_REQUEST, "If-Match and If-None-Match need events of one subject.");
    for (size_t i = 0; i < s->p.events.n; i++)
        if (s->p.events.v[i].expected_version >= 0 && !s->p.events.v[i].subject.p) {
            if (s->p.events.array)
                snprintf(rq->fault.pointer, sizeof rq->fault.pointer, "/%zu/expectedversion", i);
            else
                snprintf(rq->fault.pointer, sizeof rq->fault.pointer, "/expectedversion");
            return fault(&rq->fault, ERR_BAD_EVENT, "expectedversion needs a subject.");
        }
    return OK;
}

static enum err prepare(struct request *rq, struct publishing *s)
{
    enum err e;

    if (s->parsed)
        return OK;
    if ((e = parse(rq, s)) || (e = precondition(rq, s)) || (s->p.key && (e = idempotency_fingerprint(rq, s->p.key))))
        return e;
    s->parsed = true;
    return OK;
}

/* Events that do not conform may have been recorded before, when they did: those that can be told are for the lane to answer. */
static bool may_be_repeated(const struct publish *p)
{
    for (size_t i = 0; i < p->events.n; i++)
        if (p->events.v[i].refused && !p->events.v[i].client_id)
            return p->key;
    return true;
}

/* Of each event against its schema; db NULL: on the event loop. */
static enum err validate(struct request *rq, struct publishing *s, struct db *db)
{
    struct fault *refusal;
    enum err e = validate_events(rq->app->schema_cache, db, &s->stream->row, &s->p.events, rq->arena, &rq->fault);

    s->p.refusal = NULL;
    if (e != ERR_SCHEMA_VIOLATION || !may_be_repeated(&s->p))
        return e;
    if (!(refusal = arena_alloc(rq->arena, sizeof *refusal)))
        return ERR_NO_MEMORY;
    *refusal = rq->fault;
    rq->fault = (struct fault){ 0 };
    s->p.refusal = refusal;
    return OK;
}

static enum err load_stream(struct request *rq, struct publishing *s)
{
    struct slice name = request_path(rq, "stream");
    enum err e = streams_load(rq->app->streams, rq->db, name, &s->stream, &rq->fault);

    if (e == ERR_UNKNOWN_STREAM && rq->config->streams_auto_create && !(e = auto_create_stream(rq, name)))
        e = streams_load(rq->app->streams, rq->db, name, &s->stream, &rq->fault);
    return e;
}

/* On a worker: what the caches of definitions and schemas do not hold, bodies too large for the event loop, slow schemas. */
static void prepare_blocking(struct request *rq)
{
    struct publishing *s = rq->state;

    if (!(s->err = prepare(rq, s)) && (s->stream || !(s->err = load_stream(rq, s))))
        s->err = validate(rq, s, rq->db);
}

static enum err submit(struct request *rq, struct publishing *s)
{
    enum err e;

    if (!s->charged && (e = request_charge(rq, s->p.events.n, rq->body.n)))
        return e;
    s->charged = true;
    s->p.stream = s->stream;
    s->p.done = on_done;
    s->p.arg = rq;
    s->p.fault = (struct fault){ 0 };
    s->queued = true;
    request_expect(rq);
    if ((e = commit_submit(rq->app->commit, &s->p, &rq->fault))) {
        request_fulfil(rq, false);
        return e;
    }
    return ERR_PARKED;
}

static enum err outcome(struct request *rq, struct reply *rp, struct publishing *s)
{
    s->queued = false;
    if (s->p.err == ERR_UNKNOWN_STREAM && ++s->tries < TRIES) {
        stream_unref(s->stream);
        s->stream = NULL;
        s->parsed = false;       /* the new one may have other schemas, and the events are marked by the old one's */
        return request_job(rq, prepare_blocking);
    }
    if (s->p.err) {
        rq->fault = s->p.fault;
        return s->p.err;
    }
    return s->p.key ? receipt_kept(rq, rp, s->p.key) : receipt(rq, rp, &s->p);
}

enum err handle_publish(struct request *rq, struct reply *rp)
{
    struct publishing *s = rq->state;
    struct slice name = request_path(rq, "stream");
    enum err e;

    if (s && s->queued)
        return outcome(rq, rp, s);
    if (!s) {
        if (!name_valid(name))
            return fault(&rq->fault, ERR_BAD_NAME, "Stream names are [a-z0-9][a-z0-9._-]{0,119}.");
        if (name_reserved(name))
            return fault(&rq->fault, ERR_RESERVED_NAME, "Weir alone writes %.*s.", (int)name.n, name.p);
        if (!(s = arena_zalloc(rq->arena, sizeof *s)))
            return ERR_NO_MEMORY;
        rq->state = s;
        rq->state_free = publishing_free;
        if ((e = idempotency_key(rq, &s->p.key)))
            return e;
        s->stream = streams_cached(rq->app->streams, name);
        if (!s->stream || rq->body.n > (size_t)rq->config->inline_bytes)
            return request_job(rq, prepare_blocking);
        if (!(s->err = prepare(rq, s)))
            s->err = validate(rq, s, NULL);
        if (s->err == ERR_PARKED)
            return request_job(rq, prepare_blocking);
    }
    e = s->err;
    return e ? e : submit(rq, s);
}
