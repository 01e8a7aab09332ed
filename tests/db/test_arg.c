#include <stdlib.h>

#include "gateway/base/clock.h"
#include "tests/db/support.h"

#define N 5000
#define COUNT(x) (sizeof(x) / sizeof *(x))
#define ARENA (8u << 20)

static const struct stmt VALUES = {
    "values", "select $1::bool, $2::int2, $3::int4, $4::int8, $5::timestamptz, $6::text, $7::bytea, $8::uuid, $9::interval,"
              " $10::float8",
    "bool int2 int4 int8 timestamptz text bytea uuid interval float8",
    "bool int2 int4 int8 timestamptz text bytea uuid interval float8"
};
static const struct stmt AS_TEXT = { "as_text", "select $1::timestamptz::text, $2::interval::text, $3::uuid::text",
                                     "timestamptz interval uuid", "text text text" };
static const struct stmt ARRAYS = {
    "arrays",
    "select * from unnest($1::int2[], $2::int4[], $3::int8[], $4::int8[], $5::timestamptz[], $6::text[], $7::bytea[], $8::uuid[])",
    "int2[] int4[] int8[] int8[] timestamptz[] text[] bytea[] uuid[]", "int2 int4 int8 int8 timestamptz text bytea uuid"
};
static const struct stmt *const stmts[] = { &VALUES, &AS_TEXT, &ARRAYS };

/* Columns of an array of structs, as the callers have them. */
struct item {
    int16_t i2;
    int32_t i4;
    int64_t i8, maybe, time;
    struct slice text, bytes;
    uint8_t uuid[16];
};

static struct db_config config;

static int open_all(void **state)
{
    config = test_config();
    *state = db_new_with(&config, stmts, COUNT(stmts));
    return *state ? 0 : -1;
}

static int close_all(void **state)
{
    db_free(*state);
    return 0;
}

static void values_come_back_as_they_went(void **state)
{
    static const uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255 };
    const struct arg args[] = { arg_bool(true),    arg_int2(-2), arg_int4(INT32_MIN), arg_int8(INT64_MIN),
                                arg_time(1),       arg_text(SLICE("")), arg_bytea(SLICE("a\0b")), arg_uuid(uuid),
                                arg_interval_us(5), arg_float8(-0.1) };
    struct rows r;

    assert_ok(db_exec(*state, &VALUES, args, &r, NULL));
    assert_true(row_bool(&r, 0, 0));
    assert_int_equal(row_int2(&r, 0, 1), -2);
    assert_int_equal(row_int4(&r, 0, 2), INT32_MIN);
    assert_true(row_int8(&r, 0, 3) == INT64_MIN);
    assert_int_equal(row_time(&r, 0, 4), 1);
    assert_false(row_null(&r, 0, 5));
    assert_int_equal(row_text(&r, 0, 5).n, 0);
    assert_true(slice_eq(row_text(&r, 0, 6), SLICE("a\0b")));
    assert_memory_equal(row_uuid(&r, 0, 7), uuid, 16);
    assert_true(row_float8(&r, 0, 9) == -0.1);
    rows_free(&r);
}

static void nulls_come_back_as_nulls(void **state)
{
    struct arg args[10];
    struct rows r;

    for (int i = 0; i < 10; i++)
        args[i] = arg_null();
    args[5] = arg_text(SLICE_NONE);
    assert_ok(db_exec(*state, &VALUES, args, &r, NULL));
    for (int i = 0; i < 10; i++)
        assert_true(row_null(&r, 0, i));
    assert_null(row_text(&r, 0, 5).p);
    assert_null(row_uuid(&r, 0, 7));
    assert_int_equal(row_int8(&r, 0, 3), 0);
    rows_free(&r);
}

static void postgresql_understands_times_intervals_and_uuids(void **state)
{
    const struct arg args[] = { arg_time(INT64_C(1769903999000001)), arg_interval_us(3661 * US_PER_S),
                                arg_uuid((const uint8_t *)"0123456789abcdef") };
    struct rows r;

    assert_ok(db_exec(*state, &AS_TEXT, args, &r, NULL));
    assert_true(slice_is(row_text(&r, 0, 0), "2026-01-31 23:59:59.000001+00"));
    assert_true(slice_is(row_text(&r, 0, 1), "01:01:01"));
    assert_true(slice_is(row_text(&r, 0, 2), "30313233-3435-3637-3839-616263646566"));
    rows_free(&r);
}

