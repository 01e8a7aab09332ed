#include "gateway/engine/validate.h"

#include <stdio.h>

#include "gateway/base/json.h"
#include "gateway/base/metrics.h"
#include "gateway/base/utf8.h"

#define SCHEMA_PATH "/registry/schemas/ids/"
#define MARK_BYTES 1000           /* of schemaerror */

/* --- subjects --- */

static const struct {
    struct slice word;
    bool stream;
} words[] = { { { "{stream}", 8 }, true }, { { "{type}", 6 }, false } };

/* The word that the text begins with; -1: none. */
static int word_at(struct slice text)
{
    for (int i = 0; i < 2; i++)
        if (text.n >= words[i].word.n && !memcmp(text.p, words[i].word.p, words[i].word.n))
            return i;
    return -1;
}

static struct slice from(struct slice s, size_t n)
{
    return (struct slice){ s.p + n, s.n - n };
}

bool subject_template_valid(struct slice t)
{
    while (t.n) {
        int word = word_at(t);

        if (word < 0 && (*t.p == '{' || *t.p == '}'))
            return false;
        t = from(t, word < 0 ? 1 : words[word].word.n);
    }
    return true;
}

struct slice subject_of(struct arena *a, struct slice t, struct slice stream, struct slice type)
{
    size_t room = t.n * (stream.n + type.n + 1), n = 0;
    char *out = arena_alloc(a, room + 1);

    while (out && t.n) {
        int word = word_at(t);
        struct slice part = word < 0 ? (struct slice){ t.p, 1 } : words[word].stream ? stream : type;

        memcpy(out + n, part.p, part.n);
        n += part.n;
        t = from(t, word < 0 ? 1 : words[word].word.n);
    }
    return (struct slice){ out, n };
}

/* --- one event --- */

struct validating {
    struct schema_cache *cache;
    struct db *db;
    const struct stream_row *stream;
    struct arena *arena;
    struct fault *fault;
    /* of the last event, since the next one is often alike */
    struct slice type, subject;
    int id;
    struct checker *checker;
};

static void forget(struct validating *v)
{
    checker_unref(v->checker);
    v->checker = NULL;
}

static int named_id(struct slice dataschema)
{
    const size_t n = sizeof SCHEMA_PATH - 1;
    int64_t id = 0;

    if (dataschema.n <= n || memcmp(dataschema.p, SCHEMA_PATH, n))
        return 0;
    return json_int64(from(dataschema, n), &id) && id > 0 && id <= INT32_MAX ? (int)id : 0;
}

/* ERR_PARKED: not here. */
static enum err find_checker(struct validating *v, struct slice type, int id)
{
    bool same = v->subject.p && slice_eq(v->type, type);

    if (v->checker && same && v->id == id)
        return OK;
    forget(v);
    if (!same)
        v->subject = subject_of(v->arena, v->stream->subject_template, v->stream->name, type);
    if (!v->subject.p)
        return ERR_NO_MEMORY;
    v->type = type;
    v->id = id;
    if ((v->checker = schema_cache_get(v->cache, v->subject, id)))
        return OK;
    return v->db ? schema_cache_load(v->cache, v->db, v->subject, id, &v->checker, v->fault) : ERR_PARKED;
}

/* Bytes name a schema only where the subject has one: otherwise they are of whatever form. */
static enum err choose(struct validating *v, const struct event *ev)
{
    struct slice ignored;
    int id = named_id(ev->dataschema);
    enum err e = find_checker(v, ev->type, id);

    if (e || id || v->checker->kind == CHECKER_NONE || ev->data_format != DATA_BINARY)
        return e;
    if (!checker_frame(ev->data, &id, &ignored) || id == v->checker->id)
        return OK;
    return find_checker(v, ev->type, id);
}

/* A finding without a pointer is about the attribute that `keyword` names. */
static enum err without_schema(const struct validating *v, const struct event *ev, struct finding *ret, size_t *ret_n)
{
    bool framed = v->id && !named_id(ev->dataschema);
    char *detail;

    *ret_n = 0;
    if (!v->id && v->stream->allow_unknown_types)
        return OK;
    if (v->id)
        detail = arena_printf(v->arena, "Schema %d is no version of the subject %.*s.", v->id, (int)v->subject.n, v->subject.p);
    else
        detail = arena_printf(v->arena, "The subject %.*s has no schema, and the stream does not allow unknown types.",
                              (int)v->subject.n, v->subject.p);
    *ret = (struct finding){ .detail = slice_of(detail) };
    if (framed)
        ret->pointer = SLICE("");
    else
        ret->keyword = v->id ? SLICE("dataschema") : SLICE("type");
    *ret_n = 1;
    return detail ? OK : ERR_NO_MEMORY;
}

static enum err check(struct validating *v, const struct event *ev, struct finding *ret, size_t max, size_t *ret_n)
{
    enum err e = choose(v, ev);

    if (e)
        return e;
    if (v->checker->kind == CHECKER_NONE)
        return without_schema(v, ev, ret, ret_n);
    if (!v->db && checker_is_slow(v->checker))
        return ERR_PARKED;
    return checker_check(v->checker, ev, named_id(ev->dataschema) > 0, v->arena, ret, max, ret_n);
}

enum err validate_recorded(struct schema_cache *c, struct db *db, const struct stream_row *s, const struct event *ev,
                           struct arena *a, struct finding *ret, size_t max, size_t *ret_n, struct fault *f)
{
    struct validating v = { .cache = c, .db = db, .stream = s, .arena = a, .fault = f };
    enum err e;

