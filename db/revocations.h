#ifndef WEIR_DB_REVOCATIONS_H
#define WEIR_DB_REVOCATIONS_H

#include "db/db.h"

/* A row of weir.revocations. Slices belong to the arena that they were read into; p == NULL: none. */
struct revocation_row {
    int64_t id;
    struct slice jti, sub, iss;
    int64_t issued_before_us; /* with sub */
    int64_t expires_us;
    struct slice reason;
    int64_t created_us;
    struct slice created_by;
};

extern const struct stmt REVOCATION_ADD, REVOCATION_REMOVE, REVOCATION_GET, REVOCATIONS_LIST, REVOCATIONS_VERSION, REVOCATIONS_ALL,
    REVOCATIONS_FORGET;

/* Gives the row its id and tells every gateway. *ret_id == 0: there are max of them already. */
enum err db_revocation_add(struct db *db, const struct revocation_row *r, int64_t max, int64_t *ret_id, struct fault *f);
enum err db_revocation_remove(struct db *db, int64_t id, struct fault *f); /* ERR_NOT_FOUND */
enum err db_revocation_get(struct db *db, struct arena *a, int64_t id, struct revocation_row *ret,
                           struct fault *f); /* ERR_NOT_FOUND */
/* Those after an id, in the order of their ids. */
enum err db_revocations_list(struct db *db, struct arena *a, int64_t after, int64_t limit, struct revocation_row **ret,
                             size_t *ret_n, struct fault *f);
/* Changes with every change of the list. */
enum err db_revocations_version(struct db *db, int64_t *ret_version, struct fault *f);
/* All that are in force (without id, reason and origin), and the version that this is. */
enum err db_revocations_all(struct db *db, struct arena *a, int64_t now_us, int64_t *ret_version, struct revocation_row **ret,
                            size_t *ret_n, struct fault *f);
/* Removes at most batch of those that are over. */
enum err db_revocations_forget(struct db *db, int64_t now_us, int64_t batch, int64_t *ret_forgotten, struct fault *f);

#endif
