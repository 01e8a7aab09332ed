#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/json.h"
#include "gateway/base/json_edit_parts.h"
#include "gateway/base/json_pointer.h"
#include "gateway/base/utf8.h"

enum { POINTER_SHOWN = 300 };    /* bytes of a pointer in a sentence */
#define SHOWN(s) (int)utf8_cut((s).p, (s).n, POINTER_SHOWN), (s).p

enum kind { OP_ADD, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY, OP_TEST, OP_END };

static const struct {
    const char *name;
    bool from, value;            /* members that it needs besides `op` and `path` */
} kinds[OP_END] = {
    [OP_ADD] = { "add", false, true },
    [OP_REMOVE] = { "remove", false, false },
    [OP_REPLACE] = { "replace", false, true },
    [OP_MOVE] = { "move", true, false },
    [OP_COPY] = { "copy", true, false },
    [OP_TEST] = { "test", false, true },
};

struct operation {
    enum kind kind;
    size_t index;                /* in the patch */
    struct slice path, from;     /* JSON Pointers */
    struct slice value;
};

struct patcher {
    struct arena *arena;         /* for work; anew for each operation */
    const struct edit_limits *limits;
    struct fault *fault;
    struct slice text;           /* the value so far: as given, or in one of the two buffers */
    struct buf buffers[2];
    int spare;                   /* the buffer that the next text goes to */
    struct buf carried;          /* what is moved or copied */
};

