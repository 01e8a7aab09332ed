#ifndef WEIR_BASE_JSON_TREE_H
#define WEIR_BASE_JSON_TREE_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/err.h"
#include "gateway/base/json.h"

/* A JSON text as a tree: in the order of the text, numbers as they were spelled, members found by name. For texts that are
 * read once and walked often (schemas); what is on the hot path scans (json.h). Everything is in the arena, some 100 bytes a
 * value; the text has to live as long. Read-only once built, but for `tag`. */
struct json_node {
    struct json_node *parent;
    struct json_node **child;    /* of an object or array, in order */
    struct json_node **by_name;  /* of an object: its children, ascending */
    struct slice name;           /* unescaped; of a member */
    struct slice text;           /* string: its characters; number: its spelling; else the raw text */
    unsigned n, index;           /* children; place in the parent */
    enum json_type type;
    unsigned tag;                /* for the caller's use; 0 */
};

/* ERR_BAD_JSON (malformed, nested deeper than max_depth, a member twice; with line, column or pointer), ERR_NO_MEMORY. */
enum err json_tree_parse(struct slice text, unsigned max_depth, struct arena *a, struct json_node **ret, struct fault *f);

/* NULL: no such member, or not an object. n may be NULL. */
struct json_node *json_tree_get(const struct json_node *n, const char *name);
struct json_node *json_tree_member(const struct json_node *n, struct slice name);
struct json_node *json_tree_at(struct json_node *root, struct slice pointer); /* RFC 6901; NULL: nothing there */
bool json_tree_is(const struct json_node *n, const char *string);             /* a string of these characters */
size_t json_tree_characters(const struct json_node *string);                  /* code points */

struct slice json_tree_pointer(const struct json_node *n, struct arena *a);   /* p == NULL: no memory */
void json_tree_write(const struct json_node *n, bool sorted, struct buf *out); /* compact; sorted: members by name, bytewise */
bool json_tree_equal(const struct json_node *x, const struct json_node *y);   /* by value: 1.0 equals 1, members in any order */

#endif
