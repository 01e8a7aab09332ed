#include "tests/unit/event_fixture.h"

#define OURS                                                                                                           \
    "\"stream\":\"orders\",\"partition\":3,\"offset\":\"42\","                                                           \
    "\"recordedtime\":\"2026-01-31T23:59:59.000001Z\",\"version\":7"
#define ISTA "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"/s\",\"type\":\"t\""
#define AT ",\"time\":\"2026-01-31T23:59:59.000001Z\""

static void a_bare_type_is_an_event_with_defaults(void **state)
{
    const struct event *ev;

    (void)state;
    assert_parsed(parse(EVENT_JSON, " {\"type\" : \"OrderPlaced\"}\r\n"));
    assert_int_equal(parsed.events.n, 1);
    assert_false(parsed.events.array);
    ev = parsed.events.v;
    assert_int_equal(ev->id.n, 36);
    assert_false(ev->client_id);
    assert_null(ev->source.p);
    assert_null(ev->subject.p);
    assert_null(ev->partitionkey.p);
    assert_null(ev->data.p);
    assert_int_equal(ev->data_format, DATA_NONE);
    assert_int_equal(ev->expected_version, -1);
    assert_int_equal(ev->version, 0);
    assert_true(slice_is(ev->attributes, "\"time\":\"2026-01-31T23:59:59.000001Z\""));
    assert_memory_equal(rendered(ev, true) + 27, ev->id.p, 36);
    assert_string_equal(rendered(ev, true) + 64,
                        ",\"source\":\"/v1/streams/orders\",\"type\":\"OrderPlaced\"" AT "," OURS "}");
}

/* What is sent, and what comes back after type. */
static void attributes_come_back_as_sent_in_a_fixed_order(void **state)
{
    static const char *const rows[][2] = {
        { "", AT "," OURS "}" },
        { ",\"subject\":\"o-1\"", ",\"subject\":\"o-1\"" AT "," OURS "}" },
        { ",\"time\":\"2020-02-29t12:00:00.5+01:00\"", ",\"time\":\"2020-02-29t12:00:00.5+01:00\"," OURS "}" },
        { ",\"zz\":true,\"dataschema\":\"urn:x\",\"a1\":-12 ,\"datacontenttype\":\"a/b\","
          "\"time\":\"2026-01-01T00:00:00Z\"",
          ",\"time\":\"2026-01-01T00:00:00Z\",\"datacontenttype\":\"a/b\",\"dataschema\":\"urn:x\",\"zz\":true,"
          "\"a1\":-12," OURS "}" },
        { ",\"foo\":\"\\u00e4\\n\"", NULL },
        { ",\"foo\":\"\\u00e4\\/\\\"\\\\ \\ud83d\\ude00\"",
          AT ",\"foo\":\"\\u00e4\\/\\\"\\\\ \\ud83d\\ude00\"," OURS "}" },
        { ",\"f\\u006fo\":\"\"", AT ",\"foo\":\"\"," OURS "}" },
        { ",\"partitionkey\":\"k\",\"foo\":false", AT ",\"partitionkey\":\"k\",\"foo\":false," OURS "}" },
        { ",\"subject\":null,\"time\":null,\"foo\":null,\"partitionkey\":null,\"dataschema\":null,"
          "\"datacontenttype\":null,\"expectedversion\":null,\"data_base64\":null", AT "," OURS "}" },
        { ",\"stream\":\"x\",\"partition\":9,\"offset\":\"1\",\"recordedtime\":{},\"version\":[1]", AT "," OURS "}" },
        { ",\"expectedversion\":0", AT "," OURS "}" },
        { ",\"max\":2147483647,\"min\":-2147483648", AT ",\"max\":2147483647,\"min\":-2147483648," OURS "}" },
        { ",\"data\": [ 1.10,\n\t{\"b\":1,\"a\":9007199254740993, \"a\":-0} ]  ",
          AT "," OURS ",\"data\":[ 1.10,\n\t{\"b\":1,\"a\":9007199254740993, \"a\":-0} ]}" },
        { ",\"data\":null", AT "," OURS ",\"data\":null}" },
        { ",\"data_base64\":\"AP8=\"", AT "," OURS ",\"data_base64\":\"AP8=\"}" },
        { ",\"data_base64\":\"\"", AT "," OURS ",\"data_base64\":\"\"}" },
        { ",\"id\":1", NULL },
    };
    char body[800];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(body, sizeof body, ISTA "%s}", rows[i][0]);
        if (!rows[i][1]) {
            assert_int_equal(parse(EVENT_STRUCTURED, body), ERR_BAD_EVENT);
            continue;
        }
        assert_parsed(parse(EVENT_STRUCTURED, body));
        assert_true(parsed.events.v->client_id);
        assert_memory_equal(rendered(parsed.events.v, false), ISTA, sizeof ISTA - 1);
        assert_string_equal(rendered(parsed.events.v, false) + sizeof ISTA - 1, rows[i][1]);
    }
}

