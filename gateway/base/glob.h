#ifndef WEIR_BASE_GLOB_H
#define WEIR_BASE_GLOB_H

#include "gateway/base/arena.h"

/* `*` matches any run of characters, everything else itself. Time is linear. */
bool glob_match(struct slice pattern, struct slice text);
/* The same as a pattern of SQL's LIKE, in the arena; p == NULL: out of memory. */
struct slice glob_like(struct arena *a, struct slice pattern);

#endif
