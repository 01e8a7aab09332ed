#ifndef WEIR_JSONSCHEMA_TREE_H
#define WEIR_JSONSCHEMA_TREE_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/err.h"

/* A JSON text as one array of nodes in the order of the text: a container, then what is in it; an object's entry is the node of
 * its name, then its value. Values stay bytes of the text. No object has two members of one name. */
enum node_type { T_NULL, T_FALSE, T_TRUE, T_INT, T_WHOLE, T_REAL, T_STRING, T_ARRAY, T_OBJECT, T_TYPES };

struct node {
    const char *p;               /* a number's text, a string's characters, where a container begins */
    uint32_t n;                  /* their bytes; entries of a container */
    uint32_t skip;               /* nodes of the whole value, itself included: the next sibling is that much further */
    uint32_t hash;               /* of a name: name_hash */
    uint8_t type;                /* T_INT: only digits; T_WHOLE: an integer written with a point or an exponent */
    bool escaped;                /* the characters are still escaped: see node_text */
};

struct tree {
    struct slice text;
    struct node *nodes;          /* the root first */
    uint32_t n, cap;
};

/* What evaluation may spend. `err` is OK until something gave out, and stays. */
struct toil {
    struct arena *arena;
    int64_t steps;
    enum err err;
};

static inline bool toil_spend(struct toil *t, int64_t n)
{
    t->steps -= n;
    if (__builtin_expect(t->steps < 0, 0) && !t->err)
        t->err = ERR_SCHEMA_LIMIT;
    return !t->err;
}

static inline uint32_t name_hash(const char *p, size_t n)
{
    uint64_t h = n * UINT64_C(0x9E3779B97F4A7C15), w = 0;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * UINT64_C(0xD6E8FEB86659FD93);
        h ^= h >> 32;
    }
    w = 0;
    if (n)
        memcpy(&w, p, n);
    h = (h ^ w) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(h >> 32);
}

static inline struct slice node_slice(const struct node *v)
{
    return (struct slice){ v->p, v->n };
}

static inline bool node_is(const struct node *v, struct slice s)
{
    return v->n == s.n && (!s.n || memcmp(v->p, s.p, s.n) == 0);
}

static inline bool node_is_number(const struct node *v)
{
    return v->type >= T_INT && v->type <= T_REAL;
}

/* ERR_BAD_JSON with a sentence, ERR_NO_MEMORY. `text` must outlive the tree. With `eager` all strings are unescaped at once, so
 * that nothing changes the tree later; names always are. */
enum err tree_build(struct tree *t, struct slice text, struct arena *a, bool eager, struct fault *f);
void tree_free(struct tree *t);
/* The JSON Pointer of a node; of a name that of its member. p == NULL: out of memory. */
struct slice tree_pointer(const struct tree *t, const struct node *v, struct arena *a);
const struct node *node_member(const struct node *object, struct slice name); /* its value, or NULL */

/* The characters of a string. */
bool node_unescape(struct toil *t, struct node *v);
static inline bool node_text(struct toil *t, struct node *v)
{
    return !v->escaped || node_unescape(t, v);
}

/* As JSON Schema means it: numbers by value, objects whatever the order. False as well when t->err is set. */
bool node_equal(struct toil *t, struct node *a, const struct node *b);
uint32_t node_hash(struct toil *t, struct node *v); /* equal values have equal ones */

#endif
