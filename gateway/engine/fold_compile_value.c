#include "gateway/base/json_pointer.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/fold_parts.h"

enum { NAME_MAX_BYTES = 64, SHOWN = 100 };
#define SHOW(s) (int)utf8_cut((s).p, (s).n, SHOWN), (s).p

static const char *const attributes[FOLD_OTHER] = {
    [FOLD_SPECVERSION] = "specversion", [FOLD_ID] = "id",         [FOLD_SOURCE] = "source", [FOLD_TYPE] = "type",
    [FOLD_SUBJECT] = "subject",         [FOLD_STREAM] = "stream", [FOLD_PARTITION] = "partition",
    [FOLD_OFFSET] = "offset",           [FOLD_RECORDEDTIME] = "recordedtime",
    [FOLD_VERSION] = "version",         [FOLD_DATA] = "data",     [FOLD_DATA_BASE64] = "data_base64",
};

enum err fold_compile_path(struct fold_compiler *c, struct slice pointer, const struct json_node *at, struct fold_path *ret)
{
    if (!json_pointer_valid(pointer))
        return fold_refuse(c->fault, at, "%.*s is no JSON Pointer (RFC 6901): it is empty or begins with `/`, and `~` is "
                           "followed by 0 or 1.", SHOW(pointer));
    if (json_pointer_depth(pointer) > FOLD_POINTER_TOKENS)
        return fold_refuse(c->fault, at, "A pointer has at most %d tokens.", FOLD_POINTER_TOKENS);
    return fold_path_make(c->arena, pointer, ret) ? OK : ERR_NO_MEMORY;
}

static bool attribute_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9'))
            return false;
    return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

enum err fold_compile_source(struct fold_compiler *c, struct slice pointer, const struct json_node *at, struct fold_source *ret)
{
    struct fold_path path;
    struct slice name;
    enum err e = fold_compile_path(c, pointer, at, &path);
    int slot;

    if (e)
        return e;
    *ret = (struct fold_source){ .pointer = pointer };
    if (!path.n)
        return fold_refuse(c->fault, at, "It must lead to an attribute of the event, as /subject, or into its data, as /data/n.");
    name = path.token[0].name;
    while (ret->attribute < FOLD_OTHER && !slice_is(name, attributes[ret->attribute]))
        ret->attribute++;
    if (ret->attribute == FOLD_OTHER && !attribute_name(name))
        return fold_refuse(c->fault, at, "%.*s is no attribute of an event: their names are lower-case letters and digits.",
                           SHOW(name));
    if (ret->attribute != FOLD_DATA && path.n > 1)
        return fold_refuse(c->fault, at, "Nothing is inside of the attribute %.*s.", SHOW(name));
    if (ret->attribute == FOLD_OTHER) {
        const char *needle = arena_printf(c->arena, "\"%.*s\":", (int)name.n, name.p);

        ret->needle = slice_of(needle);
        return needle ? OK : ERR_NO_MEMORY;
    }
    if (ret->attribute != FOLD_DATA)
        return OK;
    slot = fold_trie_add(c->arena, &c->fold->data, path.token + 1, path.n - 1, (int)c->fold->data_n);
    if (slot < 0)
        return ERR_NO_MEMORY;
    c->fold->data_n += (size_t)slot == c->fold->data_n;
    ret->slot = (size_t)slot;
    return OK;
}

/* ---- values ---- */

static bool is_source(const struct json_node *n)
{
    return json_tree_get(n, "from");
}

/* Of a value without places in it. */
static enum err kept(struct fold_compiler *c, struct buf *b, struct slice *ret)
{
    *ret = b->failed ? SLICE_NONE : arena_slice(c->arena, (struct slice){ b->p, b->n });
    buf_free(b);
    return ret->p ? OK : ERR_NO_MEMORY;
}

enum err fold_compile_literal(struct fold_compiler *c, const struct json_node *n, struct slice *ret)
{
    struct buf b = { 0 };

    json_tree_write(n, false, &b);
    return kept(c, &b, ret);
}

static size_t count_sources(const struct json_node *n)
{
    size_t count = 0;

    if (is_source(n))
        return 1;
    for (unsigned i = 0; i < n->n; i++)
        count += count_sources(n->child[i]);
    return count;
}

struct writer {
    struct fold_compiler *compiler;
    struct fold_value *value;
    struct buf text;             /* literal, since the last place */
};

static enum err flush(struct writer *w)
{
    enum err e;

    if (!w->text.n && !w->text.failed)
        return OK;
    e = kept(w->compiler, &w->text, &w->value->piece[w->value->n].text);
    w->value->n++;
    return e;
}

static enum err write_source(struct writer *w, const struct json_node *n)
{
    struct fold_compiler *c = w->compiler;
    const struct json_node *from = json_tree_get(n, "from"), *fallback = json_tree_get(n, "default");
    enum err e;

    if (n->n > 1u + (fallback != NULL))
        return fold_refuse(c->fault, n, "Where a value is of the event it has `from`, and `default`, alone. An object that has a "
                           "member `from` itself can be set member by member.");
    if (from->type != JSON_STRING)
        return fold_refuse(c->fault, from, "`from` is a JSON Pointer into the event.");
    if ((e = flush(w)))
        return e;
    struct fold_piece *piece = &w->value->piece[w->value->n++];

    *piece = (struct fold_piece){ .text = SLICE_NONE };
    e = fold_compile_source(c, from->text, from, &piece->source);
    if (!e && fallback)
        e = fold_compile_literal(c, fallback, &piece->fallback);
    return e;
}

static enum err write_value(struct writer *w, const struct json_node *n)
{
    bool object = n->type == JSON_OBJECT;
    enum err e = OK;

    if (is_source(n))
        return write_source(w, n);
    if (!object && n->type != JSON_ARRAY) {
        json_tree_write(n, false, &w->text);
        return OK;
    }
    buf_char(&w->text, object ? '{' : '[');
    for (unsigned i = 0; i < n->n && !e; i++) {
        if (i)
            buf_char(&w->text, ',');
        if (object) {
            buf_json_string(&w->text, n->child[i]->name);
            buf_char(&w->text, ':');
        }
        e = write_value(w, n->child[i]);
    }
    buf_char(&w->text, object ? '}' : ']');
    return e;
}

enum err fold_compile_value(struct fold_compiler *c, struct json_node *n, struct fold_value *ret)
{
    struct writer w = { .compiler = c, .value = ret };
    enum err e;

    *ret = (struct fold_value){ .n = 0 };
    if (!(ret->piece = arena_zalloc(c->arena, (2 * count_sources(n) + 1) * sizeof *ret->piece)))
        return ERR_NO_MEMORY;
    e = write_value(&w, n);
    if (!e)
        e = flush(&w);
    buf_free(&w.text);
    return e;
}
