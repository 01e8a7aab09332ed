#include "tests/unit/saga_fixture.h"

/* The machine against what has to hold of any saga: random graphs of steps, random inputs in any order, late and repeated ones among them;
 * then everything goes well, an operator retries what failed, and the run has to end. What may have been done is kept in a book of its own. */
enum { RUNS = 3000, CHAOS = 60, CALM = 2000 };

static struct saga_world w;
static unsigned seed;
static bool did[SAGA_STEPS_MAX];        /* the action succeeded, or may have been done */
static bool turned, cancelled, by_time; /* the saga has turned back; paused or turned by its timeout */
static size_t ended[SAGA_STATES], seen_statuses[TASK_STATUSES], denied_n;

static unsigned pick(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

static struct saga_task *action(size_t i)
{
    return saga_world_task(&w, (int)i, SAGA_ACTION);
}

static struct saga_task *compensation(size_t i)
{
    return saga_world_task(&w, (int)i, SAGA_COMPENSATION);
}

static bool has_compensation(size_t i)
{
    return w.step[i].deed[SAGA_COMPENSATION].kind != SAGA_NOTHING;
}

static bool through(const struct saga_task *k)
{
    return k->status == TASK_SUCCEEDED || k->status == TASK_SKIPPED;
}

static bool awaits(const struct saga_deed *d)
{
    return d->kind == SAGA_AWAIT || (d->kind == SAGA_PUBLISH && d->await);
}

static bool tries(const struct saga_deed *d)
{
    return d->kind == SAGA_HTTP || d->kind == SAGA_PUBLISH;
}

/* --- a random definition: numbers say nothing about the order of steps --- */

static void random_step(size_t i)
{
    static const struct {
        enum saga_deed_kind kind;
        bool awaits;
    } deeds[] = { { SAGA_HTTP, 0 }, { SAGA_HTTP, 0 }, { SAGA_PUBLISH, 0 }, { SAGA_PUBLISH, 1 }, { SAGA_AWAIT, 1 },
                  { SAGA_APPROVAL, 0 }, { SAGA_SIGNAL, 0 } };
    unsigned a = pick(7), c = pick(8);

    saga_world_deed(&w, (int)i, SAGA_ACTION, deeds[a].kind, deeds[a].awaits);
    if (c < 5)
        saga_world_deed(&w, (int)i, SAGA_COMPENSATION, deeds[c].kind, deeds[c].awaits);
    w.step[i].pivot = tries(&w.step[i].deed[SAGA_ACTION]) && pick(12) == 0;
    w.step[i].retry.max_attempts = 1 + (int32_t)pick(3);
    w.step[i].timeout_us = pick(3) ? (1 + pick(20)) * SECOND : 0;
    w.step[i].after = 0;
}

static void random_saga(void)
{
    size_t n = pick(40) ? 1 + pick(8) : SAGA_STEPS_MAX, rank[SAGA_STEPS_MAX];
    unsigned density = 1 + pick(5);

    saga_world_begin(&w, n);
    for (size_t i = 0; i < n; i++)
        rank[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = pick((unsigned)i), was = rank[i - 1];

        rank[i - 1] = rank[k];
        rank[k] = was;
    }
    for (size_t i = 0; i < n; i++)
        random_step(i);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (pick(density) == 0)
                w.step[rank[i]].after |= UINT64_C(1) << rank[k];
    w.def.timeout_us = pick(4) ? 0 : (1 + pick(60)) * SECOND;
    w.def.pause = pick(3) == 0;
}

/* --- what holds after every input --- */

static bool failed_any(void)
{
    for (size_t i = 0; i < w.def.step_n; i++)
        if ((turned ? compensation(i) : action(i))->status == TASK_FAILED)
            return true;
    return false;
}

static void began(size_t i, bool was_turned)
{
    assert_false(was_turned);
    for (size_t k = 0; k < w.def.step_n; k++)
        if (w.step[i].after >> k & 1)
            assert_true(through(action(k)));
}

static void undoing_began(size_t i)
{
    assert_true(turned && did[i] && has_compensation(i));
    for (size_t k = 0; k < w.def.step_n; k++) {
        assert_int_not_equal(action(k)->status, TASK_RUNNING);
        if (w.step[i].behind >> k & 1 && did[k] && has_compensation(k))
            assert_true(through(compensation(k)));
    }
}

/* An event that is awaited finds its wait, from the moment the step can be tried. */
static void waits_are_there(size_t i, enum saga_kind kind)
{
    const struct saga_task *k = saga_world_task(&w, (int)i, kind);
    bool active = k->status == TASK_READY || k->status == TASK_RUNNING || k->status == TASK_WAITING || k->status == TASK_HELD;
    bool over = through(k) || (kind == SAGA_ACTION && turned);

    if (!awaits(&w.step[i].deed[kind]))
        assert_false(w.wait[kind][i]);
    else if (over || k->status == TASK_PENDING || k->early.p)
        assert_false(w.wait[kind][i]);
    else if (active)
        assert_true(w.wait[kind][i]);
}

static void a_task_is_sound(size_t i, enum saga_kind kind)
{
    const struct saga_task *k = saga_world_task(&w, (int)i, kind);
    enum saga_status s = k->status;
    bool active = s == TASK_READY || s == TASK_RUNNING || s == TASK_WAITING || s == TASK_HELD;

    seen_statuses[s]++;
    assert_int_equal(k->owner != 0, s == TASK_RUNNING);
    assert_int_equal(k->ended_us != 0, s == TASK_SUCCEEDED || s == TASK_FAILED || s == TASK_SKIPPED);
    assert_int_equal(k->ended_seq != 0, k->ended_us != 0);
    assert_true(s == TASK_FAILED ? k->error.p != NULL : s != TASK_SUCCEEDED || (k->result.p && !k->error.p && !k->early.p));
    assert_in_range(k->attempts, 0, w.step[i].retry.max_attempts);
    assert_false(active && saga_ended(w.run->state));
    assert_true(s == TASK_READY || s == TASK_WAITING || s == TASK_HELD || k->due_us == INT64_MAX);
    if (kind == SAGA_ACTION && turned)
        assert_true(s == TASK_RUNNING || !active);
    if (kind == SAGA_ACTION && w.run->state == SAGA_PAUSED)
        assert_int_not_equal(s, TASK_READY);
    if (s == TASK_HELD)
        assert_true(kind == SAGA_ACTION && w.run->state == SAGA_PAUSED && !turned);
    if (kind == SAGA_COMPENSATION && s != TASK_PENDING)
        assert_true(turned && !w.run->pivot_sent);
    waits_are_there(i, kind);
}

static void all_is_sound(void)
{
    enum saga_state state = w.run->state;
    bool tried = false, active = false;

    assert_false(w.run->pivot_sent && turned);
    assert_int_equal(saga_run_back(w.run), turned);
    for (size_t i = 0; i < w.def.step_n; i++)
        for (int kind = 0; kind < SAGA_KINDS; kind++) {
            enum saga_status s = saga_world_task(&w, (int)i, (enum saga_kind)kind)->status;

            a_task_is_sound(i, (enum saga_kind)kind);
            tried |= s == TASK_READY || s == TASK_RUNNING;
            active |= s == TASK_READY || s == TASK_RUNNING || s == TASK_WAITING;
        }
    assert_int_equal(w.run->ended_us != 0, saga_ended(state));
    assert_true(!saga_ended(state) || w.run->deadline_us == INT64_MAX);
    if (state == SAGA_RUNNING)
        assert_true(tried);
    if (state == SAGA_WAITING)
        assert_true(active && !tried);
    if (state == SAGA_COMPENSATING)
        assert_true(active && !failed_any());
    if (state == SAGA_PAUSED)
        assert_true(w.run->cause.p && (failed_any() || (by_time && w.run->pivot_sent)));
    assert_true(turned ? w.run->cause.p && w.run->deadline_us == INT64_MAX : state == SAGA_PAUSED || !w.run->cause.p);
}

/* Whatever ends is told. */
static void told(size_t i, enum saga_status was, enum saga_status is)
{
    bool found = was == is || (is != TASK_SUCCEEDED && is != TASK_FAILED && is != TASK_SKIPPED);

    for (size_t k = 0; k < w.last_n; k++)
        found |= w.last[k].step == (int)i;
    assert_true(found);
}

static enum saga_applied give(const struct saga_input *in)
{
    enum saga_status before[SAGA_KINDS][SAGA_STEPS_MAX];
    enum saga_state state = w.run->state;
    bool was_turned = turned;
    enum saga_applied applied;

    for (size_t i = 0; i < w.def.step_n; i++) {
        before[SAGA_ACTION][i] = action(i)->status;
        before[SAGA_COMPENSATION][i] = compensation(i)->status;
    }
    applied = saga_world_give(&w, in);
    for (size_t i = 0; i < w.def.step_n; i++)
        did[i] |= action(i)->status == TASK_SUCCEEDED;
    turned |= w.run->state == SAGA_COMPENSATING || w.run->state == SAGA_COMPENSATED || w.run->state == SAGA_FAILED;
    for (size_t i = 0; i < w.def.step_n; i++) {
        if (before[SAGA_ACTION][i] == TASK_PENDING && action(i)->status != TASK_PENDING)
            began(i, was_turned);
        if (before[SAGA_COMPENSATION][i] == TASK_PENDING && compensation(i)->status != TASK_PENDING)
            undoing_began(i);
        for (int kind = 0; kind < SAGA_KINDS; kind++) {
            enum saga_status is = saga_world_task(&w, (int)i, (enum saga_kind)kind)->status;

            told(i, before[kind][i], is);
            if (before[kind][i] == TASK_SUCCEEDED) /* for good, so nothing is done twice on purpose */
                assert_int_equal(is, TASK_SUCCEEDED);
        }
    }
    if (saga_ended(state))
        assert_int_not_equal(applied, SAGA_CHANGED);
    if (state != w.run->state && w.run->state != SAGA_WAITING && state != SAGA_WAITING)
        assert_true(w.last_n && w.last[w.last_n - 1].seq == w.run->seq);
    all_is_sound();
    denied_n += applied == SAGA_DENIED;
    return applied;
}

/* --- inputs --- */

static void outcome(size_t i, enum saga_kind kind, enum saga_input_kind what)
{
    struct saga_task *k = saga_world_task(&w, (int)i, kind);
    struct saga_input in = { .what = what, .step = (int)i, .kind = kind, .owner = k->owner, .attempt = k->attempts,
                             .unknown = pick(2), .after_us = pick(2) * 3 * SECOND, .error = SLICE("{\"type\":\"x\"}"),
                             .result = SLICE("[1]") };
    struct saga_input late = in;

    late.attempt += pick(2) ? 1 : -1;
    assert_int_equal(give(&late), SAGA_UNCHANGED);
    late = in;
    late.owner++;
    assert_int_equal(give(&late), SAGA_UNCHANGED);
    if (kind == SAGA_ACTION && (what == SAGA_IN_OK || what == SAGA_IN_LATER || what == SAGA_IN_LOST ||
                                ((what == SAGA_IN_AGAIN || what == SAGA_IN_RELEASED || what == SAGA_IN_REFUSED) && in.unknown)))
        did[i] = true;
    assert_int_equal(give(&in), SAGA_CHANGED);
    assert_int_equal(give(&in), SAGA_UNCHANGED); /* the same again */
}

static void go_on_with(size_t i, enum saga_kind kind, bool well)
{
    static const enum saga_input_kind outcomes[] = { SAGA_IN_OK, SAGA_IN_OK, SAGA_IN_OK, SAGA_IN_REFUSED, SAGA_IN_LATER,
                                                     SAGA_IN_AGAIN, SAGA_IN_AGAIN, SAGA_IN_LOST, SAGA_IN_RELEASED };
    struct saga_task *k = saga_world_task(&w, (int)i, kind);
    struct saga_input in = { .step = (int)i, .kind = kind, .owner = 1 + pick(3), .error = SLICE("{}") };

    if (k->status == TASK_RUNNING) {
        outcome(i, kind, well ? SAGA_IN_OK : outcomes[pick(9)]);
        return;
    }
    in.what = well || pick(12) ? SAGA_IN_ADMITTED : pick(2) ? SAGA_IN_PUT_OFF : SAGA_IN_UNFIT;
    if (in.what == SAGA_IN_ADMITTED && k->due_us > w.now) {
        assert_int_equal(give(&in), SAGA_UNCHANGED);
        w.now = k->due_us;
    } else {
        assert_int_equal(give(&in), SAGA_CHANGED);
    }
}

static void event(bool well)
{
    struct saga_hit hit[8];
    size_t n = 0, served = 0;

    for (size_t i = 0; i < w.def.step_n && n < 8; i++)
        for (int kind = 0; kind < SAGA_KINDS; kind++)
            if (w.wait[kind][i] && n < 8 && (well || pick(2)))
                hit[n++] = (struct saga_hit){ (int)i, (enum saga_kind)kind, !well && pick(4) == 0 };
    give(&(struct saga_input){ .what = SAGA_IN_EVENT, .step = -1, .result = SLICE("{\"id\":1}"), .hit = hit, .hit_n = n });
    for (size_t i = 0; i < n; i++)
        served += !w.wait[hit[i].kind][hit[i].step] && !turned;
    if (!turned)
        assert_in_range(served, 0, 1); /* an event serves an instance once */
}

static void to_step(size_t i, bool well)
{
    bool approve = well || pick(3);
    struct slice result = pick(2) ? SLICE("1") : SLICE("{}");

    if (w.step[i].deed[SAGA_ACTION].kind == SAGA_APPROVAL)
        give(&(struct saga_input){ .what = SAGA_IN_DECISION, .step = (int)i, .approve = approve, .actor = SLICE("a") });
    else
        give(&(struct saga_input){ .what = SAGA_IN_SIGNAL, .step = (int)i, .result = result });
}

static void by_hand(void)
{
    int step = pick(3) ? -1 : (int)pick((unsigned)w.def.step_n);
    unsigned what = pick(8);
    enum saga_status was = step >= 0 ? action((size_t)step)->status : TASK_PENDING;
    bool back = turned;
    struct saga_input in = { .what = what == 0 ? SAGA_IN_CANCEL : what < 5 ? SAGA_IN_RETRY : SAGA_IN_SKIP, .step = step };

    if (in.what == SAGA_IN_CANCEL && pick(8))
        return;
    for (size_t i = 0; i < w.def.step_n; i++) /* before it is given: a skip may turn into nothing else */
        if (in.what == SAGA_IN_SKIP && !back && action(i)->status == TASK_FAILED && (step < 0 || step == (int)i))
            did[i] = true;
    cancelled |= give(&in) == SAGA_CHANGED && in.what == SAGA_IN_CANCEL;
    if (in.what == SAGA_IN_SKIP && step >= 0 && !back && was == TASK_FAILED)
        assert_int_equal(action((size_t)step)->status, TASK_SKIPPED);
}

static void time_passes(int64_t us)
{
    w.now += us;
    by_time |= w.run->deadline_us <= w.now;
    give(&(struct saga_input){ .what = SAGA_IN_TIME, .step = -1 });
    assert_true(saga_run_alarm(w.run) > w.now);
}

static void one_of_them(bool well)
{
    size_t i = pick((unsigned)w.def.step_n), n = w.def.step_n;

    for (size_t k = 0; k < SAGA_KINDS * n; k++, i = (i + 1) % n) {
        enum saga_kind kind = k < n ? SAGA_ACTION : SAGA_COMPENSATION;
        enum saga_status s = saga_world_task(&w, (int)i, kind)->status;
        enum saga_deed_kind deed = w.step[i].deed[kind].kind;

        if (s == TASK_READY || s == TASK_RUNNING) {
            go_on_with(i, kind, well);
            return;
        }
        if (s == TASK_WAITING && (well || pick(2))) {
            if (deed == SAGA_APPROVAL || deed == SAGA_SIGNAL)
                to_step(i, well);
            else
                event(well);
            return;
        }
    }
}

static void chaos(void)
{
    unsigned what = pick(20);

    if (what < 13)
        one_of_them(false);
    else if (what < 15)
        event(false);
    else if (what == 15)
        to_step(pick((unsigned)w.def.step_n), false);
    else if (what < 18)
        by_hand();
    else
        time_passes(pick(4 * SECOND));
}

/* --- how it has ended --- */

static void as_it_should(void)
{
    bool skipped = false;

    for (size_t i = 0; i < w.def.step_n; i++) {
        enum saga_status undo = compensation(i)->status;

        skipped |= undo == TASK_SKIPPED;
        for (int kind = 0; kind < SAGA_KINDS; kind++)
            assert_false(w.wait[kind][i]);
        if (w.run->state == SAGA_COMPLETED)
            assert_true(through(action(i)) && undo == TASK_PENDING);
        else if (did[i] && has_compensation(i))
            assert_true(through(compensation(i)));
        else
            assert_int_equal(undo, TASK_PENDING);
    }
    if (w.run->state != SAGA_COMPLETED)
        assert_int_equal(w.run->state, skipped ? SAGA_FAILED : SAGA_COMPENSATED);
    if (cancelled)
        assert_int_not_equal(w.run->state, SAGA_COMPLETED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_CANCEL, -1), SAGA_DENIED);
    assert_int_equal(saga_world_hand(&w, SAGA_IN_RETRY, -1), SAGA_DENIED);
    ended[w.run->state]++;
}

