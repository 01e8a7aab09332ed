#include "db/sagas.h"

#include "sql.h"

/* What a transaction of instances writes. */

#define KEYS "int8[] text[] "
#define STEPS KEYS "int2[] int2[] int2[] int4[] int2[] int8[] int8[] "
#define STEP_ENDS "text[] text[] text[] text[] text[] int8[] int8[] int8[] int4[] text[]"

const struct stmt SAGA_INSTANCES_INSERT = { "saga_instances_insert", SQL_SAGA_INSTANCES_INSERT,
    KEYS "int4[] int2[] int2[] int8[] text[] uuid[] text[] text[] int8[] int8[] int8[] int8[]", "" };
const struct stmt SAGA_INSTANCES_UPDATE = { "saga_instances_update", SQL_SAGA_INSTANCES_UPDATE,
    KEYS "int2[] int2[] int8[] text[] int8[] int8[] int8[]", "" };
const struct stmt SAGA_STEPS_INSERT = { "saga_steps_insert", SQL_SAGA_STEPS_INSERT, STEPS "text[] " STEP_ENDS " text[]", "" };
const struct stmt SAGA_STEPS_UPDATE = { "saga_steps_update", SQL_SAGA_STEPS_UPDATE, STEPS "int4[] " STEP_ENDS, "" };
const struct stmt SAGA_HISTORY_ADD = { "saga_history_add", SQL_SAGA_HISTORY_ADD,
    KEYS "int8[] int2[] int8[] text[] text[] text[] text[] text[] text[] int4[]", "" };

/* A column of an array of rows, by the type of its member. */
#define COL(type, member) arg_##type##_array(a, &v->member, sizeof *v, n)
#define COL_OR_NULL(member, none) arg_int8_array_nullif(a, &v->member, sizeof *v, n, none)
#define KEY_COLS COL(int8, key.saga_id), COL(text, key.id)

bool db_saga_instances_insert(struct db *db, struct arena *a, const struct saga_instance_row *v, size_t n)
{
    const struct arg args[] = { KEY_COLS, COL(int4, version), COL(int2, state), COL(int2, pivot_sent), COL(int8, seq),
                                COL(text, input), COL(uuid, hash), COL(text, cause), COL(text, traceparent),
                                COL_OR_NULL(deadline_us, INT64_MAX), COL(int8, created_us), COL(int8, updated_us),
                                COL_OR_NULL(ended_us, 0) };

    return db_queue_kept(db, a, &SAGA_INSTANCES_INSERT, args, sizeof args / sizeof *args);
}

bool db_saga_instances_update(struct db *db, struct arena *a, const struct saga_instance_row *v, size_t n)
{
    const struct arg args[] = { KEY_COLS, COL(int2, state), COL(int2, pivot_sent), COL(int8, seq), COL(text, cause),
                                COL_OR_NULL(deadline_us, INT64_MAX), COL(int8, updated_us), COL_OR_NULL(ended_us, 0) };

    return db_queue_kept(db, a, &SAGA_INSTANCES_UPDATE, args, sizeof args / sizeof *args);
}

static bool put_steps(struct db *db, struct arena *a, const struct stmt *s, struct arg tenth, const struct saga_step_row *v,
                      size_t n)
{
    const struct arg args[] = { KEY_COLS, COL(int2, step), COL(int2, kind), COL(int2, status), COL(int4, attempts),
                                COL(int2, unknown), COL_OR_NULL(due_us, INT64_MAX), COL(int8, owner), tenth, COL(text, result),
                                COL(text, error), COL(text, early), COL(text, request), COL(text, answer),
                                COL_OR_NULL(begun_us, 0), COL_OR_NULL(ended_us, 0), COL_OR_NULL(ended_seq, 0), COL(int4, round),
                                COL(text, event), COL(text, awaits) };
    const size_t all = sizeof args / sizeof *args;

    return db_queue_kept(db, a, s, args, s == &SAGA_STEPS_INSERT ? all : all - 1);
}

bool db_saga_steps_insert(struct db *db, struct arena *a, const struct saga_step_row *v, size_t n)
{
    return put_steps(db, a, &SAGA_STEPS_INSERT, COL(text, target), v, n);
}

bool db_saga_steps_update(struct db *db, struct arena *a, const struct saga_step_row *v, size_t n)
{
    return put_steps(db, a, &SAGA_STEPS_UPDATE, COL(int4, texts), v, n);
}

bool db_saga_history_add(struct db *db, struct arena *a, const struct saga_history_row *v, size_t n)
{
    const struct arg args[] = { KEY_COLS, COL(int8, seq), COL(int2, n), COL(int8, at_us), COL(text, type), COL(text, step),
                                COL(text, data), COL(text, name), COL(text, traceparent), COL(text, told), COL(int4, nth) };

    return db_queue_kept(db, a, &SAGA_HISTORY_ADD, args, sizeof args / sizeof *args);
}
