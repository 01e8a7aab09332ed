#include "handlers/delivery_body.h"

#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/json.h"

#define DEPTH 64
#define DELAY_MAX_US (7 * 24 * 3600 * US_PER_S)
#define BY_MAX_US (12 * 3600 * US_PER_S)
#define TYPE_MAX 200               /* bytes of an error's type */

static enum err bad(struct request *rq, const char *pointer, const char *why)
{
    snprintf(rq->fault.pointer, sizeof rq->fault.pointer, "%s", pointer);
    return fault(&rq->fault, ERR_BAD_BODY, "%s", why);
}

static enum err bad_json(struct request *rq, const struct json *j)
{
    return fault(&rq->fault, ERR_BAD_JSON, "The body is not valid JSON at byte %zu: %s", (size_t)(j->p - j->start),
                 j->error ? j->error : "something follows the value");
}

static enum err bad_id(struct request *rq, size_t at, const char *why)
{
    char pointer[40];

    snprintf(pointer, sizeof pointer, "/delivery_ids/%zu", at);
    return bad(rq, pointer, why);
}

static enum err take_ids(struct request *rq, struct json *j, struct finish_body *b)
{
    enum json_type type;

    if (!json_peek(j, &type) || type != JSON_ARRAY || !json_array_begin(j))
        return j->error ? bad_json(rq, j) : bad(rq, "/delivery_ids", "It must be an array of delivery ids.");
    b->texts = arena_alloc(rq->arena, RECEIVE_MAX * sizeof *b->texts);
    b->ids = arena_alloc(rq->arena, RECEIVE_MAX * sizeof *b->ids);
    if (!b->texts || !b->ids)
        return ERR_NO_MEMORY;
    while (json_array_next(j)) {
        bool escaped;

        if (b->n == RECEIVE_MAX)
            return bad(rq, "/delivery_ids", "There may be 1,000 delivery ids at most.");
        if (!json_peek(j, &type))
            break;
        if (type != JSON_STRING)
            return bad_id(rq, b->n, "It must be a delivery id: a string.");
        if (!json_scan_string(j, &b->texts[b->n], &escaped))
            break;
        if (escaped || !delivery_id_parse(b->texts[b->n], &b->ids[b->n]))
            return bad_id(rq, b->n, "It is not a delivery id.");
        b->n++;
    }
    if (j->error)
        return bad_json(rq, j);
    return b->n ? OK : bad(rq, "/delivery_ids", "It must have a delivery id at least.");
}

static enum err take_duration(struct request *rq, struct json *j, const char *pointer, int64_t max_us, int64_t *ret)
{
    struct slice inside;
    enum json_type type;
    char text[80], most[32];
    bool escaped;

    if (!json_peek(j, &type))
        return bad_json(rq, j);
    if (type == JSON_STRING) {
        if (!json_scan_string(j, &inside, &escaped))
            return bad_json(rq, j);
        if (!escaped && duration_parse(inside, ret) && *ret >= 0 && *ret <= max_us)
            return OK;
    }
    duration_format(max_us, most);
    snprintf(text, sizeof text, "It must be a duration from \"0s\" to \"%s\".", most);
    return bad(rq, pointer, text);
}

/* --- errors --- */

struct error_parts {
    struct slice type, message, stack; /* unescaped */
    struct slice context;              /* raw */
};

static enum err take_text(struct request *rq, struct json *j, const char *name, struct slice *ret)
{
    char pointer[40];
    struct slice inside;
    enum json_type type;
    bool escaped;

    snprintf(pointer, sizeof pointer, "/error/%s", name);
    if (!json_peek(j, &type))
        return bad_json(rq, j);
    if (type != JSON_STRING)
        return bad(rq, pointer, "It must be a string.");
    if (!json_scan_string(j, &inside, &escaped))
        return bad_json(rq, j);
    return json_unescape(rq->arena, inside, escaped, ret) ? OK : ERR_NO_MEMORY;
}

static enum err take_error_parts(struct request *rq, struct json *j, struct error_parts *p)
{
    struct slice key;
    enum json_type type;
    bool escaped;
    enum err e = OK;

    if (!json_peek(j, &type) || type != JSON_OBJECT || !json_object_begin(j))
        return j->error ? bad_json(rq, j) : bad(rq, "/error", "It must be an object with type and message.");
    while (!e && json_object_next(j, &key, &escaped)) {
        if (slice_is(key, "type"))
            e = take_text(rq, j, "type", &p->type);
        else if (slice_is(key, "message"))
            e = take_text(rq, j, "message", &p->message);
        else if (slice_is(key, "stack"))
            e = take_text(rq, j, "stack", &p->stack);
        else if (!slice_is(key, "context"))
            e = bad(rq, "/error", "It has a member that is not type, message, stack or context.");
        else if (!json_peek(j, &type) || (type == JSON_OBJECT && !json_value(j, &p->context)))
            break;
        else if (type != JSON_OBJECT)
            e = bad(rq, "/error/context", "It must be an object.");
    }
    if (e || j->error)
        return e ? e : bad_json(rq, j);
    if (!p->type.p || !p->message.p)
        return bad(rq, p->type.p ? "/error/message" : "/error/type", "It is required.");
    return OK;
}

/* At a character, not in one. */
static struct slice cut(struct slice s, size_t max)
{
    if (s.n <= max)
        return s;
    s.n = max;
    while (s.n && ((unsigned char)s.p[s.n] & 0xC0) == 0x80)
        s.n--;
    return s;
}

static size_t room(const struct buf *b, size_t limit)
{
    return b->n < limit ? limit - b->n : 0;
}

