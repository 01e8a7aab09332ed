#include "tests/unit/saga_body_fixture.h"

#include "gateway/base/json_edit.h"

#define HTTP "{\"http\":{\"method\":\"POST\",\"url\":\"https://a.example/x\"}}"
#define STEP(name, more) "{\"name\":\"" name "\",\"action\":" HTTP more "}"
#define ONE(more) "{\"steps\":[" STEP("a", more) "]}"
#define ACTION(deed) "{\"steps\":[{\"name\":\"a\",\"action\":" deed "}]}"
#define CALL(members) ACTION("{\"http\":{\"method\":\"POST\",\"url\":\"https://a.example/x\"," members "}}")
#define URL(url) ACTION("{\"http\":{\"method\":\"PUT\",\"url\":\"" url "\"}}")
#define AWAIT(members) ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"T\"],\"match\":{}" members "}}")

static const struct saga_definition *const d = &saga.def;

static void assert_good(const char *body)
{
    if (try_saga(body))
        fail_msg("%s: at \"%s\": %s", body, saga.fault.pointer, saga.fault.detail);
}

static void a_definition_is_written_with_its_defaults_and_read_again(void **state)
{
    struct slice text;
    struct arena *kept = arena_new(SIZE_MAX);

    (void)state;
    assert_good("{ \"steps\": [" STEP("a", "") ", {\"approval\":{},\"name\":\"b\",\"timeout\":null}] }");
    assert_true(slice_is(d->text, "{\"steps\":["
        "{\"name\":\"a\",\"after\":[],\"action\":" HTTP ",\"compensation\":null,\"retry\":{\"initial\":\"1s\","
        "\"factor\":2,\"max\":\"5m\","
        "\"max_attempts\":10,\"jitter\":0.2},\"timeout\":\"30s\",\"pivot\":false},"
        "{\"name\":\"b\",\"after\":[\"a\"],\"approval\":{},\"compensation\":null,\"retry\":{\"initial\":\"1s\","
        "\"factor\":2,\"max\":\"5m\","
        "\"max_attempts\":10,\"jitter\":0.2},\"timeout\":null,\"pivot\":false}],"
        "\"start_on\":null,\"timeout\":null,\"on_exhausted\":\"compensate\",\"description\":null}"));
    text = arena_slice(kept, d->text);
    assert_int_equal(saga_definition_parse(kept, text, &saga.def, &saga.fault), OK);
    assert_true(slice_eq(text, d->text) && d->step_n == 2 && d->step[1].timeout_us == 0 && d->step[1].after == 1);
    arena_free(kept);
}

static void all_members_are_read(void **state)
{
    (void)state;
    assert_good("{\"steps\":[{\"name\":\"pay\",\"action\":{\"http\":{\"method\":\"PUT\","
        "\"url\":\"HTTPS://A.example:443/p/{{input.id}}\","
                "\"headers\":{\"X-A\":\"{{secret.k}}\"},\"body\":{\"n\":\"{{input.n}}\"}}},"
                "\"compensation\":{\"publish\":{\"stream\":\"out\",\"event\":{\"type\":\"Undo\","
                "\"data\":\"{{steps.pay.result}}\"}},"
                "\"await\":{\"stream\":\"in\",\"types\":[\"Undone\"],\"match\":{}}},"
                "\"retry\":{\"initial\":\"10ms\",\"factor\":1.5,\"max\":\"2s\",\"max_attempts\":3,\"jitter\":0},"
                "\"timeout\":\"2s\",\"pivot\":true},"
                "{\"name\":\"wait\",\"action\":{\"await\":{\"stream\":\"in\",\"types\":[\"Paid\",\"P*\"],"
                "\"failure_types\":[\"PFailed\"],"
                "\"match\":{\"/subject\":\"{{saga.id}}\",\"/data/id\":5}}},\"timeout\":\"7d\"},{\"name\":\"s\",\"signal\":{}}],"
                "\"start_on\":{\"stream\":\"in\",\"types\":[\"Go\"],\"id\":\"{{event.subject}}\","
                "\"input\":{\"id\":\"{{event.data.id}}\"}},"
                "\"timeout\":\"1h\",\"on_exhausted\":\"pause\",\"description\":\"x\"}");
    const struct saga_step *pay = &d->step[0], *wait = &d->step[1];

    assert_true(slice_is(pay->deed[0].http->target, "https://a.example") && pay->deed[0].http->header_n == 1 && pay->pivot);
    assert_true(pay->retry.initial_us == 10000 && pay->retry.factor == 1.5 && pay->retry.max_us == 2000000 &&
                pay->retry.max_attempts == 3 && pay->retry.jitter == 0);
    assert_true(pay->attempt_us == 2000000 && pay->timeout_us == 2000000);
    assert_true(pay->deed[1].kind == SAGA_PUBLISH && pay->deed[1].await == d->await[1] && !pay->deed[1].publish->has_id);
    assert_true(wait->deed[0].kind == SAGA_AWAIT && wait->deed[0].await->number == 2 && wait->deed[1].kind == SAGA_NOTHING);
    assert_true(wait->attempt_us == 30000000 && wait->timeout_us == INT64_C(7) * 24 * 3600 * 1000000);
    assert_true(slice_is(wait->deed[0].await->match[0].pointer, "/data/id")); /* in order */
    assert_int_equal(d->step[2].deed[0].kind, SAGA_SIGNAL);
    assert_true(d->start_on->id && d->start_on->input && d->pause && d->timeout_us == INT64_C(3600) * 1000000);
    assert_true(d->stream_n == 2 && slice_is(d->stream[0].name, "out") && d->stream[0].publish && !d->stream[0].subscribe &&
                slice_is(d->stream[1].name, "in") && !d->stream[1].publish && d->stream[1].subscribe);
}

