#include "gateway/engine/saga_body.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/saga_body_parts.h"
#include "gateway/engine/streams.h"

enum { BODY_DEPTH = 64, STREAMS_MAX = 2 * 2 * SAGA_STEPS_MAX + 1 };
#define MS INT64_C(1000)
#define HOUR (3600 * US_PER_S)
#define DAY (24 * HOUR)
#define TIMEOUT_US (30 * US_PER_S)
#define WAIT_MAX_US (365 * DAY)  /* of what waits, and of a saga */
#define COUNT(table) (sizeof(table) / sizeof *(table))

const char *const saga_kind_names[SAGA_KINDS] = { [SAGA_ACTION] = "action", [SAGA_COMPENSATION] = "compensation" };

/* ---- what is common ---- */

enum err saga_require(struct saga_reader *r, const struct json_node *object, const char *name)
{
    enum err e = saga_refuse(r->fault, ERR_BAD_BODY, object, "It is required.");
    size_t n = r->fault ? strlen(r->fault->pointer) : 0;

    if (r->fault)
        snprintf(r->fault->pointer + n, sizeof r->fault->pointer - n, "/%s", name);
    return e;
}

enum err saga_read_members(struct saga_reader *r, const struct json_node *object, const struct saga_member *table, size_t n,
                           void *out)
{
    enum err e = OK;

    if (object->type != JSON_OBJECT)
        return saga_refuse(r->fault, ERR_BAD_BODY, object, "It must be an object.");
    for (unsigned i = 0; i < object->n; i++) {
        const struct saga_member *m = table;

        while (m < table + n && !slice_is(object->child[i]->name, m->name))
            m++;
        if (m == table + n)
            return saga_refuse(r->fault, ERR_BAD_BODY, object->child[i], "There is no such member here.");
    }
    for (const struct saga_member *m = table; m < table + n && !e; m++) {
        const struct json_node *member = json_tree_get(object, m->name);

        if (!member)
            e = m->required ? saga_require(r, object, m->name) : OK;
        else if (m->read && (member->type != JSON_NULL || !m->nullable))
            e = m->read(r, member, out);
    }
    return e;
}

enum err saga_read_duration(struct saga_reader *r, const struct json_node *n, int64_t min_us, int64_t max_us, int64_t *ret)
{
    char min[32], max[32];

    if (n->type == JSON_STRING && duration_parse(n->text, ret) && *ret >= min_us && *ret <= max_us)
        return OK;
    duration_format(min_us, min);
    duration_format(max_us, max);
    return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be a duration from \"%s\" to \"%s\".", min, max);
}

enum err saga_read_stream(struct saga_reader *r, const struct json_node *n, bool publish, struct slice *ret)
{
    struct saga_definition *d = r->d;
    struct saga_stream *s = d->stream;

    if (n->type != JSON_STRING || !name_valid(n->text))
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be the name of a stream.");
    if (publish && name_reserved(n->text))
        return saga_refuse(r->fault, ERR_BAD_DEFINITION, n, "Weir alone writes the stream %.*s.", SAGA_SHOW(n->text));
    *ret = n->text;
    while (s < d->stream + d->stream_n && !slice_eq(s->name, n->text))
        s++;
    if (s == d->stream + d->stream_n)
        d->stream[d->stream_n++] = (struct saga_stream){ .name = n->text };
    *(publish ? &s->publish : &s->subscribe) = true;
    return OK;
}

enum err saga_read_types(struct saga_reader *r, const struct json_node *n, size_t least, struct slice **ret, size_t *ret_n)
{
    if (n->type != JSON_ARRAY || n->n < least || n->n > SAGA_TYPES_MAX)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be an array of %zu to %d types of events.", least, SAGA_TYPES_MAX);
    if (n->n && !(*ret = arena_alloc(r->arena, n->n * sizeof **ret)))
        return ERR_NO_MEMORY;
    for (*ret_n = 0; *ret_n < n->n; (*ret_n)++) {
        const struct json_node *type = n->child[*ret_n];

        if (type->type != JSON_STRING || !type->text.n || type->text.n > SAGA_TYPE_BYTES ||
            memchr(type->text.p, '\0', type->text.n))
            return saga_refuse(r->fault, ERR_BAD_BODY, type, "It must be a type of events, 1 to %d bytes without U+0000.",
                               SAGA_TYPE_BYTES);
        (*ret)[*ret_n] = type->text;
    }
    return OK;
}

