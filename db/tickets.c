#include "db/tickets.h"

#include "sql.h"

const struct stmt TICKET_ADD = { "ticket_add", SQL_TICKET_ADD, "bytea text bytea text timestamptz timestamptz int8",
                                 "timestamptz" };
const struct stmt TICKET_FIND = { "ticket_find", SQL_TICKET_FIND, "bytea timestamptz", "text timestamptz" };
const struct stmt TICKETS_FORGET = { "tickets_forget", SQL_TICKETS_FORGET, "timestamptz int8", "" };

enum err db_ticket_add(struct db *db, const struct ticket_row *t, int64_t max, bool *ret_added, struct fault *f)
{
    const struct arg args[] = { arg_bytea(t->hash), arg_text(t->url), arg_bytea(t->owner), arg_text(t->claims),
                                arg_time(t->created_us), arg_time(t->expires_us), arg_int8(max) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &TICKET_ADD, args, &r, f);

    if (!e)
        *ret_added = r.n == 1;
    rows_free(&r);
    return e;
}

enum err db_ticket_find(struct db *db, struct arena *a, struct slice hash, int64_t now_us, struct ticket_row *ret, struct fault *f)
{
    const struct arg args[] = { arg_bytea(hash), arg_time(now_us) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &TICKET_FIND, args, &r, f);

    if (!e && r.n == 0)
        e = fault(f, ERR_NOT_FOUND, "There is no such ticket.");
    if (!e) {
        *ret = (struct ticket_row){ .hash = hash, .claims = arena_slice(a, row_text(&r, 0, 0)), .expires_us = row_time(&r, 0, 1) };
        e = ret->claims.p ? OK : ERR_NO_MEMORY;
    }
    rows_free(&r);
    return e;
}

enum err db_tickets_forget(struct db *db, int64_t now_us, int64_t batch, int64_t *ret_forgotten, struct fault *f)
{
    const struct arg args[] = { arg_time(now_us), arg_int8(batch) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &TICKETS_FORGET, args, &r, f);

    *ret_forgotten = r.affected;
    rows_free(&r);
    return e;
}
