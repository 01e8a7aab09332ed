#include "db/schemas.h"

#include "sql.h"

#define ROW_COLUMNS "text text int4 bool int4 int2 text text text text"
#define VERSION_COLUMNS "text text int4 bool"

const struct stmt REGISTRY_CHANGES = { "registry_changes", SQL_REGISTRY_CHANGES, "", "int8" };
const struct stmt SCHEMA_SETTINGS = { "schema_settings", SQL_SCHEMA_SETTINGS, "text text", "int2 int2 int2 int2" };
const struct stmt SCHEMA_GET = { "schema_get", SQL_SCHEMA_GET, "text text int4 int4 bool int8", ROW_COLUMNS };
const struct stmt SCHEMA_BY_ID = { "schema_by_id", SQL_SCHEMA_BY_ID, "text int4", ROW_COLUMNS };
const struct stmt SCHEMA_SUBJECTS = { "schema_subjects", SQL_SCHEMA_SUBJECTS, "text text text text bool bool int8",
                                      VERSION_COLUMNS };
const struct stmt SCHEMA_VERSIONS = { "schema_versions", SQL_SCHEMA_VERSIONS, "text text", VERSION_COLUMNS };
const struct stmt SCHEMA_USES = { "schema_uses", SQL_SCHEMA_USES, "text int4 text int4 int8", VERSION_COLUMNS };
const struct stmt SCHEMA_MATCH = { "schema_match", SQL_SCHEMA_MATCH, "text text bytea bool", ROW_COLUMNS };
const struct stmt SCHEMA_REFERRERS = { "schema_referrers", SQL_SCHEMA_REFERRERS, "text text int4 int4 bool bool", "text int4" };

static struct slice copy_or_none(struct arena *a, const struct rows *r, int i, int col)
{
    return row_null(r, i, col) ? SLICE_NONE : arena_slice(a, row_text(r, i, col));
}

static bool read_row(struct arena *a, const struct rows *r, int i, struct schema_row *ret)
{
    *ret = (struct schema_row){
        .subject = { arena_slice(a, row_text(r, i, 0)), arena_slice(a, row_text(r, i, 1)) },
        .version = row_int4(r, i, 2),
        .deleted = row_bool(r, i, 3),
        .id = row_int4(r, i, 4),
        .type = row_int2(r, i, 5),
        .text = arena_slice(a, row_text(r, i, 6)),
        .refs = arena_slice(a, row_text(r, i, 7)),
        .metadata = copy_or_none(a, r, i, 8),
        .rule_set = copy_or_none(a, r, i, 9),
    };
    return ret->subject.context.p && ret->subject.name.p && ret->text.p && ret->refs.p && (row_null(r, i, 8) || ret->metadata.p) &&
           (row_null(r, i, 9) || ret->rule_set.p);
}

static enum err rows_of(struct db *db, const struct stmt *s, const struct arg *args, struct arena *a, struct schema_row **ret,
                        size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct schema_row *v = NULL;
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_row(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

/* Rows that follow one another mostly have the same context and subject. */
static struct slice copy_unless(struct arena *a, struct slice text, struct slice last)
{
    return last.p && slice_eq(text, last) ? last : arena_slice(a, text);
}

static enum err versions_of(struct db *db, const struct stmt *s, const struct arg *args, struct arena *a,
                            struct schema_version **ret, size_t *ret_n, struct fault *f)
{
    struct rows r = { 0 };
    struct schema_version *v = NULL;
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        struct schema_subject last = i ? v[i - 1].subject : (struct schema_subject){ SLICE_NONE, SLICE_NONE };

        last = (struct schema_subject){ copy_unless(a, row_text(&r, i, 0), last.context),
                                        copy_unless(a, row_text(&r, i, 1), last.name) };
        v[i] = (struct schema_version){ last, row_int4(&r, i, 2), row_bool(&r, i, 3) };
        if (!last.context.p || !last.name.p)
            e = ERR_NO_MEMORY;
    }
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_registry_changes(struct db *db, int64_t *ret, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &REGISTRY_CHANGES, NULL, &r, f);

    if (!e)
        *ret = r.n ? row_int8(&r, 0, 0) : 0;
    rows_free(&r);
    return e;
}

static int word(const struct rows *r, int col)
{
    return row_null(r, 0, col) ? SCHEMA_UNSET : row_int2(r, 0, col);
}

enum err db_schema_settings(struct db *db, const struct schema_subject *s, struct schema_settings *ret, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SCHEMA_SETTINGS, args, &r, f);

    if (!e)
        *ret = (struct schema_settings){ word(&r, 0), word(&r, 1), word(&r, 2), word(&r, 3) };
    rows_free(&r);
    return e;
}

enum err db_schema_get(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, bool deleted,
                       int64_t limit, struct schema_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name), arg_int4(span.from), arg_int4(span.to),
                                arg_bool(deleted), arg_int8(limit) };

    return rows_of(db, &SCHEMA_GET, args, a, ret, ret_n, f);
}

enum err db_schema_by_id(struct db *db, struct arena *a, struct slice context, int id, struct schema_row **ret, size_t *ret_n,
                         struct fault *f)
{
    const struct arg args[] = { arg_text(context), arg_int4(id) };

    return rows_of(db, &SCHEMA_BY_ID, args, a, ret, ret_n, f);
}

enum err db_schema_match(struct db *db, struct arena *a, const struct schema_subject *s, struct slice digest, bool deleted,
                         struct schema_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name), arg_bytea(digest), arg_bool(deleted) };

    return rows_of(db, &SCHEMA_MATCH, args, a, ret, ret_n, f);
}

enum err db_schema_versions(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_version **ret,
                            size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name) };

    return versions_of(db, &SCHEMA_VERSIONS, args, a, ret, ret_n, f);
}

enum err db_schema_uses(struct db *db, struct arena *a, struct slice context, int id, const struct schema_version *after,
                        int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(context), arg_int4(id), arg_text(after->subject.name), arg_int4(after->version),
                                arg_int8(limit) };

    return versions_of(db, &SCHEMA_USES, args, a, ret, ret_n, f);
}

enum err db_schema_referrers(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, bool hidden,
                             bool others, int **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name), arg_int4(span.from), arg_int4(span.to),
                                arg_bool(hidden), arg_bool(others) };
    struct rows r = { 0 };
    int *v = NULL;
    enum err e = db_exec(db, &SCHEMA_REFERRERS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        v[i] = row_int4(&r, i, 1);
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_schema_subjects(struct db *db, struct arena *a, const struct schema_filter *l, const struct schema_subject *after,
                            int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(after->context), arg_text(after->name), arg_text(l->context), arg_text(l->prefix),
                                arg_bool(l->deleted), arg_bool(l->deleted_only), arg_int8(limit) };

    return versions_of(db, &SCHEMA_SUBJECTS, args, a, ret, ret_n, f);
}
