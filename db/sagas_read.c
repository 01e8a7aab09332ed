#include "db/sagas_read.h"

#include "gateway/base/glob.h"
#include "sql.h"

#define SAGA_COLUMNS "int8 text int4 int4 text timestamptz timestamptz"
#define INSTANCE_COLUMNS "text int4 int2 bool int8 text timestamptz timestamptz timestamptz timestamptz"
#define FILTER_ARGS "int8 timestamptz text int2 int4 timestamptz int4[] int2[] text int8"

const struct stmt SAGA_SHOW = { "saga_show", SQL_SAGA_SHOW, "text int4", SAGA_COLUMNS };
const struct stmt SAGAS_SHOW = { "sagas_show", SQL_SAGAS_SHOW, "text int8", SAGA_COLUMNS };
const struct stmt SAGA_COUNTS = { "saga_counts", SQL_SAGA_COUNTS, "int8", "int2 int8" };
const struct stmt SAGA_STEP_NUMBERS = { "saga_step_numbers", SQL_SAGA_STEP_NUMBERS, "int8 text int4", "int4 int2" };
const struct stmt SAGA_INSTANCES_SHOW = { "saga_instances_show", SQL_SAGA_INSTANCES_SHOW, FILTER_ARGS, INSTANCE_COLUMNS };
const struct stmt SAGA_INSTANCES_SHOW_IN = { "saga_instances_show_in", SQL_SAGA_INSTANCES_SHOW_IN, FILTER_ARGS, INSTANCE_COLUMNS };
const struct stmt SAGA_INSTANCE_SHOW = { "saga_instance_show", SQL_SAGA_INSTANCE_SHOW, "text text",
                                         "int8 " INSTANCE_COLUMNS " text text text" };
const struct stmt SAGA_STEPS_SHOW = { "saga_steps_show", SQL_SAGA_STEPS_SHOW, "text text",
                                      "int2 int2 int2 int4 bool timestamptz text text text text text timestamptz timestamptz" };
const struct stmt SAGA_HISTORY_SHOW = { "saga_history_show", SQL_SAGA_HISTORY_SHOW, "text text int8 int2 int8 int8",
                                        "bool int8 int2 timestamptz text text text int8" };

static bool take(struct arena *a, const struct rows *r, int row, int col, struct slice *ret)
{
    struct slice s = row_text(r, row, col);

    *ret = s.p ? arena_slice(a, s) : SLICE_NONE;
    return !s.p || ret->p;
}

static enum err no_saga(struct slice name, struct fault *f)
{
    return fault(f, ERR_UNKNOWN_SAGA, "There is no saga %.*s.", name.n < 200 ? (int)name.n : 0, name.p);
}

static enum err no_instance(struct slice saga, struct slice id, struct fault *f)
{
    return fault(f, ERR_UNKNOWN_INSTANCE, "The saga %.*s has no instance %.*s.", saga.n < 200 ? (int)saga.n : 0, saga.p,
                 id.n < 130 ? (int)id.n : 0, id.p);
}

/* --- definitions --- */

static bool read_saga(struct arena *a, const struct rows *r, int i, struct saga_shown *s)
{
    *s = (struct saga_shown){ .saga_id = row_int8(r, i, 0),
                              .version = row_int4(r, i, 2),
                              .newest = row_int4(r, i, 3),
                              .created_us = row_time(r, i, 5),
                              .updated_us = row_time(r, i, 6) };
    return take(a, r, i, 1, &s->name) && take(a, r, i, 4, &s->definition);
}

