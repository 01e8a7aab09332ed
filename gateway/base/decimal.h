#ifndef WEIR_BASE_DECIMAL_H
#define WEIR_BASE_DECIMAL_H

#include <stdint.h>

#include "gateway/base/slice.h"

/* A JSON number exactly as it was written: 0.d1d2d3… x 10^point, where d1 and the last digit are not 0; zero has no digits. The
 * digits stay in the text, where a point may stand among them. Pure; nothing is rounded. */
struct decimal {
    bool negative;
    bool vast;                   /* its exponent has more than 18 digits: `point` is only far out, to one side */
    int64_t point;
    const char *digits, *end;
};

struct decimal decimal_of(struct slice number);    /* a number of a valid JSON text, which has to outlive it */
int decimal_compare(const struct decimal *a, const struct decimal *b); /* < 0, 0, > 0; vast ones to one side are equal */
int decimal_order(struct slice a, struct slice b);                     /* the same, of two numbers as they are written */
bool decimal_equal(struct slice a, struct slice b);                    /* two numbers; vast ones only if written alike */
bool decimal_whole(const struct decimal *d);                           /* an integer in value */
size_t decimal_digits(const struct decimal *d);                        /* without the zeros at both ends */
/* Is d a multiple of `of`, which is not zero, not vast and has DECIMAL_DIVISOR digits at most? */
enum { DECIMAL_DIVISOR = 18 };
bool decimal_multiple(const struct decimal *d, const struct decimal *of);

#endif
