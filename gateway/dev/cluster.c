#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/dev/cluster_private.h"

#define POLL_MS 5
#define SLOW_START_US (3 * US_PER_S)
#define RETRY_MAX_US (30 * US_PER_S)

const char *cluster_url(const struct cluster *c)
{
    return c->url;
}

int cluster_dir_fd(const struct cluster *c)
{
    return c->data_fd;
}

bool cluster_alive(const struct cluster *c)
{
    siginfo_t info = { 0 };

    return c->pid > 0 && waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

static bool accepts_connections(const struct cluster *c)
{
    PGconn *conn = PQconnectdb(c->url);
    bool ok = PQstatus(conn) == CONNECTION_OK;

    PQfinish(conn);
    return ok;
}

/* There is no deadline while it lives: recovery after a crash takes as long as there is log to replay. */
static bool wait_until_ready(struct cluster *c, int64_t log_from, char err[512])
{
    int64_t began = clock_mono_us();
    bool told = false;
    char why[320];

    for (;;) {
        if (pg_ready(c) && accepts_connections(c))
            return true;
        if (!cluster_alive(c)) {
            waitpid(c->pid, NULL, 0);
            c->pid = 0;
            pg_log_quote(c, log_from, why, sizeof why);
            snprintf(err, 512, "PostgreSQL did not start: %s (its log: %.100s/" PG_LOG ")", why, c->dir);
            return false;
        }
        if (stop_requested()) {
            snprintf(err, 512, "interrupted");
            return false;
        }
        if (!told && clock_mono_us() - began > SLOW_START_US) {
            log_line(LOG_INFO, "PostgreSQL is still starting (recovering what a crash left takes a while)");
            told = true;
        }
        sleep_ms(POLL_MS);
    }
}

static bool run_postgres(struct cluster *c, char err[512])
{
    char postgres[PATH_MAX + 16], path[PATH_MAX];
    int64_t log_from = pg_log_size(c);

    snprintf(postgres, sizeof postgres, "%s/postgres", c->bin);
    data_dir_path(c, "pg", path);
    c->pid = pg_spawn(c, (const char *[]){ postgres, "-D", path, "-k", c->socket_dir, "-p", PG_PORT, "-c",
                                           "listen_addresses=", "-c", "unix_socket_permissions=0700", NULL }, SIGINT);
    if (c->pid < 0) {
        snprintf(err, 512, "cannot start PostgreSQL: %s", strerror(errno));
        return false;
    }
    return wait_until_ready(c, log_from, err);
}

/* *ret is the major version of the data in pg/, 0 if there is none. */
static bool existing_version(const struct cluster *c, int *ret, char err[512])
{
    char text[16];

    *ret = 0;
    if (file_read_at(c->data_fd, "pg/PG_VERSION", text, sizeof text) && (*ret = pg_major_parse(text)) > 0)
        return true;
    if (unlinkat(c->data_fd, "pg", AT_REMOVEDIR) == 0 || errno == ENOENT)
        return true;
    snprintf(err, 512, "%.300s/pg is not empty and no PostgreSQL cluster: move it away, or choose another --data-dir",
             c->dir);
    return false;
}

static bool prepare(struct cluster *c, const char *postgres_bin, char err[512])
{
    int major;

    if (!existing_version(c, &major, err) || !pg_bin_find(postgres_bin, major, c->bin, err))
        return false;
    c->log_fd = openat(c->data_fd, PG_LOG, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->log_fd < 0) {
        snprintf(err, 512, "cannot write %.300s/" PG_LOG ": %s", c->dir, strerror(errno));
        return false;
    }
    pg_log_rotate(c);
    if (!data_dir_choose_socket(c, err) || (!major && !pg_create(c, err)))
        return false;
    if (!(c->url = pg_url(c->user, c->socket_dir))) {
        snprintf(err, 512, "out of memory");
        return false;
    }
    return true;
}

struct cluster *cluster_start(const char *data_dir, const char *postgres_bin, char err[512])
{
    struct cluster *c = calloc(1, sizeof *c);

    if (!c) {
        snprintf(err, 512, "out of memory");
        return NULL;
    }
    c->data_fd = c->lock_fd = c->log_fd = -1;
    if (data_dir_open(c, data_dir, err) && data_dir_become_owner(c, err) && data_dir_lock(c, err)
        && prepare(c, postgres_bin, err) && pg_take_over(c, err) && run_postgres(c, err))
        return c;
    cluster_stop(c);
    return NULL;
}

bool cluster_restart_if_dead(struct cluster *c)
{
    char err[512];
    int64_t now = clock_mono_us();

    pg_log_rotate(c);
    if (cluster_alive(c) || now < c->retry_at)
        return false;
    log_line(LOG_WARN, "PostgreSQL has died; starting it again");
    if (c->pid > 0)
        waitpid(c->pid, NULL, 0);
    c->pid = 0;
    if (pg_take_over(c, err) && run_postgres(c, err)) {
        c->retry_at = c->retry_delay = 0;
        log_info("PostgreSQL is back", L_INT("ms", (clock_mono_us() - now) / 1000));
        return true;
    }
    c->retry_delay = c->retry_delay ? c->retry_delay * 2 : US_PER_S;
    if (c->retry_delay > RETRY_MAX_US)
        c->retry_delay = RETRY_MAX_US;
    c->retry_at = clock_mono_us() + c->retry_delay;
    log_error("PostgreSQL cannot be started", L_STR("reason", err), L_INT("retry_in_s", c->retry_delay / US_PER_S));
    return true;
}

void cluster_stop(struct cluster *c)
{
    if (!c)
        return;
    if (c->pid > 0 && !pg_end(c->pid))
        log_line(LOG_WARN, "PostgreSQL did not stop in time; it will recover at its next start");
    if (c->socket_temporary && c->socket_dir[0]) {
        rmdir(c->socket_dir);
        unlinkat(c->data_fd, PG_SOCKET_DIR_FILE, 0);
    }
    for (size_t i = 0; i < 3; i++) {
        int fd = (const int[]){ c->log_fd, c->lock_fd, c->data_fd }[i];
        if (fd >= 0)
            close(fd);
    }
    free(c->url);
    free(c);
}
