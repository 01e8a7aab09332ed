#ifndef WEIR_ENGINE_REVOCATIONS_H
#define WEIR_ENGINE_REVOCATIONS_H

#include "db/revocations.h"
#include "gateway/base/config.h"

/* Follows the list of revoked tokens in the database: on notification (which the tail hears), and by asking for its version every
 * auth.revocations_poll as the safety net. While PostgreSQL is away the last list stays in force. Any thread. */
struct revocation_feed;

/* Takes over the whole list as it is now. Called by one thread at a time. false: memory is out, the list is offered again. */
typedef bool revocations_fn(void *arg, const struct revocation_row *v, size_t n);

/* Does nothing by itself until it is started. */
struct revocation_feed *revocation_feed_new(const struct config *c, const struct db_config *db, revocations_fn *apply, void *arg);
/* Reads the list and hands it over unless it is the one that was handed over last. */
enum err revocation_feed_refresh(struct revocation_feed *r, struct db *db, struct fault *f);
bool revocation_feed_start(struct revocation_feed *r);
void revocation_feed_wake(void *feed);                    /* something has changed: look now */
void revocation_feed_stop(struct revocation_feed *r);     /* joins, frees; NULL-safe */

/* Management, on a worker thread. */
/* Gives the row its id. ERR_REVOCATIONS_FULL. */
enum err revocations_add(struct revocation_feed *r, struct db *db, struct revocation_row *v, struct fault *f);
enum err revocations_remove(struct db *db, int64_t id, struct fault *f);  /* ERR_NOT_FOUND */
/* What was recorded holds here at once: after the commit of either. */
void revocations_take_effect(struct revocation_feed *r, struct db *db);
enum err revocations_get(struct db *db, struct arena *a, int64_t id, struct revocation_row *ret, struct fault *f); /* likewise */
/* A page of at most limit after an id; *ret_more: there are others. */
enum err revocations_list(struct db *db, struct arena *a, int64_t after, int64_t limit, struct revocation_row **ret, size_t *ret_n,
                          bool *ret_more, struct fault *f);

#endif
