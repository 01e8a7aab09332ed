#include "tests/unit/event_fixture.h"

struct parsed parsed;
struct event_limits limits = { .event_bytes = 1 << 20, .request_events = 100, .json_depth = 64 };

static struct buf text;

void parsed_free(void)
{
    arena_free(parsed.arena);
    buf_free(&text);
    parsed = (struct parsed){ 0 };
}

static void renew(void)
{
    parsed_free();
    parsed.arena = arena_new(16 << 20);
}

enum err parse_slice(enum event_format format, struct slice body)
{
    renew();
    return event_parse(parsed.arena, SLICE("orders"), format, body, SLICE_NONE, &limits, NOW, &parsed.events,
                       &parsed.fault);
}

enum err parse(enum event_format format, const char *body)
{
    return parse_slice(format, slice_of(body));
}

enum err parse_binary(const char *headers, const char *content_type, struct slice body)
{
    struct event_header h[100];
    size_t n = 0;

    renew();
    for (const char *p = headers, *colon, *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, '\n');
        colon = strchr(p, ':');
        h[n].name = (struct slice){ p, (size_t)(colon - p) };
        h[n++].value = (struct slice){ colon + 2, (size_t)(end - colon - 2) };
    }
    return event_parse_binary(parsed.arena, SLICE("orders"), h, n, slice_of(content_type), body, SLICE_NONE, &limits,
                              NOW, &parsed.events, &parsed.fault);
}

const char *rendered(const struct event *ev, bool one_line)
{
    struct event recorded = *ev;
    struct json j;
    struct slice raw;

    recorded.partition = 3;
    recorded.offset = 42;
    recorded.recorded_us = NOW;
    recorded.version = 7;
    buf_reset(&text);
    event_render(&text, SLICE("orders"), &recorded, one_line);
    json_begin(&j, (struct slice){ text.p, text.n }, 100);
    if (text.failed || !json_value(&j, &raw) || !json_end(&j))
        fail_msg("not JSON: %.*s", (int)text.n, text.p);
    buf_char(&text, '\0');
    return text.p;
}

void assert_parsed(enum err e)
{
    if (e)
        fail_msg("%d: %s (%s)", (int)e, parsed.fault.detail, parsed.fault.pointer);
}

void assert_refused(enum err e, enum err want, const char *pointer, const char *words, const char *what)
{
    if (e != want || strcmp(parsed.fault.pointer, pointer) != 0 || !strstr(parsed.fault.detail, words))
        fail_msg("%s: %d, \"%s\" at \"%s\"", what, (int)e, parsed.fault.detail, parsed.fault.pointer);
    assert_true(utf8_valid(slice_of(parsed.fault.detail)) && utf8_valid(slice_of(parsed.fault.pointer)));
    assert_null(parsed.events.v);
}
