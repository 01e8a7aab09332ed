#include "db/saga_waits.h"

#include "db/projections_parts.h"
#include "db/sagas.h"
#include "sql.h"

#define FROZEN_MS "3000" /* a gateway that stands still loses its reader: the others shall go on */
#define WAIT_MS "1500"   /* for a lock */

const struct stmt SAGA_WAITS_BEGIN = { "saga_waits_begin", SQL_SAGA_WAITS_BEGIN,
                                       "uuid text[] int8[] text[] int2[] int2[] int4[] int8[] text[]", "text" };
const struct stmt SAGA_WAITS_END = { "saga_waits_end", SQL_SAGA_WAITS_END, "int8[] text[] int2[] int2[]", "" };
const struct stmt SAGA_STARTS_DROP = { "saga_starts_drop", SQL_SAGA_STARTS_DROP, "int8", "" };
const struct stmt SAGA_STARTS_PUT = { "saga_starts_put", SQL_SAGA_STARTS_PUT, "int8 text uuid", "" };
const struct stmt SAGA_STARTS_ADOPT = { "saga_starts_adopt", SQL_SAGA_STARTS_ADOPT, "uuid", "" };
const struct stmt SAGA_READERS_TIDY = { "saga_readers_tidy", SQL_SAGA_READERS_TIDY, "", "" };
const struct stmt SAGA_READERS_NOW = { "saga_readers_now", SQL_SAGA_READERS_NOW, "", "timestamptz" };
const struct stmt SAGA_READERS_LIST = { "saga_readers_list", SQL_SAGA_READERS_LIST, "", "int8 text bool" };
const struct stmt SAGA_READER_TAKE = { "saga_reader_take", SQL_SAGA_READER_TAKE, "int8", "int8[]" };
const struct stmt SAGA_READER_MAKE = { "saga_reader_make", SQL_SAGA_READER_MAKE, "int8", "" };
const struct stmt SAGA_READER_MOVE = { "saga_reader_move", SQL_SAGA_READER_MOVE, "int8 int8[]", "" };
const struct stmt SAGA_READER_LEAVE = { "saga_reader_leave", SQL_SAGA_READER_LEAVE, "int8", "" };
const struct stmt SAGA_REREADS = { "saga_rereads", SQL_SAGA_REREADS, "int8", "uuid int8[]" };
const struct stmt SAGA_REREADS_DONE = { "saga_rereads_done", SQL_SAGA_REREADS_DONE, "int8 uuid[]", "" };
const struct stmt SAGA_REREADS_MOVE = { "saga_rereads_move", SQL_SAGA_REREADS_MOVE, "int8 uuid[] int8[]", "" };
const struct stmt SAGA_WAITS_SHAPES = { "saga_waits_shapes", SQL_SAGA_WAITS_SHAPES, "int8", "int8 int4 int2 int2" };
const struct stmt SAGA_STARTS_OF = { "saga_starts_of", SQL_SAGA_STARTS_OF, "int8", "int8 int4 text int8[] uuid" };
const struct stmt SAGA_WAITS_FIND = { "saga_waits_find", SQL_SAGA_WAITS_FIND,
                                      "int8 int8[] int4[] int2[] int2[] int8[] int4[] int8[] int2[] uuid[] int8 text",
                                      "int8 text text uuid bool" };
const struct stmt SAGA_WAITS_TAKE = { "saga_waits_take", SQL_SAGA_WAITS_TAKE,
                                      "int8 int8[] text[] int2[] int2[] uuid[] int4[] int4[] int8[] text[]", "" };
const struct stmt SAGA_INBOX_START = { "saga_inbox_start", SQL_SAGA_INBOX_START, "int8 int8[] text[] int4[] int4[] int8[] text[]",
                                       "" };

const struct stmt SAGA_INBOX_HAS = { "saga_inbox_has", SQL_SAGA_INBOX_HAS, "int8[] text[]", "int8" };

/* --- beginning and ending --- */

