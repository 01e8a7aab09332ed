#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/decimal_sum.h"
#include "gateway/base/utf8.h"
#include "gateway/engine/fold_parts.h"

enum { SHOWN = 100, POINTER_BYTES = 64 << 10 };
#define SHOW(s) (int)utf8_cut((s).p, (s).n, SHOWN), (s).p

enum err fold_refuse(struct fault *f, const struct json_node *at, const char *fmt, ...)
{
    char text[2 * sizeof f->detail]; /* the fault cuts it between characters */
    struct arena *a = f ? arena_new(POINTER_BYTES) : NULL;
    struct slice pointer = a ? json_tree_pointer(at, a) : SLICE_NONE;
    va_list ap;

    if (pointer.p && pointer.n < sizeof f->pointer) {
        memcpy(f->pointer, pointer.p, pointer.n);
        f->pointer[pointer.n] = '\0';
    }
    arena_free(a);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fault(f, ERR_BAD_DEFINITION, "%s", text);
}

/* ---- the operations, as they are written ---- */

enum form { PATHS, ONE_PATH, TRUE_ALONE };   /* {"/p":value,…}, "/p", true */
enum { NUMBERS = 1, STRINGS = 2, OTHERS = 4, ANY = 7 };

static const struct {
    enum form form;
    unsigned literals;           /* that it can take */
    bool whole;                  /* its path may be "" */
} kinds[FOLD_KINDS] = {
    [FOLD_SET] = { PATHS, ANY, true },
    [FOLD_MERGE] = { PATHS, ANY, true },
    [FOLD_REMOVE] = { ONE_PATH, 0, false },
    [FOLD_INCREMENT] = { PATHS, NUMBERS, false },
    [FOLD_MIN] = { PATHS, NUMBERS | STRINGS, false },
    [FOLD_MAX] = { PATHS, NUMBERS | STRINGS, false },
    [FOLD_COUNT] = { ONE_PATH, 0, false },
    [FOLD_APPEND] = { PATHS, ANY, false },
    [FOLD_DELETE] = { TRUE_ALONE, 0, false },
};
const char *const fold_kind_names[FOLD_KINDS] = {
    [FOLD_SET] = "set", [FOLD_MERGE] = "merge", [FOLD_REMOVE] = "remove", [FOLD_INCREMENT] = "increment", [FOLD_MIN] = "min",
    [FOLD_MAX] = "max", [FOLD_COUNT] = "count", [FOLD_APPEND] = "append", [FOLD_DELETE] = "delete",
};

static enum err refuse_literal(struct fold_compiler *c, const struct json_node *at, enum fold_kind kind)
{
    return fold_refuse(c->fault, at, kind == FOLD_INCREMENT ? "`increment` takes a number." : "`%s` takes a number or a string.",
                       fold_kind_names[kind]);
}

static enum err check_literal(struct fold_compiler *c, const struct json_node *at, struct slice text, enum fold_kind kind)
{
    char sum[DECIMAL_SUM_TEXT];
    bool number = *text.p == '-' || (*text.p >= '0' && *text.p <= '9');
    unsigned is = number ? NUMBERS : *text.p == '"' ? STRINGS : OTHERS;

    if (!(kinds[kind].literals & is))
        return refuse_literal(c, at, kind);
    if (kind == FOLD_INCREMENT && !decimal_sum(SLICE("0"), text, sum))
        return fold_refuse(c->fault, at, "A number that is summed up has at most %d digits.", DECIMAL_SUM_DIGITS);
    return OK;
}

/* Literals that can never do are refused at once; what events bring is seen when they come. */
static enum err check_value(struct fold_compiler *c, const struct json_node *at, const struct fold_target *t, enum fold_kind kind)
{
    const struct fold_piece *p = t->value.piece;
    struct slice text = p->text.p ? p->text : p->fallback;

    if (!t->path.n && text.p && *text.p != '{')
        return fold_refuse(c->fault, at, "A state is an object.");
    if (kinds[kind].literals == ANY || !text.p)
        return OK;
    return t->value.n > 1 ? refuse_literal(c, at, kind) : check_literal(c, at, text, kind);
}

static enum err compile_target(struct fold_compiler *c, struct slice pointer, const struct json_node *at, struct json_node *value,
                               enum fold_kind kind, struct fold_target *ret)
{
    enum err e;

    *ret = (struct fold_target){ .value = { .n = 0 } };
    if (++c->targets > FOLD_OPERATIONS_MAX)
        return fold_refuse(c->fault, at, "A definition has at most %d operations, and paths in them.", FOLD_OPERATIONS_MAX);
    if ((e = fold_compile_path(c, pointer, at, &ret->path)))
        return e;
    if (!ret->path.n && !kinds[kind].whole)
        return fold_refuse(c->fault, at, "`%s` needs a path into the state, as /total.", fold_kind_names[kind]);
    if (value && !(e = fold_compile_value(c, value, &ret->value)))
        e = check_value(c, value, ret, kind);
    return e;
}

