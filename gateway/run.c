#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "db/settings.h"
#include "gateway/app.h"
#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/commands.h"
#include "gateway/dev/cluster.h"
#include "gateway/dev/secret.h"
#include "gateway/http/auth.h"
#include "gateway/notify.h"
#include "gateway/ready.h"

#define DEV_TOKEN_TTL_US (30 * 24 * 3600 * US_PER_S)
#define RETRY_S 2

/* A gateway while it runs, in the order in which it is started. */
struct run {
    struct config *config;
    bool dev, interrupted;    /* by a signal, before it was up */
    bool terminal;            /* started on one */
    sigset_t stop_signals;
    struct ready *ready;      /* NULL: not asked for */
    struct cluster *cluster;  /* NULL: weir serve */
    char *secret;             /* the development key; NULL: keys are configured */
    struct app *app;
    char *token;              /* NULL: no secret to sign it with, or nobody to tell it to */
    char url[80];
    int64_t began_us;         /* waiting for PostgreSQL is counted from here */
    bool waiting;             /* told so */
    char err[512];
};

static struct db_config database(const struct run *r)
{
    return (struct db_config){ r->config->database_url, "weir", r->config->database_connect_timeout_us,
                               r->config->database_statement_timeout_us, false };
}

static bool failed(struct run *r, const char *sentence)
{
    snprintf(r->err, sizeof r->err, "%s", sentence);
    return false;
}

/* When its terminal goes away, the kernel or the shell sends SIGHUP too: then nobody is left to press Ctrl-C. */
static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Every thread inherits the mask, so these signals wait for the main thread alone. */
static void hold_signals(struct run *r)
{
    sigemptyset(&r->stop_signals);
    sigaddset(&r->stop_signals, SIGINT);
    sigaddset(&r->stop_signals, SIGTERM);
    sigaddset(&r->stop_signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &r->stop_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    r->terminal = has_terminal();
}

static bool stop_signal_within(const struct run *r, time_t seconds)
{
    struct timespec t = { seconds, 0 };
    int sig = sigtimedwait(&r->stop_signals, NULL, &t);
    char reloading[64];

    if (sig != SIGHUP)
        return sig > 0;
    if (r->terminal && !has_terminal())
        return true;
    if (r->app) {
        snprintf(reloading, sizeof reloading, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
        notify_supervisor(reloading);
        app_reload(r->app);
        notify_supervisor("READY=1");
    }
    return false;
}

static void say_to_log(const char *line)
{
    log_line(LOG_INFO, line);
}

/* Tries again while PostgreSQL is away, comes up or hangs; any other failure is final. */
static bool patiently(struct run *r, enum err (*step)(struct run *r, struct fault *f))
{
    int64_t limit = r->config->database_startup_wait_us;

    for (;;) {
        struct fault f = { 0 };
        enum err e = step(r, &f);

        if (!e)
            return true;
        if (e != ERR_DATABASE_UNAVAILABLE || (limit && clock_mono_us() - r->began_us >= limit))
            return failed(r, f.detail[0] ? f.detail : "out of memory at start");
        if (!r->waiting) {
            log_line(LOG_INFO, "waiting for PostgreSQL");
            notify_supervisor("STATUS=waiting for PostgreSQL");
        }
        r->waiting = true;
        if ((r->interrupted = stop_signal_within(r, RETRY_S)))
            return failed(r, "interrupted while waiting for PostgreSQL");
    }
}

static enum err migrate(struct run *r, struct fault *f)
{
    const struct db_config db = database(r);

    return migrate_up(&db, say_to_log, f);
}

static bool has_keys(const struct config *c)
{
    return c->auth_keys_file[0] || c->auth_hs256_secret[0] || c->auth_public_key[0] || c->auth_jwks_url[0] || c->auth_discovery;
}

static enum err make_dev_secret(struct run *r, struct fault *f)
{
    const struct db_config db = database(r);
    char *made = dev_secret_new();
    enum err e;

    if (!made)
        return fault(f, ERR_INTERNAL, "no random bytes for the development key");
    e = db_setting_keep(&db, DEV_SECRET_SETTING, made, &r->secret, f);
    free(made);
    if (!e && !dev_secret_save(cluster_dir_fd(r->cluster), r->secret))
        e = fault(f, ERR_INTERNAL, "cannot write the development key to the data directory");
    return e;
}

static enum err find_dev_secret(struct run *r, struct fault *f)
{
    const struct db_config db = database(r);
    enum err e;

    if (has_keys(r->config))
        return OK;
    if ((e = db_setting_get(&db, DEV_SECRET_SETTING, &r->secret, f)))
        return e;
    if (!r->secret)
        return fault(f, ERR_INTERNAL, "no key to check tokens with: set auth.keys_file, auth.jwks_url, auth.public_key or"
                     " auth.hs256_secret (a database of weir dev brings its own)");
    return OK;
}

static enum err start_app(struct run *r, struct fault *f)
{
    return app_start(r->config, slice_of(r->secret), &r->app, f);
}

static bool make_url_and_token(struct run *r)
{
    const char *address = r->config->http_address, *secret;
    bool v6 = strchr(address, ':');

    if (strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0)
        address = v6 ? "::1" : "127.0.0.1"; /* an address that can be called */
    snprintf(r->url, sizeof r->url, v6 ? "%s://[%s]:%d" : "%s://%s:%d", app_is_tls(r->app) ? "https" : "http", address,
             app_port(r->app));
    secret = r->config->auth_hs256_secret[0] ? r->config->auth_hs256_secret : r->secret;
    if (!secret || !(r->dev || r->ready))
        return true;
    r->token = auth_mint_hs256(slice_of(secret), "admin:*", "weir", clock_unix_us(), DEV_TOKEN_TTL_US);
    return r->token || failed(r, "the token could not be made");
}

static void put_member(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\"%s\":", name);
    if (value)
        buf_json_string(b, slice_of(value));
    else
        BUF_LIT(b, "null");
}

static bool announce(struct run *r)
{
    struct buf b = { 0 };
    bool ok;

    if (!r->ready)
        return true;
    buf_printf(&b, "{\"pid\":%d", (int)getpid());
    put_member(&b, "url", r->url);
    put_member(&b, "token", r->token);
    put_member(&b, "database_url", r->config->database_url);
    BUF_LIT(&b, "}\n");
    ok = !b.failed && ready_write(r->ready, (struct slice){ b.p, b.n });
    buf_free(&b);
    return ok || failed(r, "cannot write the ready file");
}

static void greet(const struct run *r)
{
    printf("Weir serves at %s. Ctrl-C stops it; what was published stays in %s.\n\n", r->url, r->config->data_dir);
    printf("  token  %s\n", r->token);
    printf("  ui     %s/ui\n", r->url);
    printf("  docs   %s/docs\n", r->url);
    printf("  psql   psql '%s'\n\n", r->config->database_url);
    printf("The token may do everything for 30 days. One that may do less: weir token --scope 'publish:orders.*'\n");
    fflush(stdout);
}

static void serve_until_stopped(struct run *r)
{
    sigset_t interrupt;

    notify_supervisor("READY=1\nSTATUS=serving");
    while (!stop_signal_within(r, 1))
        if (r->cluster)
            cluster_restart_if_dead(r->cluster);
    log_line(LOG_INFO, "stopping; Ctrl-C ends at once");
    notify_supervisor("STOPPING=1\nSTATUS=answering what is still open");
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL); /* supervisors may repeat SIGTERM: the drain goes on */
}

