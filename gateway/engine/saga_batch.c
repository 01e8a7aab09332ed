#include <stdlib.h>
#include <time.h>

#include "db/publish.h"
#include "gateway/base/log.h"
#include "gateway/base/thread.h"
#include "gateway/engine/saga_parts.h"

/* The lane's thread: everything that waits becomes one turn. */

#define KEEP_ARENA ((size_t)256 << 20)
#define PAUSE_US 100000
/* How often PostgreSQL may break off the same turn after it had begun, until that is held against the turn: it takes too long, or too
 * much. */
#define BREAKS_OF_BATCH 3
#define BREAKS_OF_ONE 2

static void lane_pause(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = PAUSE_US * 1000 }, NULL);
}

static bool ends(struct sagas *s)
{
    bool over;

    pthread_mutex_lock(&s->lock);
    over = s->over;
    pthread_mutex_unlock(&s->lock);
    return over;
}

/* --- a COMMIT without an answer --- */

static enum err find_outcome(struct turn *t, int backend, struct fault *f)
{
    struct sagas *s = t->s;
    enum saga_outcome outcome = SAGA_UNDECIDED;
    enum err e = ERR_DATABASE_UNAVAILABLE;

    while (e && !ends(s)) {
        if (!(e = db_connect(t->db, f)) && !(e = db_backend_end(t->db, backend, s->lane_name, f)))
            e = db_saga_outcome(t->db, t->xid, &outcome, f);
        if (e && e != ERR_DATABASE_UNAVAILABLE && e != ERR_OUTCOME_UNKNOWN)
            break;
        if (e)
            lane_pause();
    }
    log_warn("a commit of sagas without an answer was looked up", L_BOOL("committed", outcome == SAGA_COMMITTED));
    if (outcome == SAGA_COMMITTED)
        return OK;
    if (outcome == SAGA_UNDECIDED && !lane_new_owner(s)) /* what may run by it is taken back */
        return ERR_INTERNAL;
    return ERR_DB_RETRY;
}

/* --- one turn --- */

static enum err try_once(struct turn *t, struct fault *f)
{
    int backend;
    size_t n = 0;
    enum err e = turn_make(t, true, f);

    if (!e)
        e = turn_queue(t, &n, f);
    backend = db_backend_pid(t->db);
    if (!e && t->wrote) {
        db_queue(t->db, &DB_COMMIT, NULL);
        if ((e = db_flush(t->db, NULL, n + 1, f)) == ERR_OUTCOME_UNKNOWN)
            return find_outcome(t, backend, f);
        return e;
    }
    db_rollback(t->db);
    return e;
}

/* Those that have waited for too long are told so, in the queue and in the turn. */
static void expire_starts(struct turn *t, enum err why, const struct fault *f)
{
    struct sagas *s = t->s;
    const int64_t since = clock_mono_us() - s->config->commit_wait_us;
    struct saga_start *late = NULL, **last = &late, **at;

    pthread_mutex_lock(&s->lock);
    for (at = &s->starts; *at;) {
        struct saga_start *st = *at;

        if (st->queued_us > since) {
            at = &st->next;
            continue;
        }
        *at = st->next;
        st->next = NULL;
        *last = st;
        last = &st->next;
    }
    s->starts_last = at;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < t->given; i++)
        if (t->item[i].start && t->item[i].start->queued_us <= since) {
            *last = t->item[i].start;
            last = &t->item[i].start->next;
            t->item[i] = t->item[--t->given];
            t->n = t->given;
            i--;
        }
    *last = NULL;
    for (struct saga_start *next; late; late = next) {
        next = late->next;
        late->err = why;
        late->fault = *f;
        lane_started(s, late);
    }
}

/* Instances of a turn that it had to leave out; those that it had are so no more. */
static void mark(struct turn *t, bool done)
{
    const struct fault f = { .detail = "This release cannot read its definition." };

    for (const struct turn_run *r = t->run; r < t->run + t->run_n; r++)
        if (r->broken)
            aside_put(t->s, &r->key, ERR_BAD_DEFINITION, &f);
        else if (done)
            aside_drop(t->s, &r->key);
}

/* Until it is done, or cannot be for what it is. ERR_SHUTTING_DOWN: the gateway stops, and PostgreSQL is away. */
static enum err run(struct turn *t, int breaks_max, struct fault *f)
{
    for (int tries = 0, breaks = 0;;) {
        enum err e = try_once(t, f);
        bool away;

        if (!e)
            return OK;
        away = e == ERR_DATABASE_UNAVAILABLE || e == ERR_OUTCOME_UNKNOWN;
        breaks = t->xid ? breaks + away : 0;
        mark(t, false);
        turn_undo(t);
        if (away || e == ERR_DATABASE_FULL) {
            if (ends(t->s))
                return fault(f, ERR_SHUTTING_DOWN, "The gateway stops.");
            if (breaks >= breaks_max)
                return e;
            expire_starts(t, e == ERR_DATABASE_FULL ? e : ERR_DATABASE_UNAVAILABLE, f);
            lane_pause();
        } else if ((e != ERR_DB_RETRY && e != ERR_DB_UNIQUE) || ++tries == SAGA_TRIES) {
            return e;
        }
        *f = (struct fault){ 0 };
    }
}

