#include "tests/unit/event_fixture.h"

#define IST "\"id\":\"i\",\"source\":\"/s\",\"type\":\"t\""
#define ISTA "\"specversion\":\"1.0\"," IST

struct row {
    const char *body;
    enum err e;
    const char *pointer, *words; /* words of the detail */
};

static void refuse(enum event_format format, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_refused(parse(format, rows[i].body), rows[i].e, rows[i].pointer, rows[i].words, rows[i].body);
}
#define REFUSE(format, rows) refuse(format, rows, sizeof rows / sizeof *rows)

static void cloudevents_demands_its_required_attributes(void **state)
{
    static const struct row rows[] = {
        { "{" IST "}", ERR_BAD_EVENT, "/specversion", "specversion is missing" },
        { "{\"specversion\":null," IST "}", ERR_BAD_EVENT, "/specversion", "missing" },
        { "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\"}", ERR_BAD_EVENT, "/id", "id is missing" },
        { "{\"specversion\":\"1.0\",\"id\":null,\"source\":\"/s\",\"type\":\"t\"}", ERR_BAD_EVENT, "/id", "missing" },
        { "{\"specversion\":\"1.0\",\"id\":\"i\",\"type\":\"t\"}", ERR_BAD_EVENT, "/source", "source is missing" },
        { "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"/s\"}", ERR_BAD_EVENT, "/type", "type is missing" },
        { "{}", ERR_BAD_EVENT, "/type", "missing" },
        { "[{" ISTA "}]", ERR_BAD_EVENT, "", "must be a JSON object" },
        { "null", ERR_BAD_EVENT, "", "object" },
    };
    static const struct row batches[] = {
        { "[{" ISTA "},{" IST "}]", ERR_BAD_EVENT, "/1/specversion", "missing" },
        { "{" ISTA "}", ERR_BAD_EVENT, "", "array" },
        { "[]", ERR_BAD_EVENT, "", "no event" },
        { "[[{" ISTA "}]]", ERR_BAD_EVENT, "/0", "object" },
        { "[{" ISTA "},null]", ERR_BAD_EVENT, "/1", "object" },
    };

    (void)state;
    REFUSE(EVENT_STRUCTURED, rows);
    REFUSE(EVENT_BATCH, batches);
}

