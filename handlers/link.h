#ifndef WEIR_HANDLERS_LINK_H
#define WEIR_HANDLERS_LINK_H

#include "gateway/http/reply.h"

/* The page that follows: the request's own path and query with this `after`, as Link (RFC 8288) of rel="next". */
void link_next(struct request *rq, struct reply *rp, struct slice after);

/* Ends a page {"items":[… after its last item: its member `next` (p == NULL: nothing follows, null), and the link. */
void link_page(struct request *rq, struct reply *rp, struct buf *b, struct slice next);

/* Percent-encoded, for a path or a query: all but letters, digits and -._~:* */
void link_encode(struct buf *b, struct slice s);

#endif
