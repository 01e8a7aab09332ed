#ifndef WEIR_BASE_DECIMAL_SUM_H
#define WEIR_BASE_DECIMAL_SUM_H

#include "gateway/base/slice.h"

/* x + y, exactly, of two numbers of valid JSON texts. Written without exponent, with as many decimals as the one of the two that has more
 * (0.10 + 0.2 = 0.30, 1e3 + 1 = 1001, 1.5 - 1.5 = 0.0): so the same numbers give the same text in any order. Returns its length
 * in out; 0: the sum, or one of the two written out so, would have more than DECIMAL_SUM_DIGITS digits. Pure; nothing is rounded. */
enum { DECIMAL_SUM_DIGITS = 1000, DECIMAL_SUM_TEXT = DECIMAL_SUM_DIGITS + 3 };
size_t decimal_sum(struct slice x, struct slice y, char out[DECIMAL_SUM_TEXT]);

#endif
