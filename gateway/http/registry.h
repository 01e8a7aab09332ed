#ifndef WEIR_HTTP_REGISTRY_H
#define WEIR_HTTP_REGISTRY_H

#include "gateway/http/reply.h"

struct request_internal; /* internal.h */

/* What requests under /registry have of their own, since they speak the protocol of Confluent's schema registry: errors are
 * {"error_code":…,"message":…}, a token may come as the password of Basic, unknown query parameters are passed over. */
#define REGISTRY_TYPE "application/vnd.schemaregistry.v1+json"

bool registry_speaks(const struct request *rq);                       /* its route, or else its target, is /registry or below it */
void registry_error(struct request *rq, enum err e, int *ret_status, struct buf *body); /* status and body of an error */
/* Authorization: Basic, of which the password is a token, becomes Bearer; any other value stays. */
enum err registry_credentials(struct request_internal *in);

#endif
