#include <stdlib.h>
#include <strings.h>

#include "gateway/base/json_pointer.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/outbound.h"
#include "gateway/engine/saga_body_parts.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define STEP_ROOTS (1u << SAGA_OF_INPUT | 1u << SAGA_OF_STEP | 1u << SAGA_OF_SAGA)
#define CALL_ROOTS (STEP_ROOTS | 1u << SAGA_OF_SECRET)

/* A deed while it is read. */
struct deed_reader {
    struct saga_names names;     /* of its templates */
    unsigned number;             /* of its await */
    struct saga_deed *deed;
};

static enum err compile(struct saga_reader *r, const struct json_node *n, enum saga_form form, const struct deed_reader *d,
                        unsigned roots, struct saga_template **ret)
{
    struct saga_names names = d->names;

    names.roots = roots;
    if (form != SAGA_JSON && n->type != JSON_STRING)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be a string.");
    return saga_template_compile(r->arena, n, form, &names, ret, r->fault);
}

/* ---- http ---- */

static enum err read_method(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct deed_reader *d = out;

    d->deed->http->method = n->text;
    if (n->type != JSON_STRING || !outbound_method_good(n->text))
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be one of: GET POST PUT PATCH DELETE.");
    return OK;
}

/* Places come after the origin, so that no value can choose who is called. */
static enum err read_url(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct deed_reader *d = out;
    char target[OUTBOUND_TARGET_MAX];
    const char *why, *place;
    struct slice begin = n->text;
    enum err e;

    if (n->type != JSON_STRING || !n->text.n || n->text.n > SAGA_URL_BYTES)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be a URL of at most %d bytes.", SAGA_URL_BYTES);
    if ((place = memmem(n->text.p, n->text.n, "{{", 2)))
        begin.n = (size_t)(place - n->text.p);
    if (!outbound_target(begin, target, &why))
        return saga_refuse(r->fault, ERR_BAD_DEFINITION, n, "It is no URL that can be called: %s.", why);
    if (place && !memchr(begin.p + 8, '/', begin.n > 8 ? begin.n - 8 : 0) && !memchr(begin.p, '?', begin.n))
        return saga_refuse(r->fault, ERR_BAD_DEFINITION, n, "Scheme, host and port are written out; a place can stand in the path "
                           "and in the query.");
    if (!(d->deed->http->target = arena_slice(r->arena, slice_of(target))).p)
        return ERR_NO_MEMORY;
    e = compile(r, n, SAGA_URL, d, CALL_ROOTS, &d->deed->http->url);
    return e;
}

static enum err read_headers(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct deed_reader *d = out;
    struct saga_http *http = d->deed->http;
    enum err e;

    if (n->type != JSON_OBJECT || n->n > SAGA_HEADERS_MAX)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be an object of at most %d headers.", SAGA_HEADERS_MAX);
    if (n->n && !(http->header = arena_alloc(r->arena, n->n * sizeof *http->header)))
        return ERR_NO_MEMORY;
    for (; http->header_n < n->n; http->header_n++) {
        const struct json_node *value = n->child[http->header_n];
        struct saga_header *h = &http->header[http->header_n];

        h->name = value->name;
        if (!outbound_header_good(h->name))
            return saga_refuse(r->fault, ERR_BAD_DEFINITION, value, "It is no name of a header, or of one that Weir sets itself.");
        for (const struct saga_header *other = http->header; other < h; other++)
            if (other->name.n == h->name.n && !strncasecmp(other->name.p, h->name.p, h->name.n))
                return saga_refuse(r->fault, ERR_BAD_DEFINITION, value, "This header is there twice.");
        if ((e = compile(r, value, SAGA_HEADER, d, CALL_ROOTS, &h->value)))
            return e;
    }
    return OK;
}

static enum err read_body(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct deed_reader *d = out;

    return compile(r, n, SAGA_JSON, d, CALL_ROOTS, &d->deed->http->body);
}

static enum err read_http(struct saga_reader *r, const struct json_node *n, void *out)
{
    static const struct saga_member members[] = {
        { "method", true, false, read_method },
        { "url", true, false, read_url },
        { "headers", false, false, read_headers },
        { "body", false, false, read_body },
    };
    struct deed_reader *d = out;
    struct saga_http *http = d->deed->http = arena_zalloc(r->arena, sizeof *http);
    enum err e;

    d->deed->kind = SAGA_HTTP;
    if (!http)
        return ERR_NO_MEMORY;
    if ((e = saga_read_members(r, n, members, COUNT(members), d)))
        return e;
    if (http->body && slice_is(http->method, "GET"))
        return saga_refuse(r->fault, ERR_BAD_DEFINITION, json_tree_get(n, "body"), "A GET has no body.");
    return OK;
}

/* ---- publish ---- */

static enum err read_publish_stream(struct saga_reader *r, const struct json_node *n, void *out)
{
    return saga_read_stream(r, n, true, &((struct deed_reader *)out)->deed->publish->stream);
}

static enum err read_event(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct deed_reader *d = out;
    const struct json_node *type = json_tree_get(n, "type");

    if (n->type != JSON_OBJECT)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be an object: an event.");
    if (!type || type->type != JSON_STRING || !type->text.n)
        return saga_refuse(r->fault, ERR_BAD_BODY, type ? type : n, "An event has a `type`, a string that is not empty.");
    d->deed->publish->has_id = json_tree_get(n, "id");
    d->deed->publish->has_key = json_tree_get(n, "idempotencykey");
    return compile(r, n, SAGA_JSON, d, STEP_ROOTS, &d->deed->publish->event);
}

