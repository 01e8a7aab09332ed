#include "gateway/engine/saga_machine_parts.h"

/* What follows from where the steps stand, without anything more coming from outside. */

bool saga_run_back(const struct saga_run *run)
{
    switch (run->state) {
    case SAGA_COMPENSATING:
    case SAGA_COMPENSATED:
    case SAGA_FAILED:
        return true;
    case SAGA_PAUSED: /* then one of its compensations has failed */
        for (size_t i = 0; i < run->definition->step_n; i++)
            if (run->task[SAGA_COMPENSATION][i].status != TASK_PENDING)
                return true;
        return false;
    default:
        return false;
    }
}

bool run_fire(struct saga_run *run, enum run_event event, const struct cue *cue)
{
    const struct run_row *row = run_row(run->state, event);

    if (!row)
        return false;
    row->act(run, cue);
    run->state = row->next;
    return true;
}

/* --- the actions of the rows --- */

void run_nothing(struct saga_run *run, const struct cue *cue)
{
    (void)run;
    (void)cue;
}

void run_start(struct saga_run *run, const struct cue *cue)
{
    (void)cue;
    run->created_us = run->now_us;
    run->deadline_us = run->definition->timeout_us ? run->now_us + run->definition->timeout_us : NEVER;
    record_started(run);
}

static void turn(const struct task_at *t)
{
    switch (t->task->status) {
    case TASK_RUNNING: /* ends first; nobody waits for an event any more */
    case TASK_FAILED:
        task_end_wait(t);
        break;
    default: /* one that has published is `unknown` while it waits */
        task_fire(t, t->task->unknown || (deed_tries(t->deed) && t->task->attempts > 0) ? ON_ABANDON : ON_DROP, &(struct cue){ 0 });
    }
}

void run_turn_back(struct saga_run *run, const struct cue *cue)
{
    run->deadline_us = NEVER;
    run->cause = cause_text(run, cue);
    record_run(run, REC_COMPENSATING, run->cause);
    for (size_t i = 0; i < run->definition->step_n; i++) {
        struct task_at t = task_at(run, (int)i, SAGA_ACTION);

        turn(&t);
    }
}

/* Why it compensates stays the cause also when that stops. */
void run_pause(struct saga_run *run, const struct cue *cue)
{
    struct slice cause = cause_text(run, cue);

    record_run(run, REC_PAUSED, cause);
    if (run->state != SAGA_COMPENSATING)
        run->cause = cause;
}

static void resumed(struct saga_run *run, const struct cue *cue)
{
    struct cue why = *cue;

    why.reason = "by-hand";
    why.step = -1;
    record_run(run, REC_RESUMED, cause_text(run, &why));
}

void run_go_on(struct saga_run *run, const struct cue *cue)
{
    resumed(run, cue);
    run->cause = SLICE_NONE;
}

void run_go_back(struct saga_run *run, const struct cue *cue)
{
    resumed(run, cue);
}

static void end(struct saga_run *run, enum record what)
{
    run->ended_us = run->now_us;
    run->deadline_us = NEVER;
    record_run(run, what, run->cause);
}

void run_completed(struct saga_run *run, const struct cue *cue)
{
    (void)cue;
    run->cause = SLICE_NONE;
    end(run, REC_SAGA_COMPLETED);
}

void run_compensated(struct saga_run *run, const struct cue *cue)
{
    (void)cue;
    end(run, REC_SAGA_COMPENSATED);
}

void run_left(struct saga_run *run, const struct cue *cue)
{
    (void)cue;
    end(run, REC_SAGA_FAILED);
}

/* --- failures --- */

void run_step_failed(const struct task_at *t, struct slice error, bool exhausted)
{
    struct saga_run *run = t->run;
    struct cue cue = { .reason = exhausted ? "attempts-used-up" : "step-failed", .step = t->step, .error = error };
    bool pause = run->pivot_sent || (exhausted && run->definition->pause);

    if (t->kind == SAGA_COMPENSATION) {
        cue.reason = "compensation-failed";
        run_fire(run, RUN_STUCK, &cue);
    } else if (!saga_run_back(run)) {
        run_fire(run, pause ? RUN_STUCK : RUN_BACK, &cue);
    }
}

void task_try_again(const struct task_at *t, const struct cue *cue)
{
    bool waits = t->task->status == TASK_WAITING && t->deed->kind == SAGA_AWAIT;
    bool never = t->kind == SAGA_ACTION && saga_run_back(t->run);

    if (never || t->task->attempts >= t->def->retry.max_attempts) {
        task_fire(t, ON_FAIL, cue);
        run_step_failed(t, cue->error, true);
        return;
    }
    task_fire(t, waits ? ON_AGAIN_WAIT : ON_AGAIN, cue);
}

void task_unmet(const struct task_at *t, const struct cue *cue)
{
    if (t->kind == SAGA_COMPENSATION) {
        task_try_again(t, cue);
    } else {
        task_fire(t, ON_FAIL, cue);
        run_step_failed(t, cue->error, false);
    }
}

void task_arrived(const struct task_at *t, struct slice early)
{
    struct cue cue = { 0 };

    if (early_is(early, EARLY_FAILURE, &cue.answer))
        cue.error = error_text(t->run, "failure-event", "The event that came says that it failed.", SLICE_NONE);
    else if (early_is(early, EARLY_REJECTED, &cue.answer))
        cue.error = error_text(t->run, "rejected", "It was rejected.", cue.answer);
    if (cue.answer.p) {
        task_unmet(t, &cue);
        return;
    }
    if (!early_is(early, EARLY_EVENT, &cue.result) && !early_is(early, EARLY_SIGNAL, &cue.result))
        early_is(early, EARLY_APPROVED, &cue.result);
    task_fire(t, ON_MET, &cue);
}