static void finish_item(struct sagas *s, struct saga_item *x, enum err e, const struct fault *f)
{
    if (x->start) {
        x->start->err = e ? e : x->err;
        x->start->fault = e ? *f : x->fault;
        x->start->created = x->created;
        x->start->state = x->after;
        lane_started(s, x->start);
    }
    if (x->kind == ITEM_CALL && !x->slot_used)
        outbound_release(s->outbound, x->slot);
    if (x->attempt && (e || x->err == ERR_INTERNAL)) /* what came is not lost while this gateway lives */
        lane_keep(x->attempt);
    else
        saga_attempt_free(x->attempt);
}

/* After the commit, or when nothing could be done. */
static void finish(struct turn *t, enum err e, const struct fault *f)
{
    struct saga_attempt *admitted = t->admitted;
    const bool wrote = t->wrote, waited = t->waited;

    if (!e && wrote)
        saga_count(t);
    if (!e)
        mark(t, true);
    for (size_t i = 0; i < t->given; i++)
        finish_item(t->s, &t->item[i], e, f);
    t->given = t->n = 0;
    turn_end(t);
    saga_attempts_begin(t->s, admitted);
    if (wrote)
        outbox_wake(t->s->outbox);
    if (waited)
        saga_events_wake(t->s->events);
}

/* --- when a turn fails for what one of its items is --- */

/* An answer that cannot be stored for what it is: without it, then. */
static enum err run_without(struct turn *one, struct fault *f)
{
    struct saga_item *x = &one->item[0];
    const struct saga_input in = x->input;
    enum err e;

    x->input = (struct saga_input){ .what = SAGA_IN_AGAIN, .step = in.step, .kind = in.kind, .owner = in.owner,
                                    .attempt = in.attempt, .unknown = true,
                                    .error = SLICE("{\"type\":\"internal\",\"message\":\"The answer could not be stored.\"}") };
    if (!(e = run(one, BREAKS_OF_ONE, f)))
        log_error("the answer of a step's attempt could not be stored and is dropped", L_SLICE("instance", x->key.id));
    x->input = in;
    return e;
}

static void run_one(struct turn *t, struct saga_item *x)
{
    struct turn one = { .s = t->s, .db = t->db, .admits = t->admits, .keep = t->keep };
    struct saga_item *y = turn_item(&one, x->kind);
    struct fault f = { 0 };
    enum err e;

    if (!y) {
        finish_item(t->s, x, ERR_NO_MEMORY, &f);
        return;
    }
    *y = *x;
    if ((e = run(&one, BREAKS_OF_ONE, &f)) == ERR_INTERNAL && y->attempt)
        e = run_without(&one, &f);
    if (e && e != ERR_SHUTTING_DOWN && !x->start)
        aside_put(t->s, &y->key, e, &f);
    finish(&one, e, &f);
    free(one.item);
}

/* The oldest event. When it cannot be done it stays in the inbox, and its instance is set aside. false: even that is not possible now. */
static bool run_inbox_singly(struct turn *t)
{
    struct turn one = { .s = t->s, .db = t->db, .admits = t->admits, .keep = t->keep, .inbox_limit = 1 };
    struct fault f = { 0 }, other = { 0 };
    struct saga_keys but;
    struct saga_key key;
    enum err e = run(&one, BREAKS_OF_ONE, &f);
    bool found = false;

    if (e && e != ERR_SHUTTING_DOWN && aside_list(t->s, t->keep, &but) &&
        !db_saga_inbox_first(t->db, t->keep, &but, &found, &key, &other) && found)
        aside_put(t->s, &key, e, &f);
    finish(&one, e, &f);
    free(one.item);
    return !e || found;
}

/* What was given is done one by one; of the inbox the next turn takes less, until it is known which event it is. */
static bool run_singly(struct turn *t, enum err why, const struct fault *f)
{
    log_error("a transaction of sagas failed and is made in smaller ones", L_INT("err", why), L_STR("why", f->detail),
              L_INT("items", t->given), L_INT("events", t->inbox_limit));
    for (size_t i = 0; i < t->given; i++)
        run_one(t, &t->item[i]);
    t->given = t->n = 0;
    return t->inbox_limit > 1 || (t->inbox_limit && run_inbox_singly(t));
}

/* --- what waits --- */

static bool add_answer(struct turn *t, struct saga_attempt *at)
{
    struct saga_item *x = turn_item(t, ITEM_INPUT);

    if (!x)
        return false;
    x->attempt = at;
    x->key = at->key;
    x->input = at->answer;
    return true;
}