static void dependencies_are_sets_of_steps(void **state)
{
    (void)state;
    assert_good("{\"steps\":[" STEP("d", ",\"after\":[\"b\",\"c\"]") "," STEP("a", ",\"after\":[]") "," STEP("b", "") ","
                STEP("c", ",\"after\":[\"a\",\"a\"]") "," STEP("e", ",\"after\":[]") "]}");
    assert_int_equal(d->step[0].after, 0xC);
    assert_int_equal(d->step[0].before, 0xE);
    assert_int_equal(d->step[2].after, 2); /* the one before it */
    assert_int_equal(d->step[1].behind, 0xD);
    assert_int_equal(d->step[4].behind, 0);
    assert_int_equal(d->roots, 0x12);
}

static void a_saga_has_64_steps_at_most(void **state)
{
    struct buf b = { 0 };

    (void)state;
    for (int i = 0; i < 64; i++)
        buf_printf(&b, "%s{\"name\":\"s%d\",\"signal\":{}}", i ? "," : "{\"steps\":[", i);
    buf_str(&b, "]}");
    buf_put(&b, "", 1);
    assert_good(b.p);
    assert_true(d->step[63].before == UINT64_MAX >> 1 && d->step[0].behind == UINT64_MAX - 1 && d->step_n == 64);
    b.n -= 3;
    buf_str(&b, ",{\"name\":\"s64\",\"signal\":{}}]}");
    buf_put(&b, "", 1);
    assert_int_equal(try_saga(b.p), ERR_BAD_BODY);
    buf_free(&b);
}

struct row {
    const char *body;
    enum err e;
    const char *pointer, *words;
};

