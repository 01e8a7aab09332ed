#include "tests/unit/event_fixture.h"

#define ISTA "specversion: 1.0\nid: i\nsource: /s\ntype: t"

static void headers_and_body_make_an_event(void **state)
{
    const struct event *ev;

    (void)state;
    assert_parsed(parse_binary("SpecVersion: 1.0\nID: a%20b\nsource: /s\ntype: T%C3%A4\nSubject: %E2%82%ac\n"
                               "time: 2020-01-01T00:00:00Z\ndataschema: urn:x\npartitionkey: k%22%5C\n"
                               "expectedversion: 3\nFoo: 1\nempty: \noffset: 9",
                               "application/json", SLICE(" {\"a\":\n1.10}\n")));
    ev = parsed.events.v;
    assert_int_equal(parsed.events.n, 1);
    assert_false(parsed.events.array);
    assert_true(ev->client_id && ev->line_breaks);
    assert_int_equal(ev->expected_version, 3);
    assert_true(slice_is(ev->partitionkey, "k\"\\"));
    assert_true(slice_is(ev->data, " {\"a\":\n1.10}\n"));
    assert_string_equal(rendered(ev, true),
                        "{\"specversion\":\"1.0\",\"id\":\"a b\",\"source\":\"/s\",\"type\":\"T\xc3\xa4\","
                        "\"subject\":\"\xe2\x82\xac\",\"time\":\"2020-01-01T00:00:00Z\","
                        "\"datacontenttype\":\"application/json\",\"dataschema\":\"urn:x\","
                        "\"partitionkey\":\"k\\\"\\\\\",\"foo\":\"1\","
                        "\"empty\":\"\",\"stream\":\"orders\",\"partition\":3,\"offset\":\"42\","
                        "\"recordedtime\":\"2026-01-31T23:59:59.000001Z\",\"version\":7,\"data\": {\"a\": 1.10} }");
}

