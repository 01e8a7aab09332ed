#include "gateway/engine/group_cell.h"

#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/engine/outbox.h"

#define TRIES 10
#define HOLD_US (5 * US_PER_S)       /* after another gateway was met */
#define BLIND_US 250000              /* another gateway may free what blocks here */
#define SOON_US 50000

/* --- deciding --- */

static void finish_all(struct wave *w, struct group_call *call)
{
    for (size_t i = 0; i < call->n; i++)
        call->finished[i] = group_state_finish(w->cell->state, &call->ids[i], &call->finish);
}

static enum err decide(struct wave *w, const struct release *releases)
{
    struct cell *c = w->cell;
    enum err e = OK;

    group_state_begin(c->state, w->arena, w->now_us, c->seq + 1);
    for (int p = 0; p < c->stream->row.partitions; p++)
        c->windows[p].at_end = false;
    for (const struct release *r = releases; r; r = r->next)
        if (!strcmp(r->group, c->name) && r->stream->row.stream_id == c->stream->row.stream_id)
            group_state_release(c->state, r->lease);
    for (struct group_call *call = c->calls; call; call = call->next)
        finish_all(w, call);
    group_state_expire(c->state);
    c->unread = false;
    for (struct group_call *call = c->waiting; !e && call; call = call->next)
        e = receive_fill(w, call);
    window_ahead(c);
    if (!e && (group_state_failed(c->state) || !group_state_changes(c->state, &w->changes)))
        e = ERR_NO_MEMORY;
    return e;
}

static bool has_something(const struct wave *w, const struct group_call *call)
{
    const struct cell *c = w->cell;

    return call->delivered || c->lost || (call->wait_until_us <= w->mono_us && !c->unread);
}

/* An answer that rests on what is in memory alone needs proof that this is the newest. */
static bool needs_proof(const struct wave *w)
{
    const struct cell *c = w->cell;
    bool needs = c->calls || c->check;

    for (const struct group_call *call = c->waiting; call; call = call->next)
        needs |= has_something(w, call);
    return needs;
}

static enum err try_once(struct wave *w, const struct release *releases)
{
    struct cell *c = w->cell;
    enum err e = db_connect(c->lane->db, w->fault);

    if (!e && clock_mono_us() < c->hold_until_us)
        e = cell_hold(w);
    else if (!e && !c->state)
        e = cell_load(w);
    w->now_us = clock_unix_us() + c->lane->skew_us;
    w->mono_us = clock_mono_us();
    if (!e)
        e = decide(w, releases);
    if (!e && w->changes.any)
        e = wave_write(w);
    else if (!e && needs_proof(w))
        e = cell_verify(w);
    if (w->held) {
        db_rollback(c->lane->db);
        w->held = false;
    }
    return e;
}

/* --- answering --- */

static void tell(struct cell *c, struct group_call *call, enum err e, const struct fault *f)
{
    call->err = e;
    if (e)
        call->fault = *f;
    group_call_done(c->lane, call);
}

void wave_render(void *wave)
{
    struct wave *w = wave;

    w->rendered = true;
    for (struct group_call *call = w->cell->waiting; call; call = call->next) {
        buf_reset(&call->body); /* of a try that failed */
        if (has_something(w, call))
            receive_render(w, call);
    }
}

static void answer(struct wave *w)
{
    struct cell *c = w->cell;
    struct group_call *call, *rest = NULL, **rest_last = &rest;
    struct fault none = { 0 };

    if (!w->rendered)
        wave_render(w);
    c->lost = c->lost && !w->told_lost;

    while ((call = c->calls)) {
        c->calls = call->next;
        tell(c, call, OK, &none);
    }
    c->calls_last = &c->calls;
    while ((call = c->waiting)) {
        c->waiting = call->next;
        call->next = NULL;
        if (call->body.n || call->body.failed) {
            tell(c, call, call->body.failed ? ERR_NO_MEMORY : OK, &none);
        } else {
            *rest_last = call;
            rest_last = &call->next;
        }
    }
    c->waiting = rest;
    c->waiting_last = rest ? rest_last : &c->waiting;
}

static void fail_calls(struct cell *c, enum err e, struct fault *f)
{
    struct group_call *call;

    f->retry_after = e == ERR_UNKNOWN_GROUP || e == ERR_UNKNOWN_STREAM ? 0 : 1;
    while ((call = c->calls)) {
        c->calls = call->next;
        tell(c, call, e, f);
    }
    c->calls_last = &c->calls;
    while ((call = c->waiting)) {
        c->waiting = call->next;
        tell(c, call, e, f);
    }
    c->waiting_last = &c->waiting;
}