static enum err read_number(struct saga_reader *r, const struct json_node *n, double min, double max, double *ret)
{
    char text[40] = "";

    if (n->type == JSON_NUMBER && n->text.n < sizeof text) {
        memcpy(text, n->text.p, n->text.n);
        *ret = strtod(text, NULL);
        if (*ret >= min && *ret <= max)
            return OK;
    }
    return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be a number from %g to %g.", min, max);
}

static enum err read_bool(struct saga_reader *r, const struct json_node *n, bool *ret)
{
    *ret = n->type == JSON_TRUE;
    return *ret || n->type == JSON_FALSE ? OK : saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be true or false.");
}

/* ---- retry ---- */

static enum err read_initial(struct saga_reader *r, const struct json_node *n, void *out)
{
    return saga_read_duration(r, n, MS, DAY, &((struct saga_retry *)out)->initial_us);
}

static enum err read_factor(struct saga_reader *r, const struct json_node *n, void *out)
{
    return read_number(r, n, 1, 100, &((struct saga_retry *)out)->factor);
}

static enum err read_max(struct saga_reader *r, const struct json_node *n, void *out)
{
    return saga_read_duration(r, n, MS, DAY, &((struct saga_retry *)out)->max_us);
}

static enum err read_max_attempts(struct saga_reader *r, const struct json_node *n, void *out)
{
    int64_t v;

    if (n->type != JSON_NUMBER || !json_int64(n->text, &v) || v < 1 || v > SAGA_ATTEMPTS_MAX)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be an integer from 1 to %d.", SAGA_ATTEMPTS_MAX);
    ((struct saga_retry *)out)->max_attempts = (int32_t)v;
    return OK;
}

static enum err read_jitter(struct saga_reader *r, const struct json_node *n, void *out)
{
    return read_number(r, n, 0, 1, &((struct saga_retry *)out)->jitter);
}

static enum err read_retry(struct saga_reader *r, const struct json_node *n, void *out)
{
    static const struct saga_member members[] = {
        { "initial", false, false, read_initial },
        { "factor", false, false, read_factor },
        { "max", false, false, read_max },
        { "max_attempts", false, false, read_max_attempts },
        { "jitter", false, false, read_jitter },
    };

    return saga_read_members(r, n, members, COUNT(members), &((struct saga_step *)out)->retry);
}

/* ---- a step ---- */

static unsigned number_of(const struct saga_reader *r, const struct saga_step *s)
{
    return (unsigned)(s - r->d->step);
}

static enum err read_action(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_step *s = out;

    return saga_read_deed(r, n, number_of(r, s), SAGA_ACTION, &s->deed[SAGA_ACTION]);
}

static enum err read_compensation(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_step *s = out;

    return saga_read_deed(r, n, number_of(r, s), SAGA_COMPENSATION, &s->deed[SAGA_COMPENSATION]);
}

static enum err read_empty(struct saga_reader *r, const struct json_node *n, struct saga_step *s, enum saga_deed_kind kind)
{
    s->deed[SAGA_ACTION].kind = kind;
    return n->type == JSON_OBJECT && !n->n ? OK : saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be an empty object.");
}

static enum err read_approval(struct saga_reader *r, const struct json_node *n, void *out)
{
    return read_empty(r, n, out, SAGA_APPROVAL);
}

static enum err read_signal(struct saga_reader *r, const struct json_node *n, void *out)
{
    return read_empty(r, n, out, SAGA_SIGNAL);
}

static enum err read_step_timeout(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_step *s = out;
    bool http = s->deed[SAGA_ACTION].kind == SAGA_HTTP;
    enum err e = OK;

    if (n->type != JSON_NULL || http)
        e = saga_read_duration(r, n, MS, http ? HOUR : WAIT_MAX_US, &s->timeout_us);
    else
        s->timeout_us = 0;
    if (http)
        s->attempt_us = s->timeout_us;
    return e;
}

static enum err read_pivot(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_step *s = out;
    enum saga_deed_kind kind = s->deed[SAGA_ACTION].kind;
    enum err e = read_bool(r, n, &s->pivot);

    if (!e && s->pivot && kind != SAGA_HTTP && kind != SAGA_PUBLISH)
        e = saga_refuse(r->fault, ERR_BAD_DEFINITION, n, "A pivot is a step that sends something: with `http` or `publish`.");
    return e;
}

