#ifndef WEIR_ENGINE_CONTRACTS_H
#define WEIR_ENGINE_CONTRACTS_H

#include "db/contracts.h"
#include "gateway/engine/schemas.h"

/* Contracts: which subjects a consumer reads, and with which schemas. A version of a subject keeps a contract when all that is written
 * under it can be read by the consumer's schema. A contract that is enforced refuses versions that do not. Functions that take a
 * struct db block; errors as those of schemas.h. docs/schema-contracts.md */
#define CONTRACT_BYTES ((size_t)16 << 20) /* of the schemas of one with all that they refer to */
#define CONTRACT_ARENA (8 * CONTRACT_BYTES) /* to make one of what was sent, and put it in the place of another */
#define CONTRACT_NAME 120                 /* bytes of a consumer's name */
#define CONTRACT_FINDINGS 3               /* of a version and a contract */

/* --- what is sent --- */
struct contract_wanted {
    struct schema_subject subject;
    struct schema_body body;      /* text.p == NULL: the version with this number, or 0: the latest */
};
struct contract_body {
    bool enforced;
    struct contract_wanted *v;
    size_t n;
};
/* A name: as of consumer groups. ERR_BAD_NAME */
enum err contract_name_check(struct slice consumer, struct fault *f);
/* Unknown members are passed over. ERR_BAD_JSON, ERR_BAD_BODY, ERR_REGISTRY. */
enum err contract_body_parse(const struct config *c, struct arena *a, struct slice consumer, struct slice text,
                             struct contract_body *ret, struct fault *f);
/* The contract as it is to be kept: schemas looked through, versions and references settled. */
enum err contract_prepare(const struct config *c, struct db *db, struct arena *a, struct slice consumer,
                          const struct contract_body *body, struct contract *ret, struct fault *f);

/* --- reading --- */
enum err contracts_get(struct db *db, struct arena *a, struct slice consumer, struct contract *ret, struct fault *f); /* n == 0: none */
enum err contracts_list(struct db *db, struct arena *a, struct slice after, int64_t limit, struct contract **ret, size_t *ret_n,
                        struct fault *f); /* their rows have subject and version alone */
enum err contracts_subjects(struct db *db, struct arena *a, const struct schema_subject *after, int64_t limit,
                            struct schema_subject **ret, size_t *ret_n, struct fault *f);
bool contract_same(const struct contract *x, const struct contract *y);

/* A contract and something that is written under a version of the subject that it reads. */
struct contract_verdict {
    struct slice consumer;
    bool enforced;
    bool compared;                /* false: no time was left */
    size_t n;                     /* findings; 0: it is kept. Their old schema is the version's, the new one the consumer's */
    struct compat_finding v[CONTRACT_FINDINGS];
};
/* Compares what row (with all it refers to, `whole`) writes with what each contract of its subject reads, in the order of consumers.
 * fn's texts live as long as the call; its first error ends it. A comparison that takes too much is a finding. */
enum err contracts_compare(struct db *db, const struct schema_row *row, const struct schema_text *whole, bool enforced,
                           struct comparison *with, enum err (*fn)(void *arg, const struct contract_verdict *v), void *arg,
                           struct fault *f);

/* --- changing: inside a transaction; each tells the stream _schemas; afterwards schemas_changed --- */
/* For who registers, under the lock of the subject: SCHEMA_BREAKS_CONTRACT names the first one that the candidate breaks.
 * SCHEMA_TOO_LARGE: it takes longer than registry.check_time, as with the next two. */
enum err contracts_check(struct db *db, struct arena *a, const struct schema_candidate *candidate, struct comparison *with,
                         struct fault *f);
/* For who puts an enforced one, under the locks of its subjects: the same of their latest versions. */
enum err contract_check_latest(const struct config *c, struct db *db, struct arena *a, const struct contract *k,
                               struct comparison *with, struct fault *f);
/* Rights: to all subjects that the contract reads until now. SCHEMA_BREAKS_CONTRACT, SCHEMA_NOT_PERMITTED: one too many. */
struct contract_rights {
    bool (*may)(void *arg, const struct schema_subject *s);
    void *arg;
};
enum err contracts_put(const struct config *c, struct db *db, struct arena *a, const struct contract *k, struct comparison *with,
                       struct contract_rights rights, bool *ret_created, struct fault *f); /* `with` is ended */
/* *ret: what it was. SCHEMA_NO_CONTRACT, also for who may see nothing of it. */
enum err contracts_delete(struct db *db, struct arena *a, struct slice consumer, struct contract_rights rights,
                          struct contract *ret, struct fault *f);

void contract_read_members(struct buf *b, struct arena *a, const struct contract_read *r, bool whole); /* "subject":…,… */

#endif
