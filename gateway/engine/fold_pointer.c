#include "gateway/engine/fold_parts.h"

static uint32_t index_of(struct slice token)
{
    uint32_t v = 0;

    if (slice_is(token, "-"))
        return FOLD_BEHIND;
    if (!token.n || token.n > 9 || (*token.p == '0' && token.n > 1)) /* 9 digits: more than any state has items */
        return FOLD_NO_INDEX;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9')
            return FOLD_NO_INDEX;
        v = v * 10 + (uint32_t)(token.p[i] - '0');
    }
    return v;
}

static struct slice characters(char *out, struct slice token)
{
    size_t n = 0;

    for (size_t i = 0; i < token.n; i++) {
        char c = token.p[i];

        if (c == '~')
            c = token.p[++i] == '0' ? '~' : '/';
        out[n++] = c;
    }
    return (struct slice){ out, n };
}

bool fold_path_make(struct arena *a, struct slice pointer, struct fold_path *ret)
{
    const char *p = pointer.p, *end = pointer.p + pointer.n;
    char *names = arena_alloc(a, pointer.n + 1);
    struct buf b = { 0 };
    bool ok = names;

    *ret = (struct fold_path){ .pointer = pointer };
    for (size_t i = 0; i < pointer.n; i++)
        ret->n += pointer.p[i] == '/';
    ok = ok && (ret->token = arena_alloc(a, (ret->n + 1) * sizeof *ret->token));
    for (size_t i = 0; ok && i < ret->n; i++) {
        const char *slash = memchr(p + 1, '/', (size_t)(end - p - 1));
        struct slice token = { p + 1, (size_t)((slash ? slash : end) - p - 1) };
        struct fold_token *t = &ret->token[i];

        p = slash;
        *t = (struct fold_token){ .name = characters(names, token), .index = index_of(token) };
        names += t->name.n;
        buf_reset(&b);
        buf_json_string(&b, t->name);
        ok = !b.failed && (t->raw = arena_slice(a, (struct slice){ b.p, b.n })).p;
    }
    buf_free(&b);
    return ok;
}

int fold_trie_add(struct arena *a, struct fold_trie *root, const struct fold_token *token, size_t n, int slot)
{
    for (size_t i = 0; i < n; i++) {
        struct fold_trie **at = &root->child;

        while (*at && !slice_eq((*at)->token.name, token[i].name))
            at = &(*at)->next;
        if (!*at) {
            if (!(*at = arena_zalloc(a, sizeof **at)))
                return -1;
            (*at)->token = token[i];
            (*at)->slot = -1;
        }
        root = *at;
    }
    if (root->slot < 0)
        root->slot = slot;
    return root->slot;
}

struct walk {
    struct json j;
    struct arena *arena;
    struct slice *found;
    bool failed;
};

static void forget(struct walk *w, const struct fold_trie *t)
{
    if (t->slot >= 0)
        w->found[t->slot] = SLICE_NONE;
    for (const struct fold_trie *c = t->child; c; c = c->next)
        forget(w, c);
}

/* ---- over what no pointer leads into: what is valid needs only its end ---- */

static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        p += *p == '\\';
    return p + 1;
}

static const char *container_end(const char *p, const char *end)
{
    size_t depth = 0;

    while (p < end) {
        switch (*p) {
        case '"':
            p = string_end(p, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (!--depth)
                return p + 1;
            break;
        default:
            break;
        }
        p++;
    }
    return end;
}

/* Steps over one value. */
static void skip(struct json *j)
{
    enum json_type type;
    const char *p;

    if (!json_peek(j, &type))
        return;
    p = j->p;
    if (type == JSON_STRING)
        p = string_end(p, j->end);
    else if (type == JSON_OBJECT || type == JSON_ARRAY)
        p = container_end(p, j->end);
    else
        while (p < j->end && *p != ',' && *p != '}' && *p != ']' && (unsigned char)*p > ' ')
            p++;
    j->p = p < j->end ? p : j->end;
}

static void walk(struct walk *w, const struct fold_trie *t);

static void walk_object(struct walk *w, const struct fold_trie *t)
{
    const struct fold_trie *c;
    struct slice name;
    bool escaped;

    json_object_begin(&w->j);
    while (json_object_next(&w->j, &name, &escaped) && !w->failed) {
        if (escaped && !json_unescape(w->arena, name, escaped, &name))
            w->failed = true;
        for (c = t->child; c && !slice_eq(c->token.name, name);)
            c = c->next;
        if (!c) {
            skip(&w->j);
            continue;
        }
        forget(w, c);            /* the member may have come before */
        walk(w, c);
    }
}

static void walk_array(struct walk *w, const struct fold_trie *t)
{
    const struct fold_trie *c;
    uint32_t i = 0;

    json_array_begin(&w->j);
    for (; json_array_next(&w->j) && !w->failed; i++) {
        for (c = t->child; c && c->token.index != i;)
            c = c->next;
        if (c)
            walk(w, c);
        else
            skip(&w->j);
    }
}

/* Reads one value to its end. */
static void walk(struct walk *w, const struct fold_trie *t)
{
    enum json_type type;
    const char *begin;

    if (!json_peek(&w->j, &type))
        return;
    begin = w->j.p;
    if (t->child && type == JSON_OBJECT)
        walk_object(w, t);
    else if (t->child && type == JSON_ARRAY)
        walk_array(w, t);
    else
        skip(&w->j);
    if (t->slot >= 0)
        w->found[t->slot] = (struct slice){ begin, (size_t)(w->j.p - begin) };
}

bool fold_trie_find(const struct fold_trie *root, struct slice text, struct arena *a, struct slice *found)
{
    struct walk w = { .arena = a, .found = found };

    json_begin(&w.j, text, JSON_DEPTH);
    walk(&w, root);
    return !w.failed;
}
