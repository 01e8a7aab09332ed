#include "db/conn.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

/* A TLS record may be read in part by libpq and then lie where poll does not see it: look again this often. */
#define TLS_LOOK_US INT64_C(5000)
#define OLDEST_SERVER 150000

static int wait_for(PGconn *conn, short events, int64_t us)
{
    struct pollfd fd = { .fd = PQsocket(conn), .events = events };
    struct timespec ts;
    int n;

    if (fd.fd < 0)
        return POLLHUP;
    us = us < 0 ? 0 : us;
    ts = (struct timespec){ us / US_PER_S, us % US_PER_S * 1000 };
    n = ppoll(&fd, 1, &ts, NULL);
    return n > 0 ? fd.revents : 0;
}

static void log_notice(void *unused, const char *message)
{
    (void)unused;
    log_debug("notice from PostgreSQL", L_STR("message", message));
}

PGconn *pg_start(const struct db_config *c)
{
    char unacked_ms[24]; /* half of the whole deadline, so that the second host of a list gets its turn */
    const char *const names[] = { "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
                                  "dbname", "application_name", "client_encoding", NULL };
    const char *const values[] = { "15", "5", "3", unacked_ms, c->url, c->application_name, "UTF8", NULL };
    PGconn *conn;

    snprintf(unacked_ms, sizeof unacked_ms, "%" PRId64, c->connect_timeout_us / 2000 + 1);
    conn = PQconnectStartParams(names, values, 1);
    if (conn)
        PQsetNoticeProcessor(conn, log_notice, NULL);
    return conn;
}

/* libpq quotes pieces of a malformed URL, which may be pieces of the password. */
static bool may_be_logged(const struct db_config *c, const char *message)
{
    PQconninfoOption *options = PQconninfoParse(c->url, NULL);

    PQconninfoFree(options);
    return options && !strchr(message, '@') &&
           (strncmp(message, "connection to ", 14) == 0 || strncmp(message, "could not translate ", 20) == 0);
}

void pg_log_refusal(const struct db_config *c, PGconn *conn)
{
    const char *message = PQerrorMessage(conn);

    if (PQstatus(conn) != CONNECTION_BAD)
        message = "no answer in time";
    else if (!may_be_logged(c, message))
        message = "the database URL is malformed";
    log_warn("PostgreSQL could not be reached", L_STR("connection", c->application_name),
             L_SLICE("reason", ((struct slice){ message, strcspn(message, "\n") })));
}

static bool finish_connect(PGconn *conn, int64_t deadline)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    while (PQstatus(conn) != CONNECTION_BAD && step != PGRES_POLLING_OK && step != PGRES_POLLING_FAILED) {
        int64_t left = deadline - clock_mono_us();

        if (wait_for(conn, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, left))
            step = PQconnectPoll(conn);
        else if (left <= 0)
            return false;
    }
    return PQstatus(conn) == CONNECTION_OK;
}

void pg_opened(PGconn *conn)
{
    PQsetnonblocking(conn, 1);
    metric_add(M_DB_CONNECTIONS, 1);
}

enum err pg_open(const struct db_config *c, int64_t deadline, bool quiet, PGconn **ret, struct fault *f)
{
    PGconn *conn = pg_start(c);
    int version;

    if (!conn)
        return fault(f, ERR_NO_MEMORY, "Out of memory.");
    if (!finish_connect(conn, deadline)) {
        if (!quiet)
            pg_log_refusal(c, conn);
        PQfinish(conn);
        return fault(f, ERR_DATABASE_UNAVAILABLE, "PostgreSQL could not be reached.");
    }
    if ((version = PQserverVersion(conn)) < OLDEST_SERVER) {
        PQfinish(conn);
        return fault(f, ERR_INTERNAL, "PostgreSQL %d or newer is needed; the server is version %d.", OLDEST_SERVER / 10000,
                     version / 10000);
    }
    pg_opened(conn);
    *ret = conn;
    return OK;
}

