#ifndef WEIR_HANDLERS_GROUPS_H
#define WEIR_HANDLERS_GROUPS_H

#include "gateway/app_parts.h"
#include "gateway/engine/groups_manage.h"
#include "gateway/http/reply.h"

/* groups_body.c: a group's definition as JSON, both ways. */
enum err group_read(struct request *rq, struct group_row *g, struct group_to *start); /* the body of a PUT, which may be empty */
enum err group_read_seek(struct request *rq, struct group_to *to);
/* The members of its definition, without braces; `paused` and so on, as a PUT has them. */
void group_put_settings(struct buf *b, const struct group_row *g);
/* The same with name, stream and times. */
void group_put(struct buf *b, struct slice stream, const struct group_row *g);
/* groups_status.c: the answer with how it is doing. */
enum err group_reply_status(struct request *rq, struct reply *rp);

#endif
