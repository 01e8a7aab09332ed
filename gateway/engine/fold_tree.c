#include "gateway/base/json_edit.h"
#include "gateway/engine/fold_parts.h"

enum { FIRST_ROOM = 4, FIRST_UNDO = 16, MERGE_MEMBERS = 32, MERGE_DEPTH = 16 };

static void *more(struct fold_tree *t, size_t n)
{
    void *p = t->failed ? NULL : arena_alloc(t->arena, n);

    t->failed = !p;
    return p;
}

/* ---- size and text ---- */

static size_t size_of(const struct fold_node *n)
{
    size_t size = 2 + n->n - (n->n > 0);

    if (n->form == FOLD_TEXT)
        return n->text.n;
    for (uint32_t i = 0; i < n->n; i++)
        size += size_of(&n->child[i]) + (n->form == FOLD_OBJECT ? n->name[i].raw.n + 1 : 0);
    return size;
}

static char *put(char *out, struct slice s)
{
    memcpy(out, s.p, s.n);
    return out + s.n;
}

static char *write_node(char *out, const struct fold_node *n)
{
    bool object = n->form == FOLD_OBJECT;

    if (n->form == FOLD_TEXT)
        return put(out, n->text);
    *out++ = object ? '{' : '[';
    for (uint32_t i = 0; i < n->n; i++) {
        if (i)
            *out++ = ',';
        if (object) {
            out = put(out, n->name[i].raw);
            *out++ = ':';
        }
        out = write_node(out, &n->child[i]);
    }
    *out++ = object ? '}' : ']';
    return out;
}

struct slice fold_node_text(struct fold_tree *t, const struct fold_node *n)
{
    struct slice s = { NULL, size_of(n) };
    char *out;

    if (n->form == FOLD_TEXT)
        return n->text;
    if (!(out = more(t, s.n)))
        return SLICE_NONE;
    write_node(out, n);
    s.p = out;
    return s;
}

/* ---- taking back ---- */

static struct fold_undo *note(struct fold_tree *t, struct fold_node *n)
{
    struct fold_undo *v = t->undo;
    size_t room = t->undo_room ? t->undo_room * 2 : FIRST_UNDO;

    if (t->undo_n == t->undo_room) {
        if (!(v = more(t, room * sizeof *v)))
            return NULL;
        if (t->undo_n)
            memcpy(v, t->undo, t->undo_n * sizeof *v);
        t->undo = v;
        t->undo_room = room;
    }
    v = &t->undo[t->undo_n++];
    *v = (struct fold_undo){ .node = n, .old = *n, .index = FOLD_NO_INDEX };
    return v;
}

static void put_back(const struct fold_undo *u)
{
    struct fold_node *n = u->node;
    size_t behind = n->n - u->index;

    memmove(&n->child[u->index + 1], &n->child[u->index], behind * sizeof *n->child);
    n->child[u->index] = u->old;
    if (n->form == FOLD_OBJECT) {
        memmove(&n->name[u->index + 1], &n->name[u->index], behind * sizeof *n->name);
        n->name[u->index] = u->name;
    }
    n->n++;
}

/* Last first: an array that was outgrown still holds what it held then. */
void fold_roll_back(struct fold_tree *t)
{
    while (t->undo_n) {
        const struct fold_undo *u = &t->undo[--t->undo_n];

        if (u->index == FOLD_NO_INDEX)
            *u->node = u->old;
        else
            put_back(u);
    }
}

/* ---- children ---- */

static bool make_room(struct fold_tree *t, struct fold_node *n)
{
    uint32_t room = n->n < FIRST_ROOM ? FIRST_ROOM : n->n * 2;
    struct fold_node *child;
    struct fold_name *name = NULL;

    if (n->n < n->room)
        return true;
    if (!(child = more(t, room * sizeof *child)) || (n->form == FOLD_OBJECT && !(name = more(t, room * sizeof *name))))
        return false;
    if (n->n)
        memcpy(child, n->child, n->n * sizeof *child);
    if (n->n && name)
        memcpy(name, n->name, n->n * sizeof *name);
    n->child = child;
    n->name = name;
    n->room = room;
    return true;
}