static void fill(struct item *it, size_t n)
{
    static const char bytes[] = "\0\1\2\3some bytes that are not text\xff";

    for (size_t i = 0; i < n; i++) {
        it[i] = (struct item){
            .i2 = (int16_t)(i * 7), .i4 = -(int32_t)i, .i8 = (int64_t)i << 40, .maybe = i % 3 ? (int64_t)i : -1,
            .time = (int64_t)i * 1000003,
            .text = i % 5 ? (struct slice){ "abcdefghij", i % 11 } : SLICE_NONE,
            .bytes = i % 7 ? (struct slice){ bytes, i % sizeof bytes } : SLICE_NONE,
        };
        memset(it[i].uuid, (int)i, 16);
    }
}

static void bind_columns(struct arena *a, const struct item *it, size_t n, struct arg args[8])
{
    args[0] = arg_int2_array(a, &it->i2, sizeof *it, n);
    args[1] = arg_int4_array(a, &it->i4, sizeof *it, n);
    args[2] = arg_int8_array(a, &it->i8, sizeof *it, n);
    args[3] = arg_int8_array_nullif(a, &it->maybe, sizeof *it, n, -1);
    args[4] = arg_time_array(a, &it->time, sizeof *it, n);
    args[5] = arg_text_array(a, &it->text, sizeof *it, n);
    args[6] = arg_bytea_array(a, &it->bytes, sizeof *it, n);
    args[7] = arg_uuid_array(a, &it->uuid, sizeof *it, n);
}

static void same_slice(const struct rows *r, int row, int col, struct slice s)
{
    assert_int_equal(row_null(r, row, col), !s.p);
    assert_true(slice_eq(row_text(r, row, col), s));
}

static void arrays_of_thousands_with_nulls_come_back_as_they_went(void **state)
{
    struct item *it = calloc(N, sizeof *it);
    struct arena *a = arena_new(ARENA);
    struct arg args[8];
    struct rows r;

    fill(it, N);
    bind_columns(a, it, N, args);
    assert_ok(db_exec(*state, &ARRAYS, args, &r, NULL));
    assert_int_equal(r.n, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(row_int2(&r, i, 0), it[i].i2);
        assert_int_equal(row_int4(&r, i, 1), it[i].i4);
        assert_int_equal(row_int8(&r, i, 2), it[i].i8);
        assert_int_equal(row_null(&r, i, 3), it[i].maybe == -1);
        assert_int_equal(row_int8(&r, i, 3), it[i].maybe == -1 ? 0 : it[i].maybe);
        assert_int_equal(row_time(&r, i, 4), it[i].time);
        same_slice(&r, i, 5, it[i].text);
        same_slice(&r, i, 6, it[i].bytes);
        assert_memory_equal(row_uuid(&r, i, 7), it[i].uuid, 16);
    }
    rows_free(&r);
    arena_free(a);
    free(it);
}

static void empty_arrays_are_arrays(void **state)
{
    struct arena *a = arena_new(ARENA);
    struct item none;
    struct arg args[8];
    struct rows r;

    bind_columns(a, &none, 0, args);
    assert_ok(db_exec(*state, &ARRAYS, args, &r, NULL));
    assert_int_equal(r.n, 0);
    rows_free(&r);
    arena_free(a);
}

static void an_array_without_memory_fails_the_statement(void **state)
{
    struct item *it = calloc(N, sizeof *it);
    struct arena *a = arena_new(1000);
    struct arg args[8];

    bind_columns(a, it, N, args);
    for (int i = 0; i < 8; i++) {
        assert_null(args[i].p);
        assert_int_equal(args[i].n, -1);
    }
    assert_int_equal(db_exec(*state, &ARRAYS, args, NULL, NULL), ERR_NO_MEMORY);
    arena_free(a);
    free(it);
}

static void what_postgresql_cannot_hold_is_refused_here(void **state)
{
    (void)state;
    assert_int_equal(arg_text((struct slice){ "", (size_t)3 << 30 }).n, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back_as_they_went),
        cmocka_unit_test(nulls_come_back_as_nulls),
        cmocka_unit_test(postgresql_understands_times_intervals_and_uuids),
        cmocka_unit_test(arrays_of_thousands_with_nulls_come_back_as_they_went),
        cmocka_unit_test(empty_arrays_are_arrays),
        cmocka_unit_test(an_array_without_memory_fails_the_statement),
        cmocka_unit_test(what_postgresql_cannot_hold_is_refused_here),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
