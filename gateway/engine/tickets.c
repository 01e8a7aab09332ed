#include "gateway/engine/tickets.h"

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"

#define RETRY_S 60 /* some tickets will have ended by then */

enum err tickets_add(const struct config *c, struct db *db, struct ticket_row *t, struct fault *f)
{
    bool added;
    enum err e;

    t->created_us = clock_unix_us();
    if ((e = db_ticket_add(db, t, c->tickets_per_principal, &added, f)))
        return e;
    if (!added) {
        f->retry_after = RETRY_S;
        return fault(f, ERR_TOO_MANY_TICKETS, "%lld tickets of this caller are still good.", (long long)c->tickets_per_principal);
    }
    metric_add(M_TICKETS_MADE, 1);
    return OK;
}

enum err tickets_find(struct db *db, struct arena *a, struct slice hash, struct ticket_row *ret, struct fault *f)
{
    return db_ticket_find(db, a, hash, clock_unix_us(), ret, f);
}