/* A text whose children are needed becomes a node with children; neither size nor value change. */
static bool open_node(struct fold_tree *t, struct fold_node *n)
{
    struct fold_node made = { .form = FOLD_TEXT };
    struct slice inside = SLICE_NONE, name = SLICE_NONE;
    struct json j;
    bool escaped = false, object;

    if (n->form != FOLD_TEXT)
        return true;
    if (!n->text.p || (*n->text.p != '{' && *n->text.p != '['))
        return false;
    object = *n->text.p == '{';
    made.form = object ? FOLD_OBJECT : FOLD_ARRAY;
    json_begin(&j, n->text, JSON_DEPTH);
    if (object)
        json_object_begin(&j);
    else
        json_array_begin(&j);
    while (object ? json_object_next(&j, &inside, &escaped) : json_array_next(&j)) {
        name = inside;
        if (!make_room(t, &made))
            return false;
        if (escaped && !json_unescape(t->arena, inside, escaped, &name)) {
            t->failed = true;
            return false;
        }
        if (object)
            made.name[made.n] = (struct fold_name){ { inside.p - 1, inside.n + 2 }, name };
        made.child[made.n].form = FOLD_TEXT;
        json_value(&j, &made.child[made.n].text);
        made.n++;
    }
    *n = made;
    return true;
}

static struct fold_node *add_child(struct fold_tree *t, struct fold_node *n, const struct fold_token *name)
{
    if (!note(t, n) || !make_room(t, n))
        return NULL;
    t->bytes += n->n > 0;
    if (n->form == FOLD_OBJECT) {
        n->name[n->n] = (struct fold_name){ name->raw, name->name };
        t->bytes += name->raw.n + 1;
    }
    n->child[n->n] = (struct fold_node){ .form = FOLD_TEXT };
    return &n->child[n->n++];
}

/* The last one counts. */
static struct fold_node *member(const struct fold_node *n, struct slice name)
{
    for (uint32_t i = n->n; i--;)
        if (slice_eq(n->name[i].name, name))
            return &n->child[i];
    return NULL;
}

static bool is_nothing(const struct fold_node *n)
{
    return n->form == FOLD_TEXT && (!n->text.p || *n->text.p == 'n');
}

static void become_empty(struct fold_tree *t, struct fold_node *n, enum fold_form form)
{
    if (!note(t, n))
        return;
    t->bytes = t->bytes - size_of(n) + 2;
    *n = (struct fold_node){ .form = form };
}

/* ---- what operations are made of ---- */

static enum fold_reach reach_item(struct fold_tree *t, struct fold_node *array, const struct fold_token *k, bool make,
                                  struct fold_node **ret)
{
    uint32_t index = k->index == FOLD_BEHIND ? array->n : k->index;

    if (index > array->n || (index == array->n && !make))
        return make ? FOLD_NO_ITEM : FOLD_NOTHING;
    *ret = index < array->n ? &array->child[index] : add_child(t, array, k);
    return *ret ? FOLD_THERE : FOLD_BLOCKED;
}

static enum fold_reach reach_member(struct fold_tree *t, struct fold_node *object, const struct fold_token *k, bool make,
                                    struct fold_node **ret)
{
    *ret = member(object, k->name);
    if (!*ret && !make)
        return FOLD_NOTHING;
    if (!*ret)
        *ret = add_child(t, object, k);
    return *ret ? FOLD_THERE : FOLD_BLOCKED;
}

enum fold_reach fold_reach(struct fold_tree *t, const struct fold_path *path, bool make, struct fold_node **ret,
                           struct fold_node **ret_parent)
{
    struct fold_node *n = &t->root;
    enum fold_reach r;

    *ret_parent = NULL;
    for (size_t i = 0; i < path->n; i++) {
        if (make && is_nothing(n))
            become_empty(t, n, FOLD_OBJECT);
        if (!open_node(t, n))
            return FOLD_BLOCKED;
        *ret_parent = n;
        r = n->form == FOLD_OBJECT ? reach_member(t, n, &path->token[i], make, &n) : reach_item(t, n, &path->token[i], make, &n);
        if (r)
            return r;
    }
    *ret = n;
    return FOLD_THERE;
}

void fold_put(struct fold_tree *t, struct fold_node *n, struct slice text)
{
    if (!note(t, n))
        return;
    t->bytes = t->bytes - size_of(n) + text.n;
    *n = (struct fold_node){ .form = FOLD_TEXT };
    n->text = text;
}

