#include "handlers/jobs.h"

#include "gateway/base/uuid.h"
#include "gateway/engine/dlq_schema.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"

#define LIST_MAX 1000
#define LIST_DEFAULT 100
#define LIMIT_MAX 1000000000
#define RATE_MIN 0.001
#define RATE_MAX 100000

enum { FILTERS = 8 };

/* What a POST names. */
struct asked {
    struct slice filter[FILTERS];
    int64_t limit;
    double rate;
    bool has_rate, dry_run;
    struct slice reason;
};

#define AT(member) offsetof(struct asked, member)
#define FILTER(i, name, max) { name, F_STRING, (i) * sizeof(struct slice), false, 1, max, NULL, SIZE_MAX, false, SIZE_MAX }

static const struct field filter_fields[FILTERS + 1] = {
    FILTER(0, "group", 120),
    FILTER(1, "type", 1024),
    FILTER(2, "subject", 1024),
    FILTER(3, "reason", 200),
    FILTER(4, "fingerprint", 32),
    FILTER(5, "from", 40),
    FILTER(6, "to", 40),
    FILTER(7, "state", 20),
    { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX },
};

static const struct field fields[] = {
    { "filter", F_OBJECT, AT(filter), true, 0, 0, filter_fields, SIZE_MAX, false, SIZE_MAX },
    { "limit", F_INT, AT(limit), false, 1, LIMIT_MAX, NULL, SIZE_MAX, true, SIZE_MAX },
    { "rate_per_second", F_NUMBER, AT(rate), false, 0, RATE_MAX, NULL, AT(has_rate), true, SIZE_MAX },
    { "dry_run", F_BOOL, AT(dry_run), false, 0, 1, NULL, SIZE_MAX, false, SIZE_MAX },
    { "reason", F_STRING, AT(reason), false, 0, DLQ_NOTE_MAX, NULL, SIZE_MAX, true, SIZE_MAX },
    { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX },
};

static void put_member(struct buf *b, const char *name, struct slice value)
{
    if (!value.p || b->failed)
        return;
    if (b->p[b->n - 1] != '{')
        buf_char(b, ',');
    buf_printf(b, "\"%s\":", name);
    buf_json_string(b, value);
}

static enum err kept(struct request *rq, struct buf *b, struct slice *ret)
{
    *ret = b->failed ? SLICE_NONE : arena_slice(rq->arena, (struct slice){ b->p, b->n });
    buf_free(b);
    return ret->p ? OK : ERR_NO_MEMORY;
}

/* The filter as it was asked for. */
static enum err write_filter(struct request *rq, const struct asked *q, struct slice *ret)
{
    struct buf b = { 0 };

    buf_char(&b, '{');
    for (size_t i = 0; i < FILTERS; i++)
        put_member(&b, filter_fields[i].name, q->filter[i]);
    buf_char(&b, '}');
    return kept(rq, &b, ret);
}

/* Who asks, for the record of the job's end. */
static enum err write_actor(struct request *rq, struct slice *ret)
{
    char address[REQUEST_ADDRESS];
    struct buf b = { 0 };

    buf_char(&b, '{');
    put_member(&b, "iss", principal_issuer(rq->who));
    put_member(&b, "sub", principal_subject(rq->who));
    put_member(&b, "jti", principal_token_id(rq->who));
    put_member(&b, "request_id", slice_of(rq->id));
    put_member(&b, "address", slice_of(request_address(rq, address)));
    put_member(&b, "traceparent", rq->traceparent);
    buf_char(&b, '}');
    return kept(rq, &b, ret);
}

static enum err read_job(struct request *rq, int kind, struct job_row *j, struct letter_filter *filter, bool *ret_dry)
{
    struct asked q = { .limit = -1 };
    enum err e = request_body(rq, fields, &q);

    if (e)
        return e;
    if (q.has_rate && q.rate < RATE_MIN) {
        strcpy(rq->fault.pointer, "/rate_per_second");
        return fault(&rq->fault, ERR_BAD_BODY, "It must be a number from %g to %d.", RATE_MIN, RATE_MAX);
    }
    *j = (struct job_row){ .stream = request_path(rq, "stream"), .kind = kind, .letters = q.limit, .rate = q.rate,
                           .reason = q.reason };
    *ret_dry = q.dry_run;
    if ((e = write_filter(rq, &q, &j->filter)) || (e = write_actor(rq, &j->actor)))
        return e;
    return job_filter_read(rq->arena, j->filter, filter, &rq->fault);
}

