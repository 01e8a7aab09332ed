#ifndef WEIR_HANDLERS_DELIVERY_BODY_H
#define WEIR_HANDLERS_DELIVERY_BODY_H

#include "gateway/engine/groups.h"
#include "gateway/http/request.h"

/* The body of ack, nack, reject and extend, scanned in one pass; slices of the request's body and arena. */
struct finish_body {
    enum finish how;
    struct slice *texts;       /* as they were sent, still escaped */
    struct delivery_id *ids;
    size_t n;
    int64_t delay_us, by_us;   /* -1: not given */
    struct slice error, error_type, error_message; /* error: cut, a JSON object; p == NULL: none given */
};

/* ERR_BAD_JSON, ERR_BAD_BODY with a pointer, ERR_UNSUPPORTED_MEDIA_TYPE. */
enum err finish_body(struct request *rq, enum finish how, struct finish_body *ret);
enum err finish_body_read(struct request *rq, enum finish how, struct finish_body *ret); /* whatever its media type */
bool finish_call_fill(struct group_call *c, const struct finish_body *b); /* copies; false: no memory */
void finish_answer(struct buf *out, const struct finish_body *b, const struct group_call *c); /* {"done":[…],"stale":[…]} */

#endif
