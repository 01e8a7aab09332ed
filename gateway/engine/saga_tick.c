#include "gateway/base/log.h"
#include "gateway/engine/saga_parts.h"

/* That this gateway lives, whose attempts are lost, and what has ended long ago. */

#define TICK_ARENA ((size_t)64 << 20)
#define REMOVE_BATCH 100           /* instances in one transaction */

/* Nobody takes its attempts until then: reckoned from before it was written. */
static enum err beat(struct sagas *s, struct fault *f)
{
    const int64_t owner = atomic_load(&s->owner), now = clock_mono_us();
    int64_t others;
    bool mine;
    enum err e = db_saga_member_beat(s->tick_db, owner, s->config->sagas_lease_us, &others, &mine, f);

    if (e)
        return e;
    if (!mine && atomic_load(&s->lives_until_us)) { /* it was over: others may have taken what runs here */
        log_warn("this gateway's lease was over; attempts that it made may be made again by others");
        return lane_new_owner(s) ? beat(s, f) : ERR_INTERNAL;
    }
    pthread_mutex_lock(&s->lock);
    if (owner == atomic_load(&s->owner)) /* not of the number before */
        atomic_store(&s->lives_until_us, now + s->config->sagas_lease_us);
    pthread_mutex_unlock(&s->lock);
    outbound_members(s->outbound, (int)others + 1);
    return OK;
}

static enum err take_back(struct sagas *s, struct fault *f)
{
    struct arena *a;
    struct saga_attempt_row *v = NULL;
    struct saga_keys but;
    size_t n = 0;
    bool busy;
    enum err e;

    pthread_mutex_lock(&s->lock);
    busy = s->lost_n > 0;
    pthread_mutex_unlock(&s->lock);
    if (busy || !(a = arena_new(TICK_ARENA)))
        return busy ? OK : ERR_NO_MEMORY;
    e = aside_list(s, a, &but) ?
        db_saga_attempts_lost(s->tick_db, a, s->config->sagas_lease_us, s->config->sagas_batch, &but, &v, &n, f) : ERR_NO_MEMORY;
    if (e || !n) {
        arena_free(a);
        return e;
    }
    log_info("attempts of a gateway that is gone are taken back", L_INT("attempts", n));
    pthread_mutex_lock(&s->lock);
    s->lost_arena = a;
    s->lost = v;
    s->lost_n = n;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return OK;
}

static enum err tidy(struct sagas *s, bool *ret_more, struct fault *f)
{
    const int64_t now = clock_mono_us();
    enum err e;

    if (now < s->removed_us + s->config->retention_period_us)
        return OK;
    if ((e = db_saga_members_forget(s->tick_db, f)) ||
        (e = db_sagas_remove(s->tick_db, s->config->sagas_keep_us, REMOVE_BATCH, ret_more, f)))
        return e;
    if (!*ret_more)
        s->removed_us = now;
    return OK;
}

enum err sagas_tick(void *sagas, bool *ret_more)
{
    struct sagas *s = sagas;
    struct fault f = { 0 };
    enum err e = beat(s, &f);

    if (!e)
        e = take_back(s, &f);
    if (!e)
        e = tidy(s, ret_more, &f);
    if (e && e != ERR_DATABASE_UNAVAILABLE)
        log_warn("sagas are not looked after", L_INT("err", e), L_STR("why", f.detail));
    return OK; /* leases do not wait, whatever it is */
}
