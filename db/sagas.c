#include "db/sagas.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/base/clock.h"
#include "sql.h"

/* Definitions, and what a transaction loads of instances. */

#define INSTANCE_COLUMNS "int8 text int4 int2 bool int8 text uuid text text timestamptz timestamptz timestamptz timestamptz"
#define STEP_COLUMNS \
    "int8 text int2 int2 int2 int4 bool timestamptz int8 text text text timestamptz timestamptz int8 text int4 text bool"

const struct stmt SAGA_CREATE = { "saga_create", SQL_SAGA_CREATE, "int8 text text int8 text[]", "int4" };
const struct stmt SAGAS_COUNT = { "sagas_count", SQL_SAGAS_COUNT, "", "int8" };
const struct stmt SAGA_LOCK = { "saga_lock", SQL_SAGA_LOCK, "text", "int8 int4 text" };
const struct stmt SAGA_VERSION_ADD = { "saga_version_add", SQL_SAGA_VERSION_ADD, "int8 int4 text text[]", "" };
const struct stmt SAGA_DELETE = { "saga_delete", SQL_SAGA_DELETE, "int8", "" };
const struct stmt SAGA_UNFINISHED = { "saga_unfinished", SQL_SAGA_UNFINISHED, "int8", "bool" };
const struct stmt SAGAS_FIND = { "sagas_find", SQL_SAGAS_FIND, "text[]", "int8 int4 text" };
const struct stmt SAGAS_HOLD = { "sagas_hold", SQL_SAGAS_HOLD, "int8[]", "int8 int4 text" };
const struct stmt SAGA_DEFINITION = { "saga_definition", SQL_SAGA_DEFINITION, "int8 int4", "text text" };
const struct stmt SAGA_MOMENT = { "saga_moment", SQL_SAGA_MOMENT, "text", "xid8 timestamptz text" };
const struct stmt SAGA_OUTCOME = { "saga_outcome", SQL_SAGA_OUTCOME, "xid8", "text" };
const struct stmt SAGA_INBOX_TAKE = { "saga_inbox_take", SQL_SAGA_INBOX_TAKE, "int8 int8[] text[] int8",
                                   "int8 text int8 int4 int8 int2 int2 text" };
const struct stmt SAGA_INBOX_FIRST = { "saga_inbox_first", SQL_SAGA_INBOX_FIRST, "int8[] text[]", "int8 text" };
const struct stmt SAGA_INSTANCES_LOCK = { "saga_instances_lock", SQL_SAGA_INSTANCES_LOCK, "int8[] text[] int8", INSTANCE_COLUMNS };
const struct stmt SAGA_STEPS_LOAD = { "saga_steps_load", SQL_SAGA_STEPS_LOAD, "int8[] text[] int8", STEP_COLUMNS };

/* --- definitions --- */

static struct arg arg_steps(struct arena *a, const struct saga_steps *s)
{
    return arg_text_array(a, s->name, s->size, s->n);
}

enum err db_saga_create(struct db *db, struct arena *a, const struct saga_row *row, const struct saga_steps *steps, int64_t max,
                        bool *ret_made, struct fault *f)
{
    const struct arg args[] = { arg_int8(row->saga_id), arg_text(row->name), arg_text(row->definition), arg_int8(max),
                                arg_steps(a, steps) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_CREATE, args, &r, f);

    *ret_made = !e && r.affected == 1;
    rows_free(&r);
    return e;
}

enum err db_sagas_count(struct db *db, int64_t *ret, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGAS_COUNT, NULL, &r, f);

    if (!e)
        *ret = row_int8(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_saga_lock(struct db *db, struct arena *a, struct slice name, struct saga_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_text(name) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_LOCK, args, &r, f);

    if (!e && !r.n)
        e = fault(f, ERR_UNKNOWN_SAGA, "There is no saga of this name.");
    if (!e) {
        *ret = (struct saga_row){ .saga_id = row_int8(&r, 0, 0), .version = row_int4(&r, 0, 1), .name = name,
                                  .definition = arena_slice(a, row_text(&r, 0, 2)) };
        e = ret->definition.p ? OK : ERR_NO_MEMORY;
    }
    rows_free(&r);
    return e;
}

enum err db_saga_version_add(struct db *db, struct arena *a, const struct saga_row *row, const struct saga_steps *steps,
                             struct fault *f)
{
    const struct arg args[] = { arg_int8(row->saga_id), arg_int4(row->version), arg_text(row->definition), arg_steps(a, steps) };

    return db_exec(db, &SAGA_VERSION_ADD, args, NULL, f);
}

enum err db_saga_delete(struct db *db, int64_t saga_id, struct fault *f)
{
    const struct arg args[] = { arg_int8(saga_id) };

    return db_exec(db, &SAGA_DELETE, args, NULL, f);
}

enum err db_saga_unfinished(struct db *db, int64_t saga_id, bool *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(saga_id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_UNFINISHED, args, &r, f);

    if (!e)
        *ret = row_bool(&r, 0, 0);
    rows_free(&r);
    return e;
}

