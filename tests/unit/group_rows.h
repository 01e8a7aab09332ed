#ifndef WEIR_TESTS_UNIT_GROUP_ROWS_H
#define WEIR_TESTS_UNIT_GROUP_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/arena.h"
#include "gateway/engine/group_state.h"

/* What PostgreSQL would hold of a group: changes are written as a lane writes them, and a state is loaded from it. */
enum { ROWS_PARTS = 3, ROWS_MAX = 512 };

struct group_rows {
    int64_t seq, lease_floor, next[ROWS_PARTS];
    struct retry_change retries[ROWS_MAX];
    size_t retries_n;
    struct lease_row leases[ROWS_MAX];
    size_t leases_n;
    struct skip_row skips[ROWS_MAX];
    size_t skips_n;
};

void rows_write(struct group_rows *t, const struct group_changes *c, const int64_t *next);
/* group_state_free */
struct group_state *rows_load(const struct group_rows *t, const struct group_row *def,
                              uint64_t (*key_of)(const struct group_place *at));
void rows_clear(struct group_rows *t);

#endif
