#include <stdlib.h>

#include "db/letters.h"
#include "sql.h"

/* Letters that change, in a transaction of the caller's. */

const struct stmt LETTERS_GROUPS = { "letters_groups", SQL_LETTERS_GROUPS, "int8 uuid[]", "text int8" };
const struct stmt LETTERS_LOCK = { "letters_lock", SQL_LETTERS_LOCK, "int8 uuid[]", "uuid text int2" };
const struct stmt LETTERS_REDRIVE = { "letters_redrive", SQL_LETTERS_REDRIVE, "int8 uuid[] text[] int8[] text bool", "uuid" };
const struct stmt LETTERS_DISCARD = { "letters_discard", SQL_LETTERS_DISCARD, "int8 uuid[] text", "uuid" };
const struct stmt LETTER_REPAIR = { "letter_repair", SQL_LETTER_REPAIR, "int8 uuid bytea", "uuid" };

enum err db_letters_groups(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                           struct letter_group **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid_array(a, ids, sizeof *ids, n) };
    struct rows r = { 0 };
    struct letter_group *v = NULL;
    enum err e = db_exec(db, &LETTERS_GROUPS, args, &r, f);

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct letter_group){ arena_slice(a, row_text(&r, i, 0)), row_null(&r, i, 1) ? -1 : row_int8(&r, i, 1), false };
        if (!v[i].name.p)
            e = ERR_NO_MEMORY;
    }
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

static int by_id(const void *x, const void *y)
{
    return memcmp(x, y, 16);
}

/* What was locked, ascending, and which of it moved. */
static enum err take_seen(struct arena *a, const struct rows *locked, const struct rows *moved, struct letter_seen **ret,
                          size_t *ret_n)
{
    struct letter_seen *v = arena_zalloc(a, (size_t)(locked->n + 1) * sizeof *v);

    if (!v)
        return ERR_NO_MEMORY;
    for (int i = 0; i < locked->n; i++) {
        memcpy(v[i].letter_id, row_uuid(locked, i, 0), sizeof v[i].letter_id);
        v[i].group = arena_slice(a, row_text(locked, i, 1));
        v[i].parked = row_int2(locked, i, 2) == LETTER_PARKED;
        if (!v[i].group.p)
            return ERR_NO_MEMORY;
    }
    for (int i = 0; i < moved->n; i++) {
        struct letter_seen *s = bsearch(row_uuid(moved, i, 0), v, (size_t)locked->n, sizeof *v, by_id);

        if (s)
            s->moved = true;
    }
    *ret = v;
    *ret_n = (size_t)locked->n;
    return OK;
}

/* The lock first: the next statement's snapshot sees what it waited for. */
static enum err move(struct db *db, struct arena *a, const struct stmt *s, const struct arg *args, struct letter_seen **ret,
                     size_t *ret_n, struct fault *f)
{
    struct rows rows[2];
    enum err e;

    db_queue(db, &LETTERS_LOCK, args);
    db_queue(db, s, args);
    if (!(e = db_flush(db, rows, 2, f)))
        e = take_seen(a, &rows[0], &rows[1], ret, ret_n);
    rows_free(&rows[0]);
    rows_free(&rows[1]);
    return e;
}

enum err db_letters_redrive(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                            const struct letter_group *groups, size_t group_n, struct slice note, bool automatic,
                            struct letter_seen **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid_array(a, ids, sizeof *ids, n),
                                arg_text_array(a, &groups->name, sizeof *groups, group_n),
                                arg_int8_array(a, &groups->group_id, sizeof *groups, group_n), arg_text(note),
                                arg_bool(automatic) };

    return move(db, a, &LETTERS_REDRIVE, args, ret, ret_n, f);
}

enum err db_letters_discard(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n,
                            struct slice note, struct letter_seen **ret, size_t *ret_n, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid_array(a, ids, sizeof *ids, n), arg_text(note) };

    return move(db, a, &LETTERS_DISCARD, args, ret, ret_n, f);
}

enum err db_letter_repair(struct db *db, int64_t stream_id, const uint8_t id[16], struct slice data, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid(id), arg_bytea(data) };

    return db_exec(db, &LETTER_REPAIR, args, NULL, f);
}