/* Type and message first, then the context if it fits, and of the stack what still does. Escapes may make it somewhat longer. */
static enum err put_error(struct request *rq, const struct error_parts *p, struct finish_body *ret)
{
    const size_t limit = (size_t)rq->config->groups_error_bytes;
    struct buf b = { 0 };
    bool dropped = false;

    ret->error_type = cut(p->type, TYPE_MAX);
    ret->error_type.n = strnlen(ret->error_type.p, ret->error_type.n); /* PostgreSQL's text has no NUL */
    ret->error_message = cut(p->message, limit / 2);
    BUF_LIT(&b, "{\"type\":");
    buf_json_string(&b, ret->error_type);
    BUF_LIT(&b, ",\"message\":");
    buf_json_string(&b, ret->error_message);
    if (p->context.p && p->context.n + 64 < room(&b, limit)) {
        BUF_LIT(&b, ",\"context\":");
        buf_slice(&b, p->context);
    } else {
        dropped = p->context.p != NULL;
    }
    if (p->stack.p) {
        struct slice stack = cut(p->stack, room(&b, limit));

        dropped |= stack.n < p->stack.n;
        BUF_LIT(&b, ",\"stack\":");
        buf_json_string(&b, stack);
    }
    dropped |= ret->error_message.n < p->message.n || ret->error_type.n < p->type.n;
    buf_str(&b, dropped ? ",\"truncated\":true}" : "}");
    ret->error = b.failed ? SLICE_NONE : arena_slice(rq->arena, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ret->error.p ? OK : ERR_NO_MEMORY;
}

static enum err take_error(struct request *rq, struct json *j, struct finish_body *b)
{
    struct error_parts p = { .type = SLICE_NONE };
    enum err e = take_error_parts(rq, j, &p);

    return e ? e : put_error(rq, &p, b);
}

/* --- the body --- */

static bool fails(enum finish how)
{
    return how == FINISH_NACK || how == FINISH_REJECT;
}

static enum err take_member(struct request *rq, struct json *j, struct slice key, struct finish_body *b)
{
    char pointer[64];

    if (slice_is(key, "delivery_ids") && !b->texts)
        return take_ids(rq, j, b);
    if (slice_is(key, "delay") && b->how == FINISH_NACK && b->delay_us < 0)
        return take_duration(rq, j, "/delay", DELAY_MAX_US, &b->delay_us);
    if (slice_is(key, "by") && b->how == FINISH_EXTEND && b->by_us < 0)
        return take_duration(rq, j, "/by", BY_MAX_US, &b->by_us);
    if (slice_is(key, "error") && fails(b->how) && !b->error.p)
        return take_error(rq, j, b);
    snprintf(pointer, sizeof pointer, "/%.*s", key.n < 60 ? (int)key.n : 0, key.p);
    return bad(rq, pointer, "There is no such member here, or it is there twice.");
}

enum err finish_body_read(struct request *rq, enum finish how, struct finish_body *ret)
{
    struct json j;
    struct slice key;
    enum json_type type;
    bool escaped;
    enum err e = OK;

    *ret = (struct finish_body){ .how = how, .delay_us = -1, .by_us = -1 };
    json_begin(&j, rq->body, DEPTH);
    if (!json_peek(&j, &type) || type != JSON_OBJECT || !json_object_begin(&j))
        return j.error ? bad_json(rq, &j) : bad(rq, "", "The body must be a JSON object.");
    while (!e && json_object_next(&j, &key, &escaped))
        e = take_member(rq, &j, key, ret);
    if (e)
        return e;
    if (j.error || !json_end(&j))
        return bad_json(rq, &j);
    if (!ret->texts)
        return bad(rq, "/delivery_ids", "It is required.");
    if (how == FINISH_EXTEND && ret->by_us < 0)
        return bad(rq, "/by", "It is required.");
    return OK;
}

enum err finish_body(struct request *rq, enum finish how, struct finish_body *ret)
{
    enum err e = request_json(rq);

    return e ? e : finish_body_read(rq, how, ret);
}

static bool copied(struct arena *a, struct slice s, struct slice *ret)
{
    *ret = s.p ? arena_slice(a, s) : s;
    return !s.p || ret->p;
}

bool finish_call_fill(struct group_call *c, const struct finish_body *b)
{
    c->n = b->n;
    c->ids = arena_alloc(c->arena, b->n * sizeof *c->ids);
    c->finished = arena_zalloc(c->arena, b->n * sizeof *c->finished);
    if (!c->ids || !c->finished)
        return false;
    memcpy(c->ids, b->ids, b->n * sizeof *c->ids);
    c->finish = (struct finish_call){ .how = b->how, .delay_us = b->delay_us, .by_us = b->by_us };
    return copied(c->arena, b->error, &c->finish.error) && copied(c->arena, b->error_type, &c->finish.error_type) &&
           copied(c->arena, b->error_message, &c->finish.error_message);
}

static void put_ids(struct buf *out, const struct finish_body *b, const struct group_call *c, bool finished)
{
    bool any = false;

    for (size_t i = 0; i < b->n; i++) {
        if (c->finished[i] != finished)
            continue;
        buf_str(out, any ? ",\"" : "\"");
        buf_slice(out, b->texts[i]);
        buf_char(out, '"');
        any = true;
    }
}

void finish_answer(struct buf *out, const struct finish_body *b, const struct group_call *c)
{
    BUF_LIT(out, "{\"done\":[");
    put_ids(out, b, c, true);
    BUF_LIT(out, "],\"stale\":[");
    put_ids(out, b, c, false);
    BUF_LIT(out, "]}");
}
