#include "db/projections.h"
#include "sql.h"

#define STATE_COLUMNS "text text int8 int4 int4 int4 int8"

const struct stmt PROJECTION_VIEW = { "projection_view", SQL_PROJECTION_VIEW, "text", "int8 int4 bool text text text" };
const struct stmt PROJECTION_VIEW_PARTS = { "projection_view_parts", SQL_PROJECTION_VIEW_PARTS, "text",
                                            "text int8 int4 int4 int8 int8" };
const struct stmt STATE_GET = { "state_get", SQL_STATE_GET, "text text", STATE_COLUMNS };
const struct stmt STATES_PAGE = { "states_page", SQL_STATES_PAGE, "int8 int4 text text text int8 int8", STATE_COLUMNS " int8" };
const struct stmt STATES_FOUND = { "states_found", SQL_STATES_FOUND, "int8 int4 text text text int8 int8 int8[]",
                                   STATE_COLUMNS " int8" };
const struct stmt STREAMS_AHEAD = { "streams_ahead", SQL_STREAMS_AHEAD, "int8 int4 int8[]", "text int8 int4" };
const struct stmt STATES_OF = { "states_of", SQL_STATES_OF, "int8 int4 text[]", STATE_COLUMNS };
const struct stmt CHANGES_READ = { "changes_read", SQL_CHANGES_READ,
                                   "int8 int4 int4[] int8[] int8 int8 int4[]", "int4 int8 int4 text" };

static bool take(struct arena *a, const struct rows *r, int row, int col, struct slice *ret)
{
    struct slice s = row_text(r, row, col);

    *ret = s.p ? arena_slice(a, s) : SLICE_NONE;
    return !s.p || ret->p;
}

static bool read_state(struct arena *a, const struct rows *r, int i, struct projection_state *s)
{
    *s = (struct projection_state){
        .version = row_int8(r, i, 2),
        .build = row_int4(r, i, 3),
        .part = row_int4(r, i, 4),
        .last_part = row_int4(r, i, 5),
        .last_offset = row_int8(r, i, 6),
    };
    return take(a, r, i, 0, &s->key) && take(a, r, i, 1, &s->state);
}

static bool read_view(struct arena *a, const struct rows *head, const struct rows *parts, struct projection_view_row *v)
{
    *v = (struct projection_view_row){
        .projection = { .projection_id = row_int8(head, 0, 0), .build = row_int4(head, 0, 1), .paused = row_bool(head, 0, 2) },
        .parts = arena_zalloc(a, (size_t)(parts->n + 1) * sizeof *v->parts),
        .n = (size_t)parts->n,
    };
    if (!v->parts || !take(a, head, 0, 3, &v->projection.name) || !take(a, head, 0, 4, &v->definition) ||
        !take(a, head, 0, 5, &v->error))
        return false;
    for (int i = 0; i < parts->n; i++) {
        struct part_row *p = &v->parts[i];

        p->at = (struct place){ row_int8(parts, i, 1), row_int8(parts, i, 4), row_int4(parts, i, 2) };
        p->part = row_int4(parts, i, 3);
        p->kept = row_int8(parts, i, 5);
        if (!take(a, parts, i, 0, &p->stream))
            return false;
    }
    return true;
}

static enum err no_projection(struct slice name, struct fault *f)
{
    return fault(f, ERR_UNKNOWN_PROJECTION, "There is no projection %.*s.", name.n < 200 ? (int)name.n : 0, name.p);
}

#define VIEW_STATEMENTS 5 /* BEGIN, two of the view, a state, the end */

/* key.p == NULL: none is asked for; then, unless `last`, the transaction stays open. */
static enum err view(struct db *db, struct arena *a, struct slice name, struct slice key, bool last,
                     struct projection_view_row *ret, struct projection_state *ret_state, struct fault *f)
{
    const struct arg args[] = { arg_text(name), arg_text(key) };
    struct rows r[VIEW_STATEMENTS] = { 0 };
    size_t n = 3 + (size_t)(key.p != NULL) + (size_t)last;
    enum err e;

