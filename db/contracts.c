#include "db/contracts.h"

#include "sql.h"

#define READ_COLUMNS "text bool text text int4 int2 text text text"

const struct stmt CONTRACT_GET = { "contract_get", SQL_CONTRACT_GET, "text", READ_COLUMNS };
const struct stmt CONTRACT_NEXT = { "contract_next", SQL_CONTRACT_NEXT, "text text text bool", READ_COLUMNS };
const struct stmt CONTRACT_LIST = { "contract_list", SQL_CONTRACT_LIST, "text int8", "text bool text text int4" };
const struct stmt CONTRACT_SUBJECTS = { "contract_subjects", SQL_CONTRACT_SUBJECTS, "text text int8", "text text" };
const struct stmt CONTRACT_ROOM = { "contract_room", SQL_CONTRACT_ROOM, "text text[] text[]", "int8 int8" };
const struct stmt CONTRACT_PUT = { "contract_put", SQL_CONTRACT_PUT, "text bool", "" };
const struct stmt CONTRACT_EMPTY = { "contract_empty", SQL_CONTRACT_EMPTY, "text", "" };
const struct stmt CONTRACT_FILL = { "contract_fill", SQL_CONTRACT_FILL,
                                    "text text[] text[] int4[] int4[] text[] text[] text[]", "" };
const struct stmt CONTRACT_DELETE = { "contract_delete", SQL_CONTRACT_DELETE, "text", "" };

static bool read_subject(struct arena *a, const struct rows *r, int i, int col, struct schema_subject *ret)
{
    *ret = (struct schema_subject){ arena_slice(a, row_text(r, i, col)), arena_slice(a, row_text(r, i, col + 1)) };
    return ret->context.p && ret->name.p;
}

static bool read_one(struct arena *a, const struct rows *r, int i, bool whole, struct contract_read *ret)
{
    *ret = (struct contract_read){ .row = { .version = row_int4(r, i, 4) } };
    if (!read_subject(a, r, i, 2, &ret->row.subject))
        return false;
    if (!whole)
        return true;
    ret->row.type = row_int2(r, i, 5);
    ret->row.text = arena_slice(a, row_text(r, i, 6));
    ret->row.refs = arena_slice(a, row_text(r, i, 7));
    ret->documents = arena_slice(a, row_text(r, i, 8));
    return ret->row.text.p && ret->row.refs.p && ret->documents.p;
}

/* Rows of one consumer follow one another. */
static enum err contracts_of(struct db *db, const struct stmt *s, const struct arg *args, bool whole, struct arena *a,
                             struct contract **ret, size_t *ret_n, struct fault *f)
{
    struct contract_read *reads = NULL;
    struct contract *v = NULL;
    struct rows r = { 0 };
    size_t n = 0;
    enum err e = db_exec(db, s, args, &r, f);

    if (!e && (!(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)) ||
               !(reads = arena_alloc(a, (size_t)(r.n + 1) * sizeof *reads))))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        struct slice consumer = row_text(&r, i, 0);

        if (!read_one(a, &r, i, whole, &reads[i])) {
            e = ERR_NO_MEMORY;
        } else if (n && slice_eq(v[n - 1].consumer, consumer)) {
            v[n - 1].n++;
        } else {
            v[n] = (struct contract){ arena_slice(a, consumer), row_bool(&r, i, 1), &reads[i], 1 };
            if (!v[n++].consumer.p)
                e = ERR_NO_MEMORY;
        }
    }
    rows_free(&r);
    if (!e) {
        *ret = v;
        *ret_n = n;
    }
    return e;
}

static enum err contract_of(struct db *db, const struct stmt *s, const struct arg *args, struct arena *a, struct contract *ret,
                            struct fault *f)
{
    struct contract *v;
    size_t n;
    enum err e = contracts_of(db, s, args, true, a, &v, &n, f);

    if (!e)
        *ret = n ? *v : (struct contract){ .n = 0 };
    return e;
}

enum err db_contract_get(struct db *db, struct arena *a, struct slice consumer, struct contract *ret, struct fault *f)
{
    const struct arg args[] = { arg_text(consumer) };

    return contract_of(db, &CONTRACT_GET, args, a, ret, f);
}

enum err db_contract_next(struct db *db, struct arena *a, const struct schema_subject *s, struct slice after, bool enforced,
                          struct contract *ret, struct fault *f)
{
    const struct arg args[] = { arg_text(s->context), arg_text(s->name), arg_text(after), arg_bool(enforced) };

    return contract_of(db, &CONTRACT_NEXT, args, a, ret, f);
}

enum err db_contract_list(struct db *db, struct arena *a, struct slice after, int64_t limit, struct contract **ret, size_t *ret_n,
                          struct fault *f)
{
    const struct arg args[] = { arg_text(after), arg_int8(limit) };

    return contracts_of(db, &CONTRACT_LIST, args, false, a, ret, ret_n, f);
}

enum err db_contract_subjects(struct db *db, struct arena *a, const struct schema_subject *after, int64_t limit,
                              struct schema_subject **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_text(after->context), arg_text(after->name), arg_int8(limit) };
    struct schema_subject *v = NULL;
    struct rows r = { 0 };
    enum err e = db_exec(db, &CONTRACT_SUBJECTS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_subject(a, &r, i, 0, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_contract_room(struct db *db, struct arena *a, const struct contract *c, int64_t *ret_contracts, int64_t *ret_readers,
                          struct fault *f)
{
    const struct schema_subject *s = &c->reads->row.subject;
    const struct arg args[] = { arg_text(c->consumer), arg_text_array(a, &s->context, sizeof *c->reads, c->n),
                                arg_text_array(a, &s->name, sizeof *c->reads, c->n) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &CONTRACT_ROOM, args, &r, f);

    if (!e) {
        *ret_contracts = row_int8(&r, 0, 0);
        *ret_readers = row_int8(&r, 0, 1);
    }
    rows_free(&r);
    return e;
}

enum err db_contract_put(struct db *db, struct arena *a, const struct contract *c, struct fault *f)
{
    const struct arg head[] = { arg_text(c->consumer), arg_bool(c->enforced) };
    const struct schema_row *row = &c->reads->row;
    const size_t step = sizeof *c->reads;
    const struct arg fill[] = { arg_text(c->consumer),
                                arg_text_array(a, &row->subject.context, step, c->n),
                                arg_text_array(a, &row->subject.name, step, c->n),
                                arg_int4_array(a, &row->version, step, c->n),
                                arg_int4_array(a, &row->type, step, c->n),
                                arg_text_array(a, &row->text, step, c->n),
                                arg_text_array(a, &row->refs, step, c->n),
                                arg_text_array(a, &c->reads->documents, step, c->n) };

    db_queue(db, &CONTRACT_PUT, head);
    db_queue(db, &CONTRACT_EMPTY, head);
    db_queue(db, &CONTRACT_FILL, fill);
    return db_flush(db, NULL, 3, f);
}

enum err db_contract_delete(struct db *db, struct slice consumer, struct fault *f)
{
    const struct arg args[] = { arg_text(consumer) };

    return db_exec(db, &CONTRACT_DELETE, args, NULL, f);
}
