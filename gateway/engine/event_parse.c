#include "gateway/engine/event_draft.h"

/* ---- one event ---- */

static enum err read_attribute(struct event_parser *ps, struct json *j, struct attribute *at)
{
    enum json_type type;
    struct slice inside;
    bool escaped;

    if (!json_peek(j, &type))
        return ERR_BAD_JSON;
    if (type == JSON_STRING) {
        at->raw.p = j->p;
        if (!json_scan_string(j, &inside, &escaped))
            return ERR_BAD_JSON;
        at->raw.n = (size_t)(j->p - at->raw.p);
        at->kind = ATTRIBUTE_STRING;
        return json_unescape(ps->arena, inside, escaped, &at->text) ? OK : ERR_NO_MEMORY;
    }
    if (!json_value(j, &at->text))
        return ERR_BAD_JSON;
    if (type == JSON_OBJECT || type == JSON_ARRAY)
        return event_fault(ps, ERR_BAD_EVENT, at->name, "%.*s must be a string, a boolean or an integer.",
                           (int)at->name.n, at->name.p);
    if (type == JSON_NULL) {
        at->text = SLICE_NONE;   /* as if it were not there */
        return OK;
    }
    at->raw = at->text;
    at->kind = type == JSON_NUMBER ? ATTRIBUTE_INTEGER : ATTRIBUTE_BOOLEAN;
    return OK;
}

static enum err read_data(struct event_parser *ps, struct json *j, struct draft *d, enum slot slot)
{
    struct slice name = SLICE("data_base64");
    struct attribute at = { .name = name };
    enum err e;

    if (slot == SLOT_DATA) {
        if (!json_value(j, &d->data))
            return ERR_BAD_JSON;
        d->line_breaks = j->line_breaks;
        return OK;
    }
    if ((e = read_attribute(ps, j, &at)) || !at.kind)
        return e;
    if (at.kind == ATTRIBUTE_STRING) {
        if (base64_decode(ps->arena, at.text, &d->bytes))
            return OK;
        if (!d->bytes.p)
            return ERR_NO_MEMORY;
    }
    return event_fault(ps, ERR_BAD_EVENT, name, "data_base64 must be a string in padded base64 (RFC 4648, 4).");
}

static enum err read_member(struct event_parser *ps, struct json *j, struct draft *d, struct slice key, bool escaped)
{
    struct attribute *at;
    struct slice name, ignored;
    enum slot slot;
    enum err e;

    if (!json_unescape(ps->arena, key, escaped, &name))
        return ERR_NO_MEMORY;
    slot = draft_slot(name);
    if ((e = draft_place(ps, d, name, slot, &at)))
        return e;
    if (slot == SLOT_DATA || slot == SLOT_DATA_BASE64)
        return read_data(ps, j, d, slot);
    if (!at)
        return json_value(j, &ignored) ? OK : ERR_BAD_JSON;
    if ((e = read_attribute(ps, j, at)) || !at->kind)
        return e;
    return draft_check(ps, d, slot, at);
}

/* One event object, which becomes out.v[out.n]. ERR_BAD_JSON: j->error says why. */
static enum err read_event(struct event_parser *ps, struct json *j)
{
    struct draft d;
    struct slice key;
    enum json_type type;
    const char *begin;
    bool escaped;
    enum err e;

    if ((e = parser_room(ps)))
        return e;
    if (!json_peek(j, &type))
        return ERR_BAD_JSON;
    if (type != JSON_OBJECT)
        return event_fault(ps, ERR_BAD_EVENT, SLICE_NONE, "An event must be a JSON object.");
    draft_begin(&d);
    begin = j->p;
    if (!json_object_begin(j))
        return ERR_BAD_JSON;
    while (json_object_next(j, &key, &escaped))
        if ((e = read_member(ps, j, &d, key, escaped)))
            return e;
    if (j->error)
        return ERR_BAD_JSON;
    if ((size_t)(j->p - begin) > ps->limits->event_bytes)
        return event_fault(ps, ERR_EVENT_TOO_LARGE, SLICE_NONE, "An event has at most %zu bytes.",
                           ps->limits->event_bytes);
    if ((e = draft_finish(ps, &d, &ps->out.v[ps->out.n])))
        return e;
    ps->out.n++;
    return OK;
}

/* ---- bodies ---- */

static enum err read_one(struct event_parser *ps, struct json *j)
{
    enum err e = read_event(ps, j);

    if (e || json_end(j))
        return e;
    ps->out.n--;                 /* it is this one that is at fault */
    return ERR_BAD_JSON;
}

static enum err read_array(struct event_parser *ps, struct json *j)
{
    enum err e;

    ps->out.array = ps->indexed = true;
    if (!json_array_begin(j))
        return ERR_BAD_JSON;
    while (json_array_next(j))
        if ((e = read_event(ps, j)))
            return e;
    if (json_end(j))
        return OK;
    ps->indexed = false;         /* between or after the events */
    return ERR_BAD_JSON;
}

/* What is wrong with the text itself becomes a fault here, unless a fault (of a decoded payload) says more already. */
static enum err with_place(struct event_parser *ps, const struct json *j, size_t lines_before, enum err e)
{
    return e == ERR_BAD_JSON && j->error ? event_fault_json(ps, j, lines_before, SLICE_NONE) : e;
}

static enum err parse_json(struct event_parser *ps, enum event_format format, struct slice body)
{
    struct json j;
    enum json_type type;
    bool array;
    enum err e;

    /* json_depth is that of an event's data, alike in every format: the event, and an array, stand around it */
    json_begin(&j, body, ps->limits->json_depth + 2);
    if (!json_peek(&j, &type))
        return with_place(ps, &j, 0, ERR_BAD_JSON);
    array = format == EVENT_BATCH || (format == EVENT_JSON && type == JSON_ARRAY);
    if (array && type != JSON_ARRAY)
        return event_fault(ps, ERR_BAD_EVENT, SLICE_NONE, "The body must be a JSON array of events.");
    j.max_depth -= !array;
    e = array ? read_array(ps, &j) : read_one(ps, &j);
    return with_place(ps, &j, 0, e);
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if (!memchr(" \t\r", line.p[i], 3))
            return false;
    return true;
}

static enum err parse_lines(struct event_parser *ps, struct slice body)
{
    const char *p = body.p, *end = body.p + body.n;
    struct json j;
    enum err e;

    ps->out.array = ps->indexed = true;
    for (size_t lines = 0; p < end; lines++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        struct slice line = { p, (size_t)((stop ? stop : end) - p) };

        p = stop ? stop + 1 : end;
        if (is_blank(line))
            continue;
        json_begin(&j, line, ps->limits->json_depth + 1);
        if ((e = read_one(ps, &j)))
            return with_place(ps, &j, lines, e);
    }
    return OK;
}

enum err event_parse(struct arena *a, struct slice stream, enum event_format format, struct slice body,
                     struct slice traceparent, const struct event_limits *limits, int64_t now_us, struct events *ret,
                     struct fault *f)
{
    struct event_parser ps = {
        .arena = a,
        .stream = stream,
        .limits = limits,
        .fault = f,
        .strict = format == EVENT_STRUCTURED || format == EVENT_BATCH,
    };
    enum err e;

    if ((e = parser_begin(&ps, traceparent, now_us)))
        return e;
    if ((e = format == EVENT_NDJSON ? parse_lines(&ps, body) : parse_json(&ps, format, body)))
        return e;
    if (!ps.out.n) {
        ps.indexed = false;
        return event_fault(&ps, ERR_BAD_EVENT, SLICE_NONE, "The body holds no event.");
    }
    *ret = ps.out;
    return OK;
}