/* Sees to it that a busy port is told before a cluster is made for nothing. */
static bool port_is_free(struct run *r)
{
    const struct config *c = r->config;
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)c->http_port) };
    int fd, one = 1, busy;

    if (c->http_port == 0 || inet_pton(AF_INET, c->http_address, &v4.sin_addr) != 1)
        return true; /* IPv6 is left to the server, which tells the same later */
    if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
        return true;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    busy = bind(fd, (struct sockaddr *)&v4, sizeof v4) < 0 ? errno : 0;
    close(fd);
    if (!busy)
        return true;
    snprintf(r->err, sizeof r->err, "cannot listen on %s:%d: %s%s", c->http_address, (int)c->http_port, strerror(busy),
             config_is_set(c, "http.port") ? "" : " (--port 0 takes any free port)");
    return false;
}

static bool start_cluster(struct run *r)
{
    struct config *c = r->config;

    config_set_default(c, "streams.auto_create", "true");
    if (!port_is_free(r) || !(r->cluster = cluster_start(c->data_dir, c->postgres_bin, r->err)))
        return false;
    c->database_url = cluster_url(r->cluster);
    return true;
}

static bool start_on_database(struct run *r, enum err (*secret)(struct run *r, struct fault *f))
{
    r->began_us = clock_mono_us();
    return patiently(r, migrate) && patiently(r, secret) && patiently(r, start_app) && make_url_and_token(r) && announce(r);
}

static bool start(struct run *r)
{
    if (r->config->ready_file[0] && !(r->ready = ready_new(r->config->ready_file, r->err)))
        return false;
    if (r->dev)
        return start_cluster(r) && start_on_database(r, make_dev_secret);
    if (!r->config->database_url[0])
        return failed(r, "no database: set WEIR_DATABASE_URL to a libpq URL (or use weir dev, which brings its own)");
    return start_on_database(r, find_dev_secret);
}

static int run(struct run *r)
{
    bool ok;

    hold_signals(r);
    if ((ok = start(r))) {
        if (r->dev)
            greet(r);
        else
            log_info("serving", L_STR("url", r->url));
        serve_until_stopped(r);
    }
    r->interrupted |= !ok && stop_signal_within(r, 0);
    app_stop(r->app);
    cluster_stop(r->cluster);
    ready_free(r->ready);
    free(r->secret);
    free(r->token);
    if (!ok)
        complain(r->err);
    return ok || r->interrupted ? 0 : 1;
}

int command_serve(struct call *call)
{
    return run(&(struct run){ .config = &call->config });
}

int command_dev(struct call *call)
{
    return run(&(struct run){ .config = &call->config, .dev = true });
}
