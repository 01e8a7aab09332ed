#ifndef WEIR_BASE_BACKOFF_H
#define WEIR_BASE_BACKOFF_H

#include <stdint.h>

/* How long to wait after the n-th failure (from 1): initial_us * factor^(n - 1), max_us at most, then give or take `jitter` (0 to 1) of it.
 * *random is any state, and moves on. Pure. */
int64_t backoff_us(int64_t initial_us, double factor, int64_t max_us, double jitter, int32_t n, uint64_t *random);

#endif
