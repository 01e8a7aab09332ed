#ifndef WEIR_ENGINE_JOBS_H
#define WEIR_ENGINE_JOBS_H

#include "db/jobs.h"
#include "gateway/base/config.h"
#include "gateway/engine/audit.h"
#include "gateway/engine/dlq.h"
#include "gateway/engine/groups.h"

/* Jobs: redrives and discards of many letters, step by step, by whichever gateway comes first. A step is one transaction that moves a
 * batch of letters, counts them and moves the job's position, under the lock of the job's row: whatever dies in between, no letter is
 * moved twice or counted wrongly. The same thread redrives letters of groups with dlq_retry by itself.
 * docs/decisions/0008-consumer-groups.md */
struct jobs;

/* All outlive it. NULL: no memory. */
struct jobs *jobs_start(const struct config *c, const struct db_config *db, struct audit *audit, struct groups *groups);
void jobs_wake(struct jobs *j); /* a job was made: any thread */
void jobs_stop(struct jobs *j); /* before audit, groups and outbox; NULL-safe */

/* --- management: on any thread with a connection, which blocks --- */

/* The filter of a job from its JSON text, a flat object of strings. ERR_BAD_BODY with a pointer below /filter. */
enum err job_filter_read(struct arena *a, struct slice text, struct letter_filter *ret, struct fault *f);
/* What a job of this filter, and of at most j->letters, would have to do: matched and last. */
enum err jobs_match(struct db *db, struct arena *a, const struct letter_filter *filter, struct job_row *j, struct fault *f);
/* Inside a transaction. stream, kind, filter, reason, letters, rate and actor are set; the rest is completed. ERR_UNKNOWN_STREAM;
 * ERR_OVERLOADED: as many of the stream's jobs run as may. */
enum err jobs_add(const struct config *c, struct db *db, struct arena *a, struct job_row *j, struct fault *f);
/* Inside a transaction: it does nothing more. ERR_UNKNOWN_JOB; ERR_CONFLICT: it has ended. *ret_cancelled: false: it was before. */
enum err jobs_cancel(struct db *db, struct arena *a, struct job_row *j, bool *ret_cancelled, struct fault *f);
enum err jobs_find(struct db *db, struct arena *a, const uint8_t id[16], struct job_row *ret, struct fault *f); /* ERR_UNKNOWN_JOB */
/* Up to `limit` of those for which visible(arg, its stream), the newest first, older than `before` (NULL: from the newest); of one
 * stream unless stream.p == NULL, in one state unless that is -1. *ret_more: there is another one. */
enum err jobs_list(struct db *db, struct arena *a, const uint8_t *before, struct slice stream, int state, size_t limit,
                   bool (*visible)(const void *arg, struct slice stream), const void *arg, struct job_row **ret, size_t *ret_n,
                   bool *ret_more, struct fault *f);

#define JOB_STATES 4
extern const char *const job_state_words[JOB_STATES]; /* by enum job_state */

/* As openapi.yaml has it. */
void job_render(struct buf *b, const struct job_row *j);
/* For the audit log: what it is to do, or with `counts` what it has done. */
void job_describe(struct buf *b, const struct job_row *j, bool counts);

#endif
