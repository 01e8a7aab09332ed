#ifndef WEIR_TESTS_EDIT_FIXTURE_H
#define WEIR_TESTS_EDIT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/json_edit.h"

/* What the last call left; good until the next one. */
struct edited {
    struct arena *arena;
    struct buf value, patch;     /* copies of exactly their size, so that AddressSanitizer sees a read beyond */
    struct slice text;
    struct fault fault;
};
extern struct edited edited;
extern struct edit_limits edit_limits;   /* depth 8, 4,096 bytes */

typedef enum edit_result edit_fn(struct arena *a, struct slice value, struct slice patch, const struct edit_limits *l,
                                 struct slice *ret, struct fault *f);

enum edit_result edit(edit_fn *fn, struct slice value, struct slice patch);
void assert_edited(edit_fn *fn, const char *value, const char *patch, const char *want); /* byte by byte */
void assert_not_edited(edit_fn *fn, const char *value, const char *patch, enum edit_result want, const char *pointer,
                       const char *words);
int edited_free(void **state);

/* The same edits on values, by another library's parser: the oracle. NULL: it refuses. */
struct json_t *oracle_read(struct slice text);
struct json_t *oracle_merge(struct slice value, struct slice patch);
struct json_t *oracle_patch(struct slice value, struct slice patch);
bool oracle_unique(struct slice text); /* has no object two members of one name? */
bool oracle_same(struct json_t *x, struct json_t *y); /* takes both */

/* Reproducible random texts, with all that is allowed: white space, members of one name, escapes, spellings of numbers. */
extern unsigned edit_seed;
int edit_pick(int n);
void random_value(struct buf *b, int depth);
void random_merge_patch(struct buf *b, int depth);
void random_patch(struct buf *b, struct slice value, int operations); /* 1 to so many; most pointers lead somewhere */

#endif
