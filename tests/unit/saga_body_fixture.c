#include "tests/unit/saga_body_fixture.h"

struct saga_body_fixture saga;

static const struct slice results[2] = { { "{\"id\":\"r 1\",\"n\":[7,{\"a\":null}]}", 30 }, { NULL, 0 } };

static bool secret(void *arg, struct slice target, struct slice name, struct slice *ret)
{
    (void)arg;
    *ret = SLICE("s\"3cret");
    return slice_is(name, "key") && slice_is(target, "https://a.example");
}

struct saga_scope saga_values = {
    .name = { "orders", 6 },
    .id = { "o-1", 3 },
    .result = results,
    .target = { "https://a.example", 17 },
    .secret = secret,
};

static void begin(void)
{
    arena_free(saga.arena);
    saga.arena = arena_new(SIZE_MAX);
    saga.fault = (struct fault){ 0 };
}

enum err try_saga(const char *body)
{
    begin();
    return saga_definition_parse(saga.arena, slice_of(body), &saga.def, &saga.fault);
}

int saga_body_teardown(void **state)
{
    (void)state;
    arena_free(saga.arena);
    saga.arena = NULL;
    return 0;
}

static struct saga_template *compiled;

enum err try_template(const char *json, enum saga_form form, unsigned roots)
{
    static const struct slice steps[] = { { "reserve", 7 }, { "later-1", 7 } };
    const struct saga_names names = { roots, steps, 2, 1 };
    struct json_node *n;

    begin();
    assert_int_equal(json_tree_parse(slice_of(json), 64, saga.arena, &n, NULL), OK);
    return saga_template_compile(saga.arena, n, form, &names, &compiled, &saga.fault);
}

const char *filled_in(const char *json, enum saga_form form, enum saga_rendering *ret_result)
{
    enum saga_rendering result;
    struct slice text;

    if (try_template(json, form, ~0u))
        fail_msg("%s: %s", json, saga.fault.detail);
    saga.fault = (struct fault){ 0 };
    result = saga_render(compiled, &saga_values, saga.arena, &text, &saga.fault);
    if (ret_result)
        *ret_result = result;
    else if (result)
        fail_msg("%s: %s", json, saga.fault.detail);
    return result ? saga.fault.detail : arena_strndup(saga.arena, text.p, text.n);
}
