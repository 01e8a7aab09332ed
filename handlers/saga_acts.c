#include "gateway/base/clock.h"
#include "gateway/base/json.h"
#include "handlers/audit.h"
#include "handlers/handlers.h"
#include "handlers/sagas.h"

/* What is done to instances by hand. Each act is a transaction with its audit record. */

#define BULK_DEFAULT 100
#define BULK_MAX 1000
#define BULK_US (10 * US_PER_S)  /* then the rest is left to the next call */
#define NAME_BYTES 120
#define ERROR_BYTES 1024
#define TIME_BYTES 40

static const char *const types[] = {
    [SAGA_ACT_CANCEL] = "SagaInstanceCancelled", [SAGA_ACT_RETRY] = "SagaInstanceRetried", [SAGA_ACT_SKIP] = "SagaStepSkipped",
    [SAGA_ACT_SIGNAL] = "SagaSignalled",         [SAGA_ACT_DECIDE] = "SagaDecided",
};

static enum err wrong(struct request *rq, const char *pointer, const char *what)
{
    memcpy(rq->fault.pointer, pointer, strlen(pointer) + 1);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", what);
}

static void put_changes(struct buf *b, const struct saga_act *act, const struct saga_acted *done)
{
    buf_printf(b, "{\"before\":{\"state\":\"%s\"},\"after\":{\"state\":\"%s\"}", saga_state_names[done->before],
               saga_state_names[done->after]);
    if (act->step.p)
        buf_member_text(b, "step", act->step);
    if (act->kind == SAGA_ACT_DECIDE)
        buf_member_text(b, "decision", act->approve ? SLICE("approve") : SLICE("reject"));
    if (act->comment.p)
        buf_member_text(b, "comment", act->comment);
    buf_char(b, '}');
}

/* In an arena of its own: an instance may be large, and acts may be many. */
static enum err act_once(struct request *rq, struct slice id, const struct saga_act *act)
{
    struct arena *a = arena_new(SAGA_VIEW_ARENA);
    const char *path = a ? saga_instance_path(rq, a, id) : NULL;
    struct saga_acted done = { 0 };
    struct buf changes = { 0 };
    enum err e = path ? audit_begin(rq->db, &rq->fault) : ERR_NO_MEMORY;

    if (e)
        goto out;
    if (!(e = sagas_act(rq->app->sagas, rq->db, a, request_path(rq, "saga"), id, act, &done, &rq->fault)))
        put_changes(&changes, act, &done);
    e = audited(rq, e, done.changed ? types[act->kind] : NULL, slice_of(path), &changes);
    sagas_acted(&done, !e);
out:
    arena_free(a);
    return e;
}

/* Somebody who locked in another order lets it begin anew. */
static enum err do_act(struct request *rq, struct slice id, const struct saga_act *act)
{
    enum err e = ERR_DB_RETRY;

    for (int i = 0; i < SAGAS_TRIES && (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY); i++) {
        rq->fault = (struct fault){ 0 };
        e = act_once(rq, id, act);
    }
    if (e != ERR_DB_UNIQUE && e != ERR_DB_RETRY)
        return e;
    rq->fault = (struct fault){ 0 };
    return fault(&rq->fault, ERR_CONFLICT, "The instance changes without a pause, and this did not get in between. Try again.");
}

static enum err act_on_one(struct request *rq, struct reply *rp, struct saga_act *act)
{
    enum err e;

    act->actor = principal_subject(rq->who);
    if ((e = do_act(rq, request_path(rq, "id"), act)))
        return e;
    sagas_poke(rq->app->sagas);
    return reply_saga_instance(rq, rp, 200);
}

enum err handle_cancel_saga_instance(struct request *rq, struct reply *rp)
{
    struct raw_member reason = { .name = "reason" };
    struct saga_act act = { .kind = SAGA_ACT_CANCEL };
    enum err e;

