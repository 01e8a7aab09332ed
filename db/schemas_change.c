#include "db/schemas.h"

#include <stdlib.h>

#include "sql.h"

const struct stmt REGISTRY_CLAIM = { "registry_claim", SQL_REGISTRY_CLAIM, "", "int4 int8" };
const struct stmt SCHEMA_SUBJECT_MAKE = { "schema_subject_make", SQL_SCHEMA_SUBJECT_MAKE, "text text", "" };
const struct stmt SCHEMA_SUBJECT_LOCK = { "schema_subject_lock", SQL_SCHEMA_SUBJECT_LOCK, "text text", "int2 int2" };
const struct stmt SCHEMA_SUBJECT_PUT = { "schema_subject_put", SQL_SCHEMA_SUBJECT_PUT, "text text int2 int2", "" };
const struct stmt SCHEMA_SUBJECT_DROP = { "schema_subject_drop", SQL_SCHEMA_SUBJECT_DROP, "text text", "" };
const struct stmt SCHEMA_COUNT = { "schema_count", SQL_SCHEMA_COUNT, "text text", "int8 int4 int8" };
const struct stmt SCHEMA_ANY = { "schema_any", SQL_SCHEMA_ANY, "text text", "bool" };
const struct stmt SCHEMA_FIND = { "schema_find", SQL_SCHEMA_FIND, "text bytea int4", "int4 bool" };
const struct stmt SCHEMA_ADD = { "schema_add", SQL_SCHEMA_ADD, "text int4 int2 bytea text text text text", "" };
const struct stmt SCHEMA_REFER = { "schema_refer", SQL_SCHEMA_REFER, "text int4 text[] text[] int4[]", "" };
const struct stmt SCHEMA_REFS_THERE = { "schema_refs_there", SQL_SCHEMA_REFS_THERE, "text[] text[] int4[]", "int8" };
const struct stmt SCHEMA_VERSION_ADD = { "schema_version_add", SQL_SCHEMA_VERSION_ADD, "text text int4 int4", "" };
const struct stmt SCHEMA_HIDE = { "schema_hide", SQL_SCHEMA_HIDE, "text text int4 int4", "int4" };
const struct stmt SCHEMA_REMOVE = { "schema_remove", SQL_SCHEMA_REMOVE, "text text int4 int4", "int4 int4" };
const struct stmt SCHEMA_FORGET = { "schema_forget", SQL_SCHEMA_FORGET, "text int4[]", "" };

#define LOCK_TRIES 5 /* the row may be dropped (schema_subject_drop) between its making and its lock */

static int word(const struct rows *r, int col)
{
    return row_null(r, 0, col) ? SCHEMA_UNSET : row_int2(r, 0, col);
}

enum err db_schema_subject_lock(struct db *db, const struct schema_subject *s, struct schema_settings *ret_own, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name) };
    enum err e = OK;

    for (int i = 0; !e && i < LOCK_TRIES; i++) {
        struct rows r[2] = { 0 };
        bool locked = false;

        db_queue(db, &SCHEMA_SUBJECT_MAKE, args);
        db_queue(db, &SCHEMA_SUBJECT_LOCK, args);
        if (!(e = db_flush(db, r, 2, f)) && (locked = r[1].n))
            *ret_own = (struct schema_settings){ .own_level = word(&r[1], 0), .own_mode = word(&r[1], 1) };
        rows_free(&r[0]);
        rows_free(&r[1]);
        if (locked)
            return OK;
    }
    return e ? e : ERR_DB_RETRY;
}

enum err db_registry_claim(struct db *db, int *ret_next_id, struct fault *f)
{
    struct rows r = { 0 };
    enum err e = db_exec(db, &REGISTRY_CLAIM, NULL, &r, f);

    if (!e && !r.n)
        e = fault(f, ERR_INTERNAL, "The row of weir.registry is not there.");
    if (!e)
        *ret_next_id = row_int4(&r, 0, 0);
    rows_free(&r);
    return e;
}

static struct arg word_arg(int v)
{
    return v == SCHEMA_UNSET ? arg_null() : arg_int2((int16_t)v);
}

enum err db_schema_subject_put(struct db *db, const struct schema_subject *s, int level, int mode, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name), word_arg(level), word_arg(mode) };

    return db_exec(db, &SCHEMA_SUBJECT_PUT, args, NULL, f);
}

enum err db_schema_subject_drop(struct db *db, const struct schema_subject *s, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name) };

    return db_exec(db, &SCHEMA_SUBJECT_DROP, args, NULL, f);
}

