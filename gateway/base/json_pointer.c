#include "gateway/base/json_pointer.h"

#include "gateway/base/json.h"

bool json_pointer_valid(struct slice pointer)
{
    if (pointer.n && *pointer.p != '/')
        return false;
    for (size_t i = 0; i < pointer.n; i++)
        if (pointer.p[i] == '~' && (i + 1 == pointer.n || (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
            return false;
    return true;
}

unsigned json_pointer_depth(struct slice pointer)
{
    unsigned n = 0;

    for (size_t i = 0; i < pointer.n; i++)
        n += pointer.p[i] == '/';
    return n;
}

bool json_pointer_inside(struct slice outer, struct slice pointer)
{
    return pointer.n > outer.n && slice_eq(outer, (struct slice){ pointer.p, outer.n }) && pointer.p[outer.n] == '/';
}

struct slice json_pointer_last(struct slice pointer)
{
    const char *slash = pointer.n ? memrchr(pointer.p, '/', pointer.n) : NULL;

    return slash ? (struct slice){ slash + 1, (size_t)(pointer.p + pointer.n - slash - 1) } : SLICE_NONE;
}

bool json_token_is(struct slice token, struct slice name)
{
    size_t k = 0;

    for (size_t i = 0; i < token.n; i++, k++) {
        char c = token.p[i];

        if (c == '~')
            c = token.p[++i] == '0' ? '~' : '/';
        if (k == name.n || name.p[k] != c)
            return false;
    }
    return k == name.n;
}

/* *ret is SIZE_MAX for `-`. */
static bool array_index(struct slice token, size_t *ret)
{
    size_t v = 0;

    *ret = SIZE_MAX;
    if (slice_eq(token, SLICE("-")))
        return true;
    if (!token.n || token.n > 18 || (*token.p == '0' && token.n > 1)) /* 18 digits: more than any text has items */
        return false;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9')
            return false;
        v = v * 10 + (size_t)(token.p[i] - '0');
    }
    *ret = v;
    return true;
}

struct search {
    struct arena *arena;
    struct json j;
    struct json_spot spot;
    bool failed;                 /* out of memory */
};

static void walk(struct search *w, struct slice rest);

static void walk_object(struct search *w, struct slice token, struct slice rest)
{
    const char *begin = w->j.p, *end = begin + 1;
    struct slice name, skipped;
    bool escaped, any = false;

    json_object_begin(&w->j);
    for (; json_object_next(&w->j, &name, &escaped) && !w->failed; end = w->j.p, any = true) {
        if (!json_unescape(w->arena, name, escaped, &name))
            w->failed = true;
        else if (json_token_is(token, name))
            walk(w, rest);
        else
            json_value(&w->j, &skipped);
    }
    if (rest.n)
        return;
    w->spot.parent = (struct slice){ begin, (size_t)(w->j.p - begin) };
    w->spot.insert = end;
    w->spot.behind = any;
}

static void walk_array(struct search *w, struct slice token, struct slice rest)
{
    const char *begin = w->j.p, *end = begin + 1;
    struct slice skipped;
    size_t index, n = 0;
    bool valid = array_index(token, &index);

    json_array_begin(&w->j);
    for (; json_array_next(&w->j) && !w->failed; end = w->j.p, n++) {
        if (n == index)
            walk(w, rest);
        else
            json_value(&w->j, &skipped);
    }
    if (rest.n || !valid || (index > n && index != SIZE_MAX))
        return;
    w->spot.parent = (struct slice){ begin, (size_t)(w->j.p - begin) };
    w->spot.before = index < n;
    w->spot.behind = !w->spot.before && n;
    w->spot.insert = w->spot.before ? w->spot.value.p : end;
}

/* Reads one value to its end and notes what the rest of the pointer leads to in it. */
static void walk(struct search *w, struct slice rest)
{
    enum json_type type;
    struct slice token, value;

    w->spot = (struct json_spot){ 0 };
    json_peek(&w->j, &type);
    if (!rest.n) {
        json_value(&w->j, &w->spot.value);
        return;
    }
    const char *begin = rest.p + 1, *end = rest.p + rest.n, *slash = memchr(begin, '/', (size_t)(end - begin));

    slash = slash ? slash : end;
    token = (struct slice){ begin, (size_t)(slash - begin) };
    rest = (struct slice){ slash, (size_t)(end - slash) };
    if (type == JSON_OBJECT)
        walk_object(w, token, rest);
    else if (type == JSON_ARRAY)
        walk_array(w, token, rest);
    else
        json_value(&w->j, &value);
}

bool json_pointer_find(struct arena *a, struct slice text, struct slice pointer, struct json_spot *ret)
{
    struct search w = { .arena = a };

    json_begin(&w.j, text, JSON_DEPTH);
    walk(&w, pointer);
    *ret = w.spot;
    return !w.failed;
}
