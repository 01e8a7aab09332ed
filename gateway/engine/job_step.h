#ifndef WEIR_ENGINE_JOB_STEP_H
#define WEIR_ENGINE_JOB_STEP_H

#include "gateway/engine/jobs.h"

/* What the thread of the jobs does; jobs.c calls it. */
struct job_steps {
    const struct config *config;
    struct db *db;
    struct audit *audit;
    struct groups *groups;
};

/* One step of the job that has waited longest. *ret_more: there may be another one at once. */
enum err job_step(struct job_steps *s, bool *ret_more);
/* A batch of letters for each group with dlq_retry that has some which are due. */
enum err job_auto(struct job_steps *s, bool *ret_more);

/* What was moved is committed: those who wait for deliveries of these groups look again. */
void job_tell_groups(struct job_steps *s, int64_t stream_id, const struct letter_moves *m);

#endif
