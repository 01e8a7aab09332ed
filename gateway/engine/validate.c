#include "gateway/engine/validate.h"

#include <stdio.h>

#include "gateway/base/json.h"
#include "gateway/base/metrics.h"
#include "gateway/base/utf8.h"

#define SCHEMA_PATH "/registry/schemas/ids/"
#define MARK_BYTES 1000           /* of schemaerror, and more than that is never needed */
#define SCRATCH ((size_t)64 << 20)

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

/* Into out, if there is one; its length. */
static size_t fill_in(char *out, struct slice t, struct slice stream, struct slice type)
{
    size_t n = 0;

    while (t.n) {
        int word = word_at(t);
        struct slice part = word < 0 ? (struct slice){ t.p, 1 } : words[word].stream ? stream : type;

        if (out && part.n)
            memcpy(out + n, part.p, part.n);
        n += part.n;
        t = from(t, word < 0 ? 1 : words[word].word.n);
    }
    return n;
}

struct slice subject_of(struct arena *a, struct slice t, struct slice stream, struct slice type)
{
    size_t n = fill_in(NULL, t, stream, type);
    char *out = arena_alloc(a, n + 1);

    if (!out)
        return SLICE_NONE;
    fill_in(out, t, stream, type);
    return (struct slice){ out, n };
}

/* --- one event --- */

#define KINDS 16                  /* schemas that are kept at hand for the next events of a request */
#define INLINE_STEPS (1 << 17)    /* on the event loop; about two milliseconds */
#define REQUEST_STEPS ((int64_t)1 << 26) /* on a worker: about a second */
#define DETAIL_BYTES 300          /* of a subject in a sentence */
#define TOO_MUCH "Checking the events of the request takes more work than is allowed."

struct kind {
    struct slice type, subject;
    int id;                       /* 0: the latest */
    struct checker *checker;
};

struct validating {
    struct schema_cache *cache;
    struct db *db;
    const struct stream_row *stream;
    struct arena *arena;
    struct fault *fault;
    int64_t steps;                /* that all events together may still take */
    struct kind kinds[KINDS], *kind;
    size_t n, next;               /* kinds: so many, and the one to be replaced */
};

static struct validating begin(struct schema_cache *c, struct db *db, const struct stream_row *s, struct arena *a, struct fault *f)
{
    return (struct validating){ .cache = c, .db = db, .stream = s, .arena = a, .fault = f,
                                .steps = db ? REQUEST_STEPS : INLINE_STEPS };
}

static void end(struct validating *v)
{
    for (size_t i = 0; i < v->n; i++)
        checker_unref(v->kinds[i].checker);
}

static int named_id(struct slice dataschema)
{
    const size_t n = sizeof SCHEMA_PATH - 1;
    int64_t id = 0;

    if (dataschema.n <= n || memcmp(dataschema.p, SCHEMA_PATH, n))
        return 0;
    return json_int64(from(dataschema, n), &id) && id > 0 && id <= INT32_MAX ? (int)id : 0;
}

static struct kind *known(struct validating *v, struct slice type, int id)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->kinds[i].id == id && slice_eq(v->kinds[i].type, type))
            return &v->kinds[i];
    return NULL;
}

/* ERR_PARKED: not here. */
static enum err find_checker(struct validating *v, struct slice type, int id)
{
    struct kind k = { .type = type, .id = id };
    enum err e;

    if ((v->kind = known(v, type, id)))
        return OK;
    k.subject = subject_of(v->arena, v->stream->subject_template, v->stream->name, type);
    if (!k.subject.p)
        return ERR_NO_MEMORY;
    if (!(k.checker = schema_cache_get(v->cache, k.subject, id))) {
        if (!v->db)
            return ERR_PARKED;
        if ((e = schema_cache_load(v->cache, v->db, k.subject, id, &k.checker, v->fault)))
            return e;
    }
    v->kind = &v->kinds[v->next++ % KINDS];
    if (v->n == KINDS)
        checker_unref(v->kind->checker);
    else
        v->n++;
    *v->kind = k;
    return OK;
}

/* Bytes name a schema only where the subject has one: otherwise they are of whatever form. */
static enum err choose(struct validating *v, const struct event *ev)
{
    struct slice ignored;
    int id = named_id(ev->dataschema);
    enum err e = find_checker(v, ev->type, id);

    if (e || id || v->kind->checker->kind == CHECKER_NONE || ev->data_format != DATA_BINARY)
        return e;
    if (!checker_frame(ev->data, &id, &ignored) || id == v->kind->checker->id)
        return OK;
    return find_checker(v, ev->type, id);
}

/* Why an event does not conform, up to max of it; its texts are in the arena. A finding without a pointer is about the attribute that
 * `keyword` names. */
struct reasons {
    struct arena *arena;
    struct finding *v;
    size_t max, n;
};

static enum err because(struct reasons *r, struct finding one)
{
    r->n = 1;
    if (r->max)
        *r->v = one;
    return !r->max || one.detail.p ? OK : ERR_NO_MEMORY;
}

static enum err without_schema(const struct validating *v, const struct event *ev, struct reasons *r)
{
    const struct kind *k = v->kind;
    int n = (int)utf8_cut(k->subject.p, k->subject.n, DETAIL_BYTES);
    struct finding one = { .keyword = SLICE("type") };

