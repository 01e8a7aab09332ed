#ifndef WEIR_DB_CONTRACTS_H
#define WEIR_DB_CONTRACTS_H

#include "db/schemas.h"

/* Contracts of consumers: weir.contracts and contract_reads. Slices are in the arena. */

/* What a contract reads of a subject. */
struct contract_read {
    struct schema_row row;    /* version: of the subject, whose schema was taken, or 0: one of its own; id 0 */
    struct slice documents;   /* all that it refers to: [{"name":…,"text":…}] */
};

struct contract {
    struct slice consumer;
    bool enforced;
    struct contract_read *reads; /* by context and subject, each once */
    size_t n;                 /* 0: there is no such contract */
};

extern const struct stmt CONTRACT_GET, CONTRACT_NEXT, CONTRACT_LIST, CONTRACT_SUBJECTS, CONTRACT_ROOM, CONTRACT_PUT, CONTRACT_EMPTY,
    CONTRACT_FILL, CONTRACT_DELETE;

enum err db_contract_get(struct db *db, struct arena *a, struct slice consumer, struct contract *ret, struct fault *f);
/* The next one, after a consumer, that reads a subject: with this read alone. */
enum err db_contract_next(struct db *db, struct arena *a, const struct schema_subject *s, struct slice after, bool enforced,
                          struct contract *ret, struct fault *f);
/* The next ones after a consumer, at most limit; of their rows only subject and version are set. */
enum err db_contract_list(struct db *db, struct arena *a, struct slice after, int64_t limit, struct contract **ret, size_t *ret_n,
                          struct fault *f);
enum err db_contract_subjects(struct db *db, struct arena *a, const struct schema_subject *after, int64_t limit,
                              struct schema_subject **ret, size_t *ret_n, struct fault *f);

/* Inside a transaction that has claimed the registry. Room: how many other contracts there are, and the most of them that read one of
 * its subjects. */
enum err db_contract_room(struct db *db, struct arena *a, const struct contract *c, int64_t *ret_contracts, int64_t *ret_readers,
                          struct fault *f);
enum err db_contract_put(struct db *db, struct arena *a, const struct contract *c, struct fault *f);
enum err db_contract_delete(struct db *db, struct slice consumer, struct fault *f);

#endif
