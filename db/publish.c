#include "db/publish.h"

#include "db/streams.h"
#include "gateway/base/clock.h"
#include "sql.h"

#define MANY 200 /* from so many events on log_append_many is the faster one */
#define WEEK_US (7 * 24 * 3600 * US_PER_S)

const struct stmt HEADS_LOCK = { "heads_lock", SQL_HEADS_LOCK, "int8 int4[]", "int4 int8 timestamptz" };
const struct stmt HEADS_ADVANCE = { "heads_advance", SQL_HEADS_ADVANCE, "int8 int4[] int8[] int8[] int8[] timestamptz",
                                    "int4 int8 timestamptz" };
const struct stmt HEADS_SET = { "heads_set", SQL_HEADS_SET, "int8 int4[] int8[] timestamptz[] int8[]", "" };
const struct stmt EVENTS_APPEND = { "events_append", SQL_EVENTS_APPEND,
                                    "int8 int4[] int8[] text[] text[] text[] text[] int2[] bytea[]", "" };
#define LOG_APPEND_ARGS "int8 int4 int8 timestamptz int8 text[] text[] text[] text[] int2[] bytea[] int8"
const struct stmt LOG_APPEND = { "log_append", SQL_LOG_APPEND, LOG_APPEND_ARGS, "int4 int8 timestamptz void" };
const struct stmt LOG_APPEND_MANY = { "log_append_many", SQL_LOG_APPEND_MANY, LOG_APPEND_ARGS, "int4 int8 timestamptz void" };
const struct stmt EVENTS_INSERT = { "events_insert", SQL_EVENTS_INSERT,
                                    "int8 bool int4[] int8[] timestamptz[] text[] text[] text[] text[] int8[] text[] int2[] "
                                    "bytea[]",
                                    "" };
const struct stmt DEDUP_LOOK = { "dedup_look", SQL_DEDUP_LOOK, "int8 uuid[] int4",
                                 "int4 uuid int4 int8 int8 timestamptz timestamptz int4" };
const struct stmt DEDUP_EXPIRE = { "dedup_expire", SQL_DEDUP_EXPIRE, "int8 uuid[] int4 timestamptz", "" };
const struct stmt DEDUP_INSERT = { "dedup_insert", SQL_DEDUP_INSERT,
                                   "int8 int4 timestamptz uuid[] uuid[] int4[] int8[] int8[] timestamptz[]", "" };
const struct stmt IDEMPOTENCY_LOOK = { "idempotency_look", SQL_IDEMPOTENCY_LOOK, "int8 uuid[] uuid[]",
                                       "int4 uuid timestamptz int2 bytea text" };
const struct stmt IDEMPOTENCY_EXPIRE = { "idempotency_expire", SQL_IDEMPOTENCY_EXPIRE, "int8 uuid[] timestamptz", "" };
const struct stmt IDEMPOTENCY_INSERT = { "idempotency_insert", SQL_IDEMPOTENCY_INSERT,
                                         "int8 timestamptz uuid[] uuid[] int2[] bytea[] text[]", "" };
const struct stmt SUBJECTS_LOOK = { "subjects_look", SQL_SUBJECTS_LOOK, "int8 text[]", "text int4 int8" };
const struct stmt SUBJECTS_INSERT = { "subjects_insert", SQL_SUBJECTS_INSERT, "int8 text[] int4[] int8[] int8[]", "" };
const struct stmt SUBJECTS_UPDATE = { "subjects_update", SQL_SUBJECTS_UPDATE, "int8 text[] int8[] int8[]", "" };
const struct stmt MONTHS_INSERT = { "months_insert", SQL_MONTHS_INSERT, "int8 int4[] timestamptz[] int8[]", "" };
const struct stmt HEADS_NOTIFY = { "heads_notify", SQL_HEADS_NOTIFY, "int8[] int4[]", "void" };
const struct stmt OUTCOME_LOOK = { "outcome_look", SQL_OUTCOME_LOOK, "int8 int4[] timestamptz text[]",
                                   "int4 int8 timestamptz text text int8" };
