#include "db/deliveries.h"

#include "sql.h"

#define EVENT_COLUMNS "int4 int8 timestamptz text text text text int8 text int2 bytea"

const struct stmt GROUPS_OVERDUE = { "groups_overdue", SQL_GROUPS_OVERDUE, "timestamptz", "text text" };
const struct stmt GROUP_HOLD = { "group_hold", SQL_GROUP_HOLD, "int8 int8", "int8" };
const struct stmt GROUP_STATE = { "group_state", SQL_GROUP_STATE, "int8 int8", "int8 int8 int4 int8[] int8" };
const struct stmt GROUP_WRITTEN = { "group_written", SQL_GROUP_WRITTEN, "int8 int8 int8", "int8" };
const struct stmt GROUP_RETRIES = { "group_retries", SQL_GROUP_RETRIES, "int8 int8",
                                    "int4 int8 int4 uuid int4 int8 timestamptz bool" };
const struct stmt GROUP_LEASES = { "group_leases", SQL_GROUP_LEASES, "int8 int8 int8",
                                   "int8 timestamptz timestamptz text bytea bytea bytea bytea" };
const struct stmt GROUP_SKIPS = { "group_skips", SQL_GROUP_SKIPS, "int8 int8", "int8 int4 int4 bytea bytea" };
const struct stmt GROUP_TURN = { "group_turn", SQL_GROUP_TURN,
                                 "int8 int8 int8 int8 int4 int8[] int8 timestamptz int8 int8[] int8[] timestamptz[] timestamptz[] "
                                 "text[] bytea[] bytea[] bytea[] bytea[] int4[]", "" };
const struct stmt LEASES_UPDATE = { "leases_update", SQL_LEASES_UPDATE, "int8 int8 int8[] bytea[] bytea[] int4[]", "" };
const struct stmt RETRIES_PUT = { "retries_put", SQL_RETRIES_PUT,
                                  "int8 int8 int4[] int8[] int4[] uuid[] int4[] int8[] timestamptz[] int4[] text[]", "" };
const struct stmt RETRIES_DELETE = { "retries_delete", SQL_RETRIES_DELETE, "int8 int8 int4[] int8[] int4[]", "" };
const struct stmt SKIPS_PUT = { "skips_put", SQL_SKIPS_PUT, "int8 int8 int8[] int4[] int4[] bytea[] bytea[]", "" };
const struct stmt SKIPS_DELETE = { "skips_delete", SQL_SKIPS_DELETE, "int8 int8 int8[]", "" };
const struct stmt GROUP_PAGE = { "group_page", SQL_GROUP_PAGE, "int8 int4[] int8[] int8 int8", EVENT_COLUMNS };
const struct stmt GROUP_PAGE_SMALL = { "group_page_small", SQL_GROUP_PAGE_SMALL, "int8 int4[] int8[] int8 int8",
                                       EVENT_COLUMNS };
const struct stmt EVENTS_AT = { "events_at", SQL_EVENTS_AT, "int8 int4[] int8[]", EVENT_COLUMNS };
const struct stmt KEYS_AT = { "keys_at", SQL_KEYS_AT, "int8 int4[] int8[]", "int4 text text" };
const struct stmt LETTERS_AT = { "letters_at", SQL_LETTERS_AT, "int8 uuid[]", EVENT_COLUMNS };
const struct stmt EARLIEST_OF = { "earliest_of", SQL_EARLIEST_OF, "int8 int4[]", "int4 int8" };
const struct stmt LETTERS_KNOWN = { "letters_known", SQL_LETTERS_KNOWN, "int8 text int4[] int8[]", "int4 uuid" };
const struct stmt LETTERS_BURY = { "letters_bury", SQL_LETTERS_BURY,
                                   "int8 int8 text timestamptz uuid[] int4[] int8[] int8[] text[] text[] text[] text[] text[]",
                                   "" };
const struct stmt LETTERS_PARK = { "letters_park", SQL_LETTERS_PARK,
                                   "int8 int8 text timestamptz uuid[] int4[] int8[] int4[] text[] text[] text[] text[] text[]",
                                   "" };
const struct stmt LETTERS_RESOLVE = { "letters_resolve", SQL_LETTERS_RESOLVE, "int8 timestamptz uuid[]", "" };

#define QUEUE(s, args) db_queue_kept(db, a, (s), (args), sizeof(args) / sizeof *(args))
#define INT4S(m) arg_int4_array(a, &v->m, sizeof *v, n)
#define INT8S(m) arg_int8_array(a, &v->m, sizeof *v, n)
#define TIMES(m) arg_time_array(a, &v->m, sizeof *v, n)
#define TEXTS(m) arg_text_array(a, &v->m, sizeof *v, n)
#define BYTEAS(m) arg_bytea_array(a, &v->m, sizeof *v, n)
#define UUIDS(m) arg_uuid_array(a, &v->m, sizeof *v, n)