static void one_run(void)
{
    random_saga();
    memset(did, 0, sizeof did);
    turned = cancelled = by_time = false;
    saga_world_start(&w);
    all_is_sound();
    for (unsigned i = 0, n = pick(CHAOS); i < n; i++)
        chaos();
    for (int i = 0; !saga_ended(w.run->state); i++) {
        assert_in_range(i, 0, CALM);
        if (w.run->state == SAGA_PAUSED)
            assert_int_equal(give(&(struct saga_input){ .what = SAGA_IN_RETRY, .step = -1 }), SAGA_CHANGED);
        one_of_them(true);
    }
    as_it_should();
    saga_world_end(&w);
}

static void whatever_comes_a_saga_ends_with_all_or_nothing_done(void **state)
{
    (void)state;
    for (int i = 0; i < RUNS; i++) {
        seed = (unsigned)i;
        one_run();
    }
    for (int s = SAGA_COMPLETED; s < SAGA_STATES; s++)
        if (ended[s] < 50)
            fail_msg("%s: %zu times", saga_state_names[s], ended[s]);
    for (int s = 0; s < TASK_STATUSES; s++)
        if (seen_statuses[s] < 500)
            fail_msg("%s: %zu times", saga_status_names[s], seen_statuses[s]);
    assert_true(denied_n > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_a_saga_ends_with_all_or_nothing_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