enum err db_saga_waits_begin(struct db *db, struct arena *a, const uint8_t reread_id[16], struct saga_wait_row *v, size_t n,
                             struct fault *f)
{
    const struct arg args[] = {
        arg_uuid(reread_id), arg_text_array(a, &v->stream, sizeof *v, n), arg_int8_array(a, &v->id.saga_id, sizeof *v, n),
        arg_text_array(a, &v->id.instance, sizeof *v, n), arg_int2_array(a, &v->id.step, sizeof *v, n),
        arg_int2_array(a, &v->id.kind, sizeof *v, n), arg_int4_array(a, &v->version, sizeof *v, n),
        arg_int8_array(a, &v->hash, sizeof *v, n), arg_text_array(a, &v->match, sizeof *v, n),
    };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_WAITS_BEGIN, args, &r, f);

    for (size_t i = 0; !e && i < n; i++) {
        v[i].missing = true;
        for (int k = 0; v[i].missing && k < r.n; k++)
            v[i].missing = !slice_eq(v[i].stream, row_text(&r, k, 0));
    }
    rows_free(&r);
    return e;
}

bool db_saga_waits_end(struct db *db, struct arena *a, const struct saga_wait_id *v, size_t n)
{
    const struct arg args[] = {
        arg_int8_array(a, &v->saga_id, sizeof *v, n), arg_text_array(a, &v->instance, sizeof *v, n),
        arg_int2_array(a, &v->step, sizeof *v, n), arg_int2_array(a, &v->kind, sizeof *v, n),
    };

    return db_queue_kept(db, a, &SAGA_WAITS_END, args, sizeof args / sizeof *args);
}

enum err db_saga_inbox_has(struct db *db, struct arena *a, const struct saga_key *v, size_t n, bool *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8_array(a, &v->saga_id, sizeof *v, n), arg_text_array(a, &v->id, sizeof *v, n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_INBOX_HAS, args, &r, f);

    memset(ret, 0, n * sizeof *ret);
    for (int i = 0; !e && i < r.n; i++)
        ret[row_int8(&r, i, 0) - 1] = true;
    rows_free(&r);
    return e;
}

enum err db_saga_starts_put(struct db *db, int64_t saga_id, struct slice stream, const uint8_t reread_id[16], struct fault *f)
{
    const struct arg args[] = { arg_int8(saga_id), arg_text(stream), arg_uuid(reread_id) };

    return db_exec(db, stream.p ? &SAGA_STARTS_PUT : &SAGA_STARTS_DROP, args, NULL, f);
}

/* --- readers --- */

enum err db_saga_readers_tidy(struct db *db, const uint8_t reread_id[16], struct fault *f)
{
    const struct arg args[] = { arg_uuid(reread_id) };
    enum err e = db_exec(db, &SAGA_STARTS_ADOPT, args, NULL, f);

    return e ? e : db_exec(db, &SAGA_READERS_TIDY, NULL, NULL, f);
}

enum err db_saga_readers_list(struct db *db, struct arena *a, struct saga_reader_row **ret, size_t *ret_n, int64_t *ret_now_us,
                              struct fault *f)
{
    struct rows r[2] = { 0 };
    struct saga_reader_row *v = NULL;
    enum err e;

