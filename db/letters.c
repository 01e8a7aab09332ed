#include "db/letters.h"

#include "gateway/base/glob.h"
#include "gateway/base/uuid.h"
#include "sql.h"

#define LETTER_COLUMNS                                                                                                            \
    "uuid text int2 text text uuid bool text int4 text timestamptz timestamptz int4 int8 timestamptz text text text text int8"  \
    " text int2 bytea bytea"
#define FILTER_ARGS "text int2 text text text uuid timestamptz timestamptz"

const struct stmt LETTERS_LIST = { "letters_list", SQL_LETTERS_LIST, "int8 uuid " FILTER_ARGS " int8 int8",
                                   LETTER_COLUMNS " int8" };
const struct stmt LETTER_GET = { "letter_get", SQL_LETTER_GET, "int8 uuid", LETTER_COLUMNS };
const struct stmt LETTER_LOCK = { "letter_lock", SQL_LETTER_LOCK, "int8 uuid", LETTER_COLUMNS };
const struct stmt LETTERS_SUMMARY = { "letters_summary", SQL_LETTERS_SUMMARY, "int8 int8 " FILTER_ARGS " uuid int8",
                                      "uuid int8 text text text text int8 int8 int8 int8 bool uuid timestamptz uuid" };
const struct stmt LETTERS_MATCH = { "letters_match", SQL_LETTERS_MATCH, "int8 uuid " FILTER_ARGS " uuid int8", "uuid" };
const struct stmt LETTERS_COUNT = { "letters_count", SQL_LETTERS_COUNT, "int8 uuid " FILTER_ARGS, "int8 uuid" };

