#ifndef WEIR_ENGINE_HEALTH_H
#define WEIR_ENGINE_HEALTH_H

#include "db/db.h"
#include "gateway/engine/commit.h"
#include "gateway/engine/tail.h"

/* What a gateway needs to do its work, looked at now; blocks. The checks' names are in the contract (/readyz). */
struct health {
    struct db *db;
    const struct db_config *config;
    const struct commit *commit;
    const struct tail *tail;
};

struct health_check {
    const char *name;
    bool (*ok)(const struct health *h, struct fault *why);
    bool vital;          /* the gateway cannot do its work without it */
};
extern const struct health_check health_checks[];
extern const size_t health_check_count;

#endif