    db_queue(db, &SAGA_READERS_NOW, NULL);
    db_queue(db, &SAGA_READERS_LIST, NULL);
    if (!(e = db_flush(db, r, 2, f)) && !(v = arena_alloc(a, (size_t)(r[1].n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r[1].n; i++) {
        v[i] = (struct saga_reader_row){ row_int8(&r[1], i, 0), arena_slice(a, row_text(&r[1], i, 1)), row_bool(&r[1], i, 2) };
        if (!v[i].name.p)
            e = ERR_NO_MEMORY;
    }
    if (!e)
        *ret_now_us = row_time(&r[0], 0, 0);
    *ret = v;
    *ret_n = e ? 0 : (size_t)r[1].n;
    rows_free(&r[0]);
    rows_free(&r[1]);
    return e;
}

static enum err take(struct db *db, const struct arg *stream, int64_t *ret_position, size_t max, size_t *ret_n, struct fault *f)
{
    const struct arg frozen[] = { arg_text(SLICE(FROZEN_MS)), arg_text(SLICE(WAIT_MS)) };
    struct rows r[3] = { 0 };
    enum err e;

    *ret_n = 0;
    db_queue(db, &DB_BEGIN, NULL);
    db_queue(db, &FROZEN_END, frozen);
    db_queue(db, &SAGA_READER_TAKE, stream);
    if (!(e = db_flush(db, r, 3, f)) && r[2].n && (*ret_n = row_int8_array(&r[2], 0, 0, ret_position, max)) > max)
        e = ERR_INTERNAL;
    for (int i = 0; i < 3; i++)
        rows_free(&r[i]);
    if (e || !*ret_n)
        db_rollback(db);
    return e;
}

enum err db_saga_reader_take(struct db *db, int64_t stream_id, int64_t *ret_position, size_t max, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id) };
    struct rows r = { 0 };
    bool made;
    enum err e = take(db, args, ret_position, max, ret_n, f);

    if (e || *ret_n || (e = db_exec(db, &SAGA_READER_MAKE, args, &r, f)))
        return e;
    made = r.affected > 0;
    rows_free(&r);
    return made ? take(db, args, ret_position, max, ret_n, f) : OK;
}

/* The array of a row; NULL: no memory. What is missing is 0. */
static int64_t *positions(struct arena *a, const struct rows *r, int i, int col, size_t partitions)
{
    int64_t *v = arena_zalloc(a, (partitions + 1) * sizeof *v);

    if (v)
        row_int8_array(r, i, col, v, partitions);
    return v;
}

enum err db_saga_rereads(struct db *db, struct arena *a, int64_t stream_id, size_t partitions, struct saga_reread **ret,
                         size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id) };
    struct rows r = { 0 };
    struct saga_reread *v = NULL;
    enum err e = db_exec(db, &SAGA_REREADS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        memcpy(v[i].id, row_uuid(&r, i, 0), sizeof v[i].id);
        if (!(v[i].after = positions(a, &r, i, 1, partitions)))
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

static enum err read_shapes(struct arena *a, const struct rows *r, struct saga_shape **ret)
{
    struct saga_shape *v = arena_alloc(a, (size_t)(r->n + 1) * sizeof *v);

    for (int i = 0; v && i < r->n; i++)
        v[i] = (struct saga_shape){ row_int8(r, i, 0), row_int4(r, i, 1), (int16_t)row_int2(r, i, 2), (int16_t)row_int2(r, i, 3) };
    *ret = v;
    return v ? OK : ERR_NO_MEMORY;
}

static enum err read_starts(struct arena *a, const struct rows *r, size_t partitions, struct saga_start_row **ret)
{
    struct saga_start_row *v = arena_alloc(a, (size_t)(r->n + 1) * sizeof *v);

    for (int i = 0; v && i < r->n; i++) {
        v[i] = (struct saga_start_row){ .saga_id = row_int8(r, i, 0), .version = row_int4(r, i, 1),
                                        .saga = arena_slice(a, row_text(r, i, 2)), .after = positions(a, r, i, 3, partitions) };
        if (!v[i].saga.p || !v[i].after)
            return ERR_NO_MEMORY;
        memcpy(v[i].reread_id, row_uuid(r, i, 4), sizeof v[i].reread_id);
    }
    *ret = v;
    return v ? OK : ERR_NO_MEMORY;
}

enum err db_saga_interest(struct db *db, struct arena *a, int64_t stream_id, size_t partitions, struct saga_shape **ret_shapes,
                          size_t *ret_shape_n, struct saga_start_row **ret_starts, size_t *ret_start_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id) };
    struct rows r[2] = { 0 };
    enum err e;

    db_queue(db, &SAGA_WAITS_SHAPES, args);
    db_queue(db, &SAGA_STARTS_OF, args);
    if (!(e = db_flush(db, r, 2, f)) && !(e = read_shapes(a, &r[0], ret_shapes)))
        e = read_starts(a, &r[1], partitions, ret_starts);
    *ret_shape_n = e ? 0 : (size_t)r[0].n;
    *ret_start_n = e ? 0 : (size_t)r[1].n;
    rows_free(&r[0]);
    rows_free(&r[1]);
    return e;
}

