#ifndef WEIR_ENGINE_SAGA_MACHINE_H
#define WEIR_ENGINE_SAGA_MACHINE_H

#include "gateway/engine/saga_body.h"

/* What becomes of one instance of a saga: all decisions about its steps. Pure: no I/O, no clock; `now` is PostgreSQL's time in unix
 * microseconds. One thread at a time. The tables that it goes by are saga_table.c; docs/sagas.md shows them.
 *
 *   run = saga_run_new(arena, definition)      then its fields and tasks from the rows; of a new instance: as it is
 *   saga_apply(run, input, now)                for each input, in their order
 *   write run, its tasks that `changed`, their waits, run->record; commit; then begin the calls that were admitted
 *
 * When the transaction fails the run is dropped and made anew from the rows. */

enum saga_state {                /* of an instance; in the database (weir.saga_instances.state) */
    SAGA_RUNNING,
    SAGA_WAITING,                /* nothing but awaits, approvals, signals is active */
    SAGA_PAUSED,                 /* an operator is needed */
    SAGA_COMPENSATING,
    SAGA_COMPLETED,
    SAGA_COMPENSATED,            /* also when there was nothing to undo */
    SAGA_FAILED,                 /* over, but a compensation was skipped by hand */
    SAGA_STATES,
    SAGA_NEW = SAGA_STATES       /* no row yet */
};
extern const char *const saga_state_names[SAGA_STATES];

static inline bool saga_ended(enum saga_state s)
{
    return s >= SAGA_COMPLETED && s <= SAGA_FAILED;
}

enum saga_status {               /* of a task; in the database (weir.saga_steps.status) */
    TASK_PENDING,                /* no row, or one that keeps an early signal or decision */
    TASK_READY,                  /* to be tried when it is due and its target has room */
    TASK_RUNNING,                /* an attempt is under way: `owner` makes it */
    TASK_WAITING,                /* for an event, a decision, a signal; until `due` */
    TASK_SUCCEEDED,
    TASK_FAILED,
    TASK_SKIPPED,                /* by hand; or it had done nothing when compensation came */
    TASK_HELD,                   /* it would be ready, but the instance is paused */
    TASK_STATUSES
};
extern const char *const saga_status_names[TASK_STATUSES];

enum saga_texts {                /* bits: which texts of a task were changed */
    TASK_RESULT = 1,
    TASK_ERROR = 2,
    TASK_EARLY = 4,
    TASK_REQUEST = 8,
    TASK_ANSWER = 16,
};

/* The action or the compensation of a step in one instance: a row of weir.saga_steps. */
struct saga_task {
    enum saga_status status;
    int32_t attempts;            /* since it began, or was retried by hand; the number of the one that runs */
    bool unknown;                /* something may have been done by it that is not told by `status` */
    int64_t due_us;              /* READY: not before; WAITING: its timeout. INT64_MAX: none */
    int64_t owner;               /* RUNNING: of the attempt; else 0 */
    int64_t begun_us, ended_us;  /* 0: not yet */
    int64_t ended_seq;           /* of the transition that ended it: the order of completion; 0: not yet */
    int32_t round;               /* events that it has published and awaited: from 1 on, once more is another event */
    struct slice event;          /* the one that served it last, as the input named it; p == NULL: none */
    struct slice result, error;  /* JSON; p == NULL: none */
    struct slice early;          /* what came before its time: saga_machine.c's own JSON; p == NULL: none */
    struct slice request, answer; /* of the last attempt, as the input had them */
    /* what is to be written */
    bool changed;
    unsigned texts;              /* bits enum saga_texts: these were set, or cleared (p == NULL) */
    bool wait_ends;              /* its row of weir.saga_waits goes; first this, */
    bool wait_begins;            /* then this: there has to be one from now on. One that is there stays as it is */
};

/* Of weir.saga_history, and of the stream saga.<saga>. */
struct saga_record {
    int64_t seq;                 /* of the transition */
    int32_t n;                   /* within it, from 0 */
    const char *type;            /* SagaStarted, StepSucceeded, … */
    int step;                    /* -1: it is of the instance */
    enum saga_kind kind;
    struct slice data;           /* a JSON object */
    int what;                    /* private: enum record */
};

