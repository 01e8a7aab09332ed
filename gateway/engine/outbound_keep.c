#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"
#include "gateway/engine/outbound_targets.h"

/* The thread weir-targets: tells the database what calls say of their targets, claims probes, and learns what other gateways know.
 * It is not in the way of calls: here outcomes count at once, and are folded again into what the row says. Where all goes well nothing
 * is written. */

#define ARENA_BYTES ((size_t)64 << 20)

/* Targets that have something for the database, and what. */
struct pass {
    struct target *of[TARGET_PASS];
    struct slice names[TARGET_PASS];
    struct target_outcome outcomes[TARGET_PASS][TARGET_PENDING];
    size_t outcome_n[TARGET_PASS];
    bool tells[TARGET_PASS];       /* that it is in use */
    bool wants[TARGET_PASS], claimed[TARGET_PASS]; /* a probe */
    size_t n;
    bool more;
};

static struct breaker of_row(const struct target_row *r)
{
    return (struct breaker){ (enum breaker_state)r->state, r->failures,    r->successes,
                             r->opened_us,                 r->probe_owner, r->probe_until_us };
}

static void to_row(const struct breaker *b, struct target_row *r)
{
    *r = (struct target_row){ r->target,    (int32_t)b->state, b->failures,      b->successes,
                              b->opened_us, b->probe_owner,    b->probe_until_us };
}

/* Locked: what was read or written, and what came meanwhile. */
static void set_base(struct targets *ts, struct target *t, struct breaker base)
{
    if (t->base.state != base.state)
        log_info("circuit breaker", L_SLICE("target", t->name), L_STR("state", breaker_names[base.state]),
                 L_INT("failures", base.failures));
    t->base = t->breaker = base;
    for (size_t i = 0; i < t->pending_n; i++)
        targets_take(ts, &t->breaker, t->pending[i], clock_mono_us() + ts->database_us);
}

/* Probes that were claimed for nobody go back; at the end all that are not on their way. */
static void give_back(struct targets *ts, struct target *t, int64_t now_us)
{
    bool mine = t->breaker.state == BREAKER_HALF_OPEN && t->breaker.probe_owner == ts->owner && !t->probe_out;

    if (mine && (ts->stopping || (!t->probe_wanted && now_us >= t->probe_use_us)))
        targets_note(ts, t, BREAKER_VOID, CLAIMED_PROBE);
}

static bool is_stale(const struct target *t, int64_t now_us)
{
    return !t->stored || ((t->configured || t->used_us >= t->told_us) && now_us - t->told_us >= TARGET_TELL_US);
}

static void collect(struct targets *ts, struct pass *p)
{
    int64_t now_us = clock_mono_us();

    p->n = 0;
    p->more = false;
    pthread_mutex_lock(&ts->lock);
    ts->look_now = false;
    for (struct target *t = ts->known; t && !p->more; t = t->next_known) {
        give_back(ts, t, now_us);
        if (!is_stale(t, now_us) && !t->pending_n && !t->probe_wanted)
            continue;
        if ((p->more = p->n == TARGET_PASS))
            break;
        t->passing = true;
        p->of[p->n] = t;
        p->tells[p->n] = is_stale(t, now_us);
        p->names[p->n] = t->name;
        p->outcome_n[p->n] = t->pending_n;
        p->wants[p->n] = t->probe_wanted && !ts->stopping;
        p->claimed[p->n] = false;
        memcpy(p->outcomes[p->n++], t->pending, sizeof t->pending);
    }
    pthread_mutex_unlock(&ts->lock);
}

static size_t index_of(const struct pass *p, struct slice name)
{
    size_t i = 0;

    while (!slice_eq(p->names[i], name))
        i++;
    return i;
}

