#include "db/audit.h"

#include "sql.h"

const struct stmt AUDIT_INSERT = { "audit_insert", SQL_AUDIT_INSERT, "uuid text text text text", "" };
const struct stmt AUDIT_PENDING = { "audit_pending", SQL_AUDIT_PENDING, "int8", "uuid timestamptz text text text text" };
const struct stmt AUDIT_SET_ASIDE = { "audit_set_aside", SQL_AUDIT_SET_ASIDE, "uuid", "" };
const struct stmt AUDIT_REMOVE = { "audit_remove", SQL_AUDIT_REMOVE, "uuid[]", "" };

enum err db_audit_commit(struct db *db, const struct audit_row *row, struct fault *f)
{
    struct arg args[5];

    if (row) {
        args[0] = arg_uuid(row->id);
        args[1] = arg_text(row->type);
        args[2] = arg_text(row->resource);
        args[3] = arg_text(row->traceparent);
        args[4] = arg_text(row->data);
        db_queue(db, &AUDIT_INSERT, args);
    }
    db_queue(db, &DB_COMMIT, NULL);
    return db_flush(db, NULL, row ? 2 : 1, f);
}

enum err db_audit_pending(struct db *db, struct arena *a, size_t max, struct audit_row **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8((int64_t)max) };
    struct rows r = { 0 };
    struct audit_row *v = NULL;
    enum err e = db_exec(db, &AUDIT_PENDING, args, &r, f);

    if (!e && !(v = arena_zalloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        memcpy(v[i].id, row_uuid(&r, i, 0), sizeof v[i].id);
        v[i].recorded_us = row_time(&r, i, 1);
        v[i].type = arena_slice(a, row_text(&r, i, 2));
        v[i].resource = arena_slice(a, row_text(&r, i, 3));
        v[i].traceparent = row_null(&r, i, 4) ? SLICE_NONE : arena_slice(a, row_text(&r, i, 4));
        v[i].data = arena_slice(a, row_text(&r, i, 5));
        if (!v[i].type.p || !v[i].resource.p || !v[i].data.p || (!row_null(&r, i, 4) && !v[i].traceparent.p))
            e = ERR_NO_MEMORY;
    }
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_audit_remove(struct db *db, struct arena *a, const struct audit_row *rows, size_t n, struct fault *f)
{
    const struct arg args[] = { arg_uuid_array(a, &rows->id, sizeof *rows, n) };

    return db_exec(db, &AUDIT_REMOVE, args, NULL, f);
}

enum err db_audit_set_aside(struct db *db, const struct audit_row *row, struct fault *f)
{
    const struct arg args[] = { arg_uuid(row->id) };

    return db_exec(db, &AUDIT_SET_ASIDE, args, NULL, f);
}