static void what_decides_about_the_event_is_taken_out_of_it(void **state)
{
    (void)state;
    assert_parsed(parse(EVENT_JSON, "{\"expectedversion\":12,\"partitionkey\":\"\\u006b/1\",\"subject\":\"s\\\"1\","
                                    "\"id\":\"\\u0069\",\"source\":\"urn:a\",\"type\":\"T\\u00e4\"}"));
    assert_int_equal(parsed.events.v->expected_version, 12);
    assert_true(slice_is(parsed.events.v->partitionkey, "k/1"));
    assert_true(slice_is(parsed.events.v->subject, "s\"1"));
    assert_true(slice_is(parsed.events.v->id, "i"));
    assert_true(slice_is(parsed.events.v->source, "urn:a"));
    assert_true(slice_is(parsed.events.v->type, "T\xc3\xa4"));
}

static void an_event_that_was_read_can_be_forwarded(void **state)
{
    static const char *const bodies[] = {
        ISTA ",\"subject\":\"a b\",\"foo\":1,\"data\":{\"x\":[1, 2]}}",
        ISTA ",\"data_base64\":\"AAEC\",\"traceparent\":\"" TRACE "\"}",
        ISTA ",\"datacontenttype\":\"application/json\",\"partitionkey\":\"\\u00e4\"}",
    };
    char first[1000];

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_parsed(parse(EVENT_STRUCTURED, bodies[i]));
        snprintf(first, sizeof first, "%s", rendered(parsed.events.v, true));
        assert_parsed(parse(EVENT_STRUCTURED, first));
        assert_string_equal(rendered(parsed.events.v, true), first);
    }
}

static void only_a_one_line_form_replaces_line_breaks(void **state)
{
    (void)state;
    assert_parsed(parse(EVENT_JSON, "{\"type\":\"t\",\"data\":{\r\n\"a\":\n\"\\n\"}\n}"));
    assert_true(parsed.events.v->line_breaks);
    assert_non_null(strstr(rendered(parsed.events.v, false), "{\r\n\"a\":\n\"\\n\"}"));
    assert_non_null(strstr(rendered(parsed.events.v, true), "{  \"a\": \"\\n\"}"));
    assert_parsed(parse(EVENT_JSON, "{\n\"type\":\"t\"\n,\n\"data\"\n:\n[1]\n}"));
    assert_false(parsed.events.v->line_breaks);
    assert_non_null(strstr(rendered(parsed.events.v, true), "\"data\":[1]}"));
}

static void base64_is_stored_as_what_its_media_type_says(void **state)
{
    static const struct {
        const char *type, *base64;
        enum data_format format;
        const char *data;        /* as it comes back */
    } rows[] = {
        { NULL, "eyJhIjoxfQ==", DATA_BINARY, "\"data_base64\":\"eyJhIjoxfQ==\"" },
        { "application/octet-stream", "eyJhIjoxfQ==", DATA_BINARY, "\"data_base64\":\"eyJhIjoxfQ==\"" },
        { "application/json", "eyJhIjoxfQ==", DATA_JSON, "\"data\":{\"a\":1}" },
        { "Application/JSON ; charset=utf-8", "IFsgXQo=", DATA_JSON, "\"data\": [ ]\n" },
        { "text/json", "MQ==", DATA_JSON, "\"data\":1" },
        { "application/vnd.x+json;v=1", "bnVsbA==", DATA_JSON, "\"data\":null" },
        { "application/x-json", "MQ==", DATA_BINARY, "\"data_base64\":\"MQ==\"" },
        { "application/jsonx", "MQ==", DATA_BINARY, "\"data_base64\":\"MQ==\"" },
        { "text/plain; charset=utf-8", "YSLDpAo=", DATA_TEXT, "\"data\":\"a\\\"\xc3\xa4\\n\"" },
        { "TEXT/html", "", DATA_TEXT, "\"data\":\"\"" },
        { "text/plain", "/w==", DATA_BINARY, "\"data_base64\":\"/w==\"" },
    };
    char body[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool typed = rows[i].type;

        snprintf(body, sizeof body, "{\"type\":\"t\",%s%s%s\"data_base64\":\"%s\"}", typed ? "\"datacontenttype\":\"" : "",
                 typed ? rows[i].type : "", typed ? "\"," : "", rows[i].base64);
        assert_parsed(parse(EVENT_JSON, body));
        assert_int_equal(parsed.events.v->data_format, rows[i].format);
        if (!strstr(rendered(parsed.events.v, false), rows[i].data))
            fail_msg("%s: %s", body, rendered(parsed.events.v, false));
        assert_null(strchr(rendered(parsed.events.v, true), '\n'));
    }
}

