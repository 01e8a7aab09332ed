#include "gateway/base/json_tree.h"

#include <stdlib.h>

#include "gateway/base/decimal.h"

struct builder {
    struct arena *arena;
    struct json j;
    struct fault *fault;
};

static enum err malformed(struct builder *b)
{
    size_t line, column;

    json_where(&b->j, &line, &column);
    return fault(b->fault, ERR_BAD_JSON, "line %zu, column %zu: %s", line, column, b->j.error);
}

static int by_name(const void *x, const void *y)
{
    return slice_order((*(struct json_node *const *)x)->name, (*(struct json_node *const *)y)->name);
}

/* Children come as a list, last first, linked by `parent`; they leave as arrays. */
static enum err settle(struct builder *b, struct json_node *n, struct json_node *last)
{
    size_t bytes = n->n * sizeof *n->child;

    if (!n->n)
        return OK;
    if (!(n->child = arena_alloc(b->arena, bytes)))
        return ERR_NO_MEMORY;
    for (unsigned i = n->n; i--;) {
        struct json_node *before = last->parent;

        last->parent = n;
        last->index = i;
        n->child[i] = last;
        last = before;
    }
    if (n->type != JSON_OBJECT)
        return OK;
    if (!(n->by_name = arena_alloc(b->arena, bytes)))
        return ERR_NO_MEMORY;
    memcpy(n->by_name, n->child, bytes);
    qsort(n->by_name, n->n, sizeof *n->by_name, by_name);
    for (unsigned i = 1; i < n->n; i++)
        if (slice_eq(n->by_name[i - 1]->name, n->by_name[i]->name))
            return fault(b->fault, ERR_BAD_JSON, "The member \"%.*s\" stands twice in one object.",
                         (int)(n->by_name[i]->name.n < 100 ? n->by_name[i]->name.n : 0), n->by_name[i]->name.p);
    return OK;
}

static enum err read_value(struct builder *b, struct json_node **ret);

static enum err read_children(struct builder *b, struct json_node *n)
{
    struct json_node *last = NULL, *one;
    struct slice name = SLICE_NONE;
    bool escaped = false;
    enum err e;

    if (n->type == JSON_OBJECT ? !json_object_begin(&b->j) : !json_array_begin(&b->j))
        return malformed(b);
    while (n->type == JSON_OBJECT ? json_object_next(&b->j, &name, &escaped) : json_array_next(&b->j)) {
        if (n->type == JSON_OBJECT && !json_unescape(b->arena, name, escaped, &name))
            return ERR_NO_MEMORY;
        if ((e = read_value(b, &one)))
            return e;
        one->name = name;
        one->parent = last;
        last = one;
        n->n++;
    }
    return b->j.error ? malformed(b) : settle(b, n, last);
}

static enum err read_value(struct builder *b, struct json_node **ret)
{
    struct json_node *n = arena_zalloc(b->arena, sizeof *n);
    bool escaped;
    enum err e;

    if (!n)
        return ERR_NO_MEMORY;
    if (!json_peek(&b->j, &n->type))
        return malformed(b);
    const char *begin = b->j.p;

    *ret = n;
    if (n->type == JSON_STRING) {
        if (!json_scan_string(&b->j, &n->text, &escaped))
            return malformed(b);
        return json_unescape(b->arena, n->text, escaped, &n->text) ? OK : ERR_NO_MEMORY;
    }
    if (n->type != JSON_OBJECT && n->type != JSON_ARRAY)
        return json_value(&b->j, &n->text) ? OK : malformed(b);
    e = read_children(b, n);
    n->text = (struct slice){ begin, (size_t)(b->j.p - begin) };
    return e;
}

enum err json_tree_parse(struct slice text, unsigned max_depth, struct arena *a, struct json_node **ret, struct fault *f)
{
    struct builder b = { .arena = a, .fault = f };
    struct json_node *n;
    enum err e;

    json_begin(&b.j, text, max_depth);
    e = read_value(&b, &n);
    if (!e && !json_end(&b.j))
        e = malformed(&b);
    if (e == ERR_NO_MEMORY)
        fault(f, e, "The JSON text takes more memory than there is for it.");
    if (!e)
        *ret = n;
    return e;
}

struct json_node *json_tree_member(const struct json_node *n, struct slice name)
{
    struct json_node key = { .name = name }, *k = &key, **found;

