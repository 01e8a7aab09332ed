#include <stdio.h>
#include <strings.h>

#include "gateway/base/json_pointer.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/saga_body.h"

static bool names_same(struct slice name, struct slice other)
{
    return name.n == other.n && strncasecmp(name.p, other.p, name.n) == 0;
}

/* application/json, application/problem+json; charset=utf-8 */
static bool is_json(struct slice type)
{
    const char *end = memchr(type.p, ';', type.n);
    size_t n = end ? (size_t)(end - type.p) : type.n;

    while (n && type.p[n - 1] == ' ')
        n--;
    return (n == 16 && !strncasecmp(type.p, "application/json", 16)) || (n > 5 && !strncasecmp(type.p + n - 5, "+json", 5));
}

static enum saga_rendering render_headers(const struct saga_http *h, const struct saga_scope *scope, struct arena *a,
                                          struct saga_call *c, struct slice *ret_type, struct fault *f)
{
    enum saga_rendering result;

    if (!(c->header = arena_alloc(a, (h->header_n + 1) * sizeof *c->header)))
        return SAGA_NO_MEMORY;
    for (; c->header_n < h->header_n; c->header_n++) {
        struct saga_call_header *out = &c->header[c->header_n];

        if (!(out->name = arena_slice(a, h->header[c->header_n].name)).p)
            return SAGA_NO_MEMORY;
        if ((result = saga_render(h->header[c->header_n].value, scope, a, &out->value, f)))
            return result;
        if (names_same(out->name, SLICE("content-type")))
            *ret_type = out->value;
    }
    return SAGA_RENDERED;
}

static enum saga_rendering render_body(const struct saga_http *h, const struct saga_scope *scope, struct arena *a,
                                       struct saga_call *c, struct slice type, struct fault *f)
{
    enum saga_rendering result = saga_render(h->body, scope, a, &c->body, f);

    if (result)
        return result;
    if (!type.p)
        c->header[c->header_n++] = (struct saga_call_header){ SLICE("Content-Type"), SLICE("application/json") };
    else if (!is_json(type) && c->body.n && *c->body.p == '"' && !json_text(a, c->body, &c->body))
        return SAGA_NO_MEMORY;
    return SAGA_RENDERED;
}

enum saga_rendering saga_render_call(const struct saga_http *h, const struct saga_scope *scope, struct arena *a,
                                     struct saga_call *ret, struct fault *f)
{
    struct saga_scope here = *scope;
    struct slice type = SLICE_NONE;
    enum saga_rendering result;

    here.target = h->target;
    *ret = (struct saga_call){ .method = arena_slice(a, h->method), .target = arena_slice(a, h->target) };
    if (!ret->method.p || !ret->target.p)
        return SAGA_NO_MEMORY;
    if ((result = saga_render(h->url, &here, a, &ret->url, f)) || (result = render_headers(h, &here, a, ret, &type, f)))
        return result;
    return h->body ? render_body(h, &here, a, ret, type, f) : SAGA_RENDERED;
}

static bool valid_json(struct slice s)
{
    struct json j;
    struct slice raw;

    json_begin(&j, s, JSON_DEPTH);
    return json_value(&j, &raw) && json_end(&j);
}

void saga_call_show(struct buf *b, const struct saga_call *c, size_t max_body)
{
    BUF_LIT(b, "{\"method\":");
    buf_json_string(b, c->method);
    BUF_LIT(b, ",\"url\":");
    buf_json_string(b, c->url);
    BUF_LIT(b, ",\"headers\":{");
    for (size_t i = 0; i < c->header_n; i++) {
        if (i)
            buf_char(b, ',');
        buf_json_string(b, c->header[i].name);
        buf_char(b, ':');
        buf_json_string(b, c->header[i].value);
    }
    buf_char(b, '}');
    if (c->body.p) {
        bool whole = c->body.n <= max_body;

        BUF_LIT(b, ",\"body\":");
        if (whole && valid_json(c->body))
            buf_slice(b, c->body);
        else
            buf_json_string(b, (struct slice){ c->body.p, utf8_cut(c->body.p, c->body.n, max_body) });
        if (!whole)
            BUF_LIT(b, ",\"cut\":true");
    }
    buf_char(b, '}');
}

struct slice saga_round_key(struct arena *a, struct slice key, int32_t round)
{
    return round ? slice_of(arena_printf(a, "%.*s/%d", (int)key.n, key.p, round + 1)) : key;
}

/* The definition's own id, with the number of the round behind it. */
static bool put_round(struct buf *b, struct arena *a, struct slice event, int32_t round)
{
    struct json_spot id;

    if (!json_pointer_find(a, event, SLICE("/id"), &id))
        return false;
    if (id.value.p && *id.value.p == '"') { /* else event_parse refuses it */
        const char *end = id.value.p + id.value.n - 1;

        buf_put(b, event.p + 1, (size_t)(end - event.p) - 1);
        buf_printf(b, "/%d", round + 1);
        event = (struct slice){ end - 1, event.n - (size_t)(end - event.p) + 1 };
    }
    buf_put(b, event.p + 1, event.n - 1);
    return true;
}

enum saga_rendering saga_render_event(const struct saga_publish *p, const struct saga_scope *scope, struct slice key, int32_t round,
                                      struct arena *a, struct slice *ret, struct fault *f)
{
    enum saga_rendering result = saga_render(p->event, scope, a, ret, f);
    struct buf b = { 0 };
    struct slice id;

    if (result)
        return result;
    if (!(id = saga_round_key(a, key, round)).p)
        return SAGA_NO_MEMORY;
    buf_char(&b, '{');
    if (!p->has_id) {            /* it has a type, so there is another member */
        BUF_LIT(&b, "\"id\":");
        buf_json_string(&b, id);
        buf_char(&b, ',');
    }
    if (!p->has_key) {
        BUF_LIT(&b, "\"idempotencykey\":");
        buf_json_string(&b, key);
        buf_char(&b, ',');
    }
    if (!p->has_id || !round)
        buf_put(&b, ret->p + 1, ret->n - 1);
    else if (!put_round(&b, a, *ret, round))
        b.failed = true;
    *ret = b.failed ? SLICE_NONE : arena_slice(a, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ret->p ? SAGA_RENDERED : SAGA_NO_MEMORY;
}
