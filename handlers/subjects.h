#ifndef WEIR_HANDLERS_SUBJECTS_H
#define WEIR_HANDLERS_SUBJECTS_H

#include "gateway/app_parts.h"
#include "gateway/engine/subjects.h"
#include "gateway/http/reply.h"

/* Calls fn with the stream that the path names: the cached one, or when that was deleted meanwhile the one of its name now. */
typedef enum err subject_fn(struct request *rq, int64_t stream_id, void *arg);
enum err on_subject(struct request *rq, subject_fn *fn, void *arg);

/* 304 when the caller has it already. */
bool reply_etag(struct request *rq, struct reply *rp, const char *etag);

#endif
