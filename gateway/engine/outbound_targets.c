#include "gateway/engine/outbound_targets.h"

#include <math.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/thread.h"

#define RATE_BURST_S 0.1               /* so much of a second's calls may come at once, but one anyway */
#define UNREAD_US (US_PER_S / 20)      /* its breaker is about to be read */

bool targets_init(struct targets *ts, const struct config *c, struct outbound_file *file)
{
    ts->config = c;
    ts->rules = (struct breaker_rules){ (int)c->outbound_breaker_failures, (int)c->outbound_breaker_successes,
                                        c->outbound_breaker_open_us };
    ts->members = 1;
    pthread_mutex_init(&ts->lock, NULL);
    pthread_mutex_init(&ts->room_lock, NULL);
    cond_init(&ts->look);
    targets_set_file(ts, file);
    return random_id(&ts->owner);
}

void targets_free(struct targets *ts)
{
    struct target *next;

    for (struct target *t = ts->known; t; t = next) {
        next = t->next_known;
        free(t);
    }
    outbound_file_free(ts->file);
    pthread_cond_destroy(&ts->look);
    pthread_mutex_destroy(&ts->room_lock);
    pthread_mutex_destroy(&ts->lock);
}

static void apply_rules(struct targets *ts, struct target *t)
{
    const struct outbound_rules *r = outbound_file_rules(ts->file, t->name);

    t->concurrency = r && r->concurrency ? r->concurrency : (int)ts->config->outbound_concurrency;
    t->rate = r ? r->rate : 0;
    t->configured = r;
}

void targets_set_file(struct targets *ts, struct outbound_file *file)
{
    struct outbound_file *old;

    pthread_mutex_lock(&ts->lock);
    old = ts->file;
    ts->file = file;
    for (struct target *t = ts->known; t; t = t->next_known)
        apply_rules(ts, t);
    for (size_t i = 0; i < file->target_n; i++)
        targets_find(ts, file->targets[i].target);
    pthread_mutex_unlock(&ts->lock);
    outbound_file_free(old);
}

struct outbound_file *targets_file(struct targets *ts)
{
    struct outbound_file *f;

    pthread_mutex_lock(&ts->lock);
    f = outbound_file_ref(ts->file);
    pthread_mutex_unlock(&ts->lock);
    return f;
}

/* FNV-1a (Fowler, Noll, Vo 1991). Definitions name targets, and whoever may write them needs no collisions to do harm. */
static struct target **bucket(struct targets *ts, struct slice name)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 16777619u;
    return &ts->buckets[h % TARGET_BUCKETS];
}

static void look(struct targets *ts)
{
    ts->look_now = true;
    pthread_cond_signal(&ts->look);
}

struct target *targets_known(struct targets *ts, struct slice name)
{
    struct target *t = *bucket(ts, name);

    while (t && !slice_eq(t->name, name))
        t = t->next;
    return t;
}

/* Nothing is lost with it: what its breaker says stands in its row. */
static bool is_idle(const struct targets *ts, const struct target *t)
{
    return t->stored && !t->running && !t->refused && !t->pending_n && !t->probe_wanted && !t->passing && !t->configured &&
           t->breaker.probe_owner != ts->owner;
}

/* The one that was not called for longest. False: all are in use. */
static bool forget_one(struct targets *ts)
{
    struct target **oldest = NULL, **at, *t;
    int64_t now_us = clock_mono_us();

    if (now_us < ts->crowded_us)
        return false;
    for (at = &ts->known; *at; at = &(*at)->next_known)
        if (is_idle(ts, *at) && (!oldest || (*at)->used_us < (*oldest)->used_us))
            oldest = at;
    if (!oldest && !ts->crowded_us)
        log_error("no target can be forgotten; calls to new ones wait", L_INT("outbound.targets", ts->known_n));
    ts->crowded_us = oldest ? 0 : now_us + TARGETS_CROWDED_US;
    if (!oldest)
        return false;
    t = *oldest;
    *oldest = t->next_known;
    for (at = bucket(ts, t->name); *at != t;)
        at = &(*at)->next;
    *at = t->next;
    free(t);
    ts->known_n--;
    return true;
}

