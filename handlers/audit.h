#ifndef WEIR_HANDLERS_AUDIT_H
#define WEIR_HANDLERS_AUDIT_H

#include "gateway/app_parts.h"
#include "gateway/engine/audit.h"
#include "gateway/http/request.h"

/* Ends what audit_begin(rq->db) began (gateway/engine/audit.h), for the caller of rq: e as the operation gave it, type the event's
 * ("StreamCreated"; NULL: nothing was changed), resource its path, changes a JSON object that is freed here (NULL: none). */
enum err audited(struct request *rq, enum err e, const char *type, struct slice resource, struct buf *changes);

#endif
