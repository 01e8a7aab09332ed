#include "tests/unit/saga_fixture.h"
#include "gateway/base/json.h"

static struct saga_http http;
static struct saga_publish publish;
static struct saga_await await;

void saga_world_begin(struct saga_world *w, size_t steps)
{
    static char names[SAGA_STEPS_MAX][24];

    *w = (struct saga_world){ .now = 1000 * SECOND };
    w->arena = arena_new(1 << 26);
    w->def = (struct saga_definition){ .step = w->step, .step_n = steps };
    for (size_t i = 0; i < steps; i++) {
        snprintf(names[i], sizeof names[i], "s%zu", i);
        w->step[i] = (struct saga_step){ .name = slice_of(names[i]), .after = i ? UINT64_C(1) << (i - 1) : 0,
                                         .retry = { SECOND, 300 * SECOND, 2, 0, 3 } };
        saga_world_deed(w, (int)i, SAGA_ACTION, SAGA_HTTP, false);
    }
}

void saga_world_end(struct saga_world *w)
{
    arena_free(w->arena);
}

void saga_world_deed(struct saga_world *w, int step, enum saga_kind kind, enum saga_deed_kind deed, bool awaits)
{
    w->step[step].deed[kind] = (struct saga_deed){ .kind = deed, .http = deed == SAGA_HTTP ? &http : NULL,
                                                   .publish = deed == SAGA_PUBLISH ? &publish : NULL,
                                                   .await = deed == SAGA_AWAIT || awaits ? &await : NULL };
}

bool saga_world_order(struct saga_world *w)
{
    size_t n = w->def.step_n;

    for (size_t i = 0; i < n; i++)
        w->step[i].before = w->step[i].after;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n; i++)
            if (w->step[i].before >> k & 1)
                w->step[i].before |= w->step[k].before;
    for (size_t i = 0; i < n; i++) {
        w->step[i].behind = 0;
        for (size_t k = 0; k < n; k++)
            if (w->step[k].before >> i & 1)
                w->step[i].behind |= UINT64_C(1) << k;
    }
    for (size_t i = 0; i < n; i++)
        if (w->step[i].before >> i & 1)
            return false;
    return true;
}

void saga_world_start(struct saga_world *w)
{
    assert_true(saga_world_order(w));
    w->run = saga_run_new(w->arena, &w->def);
    assert_non_null(w->run);
    for (size_t i = 0; i < w->def.step_n; i++)
        w->stored[SAGA_ACTION][i] = w->stored[SAGA_COMPENSATION][i] = w->run->task[SAGA_ACTION][i];
    w->run->version = 1;
    w->run->input = SLICE("{\"n\":1}");
    assert_int_equal(saga_world_give(w, &(struct saga_input){ .what = SAGA_IN_START, .step = -1 }), SAGA_CHANGED);
}

static void is_json(struct slice text)
{
    struct json j;
    struct slice raw;

    if (!text.p)
        return;
    json_begin(&j, text, 64);
    if (!json_value(&j, &raw) || !json_end(&j))
        fail_msg("no JSON: %.*s", (int)text.n, text.p);
}

static void store_waits(struct saga_world *w, int kind, size_t i, const struct saga_task *k)
{
    if (k->wait_ends)
        w->wait[kind][i] = false;
    if (k->wait_begins) {
        w->waits_begun[kind][i] += !w->wait[kind][i];
        w->wait[kind][i] = true;
    }
}

/* Only what is told to have changed is written. */
static void store_text(const struct saga_task *k, enum saga_texts which, struct slice now, struct slice *stored)
{
    is_json(now);
    if (k->texts & which)
        *stored = now;
    assert_true(now.p == stored->p && now.n == stored->n);
}

static void store_task(struct saga_world *w, int kind, size_t i, const struct saga_task *k)
{
    struct saga_task *s = &w->stored[kind][i], was = *s;

    store_waits(w, kind, i, k);
    store_text(k, TASK_RESULT, k->result, &s->result);
    store_text(k, TASK_ERROR, k->error, &s->error);
    store_text(k, TASK_EARLY, k->early, &s->early);
    store_text(k, TASK_REQUEST, k->request, &s->request);
    store_text(k, TASK_ANSWER, k->answer, &s->answer);
    s->status = k->status;
    s->attempts = k->attempts;
    s->unknown = k->unknown;
    s->due_us = k->due_us;
    s->owner = k->owner;
    s->begun_us = k->begun_us;
    s->ended_us = k->ended_us;
    s->ended_seq = k->ended_seq;
    s->round = k->round;
    s->event = k->event;
    if (!k->changed)
        assert_true(memcmp(&was, s, sizeof was) == 0 && !k->wait_begins && !k->wait_ends);
}

