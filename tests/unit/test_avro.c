#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/engine/avro.h"
#include "gateway/engine/compat.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct arena *arena;
static struct fault problem;

static enum err parse(struct slice text, const struct schema_reference *refs, size_t n, const struct avro_schema **ret)
{
    const struct schema_text s = { text, refs, n };

    arena_free(arena);
    arena = arena_new(1 << 20);
    problem = (struct fault){ 0 };
    return avro_parse(&s, arena, ret, &problem);
}

static void assert_form(const char *text, const struct schema_reference *refs, size_t n, enum avro_form form, const char *want)
{
    const struct avro_schema *s;
    struct buf out = { 0 };

    if (parse(slice_of(text), refs, n, &s))
        fail_msg("%s: %s at %s", text, problem.detail, problem.pointer);
    avro_write(s, form, &out);
    buf_char(&out, '\0');
    assert_string_equal(out.p, want);
    buf_free(&out);
}

static void schemas_come_back_compact_with_all_their_attributes(void **state)
{
    static const char *const rows[][2] = {
        { " \"string\" ", "\"string\"" },
        { "{ \"type\" : \"int\" }", "\"int\"" },
        { "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}",
          "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}" },
        { "{\"type\":\"bytes\",\"precision\":4,\"logicalType\":\"decimal\",\"scale\":2}",
          "{\"type\":\"bytes\",\"precision\":4,\"logicalType\":\"decimal\",\"scale\":2}" },
        { "[ \"null\" , {\"type\":\"array\",\"items\":\"int\",\"x\":[1,\"\\u00e9\"]} ]",
          "[\"null\",{\"type\":\"array\",\"items\":\"int\",\"x\":[1,\"é\"]}]" },
        { "{\"type\":\"map\",\"values\":[\"null\",\"string\"]}", "{\"type\":\"map\",\"values\":[\"null\",\"string\"]}" },
        { "{\"namespace\":\"a.b\", \"name\":\"R\",\"type\":\"record\",\"doc\":\"d\",\"z\":1,\"aliases\":[\"Q\"],"
          "\n\"fields\":[{\"type\":\"int\",\"name\":\"x\",\"order\":\"ascending\",\"default\":1,\"doc\":\"f\"},"
          "{\"name\":\"next\",\"type\":[\"null\",\"a.b.R\"],\"order\":\"ignore\",\"aliases\":[\"n\"],\"p\":null}]}",
          "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"doc\":\"d\",\"fields\":[{\"name\":\"x\",\"type\":\"int\","
          "\"doc\":\"f\",\"default\":1},{\"name\":\"next\",\"type\":[\"null\",\"R\"],\"order\":\"ignore\",\"aliases\":[\"n\"],"
          "\"p\":null}],\"aliases\":[\"Q\"],\"z\":1}" },
        { "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
          "\"symbols\":[\"A\",\"B\"],\"default\":\"A\"}},{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"b.F\","
          "\"size\":16}},{\"name\":\"g\",\"type\":\"E\"},{\"name\":\"h\",\"type\":\"b.F\"}]}",
          "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a\",\"fields\":[{\"name\":\"e\",\"type\":{\"type\":\"enum\","
          "\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"A\"}},{\"name\":\"f\",\"type\":{\"type\":\"fixed\","
          "\"name\":\"F\",\"namespace\":\"b\",\"size\":16}},{\"name\":\"g\",\"type\":\"E\"},{\"name\":\"h\",\"type\":\"b.F\"}]}" },
        { "{\"type\":\"error\",\"name\":\"R\",\"fields\":[]}", "{\"type\":\"error\",\"name\":\"R\",\"fields\":[]}" },
        { "[]", "[]" },
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        assert_form(rows[i][0], NULL, 0, AVRO_COMPACT, rows[i][1]);
        assert_form(rows[i][1], NULL, 0, AVRO_COMPACT, rows[i][1]);
    }
}