/* --- what is next --- */

static bool through(const struct saga_task *k)
{
    return k->status == TASK_SUCCEEDED || k->status == TASK_SKIPPED;
}

static uint64_t actions_through(const struct saga_run *run)
{
    uint64_t set = 0;

    for (size_t i = 0; i < run->definition->step_n; i++)
        if (through(&run->task[SAGA_ACTION][i]))
            set |= UINT64_C(1) << i;
    return set;
}

/* Nothing is left of these: they did nothing, or have no compensation, or it is through. */
static uint64_t undone(const struct saga_run *run)
{
    uint64_t set = 0;

    for (size_t i = 0; i < run->definition->step_n; i++) {
        const struct saga_task *k = &run->task[SAGA_ACTION][i];
        bool did = k->status == TASK_SUCCEEDED || k->unknown;

        if (!did || run->definition->step[i].deed[SAGA_COMPENSATION].kind == SAGA_NOTHING ||
            through(&run->task[SAGA_COMPENSATION][i]))
            set |= UINT64_C(1) << i;
    }
    return set;
}

static bool any(const struct saga_run *run, enum saga_kind kind, enum saga_status status)
{
    for (size_t i = 0; i < run->definition->step_n; i++)
        if (run->task[kind][i].status == status)
            return true;
    return false;
}

/* The steps of a set that are pending. */
static bool begin(struct saga_run *run, enum saga_kind kind, uint64_t set)
{
    bool begun = false;

    for (size_t i = 0; i < run->definition->step_n; i++)
        if (set >> i & 1) {
            struct task_at t = task_at(run, (int)i, kind);

            begun |= task_fire(&t, deed_tries(t.deed) ? ON_BEGIN : ON_BEGIN_WAIT, &(struct cue){ 0 });
        }
    return begun;
}

static bool begin_actions(struct saga_run *run)
{
    uint64_t done = actions_through(run), set = 0;

    for (size_t i = 0; i < run->definition->step_n; i++)
        if (!(run->definition->step[i].after & ~done))
            set |= UINT64_C(1) << i;
    return begin(run, SAGA_ACTION, set);
}

static bool begin_compensations(struct saga_run *run)
{
    uint64_t done = undone(run), set = 0;

    if (any(run, SAGA_ACTION, TASK_RUNNING))
        return false;
    for (size_t i = 0; i < run->definition->step_n; i++)
        if (!(done >> i & 1) && !(run->definition->step[i].behind & ~done))
            set |= UINT64_C(1) << i;
    return begin(run, SAGA_COMPENSATION, set);
}

/* It would publish once more, and the answer to what it has published came after all. */
static bool answered(const struct saga_task *k)
{
    struct slice event;

    return k->status == TASK_READY && k->round && early_is(k->early, EARLY_EVENT, &event);
}

/* Steps that wait, and what they wait for is there already. */
static void use_early(struct saga_run *run)
{
    for (int kind = 0; kind < SAGA_KINDS; kind++)
        for (size_t i = 0; i < run->definition->step_n; i++) {
            struct task_at t = task_at(run, (int)i, (enum saga_kind)kind);
            struct slice early = t.task->early;

            if (!answered(t.task) && (t.task->status != TASK_WAITING || !early.p))
                continue;
            t.task->early = SLICE_NONE;
            t.task->texts |= TASK_EARLY;
            task_arrived(&t, early);
        }
}

static bool fire_all(struct saga_run *run, enum saga_status status, enum task_event event)
{
    bool fired = false;

    for (size_t i = 0; i < run->definition->step_n; i++) {
        struct task_at t = task_at(run, (int)i, SAGA_ACTION);

        if (t.task->status == status)
            fired |= task_fire(&t, event, &(struct cue){ 0 });
    }
    return fired;
}

static bool step_on(struct saga_run *run)
{
    bool on = false;

    use_early(run);
    if (run->state == SAGA_RUNNING || run->state == SAGA_WAITING)
        on |= fire_all(run, TASK_HELD, ON_RELEASE) | begin_actions(run);
    else if (run->state == SAGA_PAUSED && !saga_run_back(run))
        on |= fire_all(run, TASK_READY, ON_HOLD);
    else if (saga_run_back(run) && !saga_ended(run->state))
        on |= begin_compensations(run);
    return on;
}

static void maybe_over(struct saga_run *run)
{
    uint64_t all = UINT64_MAX >> (SAGA_STEPS_MAX - run->definition->step_n);

    if (!saga_run_back(run)) {
        if (actions_through(run) == all)
            run_fire(run, RUN_DONE, NULL);
    } else if (run->state == SAGA_COMPENSATING && !any(run, SAGA_ACTION, TASK_RUNNING) && undone(run) == all) {
        run_fire(run, any(run, SAGA_COMPENSATION, TASK_SKIPPED) ? RUN_LEFT : RUN_UNDONE, NULL);
    }
}

void run_settle(struct saga_run *run)
{
    while (!run->failed && step_on(run))
        ;
    maybe_over(run);
    run_fire(run, any(run, SAGA_ACTION, TASK_READY) || any(run, SAGA_ACTION, TASK_RUNNING) ? RUN_TRIES : RUN_WAITS, NULL);
}