enum err db_groups_overdue(struct db *db, struct arena *a, int64_t now_us, struct overdue_row **ret, size_t *ret_n,
                           struct fault *f)
{
    const struct arg args[] = { arg_time(now_us) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &GROUPS_OVERDUE, args, &r, f);
    struct overdue_row *v = e ? NULL : arena_alloc(a, (size_t)r.n * sizeof *v + 1);

    if (!e && !v)
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++) {
        v[i] = (struct overdue_row){ arena_slice(a, row_text(&r, i, 0)), arena_slice(a, row_text(&r, i, 1)) };
        if (!v[i].stream.p || !v[i].group.p)
            e = ERR_NO_MEMORY;
    }
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

bool db_group_hold(struct db *db, struct arena *a, int64_t stream, int64_t group)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group) };

    return QUEUE(&GROUP_HOLD, args);
}

bool db_group_state(struct db *db, struct arena *a, int64_t stream, int64_t group)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group) };

    return QUEUE(&GROUP_STATE, args);
}

void db_group_state_row(const struct rows *r, struct group_state_row *ret, int64_t *next, size_t max)
{
    *ret = (struct group_state_row){ .seq = row_int8(r, 0, 0), .token = row_int8(r, 0, 1), .generation = row_int4(r, 0, 2),
                                     .next = next, .partitions = row_int8_array(r, 0, 3, next, max),
                                         .lease_floor = row_int8(r, 0, 4) };
}

bool db_group_memory(struct db *db, struct arena *a, int64_t stream, int64_t group, int64_t lease_floor)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), arg_int8(lease_floor) };

    return db_queue_kept(db, a, &GROUP_RETRIES, args, 2) && QUEUE(&GROUP_LEASES, args) &&
           db_queue_kept(db, a, &GROUP_SKIPS, args, 2);
}

void db_retry_row(const struct rows *r, int i, struct retry_row *ret)
{
    *ret = (struct retry_row){ .at = { row_int4(r, i, 0), row_int4(r, i, 2), row_int8(r, i, 1) }, .letter = row_text(r, i, 3),
                               .failures = row_int4(r, i, 4), .key = row_int8(r, i, 5), .not_before_us = row_time(r, i, 6),
                               .single = row_bool(r, i, 7) };
}

void db_lease_row(const struct rows *r, int i, struct lease_row *ret)
{
    *ret = (struct lease_row){ .lease_id = row_int8(r, i, 0), .began_us = row_time(r, i, 1), .deadline_us = row_time(r, i, 2),
                               .consumer = row_text(r, i, 3), .items = row_text(r, i, 4), .keys = row_text(r, i, 5),
                               .done = row_text(r, i, 6), .extended = row_text(r, i, 7) };
}

void db_skip_row(const struct rows *r, int i, struct skip_row *ret)
{
    *ret = (struct skip_row){ row_int8(r, i, 0), row_int4(r, i, 1), row_int4(r, i, 2), row_text(r, i, 3), row_text(r, i, 4) };
}

bool db_group_turn(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct group_state_row *s, int64_t trim,
                   int64_t now_us, const struct lease_row *leases, size_t n, const int64_t *gone, size_t gone_n)
{
    static const struct lease_row none;
    const struct lease_row *v = leases ? leases : &none; /* whose members' addresses are taken */
    const struct arg args[] = { arg_int8(stream), arg_int8(group), arg_int8(s->seq), arg_int8(s->token), arg_int4(s->generation),
                                arg_int8_array(a, s->next, sizeof *s->next, s->partitions), arg_int8(s->lease_floor),
                                arg_time(now_us), arg_int8(trim), arg_int8_array(a, gone, sizeof *gone, gone_n),
                                INT8S(lease_id), TIMES(began_us), TIMES(deadline_us), TEXTS(consumer), BYTEAS(items),
                                BYTEAS(keys), BYTEAS(done), BYTEAS(extended), INT4S(open) };

    return QUEUE(&GROUP_TURN, args);
}

enum err db_group_written(struct db *db, int64_t stream, int64_t group, int64_t seq, int64_t *ret_token,
                          bool *ret_there, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), arg_int8(seq) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &GROUP_WRITTEN, args, &r, f);

    if (!e) {
        *ret_there = r.n > 0;
        *ret_token = r.n ? row_int8(&r, 0, 0) : 0;
    }
    rows_free(&r);
    return e;
}

bool db_leases_update(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct lease_row *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), INT8S(lease_id), BYTEAS(done), BYTEAS(extended), INT4S(open) };

    return QUEUE(&LEASES_UPDATE, args);
}

