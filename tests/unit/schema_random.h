#ifndef WEIR_TESTS_SCHEMA_RANDOM_H
#define WEIR_TESTS_SCHEMA_RANDOM_H

#include "gateway/base/json_tree.h"

/* JSON Schemas and documents, drawn at random. One thread. */
enum { SCHEMA_DRAFTS = 5 };      /* 4, 6, 7, 2019-09, 2020-12 */

struct draw {
    struct buf *out;
    int draft;
    bool defaults;
};

extern uint64_t schema_seed;

unsigned schema_pick(unsigned n);                                              /* 0 to n - 1 */
void schema_draw(struct draw *d);
void schema_change(struct draw *d, const struct json_node *n, unsigned rate);  /* one place in `rate` or so is changed */
void schema_document(struct buf *b, const struct json_node *root, const struct json_node *s, int depth); /* mostly what s asks for */

#endif
