#ifndef WEIR_DB_JOBS_H
#define WEIR_DB_JOBS_H

#include "db/db.h"

/* Jobs that redrive or discard many letters: weir.jobs. The numbers are in the database. Times are unix microseconds. */
enum job_kind { JOB_REDRIVE, JOB_DISCARD };
#define JOB_KIND_WORDS "redrive discard"
enum job_state { JOB_RUNNING, JOB_DONE, JOB_CANCELLED, JOB_FAILED };
#define JOB_STATE_WORDS "running done cancelled failed"

/* Slices belong to the arena or struct they were read into. */
struct job_row {
    int64_t stream_id;
    uint8_t job_id[16];
    struct slice stream;       /* its name */
    int kind, state;
    struct slice filter;       /* a JSON object */
    struct slice reason;       /* p == NULL: none */
    int64_t letters;           /* at most so many; -1: all that match */
    double rate;               /* letters a second; 0: as fast as it goes */
    int64_t matched, done, failed;
    uint8_t last[16];          /* later letters are not meant; all zero: there is none */
    uint8_t position[16];      /* the last letter dealt with; all zero: none was */
    struct slice error;        /* p == NULL: none */
    struct slice actor;        /* a JSON object */
    int64_t created_us, updated_us, due_us;
    int64_t now_us;            /* PostgreSQL's, when it was read */
};

extern const struct stmt JOB_ADD, JOB_FIND, JOB_LOCK, JOB_LIST, JOB_TAKE, JOB_MOVE, JOBS_FORGET, LETTERS_FIT,
    AUTO_GROUPS, AUTO_MATCH;

/* Inside a transaction that holds the lock of the stream's row. *ret_added: false when `max` jobs of the stream run. Sets created_us
 * and updated_us. */
enum err db_job_add(struct db *db, struct job_row *j, int64_t max, bool *ret_added, struct fault *f);
/* ERR_UNKNOWN_JOB. */
enum err db_job_find(struct db *db, struct arena *a, const uint8_t id[16], struct job_row *ret, struct fault *f);
/* The same inside a transaction: nobody else changes it until the end. */
enum err db_job_lock(struct db *db, struct arena *a, int64_t stream_id, const uint8_t id[16], struct job_row *ret, struct fault *f);
/* The newest first, older than `before` (NULL: from the newest). stream: p == NULL: of all; state -1: any. */
enum err db_job_list(struct db *db, struct arena *a, const uint8_t *before, struct slice stream, int state, int64_t limit,
                     struct job_row **ret, size_t *ret_n, struct fault *f);
/* Inside a transaction: locks a job of which a step is due. *ret_found: false: there is none that nobody else is at. */
enum err db_job_take(struct db *db, struct arena *a, struct job_row *ret, bool *ret_found, struct fault *f);
/* Writes state, counts, position, error, updated_us and due_us of a job that runs. *ret_moved: it did. */
enum err db_job_move(struct db *db, const struct job_row *j, bool *ret_moved, struct fault *f);
/* One batch of jobs that ended before this time. */
enum err db_jobs_forget(struct db *db, int64_t before_us, int64_t batch, int64_t *ret_forgotten, struct fault *f);

/* How many of these letters, ascending, may be redriven before one would not fit into what its group takes. */
enum err db_letters_fit(struct db *db, struct arena *a, int64_t stream_id, const uint8_t (*ids)[16], size_t n, size_t *ret_fit,
                        struct fault *f);

/* A group that has letters to be redriven by itself. */
struct auto_group {
    int64_t stream_id;
    struct slice stream, group;
};
enum err db_auto_groups(struct db *db, struct arena *a, int64_t limit, struct auto_group **ret, size_t *ret_n, struct fault *f);
/* Ids, ascending, of the group's letters that are due. */
enum err db_auto_match(struct db *db, struct arena *a, int64_t stream_id, struct slice group, int64_t rounds, int64_t after_us,
                       int64_t limit, uint8_t (**ret)[16], size_t *ret_n, struct fault *f);

#endif
