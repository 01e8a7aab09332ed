#ifndef WEIR_JSONSCHEMA_PROGRAM_H
#define WEIR_JSONSCHEMA_PROGRAM_H

#include "gateway/base/decimal.h"
#include "gateway/jsonschema/format.h"
#include "gateway/jsonschema/keywords.h"
#include "gateway/jsonschema/pattern.h"

/* What a schema is compiled to: a block for each subschema that is reached. A block has a list of instructions for each class of
 * values, cheap ones first, and passes when all do. Made by compile*.c, run by eval*.c. */
enum op_code {
    OP_END,
    /* any value */
    OP_CONST, OP_ENUM, OP_CALL, OP_DYNAMIC, OP_ANY_OF, OP_ONE_OF, OP_NOT, OP_IF,
    /* numbers */
    OP_MAXIMUM, OP_EXCLUSIVE_MAXIMUM, OP_MINIMUM, OP_EXCLUSIVE_MINIMUM, OP_MULTIPLE_OF,
    /* strings */
    OP_MAX_LENGTH, OP_MIN_LENGTH, OP_FORMAT, OP_PATTERN,
    /* arrays and objects */
    OP_MAX_ENTRIES, OP_MIN_ENTRIES,
    OP_ITEMS, OP_CONTAINS, OP_UNIQUE, OP_UNEVALUATED_ITEMS,
    OP_MEMBERS, OP_NAMES, OP_DEPENDENT, OP_UNEVALUATED_PROPERTIES,
};

enum value_class { CLASS_PLAIN, CLASS_NUMBER, CLASS_STRING, CLASS_ARRAY, CLASS_OBJECT, CLASSES };

struct block;

struct op {
    uint8_t code, keyword;
    uint32_t n;                  /* a length or count */
    union {
        const struct block *block;
        const struct node *value;
        const struct bound *bound;
        const struct value_set *set;
        const struct pattern *pattern;
        const struct format *format;
        const struct members *members;
        const struct items *items;
        const struct contains *contains;
        const struct branches *branches;
        const struct choice *choice;
        const struct dependent *dependent;
        const struct dynamic *dynamic;
    } u;
    const struct node *at;       /* where it stands in the schema */
};

enum { TRACKS_ITEMS = 1, TRACKS_MEMBERS = 2, ENTERS = 4 }; /* ENTERS: its resource belongs to the dynamic scope */

struct block {
    uint16_t types;              /* of nodes that may pass: 1 << type; 0: the schema `false` */
    uint8_t flags;
    uint8_t role;                /* keyword that it is the value of, or stands in; K_END: the whole schema */
    uint32_t resource, number;
    const struct op *ops[CLASSES];
    const struct node *at, *type_at;
    const struct document *document;
};

struct bound {
    struct decimal decimal;
    int64_t small;
    bool is_small;               /* `small` is the very number */
};

/* A set of values: strings by hash, others one by one. */
struct value_set {
    uint16_t types;
    uint32_t mask, others;
    uint32_t longest;            /* bytes of the longest string */
    const struct node **strings; /* mask + 1 slots */
    const struct node **other;
};

struct property {
    struct slice name;           /* p == NULL: an empty slot */
    uint32_t hash;
    bool known, required;        /* known: in `properties` */
    const struct block *block;   /* NULL: whatever */
    const struct node *at;       /* in `required` */
};

struct name_pattern {
    const struct pattern *pattern;
    const struct block *block;
};

/* properties, patternProperties, additionalProperties and required in one go */
struct members {
    uint32_t mask, required, n_patterns;
    const struct property *table; /* mask + 1 slots; probed from the hash on */
    const struct name_pattern *patterns;
    const struct block *additional; /* NULL: whatever, and not looked at */
    const struct node *names;    /* of required, for findings; or NULL */
};

struct items {
    uint32_t n;
    const struct block *rest;    /* NULL: whatever, and not looked at */
    const struct block *prefix[];
};

struct contains {
    const struct block *block;
    uint32_t min, max;
    bool marks;                  /* 2020-12: what matches is evaluated */
    const struct node *min_at, *max_at;
};

struct branches {
    uint32_t n;
    const struct block *list[];
};

struct choice {
    const struct block *condition, *then, *otherwise;
};

/* If the object has the member, then it has the names and passes the block. */
struct dependent {
    struct slice name;
    const struct block *block;   /* or NULL */
    uint32_t n;
    const struct node *names;
};

/* $dynamicRef and $recursiveRef that can lead to several places. */
struct dynamic {
    const struct block *otherwise;
    uint32_t n;
    struct {
        uint32_t resource;
        const struct block *block;
    } *list;
};

struct document {
    struct document *next;
    struct slice uri;            /* "" of the schema itself without $id */
    struct tree tree;
};

struct jsonschema {
    struct arena *arena;         /* holds everything, this as well */
    const struct block *root;
    const struct document *document;
    enum draft draft;
    size_t memory;
};

/* Of a T_INT with SMALL bytes at most. */
enum { SMALL = 18 };
static inline int64_t small_integer(const struct node *v)
{
    bool negative = *v->p == '-';
    int64_t i = 0;

    for (uint32_t k = negative; k < v->n; k++)
        i = i * 10 + (v->p[k] - '0');
    return negative ? -i : i;
}

static inline enum value_class class_of(const struct node *v)
{
    static const uint8_t classes[T_TYPES] = {
        [T_INT] = CLASS_NUMBER,    [T_WHOLE] = CLASS_NUMBER, [T_REAL] = CLASS_NUMBER,
        [T_STRING] = CLASS_STRING, [T_ARRAY] = CLASS_ARRAY,  [T_OBJECT] = CLASS_OBJECT,
    };

    return (enum value_class)classes[v->type];
}

#endif
