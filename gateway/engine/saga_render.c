#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/json_pointer.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/saga_body_parts.h"

struct renderer {
    const struct saga_template *t;
    const struct saga_scope *scope;
    struct arena *arena;
    struct fault *fault;
    struct buf out;
};

static enum saga_rendering refuse(struct renderer *r, const struct saga_piece *piece, const char *why)
{
    if (piece)
        saga_refuse(r->fault, ERR_BAD_DEFINITION, piece->at, "{{%.*s}} %s", SAGA_SHOW(piece->written), why);
    else
        saga_refuse(r->fault, ERR_BAD_DEFINITION, r->t->at, "%s", why);
    return SAGA_REFUSED;
}

/* ---- values ---- */

/* What a place stands for: characters, or a JSON text. */
struct found {
    struct slice characters;     /* p == NULL: it is JSON */
    struct slice json;           /* p == NULL: nothing is there */
};

static enum saga_rendering find_in(struct renderer *r, struct slice text, struct slice path, struct slice *ret)
{
    struct json_spot spot;

    *ret = text;
    if (!text.p || !path.n)
        return SAGA_RENDERED;
    if (!json_pointer_find(r->arena, text, path, &spot))
        return SAGA_NO_MEMORY;
    *ret = spot.value;
    return SAGA_RENDERED;
}

static enum saga_rendering find_secret(struct renderer *r, const struct saga_piece *piece, struct slice *ret)
{
    const struct saga_scope *s = r->scope;

    *ret = SLICE(SAGA_MASK);
    if (!s->secret || s->secret(s->secret_arg, s->target, piece->path, ret))
        return SAGA_RENDERED;
    saga_refuse(r->fault, ERR_BAD_DEFINITION, piece->at, "The secret %.*s is not configured for %.*s.", SAGA_SHOW(piece->path),
                SAGA_SHOW(s->target));
    return SAGA_NO_SECRET;
}

static enum saga_rendering find(struct renderer *r, const struct saga_piece *piece, struct found *ret)
{
    const struct saga_scope *s = r->scope;
    struct slice result;

    *ret = (struct found){ SLICE_NONE, SLICE_NONE };
    switch (piece->root) {
    case SAGA_OF_INPUT:
        return find_in(r, s->input, piece->path, &ret->json);
    case SAGA_OF_EVENT:
        return find_in(r, s->event, piece->path, &ret->json);
    case SAGA_OF_STEP:
        result = s->result ? s->result[piece->step] : SLICE_NONE;
        if ((!result.p || slice_is(result, "null")) && s->null_results >> piece->step & 1) {
            ret->json = SLICE("null");
            return SAGA_RENDERED;
        }
        return find_in(r, result, piece->path, &ret->json);
    case SAGA_OF_SAGA:
        ret->characters = slice_is(piece->path, "id") ? s->id : s->name;
        return SAGA_RENDERED;
    default:
        return find_secret(r, piece, &ret->characters);
    }
}

/* ---- putting them in ---- */

static enum saga_rendering put(struct renderer *r, struct slice s)
{
    if (r->out.n + s.n > SAGA_RENDERED_MAX)
        return refuse(r, NULL, "What it makes is larger than a request may be.");
    buf_slice(&r->out, s);
    return r->out.failed ? SAGA_NO_MEMORY : SAGA_RENDERED;
}

/* As a JSON string, with its quotes or without. */
static enum saga_rendering put_quoted(struct renderer *r, struct slice characters, bool quotes)
{
    struct buf b = { .limit = 0 };
    enum saga_rendering result = SAGA_NO_MEMORY;

    buf_json_string(&b, characters);
    if (!b.failed)
        result = put(r, quotes ? (struct slice){ b.p, b.n } : (struct slice){ b.p + 1, b.n - 2 });
    buf_free(&b);
    return result;
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static enum saga_rendering put_encoded(struct renderer *r, struct slice s)
{
    struct buf b = { 0 };
    enum saga_rendering result;

    for (size_t i = 0; i < s.n; i++)
        if (unreserved(s.p[i]))
            buf_char(&b, s.p[i]);
        else
            buf_printf(&b, "%%%02X", (unsigned)(unsigned char)s.p[i]);
    result = b.failed ? SAGA_NO_MEMORY : put(r, (struct slice){ b.p, b.n });
    buf_free(&b);
    return result;
}

static bool in_path(const struct renderer *r)
{
    return r->t->form == SAGA_URL && !(r->out.n && memchr(r->out.p, '?', r->out.n)); /* in a value it is encoded */
}

/* In a path nothing would be another resource: the collection instead of what stands in it. */
static enum saga_rendering put_text(struct renderer *r, const struct saga_piece *piece, struct slice characters)
{
    if (!characters.n && in_path(r))
        return refuse(r, piece, "is empty, which is no segment of a path.");
    if (r->t->form == SAGA_JSON)
        return put_quoted(r, characters, false);
    return r->t->form == SAGA_URL ? put_encoded(r, characters) : put(r, characters);
}

/* In a text: the characters of a scalar. */
static enum saga_rendering put_inside(struct renderer *r, const struct saga_piece *piece, struct found v)
{
    bool lenient = r->scope->missing_is_null, null = v.json.p && *v.json.p == 'n';