static enum err compile_cap(struct fold_compiler *c, const struct json_node *n, struct fold_operation *o)
{
    int64_t cap;

    if (n->type != JSON_NUMBER || !json_int64(n->text, &cap) || cap < 1 || cap > FOLD_CAP_MAX)
        return fold_refuse(c->fault, n, "`cap` is an integer from 1 to %d.", FOLD_CAP_MAX);
    o->cap = (uint32_t)cap;
    return OK;
}

static enum err compile_paths(struct fold_compiler *c, struct json_node *n, struct fold_operation *o)
{
    const char *name = fold_kind_names[o->kind];
    enum err e = OK;

    if (n->type != JSON_OBJECT)
        return fold_refuse(c->fault, n, "`%s` takes an object of paths and values, as {\"/total\": 1}.", name);
    if (!(o->target = arena_alloc(c->arena, (n->n + 1) * sizeof *o->target)))
        return ERR_NO_MEMORY;
    for (unsigned i = 0; i < n->n && !e; i++) {
        struct json_node *v = n->child[i];

        if (o->kind == FOLD_APPEND && slice_is(v->name, "cap"))
            e = compile_cap(c, v, o);
        else
            e = compile_target(c, v->name, v, v, o->kind, &o->target[o->target_n++]);
    }
    if (!e && !o->target_n)
        return fold_refuse(c->fault, n, "`%s` needs a path.", name);
    return e;
}

static enum err compile_kind(struct fold_compiler *c, struct json_node *n, struct fold_operation *o)
{
    switch (kinds[o->kind].form) {
    case PATHS:
        return compile_paths(c, n, o);
    case ONE_PATH:
        if (n->type != JSON_STRING)
            return fold_refuse(c->fault, n, "`%s` takes a JSON Pointer into the state.", fold_kind_names[o->kind]);
        o->target_n = 1;
        if (!(o->target = arena_alloc(c->arena, sizeof *o->target)))
            return ERR_NO_MEMORY;
        return compile_target(c, n->text, n, NULL, o->kind, o->target);
    case TRUE_ALONE:
        return n->type == JSON_TRUE ? OK : fold_refuse(c->fault, n, "`%s` takes true.", fold_kind_names[o->kind]);
    }
    return ERR_INTERNAL;
}

static enum err compile_conditions(struct fold_compiler *c, struct json_node *n, struct fold_operation *o)
{
    enum err e = OK;

    if (n->type != JSON_OBJECT)
        return fold_refuse(c->fault, n, "`if` takes an object of pointers into the event and values, as {\"/data/n\": 1}.");
    c->targets += n->n;
    if (c->targets > FOLD_OPERATIONS_MAX)
        return fold_refuse(c->fault, n, "A definition has at most %d operations, and paths in them.", FOLD_OPERATIONS_MAX);
    if (!(o->condition = arena_alloc(c->arena, (n->n + 1) * sizeof *o->condition)))
        return ERR_NO_MEMORY;
    for (unsigned i = 0; i < n->n && !e; i++) {
        struct fold_condition *d = &o->condition[o->condition_n++];

        e = fold_compile_source(c, n->child[i]->name, n->child[i], &d->source);
        if (!e)
            e = fold_compile_literal(c, n->child[i], &d->literal);
    }
    return e;
}

static enum err compile_operation(struct fold_compiler *c, struct json_node *n, struct fold_operation *o)
{
    struct json_node *body = NULL, *conditions = json_tree_get(n, "if");
    enum err e;

    *o = (struct fold_operation){ .kind = FOLD_KINDS, .node = n };
    if (n->type != JSON_OBJECT)
        return fold_refuse(c->fault, n, "An operation is an object, as {\"count\": \"/orders\"}.");
    for (unsigned i = 0; i < n->n; i++) {
        struct slice name = n->child[i]->name;
        enum fold_kind kind = FOLD_SET;

        if (n->child[i] == conditions)
            continue;
        while (kind < FOLD_KINDS && !slice_is(name, fold_kind_names[kind]))
            kind++;
        if (kind == FOLD_KINDS)
            return fold_refuse(c->fault, n->child[i], "There is no operation %.*s: set, merge, remove, increment, min, max, count, "
                               "append, delete.", SHOW(name));
        if (body)
            return fold_refuse(c->fault, n, "An operation has one member, besides `if`.");
        body = n->child[i];
        o->kind = kind;
    }
    if (!body)
        return fold_refuse(c->fault, n, "An operation has one of: set, merge, remove, increment, min, max, count, append, delete.");
    if ((e = compile_kind(c, body, o)))
        return e;
    return conditions ? compile_conditions(c, conditions, o) : OK;
}

