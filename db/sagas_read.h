#ifndef WEIR_DB_SAGAS_READ_H
#define WEIR_DB_SAGAS_READ_H

#include "db/db.h"

/* Sagas as callers look at them: transactions of their own, each of which sees a single state. Slices belong to the arena; times are unix
 * microseconds, 0: none. */
struct saga_shown {
    int64_t saga_id;
    struct slice name;
    int32_t version, newest;
    struct slice definition;     /* JSON */
    int64_t created_us;          /* the saga */
    int64_t updated_us;          /* this version */
};

struct saga_instance_shown {
    struct slice id;
    int32_t version;
    int state;                   /* enum saga_state */
    bool pivot_sent;
    int64_t seq;
    struct slice cause;          /* JSON; p == NULL: none */
    int64_t deadline_us, created_us, updated_us, ended_us;
    /* not in lists */
    int64_t saga_id;
    struct slice traceparent;    /* p == NULL: none */
    struct slice input, definition; /* JSON */
};

struct saga_step_shown {
    int step, kind;              /* its place in the definition; enum saga_kind */
    int status;                  /* enum saga_status */
    int32_t attempts;
    bool unknown;
    int64_t due_us;
    struct slice target;         /* p == NULL: none, as below */
    struct slice result, error, request, answer; /* JSON */
    int64_t begun_us, ended_us;
};

struct saga_record_shown {
    int64_t seq;
    int n;
    int64_t at_us;
    struct slice type, step, data; /* step: p == NULL: it is of the instance */
};

/* Which instances are meant: all that is set must fit. Zero-initialise, and set `state`. */
struct saga_filter {
    int state;                   /* enum saga_state; -1: any */
    int32_t version;             /* 0: any */
    int64_t from_us, to_us;      /* from <= created < to; 0: open */
    bool by_step;                /* one of these has an error: its number in each version, */
    const int32_t *versions;
    const int16_t *steps;
    size_t step_n;               /* which are so many */
    struct slice error;          /* what the text of such an error, or of the answer that came, holds; `*` is any run of characters; p == NULL: any */
};

extern const struct stmt SAGA_SHOW, SAGAS_SHOW, SAGA_COUNTS, SAGA_STEP_NUMBERS, SAGA_INSTANCES_SHOW, SAGA_INSTANCES_SHOW_IN,
    SAGA_INSTANCE_SHOW, SAGA_STEPS_SHOW, SAGA_HISTORY_SHOW;

/* version: 0: the newest. ERR_UNKNOWN_SAGA, also of a version that there is not. */
enum err db_saga_show(struct db *db, struct arena *a, struct slice name, int32_t version, struct saga_shown *ret, struct fault *f);
/* By name, after `after`: `limit` at most, the newest version of each. */
enum err db_sagas_show(struct db *db, struct arena *a, struct slice after, int64_t limit, struct saga_shown **ret, size_t *ret_n,
                       struct fault *f);
/* Sets by_step, versions, steps and step_n for a step of this name, by the version of the filter. */
enum err db_saga_step_numbers(struct db *db, struct arena *a, int64_t saga_id, struct slice step, struct saga_filter *q,
                              struct fault *f);
/* How many instances are in each of `states` states; those that have ended are not counted. */
enum err db_saga_counts(struct db *db, int64_t saga_id, int64_t *ret, int states, struct fault *f);

/* The newest first, before (created, id) (0: from the newest): `limit` at most. */
enum err db_saga_instances_show(struct db *db, struct arena *a, int64_t saga_id, const struct saga_filter *q, int64_t before_us,
                                struct slice before_id, int64_t limit, struct saga_instance_shown **ret, size_t *ret_n,
                                struct fault *f);
/* ERR_UNKNOWN_SAGA, ERR_UNKNOWN_INSTANCE. */
enum err db_saga_instance_show(struct db *db, struct arena *a, struct slice saga, struct slice id, struct saga_instance_shown *ret,
                               struct saga_step_shown **ret_steps, size_t *ret_n, struct fault *f);
/* The oldest first, after (seq, n): `limit` at most, fewer once they have `bytes` together. *ret_more: others follow. The same errors. */
enum err db_saga_history_show(struct db *db, struct arena *a, struct slice saga, struct slice id, int64_t seq, int n, int64_t limit,
                              int64_t bytes, struct saga_record_shown **ret, size_t *ret_n, bool *ret_more,
                              struct fault *f);

#endif
