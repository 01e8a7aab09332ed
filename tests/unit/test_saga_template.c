#include "tests/unit/saga_body_fixture.h"

static const char input[] =
    "{\"a\":{\"b\":1.50,\"list\":[\"x\",{\"y\":true}]},\"s\":\"q\\\"u/o é\",\"nil\":null,\"o\":{ \"k\" : 1 },"
    "\"a.b\":{\"c d\":\"dots\"},\"line\":\"one\\r\\ntwo\",\"up\":\"..\",\"dot\":\".\",\"nul\":\"a\\u0000b\","
    "\"empty\":\"\"}";

static void assert_made(const char *json, enum saga_form form, const char *want)
{
    const char *got = filled_in(json, form, NULL);

    if (strcmp(got, want))
        fail_msg("%s: %s instead of %s", json, got, want);
}

static void assert_refused(const char *json, enum saga_form form, enum saga_rendering want, const char *words)
{
    enum saga_rendering result;
    const char *why = filled_in(json, form, &result);

    if (result != want || !strstr(why, words))
        fail_msg("%s: %d %s", json, (int)result, why);
}

static int setup(void **state)
{
    (void)state;
    saga_values.input = slice_of(input);
    saga_values.event = slice_of("{\"subject\":\"s-1\",\"data\":{\"id\":9}}");
    saga_values.missing_is_null = false;
    saga_values.null_results = 0;
    return 0;
}

static void a_place_alone_is_the_json_value(void **state)
{
    (void)state;
    assert_made("\"{{input.a.b}}\"", SAGA_JSON, "1.50");
    assert_made("\"{{ input.a.list }}\"", SAGA_JSON, "[\"x\",{\"y\":true}]");
    assert_made("\"{{input.nil}}\"", SAGA_JSON, "null");
    assert_made("\"{{input.s}}\"", SAGA_JSON, "\"q\\\"u/o é\"");
    assert_made("\"{{saga.id}}\"", SAGA_JSON, "\"o-1\"");
    assert_made("\"{{steps.reserve.result.n.0}}\"", SAGA_JSON, "7");
    assert_made("\"{{input.a.list.1.y}}\"", SAGA_JSON, "true");
    assert_made("\"{{event.data.id}}\"", SAGA_JSON, "9");
    assert_made("\"{{secret.key}}\"", SAGA_JSON, "\"s\\\"3cret\"");
    assert_made("{\"x\":[\"{{input.o.k}}\",{\"y\":\"{{saga.name}}\"}],\"z\":null}", SAGA_JSON,
                "{\"x\":[1,{\"y\":\"orders\"}],\"z\":null}");
}

static void in_a_longer_text_scalars_stand_as_text(void **state)
{
    (void)state;
    assert_made("\" {{input.a.b}}\"", SAGA_JSON, "\" 1.50\"");
    assert_made("\"<{{input.s}}>\\n{{input.a.list.1.y}}\"", SAGA_JSON, "\"<q\\\"u/o é>\\ntrue\"");
    assert_made("\"{{saga.name}}-{{saga.id}}\"", SAGA_JSON, "\"orders-o-1\"");
    assert_made("\"{{saga.name}}{{saga.id}}\"", SAGA_TEXT, "orderso-1");
    assert_made("\"Bearer {{secret.key}}\"", SAGA_HEADER, "Bearer s\"3cret");
    assert_made("\"{{input.empty}}\"", SAGA_TEXT, "");
}

static void names_of_other_characters_are_reached_by_json_pointers(void **state)
{
    (void)state;
    assert_made("\"{{input/a.b/c d}}\"", SAGA_TEXT, "dots");
    assert_made("\"{{input/a/list/0}}\"", SAGA_TEXT, "x");
    assert_made("\"{{steps.reserve.result/id}}\"", SAGA_TEXT, "r 1");
}