static enum err sagas(struct db *db, struct arena *a, const struct stmt *s, const struct arg *args, struct saga_row **ret,
                      size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct saga_row *v = NULL;
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && !(v = arena_zalloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i].saga_id = row_int8(&r, i, 0);
        v[i].version = row_int4(&r, i, 1);
        if (!(v[i].name = arena_slice(a, row_text(&r, i, 2))).p)
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_sagas_find(struct db *db, struct arena *a, const struct slice *names, size_t n, struct saga_row **ret, size_t *ret_n,
                       struct fault *f)
{
    const struct arg args[] = { arg_text_array(a, names, sizeof *names, n) };

    return sagas(db, a, &SAGAS_FIND, args, ret, ret_n, f);
}

enum err db_sagas_hold(struct db *db, struct arena *a, const int64_t *ids, size_t n, struct saga_row **ret, size_t *ret_n,
                       struct fault *f)
{
    const struct arg args[] = { arg_int8_array(a, ids, sizeof *ids, n) };

    return sagas(db, a, &SAGAS_HOLD, args, ret, ret_n, f);
}

enum err db_saga_definition(struct db *db, struct arena *a, int64_t saga_id, int32_t version, struct saga_row *ret,
                            struct fault *f)
{
    const struct arg args[] = { arg_int8(saga_id), arg_int4(version) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_DEFINITION, args, &r, f);

    if (!e && !r.n)
        e = fault(f, ERR_UNKNOWN_SAGA, "The saga was deleted.");
    if (!e) {
        *ret = (struct saga_row){ .saga_id = saga_id, .version = version, .name = arena_slice(a, row_text(&r, 0, 0)),
                                  .definition = arena_slice(a, row_text(&r, 0, 1)) };
        e = ret->name.p && ret->definition.p ? OK : ERR_NO_MEMORY;
    }
    rows_free(&r);
    return e;
}

/* --- a transaction --- */

enum err db_saga_begin(struct db *db, bool begins, int64_t idle_us, int64_t *ret_xid, int64_t *ret_now_us, struct fault *f)
{
    char idle[24];
    const struct arg args[] = { arg_text((struct slice){ idle, (size_t)snprintf(idle, sizeof idle, "%" PRId64, idle_us / 1000) }) };
    struct rows r[2] = { 0 }, *moment = begins ? &r[1] : &r[0];
    enum err e;

    if (begins)
        db_queue(db, &DB_BEGIN, NULL);
    db_queue(db, &SAGA_MOMENT, args);
    if (!(e = db_flush(db, r, begins ? 2 : 1, f))) {
        *ret_xid = row_int8(moment, 0, 0);
        *ret_now_us = row_time(moment, 0, 1);
    }
    rows_free(&r[0]);
    rows_free(&r[1]);
    return e;
}

enum err db_saga_outcome(struct db *db, int64_t xid, enum saga_outcome *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(xid) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_OUTCOME, args, &r, f);

    if (!e) {
        const struct slice s = row_text(&r, 0, 0);

        *ret = slice_is(s, "committed") ? SAGA_COMMITTED : slice_is(s, "aborted") ? SAGA_ABORTED : SAGA_UNDECIDED;
    }
    rows_free(&r);
    return e;
}

enum err db_saga_inbox_take(struct db *db, struct arena *a, int64_t limit, int64_t bytes, const struct saga_keys *but,
                            struct saga_inbox_row **ret, size_t *ret_n, bool *ret_more, struct fault *f)
{
    const struct arg args[] = { arg_int8(limit), arg_int8_array(a, &but->v->saga_id, sizeof *but->v, but->n),
                                arg_text_array(a, &but->v->id, sizeof *but->v, but->n), arg_int8(bytes) };
    struct rows r = { 0 };
    struct saga_inbox_row *v = NULL;
    enum err e = db_exec(db, &SAGA_INBOX_TAKE, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct saga_inbox_row){ .key = { row_int8(&r, i, 0), arena_slice(a, row_text(&r, i, 1)) },
                                        .step = (int16_t)row_int2(&r, i, 5),
                                        .kind = (int16_t)row_int2(&r, i, 6), .event = arena_slice(a, row_text(&r, i, 7)) };
        v[i].id = slice_of(arena_printf(a, "%" PRId64 "-%d-%" PRId64, row_int8(&r, i, 2), row_int4(&r, i, 3), row_int8(&r, i, 4)));
        if (!v[i].key.id.p || !v[i].event.p || !v[i].id.p)
            e = ERR_NO_MEMORY;
        bytes -= (int64_t)v[i].event.n;
    }
    *ret_more = !e && (r.n == limit || bytes <= 0);
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_saga_inbox_first(struct db *db, struct arena *a, const struct saga_keys *but, bool *ret_found, struct saga_key *ret,
                             struct fault *f)
{
    const struct arg args[] = { arg_int8_array(a, &but->v->saga_id, sizeof *but->v, but->n),
                                arg_text_array(a, &but->v->id, sizeof *but->v, but->n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_INBOX_FIRST, args, &r, f);

    *ret_found = !e && r.n;
    if (*ret_found)
        *ret = (struct saga_key){ row_int8(&r, 0, 0), arena_slice(a, row_text(&r, 0, 1)) };
    rows_free(&r);
    return e || !*ret_found || ret->id.p ? e : ERR_NO_MEMORY;
}

int db_saga_order(const struct saga_key *x, const struct saga_key *y)
{
    if (x->saga_id != y->saga_id)
        return x->saga_id < y->saga_id ? -1 : 1;
    return slice_order(x->id, y->id);
}

static struct slice text(struct arena *a, const struct rows *r, int i, int col, bool *ok)
{
    struct slice s = row_null(r, i, col) ? SLICE_NONE : arena_slice(a, row_text(r, i, col));

