#ifndef WEIR_HTTP_TICKET_URL_H
#define WEIR_HTTP_TICKET_URL_H

#include "gateway/base/arena.h"

/* The query of a request target, as raw text: what a ticket is bound to, where it stands, and what the log may see. Pure; results
 * are in the arena. */

/* Path and query as they were sent, without the parameters `ticket` and `last_event_id` (which clients add) and without empty
 * ones. p == NULL: memory is out. */
struct slice ticket_url(struct arena *a, struct slice target);
/* The raw value of the first parameter `ticket`; p == NULL: there is none. */
struct slice ticket_in(struct arena *a, struct slice target);
/* The target without the values of parameters that may be as good as a token: those with "ticket" or "token" in their name, and
 * those whose name cannot be read. */
struct slice ticket_hide(struct arena *a, struct slice target);

#endif