static void take_out(struct fold_tree *t, struct fold_node *n, uint32_t index)
{
    struct fold_undo *u = note(t, n);
    size_t behind = n->n - index - 1;

    if (!u)
        return;
    u->index = index;
    u->old = n->child[index];
    t->bytes -= size_of(&u->old) + (n->n > 1);
    memmove(&n->child[index], &n->child[index + 1], behind * sizeof *n->child);
    if (n->form == FOLD_OBJECT) {
        u->name = n->name[index];
        t->bytes -= u->name.raw.n + 1;
        memmove(&n->name[index], &n->name[index + 1], behind * sizeof *n->name);
    }
    n->n--;
}

static void take_out_all(struct fold_tree *t, struct fold_node *object, struct slice name)
{
    for (uint32_t i = object->n; i-- && !t->failed;)
        if (slice_eq(object->name[i].name, name))
            take_out(t, object, i);
}

void fold_take_out(struct fold_tree *t, struct fold_node *parent, const struct fold_path *path, struct fold_node *n)
{
    if (parent->form == FOLD_ARRAY)
        take_out(t, parent, (uint32_t)(n - parent->child));
    else
        take_out_all(t, parent, path->token[path->n - 1].name);
}

void fold_append(struct fold_tree *t, struct fold_node *array, struct slice text, uint32_t cap)
{
    struct fold_node *item;

    if (is_nothing(array))
        become_empty(t, array, FOLD_ARRAY);
    if (t->failed || !open_node(t, array) || !(item = add_child(t, array, NULL)))
        return;
    fold_put(t, item, text);
    if (!cap || array->n <= cap || !note(t, array))
        return;
    for (; array->n > cap; array->n--, array->room--) {
        t->bytes -= size_of(array->child) + 1;
        array->child++;
    }
}

/* ---- merging ---- */

/* As a text, where there is too much to look for one by one. */
static bool merge_text(struct fold_tree *t, struct fold_node *n, struct slice patch)
{
    const struct edit_limits limits = { JSON_DEPTH, SIZE_MAX };
    struct slice old = is_nothing(n) ? SLICE("null") : fold_node_text(t, n), merged;
    enum edit_result r = old.p ? json_merge_patch(t->arena, old, patch, &limits, &merged, NULL) : EDIT_NO_MEMORY;

    t->failed = t->failed || r == EDIT_NO_MEMORY;
    if (!r)
        fold_put(t, n, merged);
    return !r;
}

struct merge_member {
    struct fold_token token;
    struct slice value;
};

/* false: too many, or one twice. */
static bool merge_members(struct fold_tree *t, struct slice patch, struct merge_member *ret, uint32_t *ret_n)
{
    struct slice inside, name, value;
    struct json j;
    bool escaped;

    *ret_n = 0;
    json_begin(&j, patch, JSON_DEPTH);
    json_object_begin(&j);
    while (json_object_next(&j, &inside, &escaped)) {
        if (*ret_n == MERGE_MEMBERS || !json_unescape(t->arena, inside, escaped, &name))
            return false;
        for (uint32_t i = 0; i < *ret_n; i++)
            if (slice_eq(ret[i].token.name, name))
                return false;
        json_value(&j, &value);
        ret[(*ret_n)++] = (struct merge_member){ { .name = name, .raw = { inside.p - 1, inside.n + 2 } }, value };
    }
    return !j.error;
}

static bool merge(struct fold_tree *t, struct fold_node *n, struct slice patch, int depth)
{
    struct merge_member members[MERGE_MEMBERS];
    struct fold_node *child;
    uint32_t count;
    bool ok = true;

    if (*patch.p != '{') {
        fold_put(t, n, patch);
        return true;
    }
    if (depth == MERGE_DEPTH || !merge_members(t, patch, members, &count))
        return merge_text(t, n, patch);
    if (n->form == FOLD_ARRAY || (n->form == FOLD_TEXT && (!n->text.p || *n->text.p != '{')))
        become_empty(t, n, FOLD_OBJECT);
    if (!open_node(t, n))
        return false;
    for (uint32_t i = 0; i < count && ok && !t->failed; i++) {
        if (*members[i].value.p == 'n') {
            take_out_all(t, n, members[i].token.name);
            continue;
        }
        child = member(n, members[i].token.name);
        child = child ? child : add_child(t, n, &members[i].token);
        ok = child && merge(t, child, members[i].value, depth + 1);
    }
    return ok;
}

bool fold_merge(struct fold_tree *t, struct fold_node *n, struct slice patch)
{
    return merge(t, n, patch, 0);
}
