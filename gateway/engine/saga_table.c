#include <string.h>

#include "gateway/engine/saga_machine_parts.h"

const char *const saga_state_names[SAGA_STATES] = {
    [SAGA_RUNNING] = "running",
    [SAGA_WAITING] = "waiting",
    [SAGA_PAUSED] = "paused",
    [SAGA_COMPENSATING] = "compensating",
    [SAGA_COMPLETED] = "completed",
    [SAGA_COMPENSATED] = "compensated",
    [SAGA_FAILED] = "failed",
};

const char *const saga_status_names[TASK_STATUSES] = {
    [TASK_PENDING] = "pending",
    [TASK_READY] = "ready",
    [TASK_RUNNING] = "running",
    [TASK_WAITING] = "waiting",
    [TASK_SUCCEEDED] = "succeeded",
    [TASK_FAILED] = "failed",
    [TASK_SKIPPED] = "skipped",
    [TASK_HELD] = "held",
};

static const char *const task_event_names[TASK_EVENTS] = {
    [ON_BEGIN] = "begin",
    [ON_BEGIN_WAIT] = "begin to wait",
    [ON_ADMIT] = "admitted",
    [ON_OK] = "ok",
    [ON_SENT] = "sent",
    [ON_FAIL] = "failure",
    [ON_AGAIN] = "error",
    [ON_AGAIN_WAIT] = "wait again",
    [ON_LATER] = "not yet",
    [ON_RELEASED] = "released",
    [ON_PUT_OFF] = "put off",
    [ON_KEEP] = "early",
    [ON_MET] = "met",
    [ON_HOLD] = "hold",
    [ON_RELEASE] = "go on",
    [ON_DROP] = "drop",
    [ON_ABANDON] = "abandon",
    [ON_RETRY] = "retry",
    [ON_RETRY_WAIT] = "retry to wait",
    [ON_NOW] = "retry now",
    [ON_SKIP] = "skip",
};

static const char *const run_event_names[RUN_EVENTS] = {
    [RUN_START] = "start",
    [RUN_WAITS] = "only waits",
    [RUN_TRIES] = "tries",
    [RUN_DONE] = "all through",
    [RUN_BACK] = "failure",
    [RUN_STUCK] = "stuck",
    [RUN_GO_ON] = "by hand",
    [RUN_GO_BACK] = "by hand, backwards",
    [RUN_UNDONE] = "all undone",
    [RUN_LEFT] = "undone but for some",
};