static const struct row not_the_form[] = {
    { "{", ERR_BAD_JSON, "", "line 1" },
    { "[]", ERR_BAD_BODY, "", "object" },
    { "{}", ERR_BAD_BODY, "/steps", "required" },
    { "{\"steps\":{}}", ERR_BAD_BODY, "/steps", "1 to 64" },
    { "{\"steps\":[]}", ERR_BAD_BODY, "/steps", "1 to 64" },
    { "{\"steps\":[1]}", ERR_BAD_BODY, "/steps/0", "object" },
    { "{\"steps\":[{\"signal\":{}}]}", ERR_BAD_BODY, "/steps/0/name", "required" },
    { "{\"steps\":[" STEP("a.b", "") "]}", ERR_BAD_BODY, "/steps/0/name", "letters" },
    { "{\"steps\":[" STEP("", "") "]}", ERR_BAD_BODY, "/steps/0/name", "letters" },
    { "{\"steps\":[{\"name\":\"a\"}]}", ERR_BAD_BODY, "/steps/0", "one of" },
    { "{\"steps\":[" STEP("a", ",\"signal\":{}") "]}", ERR_BAD_BODY, "/steps/0", "one of" },
    { ONE(",\"aftr\":[]"), ERR_BAD_BODY, "/steps/0/aftr", "no such member" },
    { ONE(",\"after\":\"a\""), ERR_BAD_BODY, "/steps/0/after", "array" },
    { ONE(",\"after\":[1]"), ERR_BAD_BODY, "/steps/0/after/0", "name" },
    { ONE(",\"retry\":{\"initial\":\"0s\"}"), ERR_BAD_BODY, "/steps/0/retry/initial", "from \"1ms\"" },
    { ONE(",\"retry\":{\"factor\":0.5}"), ERR_BAD_BODY, "/steps/0/retry/factor", "from 1" },
    { ONE(",\"retry\":{\"max\":1}"), ERR_BAD_BODY, "/steps/0/retry/max", "duration" },
    { ONE(",\"retry\":{\"max_attempts\":0}"), ERR_BAD_BODY, "/steps/0/retry/max_attempts", "integer" },
    { ONE(",\"retry\":{\"jitter\":1.1}"), ERR_BAD_BODY, "/steps/0/retry/jitter", "to 1" },
    { ONE(",\"retry\":{\"tries\":1}"), ERR_BAD_BODY, "/steps/0/retry/tries", "no such member" },
    { ONE(",\"timeout\":\"2h\""), ERR_BAD_BODY, "/steps/0/timeout", "duration" },
    { ONE(",\"timeout\":null"), ERR_BAD_BODY, "/steps/0/timeout", "duration" },
    { ONE(",\"pivot\":1"), ERR_BAD_BODY, "/steps/0/pivot", "true or false" },
    { ONE(",\"compensation\":{\"approval\":{}}"), ERR_BAD_BODY, "/steps/0/compensation/approval", "no such member" },
    { "{\"steps\":[{\"name\":\"a\",\"approval\":{\"by\":\"x\"}}]}", ERR_BAD_BODY, "/steps/0/approval", "empty object" },
    { ACTION("{}"), ERR_BAD_BODY, "/steps/0/action", "one of" },
    { ACTION("{\"http\":{\"url\":\"https://a.example/x\"}}"), ERR_BAD_BODY, "/steps/0/action/http/method", "required" },
    { ACTION("{\"http\":{\"method\":\"get\",\"url\":\"https://a.example/x\"}}"), ERR_BAD_BODY,
      "/steps/0/action/http/method", "one of" },
    { ACTION("{\"http\":{\"method\":\"POST\",\"url\":\"https://a.example/\"},\"await\":{\"stream\":\"s\","
      "\"types\":[\"T\"],\"match\":{}}}"),
      ERR_BAD_BODY, "/steps/0/action", "nothing else" },
    { CALL("\"headers\":[]"), ERR_BAD_BODY, "/steps/0/action/http/headers", "object" },
    { CALL("\"headers\":{\"a\":1}"), ERR_BAD_BODY, "/steps/0/action/http/headers/a", "string" },
    { AWAIT(",\"types\":[]"), ERR_BAD_JSON, "", "twice" },
    { ACTION("{\"await\":{\"stream\":\"s\",\"types\":[],\"match\":{}}}"), ERR_BAD_BODY, "/steps/0/action/await/types", "1 to" },
    { ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"\"],\"match\":{}}}"), ERR_BAD_BODY,
      "/steps/0/action/await/types/0", "type" },
    { ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"T\"]}}"), ERR_BAD_BODY, "/steps/0/action/await/match", "required" },
    { ACTION("{\"await\":{\"stream\":\"S\",\"types\":[\"T\"],\"match\":{}}}"), ERR_BAD_BODY,
      "/steps/0/action/await/stream", "stream" },
    { AWAIT(",\"failure_types\":\"x\""), ERR_BAD_BODY, "/steps/0/action/await/failure_types", "array" },
    { ACTION("{\"publish\":{\"stream\":\"s\"}}"), ERR_BAD_BODY, "/steps/0/action/publish/event", "required" },
    { ACTION("{\"publish\":{\"stream\":\"s\",\"event\":{}}}"), ERR_BAD_BODY, "/steps/0/action/publish/event", "`type`" },
    { ACTION("{\"publish\":{\"stream\":\"s\",\"event\":[]}}"), ERR_BAD_BODY, "/steps/0/action/publish/event", "object" },
    { "{\"steps\":[{\"name\":\"a\",\"signal\":{}}],\"timeout\":30}", ERR_BAD_BODY, "/timeout", "duration" },
    { "{\"steps\":[{\"name\":\"a\",\"signal\":{}}],\"on_exhausted\":\"stop\"}", ERR_BAD_BODY, "/on_exhausted", "one of" },
    { "{\"steps\":[{\"name\":\"a\",\"signal\":{}}],\"start_on\":{\"stream\":\"s\"}}", ERR_BAD_BODY, "/start_on/types",
      "required" },
    { "{\"steps\":[{\"name\":\"a\",\"signal\":{}}],\"description\":\"\\u0000\"}", ERR_BAD_BODY, "/description", "U+0000" },
};