struct saga_run {
    const struct saga_definition *definition;
    struct arena *arena;         /* of all that is made here */
    struct slice id, input;      /* of the instance; the input for SagaStarted alone */
    int32_t version;
    enum saga_state state;
    int64_t seq;                 /* transitions so far */
    bool pivot_sent;
    struct slice cause;          /* why it compensates or is paused: JSON; p == NULL: it does not */
    int64_t deadline_us;         /* of the saga's timeout; INT64_MAX: none (any more) */
    int64_t created_us, updated_us, ended_us; /* ended: 0: not yet */
    uint64_t random;             /* for jitter: anything */
    struct saga_task *task[SAGA_KINDS]; /* by step */
    /* what is to be written */
    bool changed;
    struct saga_record *record;
    size_t record_n;
    /* private */
    size_t record_cap;
    int32_t next_n;
    int64_t now_us;
    bool failed;                 /* out of memory: drop it */
};

/* As of an instance that has not begun. NULL: no memory. */
struct saga_run *saga_run_new(struct arena *a, const struct saga_definition *d);
bool saga_run_failed(const struct saga_run *run);
/* Unix us: when time alone changes something (SAGA_IN_TIME): a timeout of what waits, or the saga's. INT64_MAX: never. */
int64_t saga_run_alarm(const struct saga_run *run);
/* Does it undo what was done? Then skip and retry are of compensations. */
bool saga_run_back(const struct saga_run *run);

enum saga_input_kind {
    SAGA_IN_START,
    /* before an attempt: step, kind */
    SAGA_IN_UNFIT,               /* what it is to send, or to wait for, cannot be made: error, a business failure; nothing was sent */
    SAGA_IN_PUT_OFF,             /* not now, for a reason of Weir's own: error, after_us; it costs no attempt */
    /* of an attempt: step, kind, owner, attempt */
    SAGA_IN_ADMITTED,            /* it begins, when this is committed. `attempt` is not read: it is task->attempts afterwards */
    SAGA_IN_OK,                  /* result; of a publish that awaits: it is published, and `answer` has the receipt */
    SAGA_IN_REFUSED,             /* a business failure: error */
    SAGA_IN_LATER,               /* not yet: after_us; it costs no attempt */
    SAGA_IN_AGAIN,               /* error, unknown, after_us */
    SAGA_IN_LOST,                /* the gateway that made it is gone: unknown, and it counts. Ready at once, unless it was lost before */
    SAGA_IN_RELEASED,            /* its gateway stops: unknown, if anything was sent; it does not count */
    /* from outside */
    SAGA_IN_EVENT,               /* result: the event; hits: all waits of the instance that it meets. It serves the first that is open */
    SAGA_IN_SIGNAL,              /* step; result */
    SAGA_IN_DECISION,            /* step; approve, comment, actor */
    SAGA_IN_TIME,                /* whatever is due at `now`; unread */
    /* by hand: comment, actor */
    SAGA_IN_CANCEL,
    SAGA_IN_RETRY,               /* step, or -1: all that failed, or wait for their next attempt */
    SAGA_IN_SKIP,                /* step, or -1: all that failed */
    SAGA_INPUTS
};

struct saga_hit {                /* of saga_waits */
    int step;
    enum saga_kind kind;
    bool failure;                /* SAGA_MATCHES_FAILURE */
};

/* Zero-initialise. Its texts have to live as long as the run. */
struct saga_input {
    enum saga_input_kind what;
    int step;                    /* -1: none */
    enum saga_kind kind;
    int64_t owner;               /* a number that no gateway ever had before it: a new one when its lease was lost */
    int32_t attempt;
    bool unknown;                /* AGAIN, RELEASED: it may have been done */
    int64_t after_us;            /* LATER, AGAIN, PUT_OFF: at least so long (Retry-After); 0: none given */
    struct slice result;         /* JSON; p == NULL: null */
    struct slice event;          /* EVENT: a name of it */
    struct slice error;          /* a JSON object: type, message, and what else helps */
    struct slice request, answer; /* as they are to be stored; p == NULL: not told */
    const struct saga_hit *hit;
    size_t hit_n;
    uint64_t unread[SAGA_KINDS]; /* TIME: steps whose event may have come in time, unseen: their timeouts do not count, nor the saga's */
    bool approve;
    struct slice comment, actor; /* texts; p == NULL: none */
};

enum saga_applied {
    SAGA_CHANGED,                /* the run is a transition further */
    SAGA_UNCHANGED,              /* late, repeated, or for nobody: nothing is to be written */
    SAGA_DENIED,                 /* by hand, and not possible now: the fault says why (ERR_CONFLICT) */
};
/* Then saga_run_failed tells whether there was memory. f may be NULL. */
enum saga_applied saga_apply(struct saga_run *run, const struct saga_input *in, int64_t now_us, struct fault *f);

/* --- what it goes by --- */

/* Markdown: the diagrams (mermaid) and the tables of instances and steps, and the records with their meaning. */
void saga_table_print(struct buf *b);

#endif