enum err db_saga_show(struct db *db, struct arena *a, struct slice name, int32_t version, struct saga_shown *ret, struct fault *f)
{
    const struct arg args[] = { arg_text(name), version ? arg_int4(version) : arg_null() };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_SHOW, args, &r, f);

    if (!e && r.n == 0)
        e = no_saga(name, f);
    else if (!e && !read_saga(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    else if (!e && !ret->definition.p)
        e = fault(f, ERR_UNKNOWN_SAGA, "The saga %.*s has no version %d: the newest is %d.", (int)name.n, name.p, (int)version,
                  (int)ret->newest);
    rows_free(&r);
    return e;
}

enum err db_sagas_show(struct db *db, struct arena *a, struct slice after, int64_t limit, struct saga_shown **ret, size_t *ret_n,
                       struct fault *f)
{
    const struct arg args[] = { arg_text(after), arg_int8(limit) };
    struct saga_shown *v = NULL;
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGAS_SHOW, args, &r, f);

    if (!e && !(v = arena_zalloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_saga(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_saga_step_numbers(struct db *db, struct arena *a, int64_t saga_id, struct slice step, struct saga_filter *q,
                              struct fault *f)
{
    const struct arg args[] = { arg_int8(saga_id), arg_text(step), q->version ? arg_int4(q->version) : arg_null() };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_STEP_NUMBERS, args, &r, f);
    int32_t *versions = arena_alloc(a, (size_t)(r.n + 1) * sizeof *versions);
    int16_t *steps = arena_alloc(a, (size_t)(r.n + 1) * sizeof *steps);

    if (!e && (!versions || !steps))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        versions[i] = row_int4(&r, i, 0);
        steps[i] = (int16_t)row_int2(&r, i, 1);
    }
    q->by_step = true;
    q->versions = versions;
    q->steps = steps;
    q->step_n = (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_saga_counts(struct db *db, int64_t saga_id, int64_t *ret, int states, struct fault *f)
{
    const struct arg args[] = { arg_int8(saga_id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_COUNTS, args, &r, f);

    for (int i = 0; !e && i < r.n; i++)
        if (row_int2(&r, i, 0) >= 0 && row_int2(&r, i, 0) < states)
            ret[row_int2(&r, i, 0)] = row_int8(&r, i, 1);
    rows_free(&r);
    return e;
}

/* --- instances --- */

/* first: the column of the id. */
static bool read_instance(struct arena *a, const struct rows *r, int row, int first, struct saga_instance_shown *v)
{
    *v = (struct saga_instance_shown){
        .version = row_int4(r, row, first + 1),
        .state = row_int2(r, row, first + 2),
        .pivot_sent = row_bool(r, row, first + 3),
        .seq = row_int8(r, row, first + 4),
        .deadline_us = row_time(r, row, first + 6),
        .created_us = row_time(r, row, first + 7),
        .updated_us = row_time(r, row, first + 8),
        .ended_us = row_time(r, row, first + 9),
    };
    return take(a, r, row, first, &v->id) && take(a, r, row, first + 5, &v->cause);
}

/* LIKE of whatever holds it. */
static bool holds(struct arena *a, struct slice pattern, struct slice *ret)
{
    struct slice like = pattern.p ? glob_like(a, pattern) : SLICE_NONE;

    *ret = like.p ? slice_of(arena_printf(a, "%%%.*s%%", (int)like.n, like.p)) : SLICE_NONE;
    return !pattern.p || ret->p;
}

enum err db_saga_instances_show(struct db *db, struct arena *a, int64_t saga_id, const struct saga_filter *q, int64_t before_us,
                                struct slice before_id, int64_t limit, struct saga_instance_shown **ret, size_t *ret_n,
                                struct fault *f)
{
    bool ends = q->to_us && (!before_us || q->to_us <= before_us);
    int64_t upto = ends ? q->to_us : before_us;
    struct slice error;
    bool ok = holds(a, q->error, &error);
    const struct arg args[] = {
        arg_int8(saga_id),
        arg_time(upto ? upto : INT64_MAX / 2),
        arg_text(ends || !before_id.p ? SLICE("") : before_id),
        q->state >= 0 ? arg_int2((int16_t)q->state) : arg_null(),
        q->version ? arg_int4(q->version) : arg_null(),
        q->from_us ? arg_time(q->from_us) : arg_null(),
        q->by_step ? arg_int4_array(a, q->versions, sizeof *q->versions, q->step_n) : arg_null(),
        q->by_step ? arg_int2_array(a, q->steps, sizeof *q->steps, q->step_n) : arg_null(),
        arg_text(error),
        arg_int8(limit),
    };
    struct saga_instance_shown *v = NULL;
    struct rows r = { 0 };
    enum err e = ok ? db_exec(db, q->state >= 0 ? &SAGA_INSTANCES_SHOW_IN : &SAGA_INSTANCES_SHOW, args, &r, f) : ERR_NO_MEMORY;

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_instance(a, &r, i, 0, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

static bool read_step(struct arena *a, const struct rows *r, int i, struct saga_step_shown *s)
{
    *s = (struct saga_step_shown){
        .step = row_int2(r, i, 0),
        .kind = row_int2(r, i, 1),
        .status = row_int2(r, i, 2),
        .attempts = row_int4(r, i, 3),
        .unknown = row_bool(r, i, 4),
        .due_us = row_time(r, i, 5),
        .begun_us = row_time(r, i, 11),
        .ended_us = row_time(r, i, 12),
    };
    return take(a, r, i, 6, &s->target) && take(a, r, i, 7, &s->result) && take(a, r, i, 8, &s->error) &&
           take(a, r, i, 9, &s->request) && take(a, r, i, 10, &s->answer);
}

static enum err read_whole(struct arena *a, const struct rows *head, const struct rows *steps, struct saga_instance_shown *ret,
                           struct saga_step_shown **ret_steps, size_t *ret_n)
{
    struct saga_step_shown *v = arena_alloc(a, (size_t)(steps->n + 1) * sizeof *v);

    if (!v || !read_instance(a, head, 0, 1, ret) || !take(a, head, 0, 11, &ret->traceparent) ||
        !take(a, head, 0, 12, &ret->input) || !take(a, head, 0, 13, &ret->definition))
        return ERR_NO_MEMORY;
    for (int i = 0; i < steps->n; i++)
        if (!read_step(a, steps, i, &v[i]))
            return ERR_NO_MEMORY;
    ret->saga_id = row_int8(head, 0, 0);
    *ret_steps = v;
    *ret_n = (size_t)steps->n;
    return OK;
}

enum err db_saga_instance_show(struct db *db, struct arena *a, struct slice saga, struct slice id, struct saga_instance_shown *ret,
                               struct saga_step_shown **ret_steps, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(saga), arg_text(id) };
    struct rows r[4] = { 0 };
    enum err e;

    db_queue(db, &DB_SNAPSHOT, NULL);
    db_queue(db, &SAGA_INSTANCE_SHOW, args);
    db_queue(db, &SAGA_STEPS_SHOW, args);
    db_queue(db, &DB_ROLLBACK, NULL);
    if (!(e = db_flush(db, r, 4, f)) && r[1].n == 0)
        e = no_saga(saga, f);
    else if (!e && row_null(&r[1], 0, 1))
        e = no_instance(saga, id, f);
    else if (!e)
        e = read_whole(a, &r[1], &r[2], ret, ret_steps, ret_n);
    for (int i = 0; i < 4; i++)
        rows_free(&r[i]);
    return e;
}

/* --- history --- */

static bool read_record(struct arena *a, const struct rows *r, int i, struct saga_record_shown *h)
{
    *h = (struct saga_record_shown){ .seq = row_int8(r, i, 1), .n = row_int2(r, i, 2), .at_us = row_time(r, i, 3) };
    return take(a, r, i, 4, &h->type) && take(a, r, i, 5, &h->step) && take(a, r, i, 6, &h->data);
}

enum err db_saga_history_show(struct db *db, struct arena *a, struct slice saga, struct slice id, int64_t seq, int n, int64_t limit,
                              int64_t bytes, struct saga_record_shown **ret, size_t *ret_n, bool *ret_more, struct fault *f)
{
    const struct arg args[] = {
        arg_text(saga), arg_text(id), arg_int8(seq), arg_int2((int16_t)n), arg_int8(limit + 1), arg_int8(bytes),
    };
    struct saga_record_shown *v = NULL;
    struct rows r = { 0 };
    size_t found = 0;
    enum err e = db_exec(db, &SAGA_HISTORY_SHOW, args, &r, f);

    if (!e && r.n == 0)
        e = no_saga(saga, f);
    else if (!e && !row_bool(&r, 0, 0))
        e = no_instance(saga, id, f);
    else if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n && i < limit && !row_null(&r, i, 1); i++)
        e = read_record(a, &r, i, &v[found++]) ? OK : ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = found;
        *ret_more = row_int8(&r, 0, 7) > (int64_t)found;
    }
    rows_free(&r);
    return e;
}