#define E ERR_BAD_DEFINITION
static const struct row impossible[] = {
    { "{\"steps\":[" STEP("a", "") "," STEP("a", "") "]}", E, "/steps/1/name", "two steps a" },
    { ONE(",\"after\":[\"b\"]"), E, "/steps/0/after/0", "no step b" },
    { ONE(",\"after\":[\"a\"]"), E, "/steps/0/after", "circle: a after a." },
    { "{\"steps\":[" STEP("a", "") "," STEP("b", ",\"after\":[\"a\",\"d\"]") "," STEP("c", "") "," STEP("d", "") "]}", E,
      "/steps/1/after", "circle: b after d after c after b." },
    { URL("ftp://a.example/"), E, "/steps/0/action/http/url", "http://" },
    { URL("/x"), E, "/steps/0/action/http/url", "http://" },
    { URL("https://{{input.host}}/"), E, "/steps/0/action/http/url", "host" },
    { URL("https://a.example{{input.x}}"), E, "/steps/0/action/http/url", "written out" },
    { URL("https://a.example:80{{input.x}}/"), E, "/steps/0/action/http/url", "written out" },
    { URL("https://u:p@a.example/"), E, "/steps/0/action/http/url", "user" },
    { URL("https://a.example/a b"), E, "/steps/0/action/http/url", "percent" },
    { URL("https://a.example/{{input}"), E, "/steps/0/action/http/url", "}}" },
    { ACTION("{\"http\":{\"method\":\"GET\",\"url\":\"https://a.example/\",\"body\":1}}"), E,
      "/steps/0/action/http/body", "GET" },
    { CALL("\"headers\":{\"Host\":\"x\"}"), E, "/steps/0/action/http/headers/Host", "Weir" },
    { CALL("\"headers\":{\"a b\":\"x\"}"), E, "/steps/0/action/http/headers/a b", "name" },
    { CALL("\"headers\":{\"A\":\"x\",\"a\":\"y\"}"), E, "/steps/0/action/http/headers/a", "twice" },
    { CALL("\"body\":{\"k\":[\"{{steps.a.result}}\"]}"), E, "/steps/0/action/http/body/k/0", "not before" },
    { CALL("\"body\":{\"k\":\"{{event.id}}\"}"), E, "/steps/0/action/http/body/k", "start_on" },
    { "{\"steps\":[" STEP("a", ",\"compensation\":{\"http\":{\"method\":\"POST\","
      "\"url\":\"https://a.example/{{steps.b.result}}\"}}") ","
      STEP("b", "") "]}", E, "/steps/0/compensation/http/url", "not before" },
    { ACTION("{\"publish\":{\"stream\":\"s\",\"event\":{\"type\":\"T\",\"data\":\"{{secret.k}}\"}}}"), E,
      "/steps/0/action/publish/event/data", "secret is for use" },
    { ACTION("{\"publish\":{\"stream\":\"orders.dlq\",\"event\":{\"type\":\"T\"}}}"), E,
      "/steps/0/action/publish/stream", "Weir alone" },
    { ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"T\"],\"match\":{\"subject\":1}}}"), E,
      "/steps/0/action/await/match/subject",
      "JSON Pointer" },
    { "{\"steps\":[{\"name\":\"a\",\"approval\":{},\"pivot\":true}]}", E, "/steps/0/pivot", "sends" },
    { "{\"steps\":[{\"name\":\"a\",\"signal\":{}}],\"start_on\":{\"stream\":\"s\",\"types\":[\"T\"],"
      "\"input\":\"{{input}}\"}}", E,
      "/start_on/input", "in the steps" },
};

