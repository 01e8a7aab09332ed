#include "gateway/engine/dry_run.h"

#include "handlers/handlers.h"
#include "handlers/registry.h"

/* What a schema would have refused. It reads many events, so it looks whether its client is still there: it does not block, and
 * does all on a worker. */
#define LAST_DEFAULT 100
#define RUN_ARENA ((size_t)64 << 20)

struct running {
    enum err err;
    struct buf body;
};

static void running_free(void *state)
{
    buf_free(&((struct running *)state)->body);
}

static bool is_gone(void *rq)
{
    return request_left(rq);
}

static enum err load_stream(struct request *rq, struct slice name, struct stream **ret)
{
    if (!name.p)
        return fault(&rq->fault, ERR_BAD_BODY, "The member stream is needed.");
    if (!name_valid(name))
        return fault(&rq->fault, ERR_BAD_NAME, "Stream names are [a-z0-9][a-z0-9._-]{0,119}.");
    if (!principal_may(rq->who, PERM_SUBSCRIBE, name))
        return fault(&rq->fault, ERR_FORBIDDEN, "To check a stream's events needs subscribe on it.");
    return streams_load(rq->app->streams, rq->db, name, ret, &rq->fault);
}

static enum err read_asked(struct request *rq, struct slice *ret_stream, int *ret_last)
{
    int64_t most = rq->config->registry_dry_run_events;
    int usual = most < LAST_DEFAULT ? (int)most : LAST_DEFAULT;
    enum err e;

    if ((e = schema_member_parse(rq->arena, rq->body, "stream", ret_stream, &rq->fault)) ||
        (e = schema_integer_parse(rq->body, "last", usual, ret_last, &rq->fault)))
        return e;
    if (*ret_last < 1 || *ret_last > most)
        return fault(&rq->fault, ERR_BAD_BODY, "The member last must be from 1 to %lld (registry.dry_run_events).",
                     (long long)most);
    return OK;
}

static void put_result(struct buf *b, const struct dry_run *r)
{
    buf_printf(b, "{\"checked\":%lld,\"refused\":%lld,\"complete\":%s,\"samples\":[", (long long)r->checked, (long long)r->refused,
               r->complete ? "true" : "false");
    for (size_t i = 0; i < r->n; i++) {
        const struct dry_run_sample *s = &r->samples[i];

        buf_printf(b, "%s{\"partition\":%d,\"offset\":\"%lld\"", i ? "," : "", s->partition, (long long)s->offset);
        buf_member_text(b, "id", s->id);
        for (size_t k = 0; k < s->n; k++) {
            buf_str(b, k ? ",{\"pointer\":" : ",\"errors\":[{\"pointer\":");
            buf_json_string(b, s->v[k].pointer);
            if (s->v[k].keyword.p) {
                buf_member_text(b, "keyword", s->v[k].keyword);
                buf_member_text(b, "schema_pointer", s->v[k].schema_pointer);
            }
            buf_member_text(b, "detail", s->v[k].detail);
            buf_char(b, '}');
        }
        BUF_LIT(b, "]}");
    }
    BUF_LIT(b, "]}");
}

static enum err run_on(struct request *rq, struct stream *stream, const struct schema_subject *s, const struct schema_body *body,
                       int last, struct buf *ret)
{
    struct arena *a = arena_new(RUN_ARENA);
    struct schema_candidate candidate;
    struct checker *checker = NULL;
    struct dry_run result;
    enum err e = a ? schema_prepare(rq->config, rq->db, a, s, body, false, &candidate, &rq->fault) : ERR_NO_MEMORY;

    if (!e)
        e = checker_new(rq->config, rq->db, &candidate.row, &checker, &rq->fault);
    if (!e)
        e = dry_run(rq->db, a, stream, s, checker, last, is_gone, rq, &result, &rq->fault);
    if (!e)
        put_result(ret, &result);
    checker_unref(checker);
    arena_free(a);
    return e;
}

static enum err work(struct request *rq, struct running *run)
{
    struct stream *stream = NULL;
    struct schema_subject s;
    struct schema_body body;
    struct slice name;
    int last;
    enum err e;

    if ((e = registry_subject(rq, false, &s)) || (e = registry_body(rq, s.context, &body)) || (e = read_asked(rq, &name, &last)))
        return e;
    if (body.type != SCHEMA_JSON)
        return schema_fault(&rq->fault, SCHEMA_INVALID,
                            "Only a JSON Schema can be tried: data in Avro are of the schema that they name.");
    if ((e = load_stream(rq, name, &stream)))
        return e;
    if (!(e = schemas_long_begin(rq->app->schemas, LONG_READING, &rq->fault))) {
        e = run_on(rq, stream, &s, &body, last, &run->body);
        schemas_long_end(rq->app->schemas, LONG_READING);
    }
    stream_unref(stream);
    return e;
}

static void run_job(struct request *rq)
{
    struct running *run = rq->state;

    run->err = work(rq, run);
}

enum err handle_dry_run_schema(struct request *rq, struct reply *rp)
{
    struct running *run = rq->state;

    if (run)
        return run->err ? run->err : registry_reply(rq, rp, &run->body);
    if (!(run = arena_zalloc(rq->arena, sizeof *run)))
        return ERR_NO_MEMORY;
    rq->state = run;
    rq->state_free = running_free;
    request_wait_until(rq, 0); /* the client's leaving alone is waited for */
    return request_job(rq, run_job);
}
