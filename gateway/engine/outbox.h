#ifndef WEIR_ENGINE_OUTBOX_H
#define WEIR_ENGINE_OUTBOX_H

#include "gateway/engine/commit.h"
#include "gateway/engine/streams.h"

/* Events that Weir itself publishes. Whoever does something writes what is to be told of it into weir.outbox in the same
 * transaction (db/outbox.h), so a row is there exactly when it was done. A relay on every gateway publishes the rows of each stream
 * in order under their ids, and removes them then: what dies in between makes a duplicate, which the log drops. So each comes once.
 *
 * The streams are made when there is first something to tell: `_audit` as audit_stream (audit.h) has it, the dead letters of each
 * stream, `<stream>.dlq`, and the history of each saga, `saga.<saga>`. What tells of a stream that was deleted goes with it. */

/* commit, streams and db_config outlive it. NULL: no memory. */
struct outbox;
struct outbox *outbox_start(const struct config *c, const struct db_config *db, struct commit *commit, struct streams *streams);
void outbox_stop(struct outbox *o); /* before the commit lanes; NULL-safe. What is not published is, by any gateway, later */

void outbox_wake(struct outbox *o); /* after a commit with rows for it; any thread. Without it they wait for OUTBOX_POLL_US */
#define OUTBOX_POLL_US (5 * US_PER_S)

#endif
