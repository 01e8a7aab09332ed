#include "gateway/http/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"
#include "gateway/http/clients.h"
#include "gateway/http/deadlines.h"
#include "gateway/http/internal.h"

#define EVENTS 64
#define QUIET_US (300 * INT64_C(1000))        /* a keep-alive connection is closed after so long without a byte */
#define DRAIN_TICK_US (50 * INT64_C(1000))
#define ACCEPT_TURNS 1000                     /* bounds taking in what waits in the backlog when draining begins */
#define CLIENT_DISCIPLINE 1                   /* as strict as RFC 9112 allows a server to be */
#define HOVER_TURNS 16                        /* of the loop that a request waits without being suspended */
#define HOVER_MS 1                            /* the longest sleep while requests hover */

struct loop {
    struct server *server;
    struct MHD_Daemon *daemon;
    int listen_fd, event_fd, epoll_fd;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock;                     /* the ready list, with `ready` and `working` of its requests */
    struct request_internal *ready_head, *ready_tail;

    atomic_bool drain, wake;                  /* asked for by another thread; the rest: loop thread only */
    bool draining, cutting;
    int64_t cut_us;                           /* when draining ends by force */
    int64_t tick_us;                          /* the next look at the connections */
    struct request_internal *requests;
    struct clients clients;
    struct deadlines deadlines;
    size_t hovering;                          /* requests that said so in the last turn */
    bool unfinished;                          /* some connection may go on without waiting for anything */
    uint64_t unique;
};

struct server *loop_server(const struct loop *l)
{
    return l->server;
}

bool loop_draining(const struct loop *l)
{
    return l->draining;
}

bool loop_cutting(const struct loop *l)
{
    return l->cutting;
}

/* splitmix64 (Steele, Lea, Flood 2014) of a counter that begins at random: a bijection, so it never repeats. */
uint64_t loop_unique(struct loop *l)
{
    uint64_t z = l->unique += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void poke(struct loop *l)
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
        poke(l);
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

    if (mono_us)
        deadlines_set(&l->deadlines, in, mono_us);
    else
        deadlines_remove(&l->deadlines, in);
}

