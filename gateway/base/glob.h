#ifndef WEIR_BASE_GLOB_H
#define WEIR_BASE_GLOB_H

#include "gateway/base/slice.h"

/* `*` matches any run of characters, everything else itself. Time is linear. */
bool glob_match(struct slice pattern, struct slice text);

#endif