void pg_close(PGconn *conn)
{
    if (conn)
        metric_add(M_DB_CONNECTIONS, -1);
    PQfinish(conn);
}

bool pg_alive(PGconn *conn)
{
    /* A last message of the server comes before the end of file: hence more than one look. */
    for (int i = 0; i < 8 && wait_for(conn, POLLIN, 0); i++)
        if (!PQconsumeInput(conn))
            return false;
    return PQstatus(conn) == CONNECTION_OK;
}

static enum pg_wait wait_and_read(PGconn *conn, short events, int64_t deadline)
{
    int64_t left = deadline - clock_mono_us();
    bool tls = PQsslInUse(conn);
    int got = wait_for(conn, events, tls && left > TLS_LOOK_US ? TLS_LOOK_US : left);

    if (!got && left <= 0)
        return PG_LATE;
    if ((tls || got & ~POLLOUT) && !PQconsumeInput(conn))
        return PG_LOST;
    return PG_READY;
}

enum pg_wait pg_drain(PGconn *conn, int64_t deadline)
{
    for (;;) {
        int unsent = PQflush(conn);
        enum pg_wait w;

        if (unsent <= 0)
            return unsent ? PG_LOST : PG_READY;
        if ((w = wait_and_read(conn, POLLIN | POLLOUT, deadline)))
            return w;
    }
}

enum pg_wait pg_result(PGconn *conn, int64_t deadline, PGresult **ret)
{
    while (PQisBusy(conn)) {
        int unsent = PQflush(conn);
        enum pg_wait w = unsent < 0 ? PG_LOST : wait_and_read(conn, unsent ? POLLIN | POLLOUT : POLLIN, deadline);

        if (w)
            return w;
    }
    *ret = PQgetResult(conn);
    return PG_READY;
}

struct db *db_new_with(const struct db_config *config, const struct stmt *const *stmts, size_t n)
{
    struct db *db = calloc(1, sizeof *db);

    if (!db || !(db->listed = stmt_list(stmts, n))) {
        free(db);
        return NULL;
    }
    db->config = config;
    db->listed_count = n;
    return db;
}

struct db *db_new(const struct db_config *config)
{
    return db_new_with(config, db_statements, db_statement_count);
}

void db_free(struct db *db)
{
    if (!db)
        return;
    db_disconnect(db);
    free(db->listed);
    free(db);
}

void *db_of_worker(void *config)
{
    return db_new(config);
}

void db_of_worker_free(void *db)
{
    db_free(db);
}

enum err db_connect(struct db *db, struct fault *f)
{
    const struct db_config *c = db->config;
    int64_t deadline = clock_mono_us() + c->connect_timeout_us;
    PGconn *conn;
    enum err e;

    if (db->conn)
        return OK;
    if ((e = pg_open(c, deadline, db->said_down, &conn, f))) {
        db->said_down = true;
        return e;
    }
    if ((e = stmt_session(conn, c, deadline, f))) {
        pg_close(conn);
        return e;
    }
    if (db->was_up)
        metric_add(M_DB_RECONNECTS, 1);
    if (db->said_down)
        log_info("PostgreSQL is reached again", L_STR("connection", c->application_name));
    stmt_forget_all(db);
    db->conn = conn;
    db->was_up = true;
    db->said_down = false;
    return OK;
}

enum err db_check(struct db *db, struct fault *f)
{
    enum err e = db_connect(db, f);

    if (e)
        return e;
    for (size_t i = 0; i < db->listed_count; i++)
        stmt_want(db, db->listed[i].s);
    return stmt_prepare(db, clock_mono_us() + db->config->connect_timeout_us, f);
}

void db_disconnect(struct db *db)
{
    pg_close(db->conn);
    db->conn = NULL;
}

bool db_connected(const struct db *db)
{
    return db->conn;
}

int db_backend_pid(const struct db *db)
{
    return db->conn ? PQbackendPID(db->conn) : 0;
}

PGconn *db_conn(struct db *db)
{
    return db->conn;
}