    if ((e = raw_members(rq, &reason, 1)) || (e = raw_text(rq, &reason, SAGA_COMMENT_MAX, &act.comment)))
        return e;
    return act_on_one(rq, rp, &act);
}

/* Retry and skip: of a step, or of all that failed. */
static enum err resume(struct request *rq, struct reply *rp, enum saga_act_kind kind)
{
    struct raw_member m[] = { { "step", SLICE_NONE }, { "comment", SLICE_NONE } };
    struct saga_act act = { .kind = kind };
    enum err e;

    if ((e = raw_members(rq, m, 2)) || (e = raw_text(rq, &m[0], NAME_BYTES, &act.step)) ||
        (e = raw_text(rq, &m[1], SAGA_COMMENT_MAX, &act.comment)))
        return e;
    return act_on_one(rq, rp, &act);
}

enum err handle_retry_saga_instance(struct request *rq, struct reply *rp)
{
    return resume(rq, rp, SAGA_ACT_RETRY);
}

enum err handle_skip_saga_step(struct request *rq, struct reply *rp)
{
    return resume(rq, rp, SAGA_ACT_SKIP);
}

enum err handle_signal_saga_instance(struct request *rq, struct reply *rp)
{
    struct raw_member result = { .name = "result" };
    struct saga_act act = { .kind = SAGA_ACT_SIGNAL, .step = request_path(rq, "step") };
    enum err e;

    if ((e = raw_members(rq, &result, 1)) || (e = raw_json(rq, &result, rq->arena, &act.result)))
        return e;
    return act_on_one(rq, rp, &act);
}

enum err handle_approve_saga_instance(struct request *rq, struct reply *rp)
{
    struct raw_member m[] = { { "decision", SLICE_NONE }, { "comment", SLICE_NONE } };
    struct saga_act act = { .kind = SAGA_ACT_DECIDE, .step = request_path(rq, "step") };
    enum err e;

    if ((e = raw_members(rq, m, 2)) || (e = raw_text(rq, &m[1], SAGA_COMMENT_MAX, &act.comment)))
        return e;
    if (!slice_is(m[0].raw, "\"approve\"") && !slice_is(m[0].raw, "\"reject\""))
        return wrong(rq, "/decision", "It must be approve or reject.");
    act.approve = slice_is(m[0].raw, "\"approve\"");
    return act_on_one(rq, rp, &act);
}

/* --- many --- */

struct bulk {
    struct slice state, step, error, from, to, comment;
    int64_t version, limit;
    bool dry_run;
    struct saga_filter filter;
    struct saga_page page;
    size_t looked, retried;
    struct buf refused;
};

#define AT(member) offsetof(struct bulk, member)
#define TEXT(name, member, max) { name, F_STRING, AT(member), false, 1, max, NULL, SIZE_MAX, false, SIZE_MAX }
#define END { NULL, F_STRING, 0, false, 0, 0, NULL, SIZE_MAX, false, SIZE_MAX }

static const struct field filter_fields[] = {
    TEXT("state", state, 20),
    TEXT("step", step, NAME_BYTES),
    TEXT("error", error, ERROR_BYTES),
    TEXT("from", from, TIME_BYTES),
    TEXT("to", to, TIME_BYTES),
    { "version", F_INT, AT(version), false, 1, INT32_MAX, NULL, SIZE_MAX, false, SIZE_MAX },
    END,
};

static const struct field bulk_fields[] = {
    { "filter", F_OBJECT, 0, true, 0, 0, filter_fields, SIZE_MAX, false, SIZE_MAX },
    { "limit", F_INT, AT(limit), false, 1, BULK_MAX, NULL, SIZE_MAX, true, SIZE_MAX },
    { "dry_run", F_BOOL, AT(dry_run), false, 0, 1, NULL, SIZE_MAX, false, SIZE_MAX },
    { "comment", F_STRING, AT(comment), false, 1, SAGA_COMMENT_MAX, NULL, SIZE_MAX, true, SIZE_MAX },
    END,
};

