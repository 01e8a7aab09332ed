#include "tests/unit/fold_fixture.h"

#define KEY "\"streams\":[\"orders\"],\"key\":\"subject\""
#define ON "\"on\":{\"E\":[{\"count\":\"/n\"}]}"

static void all_members_are_read_and_written_with_their_defaults(void **state)
{
    const struct projection_definition *d = &folding.def;
    struct slice text, folded;
    struct arena *kept;

    (void)state;
    assert_int_equal(try_define("{\"on\":{\"E\" : [{\"count\":\"/n\"}]},\"streams\":[\"b\",\"a\"],\"key\":\"/data/k\"}"), OK);
    assert_true(slice_is(d->text, "{\"streams\":[\"b\",\"a\"],\"key\":\"/data/k\",\"initial\":{},"
                         "\"on\":{\"E\":[{\"count\":\"/n\"}]},"
                                  "\"start\":\"earliest\",\"indexes\":[],\"on_error\":\"stop\",\"snapshot_every\":null,"
                                  "\"verify_every\":null,\"description\":null}"));
    assert_true(d->stream_n == 2 && slice_is(d->streams[1], "a") && !d->dlq && d->from == READ_EARLIEST && !d->snapshot_every &&
                !d->verify_every_us && !d->paused && !d->description.p);

    assert_int_equal(try_define("{\"streams\":[\"orders\"],\"key\":\"subject\",\"initial\":{\"z\":1.50,\"a\":\"\\u0041\"}," ON
                                ",\"on_error\":\"dlq\",\"start\":{\"time\":\"2026-01-02T03:04:05+01:00\"},\"indexes\":[\"/n\"],"
                                "\"verify_every\":\"900s\",\"paused\":true,\"description\":\"d\\n\"}"), OK);
    assert_true(d->dlq && d->from == READ_TIME && d->time_us == INT64_C(1767319445000000) &&
                d->verify_every_us == 900000000 && d->paused);
    assert_true(slice_is(d->text, "{\"streams\":[\"orders\"],\"key\":\"subject\",\"initial\":{\"z\":1.50,\"a\":\"A\"},"
                         "" ON ",\"start\":{\"time\":"
                                  "\"2026-01-02T02:04:05.000000Z\"},\"indexes\":[\"/n\"],\"on_error\":\"dlq\","
                                  "\"snapshot_every\":null,"
                                  "\"verify_every\":\"15m\",\"description\":\"d\\n\"}"));
    kept = arena_new(1 << 16);                   /* try_define begins with another arena */
    text = (struct slice){ arena_strndup(kept, d->text.p, d->text.n), d->text.n };
    folded = arena_slice(kept, d->folded);
    assert_int_equal(try_define(text.p), OK);
    assert_true(slice_eq(text, d->text) && slice_eq(folded, d->folded));
    arena_free(kept);
}

/* Do two definitions fold the same? */
static bool same(const char *x, const char *y)
{
    char first[2000], second[2000];

    snprintf(first, sizeof first, "{%s}", x);
    assert_int_equal(try_define(first), OK);
    snprintf(first, sizeof first, "%.*s", (int)folding.def.folded.n, folding.def.folded.p);
    snprintf(second, sizeof second, "{%s}", y);
    assert_int_equal(try_define(second), OK);
    return slice_is(folding.def.folded, first);
}

static void what_is_folded_tells_whether_two_definitions_are_the_same(void **state)
{
    (void)state;
    assert_true(same(KEY "," ON, ON ",\"key\":\"subject\",\"streams\":[\"orders\"],\"initial\":{},"
                "\"start\":\"earliest\",\"indexes\":[],"
                     "\"on_error\":\"dlq\",\"verify_every\":\"1h\",\"description\":\"x\",\"paused\":true,"
                     "\"snapshot_every\":5"));
    assert_true(same(KEY "," ON ",\"initial\":{\"a\":1,\"b\":2}", KEY "," ON ",\"initial\":{\"b\": 2,\"a\":1}"));
    assert_true(same("\"streams\":[\"a\",\"b\"],\"key\":\"subject\"," ON, "\"streams\":[\"b\",\"a\"],\"key\":\"subject\"," ON));
    assert_false(same(KEY "," ON, KEY "," ON ",\"initial\":{\"n\":0}"));
    assert_false(same(KEY "," ON, KEY "," ON ",\"start\":\"latest\""));
    assert_false(same(KEY "," ON, KEY "," ON ",\"indexes\":[\"/n\"]"));
    assert_false(same(KEY ",\"on\":{\"A\":[{\"count\":\"/n\"}],\"*\":[{\"count\":\"/m\"}]}",
                      KEY ",\"on\":{\"*\":[{\"count\":\"/m\"}],\"A\":[{\"count\":\"/n\"}]}"));
}

struct row {
    const char *body;
    enum err e;
    const char *pointer, *words;
};

static void assert_wrong(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum err e = try_define(rows[i].body);

        if (e != rows[i].e || strcmp(folding.fault.pointer, rows[i].pointer) || !strstr(folding.fault.detail, rows[i].words))
            fail_msg("%s: %d at \"%s\": %s", rows[i].body, (int)e, folding.fault.pointer, folding.fault.detail);
    }
}

