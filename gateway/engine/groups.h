#ifndef WEIR_ENGINE_GROUPS_H
#define WEIR_ENGINE_GROUPS_H

#include "db/groups.h"
#include "gateway/base/config.h"
#include "gateway/engine/group_state.h"
#include "gateway/engine/streams.h"
#include "gateway/engine/tail.h"

/* Consumer groups. The calls of consumers wait here, and a lane turns all that wait for one group into one transaction.
 * docs/decisions/0008-consumer-groups.md */
struct groups;

struct groups *groups_new(const struct config *c, const struct db_config *db, struct tail *tail, struct streams *streams);
void groups_stop(struct groups *g); /* commits what is queued, then joins; NULL-safe. No submit may run or follow */

/* Something of the group was changed outside of its lane (seek, redrive, PUT, DELETE) and committed: those who wait here look again.
 * Any thread. Other gateways find out by themselves (group_states.seq). */
void groups_poke(struct groups *g, int64_t stream_id, int64_t group_id);

/* The state of a group as the database has it, for figures and explanations; blocks. ERR_UNKNOWN_GROUP. The caller frees *ret. */
enum err groups_load(struct db *db, struct arena *a, const struct stream *s, struct slice name, struct group_state **ret,
                     struct fault *f);

#endif
