#include "gateway/base/backoff.h"
#include "gateway/engine/saga_machine_parts.h"

struct task_at task_at(struct saga_run *run, int step, enum saga_kind kind)
{
    const struct saga_step *def = &run->definition->step[step];

    return (struct task_at){ run, &run->task[kind][step], step, kind, def, &def->deed[kind] };
}

bool task_fire(const struct task_at *t, enum task_event event, const struct cue *cue)
{
    const struct task_row *row = task_row(t->task->status, event);

    if (!row)
        return false;
    row->act(t, cue);
    t->task->status = row->next;
    t->task->changed = true;
    return true;
}

static void text(const struct task_at *t, enum saga_texts which, struct slice *field, struct slice value)
{
    if (!value.p && !field->p)
        return;
    *field = value;
    t->task->texts |= which;
}

/* What was sent and what came, where that is told. */
static void told(const struct task_at *t, const struct cue *cue)
{
    if (cue->request.p)
        text(t, TASK_REQUEST, &t->task->request, cue->request);
    if (cue->answer.p)
        text(t, TASK_ANSWER, &t->task->answer, cue->answer);
}

static void wait_begins(const struct task_at *t)
{
    if (deed_awaits(t->deed) && !t->task->early.p)
        t->task->wait_begins = true;
}

void task_end_wait(const struct task_at *t)
{
    if (!deed_awaits(t->deed))
        return;
    t->task->wait_begins = false;
    t->task->wait_ends = t->task->changed = true;
}

/* A compensation that waits once more has all the time again. */
static int64_t until(const struct task_at *t)
{
    int64_t from = t->kind == SAGA_ACTION ? t->task->begun_us : t->run->now_us;

    return t->def->timeout_us ? from + t->def->timeout_us : NEVER;
}

static void record_waiting(const struct task_at *t)
{
    const char *what = t->deed->kind == SAGA_APPROVAL ? "approval" : t->deed->kind == SAGA_SIGNAL ? "signal" : "event";

    if (!t->task->early.p)
        record_step(t, REC_STEP_WAITING,
                    &(struct telling){ .word_name = "for", .word = what, .due_us = t->task->due_us, .due_name = "until" });
}

static void begin(const struct task_at *t)
{
    struct saga_task *k = t->task;

    k->begun_us = t->run->now_us;
    k->ended_us = k->ended_seq = 0;
    k->attempts = 0;
    text(t, TASK_ERROR, &k->error, SLICE_NONE);
    wait_begins(t);
}

void task_begin(const struct task_at *t, const struct cue *cue)
{
    (void)cue;
    begin(t);
    t->task->due_us = t->run->now_us;
}

void task_begin_wait(const struct task_at *t, const struct cue *cue)
{
    (void)cue;
    begin(t);
    t->task->attempts = 1;
    t->task->due_us = until(t);
    record_waiting(t);
}

void task_admit(const struct task_at *t, const struct cue *cue)
{
    t->task->attempts++;
    t->task->owner = cue->owner;
    t->task->due_us = NEVER;
    told(t, cue);
    if (t->def->pivot && t->kind == SAGA_ACTION)
        t->run->pivot_sent = true;
}

/* No attempt runs any more. */
static void idle(const struct task_at *t, int64_t due_us)
{
    t->task->owner = 0;
    t->task->due_us = due_us;
}

static void over(const struct task_at *t)
{
    idle(t, NEVER);
    t->task->ended_us = t->run->now_us;
    t->task->ended_seq = t->run->seq;
}

void task_succeed(const struct task_at *t, const struct cue *cue)
{
    over(t);
    told(t, cue);
    text(t, TASK_RESULT, &t->task->result, cue->result.p ? cue->result : SLICE("null"));
    text(t, TASK_ERROR, &t->task->error, SLICE_NONE);
    text(t, TASK_EARLY, &t->task->early, SLICE_NONE);
    record_step(t, t->kind == SAGA_ACTION ? REC_SUCCEEDED : REC_COMPENSATED,
                &(struct telling){ .attempt = t->task->attempts, .result = t->task->result });
}

void task_sent(const struct task_at *t, const struct cue *cue)
{
    t->task->unknown = true; /* something was done, and the awaited event will tell what */
    t->task->round++;
    idle(t, until(t));
    told(t, cue);
    record_waiting(t);
}

