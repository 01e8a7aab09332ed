#include "tests/unit/edit_fixture.h"

#include <jansson.h>

struct edited edited;
struct edit_limits edit_limits = { .depth = 8, .bytes = 4096 };
unsigned edit_seed = 1;

static struct slice exactly(struct buf *b, struct slice s)
{
    buf_free(b);
    b->p = malloc(s.n ? s.n : 1);
    memcpy(b->p, s.p, s.n);
    b->n = b->cap = s.n;
    return (struct slice){ b->p, s.n };
}

enum edit_result edit(edit_fn *fn, struct slice value, struct slice patch)
{
    arena_free(edited.arena);
    edited.arena = arena_new(1 << 20);
    edited.text = SLICE_NONE;
    edited.fault = (struct fault){ 0 };
    value = exactly(&edited.value, value);
    return fn(edited.arena, value, exactly(&edited.patch, patch), &edit_limits, &edited.text, &edited.fault);
}

int edited_free(void **state)
{
    (void)state;
    arena_free(edited.arena);
    buf_free(&edited.value);
    buf_free(&edited.patch);
    edited = (struct edited){ 0 };
    return 0;
}

void assert_edited(edit_fn *fn, const char *value, const char *patch, const char *want)
{
    enum edit_result r = edit(fn, slice_of(value), slice_of(patch));

    if (r || !slice_is(edited.text, want))
        fail_msg("%s with %s: %d, %.*s (%s), not %s", value, patch, (int)r, (int)edited.text.n, r ? "" : edited.text.p,
                 edited.fault.detail, want);
}

void assert_not_edited(edit_fn *fn, const char *value, const char *patch, enum edit_result want, const char *pointer,
                       const char *words)
{
    enum edit_result r = edit(fn, slice_of(value), slice_of(patch));

    if (r != want || strcmp(edited.fault.pointer, pointer) || !strstr(edited.fault.detail, words) || edited.text.p)
        fail_msg("%s with %s: %d at \"%s\": %s", value, patch, (int)r, edited.fault.pointer, edited.fault.detail);
}

/* ---- the oracle ---- */

json_t *oracle_read(struct slice text)
{
    return json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
}

bool oracle_unique(struct slice text)
{
    json_t *value = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    json_decref(value);
    return value;
}

bool oracle_same(json_t *x, json_t *y)
{
    bool same = x && y && json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return same;
}

/* RFC 7396, section 2, word by word. Takes the target. */
static json_t *merge(json_t *target, json_t *patch)
{
    const char *name;
    json_t *value;

    if (!json_is_object(patch)) {
        json_decref(target);
        return json_incref(patch);
    }
    if (!json_is_object(target)) {
        json_decref(target);
        target = json_object();
    }
    json_object_foreach(patch, name, value) {
        json_t *old = json_object_get(target, name);

        if (json_is_null(value))
            json_object_del(target, name);
        else
            json_object_set_new(target, name, merge(json_incref(old), value));
    }
    return target;
}

json_t *oracle_merge(struct slice value, struct slice patch)
{
    json_t *target = oracle_read(value), *changes = oracle_read(patch), *ret = merge(target, changes);

    json_decref(changes);
    return ret;
}

/* Where a pointer leads: its last token, and what holds it; parent NULL: nowhere, or the root. */
struct where {
    json_t *parent, *value;
    char name[64];
    size_t index;
    bool end;                    /* behind the last item */
};

static struct where find(json_t *root, const char *pointer)
{
    struct where w = { .value = root };

    while (*pointer && w.value) {
        size_t n = 0;

        for (pointer++; *pointer && *pointer != '/'; pointer++, n++) {
            w.name[n] = *pointer;
            if (*pointer == '~')
                w.name[n] = *++pointer == '0' ? '~' : '/';
        }
        w.name[n] = '\0';
        w.parent = w.value;
        w.value = NULL;
        w.end = false;
        if (json_is_object(w.parent)) {
            w.value = json_object_get(w.parent, w.name);
        } else if (json_is_array(w.parent)) {
            char again[32];

            w.index = strtoul(w.name, NULL, 10);
            snprintf(again, sizeof again, "%zu", w.index);
            w.end = !strcmp(w.name, "-") || (!strcmp(again, w.name) && w.index == json_array_size(w.parent));
            w.value = strcmp(again, w.name) ? NULL : json_array_get(w.parent, w.index);
        }
    }
    if (*pointer)
        w.parent = NULL;
    return w;
}

/* All of these: false where there is no such place; *root may be another one afterwards. */
static bool set(json_t **root, const char *pointer, json_t *value, bool add)
{
    struct where w = find(*root, pointer);

    if (!*pointer) {
        json_decref(*root);
        *root = json_incref(value);
        return true;
    }
    if (!add)
        return w.value && (json_is_object(w.parent) ? !json_object_set(w.parent, w.name, value)
                                                    : !json_array_set(w.parent, w.index, value));
    if (json_is_object(w.parent))
        return !json_object_set(w.parent, w.name, value);
    if (!json_is_array(w.parent) || (!w.end && !w.value))
        return false;
    return w.end ? !json_array_append(w.parent, value) : !json_array_insert(w.parent, w.index, value);
}

static bool take_out(json_t *root, const char *pointer)
{
    struct where w = find(root, pointer);

    if (!w.value || !w.parent)
        return false;
    return json_is_object(w.parent) ? !json_object_del(w.parent, w.name) : !json_array_remove(w.parent, w.index);
}

static bool operate(json_t **root, json_t *op)
{
    const char *kind = json_string_value(json_object_get(op, "op")), *path = json_string_value(json_object_get(op, "path"));
    const char *from = json_string_value(json_object_get(op, "from"));
    json_t *value = json_object_get(op, "value"), *carried;
    bool ok;

    if (!strcmp(kind, "add"))
        return set(root, path, value, true);
    if (!strcmp(kind, "replace"))
        return set(root, path, value, false);
    if (!strcmp(kind, "remove"))
        return take_out(*root, path);
    if (!strcmp(kind, "test")) {
        struct where w = find(*root, path);

        return w.value && json_equal(w.value, value);
    }
    carried = json_deep_copy(find(*root, from).value);
    ok = carried && (!strcmp(kind, "copy") || !strcmp(from, path) || take_out(*root, from)) &&
         ((!strcmp(kind, "move") && !strcmp(from, path)) || set(root, path, carried, true));
    json_decref(carried);
    return ok;
}

json_t *oracle_patch(struct slice value, struct slice patch)
{
    json_t *root = oracle_read(value), *ops = oracle_read(patch), *op;
    size_t i;

    json_array_foreach(ops, i, op) {
        if (!operate(&root, op)) {
            json_decref(root);
            root = NULL;
            break;
        }
    }
    json_decref(ops);
    return root;
}
