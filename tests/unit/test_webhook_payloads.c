#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "gateway/jsonschema/jsonschema.h"

/* The schema of GitHub's webhooks (344 definitions) and 329 payloads, by the lock file of tests/registry, beside what an
 * independent validator says of them: verdicts.txt is what ajv told (judge.mjs), and a test of tests/api holds it against ajv. */
#define FOLDER "tests/registry/"
#define MODULES FOLDER "node_modules/@octokit/"
#define FINDINGS 20
#define ARENA (16 << 20)
#define CHANGED_EVERY 5 /* so many payloads one is changed, too: sanitized programs take a while */

struct verdicts {
    char name[64];
    int number;
    char of[5][4]; /* of the payload and of its changes */
};

static char *file_text(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    char *text;
    long n;

    if (!f)
        fail_msg("%s is missing: run `make deps`", path);
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    text = malloc((size_t)n + 1);
    assert_non_null(text);
    *ret_n = fread(text, 1, (size_t)n, f);
    fclose(f);
    return text;
}

static bool without_sender(json_t *payload)
{
    return json_object_del(payload, "sender") == 0;
}

static bool login_is_a_number(json_t *payload)
{
    return json_object_set_new(json_object_get(payload, "sender"), "login", json_integer(17)) == 0;
}

static bool action_is_a_number(json_t *payload)
{
    return json_object_get(payload, "action") && json_object_set_new(payload, "action", json_integer(7)) == 0;
}

static bool repository_id_is_a_text(json_t *payload)
{
    return json_object_set_new(json_object_get(payload, "repository"), "id", json_string("text")) == 0;
}

static bool as_it_is(json_t *payload)
{
    return payload != NULL;
}

/* As payloads.mjs has them. `pointer`: where a payload that conformed has become wrong. */
static const struct {
    bool (*change)(json_t *payload); /* false: it does not apply */
    const char *pointer, *keyword;
} changes[5] = {
    { as_it_is, NULL, NULL },
    { without_sender, "", "required" },
    { login_is_a_number, "/sender/login", "type" },
    { action_is_a_number, "/action", NULL },
    { repository_id_is_a_text, "/repository/id", "type" },
};

static bool found_at(const struct finding *f, size_t n, const char *pointer, const char *keyword)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(f[i].pointer, pointer) && (!keyword || slice_is(f[i].keyword, keyword)))
            return true;
    return false;
}

/* The text conforms or not as ajv says, and where it was changed is among the findings. */
static void judge(const struct jsonschema *s, const struct verdicts *v, size_t change, struct slice text)
{
    struct arena *a = arena_new(ARENA);
    struct finding findings[FINDINGS];
    struct fault f = { 0 };
    size_t n = 0;
    bool conforms = strcmp(v->of[change], "yes") == 0;

    assert_non_null(a);
    assert_int_equal(jsonschema_validate(s, text, NULL, NULL, 0, &n, &f), OK);
    if ((n == 0) == conforms && !conforms)
        assert_int_equal(jsonschema_validate(s, text, a, findings, FINDINGS, &n, &f), OK);
    if ((n == 0) != conforms)
        fail_msg("%s %d, change %zu: ajv says %s, we find %zu", v->name, v->number, change, v->of[change], n);
    if (!conforms && changes[change].pointer && strcmp(v->of[0], "yes") == 0 &&
        !found_at(findings, n, changes[change].pointer, changes[change].keyword))
        fail_msg("%s %d, change %zu: nothing is found at \"%s\"; first: %.*s at \"%.*s\"", v->name, v->number, change,
                 changes[change].pointer, (int)findings[0].keyword.n, findings[0].keyword.p, (int)findings[0].pointer.n,
                 findings[0].pointer.p);
    arena_free(a);
}

static void judge_all(const struct jsonschema *s, const struct verdicts *v, const json_t *payload, size_t n, size_t *counts)
{
    for (size_t i = 0; i < n; i++) {
        json_t *changed = json_deep_copy(payload);
        bool applies = changes[i].change(changed);
        char *text = json_dumps(changed, JSON_COMPACT);

        assert_non_null(text);
        assert_int_equal(applies, strcmp(v->of[i], "-") != 0);
        if (applies)
            judge(s, v, i, slice_of(text));
        counts[i] += applies;
        free(text);
        json_decref(changed);
    }
}

static struct jsonschema *webhooks(void)
{
    struct jsonschema *s = NULL;
    struct fault f = { 0 };
    size_t n;
    char *text = file_text(MODULES "webhooks-schemas/schema.json", &n);
    enum err e = jsonschema_compile((struct slice){ text, n }, DRAFT_7, NULL, 0, &s, &f);

    if (e)
        fail_msg("the schema of the webhooks is refused: %s", f.detail);
    free(text);
    return s;
}

static void payloads_of_github_are_judged_as_an_independent_validator_judges_them(void **state)
{
    struct jsonschema *s = webhooks();
    json_t *examples = json_load_file(MODULES "webhooks-examples/api.github.com/index.json", 0, NULL), *one, *payload;
    FILE *list = fopen(FOLDER "verdicts.txt", "r");
    size_t counts[5] = { 0 }, total = 0, conform = 0, i, k;
    struct verdicts v;

    (void)state;
    assert_non_null(examples);
    assert_non_null(list);
    json_array_foreach(examples, i, one) {
        json_array_foreach(json_object_get(one, "examples"), k, payload) {
            assert_int_equal(fscanf(list, "%63s %d %3s %3s %3s %3s %3s", v.name, &v.number, v.of[0], v.of[1], v.of[2], v.of[3],
                                    v.of[4]), 7);
            assert_string_equal(v.name, json_string_value(json_object_get(one, "name")));
            assert_int_equal(v.number, k);
            conform += strcmp(v.of[0], "yes") == 0;
            judge_all(s, &v, payload, total++ % CHANGED_EVERY ? 1 : 5, counts);
        }
    }
    assert_int_equal(total, 329);
    assert_int_equal(conform, 276);
    for (i = 0; i < 5; i++)
        assert_in_range(counts[i], i ? 40 : 329, 329);
    fclose(list);
    json_decref(examples);
    jsonschema_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_of_github_are_judged_as_an_independent_validator_judges_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