/* ---- the definition ---- */

static enum err compile_entry(struct fold_compiler *c, struct json_node *n, struct fold_entry *entry)
{
    enum err e = OK;

    *entry = (struct fold_entry){ .pattern = n->name, .literal = !memchr(n->name.p, '*', n->name.n) };
    if (!n->name.n)
        return fold_refuse(c->fault, n, "The names of `on` are types of events; `*` in them is any run of characters.");
    if (n->type != JSON_ARRAY || !n->n)
        return fold_refuse(c->fault, n, "What is done on an event is an array of one or more operations.");
    c->fold->operation_n += n->n;
    if (c->fold->operation_n > FOLD_OPERATIONS_MAX)
        return fold_refuse(c->fault, n, "A definition has at most %d operations.", FOLD_OPERATIONS_MAX);
    if (!(entry->operation = arena_alloc(c->arena, n->n * sizeof *entry->operation)))
        return ERR_NO_MEMORY;
    for (; entry->operation_n < n->n && !e; entry->operation_n++)
        e = compile_operation(c, n->child[entry->operation_n], &entry->operation[entry->operation_n]);
    return e;
}

static enum err compile_on(struct fold_compiler *c, struct json_node *on)
{
    struct fold *fold = c->fold;
    enum err e = OK;

    if (!on->n)
        return fold_refuse(c->fault, on, "It has no type of event.");
    if (on->n > FOLD_ENTRIES_MAX)
        return fold_refuse(c->fault, on, "It has at most %d members.", FOLD_ENTRIES_MAX);
    fold->entry = arena_alloc(c->arena, on->n * sizeof *fold->entry);
    fold->types = arena_alloc(c->arena, on->n * sizeof *fold->types);
    if (!fold->entry || !fold->types)
        return ERR_NO_MEMORY;
    for (; fold->entry_n < on->n && !e; fold->entry_n++) {
        fold->types[fold->entry_n] = on->child[fold->entry_n]->name;
        e = compile_entry(c, on->child[fold->entry_n], &fold->entry[fold->entry_n]);
    }
    return e;
}

static enum err compile_key(struct fold_compiler *c, struct json_node *key)
{
    if (slice_is(key->text, "subject"))
        return fold_compile_source(c, SLICE("/subject"), key, &c->fold->key);
    if (!key->text.n || *key->text.p != '/')
        return fold_refuse(c->fault, key, "The key is \"subject\" or a JSON Pointer into the event, as /data/customer_id.");
    return fold_compile_source(c, key->text, key, &c->fold->key);
}

static enum err compile_indexes(struct fold_compiler *c, struct json_node *n)
{
    struct fold *fold = c->fold;
    struct fold_path path;
    enum err e;

    if (n->n > FOLD_INDEXES_MAX)
        return fold_refuse(c->fault, n, "A projection has at most %d indexes.", FOLD_INDEXES_MAX);
    for (unsigned i = 0; i < n->n; i++) {
        struct json_node *p = n->child[i];

        if ((e = fold_compile_path(c, p->text, p, &path)))
            return e;
        if (!path.n)
            return fold_refuse(c->fault, p, "An index is of something in the state, as /status.");
        int slot = fold_trie_add(c->arena, &fold->index, path.token, path.n, (int)fold->index_n);

        if (slot < 0)
            return ERR_NO_MEMORY;
        if ((size_t)slot != fold->index_n)
            return fold_refuse(c->fault, p, "This index is there already.");
        fold->indexes[fold->index_n++] = p->text;
    }
    return OK;
}

enum err fold_compile(struct arena *a, struct json_node *definition, struct fold **ret, struct fault *f)
{
    struct fold *fold = arena_zalloc(a, sizeof *fold);
    struct fold_compiler c = { .arena = a, .fold = fold, .fault = f };
    struct json_node *initial = json_tree_get(definition, "initial"), *indexes = json_tree_get(definition, "indexes");
    enum err e;

    if (!fold)
        return ERR_NO_MEMORY;
    fold->data.slot = fold->index.slot = -1;
    fold->initial = SLICE("{}");
    if (initial && (e = fold_compile_literal(&c, initial, &fold->initial)))
        return e;
    if ((e = compile_key(&c, json_tree_get(definition, "key"))) || (e = compile_on(&c, json_tree_get(definition, "on"))) ||
        (indexes && (e = compile_indexes(&c, indexes))))
        return e;
    *ret = fold;
    return OK;
}

const struct slice *fold_types(const struct fold *fold, size_t *ret_n)
{
    *ret_n = fold->entry_n;
    return fold->types;
}

struct slice fold_initial(const struct fold *fold)
{
    return fold->initial;
}
