#include "db/sagas.h"

#include "sql.h"

/* What gateways look for: what is due, whose attempts are lost, what is to be removed. */

const struct stmt SAGA_AWAITS_STREAMS = { "saga_awaits_streams", SQL_SAGA_AWAITS_STREAMS, "", "text timestamptz" };
const struct stmt SAGA_AWAITS_DUE = { "saga_awaits_due", SQL_SAGA_AWAITS_DUE, "text[] int8[] int8 int8[] text[]", "int8 text" };
const struct stmt SAGA_DUE = { "saga_due", SQL_SAGA_DUE, "int8 int8[] text[] int8[]", "int8 text timestamptz" };
const struct stmt SAGA_TARGETS_DUE = { "saga_targets_due", SQL_SAGA_TARGETS_DUE, "", "text" };
const struct stmt SAGA_INBOX_ANY = { "saga_inbox_any", SQL_SAGA_INBOX_ANY, "int8[] text[]", "bool" };
const struct stmt SAGA_CALLS_DUE = { "saga_calls_due", SQL_SAGA_CALLS_DUE, "text[] int4[] int8[] text[]",
                                  "int8 text int2 int2 text" };
const struct stmt SAGA_MEMBER_BEAT = { "saga_member_beat", SQL_SAGA_MEMBER_BEAT, "int8 int8", "int8 bool" };
const struct stmt SAGA_MEMBER_LEAVE = { "saga_member_leave", SQL_SAGA_MEMBER_LEAVE, "int8", "" };
const struct stmt SAGA_MEMBERS_FORGET = { "saga_members_forget", SQL_SAGA_MEMBERS_FORGET, "", "" };
const struct stmt SAGA_OWNERS_GONE = { "saga_owners_gone", SQL_SAGA_OWNERS_GONE, "int8", "int8" };
const struct stmt SAGA_ATTEMPTS_OF = { "saga_attempts_of", SQL_SAGA_ATTEMPTS_OF, "int8[] int8 int8[] text[]",
                                    "int8 text int2 int2 int4 int8" };
const struct stmt SAGA_ENDED_REMOVE = { "saga_ended_remove", SQL_SAGA_ENDED_REMOVE, "int8 int8", "int8" };
const struct stmt SAGAS_FORSAKEN = { "sagas_forsaken", SQL_SAGAS_FORSAKEN, "", "int8" };
const struct stmt SAGA_FORSAKEN_REMOVE = { "saga_forsaken_remove", SQL_SAGA_FORSAKEN_REMOVE, "int8 int8", "int8" };
const struct stmt SAGA_FORGET = { "saga_forget", SQL_SAGA_FORGET, "int8", "" };

static enum err take_keys(struct arena *a, const struct rows *r, struct saga_key **ret, size_t *ret_n)
{
    struct saga_key *v = arena_alloc(a, (size_t)(r->n + 1) * sizeof *v);

    for (int i = 0; v && i < r->n; i++)
        if (!(v[i] = (struct saga_key){ row_int8(r, i, 0), arena_slice(a, row_text(r, i, 1)) }).id.p)
            return ERR_NO_MEMORY;
    *ret = v;
    *ret_n = v ? (size_t)r->n : 0;
    return v ? OK : ERR_NO_MEMORY;
}

static enum err take_due(struct arena *a, const struct rows *due, const struct rows *targets, const struct rows *awaited,
                         struct saga_due *ret)
{
    ret->target = arena_alloc(a, (size_t)(targets->n + 1) * sizeof *ret->target);
    ret->awaited = arena_alloc(a, (size_t)(awaited->n + 1) * sizeof *ret->awaited);
    if (!ret->target || !ret->awaited)
        return ERR_NO_MEMORY;
    for (int i = 0; i < targets->n; i++)
        if (!(ret->target[i] = arena_slice(a, row_text(targets, i, 0))).p)
            return ERR_NO_MEMORY;
    for (int i = 0; i < awaited->n; i++) {
        ret->awaited[i] = (struct saga_awaited){ arena_slice(a, row_text(awaited, i, 0)), row_time(awaited, i, 1) };
        if (!ret->awaited[i].stream.p)
            return ERR_NO_MEMORY;
    }
    ret->target_n = (size_t)targets->n;
    ret->awaited_n = (size_t)awaited->n;
    return take_keys(a, due, &ret->key, &ret->n);
}

enum err db_saga_due(struct db *db, struct arena *a, int64_t limit, const struct saga_keys *but, const int64_t *slow, size_t slow_n,
                     struct saga_due *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(limit), arg_int8_array(a, &but->v->saga_id, sizeof *but->v, but->n),
                                arg_text_array(a, &but->v->id, sizeof *but->v, but->n),
                                arg_int8_array(a, slow, sizeof *slow, slow_n) };
    struct rows r[4] = { 0 };
    enum err e;

    *ret = (struct saga_due){ 0 };
    db_queue(db, &SAGA_DUE, args);
    db_queue(db, &SAGA_TARGETS_DUE, NULL);
    db_queue(db, &SAGA_AWAITS_STREAMS, NULL);
    db_queue(db, &SAGA_INBOX_ANY, args + 1);
    if (!(e = db_flush(db, r, 4, f)) && !(e = take_due(a, &r[0], &r[1], &r[2], ret)))
        ret->inbox = row_bool(&r[3], 0, 0);
    for (int i = 0; i < 4; i++)
        rows_free(&r[i]);
    return e;
}

