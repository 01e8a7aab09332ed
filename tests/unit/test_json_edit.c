#include "gateway/base/json.h"
#include "tests/unit/edit_fixture.h"

/* RFC 7396, appendix A, in its order; and as the RFC's examples stand in its text. */
static void the_examples_of_rfc_7396_come_out(void **state)
{
    static const char *const rows[][3] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
        { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { "{\"a\":\"foo\"}", "null", "null" },
        { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
        { "{\n  \"title\": \"Goodbye!\",\n  \"author\" : {\n    \"givenName\" : \"John\",\n    \"familyName\" : \"Doe\"\n  },\n"
          "  \"tags\":[ \"example\", \"sample\" ],\n  \"content\": \"This will be unchanged\"\n}",
          "{ \"title\": \"Hello!\", \"phoneNumber\": \"+01-123-456-7890\", \"author\": { \"familyName\": null }, "
          "\"tags\": [ \"example\" ] }",
          "{\n  \"title\": \"Hello!\",\n  \"author\" : {\n    \"givenName\" : \"John\"\n  },\n"
          "  \"tags\":[ \"example\" ],\n  \"content\": \"This will be unchanged\",\"phoneNumber\":\"+01-123-456-7890\"\n}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_edited(json_merge_patch, rows[i][0], rows[i][1], rows[i][2]);
}

static void bytes_that_a_merge_patch_does_not_name_stay(void **state)
{
    static const char *const rows[][3] = {
        /* spelling of numbers and strings, order, white space */
        { "{\"n\":1.50e+01,\"big\":12345678901234567890123,\"s\":\"\\u0041\\/\",\"x\":0}", "{\"x\":1}",
          "{\"n\":1.50e+01,\"big\":12345678901234567890123,\"s\":\"\\u0041\\/\",\"x\":1}" },
        { " {\t\"z\" : 1 ,\n\"a\" :[ 1 , 2 ]} \n", "{\"a\":2.0}", " {\t\"z\" : 1 ,\n\"a\" :2.0} \n" },
        { "{\"x\":{ }}", "{\"x\":{\"y\":{ \"k\" : 1 }}}", "{\"x\":{\"y\":{ \"k\" : 1 } }}" },
        { "{\"a\":1 }", "{ \"b\" :  2 , \"c\":3}", "{\"a\":1,\"b\":2,\"c\":3 }" },
        /* names are compared without escapes, and written as they were sent */
        { "{\"\\u0061\":1}", "{\"a\":2}", "{\"\\u0061\":2}" },
        { "{}", "{\"\\u0061\":2}", "{\"\\u0061\":2}" },
        { "{\"q\\\"\":1,\"b\":2}", "{\"q\\u0022\":null}", "{\"b\":2}" },
        /* one comma goes along */
        { "{ \"a\":1, \"b\":2, \"c\":3 }", "{\"a\":null}", "{ \"b\":2, \"c\":3 }" },
        { "{ \"a\":1, \"b\":2, \"c\":3 }", "{\"b\":null}", "{ \"a\":1, \"c\":3 }" },
        { "{ \"a\":1, \"b\":2 , \"c\":3 }", "{\"c\":null}", "{ \"a\":1, \"b\":2 }" },
        { "{ \"a\":1, \"b\":2, \"c\":3 }", "{\"a\":null,\"b\":null}", "{ \"c\":3 }" },
        { "{ \"a\":1, \"b\":2, \"c\":3 }", "{\"a\":null,\"c\":null}", "{ \"b\":2 }" },
        { "{ \"a\":1, \"b\":2, \"c\":3 }", "{\"c\":null,\"b\":null}", "{ \"a\":1 }" },
        { "{ \"a\":1, \"b\":2, \"c\":3 }", "{\"c\":null,\"b\":null,\"a\":null}", "{  }" },
        { "{ \"a\":1, \"b\":2 }", "{\"b\":null,\"a\":null,\"c\":3}", "{ \"c\":3 }" },
        { "{ \"a\":1, \"b\":2 }", "{\"b\":null,\"c\":3}", "{ \"a\":1,\"c\":3 }" },
        { "{ \"a\":{\"x\":1}, \"b\":2 }", "{\"a\":{\"x\":null},\"b\":null}", "{ \"a\":{} }" },
        { "{\"a\":1,\"b\":{\"x\":1}}", "{\"a\":null,\"b\":{\"x\":2}}", "{\"b\":{\"x\":2}}" },
        /* of one name the last member counts; all of them are removed */
        { "{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":3}", "{\"a\":1,\"b\":0,\"a\":3}" },
        { "{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":null}", "{\"b\":0}" },
        { "{\"a\":{\"x\":1},\"a\":5}", "{\"a\":{\"x\":2}}", "{\"a\":{\"x\":1},\"a\":{\"x\":2}}" },
        { "{\"a\":1}", "{\"a\":2,\"a\":3}", "{\"a\":3}" },
        { "{}", "{\"a\":2,\"a\":null}", "{}" },
        { "{}", "{\"a\":null,\"a\":2}", "{\"a\":2}" },
        /* what is new has no nulls in its objects, but in its arrays */
        { "1", "{ \"a\": null, \"b\": [ null, {\"c\":null} ], \"d\": {\"e\": null} }",
          "{ \"b\": [ null, {\"c\":null} ], \"d\": {} }" },
        { "{\"o\":1}", "{\"o\":{\"k\":1,\"n\":null}}", "{\"o\":{\"k\":1}}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_edited(json_merge_patch, rows[i][0], rows[i][1], rows[i][2]);
}

static void a_merge_patch_that_changes_nothing_returns_the_value_itself(void **state)
{
    static const char *const rows[][2] = {
        { " { \"a\" : 1.0 } ", "{}" }, { "{\"a\":1}", "{\"b\":null}" }, { "{\"a\":{\"b\":[]}}", "{\"a\":{\"b2\":null}}" },
        { "{\"a\":{}}", "{\"a\":{}}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(edit(json_merge_patch, slice_of(rows[i][0]), slice_of(rows[i][1])), EDIT_OK);
        assert_ptr_equal(edited.text.p, edited.value.p);
        assert_int_equal(edited.text.n, edited.value.n);
    }
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    assert_not_edited(json_merge_patch, "{\"a\":}", "{}", EDIT_BAD_VALUE, "", "line 1, column 6");
    assert_not_edited(json_merge_patch, "{}", "{\n\"a\" 1}", EDIT_BAD_PATCH, "", "line 2, column 5");
    assert_not_edited(json_merge_patch, "{}", "", EDIT_BAD_PATCH, "", "merge patch");
    assert_not_edited(json_merge_patch, "", "{}", EDIT_BAD_VALUE, "", "The value");
    assert_not_edited(json_merge_patch, "{} {}", "{}", EDIT_BAD_VALUE, "", "after the end");
    assert_not_edited(json_merge_patch, "{}", "[[[[[[[[[1]]]]]]]]]", EDIT_BAD_PATCH, "", "deep");
    assert_not_edited(json_merge_patch, "[[[[[[[[[1]]]]]]]]]", "1", EDIT_BAD_VALUE, "", "deep");
    assert_edited(json_merge_patch, "{}", "[[[[[[[[1]]]]]]]]", "[[[[[[[[1]]]]]]]]");
}

static void the_result_is_bounded_to_the_byte(void **state)
{
    (void)state;
    edit_limits.bytes = 14;
    assert_edited(json_merge_patch, "{\"a\":1}", "{\"b\":22}", "{\"a\":1,\"b\":22}");
    assert_not_edited(json_merge_patch, "{\"a\":1}", "{\"b\":223}", EDIT_TOO_LARGE, "", "14 bytes");
    assert_edited(json_merge_patch, "{\"a\":\"twenty or more bytes\"}", "{\"a\":1}", "{\"a\":1}");
    edit_limits.bytes = 4096;
}

/* Quadratic it would take minutes. */
static void a_patch_with_very_many_members_is_merged_at_once(void **state)
{
    enum { MANY = 40000 };
    struct buf value = { 0 }, patch = { 0 };

    (void)state;
    for (int i = 0; i < MANY; i++) {
        buf_printf(&value, "%s\"%d\":1", i ? "," : "{", i);
        buf_printf(&patch, "%s\"%d\":%s", i ? "," : "{", MANY / 2 + i, i % 2 ? "null" : "2");
    }
    buf_char(&value, '}');
    buf_char(&patch, '}');
    edit_limits.bytes = 1 << 20;
    struct arena *a = arena_new(1 << 20);
    struct slice ret = SLICE_NONE;

    struct slice v = { value.p, value.n }, p = { patch.p, patch.n };

    assert_int_equal(json_merge_patch(a, v, p, &edit_limits, &ret, NULL), EDIT_OK);
    edit_limits.bytes = 4096;
    assert_true(oracle_same(oracle_read(ret), oracle_merge(v, p)));
    arena_free(a);
    buf_free(&value);
    buf_free(&patch);
}

/* ---- properties of random edits ---- */

static struct arena *names;      /* unescaped */

/* The next member of an object, from the quote of its name to the end of its value. */
static bool member(struct json *j, struct slice *ret_name, struct slice *ret_value, struct slice *ret_all)
{
    bool escaped;
    const char *begin;

    if (!json_object_next(j, ret_name, &escaped))
        return false;
    begin = ret_name->p - 1;
    assert_true(json_unescape(names, *ret_name, escaped, ret_name) && json_value(j, ret_value));
    *ret_all = (struct slice){ begin, (size_t)(ret_value->p + ret_value->n - begin) };
    return true;
}

/* The last member of this name; how many more there are in the object behind `from`. */
static bool lookup(struct slice object, struct slice name, const char *from, struct slice *ret, int *ret_more)
{
    struct json j;
    struct slice other, value, all;
    bool found = false;

    *ret_more = 0;
    json_begin(&j, object, JSON_DEPTH);
    for (json_object_begin(&j); member(&j, &other, &value, &all);)
        if (slice_eq(name, other)) {
            *ret = value;
            *ret_more += value.p > from;
            found = true;
        }
    return found;
}

static struct slice trimmed(struct slice text)
{
    struct json j;

    json_begin(&j, text, JSON_DEPTH);
    assert_true(json_value(&j, &text));
    return text;
}

/* Members that the patch does not name stand in the result, byte by byte and in their order, before those that are new. */
static void assert_untouched(struct slice before, struct slice after, struct slice patch)
{
    struct json j, k;
    struct slice name, value, all, name2, value2, all2, change, dummy;
    int more, ignored;

    before = trimmed(before);
    after = trimmed(after);
    patch = trimmed(patch);
    if (*before.p != '{' || *patch.p != '{')
        return;
    json_begin(&j, before, JSON_DEPTH);
    json_begin(&k, after, JSON_DEPTH);
    json_object_begin(&j);
    json_object_begin(&k);
    while (member(&j, &name, &value, &all)) {
        bool named = lookup(patch, name, patch.p, &change, &ignored);

        if (named && *change.p == 'n')
            continue;
        lookup(before, name, value.p, &dummy, &more);
        assert_true(member(&k, &name2, &value2, &all2));
        size_t head = named && !more ? (size_t)(value.p - all.p) : all.n;

        assert_true(all2.n >= head);
        assert_memory_equal(all.p, all2.p, head);
        if (named && !more)
            assert_untouched(value, value2, change);
        else
            assert_int_equal(all.n, all2.n);
    }
}

static void random_merges_have_the_value_that_the_oracle_finds_and_leave_the_rest_alone(void **state)
{
    struct buf value = { 0 }, patch = { 0 };
    int changed = 0;

    (void)state;
    names = arena_new(SIZE_MAX);
    edit_limits.depth = 64;
    for (int i = 0; i < 6000; i++) {
        buf_reset(&value);
        buf_reset(&patch);
        random_value(&value, 4);
        random_merge_patch(&patch, 4);
        struct slice v = { value.p, value.n }, p = { patch.p, patch.n };

        assert_int_equal(edit(json_merge_patch, v, p), EDIT_OK);
        if (!oracle_same(oracle_read(edited.text), oracle_merge(v, p)))
            fail_msg("%d: %.*s with %.*s became %.*s", i, (int)v.n, v.p, (int)p.n, p.p, (int)edited.text.n, edited.text.p);
        assert_untouched(v, edited.text, p);
        changed += edited.text.p != edited.value.p;
    }
    edit_limits.depth = 8;
    assert_in_range(changed, 3000, 5700); /* and some change nothing */
    buf_free(&value);
    buf_free(&patch);
    arena_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_7396_come_out),
        cmocka_unit_test(bytes_that_a_merge_patch_does_not_name_stay),
        cmocka_unit_test(a_merge_patch_that_changes_nothing_returns_the_value_itself),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(the_result_is_bounded_to_the_byte),
        cmocka_unit_test(a_patch_with_very_many_members_is_merged_at_once),
        cmocka_unit_test(random_merges_have_the_value_that_the_oracle_finds_and_leave_the_rest_alone),
    };

    return cmocka_run_group_tests(tests, NULL, edited_free);
}
