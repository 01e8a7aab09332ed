#include "gateway/base/json_edit.h"
#include "gateway/base/json_hash.h"
#include "gateway/base/json_pointer.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/fold_parts.h"

enum { SHOWN = 100 };

/* The hashes are in the database (weir.projection_states.lookup): another way to compute them needs new builds. */

/* A NUL, which no pointer's text has unescaped, is behind the pointer. */
static uint64_t begin(struct slice pointer)
{
    return json_hash_bytes(json_hash_bytes(JSON_HASH_BEGIN, pointer), SLICE("\0"));
}

/* false: out of memory. *ret_none: an object or array, which is not looked up. */
static bool hash_json(struct arena *a, struct slice pointer, struct slice json, int64_t *ret, bool *ret_none)
{
    uint64_t h = begin(pointer);
    bool there = (*ret_none = *json.p == '{' || *json.p == '[') || json_hash_value(a, &h, json);

    *ret = json_hash_end(h);
    return there;
}

bool fold_lookup(const struct fold *fold, struct arena *a, struct slice text, int64_t *ret, size_t *ret_n)
{
    struct slice found[FOLD_INDEXES_MAX] = { SLICE_NONE };
    bool none;

    *ret_n = 0;
    if (!fold->index_n)
        return true;
    if (!fold_trie_find(&fold->index, text, a, found))
        return false;
    for (size_t i = 0; i < fold->index_n; i++) {
        if (!found[i].p)
            continue;
        if (!hash_json(a, fold->indexes[i], found[i], &ret[*ret_n], &none))
            return false;
        *ret_n += !none;
    }
    return true;
}

/* ---- where ---- */

static bool is_index(const struct fold *fold, struct slice pointer)
{
    for (size_t i = 0; i < fold->index_n; i++)
        if (slice_eq(fold->indexes[i], pointer))
            return true;
    return false;
}

/* The longest index that the text begins with, up to a `=`; else what stands before the first one. */
static size_t pointer_end(const struct fold *fold, struct slice text)
{
    const char *first = memchr(text.p, '=', text.n);
    size_t end = first ? (size_t)(first - text.p) : text.n;

    for (size_t i = 0; first && i < fold->index_n; i++) {
        struct slice p = fold->indexes[i];

        if (p.n > end && p.n < text.n && text.p[p.n] == '=' && memcmp(p.p, text.p, p.n) == 0)
            end = p.n;
    }
    return end;
}

static bool add_hash(struct arena *a, struct fold_where *w)
{
    bool none = false;

    if (w->json.p) {
        if (!hash_json(a, w->pointer, w->json, &w->hash[0], &none))
            return false;
        w->hash_n = !none;
        w->indexed = w->indexed && !none;
    }
    if (w->string.p)
        w->hash[w->hash_n++] = json_hash_end(json_hash_string(begin(w->pointer), w->string));
    return true;
}

enum err fold_where_parse(const struct fold *fold, struct arena *a, struct slice text, struct fold_where *ret, struct fault *f)
{
    size_t end = text.n ? pointer_end(fold, text) : 0;
    struct json j;

    *ret = (struct fold_where){ .pointer = { text.p, end } };
    if (end == text.n)
        return fault(f, ERR_BAD_PARAMETER, "where is <JSON Pointer>=<value>, as /status=open.");
    if (!json_pointer_valid(ret->pointer))
        return fault(f, ERR_BAD_PARAMETER, "where begins with a JSON Pointer into the state, as /status; %.*s is none.",
                     (int)utf8_cut(text.p, end, SHOWN), text.p);
    ret->string = (struct slice){ text.p + end + 1, text.n - end - 1 };
    json_begin(&j, ret->string, JSON_DEPTH);
    if (!json_value(&j, &ret->json) || !json_end(&j))
        ret->json = SLICE_NONE;
    if (ret->json.p && (*ret->json.p == '"' || *ret->json.p == '{' || *ret->json.p == '['))
        ret->string = SLICE_NONE;
    ret->indexed = is_index(fold, ret->pointer);
    return add_hash(a, ret) ? OK : ERR_NO_MEMORY;
}

static bool is_string(struct arena *a, struct slice json, struct slice characters, bool *ret_failed)
{
    struct json j;
    struct slice s;
    bool escaped;

    if (*json.p != '"')
        return false;
    json_begin(&j, json, 1);
    json_scan_string(&j, &s, &escaped);
    *ret_failed = !json_unescape(a, s, escaped, &s);
    return !*ret_failed && slice_eq(s, characters);
}

bool fold_where_match(const struct fold_where *w, struct arena *a, struct slice text, bool *ret_failed)
{
    struct json_spot spot;

    *ret_failed = !json_pointer_find(a, text, w->pointer, &spot);
    if (*ret_failed || !spot.value.p)
        return false;
    if (w->string.p && is_string(a, spot.value, w->string, ret_failed))
        return true;
    return !*ret_failed && w->json.p && json_values_equal(a, spot.value, w->json, ret_failed);
}