static void braces_and_names_of_members_stay_what_they_are(void **state)
{
    (void)state;
    assert_made("{\"{{input.a}}\":\"\\\\{{input.a}} } }} { x\"}", SAGA_JSON, "{\"{{input.a}}\":\"{{input.a}} } }} { x\"}");
    assert_made("\"a\\\\{{b{{saga.id}}\\\\{{\"", SAGA_TEXT, "a{{bo-1{{");
}

static void what_is_missing_or_no_text_refuses_and_no_value_is_told(void **state)
{
    (void)state;
    assert_refused("\"{{input.a.x}}\"", SAGA_JSON, SAGA_REFUSED, "{{input.a.x}} is missing.");
    assert_refused("{\"k\":[\"a {{input.a.x}}\"]}", SAGA_JSON, SAGA_REFUSED, "is missing.");
    assert_string_equal(saga.fault.pointer, "/k/0");
    assert_refused("\"a {{input.nil}}\"", SAGA_JSON, SAGA_REFUSED, "is null");
    assert_refused("\"a {{input.a}}\"", SAGA_JSON, SAGA_REFUSED, "is an object");
    assert_refused("\"{{input.a.list}}\"", SAGA_TEXT, SAGA_REFUSED, "is an array");
    assert_refused("\"{{input.a.list.2}}\"", SAGA_JSON, SAGA_REFUSED, "is missing");
    assert_refused("\"{{input.line}}\"", SAGA_HEADER, SAGA_REFUSED, "line break");
    assert_null(strstr(saga.fault.detail, "one"));
    assert_refused("\"{{input.nul}}\"", SAGA_HEADER, SAGA_REFUSED, "control");
    assert_refused("\"{{secret.other}}\"", SAGA_HEADER, SAGA_NO_SECRET, "not configured for https://a.example");
}

static void in_a_url_values_are_encoded_and_cannot_lead_elsewhere(void **state)
{
    (void)state;
    assert_made("\"https://a.example/x/{{input.s}}?q={{input.a.b}}\"", SAGA_URL,
        "https://a.example/x/q%22u%2Fo%20%C3%A9?q=1.50");
    assert_made("\"https://a.example/{{input.line}}\"", SAGA_URL, "https://a.example/one%0D%0Atwo");
    assert_made("\"https://a.example/a{{input.up}}/?{{input.up}}{{input.empty}}\"", SAGA_URL, "https://a.example/a../?..");
    assert_made("\"https://a.example?next=/{{input.up}}/\"", SAGA_URL, "https://a.example?next=/../");
    assert_refused("\"https://a.example/x/{{input.up}}/y\"", SAGA_URL, SAGA_REFUSED, "segment");
    assert_refused("\"https://a.example/x/.{{input.dot}}\"", SAGA_URL, SAGA_REFUSED, "segment");
    assert_refused("\"https://a.example/x/{{input.up}}%2Fy\"", SAGA_URL, SAGA_REFUSED, "segment");
    assert_refused("\"https://a.example/x%5C{{input.up}}\"", SAGA_URL, SAGA_REFUSED, "segment");
    assert_refused("\"https://a.example/x/%2E{{input.dot}}/\"", SAGA_URL, SAGA_REFUSED, "segment");
    assert_refused("\"https://a.example/x/{{input.empty}}\"", SAGA_URL, SAGA_REFUSED, "{{input.empty}} is empty");
    assert_refused("\"https://a.example/{{input.s}}/{{input.empty}}?a\"", SAGA_URL, SAGA_REFUSED, "is empty");
}

static void a_secret_is_masked_where_nobody_gives_it(void **state)
{
    bool (*secret)(void *arg, struct slice target, struct slice name, struct slice *ret) = saga_values.secret;

    (void)state;
    saga_values.secret = NULL;
    assert_made("\"Bearer {{secret.key}}\"", SAGA_HEADER, "Bearer ***");
    assert_made("{\"k\":\"{{secret.nowhere}}\"}", SAGA_JSON, "{\"k\":\"***\"}");
    assert_made("\"https://a.example/?k={{secret.key}}\"", SAGA_URL, "https://a.example/?k=***");
    saga_values.secret = secret;
}

