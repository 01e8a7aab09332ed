#include "db/projections_parts.h"

#include <inttypes.h>
#include <stdio.h>

#include "db/streams.h"
#include "gateway/base/clock.h"
#include "sql.h"

#define PART_ID "int8 int4 int8 int4"
#define STATES_ARGS "int8 int4 int4 text[] text[] int8[] int8[]"

const struct stmt MEMBER_BEAT = { "member_beat", SQL_MEMBER_BEAT, "int8 int8", "int8 int8" };
const struct stmt MEMBERS_FORGET = { "members_forget", SQL_MEMBERS_FORGET, "", "" };
const struct stmt MEMBER_LEAVE = { "member_leave", SQL_MEMBER_LEAVE, "int8", "" };
const struct stmt PARTS_MINE = { "parts_mine", SQL_PARTS_MINE, "int8", PART_ID " int8" };
const struct stmt PARTS_CLAIM = { "parts_claim", SQL_PARTS_CLAIM, "int8 int8", PART_ID " int4 int8 int8 int8 int8 int8 text int2" };
const struct stmt PART_RELEASE = { "part_release", SQL_PART_RELEASE, PART_ID " int8 int8", "" };
const struct stmt PARTS_BEHIND = { "parts_behind", SQL_PARTS_BEHIND, "int8", PART_ID };
const struct stmt PART_GET = { "part_get", SQL_PART_GET, PART_ID, "int8 int8" };
const struct stmt PART_ADVANCE = { "part_advance", SQL_PART_ADVANCE, PART_ID " int8 int8 int8 int8 bool", "int2" };
const struct stmt FROZEN_END = { "frozen_end", SQL_FROZEN_END, "text text", "text text" };
const struct stmt STATES_LOCK = { "states_lock", SQL_STATES_LOCK, "int8 int4 text[] int8", "text text int8 int4" };
const struct stmt STATES_INSERT = { "states_insert", SQL_STATES_INSERT, STATES_ARGS, "" };
const struct stmt STATES_UPDATE = { "states_update", SQL_STATES_UPDATE, STATES_ARGS, "" };
const struct stmt STATES_DELETE = { "states_delete", SQL_STATES_DELETE, "int8 int4 text[]", "" };
const struct stmt LOOKUPS_REMOVE = { "lookups_remove", SQL_LOOKUPS_REMOVE, "int8 int4 int8[] text[]", "" };
const struct stmt LOOKUPS_ADD = { "lookups_add", SQL_LOOKUPS_ADD, "int8 int4 int8[] text[]", "" };
const struct stmt STATES_MIXED = { "states_mixed", SQL_STATES_MIXED, "int8 int4 text[]", "" };
const struct stmt CHANGE_ADD = { "change_add", SQL_CHANGE_ADD, "int8 int4 int4 int8 text[] bool", "" };
const struct stmt SKIPS_OF = { "skips_of", SQL_SKIPS_OF, "int8 int8 int4 int8 int8", "int8" };
const struct stmt BUILD_FAIL = { "build_fail", SQL_BUILD_FAIL, PART_ID " int8 int8 text", "int4" };

#define ID_ARGS(id) arg_int8((id)->projection_id), arg_int4((id)->build), arg_int8((id)->stream_id), arg_int4((id)->partition)

enum err db_member_beat(struct db *db, int64_t owner, int64_t lease_us, int64_t *ret_others, int64_t *ret_parts, struct fault *f)
{
    const struct arg args[] = { arg_int8(owner), arg_int8(lease_us) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &MEMBER_BEAT, args, &r, f);

    if (!e) {
        *ret_others = row_int8(&r, 0, 0);
        *ret_parts = row_int8(&r, 0, 1);
    }
    rows_free(&r);
    return e;
}

enum err db_members_forget(struct db *db, struct fault *f)
{
    return db_exec(db, &MEMBERS_FORGET, NULL, NULL, f);
}

enum err db_member_leave(struct db *db, int64_t owner, struct fault *f)
{
    const struct arg args[] = { arg_int8(owner) };

    return db_exec(db, &MEMBER_LEAVE, args, NULL, f);
}

static struct part_id read_id(const struct rows *r, int i)
{
    return (struct part_id){ .projection_id = row_int8(r, i, 0), .build = row_int4(r, i, 1), .stream_id = row_int8(r, i, 2),
                             .partition = row_int4(r, i, 3) };
}