struct target *targets_find(struct targets *ts, struct slice name)
{
    struct target **head = bucket(ts, name), *t = targets_known(ts, name);
    char *text;

    if (t || (ts->known_n >= (size_t)ts->config->outbound_targets && !forget_one(ts)) || !(t = calloc(1, sizeof *t + name.n)))
        return t;
    text = (char *)(t + 1);
    memcpy(text, name.p, name.n);
    t->name = (struct slice){ text, name.n };
    t->used_us = clock_mono_us();
    t->next = *head;
    *head = t;
    t->next_known = ts->known;
    ts->known = t;
    ts->known_n++;
    apply_rules(ts, t);
    look(ts);
    return t;
}

/* The time between two calls of this gateway. */
static double interval_us(const struct targets *ts, const struct target *t)
{
    return (double)US_PER_S * ts->members / t->rate;
}

/* The next call may come so much before its time. */
static double tolerance_us(const struct targets *ts, const struct target *t)
{
    return fmax(0, floor(t->rate / ts->members * RATE_BURST_S) - 1) * interval_us(ts, t);
}

static int rate_slots(const struct targets *ts, const struct target *t, int64_t now_us, int64_t *ret_wait_us)
{
    double ahead = (double)(t->free_us - now_us);

    if (t->rate <= 0)
        return INT32_MAX;
    ahead = tolerance_us(ts, t) - fmax(ahead, 0);
    if (ahead < 0) {
        *ret_wait_us = (int64_t)-ahead + 1;
        return 0;
    }
    return 1 + (int)fmin(ahead / interval_us(ts, t), 1e6);
}

/* Whether the breaker lets calls pass: all, the probe, none. */
static int breaker_slots(struct targets *ts, struct target *t, int64_t now_us, int64_t *ret_wait_us)
{
    int64_t due_us, database_us = now_us + ts->database_us;

    if (t->breaker.state == BREAKER_CLOSED)
        return INT32_MAX;
    if (t->breaker.state == BREAKER_HALF_OPEN && t->breaker.probe_owner == ts->owner && !t->probe_out && now_us < t->probe_use_us)
        return 1;
    if (!breaker_probe_due(&t->breaker, &ts->rules, database_us, &due_us)) {
        *ret_wait_us = due_us - database_us;
    } else if (now_us < t->probe_rest_us) {
        *ret_wait_us = t->probe_rest_us - now_us;
    } else {
        t->probe_out = 0;          /* it outlasted its claim */
        if (!t->probe_wanted)
            look(ts);
        t->probe_wanted = true;
    }
    return 0;
}

static int least(int x, int y)
{
    return x < y ? x : y;
}

int targets_slots(struct targets *ts, struct target *t, int64_t mono_us, int64_t *ret_wait_us)
{
    int n = least(t->concurrency - t->running, (int)ts->config->outbound_calls - ts->running);

    *ret_wait_us = t->stored ? 0 : UNREAD_US;
    n = t->stored && n > 0 ? least(n, breaker_slots(ts, t, mono_us, ret_wait_us)) : 0;
    return n ? least(n, rate_slots(ts, t, mono_us, ret_wait_us)) : 0;
}

static void refuse(struct targets *ts, struct target *t)
{
    ts->full |= ts->running >= ts->config->outbound_calls;
    if (t->refused)
        return;
    t->refused = true;
    t->next_refused = ts->refused;
    ts->refused = t;
}

