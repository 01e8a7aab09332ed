#include <stdlib.h>

#include "gateway/base/json.h"
#include "gateway/engine/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct event_limits limits = { .event_bytes = 1 << 16, .request_events = 50, .json_depth = 64 };
static const int64_t now = INT64_C(1769903999000001);

/* Binary mode: lines "name: value" are ce- headers, "Content-Type: …" is itself, an empty line ends them. */
static enum err parse_binary(struct arena *a, struct slice text, struct events *ret, struct fault *f)
{
    struct event_header headers[80];
    struct slice type = SLICE_NONE, body = text;
    size_t n = 0;

    while (body.n && n < 80) {
        const char *end = memchr(body.p, '\n', body.n);
        struct slice line = { body.p, end ? (size_t)(end - body.p) : body.n };
        const char *colon = memchr(line.p, ':', line.n);
        struct event_header h = { line, SLICE("") };

        body.p += line.n + !!end;
        body.n -= line.n + !!end;
        if (!line.n)
            break;
        if (colon) {
            h.name.n = (size_t)(colon - line.p);
            h.value = (struct slice){ colon + 1, line.n - h.name.n - 1 };
        }
        if (slice_is(h.name, "Content-Type"))
            type = h.value;
        else
            headers[n++] = h;
    }
    return event_parse_binary(a, SLICE("s"), headers, n, type, body, SLICE_NONE, &limits, now, ret, f);
}

static void check(struct arena *a, const struct event *ev)
{
    struct buf one = { 0 }, as_sent = { 0 };
    struct slice raw;
    struct events back;
    struct json j;

    event_render(&one, SLICE("s"), ev, true);
    event_render(&as_sent, SLICE("s"), ev, false);
    json_begin(&j, (struct slice){ as_sent.p, as_sent.n }, 65);
    if (one.n != as_sent.n || memchr(one.p, '\n', one.n) || memchr(one.p, '\r', one.n) || !json_value(&j, &raw) || !json_end(&j))
        abort();
    if (ev->data_format == DATA_JSON && !memmem(as_sent.p, as_sent.n, ev->data.p, ev->data.n))
        abort();
    /* what was read can be published again, and is the same content */
    enum err e = event_parse(a, SLICE("s"), EVENT_STRUCTURED, (struct slice){ one.p, one.n }, SLICE_NONE,
                             &(struct event_limits){ 1 << 20, 1, 64 }, now, &back, NULL);

    if (e || back.n != 1 || !slice_eq(back.v->id, ev->id) || !slice_eq(back.v->type, ev->type) ||
        !slice_eq(back.v->subject, ev->subject) || !slice_eq(back.v->attributes, ev->attributes) ||
        (ev->client_id && memcmp(back.v->key, ev->key, sizeof ev->key) != 0))
        abort();
    buf_free(&one);
    buf_free(&as_sent);
}

/* The first byte chooses the format; the rest is the body, in binary mode headers and body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(64 << 20);
    struct events events = { 0 };
    struct fault f = { 0 };
    enum err e = ERR_BAD_REQUEST;

    if (size) {
        struct slice text = { (const char *)data + 1, size - 1 };
        unsigned format = (data[0] & 7U) % 5;

        e = format == 4 ? parse_binary(a, text, &events, &f)
                        : event_parse(a, SLICE("s"), (enum event_format)format, text, SLICE_NONE, &limits, now, &events, &f);
        if (e ? events.n || !f.detail[0] || !utf8_valid(slice_of(f.detail)) : !events.n)
            abort();
    }
    for (size_t i = 0; i < events.n; i++)
        check(a, &events.v[i]);
    arena_free(a);
    return 0;
}
