#include "gateway/engine/projection_body.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"

enum { BODY_DEPTH = 64, POINTER_BYTES = 64 << 10 };
#define VERIFY_MIN_US US_PER_S
#define VERIFY_MAX_US (30 * 24 * 3600 * US_PER_S)
#define SNAPSHOT_EVERY_MAX INT64_C(1000000)

struct reader {
    struct arena *arena;
    struct fault *fault;
    struct projection_definition *d;
};

static enum err refuse(struct reader *r, enum err e, const struct json_node *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static enum err refuse(struct reader *r, enum err e, const struct json_node *at, const char *fmt, ...)
{
    struct arena *a = arena_new(POINTER_BYTES);
    struct slice pointer = a && at ? json_tree_pointer(at, a) : SLICE_NONE;
    char text[sizeof r->fault->detail];
    va_list ap;

    if (r->fault && pointer.p && pointer.n < sizeof r->fault->pointer)
        snprintf(r->fault->pointer, sizeof r->fault->pointer, "%.*s", (int)pointer.n, pointer.p);
    arena_free(a);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fault(r->fault, e, "%s", text);
}

/* ---- the members ---- */

static enum err read_streams(struct reader *r, struct json_node *n)
{
    struct projection_definition *d = r->d;

    if (n->type != JSON_ARRAY || !n->n || n->n > PROJECTION_STREAMS_MAX)
        return refuse(r, ERR_BAD_BODY, n, "It must be an array of 1 to %d names of streams.", PROJECTION_STREAMS_MAX);
    if (!(d->streams = arena_alloc(r->arena, n->n * sizeof *d->streams)))
        return ERR_NO_MEMORY;
    for (; d->stream_n < n->n; d->stream_n++) {
        struct json_node *s = n->child[d->stream_n];

        if (s->type != JSON_STRING || !name_valid(s->text))
            return refuse(r, ERR_BAD_BODY, s, "It must be the name of a stream.");
        for (size_t i = 0; i < d->stream_n; i++)
            if (slice_eq(d->streams[i], s->text))
                return refuse(r, ERR_BAD_BODY, s, "This stream is named twice.");
        d->streams[d->stream_n] = s->text;
    }
    return OK;
}

static enum err read_key(struct reader *r, struct json_node *n)
{
    r->d->key = n->text;
    return n->type == JSON_STRING ? OK : refuse(r, ERR_BAD_BODY, n, "It must be a string: \"subject\" or a JSON Pointer.");
}

static enum err read_object(struct reader *r, struct json_node *n)
{
    return n->type == JSON_OBJECT ? OK : refuse(r, ERR_BAD_BODY, n, "It must be an object.");
}

static enum err read_on_error(struct reader *r, struct json_node *n)
{
    r->d->dlq = json_tree_is(n, "dlq");
    return r->d->dlq || json_tree_is(n, "stop") ? OK : refuse(r, ERR_BAD_BODY, n, "It must be one of: stop dlq.");
}

static enum err read_start(struct reader *r, struct json_node *n)
{
    struct json_node *time = json_tree_get(n, "time");

    r->d->from = json_tree_is(n, "latest") ? READ_LATEST : READ_EARLIEST;
    if (json_tree_is(n, "latest") || json_tree_is(n, "earliest"))
        return OK;
    if (!time || n->n != 1)
        return refuse(r, ERR_BAD_BODY, n, "It must be \"earliest\", \"latest\" or {\"time\": …}.");
    r->d->from = READ_TIME;
    if (time->type != JSON_STRING || !clock_parse(time->text, &r->d->time_us))
        return refuse(r, ERR_BAD_BODY, time, "It must be an RFC 3339 time.");
    return OK;
}

static enum err read_indexes(struct reader *r, struct json_node *n)
{
    if (n->type != JSON_ARRAY)
        return refuse(r, ERR_BAD_BODY, n, "It must be an array of JSON Pointers into the state.");
    for (unsigned i = 0; i < n->n; i++)
        if (n->child[i]->type != JSON_STRING)
            return refuse(r, ERR_BAD_BODY, n->child[i], "It must be a JSON Pointer into the state.");
    return OK;
}

static enum err read_snapshot_every(struct reader *r, struct json_node *n)
{
    if (n->type != JSON_NUMBER || !json_int64(n->text, &r->d->snapshot_every) || r->d->snapshot_every < 1 ||
        r->d->snapshot_every > SNAPSHOT_EVERY_MAX)
        return refuse(r, ERR_BAD_BODY, n, "It must be an integer from 1 to %" PRId64 ".", SNAPSHOT_EVERY_MAX);
    return OK;
}

static enum err read_verify_every(struct reader *r, struct json_node *n)
{
    if (n->type != JSON_STRING || !duration_parse(n->text, &r->d->verify_every_us) || r->d->verify_every_us < VERIFY_MIN_US ||
        r->d->verify_every_us > VERIFY_MAX_US)
        return refuse(r, ERR_BAD_BODY, n, "It must be a duration from \"1s\" to \"30d\".");
    return OK;
}

static enum err read_paused(struct reader *r, struct json_node *n)
{
    r->d->paused = n->type == JSON_TRUE;
    return r->d->paused || n->type == JSON_FALSE ? OK : refuse(r, ERR_BAD_BODY, n, "It must be true or false.");
}

static enum err read_description(struct reader *r, struct json_node *n)
{
    r->d->description = n->text;
    if (n->type != JSON_STRING || n->text.n > PROJECTION_DESCRIPTION_MAX || memchr(n->text.p, '\0', n->text.n))
        return refuse(r, ERR_BAD_BODY, n, "It must be a string of at most %d bytes, without U+0000.", PROJECTION_DESCRIPTION_MAX);
    return OK;
}

static const struct member {
    const char *name;
    bool required, nullable;     /* null: as if it were not there */
    enum err (*read)(struct reader *r, struct json_node *n);
} members[] = {
    { "streams", true, false, read_streams },
    { "key", true, false, read_key },
    { "initial", false, false, read_object },
    { "on", true, false, read_object },
    { "on_error", false, false, read_on_error },
    { "start", false, false, read_start },
    { "indexes", false, false, read_indexes },
    { "snapshot_every", false, true, read_snapshot_every },
    { "verify_every", false, true, read_verify_every },
    { "paused", false, false, read_paused },
    { "description", false, true, read_description },
};
#define MEMBERS (sizeof members / sizeof *members)

static enum err read_body(struct reader *r, struct json_node *root)
{
    enum err e = OK;

    for (unsigned i = 0; i < root->n && !e; i++) {
        struct json_node *n = root->child[i];
        const struct member *m = members;

        while (m < members + MEMBERS && !slice_is(n->name, m->name))
            m++;
        if (m == members + MEMBERS)
            return refuse(r, ERR_BAD_BODY, n, "There is no such member here.");
        if (n->type != JSON_NULL || !m->nullable)
            e = m->read(r, n);
    }
    for (const struct member *m = members; m < members + MEMBERS && !e; m++)
        if (m->required && !json_tree_get(root, m->name)) {
            if (r->fault)
                snprintf(r->fault->pointer, sizeof r->fault->pointer, "/%s", m->name);
            e = fault(r->fault, ERR_BAD_BODY, "It is required.");
        }
    return e;
}

/* What a snapshot of a subject is made of has to be all of the subject's events, and nothing else. */
static enum err check_snapshots(struct reader *r, struct json_node *root)
{
    struct projection_definition *d = r->d;

    if (!d->snapshot_every || (slice_is(d->key, "subject") && d->stream_n == 1 && d->from == READ_EARLIEST))
        return OK;
    return refuse(r, ERR_BAD_DEFINITION, json_tree_get(root, "snapshot_every"), "Snapshots are of a subject: they need the key "
                  "\"subject\", one stream, and the start \"earliest\".");
}

/* ---- the texts ---- */

static int by_name(const void *x, const void *y)
{
    return slice_order(*(const struct slice *)x, *(const struct slice *)y);
}

static void put_streams(struct buf *b, const struct slice *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(b, i ? "," : "\"streams\":[");
        buf_json_string(b, v[i]);
    }
    buf_char(b, ']');
}

