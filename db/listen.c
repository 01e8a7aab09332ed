#include "db/conn.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

#define BACKOFF_MIN_US INT64_C(100000)
#define BACKOFF_MAX_US (5 * US_PER_S)
#define SILENCE_US (30 * US_PER_S)
/* Every gateway hears the probes of all: whatever begins so is hidden. */
#define PROBE "\x01probe "

struct listen {
    const struct db_config *config;
    char *channel;
    PGconn *conn;
    enum { DOWN, CONNECTING, SUBSCRIBING, UP } state;
    PostgresPollingStatusType step; /* CONNECTING */
    int64_t deadline;    /* CONNECTING, SUBSCRIBING: until done; UP: until a probe came back, 0: none is under way */
    int64_t retry_at, backoff_us; /* DOWN */
    int64_t heard_at, silence_us; /* UP */
    uint64_t probes;
    bool was_up, said_down;
};

struct listen *listen_new(const struct db_config *config, const char *channel)
{
    struct listen *l = calloc(1, sizeof *l);

    if (!l || !(l->channel = strdup(channel))) {
        free(l);
        return NULL;
    }
    l->config = config;
    l->backoff_us = BACKOFF_MIN_US;
    l->silence_us = SILENCE_US;
    return l;
}

void listen_set_silence(struct listen *l, int64_t us)
{
    l->silence_us = us;
}

static void close_conn(struct listen *l)
{
    if (l->state > CONNECTING)
        pg_close(l->conn);
    else
        PQfinish(l->conn);
    l->conn = NULL;
    l->state = DOWN;
}

void listen_free(struct listen *l)
{
    if (!l)
        return;
    close_conn(l);
    free(l->channel);
    free(l);
}

static void go_down(struct listen *l, int64_t now)
{
    if (l->conn && l->state == CONNECTING && !l->said_down)
        pg_log_refusal(l->config, l->conn);
    else if (l->state > CONNECTING)
        log_warn("notifications interrupted", L_STR("connection", l->config->application_name));
    l->said_down = true;
    close_conn(l);
    l->retry_at = now + l->backoff_us;
    l->backoff_us = l->backoff_us * 2 < BACKOFF_MAX_US ? l->backoff_us * 2 : BACKOFF_MAX_US;
}

static bool send_listen(struct listen *l)
{
    char *name = PQescapeIdentifier(l->conn, l->channel, strlen(l->channel)), sql[256];
    bool sent = name && (size_t)snprintf(sql, sizeof sql, "LISTEN %s", name) < sizeof sql && PQsendQuery(l->conn, sql);

    PQfreemem(name);
    return sent;
}

static bool send_probe(struct listen *l, int64_t now)
{
    char payload[64];
    const char *const values[] = { l->channel, payload };

    snprintf(payload, sizeof payload, PROBE "%d.%" PRIu64, PQbackendPID(l->conn), ++l->probes);
    l->deadline = now + l->config->statement_timeout_us;
    return PQsendQueryParams(l->conn, "select pg_notify($1, $2)", 2, NULL, values, NULL, NULL, 0);
}

static bool start(struct listen *l, int64_t now)
{
    l->conn = pg_start(l->config);
    l->state = CONNECTING;
    l->step = PGRES_POLLING_WRITING;
    l->deadline = now + l->config->connect_timeout_us;
    return l->conn && PQstatus(l->conn) != CONNECTION_BAD;
}

static bool go_on_connecting(struct listen *l)
{
    l->step = PQconnectPoll(l->conn);
    if (l->step != PGRES_POLLING_OK)
        return l->step != PGRES_POLLING_FAILED;
    pg_opened(l->conn);
    l->state = SUBSCRIBING;
    return send_listen(l);
}

static void come_up(struct listen *l, int64_t now)
{
    if (l->was_up)
        metric_add(M_DB_RECONNECTS, 1);
    if (l->said_down)
        log_info("notifications are heard again", L_STR("connection", l->config->application_name));
    l->state = UP;
    l->was_up = true;
    l->said_down = false;
    l->deadline = 0;
    l->heard_at = now;
    l->backoff_us = BACKOFF_MIN_US;
}

/* What came: answers to LISTEN and to probes. false: one of them is an error. */
static bool read_answers(struct listen *l, int64_t now)
{
    bool good = PQconsumeInput(l->conn) && PQflush(l->conn) >= 0;

    while (good && !PQisBusy(l->conn)) {
        PGresult *res = PQgetResult(l->conn);
        ExecStatusType status = PQresultStatus(res);

        if (!res)
            break;
        good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (good && l->state == SUBSCRIBING)
            come_up(l, now);
        PQclear(res);
    }
    return good;
}

/* Returns how many were handed on. */
static int hand_on(struct listen *l, int64_t now, void (*fn)(void *arg, struct slice payload), void *arg)
{
    int count = 0;

    for (PGnotify *n; (n = PQnotifies(l->conn)); PQfreemem(n)) {
        l->heard_at = now;
        l->deadline = 0;
        if (strncmp(n->extra, PROBE, sizeof PROBE - 1) == 0)
            continue;
        fn(arg, slice_of(n->extra));
        count++;
    }
    return count;
}

/* When something must happen without anything being read. */
static int64_t next_event(const struct listen *l)
{
    if (l->state == DOWN)
        return l->retry_at;
    return l->deadline ? l->deadline : l->heard_at + l->silence_us;
}

static bool on_time(struct listen *l, int64_t now)
{
    if (now < next_event(l))
        return true;
    if (l->state == DOWN)
        return start(l, now);
    return l->state == UP && !l->deadline && send_probe(l, now);
}

static bool on_input(struct listen *l, int64_t now)
{
    if (l->state == CONNECTING)
        return go_on_connecting(l);
    return read_answers(l, now);
}

/* true: the caller's eventfd woke us. *ret_io: the connection's socket is ready. */
static bool wait_both(struct listen *l, int wake_fd, int64_t until, int64_t now, bool *ret_io)
{
    bool write = l->state == CONNECTING ? l->step == PGRES_POLLING_WRITING : l->conn && PQflush(l->conn) > 0;
    struct pollfd fds[] = {
        { .fd = l->conn ? PQsocket(l->conn) : -1, .events = write ? POLLIN | POLLOUT : POLLIN },
        { .fd = wake_fd, .events = POLLIN },
    };
    int64_t us = until > now ? until - now : 0;
    struct timespec ts = { us / US_PER_S, us % US_PER_S * 1000 };
    int n = ppoll(fds, 2, &ts, NULL);

    *ret_io = n > 0 && fds[0].revents;
    return n > 0 && fds[1].revents;
}

bool listen_wait(struct listen *l, int64_t timeout_us, int wake_fd, void (*fn)(void *arg, struct slice payload), void *arg)
{
    int64_t now = clock_mono_us(), until = now + timeout_us;
    bool woken = false, was_up = l->state == UP;

    do {
        int64_t event = next_event(l);
        bool io, good;

        woken = wait_both(l, wake_fd, event < until ? event : until, now, &io);
        now = clock_mono_us();
        good = !io || on_input(l, now);
        if (l->state == UP && hand_on(l, now, fn, arg))
            woken = true;
        if (!(good && on_time(l, now)))
            go_down(l, now);
    } while (!woken && now < until && (l->state == UP) == was_up);
    return l->state == UP;
}
