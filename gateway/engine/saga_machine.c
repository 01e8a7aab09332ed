#include "gateway/engine/saga_machine_parts.h"

/* Inputs: what each of them is to an instance that stands as it does. */

#define SAGA_LATE_MESSAGE "It was not done yet when the saga turned back."
#define SAGA_LOST_MESSAGE "The gateway that made the attempt is gone; what became of it is not known."

struct saga_run *saga_run_new(struct arena *a, const struct saga_definition *d)
{
    struct saga_run *run = arena_zalloc(a, sizeof *run);
    struct saga_task *task = arena_zalloc(a, SAGA_KINDS * d->step_n * sizeof *task);

    if (!run || !task)
        return NULL;
    for (size_t i = 0; i < SAGA_KINDS * d->step_n; i++)
        task[i].due_us = NEVER;
    *run = (struct saga_run){ .definition = d, .arena = a, .state = SAGA_NEW, .deadline_us = NEVER,
                              .task = { task, task + d->step_n } };
    return run;
}

bool saga_run_failed(const struct saga_run *run)
{
    return run->failed;
}

int64_t saga_run_alarm(const struct saga_run *run)
{
    int64_t at = run->deadline_us;

    for (size_t i = 0; i < SAGA_KINDS * run->definition->step_n; i++)
        if (run->task[0][i].status == TASK_WAITING && run->task[0][i].due_us < at)
            at = run->task[0][i].due_us;
    return at;
}

static struct cue cue_of(const struct saga_input *in)
{
    return (struct cue){ .result = in->result, .error = in->error, .request = in->request, .answer = in->answer,
                         .comment = in->comment, .actor = in->actor, .owner = in->owner, .after_us = in->after_us,
                         .unknown = in->unknown, .step = in->step };
}

static enum saga_applied denied(struct fault *f, const char *why)
{
    fault(f, ERR_CONFLICT, "%s", why);
    return SAGA_DENIED;
}

static enum saga_applied changed(bool yes)
{
    return yes ? SAGA_CHANGED : SAGA_UNCHANGED;
}

/* --- attempts --- */

static enum saga_applied on_admitted(const struct task_at *t, struct cue *cue)
{
    return changed(t->task->due_us <= t->run->now_us && task_fire(t, ON_ADMIT, cue));
}

static enum saga_applied on_unfit(const struct task_at *t, struct cue *cue)
{
    if (t->task->status != TASK_READY && t->task->status != TASK_WAITING)
        return SAGA_UNCHANGED;
    task_fire(t, ON_FAIL, cue);
    run_step_failed(t, cue->error, false);
    return SAGA_CHANGED;
}

static enum saga_applied on_put_off(const struct task_at *t, struct cue *cue)
{
    return changed(task_fire(t, ON_PUT_OFF, cue));
}

static bool turned(const struct task_at *t) /* nobody waits for it any more */
{
    return t->kind == SAGA_ACTION && saga_run_back(t->run);
}

static enum saga_applied on_ok(const struct task_at *t, struct cue *cue)
{
    if (!deed_awaits(t->deed)) {
        task_fire(t, ON_OK, cue);
    } else if (turned(t)) {
        cue->unknown = true;
        task_fire(t, ON_ABANDON, cue);
    } else {
        task_fire(t, ON_SENT, cue);
    }
    return SAGA_CHANGED;
}

static enum saga_applied on_refused(const struct task_at *t, struct cue *cue)
{
    task_fire(t, ON_FAIL, cue);
    run_step_failed(t, cue->error, false);
    return SAGA_CHANGED;
}

static enum saga_applied on_later(const struct task_at *t, struct cue *cue)
{
    cue->unknown = true;
    if (turned(t))
        cue->error = error_text(t->run, "not-yet", SAGA_LATE_MESSAGE, SLICE_NONE);
    task_fire(t, turned(t) ? ON_FAIL : ON_LATER, cue);
    return SAGA_CHANGED;
}

static enum saga_applied on_again(const struct task_at *t, struct cue *cue)
{
    task_try_again(t, cue);
    return SAGA_CHANGED;
}

static enum saga_applied on_lost(const struct task_at *t, struct cue *cue)
{
    cue->unknown = true;
    cue->error = error_text(t->run, "gateway-lost", SAGA_LOST_MESSAGE, SLICE_NONE);
    cue->at_once = !slice_eq(t->task->error, cue->error); /* the target has done nothing wrong. Twice in a row: is it what kills gateways? */
    task_try_again(t, cue);
    return SAGA_CHANGED;
}

static enum saga_applied on_released(const struct task_at *t, struct cue *cue)
{
    bool nothing = !cue->unknown && !t->task->unknown && t->task->attempts == 1;

    task_fire(t, !turned(t) ? ON_RELEASED : nothing ? ON_DROP : ON_ABANDON, cue);
    return SAGA_CHANGED;
}

/* --- events, signals, decisions --- */

