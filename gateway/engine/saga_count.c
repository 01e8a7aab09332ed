#include "gateway/base/metrics.h"
#include "gateway/engine/saga_machine_parts.h"
#include "gateway/engine/saga_parts.h"

/* What the records of transitions are for /metrics. */

static const struct {
    bool of_step;
    int what;                      /* enum metric_step, metric_saga */
} counted[RECORDS] = {
    [REC_STARTED] = { false, METRIC_SAGA_STARTED },
    [REC_COMPENSATING] = { false, METRIC_SAGA_BACK },
    [REC_PAUSED] = { false, METRIC_SAGA_PAUSED },
    [REC_SAGA_COMPLETED] = { false, METRIC_SAGA_COMPLETED },
    [REC_SAGA_COMPENSATED] = { false, METRIC_SAGA_COMPENSATED },
    [REC_SAGA_FAILED] = { false, METRIC_SAGA_FAILED },
    [REC_SUCCEEDED] = { true, METRIC_STEP_SUCCEEDED },
    [REC_COMPENSATED] = { true, METRIC_STEP_SUCCEEDED },
    [REC_FAILED] = { true, METRIC_STEP_FAILED },
    [REC_COMPENSATION_FAILED] = { true, METRIC_STEP_FAILED },
    [REC_SKIPPED] = { true, METRIC_STEP_SKIPPED },
    [REC_COMPENSATION_SKIPPED] = { true, METRIC_STEP_SKIPPED },
    [REC_ATTEMPT_FAILED] = { true, METRIC_STEP_AGAIN },
    /* the others say what somebody did, or that a step waits */
    [REC_STEP_WAITING] = { true, METRIC_STEP_END },
    [REC_RETRIED] = { true, METRIC_STEP_END },
    [REC_SIGNAL] = { true, METRIC_STEP_END },
    [REC_DECISION] = { true, METRIC_STEP_END },
    [REC_RESUMED] = { false, METRIC_SAGA_END },
};

static double seconds(int64_t from_us, int64_t to_us)
{
    return from_us && to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

static void count(const struct turn_run *r, const struct saga_record *rec)
{
    const struct saga_run *run = r->run;
    int what = counted[rec->what].what;

    if (!counted[rec->what].of_step) {
        if (what != METRIC_SAGA_END)
            metric_saga(r->def->name, (enum metric_saga)what, seconds(run->created_us, run->ended_us));
    } else if (what != METRIC_STEP_END) {
        const struct saga_task *k = &run->task[rec->kind][rec->step];

        metric_saga_step(r->def->name, run->definition->step[rec->step].name, saga_kind_names[rec->kind], (enum metric_step)what,
                         seconds(k->begun_us, k->ended_us));
    }
}

void saga_count(const struct turn *t)
{
    for (const struct turn_run *r = t->run; r < t->run + t->run_n; r++)
        for (size_t i = 0; r->run && i < r->run->record_n; i++)
            count(r, &r->run->record[i]);
}