    if (!k->id && v->stream->allow_unknown_types)
        return OK;
    if (!r->max)
        return because(r, one);
    if (!k->id)
        one.detail = slice_of(arena_printf(r->arena, "The subject %.*s has no schema, and the stream does not allow unknown types.",
                                           n, k->subject.p));
    else
        one = (struct finding){ .detail = slice_of(arena_printf(r->arena, "Schema %d is no version of the subject %.*s.", k->id, n,
                                                                k->subject.p)) };
    if (k->id && named_id(ev->dataschema))
        one.keyword = SLICE("dataschema");
    else if (k->id)
        one.pointer = SLICE("");
    return because(r, one);
}

static enum err check(struct validating *v, const struct event *ev, struct reasons *r)
{
    enum err e;

    r->n = 0;
    if ((e = choose(v, ev)))
        return e;
    if (v->kind->checker->kind == CHECKER_NONE)
        return without_schema(v, ev, r);
    e = v->steps > 0 ? checker_check(v->kind->checker, ev, named_id(ev->dataschema) > 0, &v->steps, r->arena, r->v, r->max, &r->n)
                     : ERR_SCHEMA_LIMIT;
    if (e != ERR_SCHEMA_LIMIT)
        return e;
    return v->db ? because(r, (struct finding){ .pointer = SLICE(""), .detail = SLICE(TOO_MUCH) }) : ERR_PARKED;
}

enum err validate_recorded(struct schema_cache *c, struct db *db, const struct stream_row *s, const struct event *ev,
                           struct arena *a, struct finding *ret, size_t max, size_t *ret_n, struct fault *f)
{
    struct validating v = begin(c, db, s, a, f);
    struct reasons r = { a, ret, max, 0 };
    enum err e = s->validation == VALIDATION_OFF ? OK : check(&v, ev, &r);

    for (size_t i = 0; i < r.n && i < max; i++)
        if (!ret[i].pointer.p)
            ret[i].pointer = SLICE("");
    *ret_n = r.n;
    end(&v);
    return e;
}

/* --- warn --- */

/* As a CloudEvents string: without control characters. */
static struct slice mark_text(struct arena *a, const struct finding *f, size_t n)
{
    int pointer = f->pointer.n < MARK_BYTES / 2 - 40 ? (int)f->pointer.n : 0; /* one that is longer says nothing when it is cut */
    char text[MARK_BYTES], more[40] = "";
    size_t n_text;

    if (n > 1)
        snprintf(more, sizeof more, " (and %zu more)", n - 1);
    snprintf(text, sizeof text, "%.*s%s%.*s%s", pointer, f->pointer.p ? f->pointer.p : "", pointer ? ": " : "",
             (int)utf8_cut(f->detail.p, f->detail.n, MARK_BYTES / 2 - 4), f->detail.p, more);
    n_text = strlen(text);
    for (size_t i = 0; i < n_text; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = ' ';
    return arena_slice(a, (struct slice){ text, n_text });
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

/* *ret: the mark; p == NULL: it conforms. What was found may be long, so it is in memory of its own. */
static enum err judge(struct validating *v, const struct event *ev, struct slice *ret)
{
    struct reasons quick = { .max = 0 }, all = { .max = VALIDATE_FINDINGS };
    struct finding found[VALIDATE_FINDINGS];
    enum err e = check(v, ev, &quick);

    *ret = SLICE_NONE;
    if (e || !quick.n)
        return e;
    all.v = found;
    if (!(all.arena = arena_new(SCRATCH)))
        return ERR_NO_MEMORY;
    e = check(v, ev, &all);
    if (!e) {
        *ret = mark_text(v->arena, found, all.n);
        e = ret->p ? OK : ERR_NO_MEMORY;
    }
    arena_free(all.arena);
    return e;
}

/* Marked at the end, when nothing can be parked any more. */
static enum err warn(struct validating *v, struct events *events)
{
    struct slice *marks = arena_zalloc(v->arena, events->n * sizeof *marks);
    size_t violations = 0;
    enum err e = marks ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < events->n; i++) {
        e = judge(v, &events->v[i], &marks[i]);
        violations += marks[i].p != NULL;
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
    struct finding *found = arena_alloc(v->arena, VALIDATE_FINDINGS * sizeof *found);
    size_t n = 0, refused = 0;
    char rest[64] = "";
    enum err e = found ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; !e && i < events->n; i++) {
        struct reasons r = { v->arena, found + n, VALIDATE_FINDINGS - n, 0 };

        e = check(v, &events->v[i], &r);
        events->v[i].refused = !e && r.n;
        refused += !e && r.n;
        for (size_t end = n + r.n; !e && n < end && n < VALIDATE_FINDINGS; n++)
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
    struct validating v = begin(c, db, s, a, f);
    enum err e;

    if (s->validation == VALIDATION_OFF)
        return OK;
    e = s->validation == VALIDATION_WARN ? warn(&v, events) : enforce(&v, events);
    end(&v);
    if (!e || e == ERR_SCHEMA_VIOLATION)
        metric_add(M_SCHEMA_CHECKED, (int64_t)events->n);
    return e;
}