enum err db_schema_count(struct db *db, const struct schema_subject *s, struct schema_count *ret, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SCHEMA_COUNT, args, &r, f);

    if (!e)
        *ret = (struct schema_count){ row_int8(&r, 0, 0), row_int8(&r, 0, 2), row_int4(&r, 0, 1) };
    rows_free(&r);
    return e;
}

enum err db_schema_any(struct db *db, const struct schema_subject *s, bool *ret, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SCHEMA_ANY, args, &r, f);

    if (!e)
        *ret = row_bool(&r, 0, 0);
    rows_free(&r);
    return e;
}

enum err db_schema_find(struct db *db, struct slice context, struct slice digest, int id, int *ret_id, bool *ret_same,
                        struct fault *f)
{
    const struct arg args[] = { arg_text(context), arg_bytea(digest), arg_int4(id) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SCHEMA_FIND, args, &r, f);

    if (!e) {
        *ret_id = r.n ? row_int4(&r, 0, 0) : 0;
        *ret_same = r.n && row_bool(&r, 0, 1);
    }
    rows_free(&r);
    return e;
}

/* Contexts, subjects and versions, as three arrays. */
static void put_refs(struct arena *a, const struct schema_version *refs, size_t n, struct arg out[3])
{
    out[0] = arg_text_array(a, &refs->subject.context, sizeof *refs, n);
    out[1] = arg_text_array(a, &refs->subject.name, sizeof *refs, n);
    out[2] = arg_int4_array(a, &refs->version, sizeof *refs, n);
}

enum err db_schema_add(struct db *db, struct arena *a, const struct schema_row *row, struct slice digest,
                       const struct schema_version *refs, size_t n, struct fault *f)
{
    const struct arg args[] = { arg_text(row->subject.context), arg_int4(row->id), arg_int2((int16_t)row->type), arg_bytea(digest),
                                arg_text(row->text), arg_text(row->refs), arg_text(row->metadata), arg_text(row->rule_set) };
    struct arg named[5] = { arg_text(row->subject.context), arg_int4(row->id) };

    db_queue(db, &SCHEMA_ADD, args);
    if (n) {
        put_refs(a, refs, n, named + 2);
        db_queue(db, &SCHEMA_REFER, named);
    }
    return db_flush(db, NULL, n ? 2 : 1, f);
}

enum err db_schema_version_add(struct db *db, const struct schema_row *row, struct fault *f)
{
    const struct arg args[] = { arg_text(row->subject.context), arg_text(row->subject.name), arg_int4(row->version),
                                arg_int4(row->id) };

    return db_exec(db, &SCHEMA_VERSION_ADD, args, NULL, f);
}

enum err db_schema_refs_there(struct db *db, struct arena *a, const struct schema_version *refs, size_t n, bool *ret,
                              struct fault *f)
{
    struct arg args[3];
    struct rows r = { 0 };
    enum err e;

    put_refs(a, refs, n, args);
    if (!(e = db_exec(db, &SCHEMA_REFS_THERE, args, &r, f)))
        *ret = row_int8(&r, 0, 0) == (int64_t)n;
    rows_free(&r);
    return e;
}

static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static enum err numbers(struct arena *a, const struct rows *r, int col, int **ret, size_t *ret_n)
{
    int *v = arena_alloc(a, (size_t)(r->n + 1) * sizeof *v);

    if (!v)
        return ERR_NO_MEMORY;
    for (int i = 0; i < r->n; i++)
        v[i] = row_int4(r, i, col);
    qsort(v, (size_t)r->n, sizeof *v, by_number);
    *ret = v;
    *ret_n = (size_t)r->n;
    return OK;
}

enum err db_schema_hide(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, int **ret,
                        size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name), arg_int4(span.from), arg_int4(span.to) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &SCHEMA_HIDE, args, &r, f);

    if (!e)
        e = numbers(a, &r, 0, ret, ret_n);
    rows_free(&r);
    return e;
}

enum err db_schema_remove(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, int **ret,
                          size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name), arg_int4(span.from), arg_int4(span.to) };
    struct arg forget[2] = { arg_text(s->context) };
    struct rows r = { 0 };
    size_t n = 0;
    int *ids;
    enum err e = db_exec(db, &SCHEMA_REMOVE, args, &r, f);

    if (!e && !(e = numbers(a, &r, 0, ret, ret_n)))
        e = numbers(a, &r, 1, &ids, &n);
    rows_free(&r);
    if (e || !n)
        return e;
    forget[1] = arg_int4_array(a, ids, sizeof *ids, n);
    return db_exec(db, &SCHEMA_FORGET, forget, NULL, f);
}
