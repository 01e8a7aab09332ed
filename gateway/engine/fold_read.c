#include <inttypes.h>
#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/glob.h"
#include "gateway/base/json_edit.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/fold_parts.h"

enum { SHOWN = 100 };            /* bytes of a name or pointer in a sentence */

/* ---- JSON texts ---- */

/* Takes out the white space between tokens. */
static bool compact(struct arena *a, struct slice *text)
{
    const char *p = text->p, *end = p + text->n;
    bool inside = false;
    char *out, *o;

    if ((*p != '{' && *p != '[') || !(memchr(p, ' ', text->n) || memchr(p, '\n', text->n) || memchr(p, '\t', text->n) ||
                                     memchr(p, '\r', text->n)))
        return true;
    if (!(out = o = arena_alloc(a, text->n)))
        return false;
    for (; p < end; p++) {
        if (inside && *p == '\\')
            *o++ = *p++;
        else if (*p == '"')
            inside = !inside;
        else if (!inside && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
            continue;
        *o++ = *p;
    }
    *text = (struct slice){ out, (size_t)(o - out) };
    return true;
}

static bool quote(struct arena *a, struct slice s, struct slice *ret)
{
    struct buf b = { 0 };
    char *out;
    size_t i = 0;

    while (i < s.n && (unsigned char)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\')
        i++;
    if (i == s.n) {
        if (!(out = arena_alloc(a, s.n + 2)))
            return false;
        out[0] = out[s.n + 1] = '"';
        memcpy(out + 1, s.p, s.n);
        *ret = (struct slice){ out, s.n + 2 };
        return true;
    }
    buf_json_string(&b, s);
    *ret = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ret->p;
}

static bool printed(const char *text, struct slice *ret)
{
    *ret = slice_of(text);
    return text;
}

/* ---- the event as JSON would show it ---- */

/* Of attributes whose names stand before their values; within a string the quotes would be escaped. */
static struct slice attribute(struct slice attributes, struct slice needle)
{
    const char *at = attributes.n ? memmem(attributes.p, attributes.n, needle.p, needle.n) : NULL;
    struct slice value = SLICE_NONE;
    struct json j;

    if (!at)
        return SLICE_NONE;
    at += needle.n;
    json_begin(&j, (struct slice){ at, (size_t)(attributes.p + attributes.n - at) }, 1);
    return json_value(&j, &value) ? value : SLICE_NONE;
}

static bool data_value(const struct fold_source *s, const struct fold_event *e, struct arena *a, struct slice *ret)
{
    const struct event *ev = e->event;

    if (ev->data_format == DATA_TEXT && s->pointer.n == sizeof "/data" - 1)
        return quote(a, ev->data, ret);
    if (ev->data_format != DATA_JSON || !e->data[s->slot].p)
        return true;
    *ret = e->data[s->slot];
    return compact(a, ret);
}

static bool base64(const struct event *ev, struct arena *a, struct slice *ret)
{
    struct buf b = { 0 };

    if (ev->data_format != DATA_BINARY)
        return true;
    buf_char(&b, '"');
    buf_base64(&b, ev->data);
    buf_char(&b, '"');
    *ret = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ret->p;
}

static bool source_value(const struct event *ev, struct slice stream, struct arena *a, struct slice *ret)
{
    char *text;

    if (ev->source.p)
        return quote(a, ev->source, ret);
    text = arena_printf(a, "\"/v1/streams/%.*s\"", (int)stream.n, stream.p);
    return printed(text, ret);
}

bool fold_source_value(const struct fold_source *s, const struct fold_event *e, struct arena *a, struct slice *ret)
{
    const struct event *ev = e->event;
    char time[CLOCK_TEXT];

    *ret = SLICE_NONE;
    switch (s->attribute) {
    case FOLD_SPECVERSION:
        *ret = SLICE("\"1.0\"");
        return true;
    case FOLD_ID:
        return quote(a, ev->id, ret);
    case FOLD_SOURCE:
        return source_value(ev, e->stream, a, ret);
    case FOLD_TYPE:
        return quote(a, ev->type, ret);
    case FOLD_SUBJECT:
        return !ev->subject.p || quote(a, ev->subject, ret);
    case FOLD_STREAM:
        return quote(a, e->stream, ret);
    case FOLD_PARTITION:
        return printed(arena_printf(a, "%" PRId32, ev->partition), ret);
    case FOLD_OFFSET:
        return printed(arena_printf(a, "\"%" PRId64 "\"", ev->offset), ret);
    case FOLD_RECORDEDTIME:
        clock_format(ev->recorded_us, time);
        return quote(a, slice_of(time), ret);
    case FOLD_VERSION:
        return !ev->version || printed(arena_printf(a, "%" PRId64, ev->version), ret);
    case FOLD_DATA:
        return data_value(s, e, a, ret);
    case FOLD_DATA_BASE64:
        return base64(ev, a, ret);
    case FOLD_OTHER:
        *ret = attribute(ev->attributes, s->needle);
        return true;
    }
    return true;
}

/* ---- which operations apply, to which key ---- */

static bool entry_is_of(const struct fold_entry *e, struct slice type)
{
    return e->literal ? slice_eq(e->pattern, type) : glob_match(e->pattern, type);
}

bool fold_wants(const struct fold *fold, struct slice type)
{
    for (size_t i = 0; i < fold->entry_n; i++)
        if (entry_is_of(&fold->entry[i], type))
            return true;
    return false;
}

/* false with *ret_failed: out of memory. */
static bool holds(const struct fold_operation *o, const struct fold_event *e, struct arena *a, bool *ret_failed)
{
    struct slice value;

    for (size_t i = 0; i < o->condition_n; i++) {
        const struct fold_condition *c = &o->condition[i];

        if (!fold_source_value(&c->source, e, a, &value)) {
            *ret_failed = true;
            return false;
        }
        if (!value.p || (!slice_eq(value, c->literal) && !json_values_equal(a, value, c->literal, ret_failed)))
            return false;
    }
    return true;
}

static enum fold_result choose(const struct fold *fold, size_t most, struct arena *a, struct fold_event *e)
{
    bool failed = false;

    if (!(e->operation = arena_alloc(a, most * sizeof(struct fold_operation *))))
        return FOLD_NO_MEMORY;
    for (size_t i = 0; i < fold->entry_n; i++) {
        const struct fold_entry *entry = &fold->entry[i];

        for (size_t k = 0; entry_is_of(entry, e->event->type) && k < entry->operation_n && !failed; k++)
            if (holds(&entry->operation[k], e, a, &failed))
                e->operation[e->operation_n++] = &entry->operation[k];
    }
    return failed ? FOLD_NO_MEMORY : e->operation_n ? FOLD_DONE : FOLD_PASSED;
}

static enum fold_result no_key(const struct fold *fold, struct fault *f, const char *what)
{
    struct slice p = fold->key.pointer;

    if (f)
        strcpy(f->pointer, "/key");
    fault(f, OK, "The event's key, %.*s, %s.", (int)utf8_cut(p.p, p.n, SHOWN), p.p, what);
    return FOLD_REFUSED;
}

static enum fold_result check_key(const struct fold *fold, struct slice key, struct fold_event *ret, struct fault *f)
{
    char text[80];

    if (!key.n)
        return no_key(fold, f, "is empty");
    snprintf(text, sizeof text, "has %zu bytes, more than the %d that it may have", key.n, FOLD_KEY_MAX);
    if (key.n > FOLD_KEY_MAX)
        return no_key(fold, f, text);
    if (memchr(key.p, '\0', key.n))
        return no_key(fold, f, "has U+0000");
    ret->key = key;
    return FOLD_DONE;
}

static enum fold_result read_key(const struct fold *fold, struct arena *a, struct fold_event *e, struct fault *f)
{
    struct slice value, inside;
    struct json j;
    bool escaped;

    if (fold->key.attribute == FOLD_SUBJECT)
        return e->event->subject.p ? check_key(fold, e->event->subject, e, f) : no_key(fold, f, "is not there");
    if (!fold_source_value(&fold->key, e, a, &value))
        return FOLD_NO_MEMORY;
    if (!value.p)
        return no_key(fold, f, "is not there");
    if (*value.p == '{' || *value.p == '[' || *value.p == 'n')
        return no_key(fold, f, *value.p == '{' ? "is an object" : *value.p == '[' ? "is an array" : "is null");
    if (*value.p != '"')
        return check_key(fold, value, e, f);
    json_begin(&j, value, 1);
    json_scan_string(&j, &inside, &escaped);
    if (!json_unescape(a, inside, escaped, &value))
        return FOLD_NO_MEMORY;
    return check_key(fold, value, e, f);
}

enum fold_result fold_read(const struct fold *fold, struct slice stream, const struct event *event, struct arena *a,
                           struct fold_event *ret, struct fault *f)
{
    struct slice *data;
    enum fold_result r;
    size_t most = 0;

    *ret = (struct fold_event){ .event = event, .stream = stream };
    for (size_t i = 0; i < fold->entry_n; i++)
        if (entry_is_of(&fold->entry[i], event->type))
            most += fold->entry[i].operation_n;
    if (!most)
        return FOLD_PASSED;
    if (fold->data_n && event->data_format == DATA_JSON) {
        if (!(data = arena_zalloc(a, fold->data_n * sizeof *data)) || !fold_trie_find(&fold->data, event->data, a, data))
            return FOLD_NO_MEMORY;
        ret->data = data;
    }
    r = choose(fold, most, a, ret);
    return r ? r : read_key(fold, a, ret, f);
}