enum err db_saga_awaits_due(struct db *db, struct arena *a, const struct saga_awaited *v, size_t n, int64_t limit,
                            const struct saga_keys *but, struct saga_key **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text_array(a, &v->stream, sizeof *v, n), arg_int8_array(a, &v->due_us, sizeof *v, n),
                                arg_int8(limit), arg_int8_array(a, &but->v->saga_id, sizeof *but->v, but->n),
                                arg_text_array(a, &but->v->id, sizeof *but->v, but->n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_AWAITS_DUE, args, &r, f);

    *ret_n = 0;
    if (!e)
        e = take_keys(a, &r, ret, ret_n);
    rows_free(&r);
    return e;
}

enum err db_saga_calls_due(struct db *db, struct arena *a, const struct slice *targets, const int32_t *room, size_t n,
                           const struct saga_keys *but, struct saga_call_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text_array(a, targets, sizeof *targets, n), arg_int4_array(a, room, sizeof *room, n),
                                arg_int8_array(a, &but->v->saga_id, sizeof *but->v, but->n),
                                arg_text_array(a, &but->v->id, sizeof *but->v, but->n) };
    struct rows r = { 0 };
    struct saga_call_row *v = NULL;
    enum err e = db_exec(db, &SAGA_CALLS_DUE, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct saga_call_row){ .key = { row_int8(&r, i, 0), arena_slice(a, row_text(&r, i, 1)) },
                                       .step = (int16_t)row_int2(&r, i, 2), .kind = (int16_t)row_int2(&r, i, 3),
                                       .target = arena_slice(a, row_text(&r, i, 4)) };
        if (!v[i].key.id.p || !v[i].target.p)
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

/* --- gateways --- */

enum err db_saga_member_beat(struct db *db, int64_t owner, int64_t lease_us, int64_t *ret_others, bool *ret_mine, struct fault *f)
{
    const struct arg args[] = { arg_int8(owner), arg_int8(lease_us) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SAGA_MEMBER_BEAT, args, &r, f);

    if (!e) {
        *ret_others = row_int8(&r, 0, 0);
        *ret_mine = row_bool(&r, 0, 1);
    }
    rows_free(&r);
    return e;
}

enum err db_saga_member_leave(struct db *db, int64_t owner, struct fault *f)
{
    const struct arg args[] = { arg_int8(owner) };

    return db_exec(db, &SAGA_MEMBER_LEAVE, args, NULL, f);
}

enum err db_saga_members_forget(struct db *db, struct fault *f)
{
    return db_exec(db, &SAGA_MEMBERS_FORGET, NULL, NULL, f);
}

static enum err attempts_of(struct db *db, struct arena *a, const int64_t *owners, size_t n, int64_t limit,
                            const struct saga_keys *but, struct saga_attempt_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8_array(a, owners, sizeof *owners, n), arg_int8(limit),
                                arg_int8_array(a, &but->v->saga_id, sizeof *but->v, but->n),
                                arg_text_array(a, &but->v->id, sizeof *but->v, but->n) };
    struct rows r = { 0 };
    struct saga_attempt_row *v = NULL;
    enum err e = db_exec(db, &SAGA_ATTEMPTS_OF, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct saga_attempt_row){ .key = { row_int8(&r, i, 0), arena_slice(a, row_text(&r, i, 1)) },
                                          .step = (int16_t)row_int2(&r, i, 2), .kind = (int16_t)row_int2(&r, i, 3),
                                          .attempt = row_int4(&r, i, 4), .owner = row_int8(&r, i, 5) };
        if (!v[i].key.id.p)
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_saga_attempts_lost(struct db *db, struct arena *a, int64_t lease_us, int64_t limit, const struct saga_keys *but,
                               struct saga_attempt_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(lease_us) };
    struct rows r = { 0 };
    int64_t *owners = NULL;
    size_t n = 0;
    enum err e = db_exec(db, &SAGA_OWNERS_GONE, args, &r, f);

    *ret_n = 0;
    if (!e && r.n && !(owners = arena_alloc(a, (size_t)r.n * sizeof *owners)))
        e = ERR_NO_MEMORY;
    for (; !e && n < (size_t)r.n; n++)
        owners[n] = row_int8(&r, (int)n, 0);
    rows_free(&r);
    return e || !n ? e : attempts_of(db, a, owners, n, limit, but, ret, ret_n, f);
}

/* --- removal --- */

static enum err remove_some(struct db *db, const struct stmt *s, int64_t which, int64_t batch, int64_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(which), arg_int8(batch) };
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    *ret_n = e ? 0 : row_int8(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_sagas_remove(struct db *db, int64_t keep_us, int64_t batch, bool *ret_more, struct fault *f)
{
    struct rows r = { 0 };
    int64_t n = 0;
    enum err e = remove_some(db, &SAGA_ENDED_REMOVE, keep_us, batch, &n, f);

    *ret_more = n == batch;
    if (!e)
        e = db_exec(db, &SAGAS_FORSAKEN, NULL, &r, f);
    if (!e && r.n) {
        const struct arg args[] = { arg_int8(row_int8(&r, 0, 0)) };

        e = remove_some(db, &SAGA_FORSAKEN_REMOVE, row_int8(&r, 0, 0), batch, &n, f);
        *ret_more |= n == batch || r.n > 1;
        if (!e && n < batch)
            e = db_exec(db, &SAGA_FORGET, args, NULL, f);
    }
    rows_free(&r);
    return e;
}