    *ret_n = 0;
    if (s->validation == VALIDATION_OFF)
        return OK;
    e = check(&v, ev, ret, max, ret_n);
    for (size_t i = 0; i < *ret_n; i++)
        if (!ret[i].pointer.p)
            ret[i].pointer = SLICE("");
    forget(&v);
    return e;
}

/* --- warn --- */

/* As a CloudEvents string: without control characters. */
static struct slice mark_text(struct arena *a, const struct finding *f, size_t n)
{
    char more[40] = "";
    char *text;
    size_t end;

    if (n > 1)
        snprintf(more, sizeof more, " (and %zu more)", n - 1);
    text = arena_printf(a, "%.*s%s%.*s%s", (int)f->pointer.n, f->pointer.p ? f->pointer.p : "", f->pointer.n ? ": " : "",
                        (int)f->detail.n, f->detail.p, more);
    if (!text)
        return SLICE_NONE;
    end = strlen(text);
    if (end > MARK_BYTES)
        for (end = MARK_BYTES; end && (text[end] & 0xC0) == 0x80;)
            end--;
    for (size_t i = 0; i < end; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = ' ';
    return (struct slice){ text, end };
}

static enum err mark(struct arena *a, struct event *ev, struct slice text)
{
    struct buf b = { 0 };

    buf_slice(&b, ev->attributes);
    BUF_LIT(&b, ",\"schemaerror\":");
    buf_json_string(&b, text);
    ev->attributes = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ev->attributes.p ? OK : ERR_NO_MEMORY;
}

/* Marked at the end, when nothing can be parked any more. */
static enum err warn(struct validating *v, struct events *events)
{
    struct slice *marks = arena_zalloc(v->arena, events->n * sizeof *marks);
    struct finding found[2];
    size_t n, violations = 0;
    enum err e = marks ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < events->n; i++) {
        e = check(v, &events->v[i], found, 2, &n);
        if (!e && n) {
            violations++;
            marks[i] = mark_text(v->arena, found, n);
            e = marks[i].p ? OK : ERR_NO_MEMORY;
        }
    }
    for (size_t i = 0; !e && i < events->n; i++)
        if (marks[i].p)
            e = mark(v->arena, &events->v[i], marks[i]);
    if (!e)
        metric_add(M_SCHEMA_VIOLATIONS, (int64_t)violations);
    return e;
}

/* --- enforce --- */

/* From the data, or the attribute, to the request's body. In binary mode the body is the data, and attributes are no part of it. */
static bool place(struct arena *a, const struct events *events, size_t i, struct finding *f)
{
    bool attribute = !f->pointer.p;
    char index[24] = "", *text;

    if (events->array)
        snprintf(index, sizeof index, "/%zu", i);
    if (attribute)
        text = arena_printf(a, "%s%s%.*s", index, events->binary ? "" : "/", events->binary ? 0 : (int)f->keyword.n, f->keyword.p);
    else
        text = arena_printf(a, "%s%s%.*s", index, events->binary ? "" : "/data", (int)f->pointer.n, f->pointer.p);
    if (attribute || !f->keyword.n)
        f->keyword = SLICE_NONE;
    f->pointer = slice_of(text);
    return text;
}

enum err findings_fault(struct fault *f, const struct finding *found, size_t n, const char *rest)
{
    struct slice pointer = found->pointer, detail = found->detail;

    f->findings = found;
    f->finding_n = n;
    return fault(f, ERR_SCHEMA_VIOLATION, "%.*s%s%.*s%s", pointer.n < 100 ? (int)pointer.n : 0, pointer.p, pointer.n ? ": " : "",
                 detail.n < 250 ? (int)detail.n : 250, detail.p, rest);
}

static enum err enforce(struct validating *v, struct events *events)
{
    struct finding *found = arena_alloc(v->arena, (VALIDATE_FINDINGS + 1) * sizeof *found);
    size_t n = 0, refused = 0;
    char rest[64] = "";
    enum err e = found ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < events->n; i++) {
        size_t here = 0, max = n < VALIDATE_FINDINGS ? VALIDATE_FINDINGS - n : 1;

        e = check(v, &events->v[i], found + n, max, &here);
        events->v[i].refused = !e && here;
        refused += !e && here;
        for (size_t k = 0; !e && k < here && n < VALIDATE_FINDINGS; k++, n++)
            e = place(v->arena, events, i, &found[n]) ? OK : ERR_NO_MEMORY;
    }
    if (e || !refused)
        return e;
    metric_add(M_SCHEMA_VIOLATIONS, (int64_t)refused);
    if (events->n > 1)
        snprintf(rest, sizeof rest, " (%zu of %zu events)", refused, events->n);
    return findings_fault(v->fault, found, n, rest);
}

enum err validate_events(struct schema_cache *c, struct db *db, const struct stream_row *s, struct events *events, struct arena *a,
                         struct fault *f)
{
    struct validating v = { .cache = c, .db = db, .stream = s, .arena = a, .fault = f };
    enum err e;

    if (s->validation == VALIDATION_OFF)
        return OK;
    e = s->validation == VALIDATION_WARN ? warn(&v, events) : enforce(&v, events);
    forget(&v);
    if (!e || e == ERR_SCHEMA_VIOLATION)
        metric_add(M_SCHEMA_CHECKED, (int64_t)events->n);
    return e;
}