    if (piece->root == SAGA_OF_SECRET && !r->scope->secret)
        return put(r, v.characters); /* the mask is for reading, also in a URL */
    if (v.characters.p)
        return put_text(r, piece, v.characters);
    if (!v.json.p || null)
        return lenient ? SAGA_RENDERED : refuse(r, piece, v.json.p ? "is null, which is no text." : "is missing.");
    if ((*v.json.p == '{' || *v.json.p == '[') && !lenient)
        return refuse(r, piece, *v.json.p == '{' ? "is an object, which is no text." : "is an array, which is no text.");
    if (*v.json.p == '"' && !json_text(r->arena, v.json, &v.json))
        return SAGA_NO_MEMORY;
    return put_text(r, piece, v.json);
}

static enum saga_rendering put_piece(struct renderer *r, const struct saga_piece *piece)
{
    struct found v;
    enum saga_rendering result;

    if (piece->text.p)
        return put(r, piece->text);
    if ((result = find(r, piece, &v)))
        return result;
    if (!piece->lone)
        return put_inside(r, piece, v);
    if (v.characters.p)
        return put_quoted(r, v.characters, true);
    if (!v.json.p && !r->scope->missing_is_null)
        return refuse(r, piece, "is missing.");
    return put(r, v.json.p ? v.json : SLICE("null"));
}

/* ---- what a URL and a header must not be ---- */

/* How many characters the end of a segment takes; 0: it goes on. Encoded ones count: many servers decode before they resolve. */
static size_t segment_end(struct slice s)
{
    if (s.n > 2 && (!strncasecmp(s.p, "%2f", 3) || !strncasecmp(s.p, "%5c", 3)))
        return 3;
    return !s.n || *s.p == '/' || *s.p == '\\' || *s.p == '?' || !*s.p;
}

/* Takes one character of a path, also a percent-encoded one; '\0': the segment ends. */
static char take_char(struct slice *s)
{
    char c = s->n ? *s->p : '\0';
    size_t n = 1;

    if (segment_end(*s))
        return '\0';
    if (c == '%' && s->n > 2 && s->p[1] == '2' && (s->p[2] == 'e' || s->p[2] == 'E')) {
        c = '.';
        n = 3;
    }
    s->p += n;
    s->n -= n;
    return c;
}

bool saga_url_climbs(struct slice url)
{
    const char *query = memchr(url.p, '?', url.n), *end = query ? query : url.p + url.n;
    const char *path = end - url.p > 8 ? memchr(url.p + 8, '/', (size_t)(end - url.p) - 8) : NULL;
    struct slice s = path ? (struct slice){ path, (size_t)(end - path) } : SLICE_NONE;

    while (s.n) {
        unsigned dots = 0, others = 0;
        size_t n = segment_end(s);

        s.p += n, s.n -= n;
        for (char c; (c = take_char(&s));)
            *(c == '.' ? &dots : &others) += 1;
        if (!others && (dots == 1 || dots == 2))
            return true;
    }
    return false;
}

bool saga_header_clean(struct slice value)
{
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7F)
            return false;
    return true;
}

static enum saga_rendering check(struct renderer *r)
{
    struct slice out = { r->out.p, r->out.n };

    if (r->t->form == SAGA_URL && out.n > SAGA_URL_RENDERED)
        return refuse(r, NULL, "The URL is longer than it may be.");
    if (r->t->form == SAGA_URL && saga_url_climbs(out))
        return refuse(r, NULL, "A value makes a segment `.` or `..` of the URL's path.");
    if (r->t->form == SAGA_HEADER && out.n > SAGA_HEADER_BYTES)
        return refuse(r, NULL, "The header is longer than it may be.");
    if (r->t->form == SAGA_HEADER && !saga_header_clean(out))
        return refuse(r, NULL, "A header's value would have a line break or another control character.");
    return SAGA_RENDERED;
}

enum saga_rendering saga_render(const struct saga_template *t, const struct saga_scope *scope, struct arena *a, struct slice *ret,
                                struct fault *f)
{
    struct renderer r = { .t = t, .scope = scope, .arena = a, .fault = f };
    enum saga_rendering result = SAGA_RENDERED;

    for (size_t i = 0; i < t->n && !result; i++)
        result = put_piece(&r, &t->piece[i]);
    if (!result && !(result = check(&r))) {
        *ret = arena_slice(a, r.out.p ? (struct slice){ r.out.p, r.out.n } : SLICE(""));
        result = ret->p ? SAGA_RENDERED : SAGA_NO_MEMORY;
    }
    buf_free(&r.out);
    return result;
}
