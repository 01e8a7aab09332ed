#include "gateway/engine/event_draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 64, KEY_MAX = 1024, VALUE_MAX = 8192 };

enum rule_kind { RULE_STRING, RULE_VERSION, RULE_URI, RULE_TIME, RULE_INTEGER, RULE_ANY };

/* What CloudEvents and Weir's bounds ask of each attribute. */
static const struct rule {
    struct slice name;
    enum rule_kind kind;
    size_t min, max;             /* bytes of a string */
} rules[SLOT_END] = {
    [SLOT_SPECVERSION] = { { "specversion", 11 }, RULE_VERSION, 0, VALUE_MAX },
    [SLOT_ID] = { { "id", 2 }, RULE_STRING, 1, KEY_MAX },
    [SLOT_SOURCE] = { { "source", 6 }, RULE_URI, 1, KEY_MAX },
    [SLOT_TYPE] = { { "type", 4 }, RULE_STRING, 1, KEY_MAX },
    [SLOT_SUBJECT] = { { "subject", 7 }, RULE_STRING, 1, KEY_MAX },
    [SLOT_TIME] = { { "time", 4 }, RULE_TIME, 0, VALUE_MAX },
    [SLOT_DATACONTENTTYPE] = { { "datacontenttype", 15 }, RULE_STRING, 1, VALUE_MAX },
    [SLOT_DATASCHEMA] = { { "dataschema", 10 }, RULE_URI, 1, VALUE_MAX },
    [SLOT_PARTITIONKEY] = { { "partitionkey", 12 }, RULE_STRING, 1, KEY_MAX },
    [SLOT_EXPECTEDVERSION] = { { "expectedversion", 15 }, RULE_INTEGER, 0, 0 },
    [SLOT_DATA] = { { "data", 4 }, RULE_ANY, 0, 0 },
    [SLOT_DATA_BASE64] = { { "data_base64", 11 }, RULE_ANY, 0, 0 },
    [SLOT_STREAM] = { { "stream", 6 }, RULE_ANY, 0, 0 },
    [SLOT_PARTITION] = { { "partition", 9 }, RULE_ANY, 0, 0 },
    [SLOT_OFFSET] = { { "offset", 6 }, RULE_ANY, 0, 0 },
    [SLOT_RECORDEDTIME] = { { "recordedtime", 12 }, RULE_ANY, 0, 0 },
    [SLOT_VERSION] = { { "version", 7 }, RULE_ANY, 0, 0 },
    [SLOT_SCHEMAERROR] = { { "schemaerror", 11 }, RULE_ANY, 0, 0 },
    [SLOT_EXTENSION] = { { "", 0 }, RULE_STRING, 0, VALUE_MAX },
};

/* ---- faults ---- */

static void point(struct event_parser *ps, struct slice name)
{
    char *p = ps->fault->pointer, *end = p + sizeof ps->fault->pointer - 1;

    *p = '\0';
    if (ps->binary)
        return;                  /* the attributes are no part of the body */
    if (ps->indexed)
        p += snprintf(p, (size_t)(end - p), "/%zu", ps->out.n);
    if (name.p && name.n <= NAME_MAX_BYTES) { /* a longer one is no attribute: the event is pointed at */
        *p++ = '/';
        for (size_t i = 0; i < name.n; i++) {
            if (name.p[i] == '~' || name.p[i] == '/')
                *p++ = '~';
            *p++ = (char)(name.p[i] == '~' ? '0' : name.p[i] == '/' ? '1' : name.p[i]);
        }
    }
    *p = '\0';
}

enum err event_fault(struct event_parser *ps, enum err e, struct slice name, const char *fmt, ...)
{
    va_list ap;
    char text[sizeof ps->fault->detail];

    if (!ps->fault)
        return e;
    point(ps, name);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fault(ps->fault, e, "%s", text);
}

enum err event_fault_json(struct event_parser *ps, const struct json *j, size_t lines_before, struct slice name)
{
    size_t line, column;

    json_where(j, &line, &column);
    return event_fault(ps, ERR_BAD_JSON, name, "Line %zu, column %zu: %s.", lines_before + line,
                       column, j->error);
}

/* ---- the parser ---- */

/* Version 00 of W3C Trace Context; what does not look like it is dropped, as that standard asks. */
static bool is_traceparent(struct slice s)
{
    static const char shape[] = "00-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";

    if (s.n != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        bool hex = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');

        if (shape[i] == 'h' ? !hex : s.p[i] != shape[i])
            return false;
    }
    return true;
}