enum err db_parts_mine(struct db *db, struct arena *a, int64_t owner, struct claim_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(owner) };
    struct rows r = { 0 };
    struct claim_row *v = NULL;
    enum err e = db_exec(db, &PARTS_MINE, args, &r, f);

    if (!e && !(v = arena_zalloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i].id = read_id(&r, i);
        v[i].epoch = row_int8(&r, i, 4);
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_parts_claim(struct db *db, struct arena *a, int64_t owner, int64_t limit, struct claim_row **ret, size_t *ret_n,
                        struct fault *f)
{
    const struct arg args[] = { arg_int8(owner), arg_int8(limit) };
    struct rows r = { 0 };
    struct claim_row *v = NULL;
    enum err e = db_exec(db, &PARTS_CLAIM, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct claim_row){
            .id = read_id(&r, i), .part = row_int4(&r, i, 4), .first = row_int8(&r, i, 5), .target = row_int8(&r, i, 6),
            .position = row_int8(&r, i, 7), .upto = row_null(&r, i, 8) ? INT64_MAX : row_int8(&r, i, 8),
            .epoch = row_int8(&r, i, 9), .stream = arena_slice(a, row_text(&r, i, 10)), .build_state = row_int2(&r, i, 11),
        };
        if (!v[i].stream.p)
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_part_release(struct db *db, const struct part_id *id, int64_t epoch, int64_t owner, struct fault *f)
{
    const struct arg args[] = { ID_ARGS(id), arg_int8(epoch), arg_int8(owner) };

    return db_exec(db, &PART_RELEASE, args, NULL, f);
}

enum err db_parts_behind(struct db *db, struct arena *a, int64_t owner, struct part_id **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(owner) };
    struct rows r = { 0 };
    struct part_id *v = NULL;
    enum err e = db_exec(db, &PARTS_BEHIND, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        v[i] = read_id(&r, i);
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_part_get(struct db *db, const struct part_id *id, int64_t *ret_position, int64_t *ret_epoch, struct fault *f)
{
    const struct arg args[] = { ID_ARGS(id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &PART_GET, args, &r, f);

    if (!e) {
        *ret_position = r.n ? row_int8(&r, 0, 0) : 0;
        *ret_epoch = r.n ? row_int8(&r, 0, 1) : 0;
    }
    rows_free(&r);
    return e;
}

#define MS_TEXT 24
static struct arg arg_ms(char text[MS_TEXT], int64_t us)
{
    return arg_text((struct slice){ text, (size_t)snprintf(text, MS_TEXT, "%" PRId64, us / 1000) });
}

enum err db_step_begin(struct db *db, struct arena *a, const struct step_row *s, const struct slice *keys, size_t n,
                       bool *ret_moved, int *ret_build_state, struct rows *ret_rows, struct fault *f)
{
    char idle[MS_TEXT], wait[MS_TEXT];
    const struct arg advance[] = { ID_ARGS(&s->id), arg_int8(s->epoch), arg_int8(s->from), arg_int8(s->to), arg_int8(s->folded),
                                   arg_bool(s->begins) };
    const struct arg frozen[] = { arg_ms(idle, s->idle_us), arg_ms(wait, s->idle_us / 2) };
    const struct arg lock[] = { arg_int8(s->id.projection_id), arg_int4(s->id.build), arg_text_array(a, keys, sizeof *keys, n),
                                arg_int8(s->bytes) };
    struct rows r[4] = { 0 };
    enum err e;

    *ret_rows = (struct rows){ 0 };
    db_queue(db, &DB_BEGIN, NULL);
    db_queue(db, &FROZEN_END, frozen);
    db_queue(db, &PART_ADVANCE, advance);
    db_queue(db, &STATES_LOCK, lock);
    if (!(e = db_flush(db, r, 4, f))) {
        *ret_moved = r[2].n == 1;
        *ret_build_state = *ret_moved ? row_int2(&r[2], 0, 0) : BUILD_RETIRED;
        if (*ret_moved) {
            *ret_rows = r[3];
            r[3] = (struct rows){ 0 };
        } else {
            db_rollback(db);
        }
    }
    for (int i = 0; i < 4; i++)
        rows_free(&r[i]);
    return e;
}

void db_locked_state(const struct rows *r, int i, struct locked_state *ret)
{
    *ret = (struct locked_state){ row_text(r, i, 0), row_text(r, i, 1), row_int8(r, i, 2), row_int4(r, i, 3) };
}

static bool queue_states(struct db *db, struct arena *a, const struct stmt *s, const struct step_write *w,
                         const struct step_states *v)
{
    const struct step_state *x = v->v;
    const struct arg args[] = {
        arg_int8(w->id.projection_id), arg_int4(w->id.build), arg_int4(w->part), arg_text_array(a, &x->key, sizeof *x, v->n),
        arg_text_array(a, &x->state, sizeof *x, v->n), arg_int8_array(a, &x->version, sizeof *x, v->n),
        arg_int8_array(a, &x->offset, sizeof *x, v->n),
    };

    return !v->n || db_queue_kept(db, a, s, args, sizeof args / sizeof *args);
}

static bool queue_lookups(struct db *db, struct arena *a, const struct stmt *s, const struct step_write *w,
                          const struct step_lookups *v)
{
    const struct arg args[] = { arg_int8(w->id.projection_id), arg_int4(w->id.build),
                                arg_int8_array(a, &v->v->hash, sizeof *v->v, v->n),
                                arg_text_array(a, &v->v->key, sizeof *v->v, v->n) };

    return !v->n || db_queue_kept(db, a, s, args, sizeof args / sizeof *args);
}

static bool queue_deleted(struct db *db, struct arena *a, const struct step_write *w)
{
    const struct arg args[] = { arg_int8(w->id.projection_id), arg_int4(w->id.build),
                                arg_text_array(a, w->deleted, sizeof *w->deleted, w->deleted_n) };

    return !w->deleted_n || db_queue_kept(db, a, &STATES_DELETE, args, sizeof args / sizeof *args);
}

static bool queue_mixed(struct db *db, struct arena *a, const struct step_write *w)
{
    const struct arg args[] = { arg_int8(w->id.projection_id), arg_int4(w->id.build),
                                arg_text_array(a, w->mixed, sizeof *w->mixed, w->mixed_n) };

    return !w->mixed_n || db_queue_kept(db, a, &STATES_MIXED, args, sizeof args / sizeof *args);
}

static bool queue_change(struct db *db, struct arena *a, const struct step_write *w)
{
    const struct arg args[] = { arg_int8(w->id.projection_id), arg_int4(w->id.build), arg_int4(w->part), arg_int8(w->position),
                                arg_text_array(a, w->changed, sizeof *w->changed, w->changed_n), arg_bool(w->stays) };

    return !w->changed_n || db_queue_kept(db, a, &CHANGE_ADD, args, sizeof args / sizeof *args);
}

static bool queue_notice(struct db *db, struct arena *a, const struct step_write *w)
{
    const struct arg args[] = { arg_text(w->notice) };

    return !w->notice.p || db_queue_kept(db, a, &NOTIFY, args, 1);
}

/* Inserts come in the order of keys, after all locks are held: two steps wait for each other in one direction only. */
size_t db_step_queue(struct db *db, struct arena *a, const struct step_write *w)
{
    if (!queue_states(db, a, &STATES_UPDATE, w, &w->update) || !queue_deleted(db, a, w) ||
        !queue_states(db, a, &STATES_INSERT, w, &w->insert) || !queue_mixed(db, a, w) ||
        !queue_lookups(db, a, &LOOKUPS_REMOVE, w, &w->lost) ||
        !queue_lookups(db, a, &LOOKUPS_ADD, w, &w->found) || !queue_change(db, a, w) || !queue_notice(db, a, w)) {
        db_rollback(db);
        return 0;
    }
    db_queue(db, &DB_COMMIT, NULL);
    return (size_t)(w->update.n > 0) + (w->deleted_n > 0) + (w->insert.n > 0) + (w->lost.n > 0) + (w->found.n > 0) +
           (w->changed_n > 0) + (w->mixed_n > 0) + (w->notice.p != NULL) + 1;
}

enum err db_skips_of(struct db *db, struct arena *a, const struct part_id *id, int64_t after, int64_t upto, int64_t **ret,
                     size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(id->projection_id), arg_int8(id->stream_id), arg_int4(id->partition), arg_int8(after),
                                arg_int8(upto) };
    struct rows r = { 0 };
    int64_t *v = NULL;
    enum err e = db_exec(db, &SKIPS_OF, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        v[i] = row_int8(&r, i, 0);
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_build_fail(struct db *db, const struct step_row *s, struct slice error, bool *ret_failed, struct fault *f)
{
    const struct arg args[] = { ID_ARGS(&s->id), arg_int8(s->epoch), arg_int8(s->from), arg_text(error) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &BUILD_FAIL, args, &r, f);

    *ret_failed = !e && r.n == 1;
    rows_free(&r);
    return e;
}