static void values_that_cloudevents_forbids_are_refused(void **state)
{
    static const struct row rows[] = {
        { "{}", ERR_BAD_EVENT, "/type", "type is missing" },
        { "{\"type\":null}", ERR_BAD_EVENT, "/type", "missing" },
        { "{\"type\":1}", ERR_BAD_EVENT, "/type", "type must be a string" },
        { "{\"type\":true}", ERR_BAD_EVENT, "/type", "string" },
        { "{\"type\":[\"t\"]}", ERR_BAD_EVENT, "/type", "string" },
        { "{\"type\":\"\"}", ERR_BAD_EVENT, "/type", "empty" },
        { "{\"type\":\"t\",\"id\":\"\"}", ERR_BAD_EVENT, "/id", "empty" },
        { "{\"type\":\"t\",\"id\":7}", ERR_BAD_EVENT, "/id", "string" },
        { "{\"type\":\"t\",\"subject\":\"\"}", ERR_BAD_EVENT, "/subject", "empty" },
        { "{\"type\":\"t\",\"source\":\"\"}", ERR_BAD_EVENT, "/source", "empty" },
        { "{\"type\":\"t\",\"partitionkey\":\"\"}", ERR_BAD_EVENT, "/partitionkey", "empty" },
        { "{\"type\":\"t\",\"partitionkey\":1}", ERR_BAD_EVENT, "/partitionkey", "string" },
        { "{\"type\":\"t\",\"dataschema\":\"\"}", ERR_BAD_EVENT, "/dataschema", "empty" },
        { "{\"type\":\"t\",\"datacontenttype\":\"\"}", ERR_BAD_EVENT, "/datacontenttype", "empty" },
        { "{\"type\":\"t\",\"specversion\":\"0.3\"}", ERR_BAD_EVENT, "/specversion", "1.0" },
        { "{\"type\":\"t\",\"specversion\":1.0}", ERR_BAD_EVENT, "/specversion", "string" },
        { "{\"type\":\"t\",\"specversion\":\"1\"}", ERR_BAD_EVENT, "/specversion", "1.0" },
        { "{\"type\":\"t\",\"source\":\"a b\"}", ERR_BAD_EVENT, "/source", "URI" },
        { "{\"type\":\"t\",\"source\":\"a\\\\b\"}", ERR_BAD_EVENT, "/source", "URI" },
        { "{\"type\":\"t\",\"source\":\"{x}\"}", ERR_BAD_EVENT, "/source", "URI" },
        { "{\"type\":\"t\",\"source\":\"\\u003c\"}", ERR_BAD_EVENT, "/source", "URI" },
        { "{\"type\":\"t\",\"dataschema\":\"a`b\"}", ERR_BAD_EVENT, "/dataschema", "URI" },
        { "{\"type\":\"t\",\"dataschema\":\"^|\"}", ERR_BAD_EVENT, "/dataschema", "URI" },
        { "{\"type\":\"t\",\"time\":\"yesterday\"}", ERR_BAD_EVENT, "/time", "RFC 3339" },
        { "{\"type\":\"t\",\"time\":\"\"}", ERR_BAD_EVENT, "/time", "RFC 3339" },
        { "{\"type\":\"t\",\"time\":\"2026-02-30T00:00:00Z\"}", ERR_BAD_EVENT, "/time", "RFC 3339" },
        { "{\"type\":\"t\",\"time\":1769903999}", ERR_BAD_EVENT, "/time", "string" },
        { "{\"type\":\"t\",\"expectedversion\":-1}", ERR_BAD_EVENT, "/expectedversion", "integer" },
        { "{\"type\":\"t\",\"expectedversion\":1.0}", ERR_BAD_EVENT, "/expectedversion", "integer" },
        { "{\"type\":\"t\",\"expectedversion\":\"1\"}", ERR_BAD_EVENT, "/expectedversion", "integer" },
        { "{\"type\":\"t\",\"expectedversion\":true}", ERR_BAD_EVENT, "/expectedversion", "integer" },
        { "{\"type\":\"t\",\"expectedversion\":9223372036854775808}", ERR_BAD_EVENT, "/expectedversion", "integer" },
        { "{\"type\":\"t\",\"foo\":1.5}", ERR_BAD_EVENT, "/foo", "integer of 32 bits" },
        { "{\"type\":\"t\",\"foo\":1e2}", ERR_BAD_EVENT, "/foo", "integer of 32 bits" },
        { "{\"type\":\"t\",\"foo\":2147483648}", ERR_BAD_EVENT, "/foo", "integer of 32 bits" },
        { "{\"type\":\"t\",\"foo\":-2147483649}", ERR_BAD_EVENT, "/foo", "integer of 32 bits" },
        { "{\"type\":\"t\",\"foo\":{}}", ERR_BAD_EVENT, "/foo", "string, a boolean or an integer" },
        { "{\"type\":\"t\",\"foo\":[]}", ERR_BAD_EVENT, "/foo", "string, a boolean or an integer" },
        { "{\"type\":\"t\",\"data\":1,\"data_base64\":\"AA==\"}", ERR_BAD_EVENT, "/data_base64", "exclude" },
        { "{\"type\":\"t\",\"data\":null,\"data_base64\":\"AA==\"}", ERR_BAD_EVENT, "/data_base64", "exclude" },
        { "{\"type\":\"t\",\"data_base64\":\"A\"}", ERR_BAD_EVENT, "/data_base64", "base64" },
        { "{\"type\":\"t\",\"data_base64\":\"AA\"}", ERR_BAD_EVENT, "/data_base64", "base64" },
        { "{\"type\":\"t\",\"data_base64\":\"-_==\"}", ERR_BAD_EVENT, "/data_base64", "base64" },
        { "{\"type\":\"t\",\"data_base64\":1}", ERR_BAD_EVENT, "/data_base64", "base64" },
        { "{\"type\":\"t\",\"datacontenttype\":\"text/json\",\"data_base64\":\"Cns=\"}", ERR_BAD_JSON, "/data_base64",
          "Line 2" },
        { "{\"type\":\"t\",\"datacontenttype\":\"text/json\",\"data_base64\":\"\"}", ERR_BAD_JSON, "/data_base64", "early" },
    };

    (void)state;
    REFUSE(EVENT_JSON, rows);
}

