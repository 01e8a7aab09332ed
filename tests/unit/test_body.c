#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/http/body.h"

struct stream {
    struct slice description, labels;
    int64_t partitions, retention_us;
    bool retention_given, retention_null, auto_create;
    int validation;
    double share;
    struct strings types;
    bool no_retry;
    struct slice word;
    struct retry {
        int64_t initial_us, rounds;
        double factor;
        bool given;
    } retry;
};

#define NO SIZE_MAX

#define IN_RETRY(member) offsetof(struct retry, member)

static const struct field type = { "", F_STRING, 0, false, 1, 5, NULL, NO, false, NO };
static const struct field retry_fields[] = {
    { "initial", F_DURATION, IN_RETRY(initial_us), true, 1, US_PER_S, NULL, NO, false, NO },
    { "rou/nds", F_INT, IN_RETRY(rounds), false, 1, 9, NULL, IN_RETRY(given), false, NO },
    { "factor", F_NUMBER, IN_RETRY(factor), false, 1, 100, NULL, NO, false, NO },
    { 0 },
};
static const struct field fields[] = {
    { "description", F_STRING, offsetof(struct stream, description), false, 1, 10, NULL, NO, false, NO },
    { "labels", F_LABELS, offsetof(struct stream, labels), false, 0, 40, NULL, NO, false, NO },
    { "partitions", F_INT, offsetof(struct stream, partitions), true, 1, 64, NULL, NO, false, NO },
    { "retention", F_DURATION, offsetof(struct stream, retention_us), false, US_PER_S, 86400 * US_PER_S, "forever",
      offsetof(struct stream, retention_given), true, offsetof(struct stream, retention_null) },
    { "auto~/x", F_BOOL, offsetof(struct stream, auto_create), false, 0, 0, NULL, NO, false, NO },
    { "validation", F_ENUM, offsetof(struct stream, validation), false, 0, 0, "off warn enforce", NO, false, NO },
    { "share", F_NUMBER, offsetof(struct stream, share), false, 0, 1, NULL, NO, false, NO },
    { "types", F_STRINGS, offsetof(struct stream, types), false, 1, 3, &type, NO, false, NO },
    { "retry", F_STRING, offsetof(struct stream, word), false, 1, 9, NULL, NO, true, offsetof(struct stream, no_retry) },
    { "retry", F_OBJECT, offsetof(struct stream, retry), false, 0, 0, retry_fields, NO, false, NO },
    { 0 },
};

struct world {
    struct arena *arena;
    struct stream s;
    struct fault f;
};

static int start(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    if (!w || !(w->arena = arena_new(65536)))
        return -1;
    *state = w;
    return 0;
}

static int stop(void **state)
{
    struct world *w = *state;

    arena_free(w->arena);
    free(w);
    return 0;
}

static enum err fill(struct world *w, const char *text)
{
    w->s = (struct stream){ .retention_us = 7 };
    w->f = (struct fault){ 0 };
    return body_fill(w->arena, slice_of(text), fields, &w->s, &w->f);
}

static void assert_bad(struct world *w, const char *text, const char *pointer)
{
    assert_int_equal(fill(w, text), ERR_BAD_BODY);
    assert_string_equal(w->f.pointer, pointer);
    assert_true(w->f.detail[0] != '\0');
}

static void every_type_lands_in_its_member(void **state)
{
    struct world *w = *state;

    assert_int_equal(fill(w, "{\"description\":\"a\\u00e4\",\"labels\":{\"k\":\"v\"},\"partitions\":64,"
                             "\"retention\":\"30s\",\"auto~/x\":true,\"validation\":\"enforce\"}"),
                     OK);
    assert_true(slice_is(w->s.description, "a\xc3\xa4"));
    assert_true(slice_is(w->s.labels, "{\"k\":\"v\"}"));
    assert_int_equal(w->s.partitions, 64);
    assert_int_equal(w->s.retention_us, 30 * US_PER_S);
    assert_true(w->s.retention_given && !w->s.retention_null && w->s.auto_create);
    assert_int_equal(w->s.validation, 2);
}

