#include "tests/unit/group_rows.h"

/* A consumer group against a model that knows of each event what became of it: random calls, deadlines that pass, redrives; and after
 * any transaction the state may be dropped and loaded again from the rows that it asked to be written. */
enum { PARTS = ROWS_PARTS, EVENTS = 24, KEYS = 4, GIVEN = 1024, STEPS = 160 };

#define SECOND INT64_C(1000000)
#define ACK_DEADLINE (10 * SECOND)

enum fate { UNFINISHED, DONE, DEAD }; /* DONE: also not wanted, or removed by retention */

struct truth {
    enum fate fate;
    uint64_t key;
    int32_t round, failures;
    int64_t not_before;
    int64_t lease, deadline;  /* of the delivery that runs; 0: none does */
    bool held;                /* finished by a late ack while that one ran */
    bool single, unwanted;
};

static struct truth truth[PARTS][EVENTS + 1]; /* by offset, from 1 */
static struct group_rows rows;
static struct group_row def;
static struct group_state *state;
static struct arena *memory;                  /* of the call's changes */
static struct delivery_id given[GIVEN];
static size_t given_n, seen[8];
static int64_t now;
static unsigned seed;

static unsigned pick(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

static struct truth *of(const struct group_place *at)
{
    assert_in_range(at->partition, 0, PARTS - 1);
    assert_in_range(at->offset, 1, EVENTS);
    return &truth[at->partition][at->offset];
}

static bool by_key(const struct truth *t)
{
    return def.ordering == ORDER_KEY && t->key;
}

static uint64_t key_of(const struct group_place *at)
{
    return of(at)->key;
}

static void load(void)
{
    group_state_free(state);
    state = rows_load(&rows, &def, key_of);
}

/* --- what the model says --- */

static int64_t least_backoff(int32_t failures)
{
    double us = (double)def.backoff_initial_us;

    for (int32_t i = 1; i < failures; i++)
        us *= def.backoff_factor;
    return (int64_t)(us * (1 - def.backoff_jitter));
}

static void failed(struct truth *t, bool rejected, bool single, int64_t delay)
{
    t->failures++;
    t->lease = 0;
    t->single = single;
    t->not_before = now + (delay >= 0 ? delay : least_backoff(t->failures));
    if (rejected || t->failures > def.max_retries)
        t->fate = DEAD;
    seen[t->fate]++;
}

/* Of a lease, the first one of a key that was not done in time has failed; the others were to wait for it. */
static void model_expire(void)
{
    for (int32_t p = 0; p < PARTS; p++)
        for (int64_t o = 1, first; o <= EVENTS; o++) {
            struct truth *t = &truth[p][o];

            if (!t->lease || t->deadline > now)
                continue;
            first = 1;
            for (int64_t k = o - 1; k && by_key(t) && !t->held; k--)
                if (truth[p][k].key == t->key && truth[p][k].lease == -t->lease)
                    first = 0;
            if (t->held)
                t->held = false, t->lease = 0;
            else if (!first)
                t->lease = 0;
            else
                t->deadline = -1;     /* fails, once all have been looked at */
            if (t->deadline == -1)
                t->lease = -t->lease;
        }
    for (int32_t p = 0; p < PARTS; p++)
        for (int64_t o = 1; o <= EVENTS; o++)
            if (truth[p][o].lease < 0)
                failed(&truth[p][o], false, true, -1);
}

static void begin(void)
{
    arena_free(memory);
    memory = arena_new(1 << 24);
    group_state_begin(state, memory, now, rows.seq + 1);
    group_state_expire(state);
    model_expire();
}

static size_t dead_in_all(void)
{
    size_t n = 0;

    for (int32_t p = 0; p < PARTS; p++)
        for (int64_t o = 1; o <= EVENTS; o++)
            n += truth[p][o].fate == DEAD;
    return n;
}

static void end(size_t dead_before)
{
    struct group_changes c;
    struct group_figures before, after;

    assert_true(group_state_changes(state, &c));
    assert_int_equal(c.deaths_n, dead_in_all() - dead_before);
    for (size_t i = 0; i < c.deaths_n; i++) {
        assert_int_equal(of(&c.deaths[i].at)->fate, DEAD);
        assert_int_equal(of(&c.deaths[i].at)->failures, c.deaths[i].failures);
        assert_int_equal(of(&c.deaths[i].at)->round, c.deaths[i].at.round);
    }
    if (c.any)
        rows_write(&rows, &c, group_state_next(state));
    group_state_figures(state, &before);
    if (pick(3) == 0) {
        load();
        group_state_figures(state, &after);
        /* extended deliveries are looked at too early, no more; since when something waits is not kept */
        assert_true(before.next_due_us <= after.next_due_us || before.next_due_us <= now);
        after.next_due_us = before.next_due_us;
        assert_memory_equal(&before, &after, sizeof before);
    }
}

/* --- calls --- */

static void handed_out(const struct handed *h, const struct group_place *answer, size_t n)
{
    struct truth *t = of(&h->at);
    int64_t of_key = 1;

    assert_int_equal(t->fate, UNFINISHED);
    assert_int_equal(t->lease, 0);
    assert_int_equal(h->attempt, t->failures + 1);
    assert_int_equal(h->at.round, t->round);
    assert_int_equal(h->has_letter, t->round > 0);
    assert_true(t->not_before <= now);
    assert_true(!t->single || n == 0);
    for (int64_t o = 1; by_key(t) && o <= EVENTS; o++) {
        struct truth *other = &truth[h->at.partition][o];
        bool along = false;

        if (other->key != t->key || other == t)
            continue;
        for (size_t i = 0; i < n; i++)
            along |= answer[i].partition == h->at.partition && answer[i].offset == o;
        of_key += along;
        if (!along && (other->lease || (o < h->at.offset && other->fate == UNFINISHED)))
            fail_msg("%d/%lld comes although %lld of its key is not finished", h->at.partition,
                     (long long)h->at.offset, (long long)o);
    }
    assert_true(of_key <= def.key_batch);
}

static void receive(size_t max)
{
    struct group_place answer[EVENTS * PARTS];
    struct handed h;
    struct group_figures f;
    size_t n = 0, dead = dead_in_all();
    bool single = false;
    int64_t lease;

    begin();
    group_state_open(state, now + ACK_DEADLINE, SLICE("somebody"), max);
    for (; group_state_take(state, &h); answer[n++] = h.at) {
        handed_out(&h, answer, n);
        assert_false(single);
        single = of(&h.at)->single;
    }
    for (int32_t p = 0; p < PARTS; p++)
        for (int64_t *next = &group_state_next(state)[p]; *next <= EVENTS && group_state_wants(state, p);) {
            enum offer o = group_state_offer(state, p, *next, truth[p][*next].key, !truth[p][*next].unwanted, &h);

            assert_int_not_equal(o, OFFER_REFUSED);
            if (truth[p][*next - 1].unwanted) {
                assert_int_equal(o, OFFER_PASSED);
                truth[p][*next - 1].fate = DONE;
            }
            if (o == OFFER_TAKEN) {
                handed_out(&h, answer, n);
                answer[n++] = h.at;
            }
        }
    assert_true(n <= max);
    lease = group_state_close(state);
    for (size_t i = 0; i < n; i++) {
        of(&answer[i])->lease = lease;
        of(&answer[i])->deadline = now + ACK_DEADLINE;
        if (given_n < GIVEN)
            given[given_n++] = (struct delivery_id){ group_state_tag(state), 1, lease, answer[i] };
    }
    seen[3] += n;
    group_state_figures(state, &f);
    assert_true(f.in_flight <= def.max_in_flight);
    end(dead);
}

/* The answer did not reach anybody: it never was. */
static void release(void)
{
    size_t dead = dead_in_all();
    struct delivery_id *id = given_n ? &given[given_n - 1] : NULL;

    if (!id || of(&id->at)->lease != id->lease)
        return;
    begin();
    group_state_release(state, id->lease);
    for (size_t i = 0; i < given_n; i++)
        if (given[i].lease == id->lease && of(&given[i].at)->lease == id->lease)
            of(&given[i].at)->lease = 0, of(&given[i].at)->held = false;
    end(dead);
}

static bool model_ack(struct truth *t, const struct delivery_id *id)
{
    bool counts = t->fate == UNFINISHED;

    if (t->held && t->lease == id->lease)
        t->held = false, t->lease = 0;
    if (counts && by_key(t) && t->lease && t->lease != id->lease)
        t->held = true;
    else if (counts)
        t->lease = 0;
    if (counts)
        t->fate = DONE;
    return counts;
}

static bool model_nack(struct truth *t, const struct delivery_id *id, const struct finish_call *call)
{
    if (t->lease != id->lease)
        return false;
    if (t->held) {
        t->held = false, t->lease = 0;
        return false;
    }
    for (int64_t o = id->at.offset + 1; call->how == FINISH_NACK && by_key(t) && o <= EVENTS; o++) {
        struct truth *later = &truth[id->at.partition][o];

        if (later->key == t->key && later->lease == id->lease && !later->held)
            later->lease = 0;
    }
    failed(t, call->how == FINISH_REJECT, false, call->delay_us);
    return true;
}

static void finish(void)
{
    size_t dead = dead_in_all();

    begin();
    for (unsigned n = 1 + pick(6); n && given_n; n--) {
        struct delivery_id id = given[given_n - 1 - pick(given_n < 20 || pick(4) == 0 ? (unsigned)given_n : 20)];
        struct truth *t = of(&id.at);
        struct finish_call call = { .how = (enum finish)(pick(3) ? FINISH_ACK : pick(4)), .delay_us = pick(4) ? -1 : 3 * SECOND,
                                    .by_us = 20 * SECOND };
        bool wanted = false;

        if (id.at.round != t->round)
            wanted = false; /* it was redriven since */
        else if (call.how == FINISH_ACK)
            wanted = model_ack(t, &id);
        else if (call.how != FINISH_EXTEND)
            wanted = model_nack(t, &id, &call);
        else if ((wanted = t->lease == id.lease && !t->held))
            t->deadline = now + call.by_us;
        seen[4 + wanted]++;
        if (group_state_finish(state, &id, &call) != wanted)
            fail_msg("%d of %d/%lld in lease %lld: not %d", (int)call.how, id.at.partition, (long long)id.at.offset,
                     (long long)id.lease, wanted);
    }
    end(dead);
}

/* Retention removes the first events of a partition. */
static void lose(void)
{
    int32_t p = (int32_t)pick(PARTS);
    int64_t earliest = 1 + pick(EVENTS / 4), from = 0, next = rows.next[p], first = next;
    size_t dead = dead_in_all();

    begin();
    for (int64_t o = next - 1; o >= 1; o--) /* looked at, not finished, and nobody has it */
        if (o < earliest && truth[p][o].round == 0 && truth[p][o].fate == UNFINISHED && !truth[p][o].lease)
            first = o;
    assert_int_equal(group_state_lost(state, p, earliest, &from), first < earliest);
    assert_int_equal(from, first < earliest ? first : 0);
    for (int64_t o = 1; o < earliest; o++)
        if (truth[p][o].round == 0 && truth[p][o].fate != DEAD)
            truth[p][o].fate = DONE, truth[p][o].lease = 0, truth[p][o].held = false;
    end(dead);
}

static void redrive(void)
{
    struct group_place at = { (int32_t)pick(PARTS), 0, 1 + pick(EVENTS) };
    struct truth *t = of(&at);

    if (t->fate != DEAD)
        return;
    at.round = ++t->round;
    t->fate = UNFINISHED, t->failures = 0, t->not_before = now, t->single = false;
    rows.retries[rows.retries_n++] = (struct retry_change){ .at = at, .key = t->key, .not_before_us = now, .has_letter = true };
    rows.seq++;
    load();
    seen[6]++;
}

static void start(int ordering)
{
    def = (struct group_row){ .group_id = 4711 + pick(1000), .ordering = ordering, .max_retries = pick(3), .types = SLICE("[]"),
                              .backoff_initial_us = SECOND, .backoff_max_us = 60 * SECOND, .backoff_factor = 2,
                              .backoff_jitter = 0.2, .max_in_flight = 4 + pick(30), .max_retrying = 3 + pick(30),
                              .max_skipped = 1 + pick(8), .key_batch = 1 + pick(4) };
    for (int32_t p = 0; p < PARTS; p++) {
        rows.next[p] = 1;
        for (int64_t o = 1; o <= EVENTS; o++)
            truth[p][o] = (struct truth){ .key = pick(KEYS) ? (uint64_t)(p * KEYS) + pick(KEYS) + 1 : 0, .unwanted = !pick(9) };
    }
    given_n = 0;
    now = 1000 * SECOND;
    rows.lease_floor = 1;
    load();
}

/* All is received and acked: nothing is left, in memory or in a row. */
static void finish_all(void)
{
    struct finish_call ack = { .how = FINISH_ACK };
    struct group_figures f;

    for (int i = 0; i < 600; i++) {
        size_t dead, from;

        now += 5 * SECOND;
        from = given_n = 0;
        receive(8);
        dead = dead_in_all();
        begin();
        for (; from < given_n; from++) {
            assert_true(group_state_finish(state, &given[from], &ack));
            assert_true(model_ack(of(&given[from].at), &given[from]));
        }
        end(dead);
    }
    group_state_figures(state, &f);
    assert_int_equal(f.in_flight + f.retrying + f.skipped + f.blocked_keys, 0);
    assert_int_equal(rows.leases_n + rows.retries_n + rows.skips_n, 0);
    for (int32_t p = 0; p < PARTS; p++)
        for (int64_t o = 1; o <= EVENTS; o++)
            assert_int_not_equal(truth[p][o].fate, UNFINISHED);
}

static void forget_all(void)
{
    group_state_free(state);
    state = NULL;
    arena_free(memory);
    memory = NULL;
    rows_clear(&rows);
}

static void as_the_model(int ordering)
{
    memset(seen, 0, sizeof seen);
    for (unsigned run = 0; run < 300; run++) {
        seed = run * 7919 + (unsigned)ordering;
        start(ordering);
        for (int step = 0; step < STEPS; step++) {
            unsigned what = pick(20);

            now += pick(4) ? pick(1500000) : pick(15) * SECOND;
            if (what < 8)
                receive(1 + pick(8));
            else if (what < 17)
                finish();
            else if (what < 19)
                redrive();
            else if (pick(4))
                release();
            else
                lose();
        }
        finish_all();
        forget_all();
    }
    for (size_t i = 0; i < 7; i++)
        if (i != DONE && seen[i] < 500)
            fail_msg("case %zu came %zu times", i, seen[i]);
}

static void a_group_without_order_does_what_the_model_says(void **unused)
{
    (void)unused;
    as_the_model(ORDER_NONE);
}

static void a_group_ordered_by_key_does_what_the_model_says(void **unused)
{
    (void)unused;
    as_the_model(ORDER_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_without_order_does_what_the_model_says),
        cmocka_unit_test(a_group_ordered_by_key_does_what_the_model_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
