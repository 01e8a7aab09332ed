#ifndef WEIR_HANDLERS_LINK_H
#define WEIR_HANDLERS_LINK_H

#include "gateway/http/reply.h"

/* The page that follows: the request's own path and query with this `after`, as Link (RFC 8288) of rel="next". */
void link_next(struct request *rq, struct reply *rp, const char *after);

#endif
