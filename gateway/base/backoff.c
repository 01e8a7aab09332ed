#include <math.h>

#include "gateway/base/backoff.h"

/* xorshift64* (Vigna: An experimental exploration of Marsaglia's xorshift generators, 2016); 0 to 1. */
static double chance(uint64_t *random)
{
    uint64_t x = *random ? *random : 1;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *random = x;
    return (double)((x * 0x2545f4914f6cdd1du) >> 11) / (double)(UINT64_C(1) << 53);
}

int64_t backoff_us(int64_t initial_us, double factor, int64_t max_us, double jitter, int32_t n, uint64_t *random)
{
    double us = initial_us ? (double)initial_us * pow(factor, n - 1) : 0;

    if (!(us < (double)max_us)) /* infinity too */
        us = (double)max_us;
    us *= 1 + jitter * (2 * chance(random) - 1);
    return (int64_t)us;
}
