#include "db/streams.h"

#include "sql.h"

#define STREAM_COLUMNS "int8 text int4 int8 int8 text text bool bool text text timestamptz timestamptz"

const struct stmt STREAM_CREATE = { "stream_create", SQL_STREAM_CREATE,
                                    "int8 text int4 int8 int8 text text bool bool text text timestamptz", "int8 void" };
const struct stmt STREAM_GET = { "stream_get", SQL_STREAM_GET, "text", STREAM_COLUMNS };
const struct stmt STREAM_LOCK = { "stream_lock", SQL_STREAM_LOCK, "text", STREAM_COLUMNS };
const struct stmt STREAM_LIST = { "stream_list", SQL_STREAM_LIST, "text int8", STREAM_COLUMNS };
const struct stmt STREAM_MATCH = { "stream_match", SQL_STREAM_MATCH, "text int8 text[]", STREAM_COLUMNS };
const struct stmt STREAM_IDS = { "stream_ids", SQL_STREAM_IDS, "", "int8 text" };
const struct stmt STREAM_MARK = { "stream_mark", SQL_STREAM_MARK, "", "int8 int8" };
const struct stmt STREAM_UPDATE = { "stream_update", SQL_STREAM_UPDATE,
                                    "int8 int8 int8 text text bool bool text text timestamptz", "int8" };
const struct stmt STREAM_DELETE = { "stream_delete", SQL_STREAM_DELETE, "text timestamptz int4", "int8" };
const struct stmt STREAM_HEADS = { "stream_heads", SQL_STREAM_HEADS, "int8", "int4 int8 int8 timestamptz int8" };
const struct stmt STREAM_FIGURES = { "stream_figures", SQL_STREAM_FIGURES, "int8[]", "int8 int4 int8 int8 timestamptz int8" };

const struct stmt NOTIFY = { "notify", SQL_NOTIFY, "text", "void" };

static const char *const validation_words[] = { "off", "warn", "enforce" };

static struct arg retention_arg(int64_t us)
{
    return us < 0 ? arg_null() : arg_int8(us);
}

static bool read_stream(struct arena *a, const struct rows *r, int i, struct stream_row *s)
{
    struct slice validation = row_text(r, i, 5);

    *s = (struct stream_row){
        .stream_id = row_int8(r, i, 0),
        .name = arena_slice(a, row_text(r, i, 1)),
        .partitions = row_int4(r, i, 2),
        .retention_us = row_null(r, i, 3) ? -1 : row_int8(r, i, 3),
        .dedup_window_us = row_int8(r, i, 4),
        .subject_template = arena_slice(a, row_text(r, i, 6)),
        .allow_unknown_types = row_bool(r, i, 7),
        .subject_reads = row_bool(r, i, 8),
        .description = arena_slice(a, row_text(r, i, 9)),
        .labels = arena_slice(a, row_text(r, i, 10)),
        .created_us = row_time(r, i, 11),
        .updated_us = row_time(r, i, 12),
    };
    for (int w = 0; w < 3; w++)
        if (slice_is(validation, validation_words[w]))
            s->validation = w;
    return s->name.p && s->subject_template.p && s->description.p && s->labels.p;
}

enum err db_stream_create(struct db *db, const struct stream_row *s, bool *ret_made, struct fault *f)
{
    const struct arg args[] = {
        arg_int8(s->stream_id), arg_text(s->name), arg_int4((int32_t)s->partitions), retention_arg(s->retention_us),
        arg_int8(s->dedup_window_us), arg_text(slice_of(validation_words[s->validation])), arg_text(s->subject_template),
        arg_bool(s->allow_unknown_types), arg_bool(s->subject_reads), arg_text(s->description), arg_text(s->labels),
        arg_time(s->created_us),
    };
    struct rows r = { 0 };
    enum err e = db_exec(db, &STREAM_CREATE, args, &r, f);

    if (!e)
        *ret_made = r.n == 1;
    rows_free(&r);
    return e;
}

static enum err get(struct db *db, const struct stmt *s, struct arena *a, struct slice name, struct stream_row *ret,
                    struct fault *f)
{
    const struct arg args[] = { arg_text(name) };
    struct rows r = { 0 };
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && r.n == 0)
        e = fault(f, ERR_UNKNOWN_STREAM, "There is no stream %.*s.", (int)name.n, name.p);
    if (!e && !read_stream(a, &r, 0, ret))
        e = ERR_NO_MEMORY;
    rows_free(&r);
    return e;
}

enum err db_stream_get(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f)
{
    return get(db, &STREAM_GET, a, name, ret, f);
}

