#include "gateway/engine/outbound.h"

#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/engine/outbound_client.h"
#include "gateway/engine/outbound_targets.h"

struct outbound {
    struct targets targets;
    struct outbound_client *client;
};

static struct outbound_file *file_of(void *arg)
{
    return targets_file(&((struct outbound *)arg)->targets);
}

static void ended(void *arg, struct outbound_slot slot, enum breaker_outcome o, const struct outbound_answer *answer)
{
    (void)answer;
    targets_finish(&((struct outbound *)arg)->targets, slot, o, true);
}

struct outbound *outbound_start(const struct config *c, const struct db_config *db, char err[512])
{
    struct outbound_file *file = outbound_file_load(c->outbound_file, err);
    struct outbound *o = file ? calloc(1, sizeof *o) : NULL;
    const struct outbound_client_config client = {
        (size_t)c->outbound_answer_bytes, c->outbound_connect_timeout_us, c->outbound_allow_private, c->outbound_allow_hosts,
        c->outbound_ca_file, file_of, ended, o,
    };

    if (!o) {
        if (file)
            err_tell(err, "Memory is out.");
        outbound_file_free(file);
        return NULL;
    }
    if (!targets_init(&o->targets, c, file) || !targets_keep(&o->targets, db))
        err_tell(err, "The threads for outbound calls cannot be started.");
    else if ((o->client = outbound_client_start(&client, err)))
        return o;
    outbound_stop(o);
    return NULL;
}

bool outbound_reload(struct outbound *o, char err[512])
{
    struct outbound_file *file = outbound_file_load(o->targets.config->outbound_file, err);

    if (file)
        targets_set_file(&o->targets, file);
    return file;
}

void outbound_on_room(struct outbound *o, void (*room)(void *arg), void *arg)
{
    pthread_mutex_lock(&o->targets.room_lock);
    o->targets.room = room;
    o->targets.arg = arg;
    pthread_mutex_unlock(&o->targets.room_lock);
}

void outbound_members(struct outbound *o, int n)
{
    pthread_mutex_lock(&o->targets.lock);
    o->targets.members = n > 0 ? n : 1;
    pthread_mutex_unlock(&o->targets.lock);
}

bool outbound_drain(struct outbound *o, int64_t mono_us)
{
    return outbound_client_drain(o->client, mono_us);
}

void outbound_stop(struct outbound *o)
{
    if (!o)
        return;
    outbound_client_stop(o->client);
    targets_keep_stop(&o->targets);
    targets_free(&o->targets);
    free(o);
}

enum outbound_room outbound_admit(struct outbound *o, struct slice target, struct outbound_slot *ret, int64_t *ret_wait_us)
{
    return targets_admit(&o->targets, target, ret, ret_wait_us);
}

void outbound_release(struct outbound *o, struct outbound_slot slot)
{
    targets_finish(&o->targets, slot, BREAKER_VOID, false);
}

void outbound_send(struct outbound *o, struct outbound_call *call)
{
    outbound_client_send(o->client, call);
}

size_t outbound_rooms(struct outbound *o, struct outbound_free *ret, size_t max)
{
    struct targets *ts = &o->targets;
    int64_t now_us = clock_mono_us(), wait_us;
    size_t n = 0;

    pthread_mutex_lock(&ts->lock);
    for (struct target *t = ts->refused; t && n < max; t = t->next_refused) {
        int slots = targets_slots(ts, t, now_us, &wait_us);

        if (slots > 0)
            ret[n++] = (struct outbound_free){ t->name, slots };
    }
    pthread_mutex_unlock(&ts->lock);
    return n;
}

void outbound_satisfied(struct outbound *o, struct slice target)
{
    targets_satisfied(&o->targets, target);
}

bool outbound_secret(struct outbound *o, struct slice name, struct slice target, struct arena *a, struct slice *ret,
                     const char **ret_why)
{
    struct outbound_file *f = targets_file(&o->targets);
    const struct outbound_named_secret *s = outbound_file_secret(f, name, target, ret_why);

    *ret = s ? arena_slice(a, s->value) : SLICE_NONE;
    if (s && !ret->p)
        *ret_why = "memory is out";
    outbound_file_free(f);
    return ret->p;
}

bool outbound_secret_known(struct outbound *o, struct slice name, struct slice target)
{
    struct outbound_file *f = targets_file(&o->targets);
    const char *why;
    bool known = outbound_file_secret(f, name, target, &why);

    outbound_file_free(f);
    return known;
}

/* What this gateway knows besides. Locked. */
static void add_own(struct targets *ts, struct target_status *s)
{
    const struct outbound_rules *r = outbound_file_rules(ts->file, s->target);
    const struct target *t = targets_known(ts, s->target);

    s->configured = r;
    s->is_signed = r && r->key_n;
    s->rate = r ? r->rate : 0;
    s->concurrency = r && r->concurrency ? r->concurrency : (int)ts->config->outbound_concurrency;
    s->running = t ? t->running : 0;
}

enum err targets_list(struct outbound *o, struct db *db, struct arena *a, struct slice after, size_t limit,
                      struct target_status **ret, size_t *ret_n, bool *ret_more, struct fault *f)
{
    struct targets *ts = &o->targets;
    struct target_row *rows;
    struct target_status *v;
    int64_t now_us = 0;
    size_t n;
    enum err e = db_targets_page(db, a, after, limit + 1, &rows, &n, &now_us, f);

    if (e)
        return e;
    *ret_more = n > limit;
    n = *ret_more ? limit : n;
    if (!(v = arena_alloc(a, (n + 1) * sizeof *v)))
        return ERR_NO_MEMORY;
    pthread_mutex_lock(&ts->lock);
    for (size_t i = 0; i < n; i++) {
        const struct target_row *r = &rows[i];

        v[i] = (struct target_status){ .target = r->target, .breaker = { (enum breaker_state)r->state, r->failures, r->successes,
                                                                         r->opened_us, r->probe_owner, r->probe_until_us } };
        breaker_probe_due(&v[i].breaker, &ts->rules, now_us, &v[i].retry_us);
        if (v[i].breaker.state == BREAKER_CLOSED)
            v[i].retry_us = 0;
        add_own(ts, &v[i]);
    }
    pthread_mutex_unlock(&ts->lock);
    *ret = v;
    *ret_n = n;
    return OK;
}
