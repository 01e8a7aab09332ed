#ifndef WEIR_HANDLERS_SAGAS_H
#define WEIR_HANDLERS_SAGAS_H

#include "gateway/app_parts.h"
#include "gateway/engine/saga_view.h"
#include "gateway/engine/sagas.h"
#include "gateway/http/reply.h"

/* A member of the body's object as the JSON that was sent; raw.p == NULL: it is not there. */
struct raw_member {
    const char *name;
    struct slice raw;
};
/* Finds n members; others, and one that is there twice, are ERR_BAD_BODY. An empty body has none. Numbers keep their digits. */
enum err raw_members(struct request *rq, struct raw_member *v, size_t n);
/* Such a member as a string in the arena; ret->p == NULL: it is not there, or null. ERR_BAD_BODY unless it is one of `max` bytes at most. */
enum err raw_text(struct request *rq, const struct raw_member *m, size_t max, struct slice *ret);

/* Such a member as compact JSON in an arena, so that white space makes no difference; null: it is not there. ERR_BAD_JSON: a member of it is
 * there twice. */
enum err raw_json(struct request *rq, const struct raw_member *m, struct arena *a, struct slice *ret);

/* The path of the instance that the request's path, or `id`, names, in the arena; NULL: no memory. */
const char *saga_instance_path(struct request *rq, struct arena *a, struct slice id);
enum err reply_saga_instance(struct request *rq, struct reply *rp, int status);

#define SAGA_VIEW_ARENA ((size_t)256 << 20) /* of an answer: an instance has 128 results, requests and answers of 64 KiB and more */
#define SAGA_COMMENT_MAX 500     /* bytes */
bool saga_state_read(struct slice word, int *ret); /* enum saga_state */
enum err saga_period_check(struct request *rq, const struct saga_filter *q); /* from is before to */

#endif
