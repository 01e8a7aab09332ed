#ifndef WEIR_JSONSCHEMA_PATTERN_H
#define WEIR_JSONSCHEMA_PATTERN_H

#include "gateway/base/err.h"
#include "gateway/jsonschema/tree.h"

/* Regular expressions of ECMA-262 (with the flag u, but any punctuation may be escaped), by PCRE2; what needs no backtracking
 * is matched without it. A pattern is immutable and for any number of threads. */
struct pattern;

/* In the arena, which frees what PCRE2 holds. ERR_BAD_BODY with a sentence; ERR_NO_MEMORY. */
enum err pattern_compile(struct slice text, struct arena *a, struct pattern **ret, struct fault *f);
size_t pattern_memory(const struct pattern *p); /* bytes outside of the arena */
/* Does it match anywhere in s? Costs steps by its length; false as well when t->err is set. */
struct matcher;
bool pattern_matches(const struct pattern *p, struct slice s, struct toil *t, struct matcher **m);
void matcher_free(struct matcher *m);           /* NULL-safe */
bool is_regex(struct slice s);                  /* the format */

#endif
