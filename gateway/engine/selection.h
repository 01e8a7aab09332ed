#ifndef WEIR_ENGINE_SELECTION_H
#define WEIR_ENGINE_SELECTION_H

#include "gateway/base/arena.h"
#include "gateway/base/err.h"

/* Which streams a reader of several wants: names, and patterns in which `*` is any run of characters. A pattern does not match
 * Weir's own streams (`_…`, `saga.…`, `….dlq`) unless it is written in the same form (`_*`, `saga.*`, `*.dlq`), as consumers of
 * other logs do not get internal topics by pattern. Pure; slices are the caller's. */
#define SELECTION_MAX 256 /* names and patterns together */

struct selection {
    struct slice *names, *patterns;
    size_t name_n, pattern_n;
};

/* Each text is a name or a pattern; repeated ones count once. The lists are in the arena. ERR_BAD_PARAMETER: none or too many. ERR_BAD_NAME. */
enum err selection_make(struct selection *s, struct arena *a, const struct slice *texts, size_t n, struct fault *f);
bool selection_names(const struct selection *s, struct slice name);   /* is it named? */
bool selection_covers(const struct selection *s, struct slice name);  /* does a pattern match it? */

#endif