/* Does the event serve this wait? One that came before its publish is known to be done is kept; so is one that is late for a step that an
 * operator may retry. */
static bool open_to(const struct task_at *t, const struct saga_hit *hit)
{
    if (!deed_awaits(t->deed) || turned(t) || saga_ended(t->run->state))
        return false;
    switch (t->task->status) {
    case TASK_WAITING:
        return true;
    case TASK_READY:
    case TASK_RUNNING:
    case TASK_HELD:
        return !t->task->early.p;
    case TASK_FAILED:
        return !t->task->early.p && !hit->failure;
    default:
        return false;
    }
}

static void arrives(const struct task_at *t, struct slice early)
{
    if (t->task->status == TASK_WAITING)
        task_arrived(t, early);
    else
        task_fire(t, ON_KEEP, &(struct cue){ .result = early });
}

static enum saga_applied in_event(struct saga_run *run, const struct saga_input *in, struct fault *f)
{
    (void)f;
    for (size_t i = 0; i < in->hit_n; i++) {
        const struct saga_hit *hit = &in->hit[i];
        struct task_at t = task_at(run, hit->step, hit->kind);

        if (!open_to(&t, hit))
            continue;
        task_end_wait(&t);
        t.task->event = in->event;
        arrives(&t, early_text(run, hit->failure ? EARLY_FAILURE : EARLY_EVENT, in->result));
        return SAGA_CHANGED;
    }
    return SAGA_UNCHANGED;
}

/* A signal or a decision for a step, `word` of enum EARLY_…; `same`: it was already given, and is this one. */
static enum saga_applied give(const struct task_at *t, struct slice early, enum record kept, bool same, struct fault *f)
{
    enum saga_status status = t->task->status;

    if (same)
        return SAGA_UNCHANGED;
    if (status == TASK_SUCCEEDED || t->task->early.p)
        return denied(f, "The step has got another one already.");
    if (saga_ended(t->run->state) || saga_run_back(t->run) || status == TASK_SKIPPED)
        return denied(f, "Nobody waits for it any more: the instance has ended, turned back or passed over the step.");
    if (status != TASK_WAITING)
        record_step(t, kept, &(struct telling){ 0 });
    arrives(t, early);
    return SAGA_CHANGED;
}

static enum saga_applied in_signal(struct saga_run *run, const struct saga_input *in, struct fault *f)
{
    struct task_at t = task_at(run, in->step, SAGA_ACTION);
    struct slice result = in->result.p ? in->result : SLICE("null"), kept;
    bool same;

    if (t.deed->kind != SAGA_SIGNAL)
        return denied(f, "The step does not wait for a signal.");
    same = (t.task->status == TASK_SUCCEEDED && slice_eq(t.task->result, result)) ||
           (early_is(t.task->early, EARLY_SIGNAL, &kept) && slice_eq(kept, result));
    return give(&t, early_text(run, EARLY_SIGNAL, result), REC_SIGNAL, same, f);
}

static enum saga_applied in_decision(struct saga_run *run, const struct saga_input *in, struct fault *f)
{
    struct task_at t = task_at(run, in->step, SAGA_ACTION);
    const char *word = in->approve ? EARLY_APPROVED : EARLY_REJECTED;
    struct slice kept;
    bool same;

    if (t.deed->kind != SAGA_APPROVAL)
        return denied(f, "The step does not wait for an approval.");
    same = early_is(t.task->early, word, &kept) || (in->approve ? t.task->status == TASK_SUCCEEDED :
                                                    t.task->status == TASK_FAILED && early_is(t.task->answer, "decision", &kept));
    return give(&t, early_text(run, word, decision_text(run, in)), REC_DECISION, same, f);
}

/* --- time --- */

static enum saga_applied in_time(struct saga_run *run, const struct saga_input *in, struct fault *f)
{
    bool any = false;

    (void)f;
    for (int kind = 0; kind < SAGA_KINDS; kind++)
        for (size_t i = 0; i < run->definition->step_n; i++) {
            struct task_at t = task_at(run, (int)i, (enum saga_kind)kind);

            if (t.task->status != TASK_WAITING || t.task->due_us > run->now_us || in->unread[kind] >> i & 1)
                continue;
            task_unmet(&t, &(struct cue){ .error = error_text(run, "timeout", "What was waited for did not come in time.",
                                                              SLICE_NONE) });
            any = true;
        }
    if (run->deadline_us <= run->now_us && !in->unread[SAGA_ACTION] && !in->unread[SAGA_COMPENSATION]) {
        struct cue cue = { .reason = "timeout", .step = -1 };

        run->deadline_us = NEVER;
        run_fire(run, run->pivot_sent ? RUN_STUCK : RUN_BACK, &cue);
        any = true;
    }
    return changed(any);
}

/* --- by hand --- */

static enum saga_applied in_start(struct saga_run *run, const struct saga_input *in, struct fault *f)
{
    struct cue cue = cue_of(in);

    (void)f;
    return changed(run_fire(run, RUN_START, &cue));
}

