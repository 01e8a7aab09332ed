#ifndef WEIR_ENGINE_SAGA_MACHINE_PARTS_H
#define WEIR_ENGINE_SAGA_MACHINE_PARTS_H

#include "gateway/engine/saga_machine.h"

/* What the files of the machine share: saga_machine.c (inputs), saga_settle.c (what follows from where things stand), saga_task.c (what a
 * transition does), saga_table.c (which there are), saga_record.c (history, causes, errors). */

#define NEVER INT64_MAX

/* --- the tables: every change of a status or a state is one of these rows --- */

enum task_event {
    ON_BEGIN, ON_BEGIN_WAIT,     /* what it depends on is through */
    ON_ADMIT,
    ON_OK,
    ON_SENT,                     /* published; an event is awaited */
    ON_FAIL,
    ON_AGAIN, ON_AGAIN_WAIT,
    ON_LATER,
    ON_RELEASED,
    ON_PUT_OFF,
    ON_KEEP,                     /* something came before its time */
    ON_MET,
    ON_HOLD, ON_RELEASE,         /* the instance pauses, goes on */
    ON_DROP, ON_ABANDON,         /* it turns back */
    ON_RETRY, ON_RETRY_WAIT, ON_NOW, ON_SKIP, /* by hand */
    TASK_EVENTS
};

enum run_event {
    RUN_START,
    RUN_WAITS, RUN_TRIES,
    RUN_DONE,
    RUN_BACK,
    RUN_STUCK,
    RUN_GO_ON, RUN_GO_BACK,
    RUN_UNDONE, RUN_LEFT,
    RUN_EVENTS
};

/* What comes with an event. */
struct cue {
    struct slice result, error, request, answer;
    struct slice comment, actor;
    int64_t owner, after_us;
    bool unknown;
    bool at_once;                /* AGAIN: without a backoff */
    const char *reason;          /* of an instance: why */
    int step;                    /* of an instance: through which step; -1: none */
};

struct task_at {
    struct saga_run *run;
    struct saga_task *task;
    int step;
    enum saga_kind kind;
    const struct saga_step *def;
    const struct saga_deed *deed;
};
struct task_at task_at(struct saga_run *run, int step, enum saga_kind kind);

struct task_row {
    enum saga_status from;
    enum task_event event;
    enum saga_status next;
    void (*act)(const struct task_at *t, const struct cue *cue);
    const char *comment;
};
struct run_row {
    enum saga_state from;
    enum run_event event;
    enum saga_state next;
    void (*act)(struct saga_run *run, const struct cue *cue);
    const char *comment;
};
/* NULL: the event is nothing to one that stands so. */
const struct task_row *task_row(enum saga_status from, enum task_event event);
const struct run_row *run_row(enum saga_state from, enum run_event event);

/* Go by the row; false: there is none, and nothing has changed. */
bool task_fire(const struct task_at *t, enum task_event event, const struct cue *cue);
bool run_fire(struct saga_run *run, enum run_event event, const struct cue *cue);

/* --- saga_task.c: the actions of the rows --- */

void task_begin(const struct task_at *t, const struct cue *cue);
void task_begin_wait(const struct task_at *t, const struct cue *cue);
void task_admit(const struct task_at *t, const struct cue *cue);
void task_succeed(const struct task_at *t, const struct cue *cue);
void task_sent(const struct task_at *t, const struct cue *cue);
void task_fail(const struct task_at *t, const struct cue *cue);
void task_again(const struct task_at *t, const struct cue *cue);
void task_again_wait(const struct task_at *t, const struct cue *cue);
void task_later(const struct task_at *t, const struct cue *cue);
void task_released(const struct task_at *t, const struct cue *cue);
void task_put_off(const struct task_at *t, const struct cue *cue);
void task_keep(const struct task_at *t, const struct cue *cue);
void task_nothing(const struct task_at *t, const struct cue *cue);
void task_drop(const struct task_at *t, const struct cue *cue);
void task_abandon(const struct task_at *t, const struct cue *cue);
void task_retry(const struct task_at *t, const struct cue *cue);
void task_retry_wait(const struct task_at *t, const struct cue *cue);
void task_now(const struct task_at *t, const struct cue *cue);
void task_skip(const struct task_at *t, const struct cue *cue);

