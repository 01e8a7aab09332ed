#ifndef WEIR_ENGINE_PROJECTION_CHECKS_H
#define WEIR_ENGINE_PROJECTION_CHECKS_H

#include "db/projection_checks.h"
#include "gateway/base/buf.h"
#include "gateway/engine/projections.h"

/* Verifying projections: a scratch build folds the same events; when it is nearly there, what is read is held until it is, both are seen by
 * one snapshot, and what is read goes on while their states are compared. Step by step, by whichever gateway comes first. A check that a
 * gateway left behind is taken up by another one after half a minute. docs/projections.md */
struct projection_checks;

/* All outlive it. NULL: no memory. */
struct projection_checks *projection_checks_start(const struct config *c, const struct db_config *db, struct projections *p);
void projection_checks_stop(struct projection_checks *c); /* before projections; NULL-safe */
void projection_checks_wake(struct projection_checks *c); /* one was begun: any thread */

/* --- on any thread with a connection, which blocks --- */

/* Inside a transaction of the caller's; then projections_poke and projection_checks_wake after its commit. One that runs already is returned
 * (*ret_begun: false). ERR_UNKNOWN_PROJECTION; ERR_CONFLICT: it is paused, or events that were folded are gone by retention. ERR_DB_UNIQUE,
 * ERR_DB_RETRY: do all of it again. */
enum err projection_checks_begin(const struct config *c, struct db *db, struct arena *a, struct slice name, bool automatic,
                                 struct check_row *ret, bool *ret_begun, struct fault *f);
/* Inside a transaction. Again changes nothing; ERR_CONFLICT: it has ended. */
enum err projection_checks_cancel(struct db *db, struct check_row *c, struct fault *f);

/* As openapi.yaml has it; found: with the keys that differ. */
void projection_check_render(struct buf *b, const struct check_row *c, bool found);

#endif