/* Folds item i into its row. True: it has changed. */
static bool fold(const struct targets *ts, struct pass *p, size_t i, struct target_row *row, int64_t now_us)
{
    struct breaker b = of_row(row);
    bool changed = p->tells[i], mine;
    int64_t due_us;

    for (size_t k = 0; k < p->outcome_n[i]; k++)
        changed |= targets_take(ts, &b, p->outcomes[i][k], now_us);
    mine = b.state == BREAKER_HALF_OPEN && b.probe_owner == ts->owner && b.probe_until_us > now_us; /* a lost COMMIT was none */
    if (p->wants[i] && !mine && breaker_probe_due(&b, &ts->rules, now_us, &due_us)) {
        breaker_probe(&b, ts->owner, now_us + ts->rules.open_us);
        changed = mine = true;
    }
    p->claimed[i] = p->wants[i] && mine;
    to_row(&b, row);
    return changed;
}

static enum err write_rows(struct targets *ts, struct pass *p, struct arena *a, struct target_row **ret, size_t *ret_n,
                           int64_t *ret_now_us)
{
    struct target_row *changed;
    size_t n = 0;
    enum err e = db_targets_lock(ts->db, a, p->names, p->n, ret, ret_n, ret_now_us, NULL);

    if (e)
        return e;
    if (!(changed = arena_alloc(a, (*ret_n + 1) * sizeof *changed))) {
        db_rollback(ts->db);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < *ret_n; i++)
        if (fold(ts, p, index_of(p, (*ret)[i].target), &(*ret)[i], *ret_now_us))
            changed[n++] = (*ret)[i];
    return db_targets_commit(ts->db, a, changed, n, NULL);
}

