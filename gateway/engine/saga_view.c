#include "gateway/engine/saga_view.h"

#define LIST_BATCH 20 /* definitions read at once: the caller may see few of them */
#define LIST_ARENA ((size_t)64 << 20) /* for so many */

enum err saga_view_definition(struct db *db, struct arena *a, struct slice name, int32_t version, struct saga_shown *ret,
                              int64_t ret_counts[SAGA_STATES], struct fault *f)
{
    enum err e = db_saga_show(db, a, name, version, ret, f);

    memset(ret_counts, 0, SAGA_STATES * sizeof *ret_counts);
    return e ? e : db_saga_counts(db, ret->saga_id, ret_counts, SAGA_STATES, f);
}

enum err saga_view_each(struct db *db, struct slice after, bool (*take)(void *arg, const struct saga_shown *s), void *arg,
                        struct fault *f)
{
    struct saga_shown *page;
    struct arena *a = NULL, *next;
    size_t found = LIST_BATCH;
    bool more = true;
    enum err e = OK;

    while (!e && more && found == LIST_BATCH) {
        e = (next = arena_new(LIST_ARENA)) ? db_sagas_show(db, next, after, LIST_BATCH, &page, &found, f) : ERR_NO_MEMORY;
        arena_free(a); /* where `after` was */
        a = next;
        for (size_t i = 0; !e && more && i < found; i++) {
            more = take(arg, &page[i]);
            after = page[i].name;
        }
    }
    arena_free(a);
    return e;
}

enum err saga_view_instances(struct db *db, struct arena *a, struct slice saga, struct saga_filter *q, struct slice step,
                             int64_t before_us, struct slice before_id, size_t limit, struct saga_page *ret, struct fault *f)
{
    struct saga_shown of;
    enum err e = db_saga_show(db, a, saga, 0, &of, f);

    if (e || (step.p && (e = db_saga_step_numbers(db, a, of.saga_id, step, q, f))) ||
        (e = db_saga_instances_show(db, a, of.saga_id, q, before_us, before_id, (int64_t)limit + 1, &ret->v, &ret->n, f)))
        return e;
    ret->more = ret->n > limit;
    ret->n = ret->more ? limit : ret->n;
    return OK;
}

enum err saga_view_instance(struct db *db, struct arena *a, struct slice saga, struct slice id, struct saga_view *ret,
                            struct fault *f)
{
    struct saga_step_shown *steps;
    size_t n;
    enum err e = db_saga_instance_show(db, a, saga, id, &ret->row, &steps, &n, f);

    if (e || (e = saga_definition_parse(a, ret->row.definition, &ret->definition, f)))
        return e;
    memset(ret->task, 0, sizeof ret->task);
    for (size_t i = 0; i < n; i++)
        if (steps[i].step >= 0 && (size_t)steps[i].step < ret->definition.step_n)
            ret->task[steps[i].kind == SAGA_COMPENSATION][steps[i].step] = &steps[i];
    return OK;
}

enum err saga_view_history(struct db *db, struct arena *a, struct slice saga, struct slice id, int64_t seq, int n, size_t limit,
                           int64_t bytes, struct saga_record_shown **ret, size_t *ret_n, bool *ret_more, struct fault *f)
{
    return db_saga_history_show(db, a, saga, id, seq, n, (int64_t)limit, bytes, ret, ret_n, ret_more, f);
}

/* --- as JSON --- */

static void put_raw(struct buf *b, const char *name, struct slice json)
{
    buf_printf(b, ",\"%s\":", name);
    buf_slice(b, json.p ? json : SLICE("null"));
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    if (us)
        buf_member_time(b, name, us);
    else
        put_raw(b, name, SLICE_NONE);
}

void saga_view_render_row(struct buf *b, const struct saga_instance_shown *v)
{
    BUF_LIT(b, "{\"id\":");
    buf_json_string(b, v->id);
    buf_printf(b, ",\"version\":%d,\"state\":\"%s\"", (int)v->version, saga_state_names[v->state]);
    put_raw(b, "cause", v->cause);
    buf_printf(b, ",\"pivot_sent\":%s,\"transitions\":%lld", v->pivot_sent ? "true" : "false", (long long)v->seq);
    put_time(b, "deadline", v->deadline_us);
    buf_member_time(b, "created", v->created_us);
    buf_member_time(b, "updated", v->updated_us);
    put_time(b, "ended", v->ended_us);
}

/* Members of a step or a compensation, without braces. t: NULL: nothing came of it yet. */
static void put_deed(struct buf *b, const struct saga_deed *deed, const struct saga_step_shown *t)
{
    static const char *const kinds[] = { "none", "http", "publish", "await", "approval", "signal" };
    static const struct saga_step_shown none = { .status = TASK_PENDING };

    if (!t)
        t = &none;
    buf_printf(b, "\"kind\":\"%s\",\"status\":\"%s\",\"attempts\":%d", kinds[deed->kind], saga_status_names[t->status],
               (int)t->attempts);
    put_time(b, "due", t->due_us);
    buf_member_text(b, "target", deed->http ? deed->http->target : SLICE_NONE);
    put_raw(b, "result", t->result);
    put_raw(b, "error", t->error);
    put_raw(b, "request", t->request);
    put_raw(b, "answer", t->answer);
    buf_printf(b, ",\"unknown\":%s", t->unknown ? "true" : "false");
    put_time(b, "begun", t->begun_us);
    put_time(b, "ended", t->ended_us);
}

static void put_after(struct buf *b, const struct saga_definition *d, uint64_t after)
{
    bool first = true;

    BUF_LIT(b, ",\"after\":[");
    for (size_t i = 0; i < d->step_n; i++) {
        if (!(after >> i & 1))
            continue;
        if (!first)
            buf_char(b, ',');
        first = false;
        buf_json_string(b, d->step[i].name);
    }
    buf_char(b, ']');
}

static void put_step(struct buf *b, const struct saga_view *v, size_t i)
{
    const struct saga_step *s = &v->definition.step[i];

    BUF_LIT(b, "{\"name\":");
    buf_json_string(b, s->name);
    put_after(b, &v->definition, s->after);
    buf_printf(b, ",\"pivot\":%s,", s->pivot ? "true" : "false");
    put_deed(b, &s->deed[SAGA_ACTION], v->task[SAGA_ACTION][i]);
    BUF_LIT(b, ",\"compensation\":");
    if (s->deed[SAGA_COMPENSATION].kind == SAGA_NOTHING) {
        BUF_LIT(b, "null}");
        return;
    }
    buf_char(b, '{');
    put_deed(b, &s->deed[SAGA_COMPENSATION], v->task[SAGA_COMPENSATION][i]);
    BUF_LIT(b, "}}");
}

void saga_view_render(struct buf *b, struct slice saga, const struct saga_view *v)
{
    saga_view_render_row(b, &v->row);
    buf_member_text(b, "saga", saga);
    put_raw(b, "input", v->row.input);
    buf_member_text(b, "traceparent", v->row.traceparent);
    BUF_LIT(b, ",\"steps\":[");
    for (size_t i = 0; i < v->definition.step_n; i++) {
        if (i)
            buf_char(b, ',');
        put_step(b, v, i);
    }
    BUF_LIT(b, "]}");
}