static const struct row not_the_form[] = {
    { "{", ERR_BAD_JSON, "", "line 1" },
    { "[]", ERR_BAD_BODY, "", "object" },
    { "{" KEY "," ON "," KEY "}", ERR_BAD_JSON, "", "twice" },
    { "{" KEY "}", ERR_BAD_BODY, "/on", "required" },
    { "{" KEY "," ON ",\"x~/\":1}", ERR_BAD_BODY, "/x~0~1", "no such member" },
    { "{\"streams\":[],\"key\":\"subject\"," ON "}", ERR_BAD_BODY, "/streams", "1 to 256" },
    { "{\"streams\":[\"a\",\"A\"],\"key\":\"subject\"," ON "}", ERR_BAD_BODY, "/streams/1", "name of a stream" },
    { "{\"streams\":[\"a\",\"a\"],\"key\":\"subject\"," ON "}", ERR_BAD_BODY, "/streams/1", "twice" },
    { "{\"streams\":[\"a\"],\"key\":1," ON "}", ERR_BAD_BODY, "/key", "string" },
    { "{" KEY "," ON ",\"initial\":[]}", ERR_BAD_BODY, "/initial", "object" },
    { "{" KEY ",\"on\":[]}", ERR_BAD_BODY, "/on", "object" },
    { "{" KEY "," ON ",\"on_error\":\"x\"}", ERR_BAD_BODY, "/on_error", "stop dlq" },
    { "{" KEY "," ON ",\"start\":\"x\"}", ERR_BAD_BODY, "/start", "earliest" },
    { "{" KEY "," ON ",\"start\":{\"time\":\"x\"}}", ERR_BAD_BODY, "/start/time", "RFC 3339" },
    { "{" KEY "," ON ",\"start\":{\"time\":\"2026-01-02T03:04:05Z\",\"x\":1}}", ERR_BAD_BODY, "/start", "earliest" },
    { "{" KEY "," ON ",\"indexes\":\"/a\"}", ERR_BAD_BODY, "/indexes", "array" },
    { "{" KEY "," ON ",\"indexes\":[1]}", ERR_BAD_BODY, "/indexes/0", "JSON Pointer" },
    { "{" KEY "," ON ",\"snapshot_every\":0}", ERR_BAD_BODY, "/snapshot_every", "from 1" },
    { "{" KEY "," ON ",\"verify_every\":\"0s\"}", ERR_BAD_BODY, "/verify_every", "duration" },
    { "{" KEY "," ON ",\"paused\":null}", ERR_BAD_BODY, "/paused", "true or false" },
    { "{" KEY "," ON ",\"description\":\"\\u0000\"}", ERR_BAD_BODY, "/description", "U+0000" },
};