static void the_body_is_stored_as_what_its_media_type_says(void **state)
{
    static const struct {
        const char *type;
        struct slice body;
        enum data_format format;
        const char *data;
    } rows[] = {
        { "application/json", { "[1]", 3 }, DATA_JSON, "\"data\":[1]" },
        { "application/problem+json; charset=utf-8", { "[1]", 3 }, DATA_JSON, "\"data\":[1]" },
        { "application/json", { "", 0 }, DATA_NONE, NULL },
        { "application/json", { NULL, 0 }, DATA_NONE, NULL },
        { NULL, { NULL, 0 }, DATA_NONE, NULL },
        { NULL, { "[1]", 3 }, DATA_BINARY, "\"data_base64\":\"WzFd\"" },
        { "text/plain", { "a\"\xc3\xa4\r\n", 6 }, DATA_TEXT, "\"data\":\"a\\\"\xc3\xa4\\r\\n\"" },
        { "text/plain", { "\xff", 1 }, DATA_BINARY, "\"data_base64\":\"/w==\"" },
        { "image/png", { "\0\1", 2 }, DATA_BINARY, "\"data_base64\":\"AAE=\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_parsed(parse_binary(ISTA, rows[i].type, rows[i].body));
        assert_int_equal(parsed.events.v->data_format, rows[i].format);
        if (rows[i].data)
            assert_non_null(strstr(rendered(parsed.events.v, true), rows[i].data));
        else
            assert_null(strstr(rendered(parsed.events.v, true), "\"version\":7,"));
    }
}

static void header_values_are_decoded_once_and_strictly(void **state)
{
    static const struct {
        const char *sent, *text; /* NULL: refused */
    } rows[] = {
        { "plain", "plain" },       { "a%20b", "a b" },        { "100%25", "100%" },      { "%2525", "%25" },
        { "%e2%82%AC", "\xe2\x82\xac" }, { "\xc3\xa4", "\xc3\xa4" }, { "a+b", "a+b" },
        { "\"q\\\"%20\\\\\"", "q\" \\" },
        { "\"a b\"", "a b" },       { "\"", "\"" },            { "a\"b\"", "a\"b\"" },    { "%", NULL },
        { "%4", NULL },             { "%zz", NULL },           { "%4g", NULL },           { "%C3", NULL },
        { "%ED%A0%80", NULL },      { "\xff", NULL },          { "%00", NULL },           { "%0A", NULL },
        { "%C2%85", NULL },         { "%EF%BF%BF", NULL },     { "", NULL },              { "\"\"", NULL },
    };
    char headers[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err e;

        snprintf(headers, sizeof headers, ISTA "\nsubject: %s", rows[i].sent);
        e = parse_binary(headers, NULL, SLICE("x"));
        if (!rows[i].text)
            assert_refused(e, ERR_BAD_EVENT, "", "subject", rows[i].sent);
        else if (e || !slice_is(parsed.events.v->subject, rows[i].text))
            fail_msg("%s: %d", rows[i].sent, (int)e);
    }
}

static void headers_that_make_no_event_are_refused(void **state)
{
    static const struct {
        const char *headers, *type, *body;
        enum err e;
        const char *words;
    } rows[] = {
        { "specversion: 1.0\nid: i\nsource: /s", NULL, "", ERR_BAD_EVENT, "type is missing" },
        { "specversion: 1.0\ntype: t\nsource: /s", NULL, "", ERR_BAD_EVENT, "id is missing" },
        { "specversion: 1.0\nid: i\ntype: t", NULL, "", ERR_BAD_EVENT, "source is missing" },
        { "id: i\nsource: /s\ntype: t", NULL, "", ERR_BAD_EVENT, "specversion is missing" },
        { "specversion: 0.3\nid: i\nsource: /s\ntype: t", NULL, "", ERR_BAD_EVENT, "1.0" },
        { ISTA "\nfoo_bar: 1", NULL, "", ERR_BAD_EVENT, "\"foo_bar\" is not an attribute name" },
        { ISTA "\nfoo-bar: 1", NULL, "", ERR_BAD_EVENT, "not an attribute name" },
        { ISTA "\n: 1", NULL, "", ERR_BAD_EVENT, "not an attribute name" },
        { ISTA "\n\xff: 1", NULL, "", ERR_BAD_EVENT, "\"…\" is not" },
        { ISTA "\nfoo: 1\nFOO: 1", NULL, "", ERR_BAD_EVENT, "foo is there twice" },
        { ISTA "\nID: 1", NULL, "", ERR_BAD_EVENT, "id is there twice" },
        { ISTA "\ndata: 1", NULL, "", ERR_BAD_EVENT, "the body" },
        { ISTA "\ndata_base64: 1", NULL, "", ERR_BAD_EVENT, "the body" },
        { ISTA "\ndatacontenttype: a/b", NULL, "", ERR_BAD_EVENT, "Content-Type" },
        { ISTA "\nexpectedversion: -1", NULL, "", ERR_BAD_EVENT, "integer" },
        { ISTA "\nexpectedversion: x", NULL, "", ERR_BAD_EVENT, "integer" },
        { ISTA "\ntime: now", NULL, "", ERR_BAD_EVENT, "RFC 3339" },
        { ISTA, "application/json", "{\n\"a\":x}", ERR_BAD_JSON, "Line 2, column 5" },
        { ISTA, "application/json", "1 2", ERR_BAD_JSON, "after the end" },
        { ISTA, "application/json", " ", ERR_BAD_JSON, "early" },
        { ISTA, "\xff", "x", ERR_BAD_EVENT, "Content-Type" },
        { ISTA, "a\tb", "x", ERR_BAD_EVENT, "control character" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(parse_binary(rows[i].headers, rows[i].type, slice_of(rows[i].body)), rows[i].e, "",
                       rows[i].words, rows[i].headers);
}

static void headers_count_towards_the_size_of_the_event(void **state)
{
    (void)state;
    limits.event_bytes = sizeof "specversion1.0idisource/stypet" - 1 + 5;
    assert_parsed(parse_binary(ISTA, NULL, SLICE("12345")));
    assert_refused(parse_binary(ISTA, NULL, SLICE("123456")), ERR_EVENT_TOO_LARGE, "", "at most", "body");
    limits.event_bytes = 1 << 20;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_and_body_make_an_event),
        cmocka_unit_test(the_body_is_stored_as_what_its_media_type_says),
        cmocka_unit_test(header_values_are_decoded_once_and_strictly),
        cmocka_unit_test(headers_that_make_no_event_are_refused),
        cmocka_unit_test(headers_count_towards_the_size_of_the_event),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    parsed_free();
    return failed;
}
