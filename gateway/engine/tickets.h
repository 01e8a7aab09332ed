#ifndef WEIR_ENGINE_TICKETS_H
#define WEIR_ENGINE_TICKETS_H

#include "db/tickets.h"
#include "gateway/base/config.h"

/* Tickets as they are recorded; what they mean is gateway/http/ticket.h's. Worker threads. */
/* Sets created_us. ERR_TOO_MANY_TICKETS: the owner has as many as tickets.per_principal allows. */
enum err tickets_add(const struct config *c, struct db *db, struct ticket_row *t, struct fault *f);
/* ERR_NOT_FOUND: there is none with this hash, or it is over. */
enum err tickets_find(struct db *db, struct arena *a, struct slice hash, struct ticket_row *ret, struct fault *f);

#endif