enum err db_stream_lock(struct db *db, struct arena *a, struct slice name, struct stream_row *ret, struct fault *f)
{
    return get(db, &STREAM_LOCK, a, name, ret, f);
}

static enum err list(struct db *db, struct arena *a, const struct stmt *s, const struct arg *args, struct stream_row **ret,
                     size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct stream_row *v = NULL;
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_stream(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_stream_list(struct db *db, struct arena *a, struct slice after, int limit, struct stream_row **ret, size_t *ret_n,
                        struct fault *f)
{
    const struct arg args[] = { arg_text(after), arg_int8(limit) };

    return list(db, a, &STREAM_LIST, args, ret, ret_n, f);
}

enum err db_stream_match(struct db *db, struct arena *a, const struct slice *patterns, size_t n, struct slice after, int limit,
                         struct stream_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(after), arg_int8(limit), arg_text_array(a, patterns, sizeof *patterns, n) };

    return list(db, a, &STREAM_MATCH, args, ret, ret_n, f);
}

enum err db_stream_ids(struct db *db, void (*fn)(void *arg, int64_t stream_id, struct slice name), void *arg, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &STREAM_IDS, NULL, &r, f);

    for (int i = 0; !e && i < r.n; i++)
        fn(arg, row_int8(&r, i, 0), row_text(&r, i, 1));
    rows_free(&r);
    return e;
}

enum err db_stream_mark(struct db *db, struct stream_mark *ret, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &STREAM_MARK, NULL, &r, f);

    if (!e)
        *ret = (struct stream_mark){ row_int8(&r, 0, 0), row_int8(&r, 0, 1) };
    rows_free(&r);
    return e;
}

enum err db_stream_update(struct db *db, const struct stream_row *s, struct fault *f)
{
    const struct arg args[] = {
        arg_int8(s->stream_id), retention_arg(s->retention_us), arg_int8(s->dedup_window_us),
        arg_text(slice_of(validation_words[s->validation])), arg_text(s->subject_template),
        arg_bool(s->allow_unknown_types), arg_bool(s->subject_reads), arg_text(s->description), arg_text(s->labels),
        arg_time(s->updated_us),
    };
    struct rows r = { 0 };
    enum err e = db_exec(db, &STREAM_UPDATE, args, &r, f);

    if (!e && r.n == 0)
        e = fault(f, ERR_UNKNOWN_STREAM, "There is no stream %.*s.", (int)s->name.n, s->name.p);
    rows_free(&r);
    return e;
}

enum err db_stream_delete(struct db *db, struct slice name, int64_t now_us, int64_t ret_ids[STREAMS_OF_ONE], size_t *ret_n,
                          struct fault *f)
{
    const struct arg args[] = { arg_text(name), arg_time(now_us), arg_int4(STREAMS_OF_ONE) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &STREAM_DELETE, args, &r, f);

    if (!e && r.n == 0)
        e = fault(f, ERR_UNKNOWN_STREAM, "There is no stream %.*s.", (int)name.n, name.p);
    for (int i = 0; !e && i < r.n; i++)
        ret_ids[i] = row_int8(&r, i, 0);
    if (!e)
        *ret_n = (size_t)r.n;
    rows_free(&r);
    return e;
}

enum err db_stream_heads(struct db *db, int64_t stream_id, struct head_row *ret, size_t max, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &STREAM_HEADS, args, &r, f);

    if (!e) {
        *ret_n = (size_t)r.n < max ? (size_t)r.n : max;
        for (int i = 0; i < (int)*ret_n; i++)
            ret[i] = (struct head_row){ stream_id, row_int4(&r, i, 0), row_int8(&r, i, 1), row_int8(&r, i, 2),
                                        row_time(&r, i, 3), row_int8(&r, i, 4) };
    }
    rows_free(&r);
    return e;
}

enum err db_stream_figures(struct db *db, struct arena *a, const int64_t *ids, size_t n, struct head_row **ret, size_t *ret_n,
                           struct fault *f)
{
    const struct arg args[] = { arg_int8_array(a, ids, sizeof *ids, n) };
    struct rows r = { 0 };
    struct head_row *v = NULL;
    enum err e = db_exec(db, &STREAM_FIGURES, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    if (!e) {
        for (int i = 0; i < r.n; i++)
            v[i] = (struct head_row){ row_int8(&r, i, 0), row_int4(&r, i, 1), row_int8(&r, i, 2), row_int8(&r, i, 3),
                                      row_time(&r, i, 4), row_int8(&r, i, 5) };
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_notify(struct db *db, const char *payload, struct fault *f)
{
    const struct arg args[] = { arg_text(slice_of(payload)) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &NOTIFY, args, &r, f);

    rows_free(&r);
    return e;
}
