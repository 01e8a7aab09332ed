#include <openssl/sha.h>
#include <stdio.h>

#include "gateway/base/json.h"
#include "handlers/handlers.h"
#include "handlers/subjects.h"

#define STATE_ARENA ((size_t)128 << 20) /* twice the largest state that the configuration allows */

static enum err malformed(struct request *rq, const struct json *j)
{
    return fault(&rq->fault, ERR_BAD_JSON, "The body is not valid JSON at byte %zu: %s", (size_t)(j->p - j->start),
                 j->error ? j->error : "something follows the value");
}

static enum err wrong(struct request *rq, const char *pointer, const char *what)
{
    snprintf(rq->fault.pointer, sizeof rq->fault.pointer, "%s", pointer);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", what);
}

/* One member; the state's bytes stay where they are. */
static enum err read_member(struct request *rq, struct json *j, struct slice name, struct snapshot_row *ret)
{
    bool version = slice_is(name, "version");
    struct slice raw;

    if (!version && !slice_is(name, "state"))
        return wrong(rq, "", "The body has version and state, and no other members.");
    if (version ? ret->version : ret->state.p != NULL)
        return wrong(rq, version ? "/version" : "/state", "The member is there twice.");
    if (!json_value(j, &raw))
        return malformed(rq, j);
    if (!version)
        ret->state = raw;
    else if (!json_int64(raw, &ret->version) || ret->version < 1)
        return wrong(rq, "/version", "It must be an integer from 1 on.");
    return OK;
}

static enum err read_body(struct request *rq, struct snapshot_row *ret)
{
    size_t most = (size_t)rq->config->subjects_snapshot_bytes;
    struct slice key, name;
    struct json j;
    bool escaped;
    enum err e = request_json(rq);

    if (e)
        return e;
    json_begin(&j, rq->body, (unsigned)rq->config->json_depth);
    if (!json_object_begin(&j))
        return malformed(rq, &j);
    while (json_object_next(&j, &key, &escaped)) {
        if (!json_unescape(rq->arena, key, escaped, &name))
            return ERR_NO_MEMORY;
        if ((e = read_member(rq, &j, name, ret)))
            return e;
    }
    if (j.error || !json_end(&j))
        return malformed(rq, &j);
    if (!ret->version)
        return wrong(rq, "/version", "The member is missing.");
    if (!ret->state.p)
        return wrong(rq, "/state", "The member is missing.");
    if (ret->state.n > most)
        return fault(&rq->fault, ERR_BODY_TOO_LARGE, "The state may have %zu bytes at most (setting subjects.snapshot_bytes).",
                     most);
    return OK;
}

static enum err writable(struct request *rq)
{
    struct slice name = request_path(rq, "stream");

    return name_reserved(name) ? fault(&rq->fault, ERR_RESERVED_NAME, "Weir alone writes %.*s.", (int)name.n, name.p) : OK;
}

struct putting {
    struct snapshot_row row;
    bool first;
};

static enum err put(struct request *rq, int64_t stream_id, void *arg)
{
    struct putting *p = arg;

    return subjects_snapshot_put(rq->db, rq->arena, stream_id, &p->row, &p->first, &rq->fault);
}

enum err handle_put_snapshot(struct request *rq, struct reply *rp)
{
    struct putting p = { .row.subject = request_path(rq, "subject") };
    struct buf b = { 0 };
    enum err e;

    if ((e = writable(rq)) || (e = read_body(rq, &p.row)) || (e = on_subject(rq, put, &p)))
        return e;
    buf_printf(&b, "{\"version\":%lld", (long long)p.row.version);
    buf_member_time(&b, "updated", p.row.updated_us);
    buf_char(&b, '}');
    return reply_json(rp, p.first ? 201 : 200, &b);
}

struct getting {
    struct arena *arena;         /* of the state, which may be larger than what may be sent now */
    struct snapshot_row row;
};

static enum err get(struct request *rq, int64_t stream_id, void *arg)
{
    struct getting *g = arg;

    return subjects_snapshot_get(rq->db, g->arena, stream_id, request_path(rq, "subject"), &g->row, &rq->fault);
}

/* Of its content: a version's state may be replaced. NULL: no memory. */
static const char *etag_of(struct request *rq, const struct snapshot_row *s)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t start;

    SHA256((const unsigned char *)s->state.p, s->state.n, digest);
    memcpy(&start, digest, sizeof start);
    return arena_printf(rq->arena, "\"%lld-%016llx\"", (long long)s->version, (unsigned long long)start);
}

static enum err reply_snapshot(struct request *rq, struct reply *rp, const struct snapshot_row *s)
{
    const char *etag = etag_of(rq, s);
    struct buf b = { 0 };

    if (!etag)
        return ERR_NO_MEMORY;
    if (reply_etag(rq, rp, etag))
        return OK;
    buf_printf(&b, "{\"version\":%lld,\"state\":", (long long)s->version);
    buf_slice(&b, s->state);
    buf_member_time(&b, "updated", s->updated_us);
    buf_char(&b, '}');
    return reply_json(rp, 200, &b);
}

enum err handle_get_snapshot(struct request *rq, struct reply *rp)
{
    struct getting g = { .arena = arena_new(STATE_ARENA) };
    enum err e = g.arena ? on_subject(rq, get, &g) : ERR_NO_MEMORY;

    if (!e)
        e = reply_snapshot(rq, rp, &g.row);
    arena_free(g.arena);
    return e;
}

static enum err drop(struct request *rq, int64_t stream_id, void *unused)
{
    (void)unused;
    return subjects_snapshot_delete(rq->db, stream_id, request_path(rq, "subject"), &rq->fault);
}

enum err handle_delete_snapshot(struct request *rq, struct reply *rp)
{
    enum err e;

    if ((e = writable(rq)) || (e = on_subject(rq, drop, NULL)))
        return e;
    return reply_empty(rp, 204);
}
