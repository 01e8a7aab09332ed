#ifndef WEIR_DB_TARGETS_H
#define WEIR_DB_TARGETS_H

#include "db/db.h"

/* A row of weir.saga_targets: a target of outbound calls and its circuit breaker (gateway/engine/breaker.h). Times are unix
 * microseconds by the database's clock; 0: none. */
struct target_row {
    struct slice target;
    int32_t state, failures, successes;
    int64_t opened_us, probe_owner, probe_until_us;
};

extern const struct stmt TARGETS_ADD, TARGETS_LOCK, TARGETS_SET, TARGETS_TROUBLED, TARGETS_REMOVE, TARGETS_PAGE;

/* All of them rows, in the order of their names, in the arena; ret_now_us: the database's clock. */
/* Those that are troubled: open, half-open, or with failures. */
enum err db_targets_troubled(struct db *db, struct arena *a, struct target_row **ret, size_t *ret_n, int64_t *ret_now_us,
                             struct fault *f);
enum err db_targets_page(struct db *db, struct arena *a, struct slice after, size_t limit, struct target_row **ret, size_t *ret_n,
                         int64_t *ret_now_us, struct fault *f);
/* Begins a transaction, adds those that are not known, locks the rows. Then db_targets_commit, or db_rollback. */
enum err db_targets_lock(struct db *db, struct arena *a, const struct slice *names, size_t n, struct target_row **ret,
                         size_t *ret_n, int64_t *ret_now_us, struct fault *f);
enum err db_targets_commit(struct db *db, struct arena *a, const struct target_row *changed, size_t n, struct fault *f);
/* Removes at most limit rows that were not written for so long; *ret_n: how many. */
enum err db_targets_remove(struct db *db, int64_t age_us, size_t limit, size_t *ret_n, struct fault *f);

#endif
