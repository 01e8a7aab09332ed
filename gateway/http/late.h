#ifndef WEIR_HTTP_LATE_H
#define WEIR_HTTP_LATE_H

#include "gateway/http/request.h"

/* The 408 for a request that did not arrive in time, as bytes: libmicrohttpd cannot answer what it has not read to its end. rq: what
 * there is of the request, or NULL; its id is taken over, else made. Returns how many bytes of out are the answer. */
#define LATE_BYTES 1024
size_t late_answer(const struct request *rq, char out[LATE_BYTES]);

#endif