    db_queue(db, &DB_SNAPSHOT, NULL);
    db_queue(db, &PROJECTION_VIEW, args);
    db_queue(db, &PROJECTION_VIEW_PARTS, args);
    if (key.p)
        db_queue(db, &STATE_GET, args);
    if (last)
        db_queue(db, &DB_ROLLBACK, NULL);
    if (!(e = db_flush(db, r, n, f)) && r[1].n == 0)
        e = no_projection(name, f);
    if (!e && (!read_view(a, &r[1], &r[2], ret) || (key.p && r[3].n && !read_state(a, &r[3], 0, ret_state))))
        e = ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        rows_free(&r[i]);
    if (e)
        db_rollback(db);
    return e;
}

enum err db_projection_view(struct db *db, struct arena *a, struct slice name, bool last, struct projection_view_row *ret,
                            struct fault *f)
{
    return view(db, a, name, SLICE_NONE, last, ret, NULL, f);
}

enum err db_projection_state(struct db *db, struct arena *a, struct slice name, struct slice key, struct projection_view_row *ret,
                             struct projection_state *ret_state, struct fault *f)
{
    *ret_state = (struct projection_state){ 0 };
    return view(db, a, name, key, true, ret, ret_state, f);
}

static enum err read_states(struct arena *a, const struct rows *r, struct projection_state **ret, size_t *ret_n)
{
    struct projection_state *v = arena_alloc(a, (size_t)(r->n + 1) * sizeof *v);

    for (int i = 0; v && i < r->n; i++)
        if (!read_state(a, r, i, &v[i]))
            return ERR_NO_MEMORY;
    *ret = v;
    *ret_n = (size_t)r->n;
    return v ? OK : ERR_NO_MEMORY;
}

enum err db_states_page(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const struct states_query *q,
                        struct projection_state **ret, size_t *ret_n, bool *ret_more, struct fault *f)
{
    const struct arg args[] = {
        arg_int8(projection_id), arg_int4(build), arg_text(q->after), arg_text(q->from), arg_text(q->before), arg_int8(q->limit),
        arg_int8(q->bytes), arg_int8_array(a, q->hashes, sizeof *q->hashes, q->hash_n),
    };
    struct rows r = { 0 };
    enum err e = db_exec(db, q->hash_n ? &STATES_FOUND : &STATES_PAGE, args, &r, f);
    int64_t found = !e && r.n ? row_int8(&r, 0, 7) : 0;

    if (!e)
        e = read_states(a, &r, ret, ret_n);
    *ret_more = found > r.n || found == q->limit;
    rows_free(&r);
    return e;
}

enum err db_states_of(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const struct slice *keys, size_t n,
                      struct projection_state **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_text_array(a, keys, sizeof *keys, n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &STATES_OF, args, &r, f);

    if (!e)
        e = read_states(a, &r, ret, ret_n);
    rows_free(&r);
    return e;
}

enum err db_changes_read(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const int32_t *parts,
                         const int64_t *positions, const int32_t *told, size_t n, int64_t steps, int64_t keys,
                         struct change_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_int4_array(a, parts, sizeof *parts, n),
                                arg_int8_array(a, positions, sizeof *positions, n), arg_int8(steps), arg_int8(keys),
                                arg_int4_array(a, told, sizeof *told, n) };
    struct rows r = { 0 };
    struct change_row *v = NULL;
    enum err e = db_exec(db, &CHANGES_READ, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct change_row){ row_int4(&r, i, 0), row_int8(&r, i, 1), row_int4(&r, i, 2), SLICE_NONE };
        if (!take(a, &r, i, 3, &v[i].key))
            e = ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_streams_ahead(struct db *db, struct arena *a, int64_t projection_id, int32_t build, const int64_t *seen, size_t stride,
                          size_t seen_n, struct stream_ahead **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(projection_id), arg_int4(build), arg_int8_array(a, seen, stride, seen_n) };
    struct rows r = { 0 };
    struct stream_ahead *v = NULL;
    enum err e = db_exec(db, &STREAMS_AHEAD, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct stream_ahead){ .stream_id = row_int8(&r, i, 1), .partitions = row_int4(&r, i, 2) };
        e = take(a, &r, i, 0, &v[i].name) ? OK : ERR_NO_MEMORY;
    }
    *ret = v;
    *ret_n = e ? 0 : (size_t)r.n;
    rows_free(&r);
    return e;
}