static void arrays_and_lines_hold_many_events(void **state)
{
    (void)state;
    assert_parsed(parse(EVENT_JSON, " [ {\"type\":\"a\"} ,\n{\"type\":\"b\"}] "));
    assert_int_equal(parsed.events.n, 2);
    assert_true(parsed.events.array);
    assert_true(slice_is(parsed.events.v[1].type, "b"));
    assert_parsed(parse(EVENT_BATCH, "[" ISTA "}]"));
    assert_int_equal(parsed.events.n, 1);
    assert_true(parsed.events.array);
    assert_parsed(parse(EVENT_NDJSON, "\n{\"type\":\"a\"}\r\n \t\n"
                                      "  {\"type\":\"b\",\"data\":[1,\t2]} \n\n{\"type\":\"c\"}"));
    assert_int_equal(parsed.events.n, 3);
    assert_true(parsed.events.array);
    assert_true(slice_is(parsed.events.v[1].data, "[1,\t2]"));
    assert_true(slice_is(parsed.events.v[2].type, "c"));
    assert_parsed(parse(EVENT_NDJSON, "{\"type\":\"a\"}\n"));
    assert_int_equal(parsed.events.n, 1);
    assert_true(parsed.events.array);
}

static void a_full_request_keeps_the_order_and_every_id_is_its_own(void **state)
{
    struct buf body = { 0 };

    (void)state;
    limits.request_events = 5000;
    for (int i = 0; i < 5000; i++)
        buf_printf(&body, "%s{\"type\":\"t%d\"}", i ? "," : "[", i);
    buf_char(&body, ']');
    assert_parsed(parse_slice(EVENT_JSON, (struct slice){ body.p, body.n }));
    assert_int_equal(parsed.events.n, 5000);
    for (int i = 0; i < 5000; i++) {
        char type[10];

        snprintf(type, sizeof type, "t%d", i);
        assert_true(slice_is(parsed.events.v[i].type, type));
        if (i)
            assert_true(memcmp(parsed.events.v[i - 1].id.p, parsed.events.v[i].id.p, 36) < 0);
    }
    limits.request_events = 4999;
    assert_refused(parse_slice(EVENT_JSON, (struct slice){ body.p, body.n }), ERR_TOO_MANY_EVENTS, "/4999", "4999",
                   "5000 events");
    limits.request_events = 100;
    buf_free(&body);
}

static void the_limit_of_an_event_is_its_own_text(void **state)
{
    static const char event[] = "{\"type\":\"t\", \"data\":\"0123456789\"}";
    char body[200];

    (void)state;
    snprintf(body, sizeof body, "  %s  ", event);
    limits.event_bytes = sizeof event - 1;
    assert_parsed(parse(EVENT_JSON, body));
    limits.event_bytes--;
    assert_refused(parse(EVENT_JSON, body), ERR_EVENT_TOO_LARGE, "", "32 bytes", body);
    snprintf(body, sizeof body, "[{\"type\":\"t\"},%s]", event);
    assert_refused(parse(EVENT_JSON, body), ERR_EVENT_TOO_LARGE, "/1", "32 bytes", body);
    limits.event_bytes = 1 << 20;
}