static void assert_wrong(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum err e = try_saga(rows[i].body);

        if (e != rows[i].e || strcmp(saga.fault.pointer, rows[i].pointer) || !strstr(saga.fault.detail, rows[i].words))
            fail_msg("%s: %d at \"%s\": %s", rows[i].body, (int)e, saga.fault.pointer, saga.fault.detail);
    }
}

static void what_is_not_of_the_form_is_told_with_its_place(void **state)
{
    (void)state;
    assert_wrong(not_the_form, sizeof not_the_form / sizeof *not_the_form);
}

static void what_is_impossible_is_told_with_its_place(void **state)
{
    (void)state;
    assert_wrong(impossible, sizeof impossible / sizeof *impossible);
}

/* ---- what steps do ---- */

static const struct saga_call *call_of(const char *http, bool secrets)
{
    static struct saga_call call;
    struct saga_scope scope = saga_values;
    char body[1000];

    snprintf(body, sizeof body, "{\"steps\":[{\"name\":\"a\",\"action\":{\"http\":%s}}]}", http);
    assert_good(body);
    scope.input = slice_of("{\"id\":\"x/1\",\"n\":[1, 2]}");
    scope.target = SLICE_NONE;   /* it is the call's */
    if (!secrets)
        scope.secret = NULL;
    assert_int_equal(saga_render_call(d->step[0].deed[0].http, &scope, saga.arena, &call, &saga.fault), SAGA_RENDERED);
    return &call;
}

static const char *shown(const struct saga_call *c, size_t max)
{
    struct buf b = { 0 };
    const char *text;

    saga_call_show(&b, c, max);
    text = arena_strndup(saga.arena, b.p, b.n);
    buf_free(&b);
    return text;
}

static void a_call_is_filled_in_and_shown_without_its_secrets(void **state)
{
    static const char http[] = "{\"method\":\"POST\",\"url\":\"https://a.example/o/{{input.id}}\","
                               "\"headers\":{\"Authorization\":\"Bearer {{secret.key}}\"},\"body\":{\"n\":\"{{input.n}}\"}}";
    const struct saga_call *c = call_of(http, true);

    (void)state;
    assert_true(slice_is(c->url, "https://a.example/o/x%2F1") && slice_is(c->target, "https://a.example"));
    assert_true(c->header_n == 2 && slice_is(c->header[0].value, "Bearer s\"3cret") && slice_is(c->header[1].name,
        "Content-Type"));
    assert_true(slice_is(c->body, "{\"n\":[1, 2]}"));
    c = call_of(http, false);
    assert_string_equal(shown(c, 100), "{\"method\":\"POST\",\"url\":\"https://a.example/o/x%2F1\",\"headers\":"
                        "{\"Authorization\":\"Bearer ***\",\"Content-Type\":\"application/json\"},\"body\":{\"n\":[1, 2]}}");
    assert_string_equal(shown(c, 4), "{\"method\":\"POST\",\"url\":\"https://a.example/o/x%2F1\",\"headers\":"
                        "{\"Authorization\":\"Bearer ***\",\"Content-Type\":\"application/json\"},"
                        "\"body\":\"{\\\"n\\\"\",\"cut\":true}");
}

static void a_call_outlives_its_definition(void **state)
{
    struct arena *a = arena_new(SIZE_MAX);
    struct saga_scope scope = saga_values;
    struct saga_call call;

    (void)state;
    assert_good(CALL("\"headers\":{\"X-A\":\"b\"},\"body\":[1]"));
    assert_int_equal(saga_render_call(d->step[0].deed[0].http, &scope, a, &call, NULL), SAGA_RENDERED);
    saga_body_teardown(NULL);
    assert_true(slice_is(call.method, "POST") && slice_is(call.url, "https://a.example/x") && slice_is(call.body, "[1]"));
    assert_true(slice_is(call.target, "https://a.example") && slice_is(call.header[0].name, "X-A") &&
                slice_is(call.header[0].value, "b"));
    arena_free(a);
}

static void a_body_of_another_type_is_sent_as_its_characters(void **state)
{
    const struct saga_call *c = call_of("{\"method\":\"POST\",\"url\":\"https://a.example/\","
        "\"headers\":{\"content-type\":\"text/plain\"},"
                                        "\"body\":\"a\\n{{input.id}}\"}", true);

    (void)state;
    assert_true(slice_is(c->body, "a\nx/1") && c->header_n == 1);
    assert_non_null(strstr(shown(c, 100), "\"body\":\"a\\nx/1\"}"));
    c = call_of("{\"method\":\"POST\",\"url\":\"https://a.example/\","
        "\"headers\":{\"content-type\":\"application/x+json; a=b\"},"
                "\"body\":\"a\"}", true);
    assert_true(slice_is(c->body, "\"a\""));
    c = call_of("{\"method\":\"DELETE\",\"url\":\"https://a.example\"}", true);
    assert_true(!c->body.p && c->header_n == 0);
}

