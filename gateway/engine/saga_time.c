#include "gateway/engine/saga_parts.h"

/* Timeouts. What came in time is seen before them: an await is told the time only when its stream was read as far, and there is nothing in
 * the inbox then: in this order, for it is filled meanwhile. A stream with a backlog keeps back the timeouts of its own awaits, and those of
 * the sagas that wait there. */

/* false: it awaits nothing. */
static bool look_at_streams(const struct turn *t, const struct turn_run *r, struct saga_input *in)
{
    const struct saga_run *run = r->run;
    bool any = false;

    for (size_t i = 0; i < r->def->def.step_n; i++)
        for (int kind = 0; kind < SAGA_KINDS; kind++) {
            const struct saga_await *await = r->def->def.await[2 * i + (size_t)kind];
            const struct saga_task *k = &run->task[kind][i];
            int64_t until = k->due_us < run->deadline_us ? k->due_us : run->deadline_us;

            if (k->status != TASK_WAITING || !await)
                continue;
            any = true;
            if (until <= t->now_us && saga_events_passed(t->s->events, await->stream, until) < until)
                in->unread[kind] |= UINT64_C(1) << i;
        }
    return any;
}

enum err turn_time(struct turn *t, struct fault *f)
{
    struct turn_run **due = arena_alloc(t->arena, (t->run_n + 1) * sizeof *due);
    struct saga_input *in = arena_alloc(t->arena, (t->run_n + 1) * sizeof *in);
    struct saga_key *keys = arena_alloc(t->arena, (t->run_n + 1) * sizeof *keys);
    bool *has = arena_alloc(t->arena, t->run_n + 1);
    size_t n = 0;
    enum err e;

    if (!due || !in || !keys || !has)
        return ERR_NO_MEMORY;
    for (struct turn_run *r = t->run; r < t->run + t->run_n; r++) {
        in[n] = (struct saga_input){ .what = SAGA_IN_TIME, .step = -1 };
        if (!r->wants_time || !r->run || saga_run_alarm(r->run) > t->now_us)
            continue;
        if (look_at_streams(t, r, &in[n])) {
            keys[n] = r->key;
            due[n++] = r;
        } else {
            saga_apply(r->run, &in[n], t->now_us, NULL);
        }
    }
    if (!n || (e = db_saga_inbox_has(t->db, t->arena, keys, n, has, f)))
        return n ? e : OK;
    for (size_t i = 0; i < n; i++)
        if (!has[i])
            saga_apply(due[i]->run, &in[i], t->now_us, NULL);
    return OK;
}