static void put_start(struct buf *b, const struct projection_definition *d)
{
    char time[CLOCK_TEXT];

    if (d->from != READ_TIME) {
        buf_str(b, d->from == READ_LATEST ? ",\"start\":\"latest\"" : ",\"start\":\"earliest\"");
        return;
    }
    clock_format(d->time_us, time);
    buf_printf(b, ",\"start\":{\"time\":\"%s\"}", time);
}

static void put_member(struct buf *b, const struct json_node *root, const char *name, const char *absent, bool sorted)
{
    const struct json_node *n = json_tree_get(root, name);

    buf_printf(b, ",\"%s\":", name);
    if (n)
        json_tree_write(n, sorted, b);
    else
        buf_str(b, absent);
}

/* `on` in its order, for it counts; within its operations that of their paths. */
static void put_folded(struct buf *b, const struct projection_definition *d, const struct json_node *root, bool sorted)
{
    buf_str(b, ",\"key\":");
    buf_json_string(b, d->key);
    put_member(b, root, "initial", "{}", sorted);
    put_member(b, root, "on", "{}", false);
    put_start(b, d);
    put_member(b, root, "indexes", "[]", false);
}

static enum err taken(struct reader *r, struct buf *b, struct slice *ret)
{
    *ret = b->failed ? SLICE_NONE : arena_slice(r->arena, (struct slice){ b->p, b->n });
    buf_free(b);
    return ret->p ? OK : ERR_NO_MEMORY;
}