static struct slice event_of(const char *definition, int32_t round)
{
    struct slice event;

    assert_good(definition);
    assert_int_equal(saga_render_event(d->step[0].deed[0].publish, &saga_values, SLICE("orders/o-1/a/action"), round, saga.arena,
                                       &event, &saga.fault), SAGA_RENDERED);
    return event;
}

#define EVENT(members) ACTION("{\"publish\":{\"stream\":\"s\",\"event\":{\"type\":\"T\"" members "}}}")

static void an_event_has_the_idempotency_key_and_an_id_of_its_round(void **state)
{
    struct buf key = { 0 };

    (void)state;
    assert_true(slice_is(event_of(EVENT(",\"subject\":\"{{saga.id}}\""), 0),
                         "{\"id\":\"orders/o-1/a/action\",\"idempotencykey\":\"orders/o-1/a/action\",\"type\":\"T\","
                         "\"subject\":\"o-1\"}"));
    assert_true(slice_is(event_of(EVENT(""), 1),
                         "{\"id\":\"orders/o-1/a/action/2\",\"idempotencykey\":\"orders/o-1/a/action\",\"type\":\"T\"}"));
    assert_true(slice_is(event_of(EVENT(",\"id\":\"mine\",\"idempotencykey\":\"k\""), 0),
                         "{\"type\":\"T\",\"id\":\"mine\",\"idempotencykey\":\"k\"}"));
    assert_true(slice_is(event_of(EVENT(",\"id\":\"of-{{saga.id}}\",\"idempotencykey\":\"k\""), 2),
                         "{\"type\":\"T\",\"id\":\"of-o-1/3\",\"idempotencykey\":\"k\"}"));
    assert_true(slice_is(event_of(EVENT(",\"id\":7,\"idempotencykey\":\"k\""), 2), /* refused later */
                         "{\"type\":\"T\",\"id\":7,\"idempotencykey\":\"k\"}"));
    assert_true(slice_is(saga_round_key(saga.arena, SLICE("k"), 0), "k"));
    assert_true(slice_is(saga_round_key(saga.arena, SLICE("k"), 1), "k/2"));
    saga_idempotency_key(&key, saga_values.name, saga_values.id, &d->step[0], SAGA_COMPENSATION);
    assert_true(slice_is((struct slice){ key.p, key.n }, "orders/o-1/a/compensation"));
    buf_free(&key);
}

/* ---- awaits ---- */

static void an_event_is_found_by_the_hash_of_its_values(void **state)
{
    struct slice wanted[2], found[2];
    int64_t want, have, other;
    bool failed;
    struct saga_scope scope = saga_values;

    (void)state;
    assert_good(ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"Paid\",\"P*\"],\"failure_types\":[\"PayF*\"],"
                       "\"match\":{\"/subject\":\"{{saga.id}}\",\"/data/n\":\"{{input}}\"}}}"));
    const struct saga_await *w = d->step[0].deed[0].await;

    assert_int_equal(saga_await_type(w, SLICE("PayFailed")), SAGA_MATCHES_FAILURE);
    assert_int_equal(saga_await_type(w, SLICE("Pay")), SAGA_MATCHES);
    assert_int_equal(saga_await_type(w, SLICE("paid")), SAGA_MATCHES_NOT);
    scope.input = SLICE("1.0");
    assert_int_equal(saga_await_wanted(w, &scope, saga.arena, wanted, NULL), SAGA_RENDERED);
    assert_int_equal(saga_await_found(w, SLICE("{\"subject\":\"o\\u002d1\",\"data\":{\"n\":10e-1}}"), saga.arena,
        found), SAGA_RENDERED);
    assert_true(saga_await_hash(w, 7, 2, wanted, saga.arena, &want) && saga_await_hash(w, 7, 2, found, saga.arena, &have));
    assert_true(want == have && saga_await_equal(w, wanted, found, saga.arena, &failed));
    assert_true(saga_await_hash(w, 7, 3, found, saga.arena, &other) && other != have);
    assert_true(saga_await_hash(w, 8, 2, found, saga.arena, &other) && other != have);
    assert_int_equal(saga_await_found(w, SLICE("{\"subject\":\"o-1\",\"data\":{\"n\":2}}"), saga.arena, found), SAGA_RENDERED);
    assert_true(saga_await_hash(w, 7, 2, found, saga.arena, &other) && other != have);
    assert_false(saga_await_equal(w, wanted, found, saga.arena, &failed));
    assert_int_equal(saga_await_found(w, SLICE("{\"subject\":\"o-1\",\"data\":{}}"), saga.arena, found), SAGA_REFUSED);
}