static bool add_start(struct turn *t, struct saga_start *st)
{
    struct saga_item *x = turn_item(t, ITEM_START);

    if (!x)
        return false;
    x->start = st;
    x->given = st->input;
    x->traceparent = st->traceparent;
    memcpy(x->hash, st->hash, sizeof x->hash);
    return true;
}

static bool add_lost(struct turn *t, const struct saga_attempt_row *row)
{
    struct saga_item *x = turn_item(t, ITEM_INPUT);

    if (!x)
        return false;
    x->key = row->key;
    x->input = (struct saga_input){ .what = SAGA_IN_LOST, .step = row->step, .kind = (enum saga_kind)row->kind,
                                    .owner = row->owner, .attempt = row->attempt };
    return true;
}

/* Answers of instances that are set aside are kept until they may be tried again; or all ends. */
static void take_answers(struct sagas *s, struct turn *t)
{
    const int64_t now = s->over ? INT64_MAX : clock_mono_us();
    struct saga_attempt *next;

    for (struct saga_attempt **at = &s->kept; *at && t->given < s->batch;) {
        if ((*at)->again_us > now) {
            at = &(*at)->next;
            continue;
        }
        next = (*at)->next;
        if (!add_answer(t, *at))
            break;
        *at = next;
        s->kept_n--;
    }
    for (struct saga_attempt *at; (at = s->answers) && t->given < s->batch; s->answers = next) {
        next = at->next;
        if ((at->again_us = aside_until(s, &at->key)) > now) {
            at->next = s->kept;
            s->kept = at;
            s->kept_n++;
        } else if (!add_answer(t, at)) {
            break;
        }
    }
    if (!s->answers)
        s->answers_last = &s->answers;
}

/* Under the lock: a batch of each. What there is no memory for stays. */
static void take(struct sagas *s, struct turn *t, struct arena **ret_lost)
{
    take_answers(s, t);
    for (size_t i = 0; i < s->batch && s->starts && add_start(t, s->starts); i++)
        s->starts = s->starts->next;
    if (!s->starts)
        s->starts_last = &s->starts;
    for (size_t i = 0; i < s->lost_n; i++)
        add_lost(t, &s->lost[i]);
    *ret_lost = s->lost_arena;
    s->lost_arena = NULL;
    s->lost = NULL;
    s->lost_n = 0;
}

/* false: it is over, and nothing is left. */
static bool wait_for_work(struct sagas *s, struct turn *t, int64_t until_us, bool *ret_poked, struct arena **ret_lost)
{
    bool go_on;

    pthread_mutex_lock(&s->lock);
    while (!s->starts && !s->answers && !s->lost_n && !s->poked && !s->over &&
           cond_wait_until(&s->changed, &s->lock, until_us))
        ;
    take(s, t, ret_lost);
    *ret_poked = s->poked;
    s->poked = false;
    go_on = t->n || !s->over;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

/* What may have been too much for one turn is tried in smaller ones, down to one event at a time. */
static size_t next_batch(const struct sagas *s, enum err e)
{
    const size_t max = (size_t)s->config->sagas_batch;

    if (e)
        return s->batch > 1 ? s->batch / 2 : 1;
    return 2 * s->batch < max ? 2 * s->batch : max;
}

static void work(struct sagas *s, struct turn *t, bool looks, bool *ret_again)
{
    struct fault f = { 0 };
    bool inbox = false, more = false;
    enum err e;

    if (looks && (e = saga_look(s, t, &inbox, &more, &f)) && e != ERR_DATABASE_UNAVAILABLE && e != ERR_OUTCOME_UNKNOWN)
        log_error("it cannot be looked for what is due in sagas", L_INT("err", e), L_STR("why", f.detail));
    t->inbox_limit = inbox ? s->batch : 0;
    if (!t->n && !inbox)
        return;
    f = (struct fault){ 0 };
    if ((e = run(t, BREAKS_OF_BATCH, &f)))
        *ret_again = e != ERR_SHUTTING_DOWN && run_singly(t, e, &f);
    else
        *ret_again = t->wrote && (more || t->inbox_more);
    s->batch = next_batch(s, e);
    finish(t, e, &f);
}

void *lane_main(void *sagas)
{
    struct sagas *s = sagas;
    int64_t next_look_us = clock_mono_us();
    bool again = false, go_on = true;

    while (go_on) {
        struct turn t = { .s = s, .db = s->db, .admits = true, .keep = arena_new(KEEP_ARENA) };
        struct arena *lost = NULL;
        bool poked = false, looks;

        go_on = wait_for_work(s, &t, again ? 0 : next_look_us, &poked, &lost);
        looks = poked || again || clock_mono_us() >= next_look_us;
        if (looks)
            next_look_us = clock_mono_us() + s->config->sagas_poll_us;
        again = false;
        if (t.keep && go_on)
            work(s, &t, looks && !ends(s), &again);
        else if (t.n)
            finish(&t, ERR_NO_MEMORY, &(struct fault){ 0 });
        free(t.item);
        arena_free(t.keep);
        arena_free(lost);
    }
    return NULL;
}