bool db_retries_put(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct retry_row *v, size_t n)
{
    struct arg letters = arg_uuid_array_nullable(a, &v->letter, sizeof *v, n);
    const struct arg args[] = { arg_int8(stream), arg_int8(group), INT4S(at.partition), INT8S(at.offset), INT4S(at.round), letters,
                                INT4S(failures), INT8S(key), TIMES(not_before_us), INT4S(single), TEXTS(entry) };

    return QUEUE(&RETRIES_PUT, args);
}

bool db_retries_delete(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct group_place *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), INT4S(partition), INT8S(offset), INT4S(round) };

    return QUEUE(&RETRIES_DELETE, args);
}

bool db_skips_put(struct db *db, struct arena *a, int64_t stream, int64_t group, const struct skip_row *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), INT8S(chunk_id), INT4S(partition), INT4S(n), BYTEAS(offsets),
                                BYTEAS(keys) };

    return QUEUE(&SKIPS_PUT, args);
}

bool db_skips_delete(struct db *db, struct arena *a, int64_t stream, int64_t group, const int64_t *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), arg_int8_array(a, v, sizeof *v, n) };

    return QUEUE(&SKIPS_DELETE, args);
}

bool db_group_page(struct db *db, struct arena *a, int64_t stream, const struct page_plan *p)
{
    const struct arg args[] = { arg_int8(stream), arg_int4_array(a, p->partitions, sizeof *p->partitions, p->n),
                                arg_int8_array(a, p->from, sizeof *p->from, p->n), arg_int8(p->limit),
                                arg_int8(p->small ? p->bytes / p->limit : p->bytes) };

    return QUEUE(p->small ? &GROUP_PAGE_SMALL : &GROUP_PAGE, args);
}

bool db_group_event_withheld(const struct rows *r, int i)
{
    return row_null(r, i, 8);
}

bool db_events_at(struct db *db, struct arena *a, int64_t stream, const struct group_place *v, size_t stride, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int4_array(a, &v->partition, stride, n),
                                arg_int8_array(a, &v->offset, stride, n) };

    return QUEUE(&EVENTS_AT, args);
}

bool db_keys_at(struct db *db, struct arena *a, int64_t stream, const struct group_place *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), INT4S(partition), INT8S(offset) };

    return QUEUE(&KEYS_AT, args);
}

bool db_letters_at(struct db *db, struct arena *a, int64_t stream, const uint8_t (*letters)[16], size_t stride, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_uuid_array(a, letters, stride, n) };

    return QUEUE(&LETTERS_AT, args);
}

void db_group_event(const struct rows *r, int i, int32_t *ret_first, struct page_row *ret)
{
    *ret_first = row_int4(r, i, 0);
    *ret = (struct page_row){ .offset = row_int8(r, i, 1), .recorded_us = row_time(r, i, 2), .id = row_text(r, i, 3),
                              .source = row_text(r, i, 4), .type = row_text(r, i, 5), .subject = row_text(r, i, 6),
                              .version = row_null(r, i, 7) ? 0 : row_int8(r, i, 7), .attributes = row_text(r, i, 8),
                              .data_format = row_int2(r, i, 9), .data = row_text(r, i, 10) };
}

bool db_earliest_of(struct db *db, struct arena *a, int64_t stream, const int32_t *partitions, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int4_array(a, partitions, sizeof *partitions, n) };

    return QUEUE(&EARLIEST_OF, args);
}

bool db_letters_known(struct db *db, struct arena *a, int64_t stream, struct slice group_name,
                      const struct death_row *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_text(group_name), INT4S(at.partition), INT8S(at.offset) };

    return QUEUE(&LETTERS_KNOWN, args);
}

bool db_letters_bury(struct db *db, struct arena *a, int64_t stream, int64_t group, struct slice group_name, int64_t now_us,
                     const struct death_row *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), arg_text(group_name), arg_time(now_us), UUIDS(letter),
                                INT4S(at.partition), INT8S(at.offset), INT8S(key), TEXTS(reason), TEXTS(error),
                                TEXTS(error_type), TEXTS(masked), TEXTS(entry) };

    return QUEUE(&LETTERS_BURY, args);
}

bool db_letters_park(struct db *db, struct arena *a, int64_t stream, int64_t group, struct slice group_name, int64_t now_us,
                     const struct death_row *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int8(group), arg_text(group_name), arg_time(now_us), UUIDS(letter),
                                INT4S(at.partition), INT8S(at.offset), INT4S(at.round), TEXTS(reason), TEXTS(error),
                                TEXTS(error_type), TEXTS(masked), TEXTS(entry) };

    return QUEUE(&LETTERS_PARK, args);
}

bool db_letters_resolve(struct db *db, struct arena *a, int64_t stream, int64_t now_us, const uint8_t (*letters)[16],
                        size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_time(now_us), arg_uuid_array(a, letters, sizeof *letters, n) };

    return QUEUE(&LETTERS_RESOLVE, args);
}