static void take_slot(struct targets *ts, struct target *t, int64_t now_us, struct outbound_slot *ret)
{
    t->running++;
    t->used_us = now_us;
    ts->running++;
    if (t->rate > 0)
        t->free_us = (t->free_us > now_us ? t->free_us : now_us) + (int64_t)interval_us(ts, t);
    *ret = (struct outbound_slot){ t, 0 };
    if (t->breaker.state == BREAKER_HALF_OPEN)
        ret->probe = t->probe_out = ++t->probes;
}

enum outbound_room targets_admit(struct targets *ts, struct slice name, struct outbound_slot *ret, int64_t *ret_wait_us)
{
    int64_t now_us = clock_mono_us();
    enum outbound_room room = OUTBOUND_CROWDED;
    struct target *t;

    *ret = (struct outbound_slot){ NULL, 0 };
    *ret_wait_us = US_PER_S;
    pthread_mutex_lock(&ts->lock);
    if ((t = targets_find(ts, name))) {
        if (targets_slots(ts, t, now_us, ret_wait_us) > 0) {
            room = OUTBOUND_ROOM;
            take_slot(ts, t, now_us, ret);
        } else {
            room = t->breaker.state != BREAKER_CLOSED ? OUTBOUND_OPEN
                   : *ret_wait_us && t->stored        ? OUTBOUND_LIMITED
                                                      : OUTBOUND_BUSY;
            refuse(ts, t);
        }
    }
    pthread_mutex_unlock(&ts->lock);
    return room;
}

void targets_satisfied(struct targets *ts, struct slice name)
{
    struct target **at, *t;

    pthread_mutex_lock(&ts->lock);
    for (at = &ts->refused; *at && !slice_eq((*at)->name, name);)
        at = &(*at)->next_refused;
    if ((t = *at)) {
        *at = t->next_refused;
        t->refused = false;
    }
    pthread_mutex_unlock(&ts->lock);
}

bool targets_take(const struct targets *ts, struct breaker *b, struct target_outcome o, int64_t database_us)
{
    const int64_t probe_of[] = { [NO_PROBE] = 0, [CLAIMED_PROBE] = ts->owner, [LATE_PROBE] = BREAKER_LATE };

    return breaker_take(b, &ts->rules, (enum breaker_outcome)o.outcome, probe_of[o.probe], database_us);
}

void targets_note(struct targets *ts, struct target *t, enum breaker_outcome o, enum target_probe probe)
{
    const struct target_outcome one = { (uint8_t)o, (uint8_t)probe };
    int64_t now_us = clock_mono_us();

    if (probe == CLAIMED_PROBE && o == BREAKER_VOID) /* whatever keeps this gateway from probing may not keep others */
        t->probe_rest_us = now_us + (PROBE_USE_US < ts->rules.open_us ? PROBE_USE_US : ts->rules.open_us);
    if (!targets_take(ts, &t->breaker, one, now_us + ts->database_us) || t->pending_n == TARGET_PENDING)
        return;
    t->pending[t->pending_n++] = one;
    look(ts);
}

void targets_finish(struct targets *ts, struct outbound_slot slot, enum breaker_outcome o, bool sent)
{
    struct target *t = slot.target;
    enum target_probe probe = !slot.probe ? NO_PROBE : LATE_PROBE;
    bool room;

    if (!t)
        return;
    pthread_mutex_lock(&ts->lock);
    t->running--;
    ts->running--;
    if (!sent && t->rate > 0)
        t->free_us -= (int64_t)interval_us(ts, t);
    if (slot.probe && slot.probe == t->probe_out) {
        t->probe_out = 0;
        probe = CLAIMED_PROBE;
    }
    if (sent)
        targets_note(ts, t, o, probe);
    room = t->refused || ts->full;
    ts->full = false;
    pthread_mutex_unlock(&ts->lock);
    if (room)
        targets_tell_room(ts);
}

void targets_tell_room(struct targets *ts)
{
    pthread_mutex_lock(&ts->room_lock);
    if (ts->room)
        ts->room(ts->arg);
    pthread_mutex_unlock(&ts->room_lock);
}