static enum err dry_run(struct request *rq, struct reply *rp, struct job_row *j, const struct letter_filter *filter)
{
    int64_t checked = 0, failing = 0;
    struct stream_row stream;
    struct buf b = { 0 };
    enum err e;

    if ((e = streams_get(rq->db, rq->arena, j->stream, &stream, &rq->fault)))
        return e;
    j->stream_id = stream.stream_id;
    if ((e = jobs_match(rq->db, rq->arena, filter, j, &rq->fault)))
        return e;
    if ((e = dlq_failing(rq->app->schema_cache, rq->db, &stream, filter, j->matched, &checked, &failing, &rq->fault)))
        return e;
    buf_printf(&b, "{\"matched\":%lld,\"failing_schema\":%lld", (long long)j->matched, (long long)failing);
    if (checked < j->matched)
        buf_printf(&b, ",\"checked\":%lld", (long long)checked);
    buf_char(&b, '}');
    return reply_json(rp, 200, &b);
}

static enum err reply_job(struct reply *rp, int status, const struct job_row *j)
{
    struct buf b = { 0 };

    job_render(&b, j);
    return reply_json(rp, status, &b);
}

static const char *path_of(struct request *rq, const struct job_row *j)
{
    char id[UUID_TEXT];

    uuid_format(j->job_id, id);
    return arena_printf(rq->arena, "/v1/jobs/%s", id);
}

static enum err make_job(struct request *rq, struct reply *rp, int kind, const char *started)
{
    struct letter_filter filter;
    struct buf changes = { 0 };
    struct job_row j;
    const char *path;
    bool dry = false;
    enum err e;

    if ((e = read_job(rq, kind, &j, &filter, &dry)))
        return e;
    if (dry)
        return dry_run(rq, rp, &j, &filter);
    if ((e = audit_begin(rq->db, &rq->fault)))
        return e;
    if (!(e = jobs_add(rq->config, rq->db, rq->arena, &j, &rq->fault)))
        job_describe(&changes, &j, false);
    path = path_of(rq, &j);
    if ((e = audited(rq, e, started, slice_of(path), &changes)))
        return e;
    jobs_wake(rq->app->jobs);
    reply_header(rq, rp, "Location", path);
    return reply_job(rp, 202, &j);
}

enum err handle_redrive_letters(struct request *rq, struct reply *rp)
{
    return make_job(rq, rp, JOB_REDRIVE, "DeadLettersRedriveStarted");
}

enum err handle_discard_letters(struct request *rq, struct reply *rp)
{
    return make_job(rq, rp, JOB_DISCARD, "DeadLettersDiscardStarted");
}

int any_job_state(const struct any_job *j)
{
    return j->verifies ? j->check.state : j->letters.state;
}

void any_job_render(struct buf *b, const struct any_job *j)
{
    if (j->verifies)
        projection_check_render(b, &j->check, true);
    else
        job_render(b, &j->letters);
}

/* Who has no right on its stream, or its projection, does not learn that it is there. */
enum err job_of_caller(struct request *rq, struct arena *a, struct any_job *ret)
{
    uint8_t id[16];
    enum err e = ERR_UNKNOWN_JOB;

    ret->verifies = false;
    if (uuid_parse(request_path(rq, "id"), id) && (e = jobs_find(rq->db, a, id, &ret->letters, &rq->fault)) == ERR_UNKNOWN_JOB) {
        e = db_check_find(rq->db, a, id, &ret->check, &ret->verifies, &rq->fault);
        e = !e && !ret->verifies ? ERR_UNKNOWN_JOB : e;
    }
    if (!e && !principal_may(rq->who, ret->verifies ? PERM_PROJECTION : PERM_DLQ,
                             ret->verifies ? ret->check.name : ret->letters.stream))
        e = ERR_UNKNOWN_JOB;
    return e == ERR_UNKNOWN_JOB ? fault(&rq->fault, e, "There is no such job.") : e;
}

