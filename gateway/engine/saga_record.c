#include <string.h>

#include "gateway/engine/saga_machine_parts.h"

const struct record_name record_names[RECORDS] = {
    [REC_STARTED] = { "SagaStarted", "`version`, `input`" },
    [REC_STEP_WAITING] = { "StepWaiting",
                           "it waits for what `for` says, an `event`, an `approval` or a `signal`, `until` then" },
    [REC_ATTEMPT_FAILED] = { "StepAttemptFailed",
                             "attempt number `attempt` with this `error`; the next one is not before `again_at`" },
    [REC_SUCCEEDED] = { "StepSucceeded", "after `attempts` attempts, with this `result`" },
    [REC_FAILED] = { "StepFailed",
                     "after `attempts` attempts, with this `error`. `outcome` is `unknown` where it may have done something" },
    [REC_SKIPPED] = { "StepSkipped", "`by` hand; without `by`: it had done nothing when compensation came" },
    [REC_RETRIED] = { "StepRetried", "`by` hand" },
    [REC_SIGNAL] = { "SignalReceived", "before its step began: it is kept" },
    [REC_DECISION] = { "DecisionReceived", "before its step began: it is kept" },
    [REC_COMPENSATED] = { "StepCompensated", "its compensation succeeded after `attempts` attempts, with this `result`" },
    [REC_COMPENSATION_FAILED] = { "CompensationFailed", "after `attempts` attempts, with this `error`" },
    [REC_COMPENSATION_SKIPPED] = { "CompensationSkipped", "`by` hand" },
    [REC_PAUSED] = { "SagaPaused", "an operator is needed; `reason`, `step`, `error`" },
    [REC_RESUMED] = { "SagaResumed", "`by` hand" },
    [REC_COMPENSATING] = { "SagaCompensating", "nothing new begins, what was done is undone; `reason`, `step`, `error`" },
    [REC_SAGA_COMPLETED] = { "SagaCompleted", "all steps succeeded, or were skipped by hand" },
    [REC_SAGA_COMPENSATED] = { "SagaCompensated", "all that was done is undone; `reason` as above" },
    [REC_SAGA_FAILED] = { "SagaFailed", "the same, but for compensations that were skipped by hand" },
};

static struct slice made(struct saga_run *run, struct buf *b)
{
    struct slice s = b->failed ? SLICE_NONE : arena_slice(run->arena, (struct slice){ b->p, b->n });

    if (!s.p)
        run->failed = true;
    buf_free(b);
    return s;
}

/* A JSON text, or how long it is. */
static void member(struct buf *b, const char *name, struct slice json)
{
    if (!json.p)
        return;
    if (json.n > SAGA_RECORD_TEXT) {
        buf_printf(b, ",\"%s_bytes\":%zu", name, json.n);
        return;
    }
    buf_printf(b, ",\"%s\":", name);
    buf_slice(b, json);
}

static void by_hand(struct buf *b, struct slice actor, struct slice comment)
{
    if (actor.p)
        buf_member_text(b, "by", actor);
    if (comment.p)
        buf_member_text(b, "comment", comment);
}

static void add(struct saga_run *run, enum record what, int step, enum saga_kind kind, struct slice data)
{
    if (run->record_n == run->record_cap) {
        size_t cap = run->record_cap ? 2 * run->record_cap : 8;
        struct saga_record *more = arena_alloc(run->arena, cap * sizeof *more);

        if (!more) {
            run->failed = true;
            return;
        }
        if (run->record_n)
            memcpy(more, run->record, run->record_n * sizeof *more);
        run->record = more;
        run->record_cap = cap;
    }
    run->record[run->record_n++] =
        (struct saga_record){ .seq = run->seq, .n = run->next_n++, .type = record_names[what].name, .step = step, .kind = kind,
                              .data = data, .what = (int)what };
}

void record_run(struct saga_run *run, enum record what, struct slice data)
{
    add(run, what, -1, SAGA_ACTION, data.p ? data : SLICE("{}"));
}

void record_started(struct saga_run *run)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"version\":%d", run->version);
    member(&b, "input", run->input);
    buf_char(&b, '}');
    record_run(run, REC_STARTED, made(run, &b));
}

void record_step(const struct task_at *t, enum record what, const struct telling *tell)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "{\"step\":");
    buf_json_string(&b, t->def->name);
    buf_member_text(&b, "kind", slice_of(saga_kind_names[t->kind]));
    if (tell->attempt)
        buf_printf(&b, ",\"%s\":%d", what == REC_ATTEMPT_FAILED ? "attempt" : "attempts", tell->attempt);
    if (tell->word)
        buf_member_text(&b, tell->word_name, slice_of(tell->word));
    member(&b, "result", tell->result);
    member(&b, "error", tell->error);
    by_hand(&b, tell->actor, tell->comment);
    if (tell->due_us && tell->due_us != NEVER)
        buf_member_time(&b, tell->due_name, tell->due_us);
    buf_char(&b, '}');
    add(t->run, what, t->step, t->kind, made(t->run, &b));
}

struct slice cause_text(struct saga_run *run, const struct cue *cue)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "{\"reason\":");
    buf_json_string(&b, slice_of(cue->reason));
    if (cue->step >= 0)
        buf_member_text(&b, "step", run->definition->step[cue->step].name);
    member(&b, "error", cue->error);
    by_hand(&b, cue->actor, cue->comment);
    buf_char(&b, '}');
    return made(run, &b);
}

struct slice error_text(struct saga_run *run, const char *type, const char *message, struct slice decision)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "{\"type\":");
    buf_json_string(&b, slice_of(type));
    buf_member_text(&b, "message", slice_of(message));
    member(&b, "decision", decision);
    buf_char(&b, '}');
    return made(run, &b);
}

struct slice early_text(struct saga_run *run, const char *word, struct slice value)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"%s\":", word);
    buf_slice(&b, value);
    buf_char(&b, '}');
    return made(run, &b);
}

bool early_is(struct slice early, const char *word, struct slice *ret_value)
{
    size_t n = strlen(word), head = n + 4; /* {"…": */

    if (early.n < head + 1 || memcmp(early.p + 2, word, n) != 0 || early.p[n + 2] != '"')
        return false;
    *ret_value = (struct slice){ early.p + head, early.n - head - 1 };
    return true;
}

struct slice decision_text(struct saga_run *run, const struct saga_input *in)
{
    struct buf b = { 0 };

    BUF_LIT(&b, "{\"decision\":");
    buf_json_string(&b, slice_of(in->approve ? "approve" : "reject"));
    by_hand(&b, in->actor, in->comment);
    buf_char(&b, '}');
    return made(run, &b);
}