static inline bool deed_awaits(const struct saga_deed *d) /* an event */
{
    return d->kind == SAGA_AWAIT || (d->kind == SAGA_PUBLISH && d->await);
}
static inline bool deed_tries(const struct saga_deed *d)  /* else it waits only */
{
    return d->kind == SAGA_HTTP || d->kind == SAGA_PUBLISH;
}
void task_end_wait(const struct task_at *t);

/* --- saga_settle.c --- */

void run_start(struct saga_run *run, const struct cue *cue);
void run_nothing(struct saga_run *run, const struct cue *cue);
void run_turn_back(struct saga_run *run, const struct cue *cue);
void run_pause(struct saga_run *run, const struct cue *cue);
void run_go_on(struct saga_run *run, const struct cue *cue);
void run_go_back(struct saga_run *run, const struct cue *cue);
void run_completed(struct saga_run *run, const struct cue *cue);
void run_compensated(struct saga_run *run, const struct cue *cue);
void run_left(struct saga_run *run, const struct cue *cue);

/* An action has failed, or a compensation for good: the instance turns back or pauses. */
void run_step_failed(const struct task_at *t, struct slice error, bool exhausted);
/* An attempt, or a wait of a compensation, has failed: once more, if that may be. */
void task_try_again(const struct task_at *t, const struct cue *cue);
/* What a step that waits waits for will not come as it should: error.p is set. */
void task_unmet(const struct task_at *t, const struct cue *cue);
/* It came, as early_text tells it. */
void task_arrived(const struct task_at *t, struct slice early);
void run_settle(struct saga_run *run); /* whatever follows by itself */

/* --- saga_record.c --- */

enum record {
    REC_STARTED, REC_STEP_WAITING, REC_ATTEMPT_FAILED, REC_SUCCEEDED, REC_FAILED, REC_SKIPPED, REC_RETRIED, REC_SIGNAL,
    REC_DECISION, REC_COMPENSATED, REC_COMPENSATION_FAILED, REC_COMPENSATION_SKIPPED, REC_PAUSED, REC_RESUMED,
    REC_COMPENSATING, REC_SAGA_COMPLETED, REC_SAGA_COMPENSATED, REC_SAGA_FAILED,
    RECORDS
};
extern const struct record_name {
    const char *name, *meaning;
} record_names[RECORDS];

/* Longer texts (input, result) are left out of records, and told by their length. */
#define SAGA_RECORD_TEXT 4096

/* Of a step: its name and kind, then what is not absent. */
struct telling {
    int32_t attempt;             /* 0: not told */
    struct slice result, error, comment, actor;
    int64_t due_us;              /* 0, NEVER: not told */
    const char *due_name;
    const char *word_name, *word; /* a further member; NULL: none */
};
void record_step(const struct task_at *t, enum record what, const struct telling *tell);
void record_run(struct saga_run *run, enum record what, struct slice data); /* p == NULL: {} */
void record_started(struct saga_run *run);
struct slice cause_text(struct saga_run *run, const struct cue *cue);       /* {"reason",…}; by, comment, step, error */
struct slice error_text(struct saga_run *run, const char *type, const char *message, struct slice decision); /* p == NULL: none */

/* What is kept of something that came before its time: {"<word>":<value>}, with one of these words. */
struct slice early_text(struct saga_run *run, const char *word, struct slice value);
bool early_is(struct slice early, const char *word, struct slice *ret_value);
#define EARLY_EVENT "event"
#define EARLY_FAILURE "failure"
#define EARLY_SIGNAL "signal"
#define EARLY_APPROVED "approved"
#define EARLY_REJECTED "rejected"
struct slice decision_text(struct saga_run *run, const struct saga_input *in); /* the result of an approval: decision, comment, by */

#endif