const struct stmt BACKEND_END = { "backend_end", SQL_BACKEND_END, "int4 text", "bool" };

#define QUEUE(db, a, s, args) db_queue_kept((db), (a), (s), (args), sizeof(args) / sizeof *(args))

#define INT4S(m) arg_int4_array(a, &v->m, sizeof *v, n)
#define INT8S(m) arg_int8_array(a, &v->m, sizeof *v, n)
#define TIMES(m) arg_time_array(a, &v->m, sizeof *v, n)
#define TEXTS(m) arg_text_array(a, &v->m, sizeof *v, n)
#define UUIDS(m) arg_uuid_array(a, &v->m, sizeof *v, n)
#define VERSIONS(m) arg_int8_array_nullif(a, &v->m, sizeof *v, n, 0)

bool db_heads_lock(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), INT4S(partition) };

    return QUEUE(db, a, &HEADS_LOCK, args);
}

bool db_heads_advance(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n, int64_t now_us)
{
    const struct arg args[] = { arg_int8(stream), INT4S(partition), INT8S(n), INT8S(bytes), INT8S(seen),
                                arg_time(now_us) };

    return QUEUE(db, a, &HEADS_ADVANCE, args);
}

bool db_heads_set(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), INT4S(partition), INT8S(head), TIMES(recorded_us), INT8S(bytes) };

    return QUEUE(db, a, &HEADS_SET, args);
}

bool db_heads_notify(struct db *db, struct arena *a, const int64_t *streams, const int32_t *partitions, size_t n)
{
    const struct arg args[] = { arg_int8_array(a, streams, sizeof *streams, n),
                                arg_int4_array(a, partitions, sizeof *partitions, n) };

    return QUEUE(db, a, &HEADS_NOTIFY, args);
}

bool db_notify_queue(struct db *db, struct arena *a, struct slice payload)
{
    const struct arg args[] = { arg_text(payload) };

    return QUEUE(db, a, &NOTIFY, args);
}

bool db_events_append(struct db *db, struct arena *a, int64_t stream, const struct publish_event *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), INT4S(partition), INT8S(back), TEXTS(id), TEXTS(source), TEXTS(type),
                                TEXTS(attributes), arg_int2_array(a, &v->data_format, sizeof *v, n),
                                arg_bytea_array(a, &v->data, sizeof *v, n) };

    return QUEUE(db, a, &EVENTS_APPEND, args);
}

bool db_log_append(struct db *db, struct arena *a, int64_t stream, const struct publish_head *head, int64_t now_us,
                   const struct publish_event *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int4(head->partition), arg_int8(head->n), arg_time(now_us),
                                arg_int8(head->bytes), TEXTS(id), TEXTS(source), TEXTS(type), TEXTS(attributes),
                                arg_int2_array(a, &v->data_format, sizeof *v, n), arg_bytea_array(a, &v->data, sizeof *v, n),
                                arg_int8(head->seen) };

    return QUEUE(db, a, n < MANY ? &LOG_APPEND : &LOG_APPEND_MANY, args);
}

bool db_events_insert(struct db *db, struct arena *a, int64_t stream, bool subject_reads, const struct publish_event *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_bool(subject_reads), INT4S(partition), INT8S(offset), TIMES(recorded_us),
                                TEXTS(id), TEXTS(source), TEXTS(type), TEXTS(subject), VERSIONS(version), TEXTS(attributes),
                                arg_int2_array(a, &v->data_format, sizeof *v, n), arg_bytea_array(a, &v->data, sizeof *v, n) };

    return QUEUE(db, a, &EVENTS_INSERT, args);
}

static int32_t week_of(int64_t unix_us)
{
    return (int32_t)(unix_us / WEEK_US);
}