enum err parser_begin(struct event_parser *ps, struct slice traceparent, int64_t now_us)
{
    ps->now_us = now_us;
    ps->now[0] = '"';
    clock_format(now_us, ps->now + 1);
    ps->now[CLOCK_TEXT] = '"';
    ps->time = (struct slice){ ps->now, CLOCK_TEXT + 1 };
    if (is_traceparent(traceparent)) {
        char *p = arena_printf(ps->arena, "\"%.*s\"", (int)traceparent.n, traceparent.p);

        if (!p)
            return ERR_NO_MEMORY;
        ps->traceparent = slice_of(p);
    }
    return OK;
}

enum err parser_room(struct event_parser *ps)
{
    if (ps->out.n == ps->limits->request_events)
        return event_fault(ps, ERR_TOO_MANY_EVENTS, SLICE_NONE, "A request holds at most %zu events.",
                           ps->limits->request_events);
    if (ps->out.n < ps->capacity)
        return OK;
    size_t capacity = ps->capacity ? ps->capacity * 4 : ps->indexed ? 16 : 1;

    if (capacity > ps->limits->request_events)
        capacity = ps->limits->request_events;
    struct event *v = arena_alloc(ps->arena, capacity * sizeof *v);

    if (!v)
        return ERR_NO_MEMORY;
    if (ps->out.n)
        memcpy(v, ps->out.v, ps->out.n * sizeof *v);
    ps->out.v = v;
    ps->capacity = capacity;
    return OK;
}

/* ---- members ---- */

void draft_begin(struct draft *d)
{
    for (size_t i = 0; i < SLOT_DATA; i++)
        d->known[i] = (struct attribute){ .name = rules[i].name };
    d->n_rest = 0;
    d->seen = 0;
    d->data = d->bytes = SLICE_NONE;
    d->line_breaks = false;
    d->expected_version = -1;
}

enum slot draft_slot(struct slice name)
{
    enum slot i = 0;

    while (i < SLOT_EXTENSION && !(rules[i].name.n == name.n && memcmp(rules[i].name.p, name.p, name.n) == 0))
        i++;
    return i;
}

static enum err twice(struct event_parser *ps, struct slice name)
{
    return event_fault(ps, ERR_BAD_EVENT, name, "%.*s is there twice.", (int)name.n, name.p);
}

/* Shows only what is safe to show of a name that anybody may have made up. */
static enum err bad_name(struct event_parser *ps, struct slice name)
{
    size_t n = 0;

    while (n < name.n && n < NAME_MAX_BYTES && name.p[n] >= 0x20 && name.p[n] < 0x7F)
        n++;
    return event_fault(ps, ERR_BAD_EVENT, name,
                       "\"%.*s%s\" is not an attribute name: those are 1 to %d of the characters a-z and 0-9.", (int)n,
                       name.p, n < name.n ? "…" : "", NAME_MAX_BYTES);
}

static enum err place_rest(struct event_parser *ps, struct draft *d, struct slice name, struct attribute **ret)
{
    bool valid = name.n > 0 && name.n <= NAME_MAX_BYTES;

    for (size_t i = 0; valid && i < name.n; i++)
        valid = (name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9');
    if (!valid)
        return bad_name(ps, name);
    for (size_t i = 0; i < d->n_rest; i++)
        if (slice_eq(d->rest[i].name, name))
            return twice(ps, name);
    if (d->n_rest == EXTENSIONS_MAX)
        return event_fault(ps, ERR_BAD_EVENT, name, "An event has at most %d extension attributes.", EXTENSIONS_MAX);
    *ret = &d->rest[d->n_rest++];
    **ret = (struct attribute){ .name = name };
    return OK;
}

enum err draft_place(struct event_parser *ps, struct draft *d, struct slice name, enum slot slot,
                     struct attribute **ret)
{
    *ret = NULL;
    if (slot == SLOT_EXTENSION)
        return place_rest(ps, d, name, ret);
    if (d->seen & 1U << slot)
        return twice(ps, name);
    d->seen |= 1U << slot;
    if (slot == SLOT_PARTITIONKEY)
        return place_rest(ps, d, name, ret); /* it comes back among the extensions */
    if (slot < SLOT_DATA)
        *ret = &d->known[slot];
    return OK;
}

/* ---- values ---- */

/* CloudEvents, "String": no control characters, no noncharacters. s is UTF-8. */
static bool is_attribute_text(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;

    while (p < end && *p >= 0x20 && *p < 0x7F)
        p++;
    for (; p < end; p++) {
        if (*p < 0x20 || *p == 0x7F)
            return false;
        if (*p < 0xC2)           /* ASCII, or inside a character */
            continue;
        if (*p == 0xC2 && p[1] < 0xA0)
            return false;
        if (*p == 0xEF && ((p[1] == 0xB7 && p[2] >= 0x90 && p[2] <= 0xAF) || (p[1] == 0xBF && p[2] >= 0xBE)))
            return false;
        if (*p >= 0xF0 && (p[1] & 0x0F) == 0x0F && p[2] == 0xBF && p[3] >= 0xBE)
            return false;
    }
    return true;
}

static bool is_uri_text(struct slice s)
{
    static const bool excluded[256] = { [' '] = 1, ['<'] = 1, ['>'] = 1, ['"'] = 1, ['{'] = 1,
                                        ['}'] = 1, ['|'] = 1, ['\\'] = 1, ['^'] = 1, ['`'] = 1 };
    bool bad = false;

    for (size_t i = 0; i < s.n; i++)
        bad |= excluded[(unsigned char)s.p[i]];
    return !bad;
}

static enum err check_string(struct event_parser *ps, const struct rule *rule, const struct attribute *at)
{
    struct slice text = at->text, name = at->name;
    int64_t us;