#define E ERR_BAD_DEFINITION
static const struct row impossible[] = {
    { "{" KEY "," ON ",\"start\":\"latest\",\"snapshot_every\":1}", E, "/snapshot_every", "earliest" },
    { "{\"streams\":[\"a\",\"b\"],\"key\":\"subject\"," ON ",\"snapshot_every\":1}", E, "/snapshot_every", "one" },
    { "{\"streams\":[\"a\"],\"key\":\"sub\"," ON "}", E, "/key", "\"subject\" or" },
    { "{\"streams\":[\"a\"],\"key\":\"/data/~2\"," ON "}", E, "/key", "no JSON Pointer" },
    { "{\"streams\":[\"a\"],\"key\":\"/subject/x\"," ON "}", E, "/key", "inside" },
    { "{\"streams\":[\"a\"],\"key\":\"/Data/x\"," ON "}", E, "/key", "no attribute" },
    { "{" KEY "," ON ",\"indexes\":[\"a\"]}", E, "/indexes/0", "no JSON Pointer" },
    { "{" KEY "," ON ",\"indexes\":[\"\"]}", E, "/indexes/0", "/status" },
    { "{" KEY "," ON ",\"indexes\":[\"/a\",\"/a\"]}", E, "/indexes/1", "already" },
    { "{" KEY ",\"on\":{}}", E, "/on", "no type" },
    { "{" KEY ",\"on\":{\"\":[{\"count\":\"/n\"}]}}", E, "/on/", "types of events" },
    { "{" KEY ",\"on\":{\"a/b\":[]}}", E, "/on/a~1b", "one or more" },
    { "{" KEY ",\"on\":{\"E\":{\"count\":\"/n\"}}}", E, "/on/E", "array" },
    { "{" KEY ",\"on\":{\"E\":[\"count\"]}}", E, "/on/E/0", "object" },
    { "{" KEY ",\"on\":{\"E\":[{}]}}", E, "/on/E/0", "one of" },
    { "{" KEY ",\"on\":{\"E\":[{\"sett\":{\"/a\":1}}]}}", E, "/on/E/0/sett", "no operation sett" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{\"/a\":1},\"count\":\"/b\"}]}}", E, "/on/E/0", "one member" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":\"/a\"}]}}", E, "/on/E/0/set", "object of paths" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{}}]}}", E, "/on/E/0/set", "needs a path" },
    { "{" KEY ",\"on\":{\"E\":[{\"append\":{\"cap\":1}}]}}", E, "/on/E/0/append", "needs a path" },
    { "{" KEY ",\"on\":{\"E\":[{\"append\":{\"/a\":1,\"cap\":0}}]}}", E, "/on/E/0/append/cap", "integer" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{\"a\":1}}]}}", E, "/on/E/0/set/a", "no JSON Pointer" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{\"\":[]}}]}}", E, "/on/E/0/set/", "object" },
    { "{" KEY ",\"on\":{\"E\":[{\"count\":\"\"}]}}", E, "/on/E/0/count", "path into the state" },
    { "{" KEY ",\"on\":{\"E\":[{\"count\":{\"/a\":1}}]}}", E, "/on/E/0/count", "JSON Pointer" },
    { "{" KEY ",\"on\":{\"E\":[{\"delete\":false}]}}", E, "/on/E/0/delete", "true" },
    { "{" KEY ",\"on\":{\"E\":[{\"increment\":{\"/a\":\"1\"}}]}}", E, "/on/E/0/increment/~1a", "a number" },
    { "{" KEY ",\"on\":{\"E\":[{\"increment\":{\"/a\":1e2000}}]}}", E, "/on/E/0/increment/~1a", "digits" },
    { "{" KEY ",\"on\":{\"E\":[{\"min\":{\"/a\":[{\"from\":\"/data\"}]}}]}}", E, "/on/E/0/min/~1a", "or a string" },
    { "{" KEY ",\"on\":{\"E\":[{\"max\":{\"/a\":{\"from\":\"/data\",\"default\":null}}}]}}", E, "/on/E/0/max/~1a",
      "or a string" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{\"/a\":{\"from\":\"data\"}}}]}}", E, "/on/E/0/set/~1a/from", "no JSON" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{\"/a\":{\"from\":\"\"}}}]}}", E, "/on/E/0/set/~1a/from", "attribute" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{\"/a\":{\"from\":1}}}]}}", E, "/on/E/0/set/~1a/from", "JSON Pointer" },
    { "{" KEY ",\"on\":{\"E\":[{\"set\":{\"/a\":{\"from\":\"/data\",\"defualt\":1}}}]}}", E, "/on/E/0/set/~1a",
      "alone" },
    { "{" KEY ",\"on\":{\"E\":[{\"count\":\"/a\",\"if\":[]}]}}", E, "/on/E/0/if", "object" },
    { "{" KEY ",\"on\":{\"E\":[{\"count\":\"/a\",\"if\":{\"data\":1}}]}}", E, "/on/E/0/if/data", "no JSON Pointer" },
};

static void what_is_not_the_form_of_a_definition_is_said_with_its_place(void **state)
{
    (void)state;
    assert_wrong(not_the_form, sizeof not_the_form / sizeof *not_the_form);
}

static void what_is_impossible_is_said_with_its_place(void **state)
{
    (void)state;
    assert_wrong(impossible, sizeof impossible / sizeof *impossible);
}

static void what_is_too_much_is_refused(void **state)
{
    struct buf b = { 0 };

    (void)state;
    folding.max_bytes = 10;
    assert_int_equal(try_define("{" KEY "," ON ",\"initial\":{\"a\":1234567}}"), ERR_BAD_DEFINITION);
    assert_string_equal(folding.fault.pointer, "/initial");
    assert_int_equal(try_define("{" KEY "," ON ",\"initial\":{\"a\": 1234}}"), OK);
    folding.max_bytes = 0;

    BUF_LIT(&b, "{" KEY ",\"on\":{\"E\":[");
    for (int i = 0; i <= FOLD_OPERATIONS_MAX; i++)
        buf_printf(&b, "%s{\"count\":\"/n%d\"}", i ? "," : "", i);
    BUF_LIT(&b, "]}}");
    buf_char(&b, '\0');
    assert_int_equal(try_define(b.p), ERR_BAD_DEFINITION);
    assert_non_null(strstr(folding.fault.detail, "at most 512"));

    buf_reset(&b);
    BUF_LIT(&b, "{" KEY ",\"on\":{\"E\":[{\"count\":\"");
    for (int i = 0; i <= FOLD_POINTER_TOKENS; i++)
        BUF_LIT(&b, "/x");
    BUF_LIT(&b, "\"}]}}");
    buf_char(&b, '\0');
    assert_int_equal(try_define(b.p), ERR_BAD_DEFINITION);
    assert_non_null(strstr(folding.fault.detail, "at most 32 tokens"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_are_read_and_written_with_their_defaults),
        cmocka_unit_test(what_is_folded_tells_whether_two_definitions_are_the_same),
        cmocka_unit_test(what_is_not_the_form_of_a_definition_is_said_with_its_place),
        cmocka_unit_test(what_is_impossible_is_said_with_its_place),
        cmocka_unit_test(what_is_too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, folding_free);
}