bool db_dedup_look(struct db *db, struct arena *a, int64_t stream, const struct publish_id *v, size_t n, int64_t now_us)
{
    const struct arg args[] = { arg_int8(stream), UUIDS(key), arg_int4(week_of(now_us)) };

    return QUEUE(db, a, &DEDUP_LOOK, args);
}

bool db_dedup_expire(struct db *db, struct arena *a, int64_t stream, const struct publish_id *v, size_t n, int64_t now_us)
{
    const struct arg args[] = { arg_int8(stream), UUIDS(key), arg_int4(week_of(now_us)), arg_time(now_us) };

    return QUEUE(db, a, &DEDUP_EXPIRE, args);
}

bool db_dedup_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_id *v, size_t n, int64_t expires_us)
{
    const struct arg args[] = { arg_int8(stream), arg_int4(week_of(expires_us)), arg_time(expires_us), UUIDS(key),
                                UUIDS(fingerprint), INT4S(partition), INT8S(offset), VERSIONS(version), TIMES(recorded_us) };

    return QUEUE(db, a, &DEDUP_INSERT, args);
}

bool db_idempotency_look(struct db *db, struct arena *a, int64_t stream, const struct publish_answer *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), UUIDS(key), UUIDS(fingerprint) };

    return QUEUE(db, a, &IDEMPOTENCY_LOOK, args);
}

bool db_idempotency_expire(struct db *db, struct arena *a, int64_t stream, const struct publish_answer *v, size_t n, int64_t now_us)
{
    const struct arg args[] = { arg_int8(stream), UUIDS(key), arg_time(now_us) };

    return QUEUE(db, a, &IDEMPOTENCY_EXPIRE, args);
}

bool db_idempotency_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_answer *v, size_t n,
                           int64_t expires_us)
{
    const struct arg args[] = { arg_int8(stream), arg_time(expires_us), UUIDS(key), UUIDS(fingerprint),
                                arg_int2_array(a, &v->status, sizeof *v, n), arg_bytea_array(a, &v->answer, sizeof *v, n),
                                TEXTS(cursor) };

    return QUEUE(db, a, &IDEMPOTENCY_INSERT, args);
}

bool db_subjects_look(struct db *db, struct arena *a, int64_t stream, const struct publish_subject *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), TEXTS(subject) };

    return QUEUE(db, a, &SUBJECTS_LOOK, args);
}

bool db_subjects_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_subject *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), TEXTS(subject), INT4S(partition), INT8S(version), INT8S(last_offset) };

    return QUEUE(db, a, &SUBJECTS_INSERT, args);
}

bool db_subjects_update(struct db *db, struct arena *a, int64_t stream, const struct publish_subject *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), TEXTS(subject), INT8S(version), INT8S(last_offset) };

    return QUEUE(db, a, &SUBJECTS_UPDATE, args);
}

bool db_months_insert(struct db *db, struct arena *a, int64_t stream, const struct publish_head *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), INT4S(partition), TIMES(recorded_us), INT8S(first_offset) };

    return QUEUE(db, a, &MONTHS_INSERT, args);
}

bool db_outcome_look(struct db *db, struct arena *a, int64_t stream, const struct publish_head *heads, size_t head_n,
                     int64_t since_us, const struct publish_event *v, size_t n)
{
    const struct arg args[] = { arg_int8(stream), arg_int4_array(a, &heads->partition, sizeof *heads, head_n), arg_time(since_us),
                                TEXTS(id) };

    return QUEUE(db, a, &OUTCOME_LOOK, args);
}

enum err db_backend_end(struct db *db, int pid, const char *application_name, struct fault *f)
{
    const struct arg args[] = { arg_int4(pid), arg_text(slice_of(application_name)) };
    struct rows r = { 0 };
    enum err e = db_exec(db, &BACKEND_END, args, &r, f);

    rows_free(&r);
    return e;
}
