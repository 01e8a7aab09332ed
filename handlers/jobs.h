#ifndef WEIR_HANDLERS_JOBS_H
#define WEIR_HANDLERS_JOBS_H

#include "gateway/app_parts.h"
#include "gateway/http/reply.h"

/* A job of either kind. */
struct any_job {
    bool verifies;               /* a projection: check; else it moves dead letters: letters */
    struct job_row letters;
    struct check_row check;
};

/* The job that the path names, if the caller may see it; else ERR_UNKNOWN_JOB. On a worker. */
enum err job_of_caller(struct request *rq, struct arena *a, struct any_job *ret);
int any_job_state(const struct any_job *j);
void any_job_render(struct buf *b, const struct any_job *j);

#endif
