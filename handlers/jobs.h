#ifndef WEIR_HANDLERS_JOBS_H
#define WEIR_HANDLERS_JOBS_H

#include "gateway/app_parts.h"
#include "gateway/http/reply.h"

/* The job that the path names, if the caller may see it; else ERR_UNKNOWN_JOB. On a worker. */
enum err job_of_caller(struct request *rq, struct arena *a, struct job_row *ret);

#endif