static enum err read_step(struct saga_reader *r, const struct json_node *n, struct saga_step *s)
{
    static const struct saga_member members[] = {
        { "name", true, false, NULL },
        { "after", false, false, NULL },
        { "action", false, false, read_action },
        { "approval", false, false, read_approval },
        { "signal", false, false, read_signal },
        { "compensation", false, true, read_compensation },
        { "retry", false, false, read_retry },
        { "timeout", false, false, read_step_timeout },
        { "pivot", false, false, read_pivot },
    };
    int deeds = !!json_tree_get(n, "action") + !!json_tree_get(n, "approval") + !!json_tree_get(n, "signal");

    s->retry = (struct saga_retry){ US_PER_S, 300 * US_PER_S, 2, 0.2, 10 };
    s->timeout_us = s->attempt_us = TIMEOUT_US;
    if (deeds != 1)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "A step has one of `action`, `approval` and `signal`.");
    return saga_read_members(r, n, members, COUNT(members), s);
}

/* ---- the definition ---- */

static enum err read_steps(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_definition *d = out;
    enum err e = saga_read_graph(r, n);

    for (unsigned i = 0; !e && i < d->step_n; i++)
        e = read_step(r, n->child[i], &d->step[i]);
    return e;
}

static enum err read_start_on(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_definition *d = out;

    d->start_on = arena_zalloc(r->arena, sizeof *d->start_on);
    return d->start_on ? saga_read_start_on(r, n, d->start_on) : ERR_NO_MEMORY;
}

static enum err read_timeout(struct saga_reader *r, const struct json_node *n, void *out)
{
    return saga_read_duration(r, n, MS, WAIT_MAX_US, &((struct saga_definition *)out)->timeout_us);
}

static enum err read_on_exhausted(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_definition *d = out;

    d->pause = json_tree_is(n, "pause");
    if (d->pause || json_tree_is(n, "compensate"))
        return OK;
    return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be one of: compensate pause.");
}

static enum err read_description(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct slice *s = &((struct saga_definition *)out)->description;

    *s = n->text;
    if (n->type != JSON_STRING || s->n > SAGA_DESCRIPTION_MAX || memchr(s->p, '\0', s->n))
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be a string of at most %d bytes, without U+0000.",
                           SAGA_DESCRIPTION_MAX);
    return OK;
}

enum err saga_definition_parse(struct arena *a, struct slice text, struct saga_definition *ret, struct fault *f)
{
    static const struct saga_member members[] = {
        { "steps", true, false, read_steps },
        { "start_on", false, true, read_start_on },
        { "timeout", false, true, read_timeout },
        { "on_exhausted", false, false, read_on_exhausted },
        { "description", false, true, read_description },
    };
    struct saga_reader r = { .arena = a, .fault = f, .d = ret };
    struct slice copy = arena_slice(a, text);
    struct json_node *root;
    enum err e;

    *ret = (struct saga_definition){ 0 };
    if (!copy.p || !(ret->stream = arena_alloc(a, STREAMS_MAX * sizeof *ret->stream)))
        return ERR_NO_MEMORY;
    if ((e = json_tree_parse(copy, BODY_DEPTH, a, &root, f)) || (e = saga_read_members(&r, root, members, COUNT(members), ret)))
        return e;
    return saga_write_text(&r, root);
}

int saga_step_number(const struct saga_definition *d, struct slice name)
{
    for (size_t i = 0; i < d->step_n; i++)
        if (slice_eq(d->step[i].name, name))
            return (int)i;
    return -1;
}

bool saga_id_valid(struct slice id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] > '~' || id.p[i] == '/')
            return false;
    return id.n && id.n <= SAGA_ID_MAX && !slice_is(id, ".") && !slice_is(id, "..");
}

void saga_idempotency_key(struct buf *b, struct slice saga, struct slice id, const struct saga_step *step, enum saga_kind kind)
{
    buf_slice(b, saga);
    buf_char(b, '/');
    buf_slice(b, id);
    buf_char(b, '/');
    buf_slice(b, step->name);
    buf_char(b, '/');
    buf_str(b, saga_kind_names[kind]);
}