static const uint8_t first_id[16];
static const uint8_t last_id[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

/* The statements' $3 to $10. */
#define FILTER_AT 2
#define FILTER_N 8
#define ARGS_MAX (FILTER_AT + FILTER_N + 2)

static bool filter_args(struct arena *a, const struct letter_filter *f, struct arg args[ARGS_MAX])
{
    struct slice type = f->type.p ? glob_like(a, f->type) : SLICE_NONE;
    struct slice subject = f->subject.p ? glob_like(a, f->subject) : SLICE_NONE;
    struct arg *at = args + FILTER_AT;

    *at++ = arg_text(f->group);
    *at++ = f->state < 0 ? arg_null() : arg_int2((int16_t)f->state);
    *at++ = arg_text(f->reason);
    *at++ = arg_text(type);
    *at++ = arg_text(subject);
    *at++ = f->has_fingerprint ? arg_uuid(f->fingerprint) : arg_null();
    *at++ = f->from_us ? arg_time(f->from_us) : arg_null();
    *at++ = f->to_us ? arg_time(f->to_us) : arg_null();
    return !f->type.p == !type.p && !f->subject.p == !subject.p;
}

void db_letter_row(const struct rows *r, int i, struct letter_row *ret)
{
    *ret = (struct letter_row){
        .group = row_text(r, i, 1),
        .state = row_int2(r, i, 2),
        .reason = row_text(r, i, 3),
        .error = row_text(r, i, 4),
        .poison = row_bool(r, i, 6),
        .attempts = row_text(r, i, 7),
        .redrives = row_int4(r, i, 8),
        .note = row_text(r, i, 9),
        .dead_us = row_time(r, i, 10),
        .updated_us = row_time(r, i, 11),
        .partition = row_int4(r, i, 12),
        .offset = row_int8(r, i, 13),
        .recorded_us = row_time(r, i, 14),
        .id = row_text(r, i, 15),
        .source = row_text(r, i, 16),
        .type = row_text(r, i, 17),
        .subject = row_text(r, i, 18),
        .version = row_int8(r, i, 19),
        .attributes = row_text(r, i, 20),
        .data_format = row_int2(r, i, 21),
        .data = row_text(r, i, 22),
        .original = row_text(r, i, 23),
    };
    memcpy(ret->letter_id, row_uuid(r, i, 0), sizeof ret->letter_id);
    memcpy(ret->fingerprint, row_uuid(r, i, 5), sizeof ret->fingerprint);
}

enum err db_letters_list(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f, const uint8_t *before,
                         int64_t limit, int64_t bytes, struct rows *ret, bool *ret_more, struct fault *fault)
{
    struct arg args[ARGS_MAX] = { arg_int8(stream_id), arg_uuid(before ? before : last_id), [10] = arg_int8(limit),
                                  [11] = arg_int8(bytes) };
    enum err e = filter_args(a, f, args) ? db_exec(db, &LETTERS_LIST, args, ret, fault) : ERR_NO_MEMORY;

    if (!e)
        *ret_more = ret->n && row_int8(ret, 0, 24) > ret->n;
    return e;
}

enum err db_letter_get(struct db *db, int64_t stream_id, const uint8_t id[16], bool lock, struct rows *ret, struct fault *f)
{
    const struct arg args[] = { arg_int8(stream_id), arg_uuid(id) };
    enum err e = db_exec(db, lock ? &LETTER_LOCK : &LETTER_GET, args, ret, f);
    char text[UUID_TEXT];

    if (!e && ret->n == 0) {
        rows_free(ret);
        uuid_format(id, text);
        e = fault(f, ERR_UNKNOWN_LETTER, "The stream has no dead letter %s.", text);
    }
    return e;
}

static bool read_kind(struct arena *a, const struct rows *r, int i, struct letter_kind *k)
{
    memcpy(k->fingerprint, row_uuid(r, i, 0), sizeof k->fingerprint);
    k->count = row_int8(r, i, 1);
    k->group = arena_slice(a, row_text(r, i, 2));
    k->type = arena_slice(a, row_text(r, i, 3));
    k->error_type = arena_slice(a, row_text(r, i, 4));
    k->error_masked = arena_slice(a, row_text(r, i, 5));
    for (int s = 0; s < LETTER_STATES; s++)
        k->states[s] = row_int8(r, i, 6 + s);
    k->poison = row_bool(r, i, 10);
    k->first_us = uuid7_ms(row_uuid(r, i, 11)) * 1000;
    k->last_us = row_time(r, i, 12);
    k->first_us = k->first_us < k->last_us ? k->first_us : k->last_us; /* its time is of another clock */
    memcpy(k->sample, row_uuid(r, i, 13), sizeof k->sample);
    return k->group.p && k->type.p && k->error_type.p && k->error_masked.p;
}

enum err db_letters_summary(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f,
                            const struct letter_kind *after, int64_t limit, struct letter_kind **ret, size_t *ret_n,
                            struct fault *fault)
{
    struct arg args[ARGS_MAX] = { arg_int8(stream_id), arg_int8(after ? after->count : INT64_MAX),
                                  [10] = arg_uuid(after ? after->fingerprint : last_id), [11] = arg_int8(limit) };
    struct rows r = { 0 };
    struct letter_kind *v = NULL;
    enum err e = filter_args(a, f, args) ? db_exec(db, &LETTERS_SUMMARY, args, &r, fault) : ERR_NO_MEMORY;

    if (!e && !(v = arena_zalloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        if (!read_kind(a, &r, i, &v[i]))
            e = ERR_NO_MEMORY;
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_letters_match(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f, const uint8_t *after,
                          const uint8_t *upto, int64_t limit, uint8_t (**ret)[16], size_t *ret_n, struct fault *fault)
{
    struct arg args[ARGS_MAX] = { arg_int8(stream_id), arg_uuid(after ? after : first_id),
                                  [10] = arg_uuid(upto ? upto : last_id), [11] = arg_int8(limit) };
    struct rows r = { 0 };
    uint8_t (*v)[16] = NULL;
    enum err e = filter_args(a, f, args) ? db_exec(db, &LETTERS_MATCH, args, &r, fault) : ERR_NO_MEMORY;

    if (!e && !(v = arena_alloc(a, (size_t)(r.n + 1) * sizeof *v)))
        e = ERR_NO_MEMORY;
    for (int i = 0; !e && i < r.n; i++)
        memcpy(v[i], row_uuid(&r, i, 0), sizeof v[i]);
    if (!e) {
        *ret = v;
        *ret_n = (size_t)r.n;
    }
    rows_free(&r);
    return e;
}

enum err db_letters_count(struct db *db, struct arena *a, int64_t stream_id, const struct letter_filter *f, int64_t *ret_count,
                          uint8_t ret_last[16], struct fault *fault)
{
    struct arg args[ARGS_MAX] = { arg_int8(stream_id), arg_uuid(first_id) };
    struct rows r = { 0 };
    enum err e = filter_args(a, f, args) ? db_exec(db, &LETTERS_COUNT, args, &r, fault) : ERR_NO_MEMORY;

    if (!e) {
        *ret_count = row_int8(&r, 0, 0);
        memcpy(ret_last, row_null(&r, 0, 1) ? first_id : row_uuid(&r, 0, 1), sizeof first_id);
    }
    rows_free(&r);
    return e;
}
