#ifndef WEIR_HANDLERS_REGISTRY_H
#define WEIR_HANDLERS_REGISTRY_H

#include "gateway/app_parts.h"
#include "gateway/engine/schemas.h"
#include "gateway/http/reply.h"

/* What the handlers of /registry share: the manners of Confluent's protocol. All but the last three on a worker. */

/* 200 with the registry's media type, or plain JSON for who prefers that. */
enum err registry_reply(struct request *rq, struct reply *rp, struct buf *body);
enum err registry_reply_status(struct request *rq, struct reply *rp, int status, struct buf *body); /* another one than 200 */
enum err registry_reply_numbers(struct request *rq, struct reply *rp, const int *v, size_t n);
bool registry_flag(const struct request *rq, const char *name); /* "true" in any case; all else is false */
/* offset and limit of a list; a limit that is absent or negative is `most`. */
enum err registry_window(struct request *rq, int64_t most, int64_t *ret_offset, int64_t *ret_limit);

/* The subject of the path, which has a name, or with `context_too` a whole context; and the right to it, however it was spelled. */
enum err registry_subject(struct request *rq, bool context_too, struct schema_subject *ret);
bool registry_may(struct request *rq, enum perm perm, const struct schema_subject *s);
bool registry_visible(struct request *rq, const struct schema_subject *s);
enum err registry_version(struct request *rq, int *ret); /* of the path; 0: the latest */

/* The body of a schema of this context: its type is one that is taken, the caller may see what it refers to. */
enum err registry_body(struct request *rq, struct slice context, struct schema_body *ret);
size_t registry_visible_refs(struct request *rq, struct slice context, const struct schema_body *b); /* before the first that is not */
enum err registry_json(struct request *rq); /* ERR_UNSUPPORTED_MEDIA_TYPE */

/* Ends what audit_begin began: the record and the commit, and then this gateway knows of it. type NULL: nothing was changed. */
enum err registry_end(struct request *rq, enum err e, const char *type);

/* {"subject":…,"version":…,"id":…,"schema":…} */
void registry_put_row(struct buf *b, const struct schema_row *row);

#endif
