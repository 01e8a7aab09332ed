#include "gateway/http/loop_parts.h"

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
#include "gateway/http/addresses.h"
#include "gateway/http/tls.h"

#define EVENTS 64
#define QUIET_US (300 * INT64_C(1000))        /* a keep-alive connection is closed after so long without a byte */
#define DRAIN_TICK_US (50 * INT64_C(1000))
#define ACCEPT_TURNS 1000                     /* bounds taking in what waits in the backlog when draining begins */
#define CLIENT_DISCIPLINE 1                   /* as strict as RFC 9112 allows a server to be */
#define HOVER_MS 1                            /* the longest sleep while requests hover */

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
        } else if (events[i].data.ptr != l && !handshake_resume(&l->clients.handshakes, l->epoll_fd, events[i].data.ptr)) {
            if (events[i].events & ~(unsigned)EPOLLOUT)
                park_client_left(l, events[i].data.ptr);
            else
                park_resume(l, events[i].data.ptr);
        }
    }
}

static void wake_all(struct loop *l)
{
    for (struct request_internal *in = l->requests; in; in = in->next)
        park_resume(l, in);
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
        park_resume_ready(l);
        park_resume_due(l, now_us);
        l->hovering = 0;
        l->unfinished = false;
        if (atomic_exchange(&l->wake, false))
            wake_all(l);
        do
            MHD_run(l->daemon);
        while (clients_slot_freed(&l->clients));
        handshakes_suspend(&l->clients.handshakes, l->epoll_fd);
        if (!l->draining && atomic_load(&l->drain)) {
            begin_drain(l, now_us);
            l->tick_us = now_us;
        }
        if (now_us >= l->tick_us)
            tick(l, now_us);
    }
    return NULL;
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
    static struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    const struct config *c = l->server->c.config;
    struct tls *tls = l->server->tls;

    l->clients.most = (size_t)((c->http_connections + l->server->loop_count - 1) / l->server->loop_count);
    l->clients.addresses = l->server->addresses;
    l->clients.tls = tls;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0u), 0, clients_on_accept, &l->clients,
        dispatch_access, l, MHD_OPTION_ARRAY, tls ? tls_options(tls) : none,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, l->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)l->clients.most, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)c->http_connection_memory,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((c->http_idle_timeout_us + US_PER_S - 1) / US_PER_S), MHD_OPTION_NOTIFY_COMPLETED,
        dispatch_completed, l, MHD_OPTION_NOTIFY_CONNECTION, clients_on_connection, &l->clients, MHD_OPTION_URI_LOG_CALLBACK,
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
    info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_FLAGS);
    l->plain = info && !(info->flags & MHD_USE_TLS);
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
    loop_poke(l);
}

void loop_wake_all(struct loop *l)
{
    atomic_store(&l->wake, true);
    loop_poke(l);
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
    addresses_leave(l->clients.addresses, l->clients.admitted);
    deadlines_free(&l->deadlines);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