static enum err read_bulk(struct request *rq, struct bulk *k)
{
    enum err e;

    k->limit = BULK_DEFAULT;
    if ((e = request_body(rq, bulk_fields, k)))
        return e;
    if (k->state.p && !slice_is(k->state, saga_state_names[SAGA_PAUSED]))
        return wrong(rq, "/filter/state", "It must be paused: others cannot be retried.");
    k->filter = (struct saga_filter){ .state = SAGA_PAUSED, .version = (int32_t)k->version, .error = k->error };
    if (k->from.p && !clock_parse(k->from, &k->filter.from_us))
        return wrong(rq, "/filter/from", "It must be an RFC 3339 time.");
    if (k->to.p && !clock_parse(k->to, &k->filter.to_us))
        return wrong(rq, "/filter/to", "It must be an RFC 3339 time.");
    if (k->from.p && k->to.p && k->filter.from_us >= k->filter.to_us)
        return wrong(rq, "/filter/from", "It must be before to.");
    return OK;
}

static void refuse(struct bulk *k, struct slice id, enum err e, const struct fault *f)
{
    const struct problem *p = problem_of(e);

    buf_str(&k->refused, k->refused.n ? ",{\"id\":" : "{\"id\":");
    buf_json_string(&k->refused, id);
    buf_member_text(&k->refused, "code", slice_of(p->code));
    buf_member_text(&k->refused, "detail", slice_of(*f->detail ? f->detail : p->title));
    buf_char(&k->refused, '}');
}

/* One after another; what the server cannot do ends it, what an instance refuses is told. */
static enum err retry_all(struct request *rq, struct bulk *k)
{
    const struct saga_act act = { .kind = SAGA_ACT_RETRY, .comment = k->comment, .actor = principal_subject(rq->who) };
    int64_t until = clock_mono_us() + BULK_US;

    for (; k->looked < k->page.n && clock_mono_us() < until; k->looked++) {
        struct slice id = k->page.v[k->looked].id;
        enum err e = do_act(rq, id, &act);

        if (e && problem_of(e)->status >= 500)
            return e;
        if (e)
            refuse(k, id, e, &rq->fault);
        else
            k->retried++;
        rq->fault = (struct fault){ 0 };
    }
    return OK;
}

static enum err reply_bulk(struct reply *rp, struct bulk *k)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"matched\":%zu,\"retried\":%zu,\"ids\":[", k->looked, k->retried);
    for (size_t i = 0; i < k->looked; i++) {
        if (i)
            buf_char(&b, ',');
        buf_json_string(&b, k->page.v[i].id);
    }
    BUF_LIT(&b, "],\"refused\":[");
    buf_put(&b, k->refused.p, k->refused.n);
    buf_printf(&b, "],\"more\":%s}", k->page.more || k->looked < k->page.n ? "true" : "false");
    b.failed = b.failed || k->refused.failed;
    return reply_json(rp, 200, &b);
}

enum err handle_retry_saga_instances(struct request *rq, struct reply *rp)
{
    struct bulk k = { 0 };
    struct arena *a = NULL;
    enum err e;

    if ((e = read_bulk(rq, &k)))
        return e;
    if (!(a = arena_new(SAGA_VIEW_ARENA)))
        e = ERR_NO_MEMORY;
    else
        e = saga_view_instances(rq->db, a, request_path(rq, "saga"), &k.filter, k.step, 0, SLICE_NONE, (size_t)k.limit, &k.page,
                                &rq->fault);
    if (!e && k.dry_run)
        k.looked = k.page.n;
    else if (!e)
        e = retry_all(rq, &k);
    sagas_poke(rq->app->sagas);
    if (!e)
        e = reply_bulk(rp, &k);
    buf_free(&k.refused);
    arena_free(a);
    return e;
}
