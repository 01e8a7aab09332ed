#ifndef WEIR_ENGINE_AUDIT_H
#define WEIR_ENGINE_AUDIT_H

#include "gateway/engine/outbox.h"

/* The audit log: who did what to which resource, as the stream `_audit`. docs/audit.md
 *
 *     if ((e = audit_begin(db, f)))          BEGIN
 *         return e;
 *     e = …                                  any statements of db/, none of which begins or ends a transaction
 *     e = audit_end(audit, db, e, &record, f);  the record and COMMIT; or, when e is not OK, ROLLBACK
 *
 * So a record is there exactly when the operation was done. What others must hear of only afterwards (a cache to be emptied) comes
 * after audit_end. The outbox publishes the records. */
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

struct audit;
struct audit *audit_new(const struct config *c, struct outbox *outbox); /* both outlive it; NULL: no memory */
void audit_free(struct audit *a);                                       /* NULL-safe */

/* On the connection's thread, which blocks. */
enum err audit_begin(struct db *db, struct fault *f);
enum err audit_end(struct audit *a, struct db *db, enum err e, const struct audit_record *r, struct fault *f);
/* Instead of audit_end: nothing is kept of what was done, and nothing told. */
void audit_undo(struct db *db);

void audit_stream(const struct config *c, struct stream_row *ret); /* the settings of `_audit`, over the defaults */

#endif
