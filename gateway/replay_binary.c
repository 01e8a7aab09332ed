#include "gateway/replay_binary.h"

#include <strings.h>

#include "gateway/base/buf.h"
#include "gateway/base/json.h"

#define ROOM (64UL << 20)

static bool add(struct replay_binary *b, struct buf *line)
{
    bool good = b->n < BINARY_HEADERS && !line->failed && (b->headers[b->n] = arena_strndup(b->arena, line->p, line->n));

    b->n += good;
    buf_reset(line);
    return good;
}

/* 3.1.3.2: printable ASCII as it is, but for blank, '"' and '%'. */
static bool add_attribute(struct replay_binary *b, struct buf *line, struct slice name, struct slice value)
{
    BUF_LIT(line, "ce-");
    buf_slice(line, name);
    BUF_LIT(line, ": ");
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if (c > ' ' && c < 0x7f && c != '"' && c != '%')
            buf_char(line, (char)c);
        else
            buf_printf(line, "%%%02X", c);
    }
    return add(b, line);
}

static bool is_json(struct slice type)
{
    const char *semicolon = memchr(type.p, ';', type.n);
    size_t n = semicolon ? (size_t)(semicolon - type.p) : type.n;

    return (n == 16 && strncasecmp(type.p, "application/json", n) == 0) || (n == 9 && strncasecmp(type.p, "text/json", n) == 0) ||
           (n > 5 && strncasecmp(type.p + n - 5, "+json", 5) == 0);
}

static bool set_body(struct replay_binary *b, struct slice type, struct slice data, struct slice base64)
{
    struct slice text;

    if (base64.p)
        return json_text(b->arena, base64, &text) && base64_decode(b->arena, text, &b->body);
    if (!data.p || !is_json(type))
        return data.p && json_text(b->arena, data, &b->body);
    b->body = data;
    return true;
}

static bool make(struct replay_binary *b, struct buf *line, struct slice event)
{
    struct slice key, raw, text, type = SLICE_NONE, data = SLICE_NONE, base64 = SLICE_NONE;
    struct json j;
    bool escaped;

    json_begin(&j, event, JSON_DEPTH);
    if (!json_object_begin(&j))
        return false;
    while (json_object_next(&j, &key, &escaped)) {
        if (!json_value(&j, &raw))
            return false;
        if (slice_is(key, "data"))
            data = raw;
        else if (slice_is(key, "data_base64"))
            base64 = raw;
        else if (!json_text(b->arena, raw, &text))
            return false;
        else if (slice_is(key, "datacontenttype"))
            type = text;
        else if (!add_attribute(b, line, key, text))
            return false;
    }
    if (j.error || !type.n)
        return false;
    BUF_LIT(line, "Content-Type: ");
    buf_slice(line, type);
    if (!add(b, line))
        return false;
    BUF_LIT(line, "Accept: application/json");
    return add(b, line) && set_body(b, type, data, base64);
}

bool replay_binary_make(struct replay_binary *b, struct slice event)
{
    struct buf line = { 0 };
    bool good;

    *b = (struct replay_binary){ .arena = arena_new(ROOM) };
    good = b->arena && make(b, &line, event);
    b->headers[good ? b->n : 0] = NULL;
    buf_free(&line);
    return good;
}

void replay_binary_free(struct replay_binary *b)
{
    arena_free(b->arena);
}