static enum saga_applied in_cancel(struct saga_run *run, const struct saga_input *in, struct fault *f)
{
    struct cue cue = cue_of(in);

    if (saga_ended(run->state))
        return denied(f, "The instance has ended.");
    if (saga_run_back(run))
        return SAGA_UNCHANGED;
    if (run->pivot_sent)
        return denied(f, "A pivot was sent: from there on it can only go forward.");
    cue.reason = "cancelled";
    cue.step = -1;
    return changed(run_fire(run, RUN_BACK, &cue));
}

/* A paused instance goes on when nothing is failed any more. */
static void go_on(struct saga_run *run, enum saga_kind kind, const struct cue *cue)
{
    for (size_t i = 0; i < run->definition->step_n; i++)
        if (run->task[kind][i].status == TASK_FAILED)
            return;
    run_fire(run, kind == SAGA_ACTION ? RUN_GO_ON : RUN_GO_BACK, cue);
}

static bool retry(const struct task_at *t, const struct cue *cue)
{
    if (t->task->status == TASK_FAILED)
        return task_fire(t, deed_tries(t->deed) ? ON_RETRY : ON_RETRY_WAIT, cue);
    return t->task->status == TASK_READY && t->task->due_us > t->run->now_us && task_fire(t, ON_NOW, cue);
}

static bool skip(const struct task_at *t, const struct cue *cue, bool named)
{
    bool stuck = named && t->kind == SAGA_COMPENSATION && t->task->status == TASK_READY && t->task->attempts > 0;

    return (t->task->status == TASK_FAILED || stuck) && task_fire(t, ON_SKIP, cue);
}

static enum saga_applied by_hand(struct saga_run *run, const struct saga_input *in, struct fault *f)
{
    enum saga_kind kind = saga_run_back(run) ? SAGA_COMPENSATION : SAGA_ACTION;
    struct cue cue = cue_of(in);
    enum saga_state before = run->state;
    bool any = false;

    if (saga_ended(run->state))
        return denied(f, "The instance has ended.");
    for (size_t i = 0; i < run->definition->step_n; i++) {
        struct task_at t = task_at(run, (int)i, kind);

        if (in->step < 0 || in->step == (int)i)
            any |= in->what == SAGA_IN_RETRY ? retry(&t, &cue) : skip(&t, &cue, in->step >= 0);
    }
    if (any || (in->what == SAGA_IN_RETRY && in->step < 0))
        go_on(run, kind, &cue);
    if (any || run->state != before)
        return SAGA_CHANGED;
    return denied(f, in->step < 0 ? "None of its steps has failed." : "The step has not failed, so there is nothing to decide.");
}

/* --- */

static enum saga_applied (*const on_attempt[SAGA_INPUTS])(const struct task_at *t, struct cue *cue) = {
    [SAGA_IN_UNFIT] = on_unfit,
    [SAGA_IN_PUT_OFF] = on_put_off,
    [SAGA_IN_ADMITTED] = on_admitted,
    [SAGA_IN_OK] = on_ok,
    [SAGA_IN_REFUSED] = on_refused,
    [SAGA_IN_LATER] = on_later,
    [SAGA_IN_AGAIN] = on_again,
    [SAGA_IN_LOST] = on_lost,
    [SAGA_IN_RELEASED] = on_released,
};

static enum saga_applied (*const on_instance[SAGA_INPUTS])(struct saga_run *run, const struct saga_input *in, struct fault *f) = {
    [SAGA_IN_START] = in_start,
    [SAGA_IN_EVENT] = in_event,
    [SAGA_IN_SIGNAL] = in_signal,
    [SAGA_IN_DECISION] = in_decision,
    [SAGA_IN_TIME] = in_time,
    [SAGA_IN_CANCEL] = in_cancel,
    [SAGA_IN_RETRY] = by_hand,
    [SAGA_IN_SKIP] = by_hand,
};

/* Of the attempt that runs, or of one that does not yet. */
static enum saga_applied attempt(struct saga_run *run, const struct saga_input *in)
{
    struct task_at t = task_at(run, in->step, in->kind);
    struct cue cue = cue_of(in);

    if (in->what >= SAGA_IN_OK && (t.task->status != TASK_RUNNING || t.task->owner != in->owner || t.task->attempts != in->attempt))
        return SAGA_UNCHANGED;
    return on_attempt[in->what](&t, &cue);
}

enum saga_applied saga_apply(struct saga_run *run, const struct saga_input *in, int64_t now_us, struct fault *f)
{
    enum saga_applied applied;

    run->now_us = now_us;
    run->next_n = 0;
    run->seq++; /* of what is written by this */
    applied = on_attempt[in->what] ? attempt(run, in) : on_instance[in->what](run, in, f);
    if (applied != SAGA_CHANGED) {
        run->seq--;
        return applied;
    }
    run_settle(run);
    run->changed = true;
    run->updated_us = now_us;
    return applied;
}
