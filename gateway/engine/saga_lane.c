#include <time.h>

#include "gateway/base/random.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/event.h"
#include "gateway/engine/saga_parts.h"

/* The queues of the lane; its thread: saga_batch.c. */

#define START_ARENA ((size_t)64 << 20)
enum { START_QUEUED = 1, START_DONE, START_LEFT };

/* --- starts: any thread --- */

struct saga_start *saga_start_new(struct slice saga)
{
    struct arena *a = arena_new(START_ARENA);
    struct saga_start *st = a ? arena_zalloc(a, sizeof *st) : NULL;

    if (st) {
        st->arena = a;
        st->saga = arena_slice(a, saga);
    }
    if (st && st->saga.p)
        return st;
    arena_free(a);
    return NULL;
}

bool saga_start_keyed(struct saga_start *st, const uint8_t key[16])
{
    char text[UUID_TEXT];

    uuid_format(key, text);
    st->keyed = true;
    st->id = arena_slice(st->arena, slice_of(text));
    return st->id.p;
}

static bool complete(struct saga_start *st)
{
    char text[UUID_TEXT];

    if (!st->id.p) {
        uuid7(clock_unix_us(), text);
        st->id = arena_slice(st->arena, slice_of(text));
    }
    return st->id.p && saga_input_hash(st->input, st->hash);
}

enum err sagas_submit(struct sagas *s, struct saga_start *st, struct fault *f)
{
    bool full;

    if (!complete(st))
        return ERR_NO_MEMORY;
    st->queued_us = clock_mono_us();
    pthread_mutex_lock(&s->lock);
    full = s->stop || s->start_n >= (size_t)s->config->sagas_queue;
    if (!full) {
        st->at = START_QUEUED;
        st->next = NULL;
        *s->starts_last = st;
        s->starts_last = &st->next;
        s->start_n++;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    if (!full)
        return OK;
    f->retry_after = 1;
    return fault(f, ERR_OVERLOADED, "Too many instances wait to be started; this one was not.");
}

void sagas_leave(struct sagas *s, struct saga_start *st)
{
    bool mine;

    if (!st)
        return;
    pthread_mutex_lock(&s->lock);
    mine = st->at != START_QUEUED;
    if (!mine)
        st->at = START_LEFT;
    pthread_mutex_unlock(&s->lock);
    if (mine)
        arena_free(st->arena);
}

void lane_started(struct sagas *s, struct saga_start *st)
{
    bool left;

    pthread_mutex_lock(&s->lock);
    s->start_n--;
    left = st->at == START_LEFT;
    if (!left) {
        st->at = START_DONE;
        st->done(st, false); /* under the lock: its owner may leave at any time */
    }
    pthread_mutex_unlock(&s->lock);
    if (left)
        arena_free(st->arena);
}

/* --- answers: any thread --- */

static void unlink_locked(struct sagas *s, struct saga_attempt *at)
{
    if (at->before)
        at->before->after = at->after;
    else
        s->in_flight = at->after;
    if (at->after)
        at->after->before = at->before;
    s->in_flight_n--;
}

void lane_answer(struct saga_attempt *at)
{
    struct sagas *s = at->sagas;
    bool drop;

    pthread_mutex_lock(&s->lock);
    drop = at->forgotten || s->over;
    if (!at->forgotten)
        unlink_locked(s, at);
    if (!drop) {
        at->next = NULL;
        *s->answers_last = at;
        s->answers_last = &at->next;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    if (drop)
        saga_attempt_free(at);
}

void lane_keep(struct saga_attempt *at)
{
    struct sagas *s = at->sagas;
    bool drop;

    at->again_us = aside_until(s, &at->key);
    pthread_mutex_lock(&s->lock);
    if (!(drop = s->over)) {
        at->next = s->kept;
        s->kept = at;
        s->kept_n++;
    }
    pthread_mutex_unlock(&s->lock);
    if (drop) /* others take the attempt back when this gateway has left */
        saga_attempt_free(at);
}

/* --- what else wakes it: any thread --- */

void sagas_poke(struct sagas *s)
{
    pthread_mutex_lock(&s->lock);
    s->poked = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    saga_events_wake(s->events);
}

void lane_room(void *sagas)
{
    struct sagas *s = sagas;

    pthread_mutex_lock(&s->lock);
    s->poked = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

bool lane_new_owner(struct sagas *s)
{
    int64_t owner;

    if (!random_id(&owner))
        return false;
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->lives_until_us, 0);
    atomic_store(&s->owner, owner);
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* By looking: it is the stop, and answers come by other threads. */
void lane_drain(struct sagas *s, int64_t until_us)
{
    size_t n = 1;

    while (n && clock_mono_us() < until_us) {
        pthread_mutex_lock(&s->lock);
        n = s->in_flight_n;
        pthread_mutex_unlock(&s->lock);
        if (n)
            nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
}

void lane_give_back(struct sagas *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->in_flight) {
        struct saga_attempt *at = s->in_flight, *back;
        struct arena *a = arena_new(START_ARENA);

        unlink_locked(s, at);
        at->forgotten = true;
        if (!a || !(back = arena_zalloc(a, sizeof *back))) {
            arena_free(a);
            continue; /* others take it back when this gateway has left */
        }
        *back = (struct saga_attempt){ .sagas = s, .arena = a, .answer = at->answer };
        back->key = (struct saga_key){ at->key.saga_id, arena_slice(a, at->key.id) };
        back->answer.what = SAGA_IN_RELEASED;
        back->answer.unknown = true;
        *s->answers_last = back;
        s->answers_last = &back->next;
    }
    s->over = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}
