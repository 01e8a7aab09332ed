#include "gateway/engine/event_draft.h"

/* Binary mode of the CloudEvents HTTP protocol binding, 3.1. */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The characters of a header value (3.1.3.2): a quoted string of older senders is unwrapped, then all percent-decoded. */
static enum err decode_value(struct event_parser *ps, struct slice name, struct slice value, struct slice *ret)
{
    bool quoted = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
    const char *p = value.p + quoted, *end = value.p + value.n - quoted;
    char *begin = arena_alloc(ps->arena, value.n), *out = begin;

    if (!begin)
        return ERR_NO_MEMORY;
    while (p < end) {
        if (quoted && *p == '\\' && end - p > 1)
            p++;
        if (*p != '%') {
            *out++ = *p++;
            continue;
        }
        int high = end - p > 2 ? hex_digit(p[1]) : -1, low = end - p > 2 ? hex_digit(p[2]) : -1;

        if (high < 0 || low < 0)
            return event_fault(ps, ERR_BAD_EVENT, name, "ce-%.*s: %% must be followed by two hexadecimal digits.",
                               (int)name.n, name.p);
        *out++ = (char)(high << 4 | low);
        p += 3;
    }
    *ret = (struct slice){ begin, (size_t)(out - begin) };
    if (!utf8_valid(*ret))
        return event_fault(ps, ERR_BAD_EVENT, name, "ce-%.*s is not UTF-8.", (int)name.n, name.p);
    return OK;
}

/* The JSON literal of text without control characters, as draft_check asks. */
static enum err quote(struct event_parser *ps, struct attribute *at)
{
    char *begin = arena_alloc(ps->arena, 2 * at->text.n + 2), *out = begin;

    if (!begin)
        return ERR_NO_MEMORY;
    *out++ = '"';
    for (size_t i = 0; i < at->text.n; i++) {
        if (at->text.p[i] == '"' || at->text.p[i] == '\\')
            *out++ = '\\';
        *out++ = at->text.p[i];
    }
    *out++ = '"';
    at->raw = (struct slice){ begin, (size_t)(out - begin) };
    return OK;
}

static enum err set_text(struct event_parser *ps, struct draft *d, enum slot slot, struct attribute *at)
{
    enum err e;

    at->kind = ATTRIBUTE_STRING;
    if ((e = draft_check(ps, d, slot, at)))
        return e;
    return quote(ps, at);
}

static enum err read_header(struct event_parser *ps, struct draft *d, const struct event_header *h)
{
    struct attribute *at;
    struct slice name;
    enum slot slot;
    char *lower;
    enum err e;

    if (!(lower = arena_alloc(ps->arena, h->name.n)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < h->name.n; i++)
        lower[i] = (char)(h->name.p[i] >= 'A' && h->name.p[i] <= 'Z' ? h->name.p[i] | 0x20 : h->name.p[i]);
    name = (struct slice){ lower, h->name.n };
    slot = draft_slot(name);
    if (slot == SLOT_DATACONTENTTYPE)
        return event_fault(ps, ERR_BAD_EVENT, name, "In binary mode datacontenttype is the header Content-Type.");
    if (slot == SLOT_DATA || slot == SLOT_DATA_BASE64)
        return event_fault(ps, ERR_BAD_EVENT, name, "In binary mode data is the body.");
    if ((e = draft_place(ps, d, name, slot, &at)) || !at)
        return e;
    if ((e = decode_value(ps, name, h->value, &at->text)))
        return e;
    return set_text(ps, d, slot, at);
}

enum err event_parse_binary(struct arena *a, struct slice stream, const struct event_header *headers, size_t n,
                            struct slice content_type, struct slice body, struct slice traceparent,
                            const struct event_limits *limits, int64_t now_us, struct events *ret, struct fault *f)
{
    struct event_parser ps = {
        .arena = a, .stream = stream, .limits = limits, .fault = f, .strict = true, .binary = true,
    };
    struct attribute *type;
    struct draft d;
    size_t bytes = body.n;
    enum err e;

    if ((e = parser_begin(&ps, traceparent, now_us)) || (e = parser_room(&ps)))
        return e;
    draft_begin(&d);
    for (size_t i = 0; i < n; i++) {
        bytes += headers[i].name.n + headers[i].value.n;
        if ((e = read_header(&ps, &d, &headers[i])))
            return e;
    }
    type = &d.known[SLOT_DATACONTENTTYPE];
    type->text = content_type;
    if (content_type.p && !utf8_valid(content_type))
        return event_fault(&ps, ERR_BAD_EVENT, type->name, "Content-Type is not UTF-8.");
    if (content_type.p && (e = set_text(&ps, &d, SLOT_DATACONTENTTYPE, type)))
        return e;
    if (bytes > limits->event_bytes)
        return event_fault(&ps, ERR_EVENT_TOO_LARGE, SLICE_NONE, "An event has at most %zu bytes.",
                           limits->event_bytes);
    d.bytes = body;
    if ((e = draft_finish(&ps, &d, &ps.out.v[0])))
        return e;
    ps.out.n = 1;
    ps.out.binary = true;
    *ret = ps.out;
    return OK;
}
