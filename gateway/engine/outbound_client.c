#include "gateway/engine/outbound_client.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/thread.h"
#include "gateway/engine/outbound_wire.h"

#define STILL_US US_PER_S        /* a loop that comes round so much later than it asked for stood still */
#define ROUND_MS 500             /* while calls run it asks for this at most: else it could not tell that from a long wait */

enum { EVENTS_MAX = 256, IDLE_MAX = 256, CONNECTIONS_IDLE = 256 };

struct outbound_client {
    struct outbound_client_config config;
    pthread_t thread;
    int wake, epoll;               /* an eventfd; both of the thread */
    CURLM *multi;                  /* of the thread */
    int64_t timer_us;              /* monotonic: libcurl wants to be called then; 0: never */
    struct wire *busy, *idle;  /* of the thread */
    size_t idle_n;
    bool unwatched;                /* the epoll did not take a socket: until no call runs all are looked at in each round */
    bool stood_still;              /* since the round before: the machine, or this process */
    pthread_mutex_t lock;          /* guards all below */
    pthread_cond_t quiet;
    struct outbound_call *head, **tail;
    size_t running;                /* and waiting */
    bool stopping;
};

static void poke(struct outbound_client *c)
{
    uint64_t one = 1;

    while (write(c->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* libcurl says what to wait for. p: whether the socket is in the epoll already. An error here would end all calls that run. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *p)
{
    struct outbound_client *c = arg;
    uint32_t in = what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0, out = what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0;
    struct epoll_event e = { .events = in | out, .data.fd = fd };

    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (epoll_ctl(c->epoll, p ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e))
        c->unwatched = true;
    else if (!p)
        curl_multi_assign(c->multi, fd, c);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct outbound_client *c = arg;

    (void)multi;
    c->timer_us = ms < 0 ? 0 : clock_mono_us() + ms * 1000;
    return 0;
}

static void link_in(struct wire **list, struct wire *f)
{
    f->next = *list;
    f->at = list;
    if (*list)
        (*list)->at = &f->next;
    *list = f;
}

static void link_out(struct wire *f)
{
    *f->at = f->next;
    if (f->next)
        f->next->at = f->at;
}

static struct wire *take_idle(struct outbound_client *c)
{
    struct wire *f = c->idle;

    if (!f)
        return wire_new(&c->config);
    link_out(f);
    c->idle_n--;
    return f;
}

static void rest(struct outbound_client *c, struct wire *f)
{
    if (c->idle_n == IDLE_MAX) {
        wire_free(f);
        return;
    }
    link_in(&c->idle, f);
    c->idle_n++;
}

static void one_less(struct outbound_client *c)
{
    metric_add(M_OUTBOUND_RUNNING, -1);
    pthread_mutex_lock(&c->lock);
    if (!--c->running)
        pthread_cond_broadcast(&c->quiet);
    pthread_mutex_unlock(&c->lock);
}

static void finish(struct outbound_client *c, struct wire *f, enum outbound_end end, CURLcode code)
{
    wire_end(f, end, code, c->stood_still);
    rest(c, f);
    one_less(c);
}

/* Without memory for it a call ends as if no connection could be made: it is tried again. */
static void fail(struct outbound_client *c, struct outbound_call *call)
{
    struct outbound_answer a = { .class = OUTBOUND_AGAIN, .retry_after_us = -1, .begun_us = clock_unix_us(),
                                 .error = SLICE("{\"type\":\"memory\",\"message\":\"The gateway is out of memory.\"}") };

    a.ended_us = a.begun_us;
    c->config.ended(c->config.arg, call->slot, BREAKER_VOID, &a);
    call->done(call, &a);
    one_less(c);
}

static void begin(struct outbound_client *c, struct outbound_call *call)
{
    struct wire *f = take_idle(c);
    enum outbound_end end;

    if (!f) {
        fail(c, call);
        return;
    }
    end = wire_begin(f, call);
    if (end == OUTBOUND_WHOLE && curl_multi_add_handle(c->multi, f->curl) != CURLM_OK)
        end = OUTBOUND_SHORT;
    if (end == OUTBOUND_WHOLE)
        link_in(&c->busy, f);
    else
        finish(c, f, end, CURLE_OK);
}

/* What was sent since. False: stop. */
static bool take_calls(struct outbound_client *c)
{
    struct outbound_call *call;
    uint64_t n;
    bool go;

    while (read(c->wake, &n, sizeof n) < 0 && errno == EINTR)
        continue;
    pthread_mutex_lock(&c->lock);
    call = c->head;
    c->head = NULL;
    c->tail = &c->head;
    go = !c->stopping;
    pthread_mutex_unlock(&c->lock);
    while (call) {
        struct outbound_call *next = call->next; /* done may free it */

        begin(c, call);
        call = next;
    }
    return go;
}

static void take_ends(struct outbound_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct wire *f = NULL;
        CURLcode code = m->data.result;

        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&f) || !f)
            continue;
        curl_multi_remove_handle(c->multi, f->curl);
        link_out(f);
        finish(c, f, OUTBOUND_WHOLE, code);
    }
}