enum err db_saga_waits_find(struct db *db, struct arena *a, int64_t stream_id, const struct saga_query *v, size_t n,
                            struct slice behind, const struct saga_reread *taken, size_t taken_n, size_t max,
                            struct saga_found **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = {
        arg_int8(stream_id), arg_int8_array(a, &v->shape.saga_id, sizeof *v, n), arg_int4_array(a, &v->shape.version, sizeof *v, n),
        arg_int2_array(a, &v->shape.step, sizeof *v, n), arg_int2_array(a, &v->shape.kind, sizeof *v, n),
        arg_int8_array(a, &v->hash, sizeof *v, n), arg_int4_array(a, &v->partition, sizeof *v, n),
        arg_int8_array(a, &v->offset, sizeof *v, n), arg_int2_array(a, &v->passed, sizeof *v, n),
        arg_uuid_array(a, &taken->id, sizeof *taken, taken_n), arg_int8((int64_t)max), arg_text(behind),
    };
    struct rows r = { 0 };
    struct saga_found *found = NULL;
    enum err e = db_exec(db, &SAGA_WAITS_FIND, args, &r, f);

    if (!e && !(found = arena_alloc(a, (size_t)(r.n + 1) * sizeof *found)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        found[i] = (struct saga_found){ .query = (size_t)(row_int8(&r, i, 0) - 1), .instance = arena_slice(a, row_text(&r, i, 1)),
                                        .match = arena_slice(a, row_text(&r, i, 2)), .served = row_bool(&r, i, 4) };
        memcpy(found[i].reread_id, row_uuid(&r, i, 3), sizeof found[i].reread_id);
        if (!found[i].instance.p || !found[i].match.p)
            e = ERR_NO_MEMORY;
    }
    *ret = found;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

/* --- the end of a step --- */

#define EVENT_ARRAYS(a, s) \
    arg_int4_array(a, &(s)->events->partition, sizeof *(s)->events, (s)->event_n), \
        arg_int8_array(a, &(s)->events->offset, sizeof *(s)->events, (s)->event_n), \
        arg_text_array(a, &(s)->events->text, sizeof *(s)->events, (s)->event_n)

static bool queue_waits(struct db *db, struct arena *a, const struct saga_step_end *s)
{
    const struct saga_delivery *v = s->waits;

    return !s->wait_n ||
           db_queue_kept(db, a, &SAGA_WAITS_TAKE,
                         (const struct arg[]){ arg_int8(s->stream_id), arg_int8_array(a, &v->id.saga_id, sizeof *v, s->wait_n),
                                               arg_text_array(a, &v->id.instance, sizeof *v, s->wait_n),
                                               arg_int2_array(a, &v->id.step, sizeof *v, s->wait_n),
                                               arg_int2_array(a, &v->id.kind, sizeof *v, s->wait_n),
                                               arg_uuid_array(a, &v->reread_id, sizeof *v, s->wait_n),
                                               arg_int4_array(a, &v->event, sizeof *v, s->wait_n), EVENT_ARRAYS(a, s) },
                         10);
}

static bool queue_starts(struct db *db, struct arena *a, const struct saga_step_end *s)
{
    const struct saga_delivery *v = s->starts;

    return !s->start_n ||
           db_queue_kept(db, a, &SAGA_INBOX_START,
                         (const struct arg[]){ arg_int8(s->stream_id), arg_int8_array(a, &v->id.saga_id, sizeof *v, s->start_n),
                                               arg_text_array(a, &v->id.instance, sizeof *v, s->start_n),
                                               arg_int4_array(a, &v->event, sizeof *v, s->start_n), EVENT_ARRAYS(a, s) },
                         7);
}

enum err db_saga_step_end(struct db *db, struct arena *a, const struct saga_step_end *s, struct fault *f)
{
    const struct arg move[] = { arg_int8(s->stream_id), arg_int8_array(a, s->position, sizeof *s->position, s->partitions) };
    const struct arg done[] = { arg_int8(s->stream_id), arg_uuid_array(a, &s->rereads->id, sizeof *s->rereads, s->reread_n),
                                s->again ? arg_int8_array(a, s->again, sizeof *s->again, s->partitions) : arg_null() };

    if (!queue_waits(db, a, s) || !queue_starts(db, a, s)) {
        db_abandon(db);
        return ERR_NO_MEMORY;
    }
    db_queue(db, s->leave ? &SAGA_READER_LEAVE : &SAGA_READER_MOVE, move);
    if (s->reread_n)
        db_queue(db, s->again ? &SAGA_REREADS_MOVE : &SAGA_REREADS_DONE, done);
    db_queue(db, &DB_COMMIT, NULL);
    return db_flush(db, NULL, 2 + (size_t)(s->wait_n > 0) + (size_t)(s->start_n > 0) + (size_t)(s->reread_n > 0), f);
}