    if (!n || n->type != JSON_OBJECT || !n->n)
        return NULL;
    found = bsearch(&k, n->by_name, n->n, sizeof *n->by_name, by_name);
    return found ? *found : NULL;
}

struct json_node *json_tree_get(const struct json_node *n, const char *name)
{
    return json_tree_member(n, slice_of(name));
}

bool json_tree_is(const struct json_node *n, const char *string)
{
    return n && n->type == JSON_STRING && slice_is(n->text, string);
}

size_t json_tree_characters(const struct json_node *string)
{
    size_t n = 0;

    for (size_t i = 0; i < string->text.n; i++)
        n += ((unsigned char)string->text.p[i] & 0xC0) != 0x80;
    return n;
}

static bool token_is(struct slice token, struct slice name)
{
    size_t k = 0;

    for (size_t i = 0; i < token.n; i++, k++) {
        char c = token.p[i];

        if (c == '~' && i + 1 < token.n)
            c = token.p[++i] == '0' ? '~' : '/';
        if (k == name.n || name.p[k] != c)
            return false;
    }
    return k == name.n;
}

static struct json_node *step(const struct json_node *n, struct slice token)
{
    unsigned long index = 0;

    if (n->type == JSON_OBJECT && !memchr(token.p, '~', token.n))
        return json_tree_member(n, token);
    for (unsigned i = 0; n->type == JSON_OBJECT && i < n->n; i++)
        if (token_is(token, n->child[i]->name))
            return n->child[i];
    if (n->type != JSON_ARRAY || !token.n || token.n > 9 || (*token.p == '0' && token.n > 1))
        return NULL;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9')
            return NULL;
        index = index * 10 + (unsigned long)(token.p[i] - '0');
    }
    return index < n->n ? n->child[index] : NULL;
}

struct json_node *json_tree_at(struct json_node *root, struct slice pointer)
{
    const char *p = pointer.p, *end = pointer.p + pointer.n;

    while (root && p < end) {
        const char *slash = *p == '/' ? memchr(p + 1, '/', (size_t)(end - p - 1)) : NULL;

        if (*p != '/')
            return NULL;
        slash = slash ? slash : end;
        root = step(root, (struct slice){ p + 1, (size_t)(slash - p - 1) });
        p = slash;
    }
    return root;
}

static void write_pointer(const struct json_node *n, struct buf *out)
{
    if (!n->parent)
        return;
    write_pointer(n->parent, out);
    buf_char(out, '/');
    if (n->parent->type == JSON_ARRAY)
        buf_i64(out, n->index);
    else
        buf_pointer_token(out, n->name);
}

struct slice json_tree_pointer(const struct json_node *n, struct arena *a)
{
    struct buf b = { 0 };
    struct slice s = SLICE_NONE;

    write_pointer(n, &b);
    if (!b.failed)
        s = arena_slice(a, (struct slice){ b.p ? b.p : "", b.n });
    buf_free(&b);
    return s;
}

void json_tree_write(const struct json_node *n, bool sorted, struct buf *out)
{
    bool object = n->type == JSON_OBJECT;

    if (n->type == JSON_STRING) {
        buf_json_string(out, n->text);
        return;
    }
    if (!object && n->type != JSON_ARRAY) {
        buf_slice(out, n->text);
        return;
    }
    buf_char(out, object ? '{' : '[');
    for (unsigned i = 0; i < n->n; i++) {
        const struct json_node *c = object && sorted ? n->by_name[i] : n->child[i];

        if (i)
            buf_char(out, ',');
        if (object) {
            buf_json_string(out, c->name);
            buf_char(out, ':');
        }
        json_tree_write(c, sorted, out);
    }
    buf_char(out, object ? '}' : ']');
}

bool json_tree_equal(const struct json_node *x, const struct json_node *y)
{
    bool object = x->type == JSON_OBJECT;

    if (x == y)
        return true;
    if (x->type != y->type || x->n != y->n)
        return false;
    if (x->type == JSON_STRING)
        return slice_eq(x->text, y->text);
    if (x->type == JSON_NUMBER)
        return slice_eq(x->text, y->text) || decimal_equal(x->text, y->text);
    for (unsigned i = 0; i < x->n; i++) {
        const struct json_node *a = object ? x->by_name[i] : x->child[i], *b = object ? y->by_name[i] : y->child[i];

        if ((object && !slice_eq(a->name, b->name)) || !json_tree_equal(a, b))
            return false;
    }
    return true;
}
