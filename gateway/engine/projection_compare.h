#ifndef WEIR_ENGINE_PROJECTION_COMPARE_H
#define WEIR_ENGINE_PROJECTION_COMPARE_H

#include "db/projection_checks.h"
#include "gateway/engine/projection_body.h"

/* What a check finds when it looks at the states of both builds, key by key. Not thread-safe. */
struct comparison {
    const struct projection_definition *def;
    size_t parts;                /* partitions of all streams */
    int64_t checked, drifted, order_dependent;
    struct buf drift, order;     /* the first of them: JSON objects with commas between */
};

/* A key in which they differ by value is drift, unless several partitions have touched it and the order of their events matters.
 * ERR_NO_MEMORY. */
enum err comparison_add(struct comparison *c, const struct check_pair *pair);
/* {"drift":[…],"order_dependent":[…]} */
bool comparison_result(const struct comparison *c, struct arena *a, struct slice *ret);
void comparison_free(struct comparison *c);

#endif
