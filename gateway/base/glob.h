#ifndef WEIR_BASE_GLOB_H
#define WEIR_BASE_GLOB_H

#include "gateway/base/slice.h"
#include <stdint.h>

/* `*` matches any run of characters, everything else itself. Linear in time but for |pattern| x |text| at worst. */
bool glob_match(struct slice pattern, struct slice text);

#endif
