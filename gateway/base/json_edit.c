#include "gateway/base/json_edit.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/json.h"
#include "gateway/base/json_edit_parts.h"

struct merge {
    struct arena *arena;         /* for work */
    struct splices *s;
    bool failed;                 /* out of memory */
};

enum edit_result edit_fault(struct fault *f, enum edit_result r, const char *pointer, const char *fmt, ...)
{
    va_list ap;
    char text[2 * sizeof f->detail]; /* fault() cuts it between characters */

    if (!f)
        return r;
    snprintf(f->pointer, sizeof f->pointer, "%s", pointer);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fault(f, OK, "%s", text);
    return r;
}

enum edit_result edit_check(struct slice text, unsigned depth, enum edit_result r, const char *what, struct fault *f)
{
    struct json j;
    struct slice raw;
    size_t line, column;

    json_begin(&j, text, depth);
    if (json_value(&j, &raw) && json_end(&j))
        return EDIT_OK;
    json_where(&j, &line, &column);
    return edit_fault(f, r, "", "%s, line %zu, column %zu: %s.", what, line, column, j.error);
}

enum edit_result edit_no_memory(struct fault *f)
{
    return edit_fault(f, EDIT_NO_MEMORY, "", "There is not enough memory for this edit.");
}

static bool is_null(struct slice value)
{
    return *value.p == 'n';
}

static bool is_object(struct slice value)
{
    return *value.p == '{';
}

static bool members(struct merge *w, struct slice object, struct members *ret)
{
    w->failed = w->failed || !members_of(w->arena, object, ret);
    return !w->failed;
}

/* Takes what is null out of an object of the patch, at every level. */
static void strip(struct merge *w, struct slice object)
{
    struct members m;
    struct trim t = { .s = w->s };

    if (!members(w, object, &m))
        return;
    for (size_t i = 0; i < m.n; i++) {
        const struct member *e = &m.v[i];
        bool drop = !e->last || is_null(e->value);

        trim_entry(&t, e->raw.p, e->value.p + e->value.n, drop);
        if (!drop && is_object(e->value))
            strip(w, e->value);
    }
    trim_end(&t);
}

/* What a value of the patch makes of nothing: itself, without what is null in its objects. */
static struct slice made_of_nothing(struct merge *w, struct slice patch)
{
    struct splices s = { .text = patch };
    struct merge inner = { .arena = w->arena, .s = &s };
    struct buf out = { 0 };
    struct slice ret = patch;

    if (!is_object(patch))
        return patch;
    strip(&inner, patch);
    if (!splices_empty(&s)) {
        bool ok = splices_apply(&s, &out);

        ret = ok ? arena_slice(w->arena, (struct slice){ out.p, out.n }) : SLICE_NONE;
        buf_free(&out);
    }
    w->failed = w->failed || inner.failed || !ret.p;
    splices_free(&s);
    return ret;
}

/* The members that the target does not have. */
static void append(struct merge *w, const struct members *m, const char *at, bool comma)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct member *e = &m->v[i];

        if (!e->last || e->found.p || is_null(e->value))
            continue;
        if (comma)
            splice(w->s, at, 0, SLICE(","));
        splice(w->s, at, 0, e->raw);
        splice(w->s, at, 0, SLICE(":"));
        splice(w->s, at, 0, made_of_nothing(w, e->value));
        comma = true;
    }
}

/* To the next member of an object: its name, its first byte and its value. */
static bool next_member(struct merge *w, struct json *j, struct slice *ret_name, const char **ret_begin, struct slice *ret_value)
{
    struct slice inside;
    bool escaped;

    if (!json_object_next(j, &inside, &escaped))
        return false;
    *ret_begin = inside.p - 1;
    w->failed = w->failed || !json_unescape(w->arena, inside, escaped, ret_name);
    return !w->failed && json_value(j, ret_value);
}

/* Once to find the last member of each name, and once to change. */
static void merge_object(struct merge *w, struct slice target, struct slice patch)
{
    struct members m;
    struct member *e;
    struct json j;
    struct slice name, value;
    struct trim t = { .s = w->s };
    const char *begin;

    if (!members(w, patch, &m))
        return;
    json_begin(&j, target, JSON_DEPTH);
    json_object_begin(&j);
    while (next_member(w, &j, &name, &begin, &value))
        if ((e = members_find(&m, name)))
            e->found = value;

    json_begin(&j, target, JSON_DEPTH);
    json_object_begin(&j);
    while (next_member(w, &j, &name, &begin, &value)) {
        e = members_find(&m, name);
        trim_entry(&t, begin, value.p + value.n, e && is_null(e->value));
        if (!e || is_null(e->value) || e->found.p != value.p)
            continue;
        if (is_object(e->value) && is_object(value))
            merge_object(w, value, e->value);
        else
            splice(w->s, value.p, value.n, made_of_nothing(w, e->value));
    }
    trim_end(&t);
    append(w, &m, t.last_end ? t.last_end : target.p + 1, t.kept);
}

static enum edit_result merge_texts(struct arena *work, struct splices *s, struct slice patch, const struct edit_limits *l,
                                    struct buf *out, struct fault *f)
{
    struct merge w = { .arena = work, .s = s };
    struct json j;
    struct slice target;
    enum edit_result r;

    if ((r = edit_check(s->text, l->depth, EDIT_BAD_VALUE, "The value that is to be edited", f)) ||
        (r = edit_check(patch, l->depth, EDIT_BAD_PATCH, "The merge patch", f)))
        return r;
    json_begin(&j, patch, JSON_DEPTH);
    json_value(&j, &patch);
    json_begin(&j, s->text, JSON_DEPTH);
    json_value(&j, &target);
    if (is_object(patch) && is_object(target))
        merge_object(&w, target, patch);
    else
        splice(s, target.p, target.n, made_of_nothing(&w, patch));
    if (!w.failed && splices_size(s) > l->bytes)
        return edit_fault(f, EDIT_TOO_LARGE, "", "The result would have more than %zu bytes.", l->bytes);
    if (w.failed || (!splices_empty(s) && !splices_apply(s, out)))
        return edit_no_memory(f);
    return EDIT_OK;
}

enum edit_result json_merge_patch(struct arena *a, struct slice value, struct slice patch, const struct edit_limits *l,
                                  struct slice *ret, struct fault *f)
{
    struct arena *work = arena_new(SIZE_MAX); /* some 16 times the patch and once the value, by what is put into it */
    struct splices s = { .text = value };
    struct buf out = { 0 };
    struct slice result = value;
    enum edit_result r = work ? merge_texts(work, &s, patch, l, &out, f) : edit_no_memory(f);

    if (!r && !splices_empty(&s) && !(result = arena_slice(a, (struct slice){ out.p, out.n })).p)
        r = edit_no_memory(f);
    if (!r)
        *ret = result;
    splices_free(&s);
    buf_free(&out);
    arena_free(work);
    return r;
}
