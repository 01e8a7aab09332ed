#ifndef WEIR_ENGINE_FOLD_PARTS_H
#define WEIR_ENGINE_FOLD_PARTS_H

#include "gateway/engine/fold.h"

/* What the files of the fold share; nobody else includes this. */

/* ---- pointers (fold_pointer.c) ---- */

struct fold_token {
    struct slice name;           /* its characters */
    struct slice raw;            /* as a JSON string, with its quotes */
    uint32_t index;              /* FOLD_NO_INDEX: it is none; FOLD_BEHIND: `-` */
};
#define FOLD_NO_INDEX UINT32_MAX
#define FOLD_BEHIND (UINT32_MAX - 1)

struct fold_path {
    struct slice pointer;        /* as it is written */
    struct fold_token *token;
    size_t n;
};
/* pointer is valid (json_pointer_valid) and has FOLD_POINTER_TOKENS at most. false: out of memory. */
bool fold_path_make(struct arena *a, struct slice pointer, struct fold_path *ret);

/* Several pointers that are followed in one walk over a text. */
struct fold_trie {
    struct fold_token token;     /* that leads here */
    int slot;                    /* of the pointer that ends here; -1: none does */
    struct fold_trie *child, *next;
};
/* Returns `slot`, or the one that this pointer has already; -1: out of memory. */
int fold_trie_add(struct arena *a, struct fold_trie *root, const struct fold_token *token, size_t n, int slot);
/* What leads to something in the valid text is set in found[slot], of repeated members the last one; the others stay. false: out of memory. */
bool fold_trie_find(const struct fold_trie *root, struct slice text, struct arena *a, struct slice *found);

/* ---- values of the event (fold_read.c) ---- */

enum fold_attribute {
    FOLD_SPECVERSION, FOLD_ID, FOLD_SOURCE, FOLD_TYPE, FOLD_SUBJECT, FOLD_STREAM, FOLD_PARTITION, FOLD_OFFSET, FOLD_RECORDEDTIME,
    FOLD_VERSION, FOLD_DATA, FOLD_DATA_BASE64,
    FOLD_OTHER,                  /* by name among event.attributes */
};

/* A pointer into the event. */
struct fold_source {
    struct slice pointer;
    enum fold_attribute attribute;
    struct slice needle;         /* FOLD_OTHER: "name": */
    size_t slot;                 /* FOLD_DATA: among the event's `data` */
};
/* As JSON text without white space between its tokens; p == NULL: it leads to nothing. false: out of memory. */
bool fold_source_value(const struct fold_source *s, const struct fold_event *event, struct arena *a, struct slice *ret);

/* A value of the definition: literal text with places in it that are the event's. */
struct fold_piece {
    struct slice text;           /* p == NULL: the source's */
    struct fold_source source;
    struct slice fallback;       /* `default`; p == NULL: none */
};
struct fold_value {
    struct fold_piece *piece;
    size_t n;
};

/* ---- the compiled definition (fold_compile.c) ---- */

enum fold_kind {
    FOLD_SET, FOLD_MERGE, FOLD_REMOVE, FOLD_INCREMENT, FOLD_MIN, FOLD_MAX, FOLD_COUNT, FOLD_APPEND, FOLD_DELETE, FOLD_KINDS
};

struct fold_target {
    struct fold_path path;
    struct fold_value value;     /* without pieces: the operation has none */
};

struct fold_condition {
    struct fold_source source;
    struct slice literal;
};

struct fold_operation {
    enum fold_kind kind;
    const struct json_node *node;/* in the definition */
    struct fold_condition *condition;
    size_t condition_n;
    struct fold_target *target;  /* in order; `delete` has none */
    size_t target_n;
    uint32_t cap;                /* FOLD_APPEND: items that stay; 0: all */
};

struct fold_entry {
    struct slice pattern;
    bool literal;                /* a pattern without `*` */
    struct fold_operation *operation;
    size_t operation_n;
};

struct fold {
    struct fold_source key;
    struct slice initial;
    struct fold_entry *entry;    /* in order */
    size_t entry_n, operation_n;
    struct slice *types;         /* the patterns of the entries */
    struct fold_trie data;       /* all that is read of the event's data */
    size_t data_n;
    struct fold_trie index;      /* slots: places in `indexes` */
    struct slice indexes[FOLD_INDEXES_MAX];
    size_t index_n;
};
extern const char *const fold_kind_names[FOLD_KINDS];

enum err fold_refuse(struct fault *f, const struct json_node *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Of values (fold_compile_value.c): ERR_BAD_DEFINITION, ERR_NO_MEMORY. */
struct fold_compiler {
    struct arena *arena;
    struct fold *fold;
    struct fault *fault;
    size_t targets;              /* so far */
};
enum err fold_compile_source(struct fold_compiler *c, struct slice pointer, const struct json_node *at, struct fold_source *ret);
enum err fold_compile_path(struct fold_compiler *c, struct slice pointer, const struct json_node *at, struct fold_path *ret);
enum err fold_compile_value(struct fold_compiler *c, struct json_node *n, struct fold_value *ret);
/* The compact text of a literal. */
enum err fold_compile_literal(struct fold_compiler *c, const struct json_node *n, struct slice *ret);

/* ---- a state in memory (fold_tree.c) ---- */

/* A value. What no operation goes into stays its text. The children stand in one array, and so do the names of an object's members. */
struct fold_node {
    enum fold_form { FOLD_TEXT, FOLD_OBJECT, FOLD_ARRAY } form;
    uint32_t n, room;            /* children */
    union {
        struct slice text;       /* p == NULL: a place that has no value yet */
        struct {
            struct fold_node *child;
            struct fold_name {
                struct slice raw, name; /* with quotes as it is written; its characters */
            } *name;
        };
    };
};

/* How one change is taken back. */
struct fold_undo {
    struct fold_node *node;
    struct fold_node old;        /* what the node was, */
    struct fold_name name;       /* or, of what was taken out of the node: */
    uint32_t index;              /* FOLD_NO_INDEX: the former */
};

struct fold_tree {
    struct arena *arena;
    struct fold_node root;
    size_t bytes, max_bytes;     /* of its text; as a limit */
    struct fold_undo *undo;      /* since the event began */
    size_t undo_n, undo_room;
    bool failed;                 /* out of memory */
};

enum fold_reach { FOLD_THERE, FOLD_NOTHING, FOLD_BLOCKED, FOLD_NO_ITEM };
/* Follows the path. make: what is missing on the way is made, and its last place, without a value; never FOLD_NOTHING then. FOLD_BLOCKED: there
 * is a scalar on the way. FOLD_NO_ITEM: an index that no item has. *ret_parent: of the node; NULL: it is the root. */
enum fold_reach fold_reach(struct fold_tree *t, const struct fold_path *path, bool make, struct fold_node **ret,
                           struct fold_node **ret_parent);
void fold_put(struct fold_tree *t, struct fold_node *n, struct slice text);      /* compact JSON, which lives as long as the arena */
void fold_take_out(struct fold_tree *t, struct fold_node *parent, const struct fold_path *path, struct fold_node *n);
void fold_append(struct fold_tree *t, struct fold_node *array, struct slice text, uint32_t cap); /* array: null, nothing or an array */
bool fold_merge(struct fold_tree *t, struct fold_node *n, struct slice patch);   /* RFC 7396; false: nested too deep, or no memory */
struct slice fold_node_text(struct fold_tree *t, const struct fold_node *n);     /* p == NULL: out of memory, or no value */
void fold_roll_back(struct fold_tree *t);

#endif