static const struct task_row task_rows[] = {
    { TASK_PENDING, ON_BEGIN, TASK_READY, task_begin,
      "the steps that it comes after are through; of a compensation: all that came after it are undone" },
    { TASK_PENDING, ON_BEGIN_WAIT, TASK_WAITING, task_begin_wait, "the same, of an await, an approval, a signal" },
    { TASK_PENDING, ON_KEEP, TASK_PENDING, task_keep, "a signal or a decision that comes before its step is kept" },
    { TASK_READY, ON_ADMIT, TASK_RUNNING, task_admit, "it is due, its target has room: durable before the call" },
    { TASK_READY, ON_FAIL, TASK_FAILED, task_fail, "what is to be sent cannot be made: a value is missing" },
    { TASK_READY, ON_PUT_OFF, TASK_READY, task_put_off, "not now, for a reason of Weir's own; costs no attempt" },
    { TASK_READY, ON_KEEP, TASK_READY, task_keep, "the awaited event comes before it is published" },
    { TASK_READY, ON_MET, TASK_SUCCEEDED, task_succeed,
      "it was published before, and the answer to that comes after all: it is not published once more" },
    { TASK_READY, ON_HOLD, TASK_HELD, task_nothing, "the saga pauses" },
    { TASK_READY, ON_DROP, TASK_SKIPPED, task_drop, "the saga turns back, and it was not tried" },
    { TASK_READY, ON_ABANDON, TASK_FAILED, task_abandon, "the saga turns back, and it was tried" },
    { TASK_READY, ON_NOW, TASK_READY, task_now, "by hand: without waiting for the backoff" },
    { TASK_READY, ON_SKIP, TASK_SKIPPED, task_skip, "by hand: a compensation that was tried" },
    { TASK_RUNNING, ON_OK, TASK_SUCCEEDED, task_succeed, "2xx, published" },
    { TASK_RUNNING, ON_SENT, TASK_WAITING, task_sent, "published, and an event is awaited" },
    { TASK_RUNNING, ON_FAIL, TASK_FAILED, task_fail, "a business failure, or the attempts are used up" },
    { TASK_RUNNING, ON_AGAIN, TASK_READY, task_again,
      "an error: once more after the backoff; its gateway is gone: at once, if that is the first time" },
    { TASK_RUNNING, ON_LATER, TASK_READY, task_later, "425, 202 with Retry-After; costs no attempt" },
    { TASK_RUNNING, ON_RELEASED, TASK_READY, task_released, "its gateway stops; costs no attempt" },
    { TASK_RUNNING, ON_KEEP, TASK_RUNNING, task_keep,
      "the awaited event comes before it is known that it was published" },
    { TASK_RUNNING, ON_DROP, TASK_SKIPPED, task_drop,
      "its gateway stops while the saga turns back, and nothing was sent" },
    { TASK_RUNNING, ON_ABANDON, TASK_FAILED, task_abandon, "it ends without an outcome while the saga turns back" },
    { TASK_WAITING, ON_MET, TASK_SUCCEEDED, task_succeed, "the event, the approval, the signal came" },
    { TASK_WAITING, ON_FAIL, TASK_FAILED, task_fail, "timeout, rejection, an event of a failure type" },
    { TASK_WAITING, ON_AGAIN, TASK_READY, task_again, "the same of a compensation that publishes: once more" },
    { TASK_WAITING, ON_AGAIN_WAIT, TASK_WAITING, task_again_wait, "the same of a compensation that waits only" },
    { TASK_WAITING, ON_DROP, TASK_SKIPPED, task_drop, "the saga turns back, and it did nothing but wait" },
    { TASK_WAITING, ON_ABANDON, TASK_FAILED, task_abandon, "the saga turns back, and it has published" },
    { TASK_HELD, ON_RELEASE, TASK_READY, task_nothing, "the saga goes on" },
    { TASK_HELD, ON_KEEP, TASK_HELD, task_keep, "the awaited event comes before it is published" },
    { TASK_HELD, ON_DROP, TASK_SKIPPED, task_drop, "the saga turns back, and it was not tried" },
    { TASK_HELD, ON_ABANDON, TASK_FAILED, task_abandon, "the saga turns back, and it was tried" },
    { TASK_FAILED, ON_RETRY, TASK_READY, task_retry,
      "by hand: attempts are counted anew, the idempotency key is the same" },
    { TASK_FAILED, ON_RETRY_WAIT, TASK_WAITING, task_retry_wait, "by hand: it waits anew" },
    { TASK_FAILED, ON_KEEP, TASK_FAILED, task_keep, "what was awaited comes after all: a retry finds it" },
    { TASK_FAILED, ON_SKIP, TASK_SKIPPED, task_skip, "by hand: it counts as succeeded, with the result null" },
};

static const struct run_row run_rows[] = {
    { SAGA_NEW, RUN_START, SAGA_RUNNING, run_start, "with its row: from here on it is never lost" },
    { SAGA_RUNNING, RUN_WAITS, SAGA_WAITING, run_nothing, "nothing but awaits, approvals and signals is active" },
    { SAGA_RUNNING, RUN_DONE, SAGA_COMPLETED, run_completed, "all steps succeeded, or were skipped by hand" },
    { SAGA_RUNNING, RUN_BACK, SAGA_COMPENSATING, run_turn_back,
      "a step failed, the saga's timeout, cancelled: nothing new begins, waits end, running attempts end first" },
    { SAGA_RUNNING, RUN_STUCK, SAGA_PAUSED, run_pause,
      "the same once a pivot is sent; attempts used up with `on_exhausted: pause`" },
    { SAGA_WAITING, RUN_TRIES, SAGA_RUNNING, run_nothing, "an attempt is due or under way" },
    { SAGA_WAITING, RUN_DONE, SAGA_COMPLETED, run_completed, "as when running" },
    { SAGA_WAITING, RUN_BACK, SAGA_COMPENSATING, run_turn_back, "as when running" },
    { SAGA_WAITING, RUN_STUCK, SAGA_PAUSED, run_pause, "as when running" },
    { SAGA_PAUSED, RUN_GO_ON, SAGA_RUNNING, run_go_on, "retry, skip: no step is failed any more" },
    { SAGA_PAUSED, RUN_GO_BACK, SAGA_COMPENSATING, run_go_back, "retry, skip: no compensation is failed any more" },
    { SAGA_PAUSED, RUN_BACK, SAGA_COMPENSATING, run_turn_back,
      "cancelled, the saga's timeout, a business failure of a step that still ran; never once a pivot is sent" },
    { SAGA_PAUSED, RUN_DONE, SAGA_COMPLETED, run_completed,
      "paused by its timeout, and then the last step that still ran succeeded" },
    { SAGA_COMPENSATING, RUN_STUCK, SAGA_PAUSED, run_pause,
      "the attempts of a compensation are used up; other branches go on" },
    { SAGA_COMPENSATING, RUN_UNDONE, SAGA_COMPENSATED, run_compensated, "also when there was nothing to undo" },
    { SAGA_COMPENSATING, RUN_LEFT, SAGA_FAILED, run_left, "a compensation was skipped by hand" },
};