static enum err cancel_check(struct request *rq, struct any_job *j, struct buf *changes)
{
    enum err e = projection_checks_cancel(rq->db, &j->check, &rq->fault);

    if (!e) {
        BUF_LIT(changes, "{\"projection\":");
        buf_json_string(changes, j->check.name);
        buf_char(changes, '}');
    }
    return e;
}

enum err handle_cancel_job(struct request *rq, struct reply *rp)
{
    static const char *const types[] = { "DeadLettersRedriveCancelled", "DeadLettersDiscardCancelled" };
    struct buf changes = { 0 }, b = { 0 };
    struct any_job j;
    const char *type = "ProjectionVerificationCancelled";
    bool cancelled = false;
    enum err e;

    if ((e = job_of_caller(rq, rq->arena, &j)) || (e = audit_begin(rq->db, &rq->fault)))
        return e;
    if (j.verifies) {
        type = j.check.state == JOB_CANCELLED ? NULL : type;
        e = cancel_check(rq, &j, &changes);
    } else if (!(e = jobs_cancel(rq->db, rq->arena, &j.letters, &cancelled, &rq->fault))) {
        job_describe(&changes, &j.letters, true);
        type = cancelled ? types[j.letters.kind] : NULL;
    }
    if ((e = audited(rq, e, type, slice_of(arena_printf(rq->arena, "/v1/jobs/%.*s", (int)request_path(rq, "id").n,
                                                        request_path(rq, "id").p)), &changes)))
        return e;
    any_job_render(&b, &j);
    return reply_json(rp, 200, &b);
}

static bool visible(const void *who, struct slice stream)
{
    return principal_may(who, PERM_DLQ, stream);
}

static enum err read_state(struct request *rq, int *ret)
{
    struct slice word = request_query(rq, "state");

    *ret = -1;
    for (int i = 0; word.p && i < JOB_STATES; i++)
        if (slice_is(word, job_state_words[i]))
            *ret = i;
    return word.p && *ret < 0 ? fault(&rq->fault, ERR_BAD_PARAMETER, "state must be one of: %s.", JOB_STATE_WORDS) : OK;
}

static void put_next(struct request *rq, struct reply *rp, struct buf *b, const struct job_row *last, int64_t limit, int state)
{
    struct slice stream = request_query(rq, "stream");
    char id[UUID_TEXT];

    uuid_format(last->job_id, id);
    buf_printf(b, "],\"next\":\"%s\"}", id);
    reply_header(rq, rp, "Link",
                 arena_printf(rq->arena, "</v1/jobs?limit=%lld&after=%s%s%.*s%s%s>; rel=\"next\"", (long long)limit, id,
                              stream.p ? "&stream=" : "", (int)stream.n, stream.p ? stream.p : "", state < 0 ? "" : "&state=",
                              state < 0 ? "" : job_state_words[state]));
}

enum err handle_list_jobs(struct request *rq, struct reply *rp)
{
    struct slice after = request_query(rq, "after"), stream = request_query(rq, "stream");
    int64_t limit = LIST_DEFAULT;
    struct job_row *v;
    struct buf b = { 0 };
    uint8_t before[16];
    bool more;
    size_t n;
    int state;
    enum err e;

    if ((e = request_query_int(rq, "limit", 1, LIST_MAX, &limit)) || (e = read_state(rq, &state)))
        return e;
    if (after.p && !uuid_parse(after, before))
        return fault(&rq->fault, ERR_BAD_PARAMETER, "after must be the `next` of a page of jobs.");
    if (stream.p && !name_valid(stream))
        return fault(&rq->fault, ERR_BAD_PARAMETER, "stream must be the name of a stream.");
    if ((e = jobs_list(rq->db, rq->arena, after.p ? before : NULL, stream, state, (size_t)limit, visible, rq->who, &v, &n, &more,
                       &rq->fault)))
        return e;
    BUF_LIT(&b, "{\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        job_render(&b, &v[i]);
    }
    if (more)
        put_next(rq, rp, &b, &v[n - 1], limit, state);
    else
        BUF_LIT(&b, "],\"next\":null}");
    return reply_json(rp, 200, &b);
}