static void where_no_step_can_fail_what_is_missing_is_null(void **state)
{
    (void)state;
    saga_values.missing_is_null = true;
    assert_made("{\"a\":\"{{event.data.x}}\",\"b\":\"<{{event.x}}{{event.data}}>\",\"c\":\"{{event.subject}}\"}", SAGA_JSON,
                "{\"a\":null,\"b\":\"<{\\\"id\\\":9}>\",\"c\":\"s-1\"}");
    assert_made("\"{{event.nothing}}\"", SAGA_TEXT, "");
}

static void a_result_that_is_not_known_is_null_in_its_compensation(void **state)
{
    static const struct slice none[2] = { { NULL, 0 }, { NULL, 0 } }, skipped[2] = { { "null", 4 }, { NULL, 0 } };
    const struct slice *results = saga_values.result;

    (void)state;
    saga_values.result = none;
    assert_refused("\"{{steps.reserve.result.id}}\"", SAGA_JSON, SAGA_REFUSED, "is missing");
    saga_values.null_results = 1;
    assert_made("\"{{steps.reserve.result.id}}\"", SAGA_JSON, "null");
    assert_refused("\"x{{steps.reserve.result}}\"", SAGA_JSON, SAGA_REFUSED, "is null");
    saga_values.result = skipped;
    assert_made("\"{{steps.reserve.result.id}}\"", SAGA_JSON, "null");
    saga_values.null_results = 0;
    assert_refused("\"{{steps.reserve.result.id}}\"", SAGA_JSON, SAGA_REFUSED, "is missing");
    saga_values.result = results;
    assert_made("\"{{steps.reserve.result.id}}\"", SAGA_JSON, "\"r 1\"");
}

static void what_is_made_is_bounded(void **state)
{
    struct buf large = { 0 }, text = { 0 };
    enum saga_rendering result;

    (void)state;
    buf_str(&large, "\"");
    for (int i = 0; i < 200000; i++)
        buf_char(&large, 'x');
    buf_char(&large, '"');
    for (int i = 0; i < 6; i++)
        buf_str(&text, i ? ",\"{{input}}\"" : "[\"{{input}}\"");
    buf_str(&text, "]");
    buf_put(&text, "", 1);
    saga_values.input = (struct slice){ large.p, large.n };
    assert_non_null(strstr(filled_in(text.p, SAGA_JSON, &result), "larger"));
    assert_int_equal(result, SAGA_REFUSED);
    assert_non_null(strstr(filled_in("\"https://a.example/{{input}}\"", SAGA_URL, &result), "longer"));
    assert_non_null(strstr(filled_in("\"{{input}}\"", SAGA_HEADER, &result), "longer"));
    buf_free(&large);
    buf_free(&text);
}

