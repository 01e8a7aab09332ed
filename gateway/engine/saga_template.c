#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/json_pointer.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/saga_body_parts.h"

enum { POINTER_BYTES = 64 << 10 };

enum err saga_refuse(struct fault *f, enum err e, const struct json_node *at, const char *fmt, ...)
{
    struct arena *a = f ? arena_new(POINTER_BYTES) : NULL;
    struct slice pointer = a && at ? json_tree_pointer(at, a) : SLICE_NONE;
    char text[sizeof f->detail];
    va_list ap;

    if (f && pointer.p && pointer.n < sizeof f->pointer)
        snprintf(f->pointer, sizeof f->pointer, "%.*s", (int)pointer.n, pointer.p);
    arena_free(a);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fault(f, e, "%s", text);
}

struct compiler {
    struct arena *arena;
    const struct saga_names *names;
    struct fault *fault;
    struct saga_template *t;
    struct buf text;             /* literal, since the last place */
    const struct json_node *at;  /* the string that is compiled */
};

static enum err bad(struct compiler *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static enum err bad(struct compiler *c, const char *fmt, ...)
{
    char text[sizeof c->fault->detail];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return saga_refuse(c->fault, ERR_BAD_DEFINITION, c->at, "%s", text);
}

/* ---- paths ---- */

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct slice trimmed(struct slice s)
{
    for (; s.n && space(*s.p); s.n--)
        s.p++;
    while (s.n && space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Takes a name from the front of *s; empty: there is none. */
static struct slice take_name(struct slice *s, bool dots)
{
    struct slice name = { s->p, 0 };

    while (name.n < s->n && (name_char(s->p[name.n]) || (dots && s->p[name.n] == '.')))
        name.n++;
    s->p += name.n;
    s->n -= name.n;
    return name;
}

static bool take(struct slice *s, const char *text)
{
    size_t n = strlen(text);

    if (s->n < n || memcmp(s->p, text, n) != 0)
        return false;
    s->p += n;
    s->n -= n;
    return true;
}

/* `.a.0.b`, or a JSON Pointer, as a JSON Pointer. */
static enum err read_path(struct compiler *c, struct slice rest, struct slice *ret)
{
    char *p = arena_strndup(c->arena, rest.p ? rest.p : "", rest.n);
    unsigned tokens = 0;

    if (!p)
        return ERR_NO_MEMORY;
    *ret = (struct slice){ p, rest.n };
    if (rest.n && *rest.p == '/')
        tokens = json_pointer_valid(rest) ? json_pointer_depth(rest) : 0;
    for (struct slice s = rest; s.n && *rest.p == '.'; tokens++) {
        p[s.p - rest.p] = '/';
        if (!take(&s, ".") || !take_name(&s, false).n) {
            tokens = 0;
            break;
        }
    }
    if (rest.n && !tokens)
        return bad(c, "A path goes on with `.name` or with a JSON Pointer as `/a~1b`, not with `%.*s`.", SAGA_SHOW(rest));
    return tokens <= SAGA_TOKENS_MAX ? OK : bad(c, "A path has at most %d names.", SAGA_TOKENS_MAX);
}

static enum err read_step(struct compiler *c, struct slice rest, struct saga_piece *piece)
{
    const struct saga_names *names = c->names;
    struct slice name;

    if (!take(&rest, ".") || !(name = take_name(&rest, false)).n || !take(&rest, ".result") ||
        (rest.n && *rest.p != '.' && *rest.p != '/'))
        return bad(c, "{{%.*s}}: of a step there is {{steps.<name>.result}}, and what is in it.", SAGA_SHOW(piece->written));
    while (piece->step < names->step_n && !slice_eq(names->step[piece->step], name))
        piece->step++;
    if (piece->step == names->step_n)
        return bad(c, "{{%.*s}}: there is no step %.*s.", SAGA_SHOW(piece->written), SAGA_SHOW(name));
    if (!(names->reachable >> piece->step & 1))
        return bad(c, "{{%.*s}}: the step %.*s is not before this one, so there may be no result of it yet.",
                   SAGA_SHOW(piece->written), SAGA_SHOW(name));
    return read_path(c, rest, &piece->path);
}

static enum err read_saga(struct compiler *c, struct slice rest, struct saga_piece *piece)
{
    if (!slice_is(rest, ".id") && !slice_is(rest, ".name"))
        return bad(c, "{{%.*s}}: there are {{saga.id}}, the instance's id, and {{saga.name}}.", SAGA_SHOW(piece->written));
    piece->path = (struct slice){ rest.p + 1, rest.n - 1 };
    return OK;
}

static enum err read_secret(struct compiler *c, struct slice rest, struct saga_piece *piece)
{
    if (!take(&rest, ".") || !(piece->path = take_name(&rest, true)).n || rest.n || piece->path.n > SAGA_NAME_MAX ||
        strchr("._-", *piece->path.p))
        return bad(c, "A secret is {{secret.<name>}}; its name has letters, digits, `.`, `_` and `-`, %d at most.", SAGA_NAME_MAX);
    return OK;
}

static enum err read_value(struct compiler *c, struct slice rest, struct saga_piece *piece)
{
    return read_path(c, rest, &piece->path);
}

static const struct root {
    const char *name, *elsewhere; /* where it is good for, when it is not here */
    enum err (*read)(struct compiler *c, struct slice rest, struct saga_piece *piece);
} roots[SAGA_ROOTS] = {
    [SAGA_OF_INPUT] = { "input", "in the steps", read_value },
    [SAGA_OF_STEP] = { "steps", "in the steps", read_step },
    [SAGA_OF_SAGA] = { "saga", "in the steps", read_saga },
    [SAGA_OF_SECRET] = { "secret", "in the url, headers and body of an HTTP call", read_secret },
    [SAGA_OF_EVENT] = { "event", "in start_on", read_value },
};

static enum err read_place(struct compiler *c, struct slice inside, struct saga_piece *piece)
{
    struct slice rest = trimmed(inside), name;

    *piece = (struct saga_piece){ .written = rest, .at = c->at };
    name = take_name(&rest, false);
    while (piece->root < SAGA_ROOTS && !slice_is(name, roots[piece->root].name))
        piece->root++;
    if (piece->root == SAGA_ROOTS)
        return bad(c, "{{%.*s}}: a place begins with input, steps, saga, secret or event.", SAGA_SHOW(piece->written));
    if (!(c->names->roots >> piece->root & 1))
        return bad(c, "{{%.*s}}: %s is for use %s.", SAGA_SHOW(piece->written), roots[piece->root].name,
                   roots[piece->root].elsewhere);
    return roots[piece->root].read(c, rest, piece);
}

/* ---- pieces ---- */

static enum err flush(struct compiler *c)
{
    struct slice text;

    if (c->text.failed)
        return ERR_NO_MEMORY;
    if (!c->text.n)
        return OK;
    if (!(text = arena_slice(c->arena, (struct slice){ c->text.p, c->text.n })).p)
        return ERR_NO_MEMORY;
    c->t->piece[c->t->n++] = (struct saga_piece){ .text = text };
    buf_reset(&c->text);
    return OK;
}

/* Within JSON a string's characters go in escaped. */
static void put_literal(struct compiler *c, struct slice s)
{
    if (c->t->form != SAGA_JSON) {
        buf_slice(&c->text, s);
        return;
    }
    struct buf quoted = { 0 };

    buf_json_string(&quoted, s);
    c->text.failed = c->text.failed || quoted.failed;
    if (!quoted.failed)
        buf_put(&c->text, quoted.p + 1, quoted.n - 2);
    buf_free(&quoted);
}

/* Up to the next place, whose inside is *ret_inside (p == NULL: there is none). false: it does not end. */
static bool next_place(struct compiler *c, struct slice *s, struct slice *ret_inside)
{
    const char *p = s->p, *end = s->p + s->n, *open, *close;

    *ret_inside = SLICE_NONE;
    while ((open = memmem(p, (size_t)(end - p), "{{", 2)) && open > p && open[-1] == '\\') {
        put_literal(c, (struct slice){ p, (size_t)(open - 1 - p) });
        put_literal(c, SLICE("{{"));
        p = open + 2;
    }
    put_literal(c, (struct slice){ p, (size_t)((open ? open : end) - p) });
    s->p = end;
    s->n = 0;
    if (!open)
        return true;
    if (!(close = memmem(open + 2, (size_t)(end - open) - 2, "}}", 2)))
        return false;
    *ret_inside = (struct slice){ open + 2, (size_t)(close - open) - 2 };
    *s = (struct slice){ close + 2, (size_t)(end - close) - 2 };
    return true;
}

static enum err compile_text(struct compiler *c, struct slice s)
{
    struct slice inside;
    enum err e;

    do {
        if (!next_place(c, &s, &inside))
            return bad(c, "A `{{` has no `}}`. The two braces themselves are written \\{{.");
        if (!inside.p)
            break;
        if ((e = flush(c)) || (e = read_place(c, inside, &c->t->piece[c->t->n])))
            return e;
        c->t->n++;
    } while (s.n);
    return c->text.failed ? ERR_NO_MEMORY : OK;
}

/* Is this string one place alone? */
static bool is_lone(struct slice s, struct slice *ret_inside)
{
    const char *close;

    if (s.n < 4 || memcmp(s.p, "{{", 2) != 0 || !(close = memmem(s.p + 2, s.n - 2, "}}", 2)) || close + 2 != s.p + s.n)
        return false;
    *ret_inside = (struct slice){ s.p + 2, s.n - 4 };
    return true;
}

static enum err compile_string(struct compiler *c, const struct json_node *n)
{
    struct slice inside;
    enum err e;

    c->at = n;
    if (is_lone(n->text, &inside)) {
        struct saga_piece *piece;

        if ((e = flush(c)) || (e = read_place(c, inside, piece = &c->t->piece[c->t->n])))
            return e;
        piece->lone = true;
        c->t->n++;
        return OK;
    }
    buf_char(&c->text, '"');
    e = compile_text(c, n->text);
    buf_char(&c->text, '"');
    return e;
}

static enum err compile_json(struct compiler *c, const struct json_node *n)
{
    bool object = n->type == JSON_OBJECT;
    enum err e = OK;

    if (n->type == JSON_STRING)
        return compile_string(c, n);
    if (!object && n->type != JSON_ARRAY) {
        json_tree_write(n, false, &c->text);
        return OK;
    }
    buf_char(&c->text, object ? '{' : '[');
    for (unsigned i = 0; i < n->n && !e; i++) {
        if (i)
            buf_char(&c->text, ',');
        if (object) {
            buf_json_string(&c->text, n->child[i]->name);
            buf_char(&c->text, ':');
        }
        e = compile_json(c, n->child[i]);
    }
    buf_char(&c->text, object ? '}' : ']');
    return e;
}

static size_t count_places(const struct json_node *n)
{
    size_t count = 0;

    if (n->type == JSON_STRING)
        for (const char *p = n->text.p, *end = p + n->text.n; (p = memmem(p, (size_t)(end - p), "{{", 2)); p += 2)
            count++;
    for (unsigned i = 0; i < n->n; i++)
        count += count_places(n->child[i]);
    return count;
}

/* ---- what a URL and a header are made of ---- */

static bool url_char(char c)
{
    return name_char(c) || (c && strchr(".~:/?[]@!$&'()*+,;=%", c));
}

/* The literal parts, with an `x` for each place. */
static enum err check_literals(struct compiler *c)
{
    struct buf b = { 0 };
    enum err e = OK;

    for (size_t i = 0; i < c->t->n; i++)
        buf_slice(&b, c->t->piece[i].text.p ? c->t->piece[i].text : SLICE("x"));
    c->at = c->t->at;
    struct slice all = { b.p, b.n };

    if (b.failed)
        e = ERR_NO_MEMORY;
    else if (c->t->form == SAGA_HEADER && !saga_header_clean(all))
        e = bad(c, "A header's value has no control characters.");
    for (size_t i = 0; c->t->form == SAGA_URL && i < b.n && !e; i++)
        if (!url_char(b.p[i]))
            e = bad(c, "In a URL byte %zu cannot stand as it is: it has to be percent-encoded, and there is no #fragment.", i + 1);
    if (!e && c->t->form == SAGA_URL && saga_url_climbs(all))
        e = bad(c, "A URL's path has no segments `.` or `..`.");
    buf_free(&b);
    return e;
}

enum err saga_template_compile(struct arena *a, const struct json_node *n, enum saga_form form, const struct saga_names *names,
                               struct saga_template **ret, struct fault *f)
{
    struct saga_template *t = arena_zalloc(a, sizeof *t);
    struct compiler c = { .arena = a, .names = names, .fault = f, .t = t, .at = n };
    size_t places = count_places(n);
    enum err e;

    if (places > SAGA_PLACES_MAX)
        return bad(&c, "It has more than %d places.", SAGA_PLACES_MAX);
    if (!t || !(t->piece = arena_zalloc(a, (2 * places + 1) * sizeof *t->piece)))
        return ERR_NO_MEMORY;
    t->form = form;
    t->at = n;
    e = form == SAGA_JSON ? compile_json(&c, n) : compile_text(&c, n->text);
    if (!e)
        e = flush(&c);
    if (!e && (form == SAGA_URL || form == SAGA_HEADER))
        e = check_literals(&c);
    buf_free(&c.text);
    *ret = t;
    return e;
}