static void the_canonical_form_is_that_of_the_specification(void **state)
{
    static const char *const rows[][2] = {
        { "{\"type\":\"int\",\"logicalType\":\"date\"}", "\"int\"" },
        { "{\"fields\":[{\"default\":1,\"type\":{\"type\":\"int\"},\"name\":\"x\",\"doc\":\"f\"}],\"doc\":\"d\",\"name\":\"R\","
          "\"namespace\":\"a.b\",\"type\":\"record\"}",
          "{\"name\":\"a.b.R\",\"type\":\"record\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}" },
        { "{\"type\":\"enum\",\"symbols\":[\"\\u0041\"],\"name\":\"E\",\"default\":\"A\"}",
          "{\"name\":\"E\",\"type\":\"enum\",\"symbols\":[\"A\"]}" },
        { "{\"size\":16,\"type\":\"fixed\",\"aliases\":[\"q\"],\"name\":\"n.F\"}",
          "{\"name\":\"n.F\",\"type\":\"fixed\",\"size\":16}" },
        { "{\"values\":\"long\",\"type\":\"map\",\"x\":1}", "{\"type\":\"map\",\"values\":\"long\"}" },
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        assert_form(rows[i][0], NULL, 0, AVRO_CANONICAL, rows[i][1]);
}

static void schemas_that_differ_in_spelling_alone_are_normalized_to_one(void **state)
{
    static const char want[] =
        "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"x\",\"type\":\"a.R\",\"p\":{\"a\":1,\"b\":2}}],\"y\":2,"
        "\"z\":1}";

    (void)state;
    assert_form(
        "{\"z\":1,\"y\":2,\"type\":\"record\",\"namespace\":\"a\",\"name\":\"R\",\"fields\":[{\"p\":{\"b\":2,\"a\":1},"
        "\"name\":\"x\",\"type\":\"R\"}]}",
        NULL, 0, AVRO_NORMALIZED, want);
    assert_form(
        "{\"type\":\"record\",\"name\":\"a.R\",\"y\":2,\"z\":1,\"fields\":[{\"name\":\"x\",\"order\":\"ascending\","
        "\"type\":{\"type\":\"a.R\"},\"p\":{\"a\":1,\"b\":2}}]}",
        NULL, 0, AVRO_NORMALIZED, want);
}

static void references_are_used_in_whatever_order_they_need_one_another(void **state)
{
    const struct schema_reference refs[] = {
        { SLICE("outer"), SLICE("{\"type\":\"record\",\"name\":\"n.Outer\",\"fields\":[{\"name\":\"i\",\"type\":\"Inner\"}]}") },
        { SLICE("n.Inner"), SLICE("{\"type\":\"enum\",\"name\":\"n.Inner\",\"symbols\":[\"A\"]}") },
    };
    const struct avro_schema *s;

    (void)state;
    assert_form("{\"type\":\"array\",\"items\":\"n.Outer\"}", refs, 2, AVRO_COMPACT,
                "{\"type\":\"array\",\"items\":\"n.Outer\"}");
    assert_form("\"n.Inner\"", refs, 2, AVRO_COMPACT, "\"n.Inner\"");
    assert_int_equal(parse(SLICE("\"n.Outer\""), refs, 1, &s), ERR_BAD_BODY);
    assert_string_equal(problem.pointer, "outer#/fields/0/type");
}

#define FIELD(type, value)                                                              \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":" type "" \
    ",\"default\":" value "}]}"

static void what_is_no_schema_is_refused_with_the_place_and_a_sentence(void **state)
{
    static const struct {
        const char *text, *pointer, *words;
    } rows[] = {
        { "{", "", "line 1" },
        { "{\"type\":\"int\",\"type\":\"int\"}", "", "twice" },
        { "7", "", "a name, an object" },
        { "\"strin\"", "", "strin is not defined" },
        { "{\"type\":7}", "/type", "needs \"type\"" },
        { "{\"type\":{\"type\":\"int\"}}", "/type", "needs \"type\"" },
        { "[\"int\",[\"null\"]]", "/1", "directly in a union" },
        { "[\"int\",\"string\",{\"type\":\"int\"}]", "/2", "int is there already" },
        { "{\"type\":\"array\"}", "", "needs \"items\"" },
        { "{\"type\":\"map\",\"values\":\"q\"}", "/values", "not defined" },
        { "{\"type\":\"record\",\"fields\":[]}", "", "needs a name" },
        { "{\"type\":\"record\",\"name\":\"1a\",\"fields\":[]}", "/name", "does not begin with a digit" },
        { "{\"type\":\"record\",\"name\":\"a..b\",\"fields\":[]}", "/name", "name" },
        { "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.\",\"fields\":[]}", "/namespace", "namespace" },
        { "{\"type\":\"record\",\"name\":\"string\",\"fields\":[]}", "/name", "primitive" },
        { "{\"type\":\"record\",\"name\":\"R\"}", "", "\"fields\"" },
        { "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\"}]}", "/fields/0", "needs a type" },
        { "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x-y\",\"type\":\"int\"}]}", "/fields/0/name", "name" },
        { "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"int\",\"order\":\"up\"}]}",
          "/fields/0/order", "order" },
        { "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"x\",\"type\":\"int\"}]}",
          "/fields", "x is there twice" },
        { "{\"type\":\"record\",\"name\":\"R\",\"aliases\":[1],\"fields\":[]}", "/aliases/0", "alias" },
        { "[{\"type\":\"fixed\",\"name\":\"F\",\"size\":1},{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}]", "/1/name",
          "defined twice" },
        { "{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "/size", "size" },
        { "{\"type\":\"fixed\",\"name\":\"F\",\"size\":1.5}", "/size", "size" },
        { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}", "/symbols", "A is there twice" },
        { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"a b\"]}", "/symbols/0", "symbol" },
        { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}", "/default", "symbol of the enum" },
        { FIELD("\"int\"", "\"1\""), "/fields/0/default", "32 bits" },
        { FIELD("\"int\"", "2147483648"), "/fields/0/default", "32 bits" },
        { FIELD("\"long\"", "1.0"), "/fields/0/default", "64 bits" },
        { FIELD("\"null\"", "0"), "/fields/0/default", "null" },
        { FIELD("[\"null\",\"int\"]", "1"), "/fields/0/default", "first branch" },
        { FIELD("\"bytes\"", "\"\\u0100\""), "/fields/0/default", "U+00FF" },
        { FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"a\""), "/fields/0/default", "as many characters" },
        { FIELD("{\"type\":\"array\",\"items\":\"int\"}", "[1,true]"), "/fields/0/default", "32 bits" },
        { FIELD("{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"y\",\"type\":\"int\"}]}", "{}"), "/fields/0/default",
          "missing" },
    };
    const struct avro_schema *s;

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        if (!parse(slice_of(rows[i].text), NULL, 0, &s))
            fail_msg("%s is taken", rows[i].text);
        if (strcmp(problem.pointer, rows[i].pointer) || !strstr(problem.detail, rows[i].words))
            fail_msg("%s: %s at %s", rows[i].text, problem.detail, problem.pointer);
    }
}