    *ok &= row_null(r, i, col) || s.p;
    return s;
}

static int64_t moment(const struct rows *r, int i, int col, int64_t none)
{
    return row_null(r, i, col) ? none : row_time(r, i, col);
}

static bool read_instance(struct arena *a, const struct rows *r, int i, struct saga_instance_row *ret)
{
    bool ok = true;

    *ret = (struct saga_instance_row){
        .key = { row_int8(r, i, 0), text(a, r, i, 1, &ok) }, .version = row_int4(r, i, 2), .state = (int16_t)row_int2(r, i, 3),
        .pivot_sent = row_bool(r, i, 4), .seq = row_int8(r, i, 5), .input = text(a, r, i, 6, &ok), .cause = text(a, r, i, 8, &ok),
        .traceparent = text(a, r, i, 9, &ok), .deadline_us = moment(r, i, 10, INT64_MAX), .created_us = row_time(r, i, 11),
        .updated_us = row_time(r, i, 12), .ended_us = moment(r, i, 13, 0),
    };
    memcpy(ret->hash, row_uuid(r, i, 7), sizeof ret->hash);
    return ok && ret->input.p; /* null: those of all of them are too much */
}

static bool read_step(struct arena *a, const struct rows *r, int i, struct saga_step_row *ret)
{
    bool ok = true;

    *ret = (struct saga_step_row){
        .key = { row_int8(r, i, 0), text(a, r, i, 1, &ok) }, .step = (int16_t)row_int2(r, i, 2), .kind = (int16_t)row_int2(r, i, 3),
        .status = (int16_t)row_int2(r, i, 4), .attempts = row_int4(r, i, 5), .unknown = row_bool(r, i, 6),
        .due_us = moment(r, i, 7, INT64_MAX), .owner = row_int8(r, i, 8), .result = text(a, r, i, 9, &ok),
        .error = text(a, r, i, 10, &ok), .early = text(a, r, i, 11, &ok), .begun_us = moment(r, i, 12, 0),
        .ended_us = moment(r, i, 13, 0), .ended_seq = row_null(r, i, 14) ? 0 : row_int8(r, i, 14), .answer = text(a, r, i, 15, &ok),
        .round = row_int4(r, i, 16), .event = text(a, r, i, 17, &ok),
    };
    return ok && !row_bool(r, i, 18); /* true: texts of all of them are too much, and not here */
}

enum err db_saga_load(struct db *db, struct arena *a, const struct saga_key *keys, size_t n, int64_t bytes,
                      struct saga_instance_row **ret, size_t *ret_n, struct saga_step_row **ret_steps, size_t *ret_step_n,
                      struct fault *f)
{
    const struct arg args[] = { arg_int8_array(a, &keys->saga_id, sizeof *keys, n), arg_text_array(a, &keys->id, sizeof *keys, n),
                                arg_int8(n > 1 ? bytes : INT64_MAX) };
    struct rows r[2] = { 0 };
    struct saga_instance_row *v = NULL;
    struct saga_step_row *steps = NULL;
    enum err e;

    db_queue(db, &SAGA_INSTANCES_LOCK, args);
    db_queue(db, &SAGA_STEPS_LOAD, args); /* its snapshot sees what the lock waited for */
    if (!(e = db_flush(db, r, 2, f)) && (!(v = arena_alloc(a, (size_t)(r[0].n + 1) * sizeof *v)) ||
                                         !(steps = arena_alloc(a, (size_t)(r[1].n + 1) * sizeof *steps))))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r[0].n; i++)
        e = read_instance(a, &r[0], i, &v[i]) ? OK : ERR_NO_MEMORY;
    for (int i = 0; !e && i < r[1].n; i++)
        e = read_step(a, &r[1], i, &steps[i]) ? OK : ERR_NO_MEMORY;
    *ret = v;
    *ret_steps = steps;
    *ret_n = e ? 0 : (size_t)r[0].n;
    *ret_step_n = e ? 0 : (size_t)r[1].n;
    rows_free(&r[0]);
    rows_free(&r[1]);
    return e;
}