static int64_t hash_of(struct slice value)
{
    int64_t hash;

    assert_true(saga_await_hash(d->step[0].deed[0].await, 7, 2, &value, saga.arena, &hash));
    return hash;
}

static void equal_objects_and_arrays_have_equal_hashes_and_others_have_others(void **state)
{
    static const char *const same[][2] = {
        { "{\"a\":1,\"b\":[2.0,null]}", "{ \"b\" : [ 20e-1, null ], \"\\u0061\" : 1.0 }" },
        { "{\"a\":{\"x\":\"\\u00e9\"}}", "{\"a\":1,\"a\":{\"x\":\"\xC3\xA9\"}}" },
        { "{}", "{ }" }, { "[]", "[ ]" }, { "[-0.0]", "[0]" },
    };
    static const char *const other[] = { "{}", "[]", "[[]]", "[{}]", "[1]", "[1,2]", "[2,1]", "[[1],2]", "[\"1\"]", "[true]",
                                         "{\"a\":1}", "{\"a\":2}", "{\"b\":1}", "{\"a\":1,\"b\":1}", "{\"a\":{\"b\":1}}" };
    const size_t n = sizeof other / sizeof *other;
    bool failed;

    (void)state;
    assert_good(ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"T\"],\"match\":{\"/data\":1}}}"));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(json_values_equal(saga.arena, slice_of(same[i][0]), slice_of(same[i][1]), &failed));
        assert_true(hash_of(slice_of(same[i][0])) == hash_of(slice_of(same[i][1])));
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(hash_of(slice_of(other[i])) != hash_of(slice_of(other[k])));
}

static void the_hashes_of_awaits_are_the_same_in_every_release(void **state)
{
    const struct slice values[] = { SLICE("1"), SLICE("\"a\"") };
    int64_t hash;

    (void)state;
    assert_good(ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"T\"],\"match\":{\"/data/n\":1,\"/subject\":\"a\"}}}"));
    assert_true(saga_await_hash(d->step[0].deed[0].await, 7, 2, values, saga.arena, &hash));
    if (hash != INT64_C(2155463208795263480))
        fail_msg("%lld", (long long)hash);
    assert_good(ACTION("{\"await\":{\"stream\":\"s\",\"types\":[\"T\"],\"match\":{\"/data\":1}}}"));
    hash = hash_of(SLICE("{\"b\":[1,\"x\",null],\"a\":{}}"));
    if (hash != INT64_C(-1657823738073676044))
        fail_msg("%lld", (long long)hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_definition_is_written_with_its_defaults_and_read_again),
        cmocka_unit_test(all_members_are_read),
        cmocka_unit_test(dependencies_are_sets_of_steps),
        cmocka_unit_test(a_saga_has_64_steps_at_most),
        cmocka_unit_test(what_is_not_of_the_form_is_told_with_its_place),
        cmocka_unit_test(what_is_impossible_is_told_with_its_place),
        cmocka_unit_test(a_call_is_filled_in_and_shown_without_its_secrets),
        cmocka_unit_test(a_call_outlives_its_definition),
        cmocka_unit_test(a_body_of_another_type_is_sent_as_its_characters),
        cmocka_unit_test(an_event_has_the_idempotency_key_and_an_id_of_its_round),
        cmocka_unit_test(an_event_is_found_by_the_hash_of_its_values),
        cmocka_unit_test(equal_objects_and_arrays_have_equal_hashes_and_others_have_others),
        cmocka_unit_test(the_hashes_of_awaits_are_the_same_in_every_release),
    };

    return cmocka_run_group_tests(tests, NULL, saga_body_teardown);
}
