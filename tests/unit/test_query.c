#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/http/query.h"

static const struct route route = { .op = "read", .query = "after limit type* wait from_time on" };

static enum err parse(struct request *rq, const char *text)
{
    if (rq->arena)
        arena_free(rq->arena);
    *rq = (struct request){ .route = &route, .arena = arena_new(65536) };
    assert_non_null(rq->arena);
    return query_parse(rq, slice_of(text));
}

static void parameters_are_decoded_and_repeatable(void **state)
{
    struct request rq = { 0 };
    struct slice all[2];

    (void)state;
    assert_int_equal(parse(&rq, "&after=a%2Bb+c&type=x&type=y%26z&&type=&limit"), OK);
    assert_true(slice_is(request_query(&rq, "after"), "a+b c"));
    assert_int_equal(request_query_all(&rq, "type", all, 2), 3);
    assert_true(slice_is(all[0], "x") && slice_is(all[1], "y&z"));
    assert_true(slice_is(request_query(&rq, "limit"), "") && request_query(&rq, "limit").p);
    assert_null(request_query(&rq, "wait").p);
    assert_int_equal(query_check(&rq), OK);
    assert_int_equal(parse(&rq, ""), OK);
    assert_int_equal(rq.query_count, 0);
    arena_free(rq.arena);
}

static void unknown_parameters_and_bad_escapes_are_refused(void **state)
{
    static const char *const bad[] = { "after=%", "after=%0", "%zz=1", "after=%00", "after=%ff" };
    struct request rq = { 0 };
    char many[1024];

    (void)state;
    assert_int_equal(parse(&rq, "afte=1"), OK);
    assert_int_equal(query_check(&rq), ERR_BAD_PARAMETER);
    assert_string_equal(rq.fault.detail, "There is no query parameter \"afte\" here.");
    assert_int_equal(parse(&rq, "after=1&type=a&after=2"), OK);
    assert_int_equal(query_check(&rq), ERR_BAD_PARAMETER);
    assert_string_equal(rq.fault.detail, "The query parameter \"after\" may be given once.");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(&rq, bad[i]), ERR_BAD_PARAMETER);
    memset(many, '&', sizeof many);
    many[QUERY_ARGS_MAX - 1] = '\0';
    assert_int_equal(parse(&rq, many), OK);
    many[QUERY_ARGS_MAX - 1] = '&';
    many[QUERY_ARGS_MAX] = '\0';
    assert_int_equal(parse(&rq, many), ERR_BAD_PARAMETER);
    arena_free(rq.arena);
}

static void integers_keep_their_bounds(void **state)
{
    struct request rq = { 0 };
    int64_t v = 100;
    static const char *const bad[] = { "limit=", "limit=0", "limit=10001", "limit=1.5", "limit=x", "limit=1&limit=2",
                                       "limit=99999999999999999999" };

    (void)state;
    parse(&rq, "wait=1s");
    assert_int_equal(request_query_int(&rq, "limit", 1, 10000, &v), OK);
    assert_int_equal(v, 100);
    parse(&rq, "limit=10000");
    assert_int_equal(request_query_int(&rq, "limit", 1, 10000, &v), OK);
    assert_int_equal(v, 10000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        parse(&rq, bad[i]);
        assert_int_equal(request_query_int(&rq, "limit", 1, 10000, &v), ERR_BAD_PARAMETER);
    }
    assert_int_equal(v, 10000);
    arena_free(rq.arena);
}

static void durations_times_and_truth_are_typed(void **state)
{
    struct request rq = { 0 };
    int64_t us = 0, at = 0, same = 0;
    bool on = false;

    (void)state;
    parse(&rq, "wait=60s&on=true&from_time=2026-01-02T03:04:05+02:00");
    assert_int_equal(request_query_duration(&rq, "wait", 60 * US_PER_S, &us), OK);
    assert_int_equal(us, 60 * US_PER_S);
    assert_int_equal(request_query_duration(&rq, "wait", 59 * US_PER_S, &us), ERR_BAD_PARAMETER);
    assert_int_equal(request_query_bool(&rq, "on", &on), OK);
    assert_true(on);
    assert_int_equal(request_query_time(&rq, "from_time", &at), OK);
    assert_true(clock_parse(SLICE("2026-01-02T01:04:05Z"), &same));
    assert_int_equal(at, same);
    parse(&rq, "wait=60&on=yes&from_time=yesterday");
    assert_int_equal(request_query_duration(&rq, "wait", 60 * US_PER_S, &us), ERR_BAD_PARAMETER);
    assert_int_equal(request_query_bool(&rq, "on", &on), ERR_BAD_PARAMETER);
    assert_int_equal(request_query_time(&rq, "from_time", &at), ERR_BAD_PARAMETER);
    arena_free(rq.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_decoded_and_repeatable),
        cmocka_unit_test(unknown_parameters_and_bad_escapes_are_refused),
        cmocka_unit_test(integers_keep_their_bounds),
        cmocka_unit_test(durations_times_and_truth_are_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