static enum err write_text(struct reader *r, const struct json_node *root)
{
    struct projection_definition *d = r->d;
    struct buf b = { 0 };
    char every[32];

    buf_char(&b, '{');
    put_streams(&b, d->streams, d->stream_n);
    put_folded(&b, d, root, false);
    buf_str(&b, d->dlq ? ",\"on_error\":\"dlq\"" : ",\"on_error\":\"stop\"");
    BUF_LIT(&b, ",\"snapshot_every\":");
    if (d->snapshot_every)
        buf_i64(&b, d->snapshot_every);
    else
        BUF_LIT(&b, "null");
    duration_format(d->verify_every_us, every);
    buf_member_text(&b, "verify_every", d->verify_every_us ? slice_of(every) : SLICE_NONE);
    buf_member_text(&b, "description", d->description);
    buf_char(&b, '}');
    return taken(r, &b, &d->text);
}

static enum err write_folded(struct reader *r, const struct json_node *root)
{
    struct projection_definition *d = r->d;
    struct slice *names = arena_alloc(r->arena, d->stream_n * sizeof *names);
    struct buf b = { 0 };

    if (!names)
        return ERR_NO_MEMORY;
    memcpy(names, d->streams, d->stream_n * sizeof *names);
    qsort(names, d->stream_n, sizeof *names, by_name);
    buf_char(&b, '{');
    put_streams(&b, names, d->stream_n);
    put_folded(&b, d, root, true);
    buf_char(&b, '}');
    return taken(r, &b, &d->folded);
}

enum err projection_definition_parse(struct arena *a, struct slice text, size_t max_bytes, struct projection_definition *ret,
                                     struct fault *f)
{
    struct reader r = { a, f, ret };
    struct slice copy = arena_slice(a, text);
    struct json_node *root;
    enum err e;

    *ret = (struct projection_definition){ .from = READ_EARLIEST };
    if (!copy.p)
        return ERR_NO_MEMORY;
    if ((e = json_tree_parse(copy, BODY_DEPTH, a, &root, f)))
        return e;
    if (root->type != JSON_OBJECT)
        return fault(f, ERR_BAD_BODY, "The body must be a JSON object.");
    if ((e = read_body(&r, root)) || (e = check_snapshots(&r, root)) || (e = fold_compile(a, root, &ret->fold, f)))
        return e;
    if (fold_initial(ret->fold).n > max_bytes)
        return refuse(&r, ERR_BAD_DEFINITION, json_tree_get(root, "initial"), "A state has at most %zu bytes; this has %zu.",
                      max_bytes, fold_initial(ret->fold).n);
    if ((e = write_text(&r, root)))
        return e;
    return write_folded(&r, root);
}