static int wait_ms(const struct outbound_client *c)
{
    int64_t us = c->timer_us - clock_mono_us();
    int most = c->busy ? ROUND_MS : 60000;

    return !c->timer_us ? (c->busy ? most : -1) : us <= 0 ? 0 : us > most * INT64_C(1000) ? most : (int)((us + 999) / 1000);
}

static int events_of(uint32_t e)
{
    return (e & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) | (e & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
           (e & EPOLLERR ? CURL_CSELECT_ERR : 0);
}

static void *run(void *arg)
{
    struct outbound_client *c = arg;
    struct epoll_event v[EVENTS_MAX];
    int64_t round_us = clock_mono_us();
    bool go = true;
    int running;

    while (go) {
        int ms = wait_ms(c), n = epoll_wait(c->epoll, v, EVENTS_MAX, ms);
        int64_t now_us = clock_mono_us();

        c->stood_still = ms >= 0 && now_us - round_us > ms * INT64_C(1000) + STILL_US;
        round_us = now_us;
        for (int i = 0; i < n; i++) {
            if (v[i].data.fd == c->wake)
                go = take_calls(c);
            else
                curl_multi_socket_action(c->multi, v[i].data.fd, events_of(v[i].events), &running);
        }
        if (c->timer_us && c->timer_us <= clock_mono_us()) {
            c->timer_us = 0;
            curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        c->unwatched = c->unwatched && c->busy;
        if (c->unwatched)
            curl_multi_perform(c->multi, &running);
        take_ends(c);
    }
    while (c->busy) {
        struct wire *f = c->busy;

        curl_multi_remove_handle(c->multi, f->curl);
        link_out(f);
        finish(c, f, OUTBOUND_ABORTED, CURLE_OK);
    }
    return NULL;
}

static void free_client(struct outbound_client *c)
{
    struct wire *f;

    while ((f = c->idle)) {
        link_out(f);
        wire_free(f);
    }
    curl_multi_cleanup(c->multi);
    if (c->wake >= 0)
        close(c->wake);
    if (c->epoll >= 0)
        close(c->epoll);
    pthread_cond_destroy(&c->quiet);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static bool set_up(struct outbound_client *c)
{
    struct epoll_event e = { .events = EPOLLIN };

    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    e.data.fd = c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->epoll < 0 || c->wake < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->wake, &e) || !(c->multi = curl_multi_init()))
        return false;
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_IDLE);
    return thread_start(&c->thread, "weir-outbound", run, c);
}

struct outbound_client *outbound_client_start(const struct outbound_client_config *config, char err[512])
{
    struct outbound_client *c = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? calloc(1, sizeof *c) : NULL;

    if (!c) {
        err_tell(err, "Memory is out.");
        return NULL;
    }
    c->config = *config;
    c->tail = &c->head;
    c->epoll = c->wake = -1;
    pthread_mutex_init(&c->lock, NULL);
    cond_init(&c->quiet);
    if (set_up(c))
        return c;
    err_tell(err, "The thread for outbound calls cannot be started: %s.", strerror(errno));
    free_client(c);
    return NULL;
}

void outbound_client_send(struct outbound_client *c, struct outbound_call *call)
{
    bool first;

    metric_add(M_OUTBOUND_RUNNING, 1);
    call->next = NULL;
    pthread_mutex_lock(&c->lock);
    first = !c->head;
    *c->tail = call;
    c->tail = &call->next;
    c->running++;
    pthread_mutex_unlock(&c->lock);
    if (first)
        poke(c);
}

bool outbound_client_drain(struct outbound_client *c, int64_t mono_us)
{
    bool quiet, in_time = true;

    pthread_mutex_lock(&c->lock);
    while (c->running && in_time)
        in_time = cond_wait_until(&c->quiet, &c->lock, mono_us);
    quiet = !c->running;
    pthread_mutex_unlock(&c->lock);
    return quiet;
}

void outbound_client_stop(struct outbound_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_mutex_unlock(&c->lock);
    poke(c);
    pthread_join(c->thread, NULL);
    free_client(c);
}