#define COUNT(v) (sizeof(v) / sizeof *(v))

const struct task_row *task_row(enum saga_status from, enum task_event event)
{
    for (size_t i = 0; i < COUNT(task_rows); i++)
        if (task_rows[i].from == from && task_rows[i].event == event)
            return &task_rows[i];
    return NULL;
}

const struct run_row *run_row(enum saga_state from, enum run_event event)
{
    for (size_t i = 0; i < COUNT(run_rows); i++)
        if (run_rows[i].from == from && run_rows[i].event == event)
            return &run_rows[i];
    return NULL;
}

/* --- printing --- */

struct edge {
    const char *from, *next, *event, *comment;
};

static size_t edges(struct edge *e, bool of_tasks)
{
    size_t n = of_tasks ? COUNT(task_rows) : COUNT(run_rows);

    for (size_t i = 0; i < n; i++) {
        const struct task_row *t = of_tasks ? &task_rows[i] : NULL;
        const struct run_row *r = of_tasks ? NULL : &run_rows[i];

        if (t)
            e[i] = (struct edge){ saga_status_names[t->from], saga_status_names[t->next], task_event_names[t->event], t->comment };
        else
            e[i] = (struct edge){ r->from == SAGA_NEW ? "[*]" : saga_state_names[r->from], saga_state_names[r->next],
                                  run_event_names[r->event], r->comment };
    }
    return n;
}

/* One arrow between two, with all its events. */
static void print_diagram(struct buf *b, const struct edge *e, size_t n)
{
    BUF_LIT(b, "```mermaid\nstateDiagram-v2\n");
    for (size_t i = 0; i < n; i++) {
        size_t first = 0;

        while (strcmp(e[first].from, e[i].from) != 0 || strcmp(e[first].next, e[i].next) != 0)
            first++;
        if (first < i || strcmp(e[i].from, e[i].next) == 0)
            continue;
        buf_printf(b, "    %s --> %s: %s", e[i].from, e[i].next, e[i].event);
        for (size_t k = i + 1; k < n; k++)
            if (strcmp(e[k].from, e[i].from) == 0 && strcmp(e[k].next, e[i].next) == 0)
                buf_printf(b, ", %s", e[k].event);
        BUF_LIT(b, "\n");
    }
    BUF_LIT(b, "```\n\n");
}

static void print_rows(struct buf *b, const char *what, const struct edge *e, size_t n)
{
    buf_printf(b, "| %s | event | then | when |\n|---|---|---|---|\n", what);
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "| %s | %s | %s | %s |\n", e[i].from[0] == '[' ? "" : e[i].from, e[i].event, e[i].next, e[i].comment);
}

void saga_table_print(struct buf *b)
{
    struct edge e[COUNT(task_rows) + COUNT(run_rows)];
    size_t n = edges(e, false);

    BUF_LIT(b, "### Instances\n\n");
    print_diagram(b, e, n);
    print_rows(b, "instance", e, n);
    n = edges(e, true);
    BUF_LIT(b, "\n### Steps\n\nOf actions and compensations alike.\n\n");
    print_diagram(b, e, n);
    print_rows(b, "step", e, n);
    BUF_LIT(b, "\n### Records\n\n| type | data |\n|---|---|\n");
    for (size_t i = 0; i < RECORDS; i++)
        buf_printf(b, "| `%s` | %s |\n", record_names[i].name, record_names[i].meaning);
}