static void data_may_be_nested_as_deep_in_every_format(void **state)
{
    static const char headers[] = "specversion: 1.0\nid: i\nsource: s\ntype: t";
    char data[200], body[400];

    (void)state;
    for (unsigned depth = 64; depth <= 65; depth++) {
        bool good = depth == 64;

        memset(data, '[', depth);
        memset(data + depth, ']', depth);
        data[2 * depth] = '\0';
        snprintf(body, sizeof body, ISTA ",\"data\":%s}", data);
        assert_int_equal(parse(EVENT_STRUCTURED, body), good ? OK : ERR_BAD_JSON);
        assert_int_equal(parse(EVENT_JSON, body), good ? OK : ERR_BAD_JSON);
        assert_int_equal(parse(EVENT_NDJSON, body), good ? OK : ERR_BAD_JSON);
        snprintf(body, sizeof body, "[" ISTA ",\"data\":%s}]", data);
        assert_int_equal(parse(EVENT_BATCH, body), good ? OK : ERR_BAD_JSON);
        assert_int_equal(parse(EVENT_JSON, body), good ? OK : ERR_BAD_JSON);
        assert_int_equal(parse_binary(headers, "application/json", slice_of(data)), good ? OK : ERR_BAD_JSON);
    }
    assert_non_null(strstr(parsed.fault.detail, "deep"));
}

static void the_trace_of_the_request_is_kept_unless_the_event_has_one(void **state)
{
    static const struct {
        const char *member, *trace, *want;
    } rows[] = {
        { "", TRACE, ",\"traceparent\":\"" TRACE "\"" },
        { ",\"foo\":1", TRACE, ",\"foo\":1,\"traceparent\":\"" TRACE "\"" },
        { ",\"traceparent\":\"own\"", TRACE, ",\"traceparent\":\"own\"" },
        { ",\"traceparent\":null", TRACE, ",\"traceparent\":\"" TRACE "\"" },
        { "", "garbage\"", "" },
        { "", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333\"-01", "" },
        { "", TRACE "0", "" },
        { "", "", "" },
    };
    char body[200], want[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *a = arena_new(1 << 16);
        struct events ret;

        snprintf(body, sizeof body, "{\"type\":\"t\"%s}", rows[i].member);
        snprintf(want, sizeof want, "\"time\":\"2026-01-31T23:59:59.000001Z\"%s", rows[i].want);
        assert_int_equal(event_parse(a, SLICE("orders"), EVENT_JSON, slice_of(body), slice_of(rows[i].trace), &limits, NOW,
                                     &ret, NULL),
                         OK);
        if (!slice_is(ret.v->attributes, want))
            fail_msg("%.*s", (int)ret.v->attributes.n, ret.v->attributes.p);
        arena_free(a);
    }
}

static void memory_that_runs_out_is_an_error_and_leaves_nothing(void **state)
{
    static const char body[] = "[" ISTA ",\"f\\u006f\":\"\\u0061\",\"data_base64\":\"AAAA\"},"
                               "{\"type\":\"t\",\"id\":\"x\"},{\"type\":\"t\"}]";
    bool worked = false;

    (void)state;
    for (size_t limit = 0; !worked; limit++) {
        struct arena *a = arena_new(limit);
        struct events ret = { 0 };
        enum err e = event_parse(a, SLICE("orders"), EVENT_JSON, slice_of(body), SLICE(TRACE), &limits, NOW, &ret,
                                 NULL);

        worked = e == OK;
        assert_true(worked || e == ERR_NO_MEMORY);
        assert_int_equal(ret.n, worked ? 3 : 0);
        arena_free(a);
        assert_true(limit < 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_type_is_an_event_with_defaults),
        cmocka_unit_test(attributes_come_back_as_sent_in_a_fixed_order),
        cmocka_unit_test(what_decides_about_the_event_is_taken_out_of_it),
        cmocka_unit_test(an_event_that_was_read_can_be_forwarded),
        cmocka_unit_test(only_a_one_line_form_replaces_line_breaks),
        cmocka_unit_test(base64_is_stored_as_what_its_media_type_says),
        cmocka_unit_test(arrays_and_lines_hold_many_events),
        cmocka_unit_test(a_full_request_keeps_the_order_and_every_id_is_its_own),
        cmocka_unit_test(the_limit_of_an_event_is_its_own_text),
        cmocka_unit_test(data_may_be_nested_as_deep_in_every_format),
        cmocka_unit_test(the_trace_of_the_request_is_kept_unless_the_event_has_one),
        cmocka_unit_test(memory_that_runs_out_is_an_error_and_leaves_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    parsed_free();
    return failed;
}
