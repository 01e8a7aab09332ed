#include "gateway/http/loop_parts.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/http/direct.h"

/* Requests that wait: who wakes them, how they hover, sleep and go on. */
#define HOVER_TURNS 16                        /* of the loop that a request waits without being suspended */

void loop_poke(struct loop *l)
{
    uint64_t one = 1;

    while (write(l->event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void poke_if_ready(struct loop *l)
{
    bool ready;

    pthread_mutex_lock(&l->lock);
    ready = l->ready_head != NULL;
    pthread_mutex_unlock(&l->lock);
    if (ready)
        loop_poke(l);
}

void loop_wake(struct request_internal *in, bool job_done, bool more)
{
    struct loop *l = in->rq.loop;
    struct server *s = l->server;

    pthread_mutex_lock(&l->lock);
    if (job_done)
        atomic_store(&in->working, false);
    if (!in->ready) {
        in->ready = true;
        in->ready_next = NULL;
        in->ready_prev = l->ready_tail;
        if (l->ready_tail)
            l->ready_tail->ready_next = in;
        else
            l->ready_head = in;
        l->ready_tail = in;
        l->ready_n++;
    }
    pthread_mutex_unlock(&l->lock); /* from here on the request may be gone */
    for (int i = 0; !more && i < s->loop_count; i++) {
        struct loop *other = atomic_load(&s->loops[i]);

        if (other)
            poke_if_ready(other);
    }
}

static void unready(struct loop *l, struct request_internal *in)
{
    if (!in->ready)
        return;
    if (in->ready_prev)
        in->ready_prev->ready_next = in->ready_next;
    else
        l->ready_head = in->ready_next;
    if (in->ready_next)
        in->ready_next->ready_prev = in->ready_prev;
    else
        l->ready_tail = in->ready_prev;
    in->ready = false;
    l->ready_n--;
}

void loop_enter(struct loop *l, struct request_internal *in)
{
    in->next = l->requests;
    if (l->requests)
        l->requests->prev = in;
    l->requests = in;
}

void loop_leave(struct loop *l, struct request_internal *in)
{
    pthread_mutex_lock(&l->lock);
    unready(l, in);
    pthread_mutex_unlock(&l->lock);
    deadlines_remove(&l->deadlines, in);
    if (in->prev)
        in->prev->next = in->next;
    else
        l->requests = in->next;
    if (in->next)
        in->next->prev = in->prev;
    if (in->client)
        client_idle(in->client, clock_mono_us());
}

void loop_deadline(struct request_internal *in, int64_t mono_us)
{
    struct loop *l = in->rq.loop;

    if (mono_us && in->heap_at && in->deadline_us <= mono_us)
        return; /* a call too early costs less than moving it at every event */
    if (mono_us)
        deadlines_set(&l->deadlines, in, mono_us);
    else
        deadlines_remove(&l->deadlines, in);
}

/* A suspended connection is blind (stack.md A3): libmicrohttpd takes it out of its epoll set. Ours sees the client leave. */
void loop_suspend(struct request_internal *in)
{
    MHD_suspend_connection(in->connection);
    in->suspended = true;
    metric_add(M_HTTP_PARKED, 1);
    if (in->watch && !in->gone && in->client)
        loop_watch(in, EPOLLRDHUP);
}

bool loop_watch(struct request_internal *in, unsigned events)
{
    struct epoll_event ev = { .events = events | EPOLLONESHOT, .data.ptr = in };

    in->watched = epoll_ctl(in->rq.loop->epoll_fd, in->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, in->client->fd, &ev) == 0;
    return in->watched;
}

bool loop_plain(const struct loop *l)
{
    return l->plain;
}

/* Suspending and resuming costs more than all the rest of a publish. A request whose answer is due in a moment hovers instead: it
 * stays on libmicrohttpd's list of those to call again, and the loop sleeps all the same. */
void loop_park(struct request_internal *in)
{
    if (!in->hovers || !request_working(&in->rq) || in->hovered == HOVER_TURNS) {
        loop_suspend(in);
        return;
    }
    in->hovered++;
    in->rq.loop->hovering++;
}

void loop_unfinished(struct loop *l)
{
    l->unfinished = true;
}

/* While a job runs the request is its worker's: it resumes when the job is done, which wakes again. */
void park_resume(struct loop *l, struct request_internal *in)
{
    if (!in->suspended || atomic_load(&in->working) || (in->direct && direct_pump(in)))
        return;
    in->direct = false;
    if (in->watched)
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, in->client->fd, NULL);
    in->watched = false;
    in->suspended = false;
    metric_add(M_HTTP_PARKED, -1);
    MHD_resume_connection(in->connection);
}

bool loop_orphan(struct loop *l, struct request_internal *in)
{
    pthread_mutex_lock(&l->lock);
    in->orphan = atomic_load(&in->working);
    pthread_mutex_unlock(&l->lock);
    if (in->orphan && in->client) {
        client_idle(in->client, clock_mono_us());
        in->client = NULL;
    }
    return in->orphan;
}

static struct request_internal *next_ready(struct loop *l)
{
    struct request_internal *in;

    pthread_mutex_lock(&l->lock);
    if ((in = l->ready_head))
        unready(l, in);
    pthread_mutex_unlock(&l->lock);
    return in;
}

/* As many as there are now: who is woken again meanwhile must not keep the others waiting. A reader takes locks of its own, so none
 * is held. */
void park_resume_ready(struct loop *l)
{
    struct request_internal *in;
    size_t n;

    pthread_mutex_lock(&l->lock);
    n = l->ready_n;
    pthread_mutex_unlock(&l->lock);
    for (; n-- && (in = next_ready(l));) {
        if (!in->orphan)
            park_resume(l, in);
        else if (!atomic_load(&in->working))
            dispatch_end(in);
    }
}

void park_resume_due(struct loop *l, int64_t now_us)
{
    struct request_internal *in;

    while ((in = deadlines_due(&l->deadlines, now_us)))
        park_resume(l, in);
}

void park_client_left(struct loop *l, struct request_internal *in)
{
    in->gone = true;
    metric_add(M_HTTP_DISCONNECTS, 1);
    park_resume(l, in);
}