static void count(const struct group_changes *c)
{
    metric_add(M_GROUP_DELIVERED, c->delivered);
    metric_add(M_GROUP_ACKED, c->acked);
    metric_add(M_GROUP_FAILED, c->nacked);
    metric_add(M_GROUP_EXPIRED, c->expired);
    metric_add(M_GROUP_DEAD, (int64_t)c->deaths_n);
}

static void free_contents(struct wave *w)
{
    for (struct content *at = w->contents; at; at = at->next)
        rows_free(&at->rows);
    w->contents = NULL;
}

/* What is to be tried again, and how often. */
static bool again(struct cell *c, enum err e, int tries, int64_t until_us)
{
    switch (e) {
    case ERR_DB_UNIQUE:
    case ERR_DB_RETRY:
        metric_add(M_GROUP_CONFLICTS, 1);
        c->hold_until_us = clock_mono_us() + HOLD_US;
        return tries < TRIES;
    case ERR_DATABASE_UNAVAILABLE:
        if (clock_mono_us() >= until_us)
            return false;
        lane_pause();
        return true;
    default:
        return false;
    }
}

/* --- when it is due next --- */

static bool caught_up(const struct cell *c)
{
    for (int p = 0; p < c->stream->row.partitions; p++)
        if (!c->windows[p].at_end || c->windows[p].first)
            return false;
    return true;
}

static void on_wake(void *arg, bool more)
{
    struct cell *c = arg;

    (void)more;
    atomic_store(&c->woken, true);
    lane_signal(c->lane);
}

/* Asks to be woken by the next event. true: there is something already, or one cannot tell. */
static bool arm(struct cell *c)
{
    int64_t pos[PARTITIONS_MAX];
    struct ring_event *events[16];
    enum tail_state state;
    size_t n = 0;
    bool shared;

    if (!c->watch) {
        if (!(c->watch = tail_watch(c->lane->groups->tail, c->stream, -1, on_wake, c)))
            return true;
        tail_trust(c->watch);
    }
    for (int p = 0; p < PARTITIONS_MAX; p++)
        pos[p] = group_state_next(c->state)[p] - 1;
    state = tail_next(c->watch, pos, events, sizeof events / sizeof *events, &n, &shared);
    for (size_t i = 0; i < n; i++)
        ring_event_unref(events[i]);
    return state == TAIL_EVENTS || state == TAIL_BEHIND;
}

static void plan(struct cell *c)
{
    const struct config *config = c->lane->groups->config;
    int64_t now = clock_mono_us(), due = now + config->groups_idle_us, next;

    c->check = false;
    if (c->state && (next = group_state_alarm(c->state, c->waiting)) != INT64_MAX) {
        next = now + (next - (clock_unix_us() + c->lane->skew_us));
        due = next < due ? next : due;
    }
    for (const struct group_call *call = c->waiting; call; call = call->next)
        if (call->wait_until_us < due)
            due = call->wait_until_us;
    if (c->waiting && c->state) {
        int64_t poll = caught_up(c) && !group_state_busy(c->state) ? config->tail_poll_us : BLIND_US;

        c->check = true;
        if (caught_up(c) && arm(c))
            poll = SOON_US;
        if (now + poll < due)
            due = now + poll;
        if (c->unread)
            due = now;
    }
    c->due_us = due > now + 1000 ? due : now + 1000;
}

void cell_run(struct cell *c, const struct release *releases)
{
    const int64_t until = clock_mono_us() + c->lane->groups->config->commit_wait_us;
    struct fault f = { 0 };
    enum err e;
    int tries = 0;

    do {
        struct wave w = { .cell = c, .arena = arena_new((size_t)1 << 30), .fault = &f };

        f = (struct fault){ 0 };
        atomic_store(&c->woken, false);
        e = w.arena ? try_once(&w, releases) : ERR_NO_MEMORY;
        if (!e) {
            count(&w.changes);
            if (w.changes.deaths_n)
                outbox_wake(c->lane->groups->outbox);
            answer(&w);
            window_sweep(c);
        } else {
            cell_forget(c);
        }
        free_contents(&w);
        arena_free(w.arena);
    } while (e && again(c, e, ++tries, until));
    if (e) {
        if (e == ERR_DB_UNIQUE || e == ERR_DB_RETRY)
            e = fault(&f, ERR_OVERLOADED, "Other gateways are at work on the group; nothing was done.");
        else if (e == ERR_OUTCOME_UNKNOWN)
            fault(&f, e, "The connection to PostgreSQL was lost while the call was being recorded; it may have happened.");
        fail_calls(c, e, &f);
    }
    plan(c);
}