static void characters_that_cloudevents_forbids_are_refused(void **state)
{
    static const char *const bad[] = {
        "\\u0000", "\\n", "\\u001f", "\x7f", "\\u007f", "\xc2\x80", "\xc2\x9f", "\\u0085", "\xef\xb7\x90",
        "\xef\xb7\xaf", "\xef\xbf\xbe", "\xef\xbf\xbf", "\\uFDD0", "\\uffff", "\xf0\x9f\xbf\xbe",
        "\xf4\x8f\xbf\xbf", "\\ud83f\\udfff", "\xf2\xaf\xbf\xbf",
    };
    static const char *const good[] = {
        "~", "\xc2\xa0", "\\u00a0", "\xef\xb7\x8f", "\xef\xb7\xb0", "\xef\xbf\xbd", "\xf0\x9f\xbf\xbd",
        "\xf0\x90\x80\x80", "\xe2\x82\xac", "\xf3\xb0\x80\x80", "\xed\x9f\xbf",
    };
    static const char *const names[] = { "type", "id", "subject", "source", "partitionkey", "foo", "dataschema" };
    char body[100], pointer[20];

    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const char *type = k ? ",\"type\":\"t\"" : "";

        snprintf(pointer, sizeof pointer, "/%s", names[k]);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            snprintf(body, sizeof body, "{\"%s\":\"a%s\"%s}", names[k], bad[i], type);
            assert_refused(parse(EVENT_JSON, body), ERR_BAD_EVENT, pointer, "character", body);
        }
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
            snprintf(body, sizeof body, "{\"%s\":\"a%sb\"%s}", names[k], good[i], type);
            assert_parsed(parse(EVENT_JSON, body));
        }
    }
}

static void names_that_are_no_attributes_are_refused(void **state)
{
    static const struct row rows[] = {
        { "{\"eventType\":\"t\"}", ERR_BAD_EVENT, "/eventType", "\"eventType\" is not an attribute name" },
        { "{\"\":\"t\"}", ERR_BAD_EVENT, "/", "not an attribute name" },
        { "{\"data_\":1}", ERR_BAD_EVENT, "/data_", "not an attribute name" },
        { "{\"a-b\":1}", ERR_BAD_EVENT, "/a-b", "not an attribute name" },
        { "{\"a/~\":1}", ERR_BAD_EVENT, "/a~1~0", "\"a/~\" is" },
        { "{\"\xc3\xa4x\":1}", ERR_BAD_EVENT, "/\xc3\xa4x", "\"…\" is" },
        { "{\"type\\u0000\":\"t\"}", ERR_BAD_EVENT, "/type", "\"type…\" is" },
        { "{\"Type\":null}", ERR_BAD_EVENT, "/Type", "not an attribute name" },
        { "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}", ERR_BAD_EVENT, "", "aaa…" },
    };

    (void)state;
    REFUSE(EVENT_JSON, rows);
    assert_parsed(parse(EVENT_JSON, "{\"type\":\"t\","
                                    "\"0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa9\":1}"));
}

static void a_member_that_is_there_twice_is_refused(void **state)
{
    static const struct row rows[] = {
        { "{\"type\":\"t\",\"type\":\"t\"}", ERR_BAD_EVENT, "/type", "type is there twice" },
        { "{\"type\":\"t\",\"ty\\u0070e\":\"t\"}", ERR_BAD_EVENT, "/type", "twice" },
        { "{\"type\":\"t\",\"foo\":1,\"bar\":1,\"foo\":1}", ERR_BAD_EVENT, "/foo", "twice" },
        { "{\"type\":\"t\",\"foo\":null,\"\\u0066oo\":1}", ERR_BAD_EVENT, "/foo", "twice" },
        { "{\"type\":\"t\",\"id\":null,\"id\":\"a\"}", ERR_BAD_EVENT, "/id", "twice" },
        { "{\"type\":\"t\",\"partitionkey\":null,\"partitionkey\":\"a\"}", ERR_BAD_EVENT, "/partitionkey", "twice" },
        { "{\"type\":\"t\",\"data\":1,\"data\":1}", ERR_BAD_EVENT, "/data", "twice" },
        { "{\"type\":\"t\",\"data_base64\":null,\"data_base64\":null}", ERR_BAD_EVENT, "/data_base64", "twice" },
        { "{\"type\":\"t\",\"offset\":1,\"offset\":1}", ERR_BAD_EVENT, "/offset", "twice" },
    };

    (void)state;
    REFUSE(EVENT_JSON, rows);
    assert_parsed(parse(EVENT_JSON, "{\"type\":\"t\",\"data\":{\"a\":1,\"a\":2}}"));
}

static void each_attribute_has_its_bound(void **state)
{
    static const struct {
        const char *name;
        size_t max;
    } rows[] = { { "id", 1024 },           { "type", 1024 },       { "subject", 1024 },         { "source", 1024 },
                 { "partitionkey", 1024 }, { "dataschema", 8192 }, { "datacontenttype", 8192 }, { "foo", 8192 } };
    static char body[10000], value[8194];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t over = 0; over < 2; over++) {
            char pointer[20];

            memset(value, 'x', rows[i].max + over);
            value[rows[i].max + over] = '\0';
            snprintf(body, sizeof body, "{\"%s\":\"%s\"%s}", rows[i].name, value, i == 1 ? "" : ",\"type\":\"t\"");
            snprintf(pointer, sizeof pointer, "/%s", rows[i].name);
            if (over)
                assert_refused(parse(EVENT_JSON, body), ERR_BAD_EVENT, pointer, "longer than", rows[i].name);
            else
                assert_parsed(parse(EVENT_JSON, body));
        }
}

