#ifndef WEIR_APP_PARTS_H
#define WEIR_APP_PARTS_H

#include "gateway/base/config.h"
#include "gateway/engine/audit.h"
#include "gateway/engine/commit.h"
#include "gateway/engine/groups.h"
#include "gateway/engine/jobs.h"
#include "gateway/engine/outbound.h"
#include "gateway/engine/outbox.h"
#include "gateway/engine/projection_checks.h"
#include "gateway/engine/projections.h"
#include "gateway/engine/revocations.h"
#include "gateway/engine/sagas.h"
#include "gateway/engine/schema_cache.h"
#include "gateway/engine/schemas.h"
#include "gateway/engine/streams.h"
#include "gateway/engine/tail.h"

/* What handlers may use of the running program. Made by app.c in this order, stopped in reverse. */
struct app {
    const struct config *config;
    struct db_config db;
    struct streams *streams;
    struct outbound *outbound;
    struct tail *tail;
    struct commit *commit;
    struct revocation_feed *revocation_feed;
    struct outbox *outbox;
    struct groups *groups;
    struct audit *audit;
    struct jobs *jobs;
    struct projections *projections;
    struct projection_checks *checks; /* of projections */
    struct schemas *schemas;
    struct schema_cache *schema_cache;
    struct sagas *sagas;
    struct app_internal *in; /* app.c's own */
};

#endif