static int64_t earlier(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static void set_clock(struct targets *ts, int64_t before_us, int64_t database_us)
{
    ts->database_us = database_us - (before_us + clock_mono_us()) / 2;
}

static enum err write_pass(struct targets *ts, struct pass *p, struct arena *a)
{
    int64_t before_us = clock_mono_us(), now_us = 0;
    struct target_row *rows;
    size_t n;
    enum err e;

    collect(ts, p);
    if (!p->n)
        return OK;
    e = write_rows(ts, p, a, &rows, &n, &now_us);
    pthread_mutex_lock(&ts->lock);
    for (size_t i = 0; i < p->n; i++)
        p->of[i]->passing = false;
    if (!e && !ts->database_us) /* later ones come without a lock to wait for */
        set_clock(ts, before_us, now_us);
    for (size_t k = 0; !e && k < n; k++) {
        size_t i = index_of(p, rows[k].target);
        struct target *t = p->of[i];

        t->stored = true;
        t->told_us = p->tells[i] ? before_us : t->told_us;
        t->pending_n -= p->outcome_n[i];
        memmove(t->pending, t->pending + p->outcome_n[i], t->pending_n * sizeof *t->pending);
        set_base(ts, t, of_row(&rows[k]));
        t->probe_wanted &= !p->wants[i];
        if (p->claimed[i])
            t->probe_use_us = earlier(clock_mono_us() + PROBE_USE_US, rows[k].probe_until_us - ts->database_us);
    }
    ts->look_now |= p->more && !e;
    pthread_mutex_unlock(&ts->lock);
    return e;
}

static int by_name(const void *x, const void *y)
{
    return slice_order(((const struct target_row *)x)->target, ((const struct target_row *)y)->target);
}

/* What others have found out. */
static enum err read_rows(struct targets *ts, struct arena *a)
{
    int64_t before_us = clock_mono_us(), now_us = 0;
    struct target_row *rows;
    size_t n;
    enum err e = db_targets_troubled(ts->db, a, &rows, &n, &now_us, NULL);

    if (e)
        return e;
    qsort(rows, n, sizeof *rows, by_name);
    pthread_mutex_lock(&ts->lock);
    set_clock(ts, before_us, now_us);
    for (struct target *t = ts->known; t; t = t->next_known) {
        const struct target_row key = { .target = t->name }, *row = n ? bsearch(&key, rows, n, sizeof *rows, by_name) : NULL;

        if (t->stored)
            set_base(ts, t, row ? of_row(row) : (struct breaker){ .opened_us = t->base.opened_us });
    }
    pthread_mutex_unlock(&ts->lock);
    return OK;
}

static void tell_figures(struct targets *ts, struct arena *a)
{
    struct metric_target *v;
    size_t n = 0;

    pthread_mutex_lock(&ts->lock);
    if ((v = arena_alloc(a, (ts->known_n + 1) * sizeof *v)))
        for (struct target *t = ts->known; t; t = t->next_known) {
            v[n] = (struct metric_target){ arena_slice(a, t->name), (int)t->breaker.state, t->running };
            n += v[n].name.p != NULL;
        }
    pthread_mutex_unlock(&ts->lock);
    if (v)
        metrics_targets_set(v, n);
}

/* Rows that say nothing any more: nobody calls these targets. */
static enum err remove_rows(struct targets *ts)
{
    int64_t now_us = clock_mono_us();
    size_t n;
    enum err e;

    if (now_us < ts->remove_us)
        return OK;
    if (!(e = db_targets_remove(ts->db, TARGET_KEEP_US, TARGETS_REMOVED, &n, NULL)) && n < TARGETS_REMOVED)
        ts->remove_us = now_us + TARGET_TELL_US;
    return e;
}

/* Whether a target that has refused calls may take one now, and how long until the next may. */
static bool has_room(struct targets *ts, int64_t now_us, int64_t *ret_wait_us)
{
    bool room = false;
    int64_t wait_us;

    pthread_mutex_lock(&ts->lock);
    for (struct target *t = ts->refused; t; t = t->next_refused) {
        if (targets_slots(ts, t, now_us, &wait_us) > 0)
            room = true;
        else if (wait_us > 0 && wait_us < *ret_wait_us)
            *ret_wait_us = wait_us;
    }
    pthread_mutex_unlock(&ts->lock);
    return room;
}

/* Until then, or until there is something to write; not_before: a failure is not tried again at once. False: stop. */
static bool wait_for_work(struct targets *ts, int64_t not_before_us, int64_t until_us)
{
    bool go;

    pthread_mutex_lock(&ts->lock);
    while (!ts->stopping && clock_mono_us() < until_us && !(ts->look_now && clock_mono_us() >= not_before_us))
        cond_wait_until(&ts->look, &ts->lock, ts->look_now ? not_before_us : until_us);
    go = !ts->stopping;
    pthread_mutex_unlock(&ts->lock);
    return go;
}

static enum err turn(struct targets *ts, struct pass *p, bool read)
{
    struct arena *a = arena_new(ARENA_BYTES);
    enum err e = a ? db_connect(ts->db, NULL) : ERR_NO_MEMORY;

    if (!e)
        e = write_pass(ts, p, a);
    if (!e && read && !(e = read_rows(ts, a))) {
        tell_figures(ts, a);
        e = remove_rows(ts);
    }
    arena_free(a);
    return e;
}

static void *keep(void *arg)
{
    struct targets *ts = arg;
    struct pass *p = calloc(1, sizeof *p);
    const int64_t poll_us = ts->config->outbound_poll_us;
    int64_t not_before_us = 0, until_us = INT64_MAX, read_us = 0;

    while (p && wait_for_work(ts, not_before_us, until_us)) { /* the first time until a target is named */
        int64_t now_us = clock_mono_us(), wait_us = poll_us;
        bool read = now_us >= read_us;
        enum err e = turn(ts, p, read);

        if (!e && read)
            read_us = now_us + poll_us;
        not_before_us = e ? now_us + poll_us : 0;
        if (!e && has_room(ts, now_us, &wait_us))
            targets_tell_room(ts);
        until_us = now_us + wait_us;
    }
    if (p && db_connected(ts->db))
        turn(ts, p, false);
    free(p);
    return NULL;
}

bool targets_keep(struct targets *ts, const struct db_config *db)
{
    ts->db = db_new(db);
    ts->started = ts->db && thread_start(&ts->thread, "weir-targets", keep, ts);
    return ts->started;
}

void targets_keep_stop(struct targets *ts)
{
    if (ts->started) {
        pthread_mutex_lock(&ts->lock);
        ts->stopping = true;
        pthread_cond_signal(&ts->look);
        pthread_mutex_unlock(&ts->lock);
        pthread_join(ts->thread, NULL);
    }
    db_free(ts->db);
}