/* A suspended connection is blind (stack.md A3): libmicrohttpd takes it out of its epoll set. Ours sees the client leave. */
void loop_suspend(struct request_internal *in)
{
    struct loop *l = in->rq.loop;

    MHD_suspend_connection(in->connection);
    in->suspended = true;
    metric_add(M_HTTP_PARKED, 1);
    if (in->watch && !in->gone && in->client) {
        struct epoll_event ev = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = in };
        in->watched = epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, in->client->fd, &ev) == 0;
    }
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
static void resume(struct loop *l, struct request_internal *in)
{
    if (!in->suspended || atomic_load(&in->working))
        return;
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

static void resume_ready(struct loop *l)
{
    struct request_internal *ended = NULL;

    pthread_mutex_lock(&l->lock);
    while (l->ready_head) {
        struct request_internal *in = l->ready_head;
        unready(l, in);
        if (!in->orphan) {
            resume(l, in);
        } else if (!atomic_load(&in->working)) {
            in->ready_next = ended;
            ended = in;
        }
    }
    pthread_mutex_unlock(&l->lock);
    for (struct request_internal *next; ended; ended = next) {
        next = ended->ready_next;
        dispatch_end(ended);
    }
}

static void resume_due(struct loop *l, int64_t now_us)
{
    struct request_internal *in;

    while ((in = deadlines_due(&l->deadlines, now_us)))
        resume(l, in);
}

static void client_left(struct loop *l, struct request_internal *in)
{
    in->gone = true;
    metric_add(M_HTTP_DISCONNECTS, 1);
    resume(l, in);
}

static void wait_and_note(struct loop *l, int64_t now_us)
{
    struct epoll_event events[EVENTS];
    int64_t ms = MHD_get_timeout64s(l->daemon), until = deadlines_next(&l->deadlines);
    int n;

    if (ms == 0 && l->hovering && !l->unfinished)
        ms = HOVER_MS;
    if (l->tick_us < until)
        until = l->tick_us;
    if (until <= now_us)
        ms = 0;
    else if (ms < 0 || ms * 1000 > until - now_us)
        ms = (until - now_us + 999) / 1000;
    n = epoll_wait(l->epoll_fd, events, EVENTS, (int)ms);
    for (int i = 0; i < n; i++) {
        uint64_t count;
        if (events[i].data.ptr == &l->event_fd) {
            if (read(l->event_fd, &count, sizeof count) < 0)
                log_debug("eventfd", L_INT("errno", errno));
        } else if (events[i].data.ptr != l) {
            client_left(l, events[i].data.ptr);
        }
    }
}

static void wake_all(struct loop *l)
{
    for (struct request_internal *in = l->requests; in; in = in->next)
        resume(l, in);
}

static bool backlog_waits(const struct loop *l)
{
    struct pollfd p = { .fd = l->listen_fd, .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

static void begin_drain(struct loop *l, int64_t now_us)
{
    for (int i = 0; i < ACCEPT_TURNS && backlog_waits(l); i++)
        MHD_run(l->daemon);
    MHD_quiesce_daemon(l->daemon);
    close(l->listen_fd);
    l->listen_fd = -1;
    l->draining = true;
    l->cut_us = now_us + l->server->c.config->http_drain_timeout_us;
    for (struct client *c = l->clients.head; c; c = c->next) {
        if (!c->in)
            c->since_us = now_us;
    }
    wake_all(l);
}

static void tick(struct loop *l, int64_t now_us)
{
    int64_t timeout_us = l->server->c.config->http_request_timeout_us;

    clients_reap(&l->clients, now_us, timeout_us);
    l->tick_us = now_us + (timeout_us / 4 < US_PER_S ? timeout_us / 4 : US_PER_S);
    if (!l->draining)
        return;
    l->tick_us = now_us + DRAIN_TICK_US;
    clients_close_idle(&l->clients, now_us, QUIET_US);
    if (now_us < l->cut_us)
        return;
    l->cutting = true;
    clients_cut(&l->clients);
    wake_all(l);
}

static void *loop_run(void *arg)
{
    struct loop *l = arg;
    int64_t now_us = clock_mono_us();

    while (!l->draining || l->clients.n || l->requests) {
        wait_and_note(l, now_us);
        now_us = clock_mono_us();
        resume_ready(l);
        resume_due(l, now_us);
        l->hovering = 0;
        l->unfinished = false;
        if (atomic_exchange(&l->wake, false))
            wake_all(l);
        MHD_run(l->daemon);
        if (!l->draining && atomic_load(&l->drain)) {
            begin_drain(l, now_us);
            l->tick_us = now_us;
        }
        if (now_us >= l->tick_us)
            tick(l, now_us);
    }
    return NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct loop *l = cls;
    const union MHD_ConnectionInfo *info;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        clients_remove(&l->clients, *context);
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = info ? clients_add(&l->clients, info->connect_fd, clock_mono_us()) : NULL;
}

/* Paths are split raw and decoded segment by segment (router.c), so libmicrohttpd shall decode nothing. */
static size_t no_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void on_log(void *cls, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *fmt, va_list args)
{
    char text[300];

    (void)cls;
    if (!log_on(LOG_DEBUG))
        return;
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd", L_STR("text", text));
}

static struct MHD_Daemon *daemon_start(struct loop *l)
{
    const struct config *c = l->server->c.config;
    unsigned limit = (unsigned)((c->http_connections + l->server->loop_count - 1) / l->server->loop_count);

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, dispatch_access, l,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, l->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)c->http_connection_memory, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((c->http_idle_timeout_us + US_PER_S - 1) / US_PER_S), MHD_OPTION_NOTIFY_COMPLETED,
        dispatch_completed, l, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_URI_LOG_CALLBACK,
        dispatch_target, l, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL, MHD_OPTION_CLIENT_DISCIPLINE_LVL,
        CLIENT_DISCIPLINE, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

static bool watch_fd(struct loop *l, int fd, void *mark)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = mark };

    return fd >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static bool prepare(struct loop *l)
{
    const union MHD_DaemonInfo *info;

    if (!deadlines_init(&l->deadlines, (size_t)l->server->c.config->http_connections) ||
        getrandom(&l->unique, sizeof l->unique, 0) != sizeof l->unique)
        return false;
    l->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!(l->daemon = daemon_start(l)))
        return false;
    info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info && watch_fd(l, info->epoll_fd, l) && watch_fd(l, l->event_fd, &l->event_fd);
}

struct loop *loop_start(struct server *s, int index, int listen_fd, char err[512])
{
    struct loop *l = calloc(1, sizeof *l);
    char name[16];

    if (!l) {
        close(listen_fd);
        snprintf(err, 512, "out of memory");
        return NULL;
    }
    *l = (struct loop){ .server = s, .listen_fd = listen_fd, .event_fd = -1, .epoll_fd = -1,
                        .lock = PTHREAD_MUTEX_INITIALIZER };
    snprintf(name, sizeof name, "http-%d", index);
    if (prepare(l))
        l->running = thread_start(&l->thread, name, loop_run, l);
    if (!l->running) {
        snprintf(err, 512, "cannot start HTTP loop %d: %s", index, strerror(errno));
        loop_free(l);
        return NULL;
    }
    return l;
}

void loop_drain(struct loop *l)
{
    atomic_store(&l->drain, true);
    poke(l);
}

void loop_wake_all(struct loop *l)
{
    atomic_store(&l->wake, true);
    poke(l);
}

void loop_stop(struct loop *l)
{
    if (l->running)
        pthread_join(l->thread, NULL);
    if (l->daemon)
        MHD_stop_daemon(l->daemon);
    else if (l->listen_fd >= 0)
        close(l->listen_fd);
    l->running = false;
    l->daemon = NULL;
    l->listen_fd = -1;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    loop_stop(l);
    if (l->event_fd >= 0)
        close(l->event_fd);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    deadlines_free(&l->deadlines);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