static void defaults_of_every_type_are_taken(void **state)
{
    static const char *const rows[] = {
        FIELD("\"int\"", "-2147483648"),
        FIELD("\"long\"", "9223372036854775807"),
        FIELD("\"double\"", "1"),
        FIELD("\"float\"", "1.5e3"),
        FIELD("\"bytes\"", "\"\\u00ff\""),
        FIELD("\"boolean\"", "false"),
        FIELD("[\"null\",\"int\"]", "null"),
        FIELD("{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":1}"),
        FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"\\u00ffb\""),
        FIELD("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\",\"A\"]}", "\"A\""),
        FIELD(
            "{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"y\",\"type\":\"int\",\"default\":1},{\"name\":\"z\","
            "\"type\":\"int\"}]}",
            "{\"z\":1}"),
        FIELD("[\"R\",\"null\"]", "{}"),
        FIELD("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":-1}", "\"\""),
    };
    const struct avro_schema *s;

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        if (parse(slice_of(rows[i]), NULL, 0, &s))
            fail_msg("%s: %s", rows[i], problem.detail);
}

static void types_nested_over_many_references_are_bounded(void **state)
{
    enum { REFS = 40, DEEP = 60 };
    static struct schema_reference refs[REFS];
    static char names[REFS][16];
    struct buf text[REFS] = { { 0 } };
    const struct avro_schema *s;
    enum err e;

    (void)state;
    for (int i = 0; i < REFS; i++) {
        buf_printf(&text[i], "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"x\",\"type\":", i);
        for (int k = 0; k < DEEP; k++)
            buf_str(&text[i], "{\"type\":\"array\",\"items\":");
        buf_printf(&text[i], i + 1 < REFS ? "\"R%d\"" : "\"int\"", i + 1);
        for (int k = 0; k < DEEP; k++)
            buf_char(&text[i], '}');
        buf_str(&text[i], "}]}");
        snprintf(names[i], sizeof names[i], "R%d", i);
        refs[i] = (struct schema_reference){ slice_of(names[i]), { text[i].p, text[i].n } };
    }
    e = parse(SLICE("\"R0\""), refs, REFS, &s);
    assert_int_equal(e, ERR_BAD_BODY);
    assert_non_null(strstr(problem.detail, "deeper"));
    assert_int_equal(parse(SLICE("\"R35\""), refs, REFS, &s), OK);
    for (int i = 0; i < REFS; i++)
        buf_free(&text[i]);
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define X(type) "{\"name\":\"x\",\"type\":" type "}"

static const struct {
    const char *writer, *reader, *rule, *old_pointer, *new_pointer;
} resolutions[] = {
    { "\"int\"", "\"long\"", NULL, "", "" },
    { "\"int\"", "\"double\"", NULL, "", "" },
    { "\"long\"", "\"float\"", NULL, "", "" },
    { "\"float\"", "\"double\"", NULL, "", "" },
    { "\"string\"", "\"bytes\"", NULL, "", "" },
    { "\"bytes\"", "\"string\"", NULL, "", "" },
    { "\"long\"", "\"int\"", "TYPE_MISMATCH", "", "" },
    { "\"double\"", "\"float\"", "TYPE_MISMATCH", "", "" },
    { "\"int\"", "\"boolean\"", "TYPE_MISMATCH", "", "" },
    { "{\"type\":\"array\",\"items\":\"int\"}", "{\"type\":\"array\",\"items\":\"string\"}", "TYPE_MISMATCH", "/items",
      "/items" },
    { "{\"type\":\"map\",\"values\":\"int\"}", "{\"type\":\"map\",\"values\":\"long\"}", NULL, "", "" },
    { RECORD(X("\"int\"")), RECORD(""), NULL, "", "" },
    { RECORD(""), RECORD(X("\"int\"")), "READER_FIELD_MISSING_DEFAULT_VALUE", "", "/fields/0" },
    { RECORD(""), RECORD("{\"name\":\"x\",\"type\":\"int\",\"default\":0}"), NULL, "", "" },
    { RECORD(X("\"int\"")), RECORD("{\"name\":\"y\",\"type\":\"long\",\"aliases\":[\"x\"]}"), NULL, "", "" },
    { RECORD(X("\"int\"")), RECORD("{\"name\":\"y\",\"type\":\"null\",\"aliases\":[\"x\"]}"), "TYPE_MISMATCH", "/fields/0/type",
      "/fields/0/type" },
    { RECORD(X("\"int\"") ",{\"name\":\"y\",\"type\":\"int\"}"), RECORD("{\"name\":\"y\",\"type\":\"int\"}," X("\"int\"")), NULL,
      "", "" },
    { RECORD(""), "{\"type\":\"record\",\"name\":\"S\",\"fields\":[]}", "NAME_MISMATCH", "", "" },
    { RECORD(""), "{\"type\":\"record\",\"name\":\"S\",\"aliases\":[\"R\"],\"fields\":[]}", NULL, "", "" },
    { "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[]}",
      "{\"type\":\"record\",\"name\":\"a.S\",\"aliases\":[\"R\"],\"fields\":[]}", NULL, "", "" },
    { "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[]}", "{\"type\":\"record\",\"name\":\"b.R\",\"fields\":[]}", NULL, "",
      "" },
    { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\",\"A\"]}",
      NULL, "", "" },
    { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}",
      "MISSING_ENUM_SYMBOLS", "/symbols/1", "" },
    { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}",
      "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"A\"}", NULL, "", "" },
    { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "{\"type\":\"enum\",\"name\":\"F\",\"symbols\":[\"A\"]}",
      "NAME_MISMATCH", "", "" },
    { "{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":8}", "FIXED_SIZE_MISMATCH",
      "", "" },
    { "{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}", "\"bytes\"", "TYPE_MISMATCH", "", "" },
    { "\"int\"", "[\"null\",\"int\"]", NULL, "", "" },
    { "\"int\"", "[\"null\",\"double\"]", NULL, "", "" },
    { "\"int\"", "[\"null\",\"string\"]", "MISSING_UNION_BRANCH", "", "" },
    { "[\"null\",\"int\"]", "[\"int\",\"null\",\"string\"]", NULL, "", "" },
    { "[\"null\",\"int\"]", "[\"null\",\"string\"]", "MISSING_UNION_BRANCH", "/1", "" },
    { "[\"null\",\"int\"]", "\"int\"", "TYPE_MISMATCH", "/0", "" },
    { "[\"int\",\"long\"]", "\"double\"", NULL, "", "" },
    { "{\"type\":\"int\",\"logicalType\":\"date\"}", "\"int\"", NULL, "", "" },
    { RECORD(X("[\"null\",\"R\"]")), RECORD(X("[\"R\",\"null\"]")), NULL, "", "" },
    { RECORD(X("[\"null\",\"R\"]")), RECORD(X("[\"R\",\"null\"]") ",{\"name\":\"y\",\"type\":\"int\"}"),
      "READER_FIELD_MISSING_DEFAULT_VALUE", "", "/fields/1" },
};

