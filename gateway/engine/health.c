#include "gateway/engine/health.h"

#include <stdlib.h>

#include "db/retention.h"
#include "gateway/base/clock.h"

#define SKEW_MAX_US (5 * US_PER_S)

static bool failed(struct fault *f, const char *why)
{
    fault(f, ERR_INTERNAL, "%s", why);
    return false;
}

/* A gateway whose clock is off would file events into the wrong month. */
static bool postgresql(const struct health *h, struct fault *f)
{
    int64_t theirs;

    if (db_connect(h->db, f) || db_clock(h->db, &theirs, f))
        return false;
    return llabs(theirs - clock_unix_us()) <= SKEW_MAX_US ||
           failed(f, "The clocks of gateway and PostgreSQL differ by more than 5 s.");
}

static bool migrations(const struct health *h, struct fault *f)
{
    int have, want;

    if (migrate_check(h->config, &have, &want, f))
        return false;
    /* A newer one is well: gateways are upgraded one after another, and migrations leave the last release working. */
    return have >= want || failed(f, "The database is not at the program's migration; run weir migrate.");
}

static bool commit_lanes(const struct health *h, struct fault *f)
{
    return commit_moving(h->commit) || failed(f, "A commit lane has no connection to PostgreSQL.");
}

static bool notifications(const struct health *h, struct fault *f)
{
    return tail_listening(h->tail) || failed(f, "The LISTEN connection is down; events come by polling.");
}

const struct health_check health_checks[] = {
    { "postgresql", postgresql, true },
    { "migrations", migrations, true },
    { "commit_lanes", commit_lanes, true },
    { "notifications", notifications, false },
};
const size_t health_check_count = sizeof health_checks / sizeof *health_checks;
