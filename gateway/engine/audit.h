#ifndef WEIR_ENGINE_AUDIT_H
#define WEIR_ENGINE_AUDIT_H

#include "gateway/engine/commit.h"
#include "gateway/engine/streams.h"

/* The audit log: who did what to which resource, as the stream `_audit`. docs/audit.md
 *
 *     if ((e = audit_begin(db, f)))          BEGIN
 *         return e;
 *     e = …                                  any statements of db/, none of which begins or ends a transaction
 *     e = audit_end(audit, db, e, &record, f);  the record and COMMIT; or, when e is not OK, ROLLBACK
 *
 * So a record is there exactly when the operation was done. What others must hear of only afterwards (a cache to be emptied) comes
 * after audit_end. A relay then publishes the records in order: once, whatever dies in between. */
#define AUDIT_STREAM "_audit"

struct audit_record {
    const char *type;              /* of the event: "StreamCreated"; NULL: nothing was changed, nothing is to be told */
    const char *operation;         /* operation id */
    struct slice resource;         /* its path: "/v1/streams/orders" */
    struct slice issuer, subject, token_id; /* who: claims of the token; empty: it had none */
    struct slice request_id, address;       /* address of the client; empty: not known */
    struct slice traceparent;      /* p == NULL: none */
    struct slice changes;          /* a JSON object, without secrets; p == NULL: none */
};

/* commit, streams and db_config outlive it. NULL: no memory. */
struct audit;
struct audit *audit_start(const struct config *c, const struct db_config *db, struct commit *commit, struct streams *streams);
void audit_stop(struct audit *a); /* before the commit lanes; NULL-safe. What is not published is, by any gateway, later */

/* On the connection's thread, which blocks. */
enum err audit_begin(struct db *db, struct fault *f);
enum err audit_end(struct audit *a, struct db *db, enum err e, const struct audit_record *r, struct fault *f);

#endif