static void readers_and_writers_are_resolved_as_the_specification_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(resolutions); i++) {
        const struct schema_text writer = { .text = slice_of(resolutions[i].writer) },
                                 reader = { .text = slice_of(resolutions[i].reader) };
        struct compat_finding f[4];
        size_t n;

        arena_free(arena);
        arena = arena_new(1 << 20);
        assert_int_equal(compat_check(SCHEMA_AVRO, &reader, &writer, arena, f, 4, &n, &problem), OK);
        if (!resolutions[i].rule != !n || (n && strcmp(f[0].rule, resolutions[i].rule)))
            fail_msg("%s read by %s: %s", resolutions[i].writer, resolutions[i].reader, n ? f[0].rule : "compatible");
        if (n && (!slice_is(f[0].old_pointer, resolutions[i].old_pointer) ||
                  !slice_is(f[0].new_pointer, resolutions[i].new_pointer) || n != 1))
            fail_msg("%s read by %s: %zu at %.*s and %.*s", resolutions[i].writer, resolutions[i].reader, n,
                     (int)f[0].old_pointer.n, f[0].old_pointer.p, (int)f[0].new_pointer.n, f[0].new_pointer.p);
    }
}

static void a_level_says_who_reads_whom(void **state)
{
    static const struct schema_text v[] = { { .text = SLICE("\"int\"") },
                                            { .text = SLICE("\"long\"") },
                                            { .text = SLICE("\"double\"") } };
    static const bool want[COMPAT_LEVELS][3] = {
        /* candidate int, long, double after "int", "long" */
        [COMPAT_NONE] = { true, true, true },
        [COMPAT_BACKWARD] = { false, true, true },
        [COMPAT_FORWARD] = { true, true, false },
        [COMPAT_FULL] = { false, true, false },
        [COMPAT_BACKWARD_TRANSITIVE] = { false, true, true },
        [COMPAT_FORWARD_TRANSITIVE] = { true, false, false },
        [COMPAT_FULL_TRANSITIVE] = { false, false, false },
    };

    (void)state;
    for (int level = 0; level < COMPAT_LEVELS; level++)
        for (int i = 0; i < 3; i++) {
            struct compat_finding f[4];
            size_t n;

            arena_free(arena);
            arena = arena_new(1 << 20);
            assert_int_equal(compat_check_level((enum compat_level)level, SCHEMA_AVRO, &v[i], v, 2, arena, f, 4, &n, &problem),
                             OK);
            if (!n != want[level][i])
                fail_msg("%s, candidate %d: %zu findings", compat_level_names[level], i, n);
        }
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_come_back_compact_with_all_their_attributes),
        cmocka_unit_test(the_canonical_form_is_that_of_the_specification),
        cmocka_unit_test(schemas_that_differ_in_spelling_alone_are_normalized_to_one),
        cmocka_unit_test(references_are_used_in_whatever_order_they_need_one_another),
        cmocka_unit_test(what_is_no_schema_is_refused_with_the_place_and_a_sentence),
        cmocka_unit_test(defaults_of_every_type_are_taken),
        cmocka_unit_test(types_nested_over_many_references_are_bounded),
        cmocka_unit_test(readers_and_writers_are_resolved_as_the_specification_says),
        cmocka_unit_test(a_level_says_who_reads_whom),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