static enum edit_result refuse(struct fault *f, enum edit_result r, size_t index, const char *member, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Points at the operation, or at a member of it. */
static enum edit_result refuse(struct fault *f, enum edit_result r, size_t index, const char *member, const char *fmt, ...)
{
    char pointer[64], text[800]; /* the fault cuts it between characters */
    va_list ap;

    snprintf(pointer, sizeof pointer, "/%zu%s%s", index, *member ? "/" : "", member);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return edit_fault(f, r, pointer, "%s", text);
}

/* ---- reading the patch ---- */

enum { M_OP, M_PATH, M_FROM, M_VALUE, MEMBERS };
static const char *const member_names[MEMBERS] = { "op", "path", "from", "value" };

static enum edit_result read_members(struct arena *a, struct json *j, size_t index, struct slice ret[MEMBERS], struct fault *f)
{
    struct slice name, value;
    bool escaped;

    while (json_object_next(j, &name, &escaped)) {
        if (!json_unescape(a, name, escaped, &name))
            return edit_no_memory(f);
        json_value(j, &value);
        for (int m = 0; m < MEMBERS; m++) {
            if (!slice_is(name, member_names[m]))
                continue;
            if (ret[m].p)
                return refuse(f, EDIT_BAD_PATCH, index, member_names[m], "The operation has `%s` twice.", member_names[m]);
            ret[m] = value;
        }
    }
    return EDIT_OK;
}

static enum edit_result read_string(struct arena *a, struct slice raw, size_t index, int member, struct slice *ret,
                                    struct fault *f)
{
    struct json j;
    struct slice inside;
    bool escaped;
    const char *name = member_names[member];

    if (!raw.p)
        return refuse(f, EDIT_BAD_PATCH, index, "", "The operation has no `%s`.", name);
    json_begin(&j, raw, 0);
    if (!json_scan_string(&j, &inside, &escaped))
        return refuse(f, EDIT_BAD_PATCH, index, name, "`%s` is a string.", name);
    if (!json_unescape(a, inside, escaped, ret))
        return edit_no_memory(f);
    if (member != M_OP && !json_pointer_valid(*ret))
        return refuse(f, EDIT_BAD_PATCH, index, name,
                      "This is no JSON Pointer (RFC 6901): it is empty or begins with `/`, and `~` is followed by 0 or 1.");
    return EDIT_OK;
}

static enum edit_result read_operation(struct arena *a, struct json *j, struct operation *op, struct fault *f)
{
    struct slice raw[MEMBERS] = { SLICE_NONE }, name;
    enum json_type type;
    enum edit_result r;

    json_peek(j, &type);
    if (type != JSON_OBJECT)
        return refuse(f, EDIT_BAD_PATCH, op->index, "", "An operation is an object.");
    json_object_begin(j);
    if ((r = read_members(a, j, op->index, raw, f)) || (r = read_string(a, raw[M_OP], op->index, M_OP, &name, f)))
        return r;
    while (op->kind < OP_END && !slice_is(name, kinds[op->kind].name))
        op->kind++;
    if (op->kind == OP_END)
        return refuse(f, EDIT_BAD_PATCH, op->index, "op", "An operation is add, remove, replace, move, copy or test.");
    if ((r = read_string(a, raw[M_PATH], op->index, M_PATH, &op->path, f)))
        return r;
    if (kinds[op->kind].from && (r = read_string(a, raw[M_FROM], op->index, M_FROM, &op->from, f)))
        return r;
    if (kinds[op->kind].value && !raw[M_VALUE].p)
        return refuse(f, EDIT_BAD_PATCH, op->index, "", "The operation has no `value`.");
    if (op->kind == OP_MOVE && json_pointer_inside(op->from, op->path))
        return refuse(f, EDIT_BAD_PATCH, op->index, "path", "A value cannot be moved into itself.");
    op->value = raw[M_VALUE];
    return EDIT_OK;
}

static enum edit_result read_patch(struct arena *a, struct slice patch, unsigned depth, struct operation *ops, size_t *ret_n,
                                   struct fault *f)
{
    struct json j;
    enum edit_result r;
    enum json_type type;
    size_t n = 0;

    if ((r = edit_check(patch, depth + 2, EDIT_BAD_PATCH, "The JSON Patch", f))) /* its array and its objects */
        return r;
    json_begin(&j, patch, JSON_DEPTH);
    json_peek(&j, &type);
    if (type != JSON_ARRAY)
        return edit_fault(f, EDIT_BAD_PATCH, "", "A JSON Patch is an array of operations (RFC 6902).");
    for (json_array_begin(&j); json_array_next(&j); n++) {
        if (n == EDIT_OPERATIONS_MAX)
            return edit_fault(f, EDIT_BAD_PATCH, "", "A JSON Patch has at most %d operations.", EDIT_OPERATIONS_MAX);
        ops[n] = (struct operation){ .index = n };
        if ((r = read_operation(a, &j, &ops[n], f)))
            return r;
    }
    *ret_n = n;
    return EDIT_OK;
}

/* ---- doing it ---- */

/* Makes the changed text the current one. */
static enum edit_result turn(struct patcher *w, const struct operation *op, struct splices *s)
{
    struct buf *out = &w->buffers[w->spare];
    enum edit_result r = EDIT_OK;

    buf_reset(out);
    if (splices_size(s) > w->limits->bytes)
        r = refuse(w->fault, EDIT_TOO_LARGE, op->index, "", "The result would have more than %zu bytes.", w->limits->bytes);
    else if (!splices_apply(s, out))
        r = edit_no_memory(w->fault);
    splices_free(s);
    if (r)
        return r;
    w->text = (struct slice){ out->p, out->n };
    w->spare = !w->spare;
    return EDIT_OK;
}

static enum edit_result check_depth(struct patcher *w, const struct operation *op, struct slice value)
{
    struct json j;
    struct slice raw;

    json_begin(&j, value, w->limits->depth - json_pointer_depth(op->path));
    return json_value(&j, &raw) ? EDIT_OK : refuse(w->fault, EDIT_TOO_LARGE, op->index, "",
                                                   "The result would be nested deeper than %u.", w->limits->depth);
}

static enum edit_result replace(struct patcher *w, const struct operation *op, struct slice old, struct slice value)
{
    struct splices s = { .text = w->text };
    enum edit_result r = check_depth(w, op, value);

    if (r)
        return r;
    splice(&s, old.p, old.n, value);
    return turn(w, op, &s);
}

static void put_name(struct splices *s, const char *at, struct slice token)
{
    struct buf name = { 0 }, quoted = { 0 };

    for (size_t i = 0; i < token.n; i++)
        buf_char(&name, token.p[i] != '~' ? token.p[i] : token.p[++i] == '0' ? '~' : '/');
    buf_json_string(&quoted, (struct slice){ name.p, name.n });
    s->fresh.failed |= name.failed || quoted.failed;
    splice(s, at, 0, (struct slice){ quoted.p, quoted.n });
    splice(s, at, 0, SLICE(":"));
    buf_free(&name);
    buf_free(&quoted);
}

static enum edit_result add(struct patcher *w, const struct operation *op, struct slice value)
{
    struct splices s = { .text = w->text };
    struct json_spot spot;
    enum edit_result r;
    bool in_object;

    if (!json_pointer_find(w->arena, w->text, op->path, &spot))
        return edit_no_memory(w->fault);
    if (!spot.value.p && !spot.parent.p)
        return refuse(w->fault, EDIT_NO_TARGET, op->index, "path", "There is no object or array that could take \"%.*s\".",
                      SHOWN(op->path));
    in_object = spot.parent.p && *spot.parent.p == '{';
    if (spot.value.p && (in_object || !spot.parent.p))
        return replace(w, op, spot.value, value);
    if ((r = check_depth(w, op, value)))
        return r;
    if (spot.behind)
        splice(&s, spot.insert, 0, SLICE(","));
    if (in_object)
        put_name(&s, spot.insert, json_pointer_last(op->path));
    splice(&s, spot.insert, 0, value);
    if (spot.before)
        splice(&s, spot.insert, 0, SLICE(","));
    return turn(w, op, &s);
}

/* The item, or all members of the name. */
static enum edit_result take_out(struct patcher *w, const struct operation *op, const char *member, struct slice pointer,
                                 const struct json_spot *spot)
{
    struct splices s = { .text = w->text };
    struct trim t = { .s = &s };
    struct slice token = json_pointer_last(pointer), name, value;
    struct json j;
    bool escaped;

    if (!spot->parent.p)
        return refuse(w->fault, EDIT_NO_TARGET, op->index, member, "The whole value cannot be removed.");
    json_begin(&j, spot->parent, JSON_DEPTH);
    if (*spot->parent.p == '[') {
        for (json_array_begin(&j); json_array_next(&j) && json_value(&j, &value);)
            trim_entry(&t, value.p, value.p + value.n, value.p == spot->value.p);
    } else {
        for (json_object_begin(&j); json_object_next(&j, &name, &escaped);) {
            const char *begin = name.p - 1;

            if (!json_unescape(w->arena, name, escaped, &name) || !json_value(&j, &value)) {
                s.list.failed = true;
                break;
            }
            trim_entry(&t, begin, value.p + value.n, json_token_is(token, name));
        }
    }
    trim_end(&t);
    return turn(w, op, &s);
}

static enum edit_result carry(struct patcher *w, const struct operation *op, const struct json_spot *spot)
{
    enum edit_result r;

    buf_reset(&w->carried);
    buf_slice(&w->carried, spot->value);
    if (w->carried.failed)
        return edit_no_memory(w->fault);
    if (op->kind == OP_MOVE && (r = take_out(w, op, "from", op->from, spot)))
        return r;
    return add(w, op, (struct slice){ w->carried.p, w->carried.n });
}

static enum edit_result test(struct patcher *w, const struct operation *op, struct slice found)
{
    bool failed, same = json_values_equal(w->arena, found, op->value, &failed);

    if (failed)
        return edit_no_memory(w->fault);
    if (!same)
        return refuse(w->fault, EDIT_TEST_FAILED, op->index, "", "What is at \"%.*s\" has another value.",
                      SHOWN(op->path));
    return EDIT_OK;
}

static enum edit_result do_operation(struct patcher *w, const struct operation *op)
{
    bool from = kinds[op->kind].from;
    struct slice pointer = from ? op->from : op->path;
    struct json_spot spot;

    if (op->kind == OP_ADD)
        return add(w, op, op->value);
    if (!json_pointer_find(w->arena, w->text, pointer, &spot))
        return edit_no_memory(w->fault);
    if (!spot.value.p)
        return refuse(w->fault, EDIT_NO_TARGET, op->index, from ? "from" : "path",
                      "There is nothing at \"%.*s\" in the data.", SHOWN(pointer));
    switch (op->kind) {
    case OP_REMOVE:
        return take_out(w, op, "path", pointer, &spot);
    case OP_REPLACE:
        return replace(w, op, spot.value, op->value);
    case OP_TEST:
        return test(w, op, spot.value);
    default:
        return op->kind == OP_MOVE && slice_eq(op->from, op->path) ? EDIT_OK : carry(w, op, &spot);
    }
}

static enum edit_result do_operations(struct patcher *w, const struct operation *ops, size_t n)
{
    enum edit_result r = EDIT_OK;

    for (size_t i = 0; i < n && !r; i++) {
        w->arena = arena_new(SIZE_MAX); /* takes no more than the text and the operation have bytes, some 16 times at worst */
        r = w->arena ? do_operation(w, &ops[i]) : edit_no_memory(w->fault);
        arena_free(w->arena);
    }
    return r;
}

enum edit_result json_patch(struct arena *a, struct slice value, struct slice patch, const struct edit_limits *l,
                            struct slice *ret, struct fault *f)
{
    struct patcher w = { .limits = l, .fault = f, .text = value };
    struct arena *read = arena_new(SIZE_MAX); /* strings of the patch: no more than it has bytes */
    struct operation *ops = read ? arena_alloc(read, EDIT_OPERATIONS_MAX * sizeof *ops) : NULL;
    struct slice result = value;
    enum edit_result r;
    size_t n = 0;

    if (!ops)
        r = edit_no_memory(f);
    else if (!(r = edit_check(value, l->depth, EDIT_BAD_VALUE, "The value that is to be edited", f)) &&
             !(r = read_patch(read, patch, l->depth, ops, &n, f)))
        r = do_operations(&w, ops, n);
    if (!r && w.text.p != value.p && !(result = arena_slice(a, w.text)).p)
        r = edit_no_memory(f);
    if (!r)
        *ret = result;
    buf_free(&w.buffers[0]);
    buf_free(&w.buffers[1]);
    buf_free(&w.carried);
    arena_free(read);
    return r;
}