static void what_no_template_can_be_is_refused_with_its_place(void **state)
{
    static const struct row {
        const char *json, *words;
        enum saga_form form;
        unsigned without;        /* root that is not for use here, plus one */
    } rows[] = {
        { "\"{{input\"", "no `}}`", SAGA_JSON, 0 },
        { "\"a {{ }}\"", "begins with", SAGA_JSON, 0 },
        { "\"{{inputs.a}}\"", "begins with", SAGA_JSON, 0 },
        { "\"{{input.}}\"", "goes on with", SAGA_JSON, 0 },
        { "\"{{input[0]}}\"", "goes on with", SAGA_JSON, 0 },
        { "\"{{input.a/b}}\"", "goes on with", SAGA_JSON, 0 },
        { "\"{{input/a~2}}\"", "goes on with", SAGA_JSON, 0 },
        { "\"{{input.a b}}\"", "goes on with", SAGA_JSON, 0 },
        { "\"{{steps}}\"", "of a step there is", SAGA_JSON, 0 },
        { "\"{{steps.reserve}}\"", "of a step there is", SAGA_JSON, 0 },
        { "\"{{steps.reserve.results}}\"", "of a step there is", SAGA_JSON, 0 },
        { "\"{{steps.nobody.result}}\"", "no step nobody", SAGA_JSON, 0 },
        { "\"{{steps.later-1.result}}\"", "is not before this one", SAGA_JSON, 0 },
        { "\"{{saga}}\"", "there are {{saga.id}}", SAGA_JSON, 0 },
        { "\"{{saga.input}}\"", "there are {{saga.id}}", SAGA_JSON, 0 },
        { "\"{{secret}}\"", "A secret is", SAGA_JSON, 0 },
        { "\"{{secret.a/b}}\"", "A secret is", SAGA_JSON, 0 },
        { "\"{{secret.key}}\"", "is for use in the url", SAGA_JSON, 1 + SAGA_OF_SECRET },
        { "\"{{event.data}}\"", "is for use in start_on", SAGA_JSON, 1 + SAGA_OF_EVENT },
        { "\"{{input.a}}\"", "is for use in the steps", SAGA_JSON, 1 + SAGA_OF_INPUT },
        { "\"https://a.example/a b\"", "byte 20", SAGA_URL, 0 },
        { "\"https://a.example/a#b{{saga.id}}\"", "#fragment", SAGA_URL, 0 },
        { "\"https://a.example/../{{saga.id}}\"", "segments", SAGA_URL, 0 },
        { "\"https://a.example/%2e./x\"", "segments", SAGA_URL, 0 },
        { "\"a\\nb\"", "control", SAGA_HEADER, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err e = try_template(rows[i].json, rows[i].form, rows[i].without ? ~(1u << (rows[i].without - 1)) : ~0u);

        if (e != ERR_BAD_DEFINITION || !strstr(saga.fault.detail, rows[i].words))
            fail_msg("%s: %d %s", rows[i].json, (int)e, saga.fault.detail);
    }
    assert_int_equal(try_template("{\"a\":[1,{\"b~/\":\"{{x}}\"}]}", SAGA_JSON, ~0u), ERR_BAD_DEFINITION);
    assert_string_equal(saga.fault.pointer, "/a/1/b~0~1");
}

static void a_template_has_a_bounded_number_of_places(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_str(&b, "[\"x\"");
    for (int i = 0; i < SAGA_PLACES_MAX + 1; i++)
        buf_str(&b, ",\"{{input}}\"");
    buf_str(&b, "]");
    buf_put(&b, "", 1);
    assert_int_equal(try_template(b.p, SAGA_JSON, ~0u), ERR_BAD_DEFINITION);
    assert_non_null(strstr(saga.fault.detail, "places"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_place_alone_is_the_json_value, setup),
        cmocka_unit_test_setup(in_a_longer_text_scalars_stand_as_text, setup),
        cmocka_unit_test_setup(names_of_other_characters_are_reached_by_json_pointers, setup),
        cmocka_unit_test_setup(braces_and_names_of_members_stay_what_they_are, setup),
        cmocka_unit_test_setup(what_is_missing_or_no_text_refuses_and_no_value_is_told, setup),
        cmocka_unit_test_setup(in_a_url_values_are_encoded_and_cannot_lead_elsewhere, setup),
        cmocka_unit_test_setup(a_secret_is_masked_where_nobody_gives_it, setup),
        cmocka_unit_test_setup(where_no_step_can_fail_what_is_missing_is_null, setup),
        cmocka_unit_test_setup(a_result_that_is_not_known_is_null_in_its_compensation, setup),
        cmocka_unit_test_setup(what_is_made_is_bounded, setup),
        cmocka_unit_test_setup(what_no_template_can_be_is_refused_with_its_place, setup),
        cmocka_unit_test_setup(a_template_has_a_bounded_number_of_places, setup),
    };

    return cmocka_run_group_tests(tests, NULL, saga_body_teardown);
}