/* What is written, and read again: nothing but columns. */
static void store(struct saga_world *w)
{
    struct saga_run *old = w->run, *run = saga_run_new(w->arena, &w->def);

    assert_non_null(run);
    is_json(old->cause);
    for (int kind = 0; kind < SAGA_KINDS; kind++)
        for (size_t i = 0; i < w->def.step_n; i++) {
            store_task(w, kind, i, &old->task[kind][i]);
            run->task[kind][i] = w->stored[kind][i];
        }
    run->version = old->version;
    run->state = old->state;
    run->seq = old->seq;
    run->pivot_sent = old->pivot_sent;
    run->cause = old->cause;
    run->deadline_us = old->deadline_us;
    run->created_us = old->created_us;
    run->updated_us = old->updated_us;
    run->ended_us = old->ended_us;
    run->random = (uint64_t)old->seq;
    w->run = run;
}

enum saga_applied saga_world_give(struct saga_world *w, const struct saga_input *in)
{
    int64_t seq = w->run->seq;
    enum saga_applied applied;

    w->fault = (struct fault){ 0 };
    applied = saga_apply(w->run, in, w->now, &w->fault);
    assert_false(saga_run_failed(w->run));
    assert_int_equal(w->run->seq, seq + (applied == SAGA_CHANGED));
    assert_int_equal(applied == SAGA_CHANGED, w->run->changed);
    assert_true(applied == SAGA_CHANGED ? w->run->updated_us == w->now : !w->run->record_n);
    assert_int_equal(applied == SAGA_DENIED, w->fault.detail[0] != 0);
    w->last_n = w->run->record_n;
    assert_in_range(w->last_n, 0, WORLD_RECORDS);
    for (size_t i = 0; i < w->last_n; i++) {
        w->last[i] = w->run->record[i];
        assert_int_equal(w->last[i].seq, seq + 1);
        assert_int_equal(w->last[i].n, i);
        is_json(w->last[i].data);
    }
    store(w);
    return applied;
}

enum saga_applied saga_world_admit(struct saga_world *w, int step, enum saga_kind kind)
{
    return saga_world_give(w, &(struct saga_input){ .what = SAGA_IN_ADMITTED, .step = step, .kind = kind,
                                               .owner = 7 + saga_world_task(w, step, kind)->attempts });
}

enum saga_applied saga_world_attempt(struct saga_world *w, int step, enum saga_kind kind, enum saga_input_kind what)
{
    struct saga_task *k = saga_world_task(w, step, kind);

    return saga_world_give(w, &(struct saga_input){ .what = what, .step = step, .kind = kind, .owner = k->owner,
                                                    .attempt = k->attempts,
                                               .result = SLICE("{\"ok\":true}"), .request = SLICE("{\"q\":1}"),
                                               .answer = SLICE("{\"a\":1}"),
                                               .error = SLICE("{\"type\":\"test\",\"message\":\"no\"}") });
}

void saga_world_try(struct saga_world *w, int step, enum saga_kind kind, enum saga_input_kind what)
{
    assert_int_equal(saga_world_admit(w, step, kind), SAGA_CHANGED);
    assert_int_equal(saga_world_attempt(w, step, kind, what), SAGA_CHANGED);
}

enum saga_applied saga_world_event(struct saga_world *w, int step, enum saga_kind kind, bool failure)
{
    const struct saga_hit hit = { step, kind, failure };

    return saga_world_give(w, &(struct saga_input){ .what = SAGA_IN_EVENT, .step = -1, .result = SLICE("{\"id\":\"e\"}"),
                                                    .event = SLICE("1-0-7"),
                                                    .hit = &hit,
                                               .hit_n = 1 });
}

enum saga_applied saga_world_hand(struct saga_world *w, enum saga_input_kind what, int step)
{
    return saga_world_give(w, &(struct saga_input){ .what = what, .step = step, .actor = SLICE("op\"1"),
                                                    .comment = SLICE("why") });
}

enum saga_applied saga_world_time(struct saga_world *w, int64_t later_us)
{
    w->now += later_us;
    return saga_world_give(w, &(struct saga_input){ .what = SAGA_IN_TIME, .step = -1 });
}

struct saga_task *saga_world_task(struct saga_world *w, int step, enum saga_kind kind)
{
    return &w->run->task[kind][step];
}

bool text_has(struct slice text, const char *part)
{
    return text.p && memmem(text.p, text.n, part, strlen(part));
}

bool saga_world_says(const struct saga_world *w, const char *type, const char *part)
{
    for (size_t i = 0; i < w->last_n; i++)
        if (strcmp(w->last[i].type, type) == 0 && text_has(w->last[i].data, part))
            return true;
    return false;
}

bool saga_world_told(const struct saga_world *w, const char *type)
{
    return saga_world_says(w, type, "{");
}