static void absent_members_keep_their_defaults_and_null_is_told_apart(void **state)
{
    struct world *w = *state;

    assert_int_equal(fill(w, "{\"partitions\":1}"), OK);
    assert_int_equal(w->s.retention_us, 7);
    assert_false(w->s.retention_given || w->s.retention_null);
    assert_int_equal(fill(w, "{\"partitions\":1,\"retention\":null}"), OK);
    assert_true(w->s.retention_null && !w->s.retention_given);
    assert_int_equal(fill(w, "{\"partitions\":1,\"retention\":\"forever\"}"), OK);
    assert_int_equal(w->s.retention_us, -1);
}

static void what_is_wrong_is_pointed_at(void **state)
{
    struct world *w = *state;

    assert_bad(w, "{\"partitions\":1,\"partition\":2}", "/partition");
    assert_bad(w, "{}", "/partitions");
    assert_bad(w, "{\"partitions\":null}", "/partitions");
    assert_bad(w, "{\"partitions\":0}", "/partitions");
    assert_bad(w, "{\"partitions\":65}", "/partitions");
    assert_bad(w, "{\"partitions\":1.0}", "/partitions");
    assert_bad(w, "{\"partitions\":\"1\"}", "/partitions");
    assert_bad(w, "{\"partitions\":1,\"description\":\"\"}", "/description");
    assert_bad(w, "{\"partitions\":1,\"description\":\"01234567890\"}", "/description");
    assert_bad(w, "{\"partitions\":1,\"retention\":\"1ms\"}", "/retention");
    assert_bad(w, "{\"partitions\":1,\"retention\":30}", "/retention");
    assert_bad(w, "{\"partitions\":1,\"auto~/x\":1}", "/auto~0~1x");
    assert_bad(w, "{\"partitions\":1,\"validation\":\"on\"}", "/validation");
    assert_bad(w, "{\"partitions\":1,\"labels\":{\"k\":1}}", "/labels");
    assert_bad(w, "{\"partitions\":1,\"labels\":[]}", "/labels");
    assert_bad(w, "{\"partitions\":1,\"labels\":{\"k\":\"0123456789012345678901234567890123456789\"}}", "/labels");
}

static void numbers_arrays_and_objects_land_in_theirs(void **state)
{
    struct world *w = *state;

    assert_int_equal(fill(w, "{\"partitions\":1,\"share\":0.25,\"types\":[\"a\\u00e4\",\"b\"],"
                             "\"retry\":{\"rou/nds\":3,\"initial\":\"5ms\",\"factor\":2}}"),
                     OK);
    assert_true(w->s.share == 0.25 && w->s.types.n == 2);
    assert_true(slice_is(w->s.types.v[0], "a\xc3\xa4") && slice_is(w->s.types.v[1], "b"));
    assert_true(w->s.retry.initial_us == 5000 && w->s.retry.rounds == 3 && w->s.retry.factor == 2.0 && w->s.retry.given);
    assert_int_equal(fill(w, "{\"partitions\":1,\"retry\":\"never\"}"), OK);
    assert_true(slice_is(w->s.word, "never") && !w->s.retry.given);
    assert_int_equal(fill(w, "{\"partitions\":1,\"share\":1,\"retry\":null}"), OK);
    assert_true(w->s.share == 1.0 && w->s.no_retry && !w->s.retry.given && w->s.types.n == 0);
}