void task_fail(const struct task_at *t, const struct cue *cue)
{
    struct saga_task *k = t->task;

    over(t);
    told(t, cue);
    k->unknown |= cue->unknown;
    if (cue->error.p)
        text(t, TASK_ERROR, &k->error, cue->error);
    record_step(t, t->kind == SAGA_ACTION ? REC_FAILED : REC_COMPENSATION_FAILED,
                &(struct telling){ .attempt = k->attempts, .error = k->error,
                                   .word_name = "outcome", .word = k->unknown ? "unknown" : NULL });
    if (t->kind == SAGA_ACTION && saga_run_back(t->run)) /* else an operator may retry it, and an event that is late is not missed */
        task_end_wait(t);
}

static void failed_attempt(const struct task_at *t, const struct cue *cue, int64_t due_us)
{
    told(t, cue);
    t->task->unknown |= cue->unknown;
    text(t, TASK_ERROR, &t->task->error, cue->error);
    record_step(t, REC_ATTEMPT_FAILED, &(struct telling){ .attempt = t->task->attempts, .error = cue->error,
                                                          .due_us = due_us, .due_name = "again_at" });
}

static int64_t backoff(const struct task_at *t, int32_t n)
{
    const struct saga_retry *r = &t->def->retry;

    return backoff_us(r->initial_us, r->factor, r->max_us, r->jitter, n, &t->run->random);
}

void task_again(const struct task_at *t, const struct cue *cue)
{
    int64_t us = cue->at_once ? 0 : backoff(t, t->task->attempts);

    idle(t, t->run->now_us + (us > cue->after_us ? us : cue->after_us));
    failed_attempt(t, cue, t->task->due_us);
    if (t->task->status == TASK_WAITING)
        wait_begins(t);
}

void task_again_wait(const struct task_at *t, const struct cue *cue)
{
    failed_attempt(t, cue, 0);
    t->task->attempts++;
    t->task->due_us = until(t);
    wait_begins(t);
}

void task_later(const struct task_at *t, const struct cue *cue)
{
    told(t, cue);
    t->task->attempts--;
    t->task->unknown = true;
    idle(t, t->run->now_us + (cue->after_us ? cue->after_us : backoff(t, 1)));
}

void task_released(const struct task_at *t, const struct cue *cue)
{
    t->task->attempts--;
    t->task->unknown |= cue->unknown;
    idle(t, t->run->now_us);
}

void task_put_off(const struct task_at *t, const struct cue *cue)
{
    told(t, cue);
    text(t, TASK_ERROR, &t->task->error, cue->error);
    idle(t, t->run->now_us + (cue->after_us ? cue->after_us : backoff(t, 1)));
}

void task_keep(const struct task_at *t, const struct cue *cue)
{
    text(t, TASK_EARLY, &t->task->early, cue->result);
    if (t->task->begun_us == 0)
        t->task->due_us = NEVER;
}

void task_nothing(const struct task_at *t, const struct cue *cue)
{
    (void)t;
    (void)cue;
}

void task_drop(const struct task_at *t, const struct cue *cue)
{
    (void)cue;
    over(t);
    task_end_wait(t);
    record_step(t, REC_SKIPPED, &(struct telling){ 0 });
}

void task_abandon(const struct task_at *t, const struct cue *cue)
{
    struct cue why = *cue;

    if (!why.error.p && !t->task->error.p)
        why.error = error_text(t->run, "cut-off", "The saga turned back before it was known what became of this step.", SLICE_NONE);
    task_fail(t, &why);
    task_end_wait(t);
}

static void record_retry(const struct task_at *t, const struct cue *cue)
{
    record_step(t, REC_RETRIED, &(struct telling){ .actor = cue->actor, .comment = cue->comment });
}

void task_retry(const struct task_at *t, const struct cue *cue)
{
    record_retry(t, cue);
    task_begin(t, cue);
}

void task_retry_wait(const struct task_at *t, const struct cue *cue)
{
    record_retry(t, cue);
    task_begin_wait(t, cue);
}

void task_now(const struct task_at *t, const struct cue *cue)
{
    record_retry(t, cue);
    t->task->due_us = t->run->now_us;
}

/* What an operator has passed over may have been done, by himself too: it is compensated if it comes to that. */
void task_skip(const struct task_at *t, const struct cue *cue)
{
    over(t);
    task_end_wait(t);
    text(t, TASK_RESULT, &t->task->result, SLICE("null"));
    text(t, TASK_EARLY, &t->task->early, SLICE_NONE);
    if (t->kind == SAGA_ACTION)
        t->task->unknown = true;
    record_step(t, t->kind == SAGA_ACTION ? REC_SKIPPED : REC_COMPENSATION_SKIPPED,
                &(struct telling){ .actor = cue->actor, .comment = cue->comment });
}
