#include "gateway/base/json.h"
#include "gateway/base/json_pointer.h"
#include "tests/unit/edit_fixture.h"

static void assert_patched(const char *value, const char *operations, const char *want)
{
    struct buf patch = { 0 };

    buf_printf(&patch, "[%s]%c", operations, '\0');
    assert_edited(json_patch, value, patch.p, want);
    buf_free(&patch);
}

static void assert_refused(const char *value, const char *operations, enum edit_result want, const char *pointer,
                           const char *words)
{
    struct buf patch = { 0 };

    buf_printf(&patch, "[%s]%c", operations, '\0');
    assert_not_edited(json_patch, value, patch.p, want, pointer, words);
    buf_free(&patch);
}

/* RFC 6902, appendix A, in its order. */
static void the_examples_of_rfc_6902_come_out(void **state)
{
    static const char *const rows[][3] = {
        { "{ \"foo\": \"bar\"}", "{ \"op\": \"add\", \"path\": \"/baz\", \"value\": \"qux\" }",
          "{ \"foo\": \"bar\",\"baz\":\"qux\"}" },
        { "{ \"foo\": [ \"bar\", \"baz\" ] }", "{ \"op\": \"add\", \"path\": \"/foo/1\", \"value\": \"qux\" }",
          "{ \"foo\": [ \"bar\", \"qux\",\"baz\" ] }" },
        { "{ \"baz\": \"qux\", \"foo\": \"bar\" }", "{ \"op\": \"remove\", \"path\": \"/baz\" }", "{ \"foo\": \"bar\" }" },
        { "{ \"foo\": [ \"bar\", \"qux\", \"baz\" ] }", "{ \"op\": \"remove\", \"path\": \"/foo/1\" }",
          "{ \"foo\": [ \"bar\", \"baz\" ] }" },
        { "{ \"baz\": \"qux\", \"foo\": \"bar\" }", "{ \"op\": \"replace\", \"path\": \"/baz\", \"value\": \"boo\" }",
          "{ \"baz\": \"boo\", \"foo\": \"bar\" }" },
        { "{ \"foo\": { \"bar\": \"baz\", \"waldo\": \"fred\" }, \"qux\": { \"corge\": \"grault\" } }",
          "{ \"op\": \"move\", \"from\": \"/foo/waldo\", \"path\": \"/qux/thud\" }",
          "{ \"foo\": { \"bar\": \"baz\" }, \"qux\": { \"corge\": \"grault\",\"thud\":\"fred\" } }" },
        { "{ \"foo\": [ \"all\", \"grass\", \"cows\", \"eat\" ] }",
          "{ \"op\": \"move\", \"from\": \"/foo/1\", \"path\": \"/foo/3\" }",
          "{ \"foo\": [ \"all\", \"cows\", \"eat\",\"grass\" ] }" },
        { "{ \"baz\": \"qux\", \"foo\": [ \"a\", 2, \"c\" ] }",
          "{ \"op\": \"test\", \"path\": \"/baz\", \"value\": \"qux\" }, { \"op\": \"test\", \"path\": \"/foo/1\", \"value\": 2 }",
          "{ \"baz\": \"qux\", \"foo\": [ \"a\", 2, \"c\" ] }" },
        { "{ \"foo\": \"bar\" }", "{ \"op\": \"add\", \"path\": \"/child\", \"value\": { \"grandchild\": { } } }",
          "{ \"foo\": \"bar\",\"child\":{ \"grandchild\": { } } }" },
        { "{ \"foo\": \"bar\" }", "{ \"op\": \"add\", \"path\": \"/baz\", \"value\": \"qux\", \"xyz\": 123 }",
          "{ \"foo\": \"bar\",\"baz\":\"qux\" }" },
        { "{ \"/\": 9, \"~1\": 10 }", "{\"op\": \"test\", \"path\": \"/~01\", \"value\": 10}", "{ \"/\": 9, \"~1\": 10 }" },
        { "{ \"foo\": [\"bar\"] }", "{ \"op\": \"add\", \"path\": \"/foo/-\", \"value\": [\"abc\", \"def\"] }",
          "{ \"foo\": [\"bar\",[\"abc\", \"def\"]] }" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_patched(rows[i][0], rows[i][1], rows[i][2]);
    assert_refused("{ \"baz\": \"qux\" }", "{ \"op\": \"test\", \"path\": \"/baz\", \"value\": \"bar\" }", EDIT_TEST_FAILED,
                   "/0", "/baz");
    assert_refused("{ \"foo\": \"bar\" }", "{ \"op\": \"add\", \"path\": \"/baz/bat\", \"value\": \"qux\" }", EDIT_NO_TARGET,
                   "/0/path",
                   "/baz/bat");
    assert_refused("{ \"foo\": \"bar\" }", "{ \"op\": \"add\", \"path\": \"/baz\", \"value\": \"qux\", \"op\": \"remove\" }",
                   EDIT_BAD_PATCH, "/0/op", "twice");
    assert_refused("{ \"/\": 9, \"~1\": 10 }", "{\"op\": \"test\", \"path\": \"/~01\", \"value\": \"10\"}", EDIT_TEST_FAILED,
                   "/0", "");
}

static void bytes_that_no_operation_names_stay(void **state)
{
    static const char *const rows[][3] = {
        { " [ 1.0 ,\t2e0 , \"\\u0041\" ] ", "{\"op\":\"replace\",\"path\":\"/1\",\"value\":2.00}",
          " [ 1.0 ,\t2.00 , \"\\u0041\" ] " },
        { "[ 1 , 2 ]", "{\"op\":\"add\",\"path\":\"/0\",\"value\": [ 0 ] }", "[ [ 0 ],1 , 2 ]" },
        { "[ 1 , 2 ]", "{\"op\":\"add\",\"path\":\"/1\",\"value\":0}", "[ 1 , 0,2 ]" },
        { "[ 1 , 2 ]", "{\"op\":\"add\",\"path\":\"/2\",\"value\":0}", "[ 1 , 2,0 ]" },
        { "[ 1 , 2 ]", "{\"op\":\"add\",\"path\":\"/-\",\"value\":0}", "[ 1 , 2,0 ]" },
        { "[ ]", "{\"op\":\"add\",\"path\":\"/0\",\"value\":0}", "[0 ]" },
        { "{ }", "{\"op\":\"add\",\"path\":\"/0\",\"value\":0}", "{\"0\":0 }" },
        { "[ 1 , 2 , 3 ]", "{\"op\":\"remove\",\"path\":\"/0\"}", "[ 2 , 3 ]" },
        { "[ 1 , 2 , 3 ]", "{\"op\":\"remove\",\"path\":\"/1\"}", "[ 1 , 3 ]" },
        { "[ 1 , 2 , 3 ]", "{\"op\":\"remove\",\"path\":\"/2\"}", "[ 1 , 2 ]" },
        { "[ 1 ]", "{\"op\":\"remove\",\"path\":\"/0\"}", "[  ]" },
        { "{\"a\" : 1}", "{\"op\":\"add\",\"path\":\"/a\",\"value\":2}", "{\"a\" : 2}" },
        { "{\"n\":12345678901234567890.10}", "{\"op\":\"copy\",\"from\":\"/n\",\"path\":\"/m\"}",
          "{\"n\":12345678901234567890.10,\"m\":12345678901234567890.10}" },
        { "{\"a\":{ \"x\" : [ ] }}", "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/x/0\"}",
          "{\"a\":{ \"x\" : [{ \"x\" : [ ] } ] }}" },
        /* names are compared and written unescaped, but for what must be */
        { "{\"\\u0061\":1}", "{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}", "{\"\\u0061\":2}" },
        { "{}", "{\"op\":\"add\",\"path\":\"/\\u0061~1\\\"~0\\n\\u00e9\",\"value\":2}", "{\"a/\\\"~\\né\":2}" },
        /* of one name the last member counts; all of them are removed */
        { "{\"a\":[1],\"a\":[2]}", "{\"op\":\"add\",\"path\":\"/a/-\",\"value\":3}", "{\"a\":[1],\"a\":[2,3]}" },
        { "{\"a\":1,\"b\":0,\"a\":2}", "{\"op\":\"remove\",\"path\":\"/a\"}", "{\"b\":0}" },
        { "{\"a\":1,\"a\":2}", "{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}", "{\"b\":2}" },
        /* the whole */
        { " 1 ", "{\"op\":\"replace\",\"path\":\"\",\"value\":{ }}", " { } " },
        { " {\"a\":[ ]} ", "{\"op\":\"move\",\"from\":\"/a\",\"path\":\"\"}", " [ ] " },
        { "1", "{\"op\":\"add\",\"path\":\"\",\"value\":2},{\"op\":\"test\",\"path\":\"\",\"value\":2}", "2" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_patched(rows[i][0], rows[i][1], rows[i][2]);
}

static void a_patch_that_changes_nothing_returns_the_value_itself(void **state)
{
    static const char *const patches[] = {
        "[]", "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1.00}}]", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        assert_int_equal(edit(json_patch, SLICE(" {\"a\" : 1} "), slice_of(patches[i])), EDIT_OK);
        assert_ptr_equal(edited.text.p, edited.value.p);
    }
}

static void malformed_patches_are_refused_with_the_place(void **state)
{
    static const char *const rows[][3] = {
        { "1", "/0", "is an object" },
        { "{}", "/0", "no `op`" },
        { "{\"op\":1,\"path\":\"\"}", "/0/op", "a string" },
        { "{\"op\":\"Add\",\"path\":\"\"}", "/0/op", "add, remove" },
        { "{\"op\":\"remove\"}", "/0", "no `path`" },
        { "{\"op\":\"remove\",\"path\":null}", "/0/path", "a string" },
        { "{\"op\":\"remove\",\"path\":\"a\"}", "/0/path", "JSON Pointer" },
        { "{\"op\":\"remove\",\"path\":\"/a~\"}", "/0/path", "JSON Pointer" },
        { "{\"op\":\"remove\",\"path\":\"/a~2\"}", "/0/path", "JSON Pointer" },
        { "{\"op\":\"add\",\"path\":\"\"}", "/0", "no `value`" },
        { "{\"op\":\"replace\",\"path\":\"\"}", "/0", "no `value`" },
        { "{\"op\":\"test\",\"path\":\"\"}", "/0", "no `value`" },
        { "{\"op\":\"move\",\"path\":\"\"}", "/0", "no `from`" },
        { "{\"op\":\"copy\",\"path\":\"\",\"from\":\"x\"}", "/0/from", "JSON Pointer" },
        { "{\"op\":\"remove\",\"path\":\"/a\",\"p\\u0061th\":\"/b\"}", "/0/path", "twice" },
        { "{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}", "/0/path", "into itself" },
        { "{\"op\":\"move\",\"from\":\"\",\"path\":\"/a\"}", "/0/path", "into itself" },
        /* before anything is done */
        { "{\"op\":\"remove\",\"path\":\"/none\"},{\"op\":\"spam\",\"path\":\"\"}", "/1/op", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused("{\"a\":{}}", rows[i][0], EDIT_BAD_PATCH, rows[i][1], rows[i][2]);
    assert_not_edited(json_patch, "{}", "{\"op\":\"remove\",\"path\":\"/a\"}", EDIT_BAD_PATCH, "", "array");
    assert_not_edited(json_patch, "{}", "[\n{]", EDIT_BAD_PATCH, "", "line 2, column 2");
    assert_not_edited(json_patch, "{", "[]", EDIT_BAD_VALUE, "", "line 1, column 2");
}

static void pointers_that_lead_nowhere_are_refused(void **state)
{
    static const char *const rows[][2] = {
        { "{\"op\":\"remove\",\"path\":\"/x\"}", "/0/path" },
        { "{\"op\":\"replace\",\"path\":\"/x\",\"value\":1}", "/0/path" },
        { "{\"op\":\"test\",\"path\":\"/x\",\"value\":1}", "/0/path" },
        { "{\"op\":\"copy\",\"from\":\"/x\",\"path\":\"/y\"}", "/0/from" },
        { "{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/x\"}", "/0/from" },
        { "{\"op\":\"copy\",\"from\":\"/s\",\"path\":\"/x/y\"}", "/0/path" },
        { "{\"op\":\"add\",\"path\":\"/s/y\",\"value\":1}", "/0/path" },
        { "{\"op\":\"add\",\"path\":\"/a/3\",\"value\":1}", "/0/path" },
        { "{\"op\":\"add\",\"path\":\"/a/00\",\"value\":1}", "/0/path" },
        { "{\"op\":\"add\",\"path\":\"/a/1e0\",\"value\":1}", "/0/path" },
        { "{\"op\":\"add\",\"path\":\"/a/-1\",\"value\":1}", "/0/path" },
        { "{\"op\":\"add\",\"path\":\"/a/\",\"value\":1}", "/0/path" },
        { "{\"op\":\"add\",\"path\":\"/a/18446744073709551617\",\"value\":1}", "/0/path" },
        { "{\"op\":\"remove\",\"path\":\"/a/-\"}", "/0/path" },
        { "{\"op\":\"remove\",\"path\":\"/a/2\"}", "/0/path" },
        { "{\"op\":\"remove\",\"path\":\"\"}", "/0/path" },
        { "{\"op\":\"test\",\"path\":\"/d/x\",\"value\":1}", "/0/path" }, /* the last d has no x */
        { "{\"op\":\"add\",\"path\":\"/n\",\"value\":1},"
          "{\"op\":\"remove\",\"path\":\"/n\"},{\"op\":\"remove\",\"path\":\"/n\"}", "/2/path" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused("{\"a\":[1,2],\"s\":\"\",\"d\":{\"x\":1},\"d\":{}}", rows[i][0], EDIT_NO_TARGET, rows[i][1], "");
}

/* A sentence for a person ends between characters. */
static void a_long_pointer_is_cut_between_characters(void **state)
{
    struct buf op = { 0 };

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        buf_reset(&op);
        buf_str(&op, "[{\"op\":\"remove\",\"path\":\"/");
        buf_put(&op, "abc", shift);
        for (int i = 0; i < 400; i++)
            buf_str(&op, "数");
        buf_str(&op, "\"}]");
        assert_int_equal(edit(json_patch, SLICE("{}"), (struct slice){ op.p, op.n }), EDIT_NO_TARGET);
        assert_true(utf8_valid(slice_of(edited.fault.detail)));
        assert_non_null(strstr(edited.fault.detail, "\" in the data."));
    }
    buf_free(&op);
}

static void a_patch_is_bounded_in_operations_size_and_depth(void **state)
{
    struct buf patch = { 0 };

    (void)state;
    for (int n = EDIT_OPERATIONS_MAX; n <= EDIT_OPERATIONS_MAX + 1; n++) {
        buf_reset(&patch);
        for (int i = 0; i < n; i++)
            buf_printf(&patch, "%c{\"op\":\"add\",\"path\":\"/a\",\"value\":%d}", i ? ',' : '[', i);
        buf_char(&patch, ']');
        assert_int_equal(edit(json_patch, SLICE("{}"), (struct slice){ patch.p, patch.n }),
                         n > EDIT_OPERATIONS_MAX ? EDIT_BAD_PATCH : EDIT_OK);
    }
    edit_limits.bytes = 15;
    assert_patched("{\"a\":1}", "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/bbb\"}", "{\"a\":1,\"bbb\":1}");
    assert_refused("{\"a\":1}", "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/bbbb\"}", EDIT_TOO_LARGE, "/0", "15 bytes");
    assert_patched("[[[[[[[]]]]]]]", "{\"op\":\"add\",\"path\":\"/0/0/0/0/0/0/0\",\"value\":1}", "[[[[[[[1]]]]]]]");
    edit_limits.bytes = 4096;
    assert_patched("[[[[[[[]]]]]]]", "{\"op\":\"add\",\"path\":\"/0/0/0/0/0/0/0\",\"value\":[]}", "[[[[[[[[]]]]]]]]");
    assert_refused("[[[[[[[]]]]]]]", "{\"op\":\"add\",\"path\":\"/0/0/0/0/0/0/0\",\"value\":[[]]}", EDIT_TOO_LARGE, "/0",
                   "deeper than 8");
    assert_refused("[[[[[[[1]]]]]]]", "{\"op\":\"replace\",\"path\":\"/0/0/0/0/0/0/0\",\"value\":[[]]}", EDIT_TOO_LARGE, "/0",
                   "deeper than 8");
    buf_free(&patch);
}

/* Each copy doubles the value: 256 of them would be more than there are atoms. */
static void copies_of_copies_end_at_the_limit(void **state)
{
    struct buf patch = { 0 };

    (void)state;
    for (int i = 0; i < EDIT_OPERATIONS_MAX; i++)
        buf_printf(&patch, "%c{\"op\":\"copy\",\"from\":\"/0\",\"path\":\"/0/-\"}", i ? ',' : '[');
    buf_char(&patch, ']');
    edit_limits.depth = 256;
    assert_int_equal(edit(json_patch, SLICE("[[1,1]]"), (struct slice){ patch.p, patch.n }), EDIT_TOO_LARGE);
    edit_limits.depth = 8;
    buf_free(&patch);
}

static void values_are_compared_not_bytes(void **state)
{
    static const struct {
        const char *x, *y;
        bool same;
    } rows[] = {
        { "1", "1.0", true },          { "1", "1e0", true },         { "100", "1E2", true },       { "0.05", "5e-2", true },
        { "0.5", "0.50", true },       { "-0", "0", true },          { "0e99999999999999999999", "0.00", true },
        { "12.5", "125e-1", true },    { "10", "1", false },         { "0.1", "0.01", false },     { "-1", "1", false },
        { "1", "1.0000000000000000000000000000001", false },         { "9007199254740993", "9007199254740992", false },
        { "9007199254740993", "9007199254740993.0", true },          { "1e400", "10e399", true },  { "1e400", "1e401", false },
        { "1e-400", "0", false },      { "0.1", "0.1000000000000000055511151231257827", false },   { "1.5", "15", false },
        { "1000000000000000000000", "1e21", true },                  { "0.000123", "1.23E-0004", true },
        { "1e+5", "100000.000", true }, { "101", "1.01e2", true },   { "1.01", "10.1", false },
        { "1e9999999999999999999999", "1e9999999999999999999999", true },
        { "\"a\"", "\"\\u0061\"", true }, { "\"\\/\"", "\"/\"", true },   { "\"a\"", "\"b\"", false }, { "\"1\"", "1", false },
        { "\"\\ud83d\\ude00\"", "\"😀\"", true },                  { "\"\\u0000\"", "\"\"", false },
        { "null", "null", true },      { "null", "false", false },   { "true", "true", true },     { "true", "false", false },
        { "[1,2]", "[ 1.0 ,2 ]", true }, { "[1,2]", "[2,1]", false }, { "[1]", "[1,1]", false },   { "[]", "{}", false },
        { "{\"a\":1,\"b\":[2]}", "{ \"b\":[2.0],\"\\u0061\":1}", true },                           { "{}", "{}", true },
        { "{\"a\":1}", "{\"a\":1,\"b\":1}", false }, { "{\"a\":1,\"b\":1}", "{\"a\":1}", false },
        { "{\"a\":1}", "{\"b\":1}", false },
        { "{\"a\":0,\"a\":1}", "{\"a\":1}", true }, { "{\"a\":0,\"a\":1}", "{\"a\":0}", false },
        { "{\"a\":1}", "{\"a\":0,\"a\":1}", true },
        { " [ {\"a\":null} ] ", "[{\"a\":null}]", true },
    };
    struct arena *a = arena_new(1 << 20);
    bool failed;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int turned = 0; turned < 2; turned++) {
            struct slice x = slice_of(turned ? rows[i].y : rows[i].x), y = slice_of(turned ? rows[i].x : rows[i].y);

            if (json_values_equal(a, x, y, &failed) != rows[i].same || failed)
                fail_msg("%s and %s", x.p, y.p);
        }
    arena_free(a);
}

/* ---- against others ---- */

static size_t same_ends(struct slice x, struct slice y)
{
    size_t most = x.n < y.n ? x.n : y.n, head = 0, tail = 0;

    while (head < most && x.p[head] == y.p[head])
        head++;
    while (tail < most - head && x.p[x.n - 1 - tail] == y.p[y.n - 1 - tail])
        tail++;
    return head + tail;
}

/* An operation with the members in the order of random_patch. */
static struct slice operand(struct slice patch, const char *before, const char *behind)
{
    const char *begin = (const char *)memmem(patch.p, patch.n, before, strlen(before)) + strlen(before);
    const char *end = patch.p + patch.n - 2;

    if (behind)
        end = memmem(begin, (size_t)(end - begin), behind, strlen(behind));
    return (struct slice){ begin, (size_t)(end - begin) };
}

static void one_operation_changes_one_place(void **state)
{
    struct buf value = { 0 }, patch = { 0 };
    int seen[3] = { 0 };

    (void)state;
    edit_limits.depth = 64;
    for (int i = 0; i < 6000; i++) {
        buf_reset(&value);
        buf_reset(&patch);
        random_value(&value, 4);
        random_patch(&patch, (struct slice){ value.p, value.n }, 1);
        struct slice v = { value.p, value.n }, p = { patch.p, patch.n };
        struct slice kind = operand(p, "op\":\"", "\""), path = operand(p, "path\":\"", "\""), fresh = operand(p, "value\":",
                                    NULL);
        struct arena *a = arena_new(SIZE_MAX);
        struct json_spot spot;

        assert_true(json_pointer_find(a, v, path, &spot));
        if (edit(json_patch, v, p) == EDIT_OK && slice_is(kind, "replace")) {
            size_t head = (size_t)(spot.value.p - v.p), tail = v.n - head - spot.value.n;
            struct json j;

            json_begin(&j, fresh, JSON_DEPTH);
            assert_true(json_value(&j, &fresh));
            assert_int_equal(edited.text.n, head + fresh.n + tail);
            assert_memory_equal(edited.text.p, v.p, head);
            assert_memory_equal(edited.text.p + head, fresh.p, fresh.n);
            assert_memory_equal(edited.text.p + head + fresh.n, v.p + v.n - tail, tail);
            seen[0]++;
        } else if (edited.text.p && (slice_is(kind, "add") || slice_is(kind, "copy")) &&
                   (!spot.value.p || (spot.parent.p && *spot.parent.p == '['))) {
            assert_int_equal(same_ends(v, edited.text), v.n);
            seen[1]++;
        } else if (edited.text.p && slice_is(kind, "remove") && oracle_unique(v)) {
            assert_int_equal(same_ends(v, edited.text), edited.text.n);
            seen[2]++;
        }
        arena_free(a);
    }
    edit_limits.depth = 8;
    for (int k = 0; k < 3; k++)
        assert_in_range(seen[k], 30, 3000);
    buf_free(&value);
    buf_free(&patch);
}

static void random_patches_have_the_value_that_the_oracle_finds(void **state)
{
    struct buf value = { 0 }, patch = { 0 };
    int results[EDIT_NO_MEMORY + 1] = { 0 };

    (void)state;
    edit_limits = (struct edit_limits){ .depth = 64, .bytes = 1 << 16 };
    for (int i = 0; i < 6000; i++) {
        buf_reset(&value);
        buf_reset(&patch);
        random_value(&value, 4);
        random_patch(&patch, (struct slice){ value.p, value.n }, 4);
        struct slice v = { value.p, value.n }, p = { patch.p, patch.n };
        enum edit_result r = edit(json_patch, v, p);

        results[r]++;
        if (r == EDIT_BAD_PATCH) {
            assert_non_null(strstr(edited.fault.detail, "into itself"));
            continue;
        }
        struct json_t *want = oracle_patch(v, p);

        if (r ? !!want : !oracle_same(oracle_read(edited.text), want))
            fail_msg("%d: %.*s with %.*s: %d, %.*s", i, (int)v.n, v.p, (int)p.n, p.p, (int)r, (int)edited.text.n, edited.text.p);
    }
    edit_limits = (struct edit_limits){ .depth = 8, .bytes = 4096 };
    assert_in_range(results[EDIT_OK], 1000, 5000);
    assert_in_range(results[EDIT_NO_TARGET], 300, 5000);
    assert_in_range(results[EDIT_TEST_FAILED], 50, 5000);
    buf_free(&value);
    buf_free(&patch);
}

/* github.com/json-patch/json-patch-tests, by the lock file of tests/oracles. Cases are taken out of the text,
    not parsed: a member may
 * stand twice in an operation. A case without `expected` or `error` has to go well. */
static void run_case(struct slice text)
{
    struct slice doc = SLICE_NONE, patch = SLICE_NONE, expected = SLICE_NONE, name, value;
    bool error = false, escaped;
    struct json j;

    json_begin(&j, text, JSON_DEPTH);
    for (json_object_begin(&j); json_object_next(&j, &name, &escaped);) {
        assert_true(json_value(&j, &value));
        doc = slice_is(name, "doc") ? value : doc;
        patch = slice_is(name, "patch") ? value : patch;
        expected = slice_is(name, "expected") ? value : expected;
        error |= slice_is(name, "error");
    }
    if (!doc.p)
        return;
    enum edit_result r = edit(json_patch, doc, patch);

    if (error ? !r : r || (expected.p && !oracle_same(oracle_read(edited.text), oracle_read(expected))))
        fail_msg("%.*s: %d, %s", (int)text.n, text.p, (int)r, edited.fault.detail);
}

static void the_public_test_suite_passes(void **state)
{
    static const char *const files[] = { "tests.json", "spec_tests.json" };
    static char text[64 << 10];
    int cases = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char path[200];
        struct json j;
        struct slice one;

        snprintf(path, sizeof path, "tests/oracles/node_modules/json-patch-test-suite/%s", files[i]);
        FILE *f = fopen(path, "rb");

        if (!f)
            fail_msg("%s is not there: run `make deps` first", path);
        json_begin(&j, (struct slice){ text, fread(text, 1, sizeof text, f) }, JSON_DEPTH);
        fclose(f);
        for (json_array_begin(&j); json_array_next(&j); cases++) {
            assert_true(json_value(&j, &one));
            run_case(one);
        }
        assert_true(json_end(&j));
    }
    assert_in_range(cases, 90, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_6902_come_out),
        cmocka_unit_test(bytes_that_no_operation_names_stay),
        cmocka_unit_test(a_patch_that_changes_nothing_returns_the_value_itself),
        cmocka_unit_test(malformed_patches_are_refused_with_the_place),
        cmocka_unit_test(pointers_that_lead_nowhere_are_refused),
        cmocka_unit_test(a_long_pointer_is_cut_between_characters),
        cmocka_unit_test(a_patch_is_bounded_in_operations_size_and_depth),
        cmocka_unit_test(copies_of_copies_end_at_the_limit),
        cmocka_unit_test(values_are_compared_not_bytes),
        cmocka_unit_test(one_operation_changes_one_place),
        cmocka_unit_test(random_patches_have_the_value_that_the_oracle_finds),
        cmocka_unit_test(the_public_test_suite_passes),
    };

    return cmocka_run_group_tests(tests, NULL, edited_free);
}