    if (text.n < rule->min)
        return event_fault(ps, ERR_BAD_EVENT, name, "%.*s must not be empty.", (int)name.n, name.p);
    if (text.n > rule->max)
        return event_fault(ps, ERR_BAD_EVENT, name, "%.*s is longer than %zu bytes.", (int)name.n, name.p, rule->max);
    if (!is_attribute_text(text))
        return event_fault(ps, ERR_BAD_EVENT, name, "%.*s holds a control character or a noncharacter.", (int)name.n,
                           name.p);
    if (rule->kind == RULE_VERSION && !slice_eq(text, SLICE("1.0")))
        return event_fault(ps, ERR_BAD_EVENT, name, "specversion must be \"1.0\".");
    if (rule->kind == RULE_URI && !is_uri_text(text))
        return event_fault(ps, ERR_BAD_EVENT, name, "%.*s must be a URI, without spaces and <>\"{}|\\^`.",
                           (int)name.n, name.p);
    if (rule->kind == RULE_TIME && !clock_parse(text, &us))
        return event_fault(ps, ERR_BAD_EVENT, name, "time must be an RFC 3339 time like 2026-01-31T23:59:59.123Z.");
    return OK;
}

static enum err check_expected_version(struct event_parser *ps, struct draft *d, const struct attribute *at)
{
    enum attribute_kind want = ps->binary ? ATTRIBUTE_STRING : ATTRIBUTE_INTEGER;
    int64_t v;

    if (at->kind != want || !json_int64(at->text, &v) || v < 0)
        return event_fault(ps, ERR_BAD_EVENT, at->name, "expectedversion must be an integer from 0 on.");
    d->expected_version = v;
    return OK;
}

enum err draft_check(struct event_parser *ps, struct draft *d, enum slot slot, const struct attribute *at)
{
    int64_t v;

    if (slot == SLOT_EXPECTEDVERSION)
        return check_expected_version(ps, d, at);
    if (at->kind == ATTRIBUTE_STRING) {
        if (slot == SLOT_PARTITIONKEY)
            d->known[slot].text = at->text;
        return check_string(ps, &rules[slot], at);
    }
    if (slot != SLOT_EXTENSION)
        return event_fault(ps, ERR_BAD_EVENT, at->name, "%.*s must be a string.", (int)at->name.n, at->name.p);
    if (at->kind == ATTRIBUTE_INTEGER && (!json_int64(at->text, &v) || v < INT32_MIN || v > INT32_MAX))
        return event_fault(ps, ERR_BAD_EVENT, at->name, "%.*s: a number in an attribute is an integer of 32 bits; "
                           "send others as strings.", (int)at->name.n, at->name.p);
    return OK;
}

/* ---- the finished event ---- */

static enum err check_required(struct event_parser *ps, const struct draft *d)
{
    static const enum slot required[] = { SLOT_TYPE, SLOT_SPECVERSION, SLOT_ID, SLOT_SOURCE };
    size_t n = ps->strict ? sizeof required / sizeof *required : 1;

    for (size_t i = 0; i < n; i++) {
        const struct attribute *at = &d->known[required[i]];

        if (!at->kind)
            return event_fault(ps, ERR_BAD_EVENT, at->name, "%.*s is missing.", (int)at->name.n, at->name.p);
    }
    if (d->data.p && d->bytes.p)
        return event_fault(ps, ERR_BAD_EVENT, SLICE("data_base64"), "data and data_base64 exclude each other.");
    return OK;
}

static size_t member_length(struct slice name, struct slice raw)
{
    return raw.p ? name.n + raw.n + sizeof "\"\":," - 1 : 0;
}

static char *put_member(char *p, struct slice name, struct slice raw)
{
    if (!raw.p)
        return p;
    *p++ = '"';
    memcpy(p, name.p, name.n);
    p += name.n;
    *p++ = '"';
    *p++ = ':';
    memcpy(p, raw.p, raw.n);
    p += raw.n;
    *p++ = ',';
    return p;
}

static enum err store_attributes(struct event_parser *ps, const struct draft *d, struct event *ret)
{
    static const struct slice traceparent = { "traceparent", 11 };
    const struct attribute *type = &d->known[SLOT_DATACONTENTTYPE], *schema = &d->known[SLOT_DATASCHEMA];
    const struct attribute *end = d->rest + d->n_rest;
    struct slice time = d->known[SLOT_TIME].kind ? d->known[SLOT_TIME].raw : ps->time, trace = ps->traceparent;
    size_t n = member_length(SLICE("time"), time) + member_length(type->name, type->raw) +
               member_length(schema->name, schema->raw);
    char *p;