static void at_most_64_extensions_fit(void **state)
{
    struct buf body = { 0 };

    (void)state;
    BUF_LIT(&body, "{\"type\":\"t\"");
    for (int i = 0; i < 64; i++)
        buf_printf(&body, ",\"x%d\":%d", i, i);
    BUF_LIT(&body, "}");
    assert_parsed(parse_slice(EVENT_JSON, (struct slice){ body.p, body.n }));
    body.n--;
    BUF_LIT(&body, ",\"y\":1}");
    assert_refused(parse_slice(EVENT_JSON, (struct slice){ body.p, body.n }), ERR_BAD_EVENT, "/y", "at most 64", "65");
    buf_free(&body);
}

static void broken_json_is_refused_with_line_and_column(void **state)
{
    static const struct row rows[] = {
        { "", ERR_BAD_JSON, "", "Line 1, column 1" },
        { " \n ", ERR_BAD_JSON, "", "Line 2, column 2" },
        { "x", ERR_BAD_JSON, "", "Line 1, column 1" },
        { "{\"type\":\"t\"", ERR_BAD_JSON, "", "early" },
        { "{\"type\":\"t\",}", ERR_BAD_JSON, "", "Line 1, column 13" },
        { "{\"type\":\"t\"} {}", ERR_BAD_JSON, "", "column 14" },
        { "{\"type\":\"t\",\n\"data\":{\"a\" 1}}", ERR_BAD_JSON, "", "Line 2, column 13: ':' is expected." },
        { "{\"type\":tru}", ERR_BAD_JSON, "", "value" },
        { "{\"type\":\"\xff\"}", ERR_BAD_JSON, "", "UTF-8" },
        { "{\"version\":[}", ERR_BAD_JSON, "", "value" },
        { "\xef\xbb\xbf{\"type\":\"t\"}", ERR_BAD_JSON, "", "column 1" },
        { "[{\"type\":\"t\"},{\"type\":}]", ERR_BAD_JSON, "/1", "column 23" },
        { "[{\"type\":\"t\"},]", ERR_BAD_JSON, "/1", "value" },
        { "[{\"type\":\"t\"}", ERR_BAD_JSON, "", "early" },
        { "[{\"type\":\"t\"}] x", ERR_BAD_JSON, "", "after the end" },
        { "[]", ERR_BAD_EVENT, "", "no event" },
        { "[{\"type\":\"t\"},7]", ERR_BAD_EVENT, "/1", "object" },
        { "[{\"type\":\"t\"},{\"type\":\"t\",\"id\":\"\"}]", ERR_BAD_EVENT, "/1/id", "empty" },
        { "\"{}\"", ERR_BAD_EVENT, "", "object" },
    };
    static const struct row lines[] = {
        { "", ERR_BAD_EVENT, "", "no event" },
        { "\n \r\n\t\n", ERR_BAD_EVENT, "", "no event" },
        { "{\"type\":\"t\"}\n\n{\"type\":}\n", ERR_BAD_JSON, "/1", "Line 3, column 9" },
        { "{\"type\":\n\"t\"}", ERR_BAD_JSON, "/0", "early" },
        { "{\"type\":\"t\"}{\"type\":\"t\"}", ERR_BAD_JSON, "/0", "after the end" },
        { "{\"type\":\"t\"}\n[{\"type\":\"t\"}]", ERR_BAD_EVENT, "/1", "object" },
        { "{\"type\":\"t\"}\n{\"id\":\"t\"}", ERR_BAD_EVENT, "/1/type", "missing" },
    };

    (void)state;
    REFUSE(EVENT_JSON, rows);
    REFUSE(EVENT_NDJSON, lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cloudevents_demands_its_required_attributes),
        cmocka_unit_test(values_that_cloudevents_forbids_are_refused),
        cmocka_unit_test(characters_that_cloudevents_forbids_are_refused),
        cmocka_unit_test(names_that_are_no_attributes_are_refused),
        cmocka_unit_test(a_member_that_is_there_twice_is_refused),
        cmocka_unit_test(each_attribute_has_its_bound),
        cmocka_unit_test(at_most_64_extensions_fit),
        cmocka_unit_test(broken_json_is_refused_with_line_and_column),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    parsed_free();
    return failed;
}
