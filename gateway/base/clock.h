#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include "gateway/base/slice.h"
#include <stdint.h>

#define US_PER_S INT64_C(1000000)

/* Unix microseconds are the unit of every stored time, monotonic microseconds of every deadline. */
int64_t clock_unix_us(void);
int64_t clock_mono_us(void);

/* How far another machine's clock is ahead of ours, by asking it. The answer with the shortest way counts: of one that took long nobody
 * knows where the time went, on its way or here, before we looked at our own clock. Begins as CLOCK_SKEW_UNKNOWN. */
struct clock_skew {
    int64_t us;
    int64_t within_us; /* the way of the answer that counts: so much less than the truth us may be */
};
#define CLOCK_SKEW_UNKNOWN ((struct clock_skew){ 0, INT64_MAX })
/* Monotonic when it was asked, what it said, our own clock right after, monotonic after that. */
void clock_skew_take(struct clock_skew *s, int64_t asked_us, int64_t theirs_us, int64_t ours_us, int64_t looked_us);

/* "2026-01-31T23:59:59.000001Z": always 27 characters. */
#define CLOCK_TEXT 28
void clock_format(int64_t unix_us, char out[CLOCK_TEXT]);
bool clock_parse(struct slice s, int64_t *ret_unix_us); /* RFC 3339, any offset, up to 9 fraction digits; :60 as :59 */

/* "500ms" "30s" "5m" "12h" "7d" (and "0s"); false if malformed or above INT64_MAX us. */
bool duration_parse(struct slice s, int64_t *ret_us);
void duration_format(int64_t us, char out[32]); /* the largest unit that is exact */

/* PostgreSQL's timestamptz in binary: microseconds since 2000-01-01. */
#define PG_EPOCH_US INT64_C(946684800000000)

#endif