    for (const struct attribute *at = d->rest; at < end; at++) {
        n += member_length(at->name, at->raw);
        if (at->kind && slice_eq(at->name, traceparent))
            trace = SLICE_NONE;  /* the event has its own */
    }
    n += member_length(traceparent, trace);
    if (!(p = arena_alloc(ps->arena, n)))
        return ERR_NO_MEMORY;
    ret->attributes = (struct slice){ p, n - 1 }; /* without the last comma */
    p = put_member(p, SLICE("time"), time);
    p = put_member(p, type->name, type->raw);
    p = put_member(p, schema->name, schema->raw);
    for (const struct attribute *at = d->rest; at < end; at++)
        p = put_member(p, at->name, at->raw);
    put_member(p, traceparent, trace);
    return OK;
}

/* application/json, text/json, anything+json; text/anything. Parameters do not count. */
static enum data_format media_format(struct slice type)
{
    const char *semicolon = type.p ? memchr(type.p, ';', type.n) : NULL;
    size_t n = semicolon ? (size_t)(semicolon - type.p) : type.n;

    while (n && (type.p[n - 1] == ' ' || type.p[n - 1] == '\t'))
        n--;
    if ((n == 16 && strncasecmp(type.p, "application/json", n) == 0) ||
        (n == 9 && strncasecmp(type.p, "text/json", n) == 0) ||
        (n > 5 && strncasecmp(type.p + n - 5, "+json", 5) == 0))
        return DATA_JSON;
    return n > 5 && strncasecmp(type.p, "text/", 5) == 0 ? DATA_TEXT : DATA_BINARY;
}

static enum err store_data(struct event_parser *ps, const struct draft *d, struct event *ret)
{
    struct slice name = ps->binary ? SLICE_NONE : SLICE("data_base64"), raw;
    struct json j;

    if (d->data.p) {
        ret->data = d->data;
        ret->data_format = DATA_JSON;
        ret->line_breaks = d->line_breaks;
        return OK;
    }
    ret->data = d->bytes;
    if (!d->bytes.p || (ps->binary && !d->bytes.n)) {
        ret->data = SLICE_NONE;
        return OK;
    }
    ret->data_format = media_format(d->known[SLOT_DATACONTENTTYPE].text);
    if (ret->data_format == DATA_TEXT && !utf8_valid(d->bytes))
        ret->data_format = DATA_BINARY;
    if (ret->data_format != DATA_JSON)
        return OK;
    json_begin(&j, d->bytes, ps->limits->json_depth);
    if (!json_value(&j, &raw) || !json_end(&j))
        return event_fault_json(ps, &j, 0, name);
    ret->line_breaks = memchr(d->bytes.p, '\n', d->bytes.n) || memchr(d->bytes.p, '\r', d->bytes.n);
    return OK;
}

static enum err store_id(struct event_parser *ps, const struct draft *d, struct event *ret)
{
    struct slice source = ret->source;

    if (!d->known[SLOT_ID].kind) {
        char *id = arena_alloc(ps->arena, 37);

        if (!id)
            return ERR_NO_MEMORY;
        uuid7(ps->now_us, id);
        ret->id = (struct slice){ id, 36 };
        return OK;
    }
    ret->id = d->known[SLOT_ID].text;
    ret->client_id = true;
    if (!source.p) {
        char *p = arena_printf(ps->arena, "/v1/streams/%.*s", (int)ps->stream.n, ps->stream.p);

        if (!p)
            return ERR_NO_MEMORY;
        source = slice_of(p);
    }
    return event_key(source, ret->id, ret->key) && event_fingerprint(d, ret, ret->fingerprint) ? OK : ERR_NO_MEMORY;
}

enum err draft_finish(struct event_parser *ps, struct draft *d, struct event *ret)
{
    enum err e;

    if ((e = check_required(ps, d)))
        return e;
    *ret = (struct event){
        .source = d->known[SLOT_SOURCE].text,
        .type = d->known[SLOT_TYPE].text,
        .subject = d->known[SLOT_SUBJECT].text,
        .partitionkey = d->known[SLOT_PARTITIONKEY].text,
        .dataschema = d->known[SLOT_DATASCHEMA].text,
        .expected_version = d->expected_version,
    };
    if ((e = store_data(ps, d, ret)) || (e = store_attributes(ps, d, ret)))
        return e;
    return store_id(ps, d, ret);
}