static enum err read_publish(struct saga_reader *r, const struct json_node *n, void *out)
{
    static const struct saga_member members[] = {
        { "stream", true, false, read_publish_stream },
        { "event", true, false, read_event },
    };
    struct deed_reader *d = out;

    d->deed->kind = SAGA_PUBLISH;
    d->deed->publish = arena_zalloc(r->arena, sizeof *d->deed->publish);
    return d->deed->publish ? saga_read_members(r, n, members, COUNT(members), d) : ERR_NO_MEMORY;
}

/* ---- await ---- */

static enum err read_await_stream(struct saga_reader *r, const struct json_node *n, void *out)
{
    return saga_read_stream(r, n, false, &((struct deed_reader *)out)->deed->await->stream);
}

static enum err read_await_types(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_await *w = ((struct deed_reader *)out)->deed->await;

    return saga_read_types(r, n, 1, &w->type, &w->type_n);
}

static enum err read_failure_types(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_await *w = ((struct deed_reader *)out)->deed->await;

    return saga_read_types(r, n, 0, &w->failure, &w->failure_n);
}

static int by_pointer(const void *x, const void *y)
{
    return slice_order(((const struct saga_match *)x)->pointer, ((const struct saga_match *)y)->pointer);
}

static enum err read_match(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct deed_reader *d = out;
    struct saga_await *w = d->deed->await;
    enum err e;

    if (n->type != JSON_OBJECT || n->n > SAGA_MATCHES_MAX)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be an object of at most %d JSON Pointers into the event.",
                           SAGA_MATCHES_MAX);
    if (n->n && !(w->match = arena_alloc(r->arena, n->n * sizeof *w->match)))
        return ERR_NO_MEMORY;
    for (; w->match_n < n->n; w->match_n++) {
        const struct json_node *value = n->child[w->match_n];
        struct saga_match *m = &w->match[w->match_n];

        m->pointer = value->name;
        if (!m->pointer.n || !json_pointer_valid(m->pointer) || json_pointer_depth(m->pointer) > SAGA_TOKENS_MAX)
            return saga_refuse(r->fault, ERR_BAD_DEFINITION, value, "It must be a JSON Pointer into the event, as /subject or "
                               "/data/order_id.");
        if ((e = compile(r, value, SAGA_JSON, d, STEP_ROOTS, &m->value)))
            return e;
    }
    if (w->match_n)
        qsort(w->match, w->match_n, sizeof *w->match, by_pointer);
    return OK;
}

static enum err read_await(struct saga_reader *r, const struct json_node *n, void *out)
{
    static const struct saga_member members[] = {
        { "stream", true, false, read_await_stream },
        { "types", true, false, read_await_types },
        { "failure_types", false, false, read_failure_types },
        { "match", true, false, read_match },
    };
    struct deed_reader *d = out;
    struct saga_await *w = d->deed->await = arena_zalloc(r->arena, sizeof *w);

    if (!w)
        return ERR_NO_MEMORY;
    if (d->deed->kind == SAGA_NOTHING)
        d->deed->kind = SAGA_AWAIT;
    w->number = d->number;
    r->d->await[w->number] = w;
    return saga_read_members(r, n, members, COUNT(members), d);
}

enum err saga_read_deed(struct saga_reader *r, const struct json_node *n, unsigned step, enum saga_kind kind, struct saga_deed *ret)
{
    static const struct saga_member members[] = {
        { "http", false, false, read_http },
        { "publish", false, false, read_publish },
        { "await", false, false, read_await },
    };
    uint64_t own = kind == SAGA_COMPENSATION ? UINT64_C(1) << step : 0;
    struct deed_reader d = {
        .names = { 0, r->names, r->d->step_n, r->d->step[step].before | own },
        .number = 2 * step + kind,
        .deed = ret,
    };
    enum err e;

    if ((e = saga_read_members(r, n, members, COUNT(members), &d)))
        return e;
    if (ret->http && (ret->publish || ret->await))
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "Beside `http` there is nothing else.");
    if (!n->n)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must have one of `http`, `publish` (then perhaps with `await`) and "
                           "`await`.");
    if (ret->publish)
        ret->kind = SAGA_PUBLISH; /* whichever of the two is written first */
    return OK;
}

/* ---- start_on ---- */

static enum err read_start_stream(struct saga_reader *r, const struct json_node *n, void *out)
{
    return saga_read_stream(r, n, false, &((struct saga_start_on *)out)->stream);
}

static enum err read_start_types(struct saga_reader *r, const struct json_node *n, void *out)
{
    struct saga_start_on *s = out;

    return saga_read_types(r, n, 1, &s->type, &s->type_n);
}

static const struct saga_names event_names = { .roots = 1u << SAGA_OF_EVENT };

static enum err read_start_id(struct saga_reader *r, const struct json_node *n, void *out)
{
    if (n->type != JSON_STRING || !n->text.n)
        return saga_refuse(r->fault, ERR_BAD_BODY, n, "It must be a string that is not empty.");
    return saga_template_compile(r->arena, n, SAGA_TEXT, &event_names, &((struct saga_start_on *)out)->id, r->fault);
}

static enum err read_start_input(struct saga_reader *r, const struct json_node *n, void *out)
{
    return saga_template_compile(r->arena, n, SAGA_JSON, &event_names, &((struct saga_start_on *)out)->input, r->fault);
}

enum err saga_read_start_on(struct saga_reader *r, const struct json_node *n, struct saga_start_on *ret)
{
    static const struct saga_member members[] = {
        { "stream", true, false, read_start_stream },
        { "types", true, false, read_start_types },
        { "id", false, true, read_start_id },
        { "input", false, false, read_start_input },
    };

    return saga_read_members(r, n, members, COUNT(members), ret);
}