static void what_is_wrong_inside_is_pointed_at_too(void **state)
{
    struct world *w = *state;

    assert_bad(w, "{\"partitions\":1,\"share\":1.01}", "/share");
    assert_bad(w, "{\"partitions\":1,\"share\":-1e-9}", "/share");
    assert_bad(w, "{\"partitions\":1,\"share\":\"1\"}", "/share");
    assert_bad(w, "{\"partitions\":1,\"types\":\"a\"}", "/types");
    assert_bad(w, "{\"partitions\":1,\"types\":[]}", "/types");
    assert_bad(w, "{\"partitions\":1,\"types\":[\"a\",\"b\",\"c\",\"d\"]}", "/types");
    assert_bad(w, "{\"partitions\":1,\"types\":[\"a\",1]}", "/types/1");
    assert_bad(w, "{\"partitions\":1,\"types\":[\"a\",null]}", "/types/1");
    assert_bad(w, "{\"partitions\":1,\"types\":[\"a\",\"b\",\"\"]}", "/types/2");
    assert_bad(w, "{\"partitions\":1,\"types\":[\"123456\"]}", "/types/0");
    assert_bad(w, "{\"partitions\":1,\"retry\":[]}", "/retry");
    assert_bad(w, "{\"partitions\":1,\"retry\":{}}", "/retry/initial");
    assert_bad(w, "{\"partitions\":1,\"retry\":{\"initial\":\"2s\"}}", "/retry/initial");
    assert_bad(w, "{\"partitions\":1,\"retry\":{\"initial\":\"1s\",\"rou/nds\":0}}", "/retry/rou~1nds");
    assert_bad(w, "{\"partitions\":1,\"retry\":{\"initial\":\"1s\",\"factor\":null}}", "/retry/factor");
    assert_bad(w, "{\"partitions\":1,\"retry\":{\"initial\":\"1s\",\"first\":1}}", "/retry/first");
    assert_int_equal(fill(w, "{\"partitions\":1,\"retry\":{\"initial\":\"1s\",\"initial\":\"1s\"}}"), ERR_BAD_BODY);
}

static void a_name_too_long_to_show_goes_without_pointer(void **state)
{
    char text[600] = "{\"";

    memset(text + 2, 'n', 400);
    strcat(text, "\":1}");
    assert_bad(*state, text, "");
    snprintf(text, sizeof text, "{\"partitions\":1,\"retry\":{\"%0193d\":1}}", 0);
    assert_bad(*state, text, "");
    snprintf(text, sizeof text, "{\"partitions\":1,\"retry\":{\"%0198d\":1}}", 0);
    assert_bad(*state, text, "/retry");
}

static void only_one_json_object_without_duplicates_is_taken(void **state)
{
    char deep[300];

    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = '\0';
    assert_int_equal(fill(*state, ""), ERR_BAD_JSON);
    assert_int_equal(fill(*state, "{\"partitions\":1"), ERR_BAD_JSON);
    assert_int_equal(fill(*state, "{\"partitions\":1} x"), ERR_BAD_JSON);
    assert_int_equal(fill(*state, "{\"partitions\":01}"), ERR_BAD_JSON);
    assert_int_equal(fill(*state, deep), ERR_BAD_JSON);
    assert_int_equal(fill(*state, "[]"), ERR_BAD_BODY);
    assert_int_equal(fill(*state, "1"), ERR_BAD_BODY);
    assert_int_equal(fill(*state, "{\"partitions\":1,\"p\\u0061rtitions\":2}"), ERR_BAD_BODY);
    assert_int_equal(fill(*state, "{\"partitions\":9223372036854775808}"), ERR_BAD_BODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_lands_in_its_member),
        cmocka_unit_test(absent_members_keep_their_defaults_and_null_is_told_apart),
        cmocka_unit_test(what_is_wrong_is_pointed_at),
        cmocka_unit_test(numbers_arrays_and_objects_land_in_theirs),
        cmocka_unit_test(what_is_wrong_inside_is_pointed_at_too),
        cmocka_unit_test(a_name_too_long_to_show_goes_without_pointer),
        cmocka_unit_test(only_one_json_object_without_duplicates_is_taken),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
