#ifndef WEIR_HTTP_QUERY_H
#define WEIR_HTTP_QUERY_H

#include "gateway/http/request.h"

#define QUERY_ARGS_MAX 512

/* "a=1&b=x%20y" into rq->query, in the arena; '+' is a space. ERR_BAD_PARAMETER: a bad escape, %00, no UTF-8, too many. */
enum err query_parse(struct request *rq, struct slice text);
/* Every parameter must be one that the route names, and given once unless its name ends in a star there. */
enum err query_check(struct request *rq);

bool query_names(const struct route *route, struct slice name); /* the route has such a parameter */

#endif
