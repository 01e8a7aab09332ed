#include "tests/unit/fold_fixture.h"

struct folding folding;

int folding_free(void **state)
{
    (void)state;
    arena_free(folding.arena);
    folding = (struct folding){ 0 };
    parsed_free();
    return 0;
}

enum err try_define(const char *definition)
{
    size_t most = folding.max_bytes ? folding.max_bytes : 1 << 20;

    arena_free(folding.arena);
    folding = (struct folding){ .arena = arena_new(64 << 20), .max_bytes = most };
    return projection_definition_parse(folding.arena, slice_of(definition), most, &folding.def, &folding.fault);
}

void define_with(const char *members)
{
    struct buf b = { 0 };
    enum err e;

    buf_printf(&b, "{\"streams\":[\"orders\"],%s}", members);
    buf_char(&b, '\0');
    e = try_define(b.p);
    buf_free(&b);
    if (e)
        fail_msg("%s: %d, %s at %s", members, (int)e, folding.fault.detail, folding.fault.pointer);
    begin_with(NULL);
}

void define(const char *on)
{
    struct buf b = { 0 };

    buf_printf(&b, "\"key\":\"subject\",\"on\":%s", on);
    buf_char(&b, '\0');
    define_with(b.p);
    buf_free(&b);
}

void begin_with(const char *text)
{
    folding.state = fold_open(folding.def.fold, folding.arena, slice_of(text), 1, folding.max_bytes);
    assert_non_null(folding.state);
}

static void free_parsed(void *arena)
{
    arena_free(arena);
}

enum fold_result fold_one(const char *event)
{
    const char *comma = strchr(event, ',');
    struct buf b = { 0 };
    struct event *ev;
    enum fold_result r;

    if (*event == '{')
        buf_str(&b, event);
    else
        buf_printf(&b, "{\"subject\":\"s\",\"type\":%.*s%s%s}", (int)(comma ? comma - event : (long)strlen(event)), event,
                   comma ? ",\"data\":" : "", comma ? comma + 1 : "");
    struct slice body = arena_slice(folding.arena, (struct slice){ b.p,
                                    b.n }); /* what a state keeps of an event has to outlive it */

    buf_free(&b);
    assert_parsed(parse_slice(EVENT_JSON, body));
    arena_defer(folding.arena, free_parsed, parsed.arena);
    parsed.arena = NULL;
    ev = parsed.events.v;
    ev->partition = 3;
    ev->offset = 42;
    ev->recorded_us = NOW;
    ev->version = 7;
    folding.fault = (struct fault){ 0 };
    r = fold_read(folding.def.fold, SLICE("orders"), ev, folding.arena, &folding.event, &folding.fault);
    return r ? r : fold_apply(folding.state, &folding.event, &folding.fault);
}

const char *state_text(void)
{
    struct slice text;

    if (!folding.state->exists)
        return "-";
    assert_true(fold_text(folding.state, &text));
    return arena_strndup(folding.arena, text.p, text.n);
}

static enum fold_result fold_with(const char *operations, const char *data, const char *before)
{
    struct buf b = { 0 };
    enum fold_result r;

    buf_printf(&b, "{\"E\":%s}", operations);
    buf_char(&b, '\0');
    define(b.p);
    begin_with(before);
    buf_reset(&b);
    buf_printf(&b, "\"E\"%s%s", data ? "," : "", data ? data : "");
    buf_char(&b, '\0');
    r = fold_one(b.p);
    buf_free(&b);
    return r;
}

void assert_folds(const char *operations, const char *data, const char *before, const char *after)
{
    enum fold_result r = fold_with(operations, data, before);

    if (r || strcmp(state_text(), after))
        fail_msg("%s on %s: %d %s (%s), not %s", operations, before ? before : "nothing", (int)r, state_text(),
                 folding.fault.detail,
                 after);
}

void assert_refuses(const char *operations, const char *data, const char *before, const char *words)
{
    enum fold_result r = fold_with(operations, data, before);

    if (r != FOLD_REFUSED || !strstr(folding.fault.detail, words) || strcmp(state_text(), before ? before : "-") ||
        folding.state->changed)
        fail_msg("%s on %s: %d %s (%s)", operations, before ? before : "nothing", (int)r, state_text(), folding.fault.detail);
}
