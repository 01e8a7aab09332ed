#ifndef WEIR_DB_CONN_H
#define WEIR_DB_CONN_H

#include "db/db.h"

/* What the files of db/ share among themselves. Everything that waits does so with its own deadline on the monotonic
 * clock: libpq's blocking calls know none. */

struct queued {
    const struct stmt *s;
    const struct arg *args;
};

struct db {
    const struct db_config *config;
    const struct stmt *const *stmts;
    size_t stmt_count;
    PGconn *conn;        /* NULL: not connected; else nonblocking and in pipeline mode */
    bool was_up;         /* connected before: the next connect is a reconnect */
    bool said_down;      /* the failure to connect is logged once, until it succeeds */
    struct queued queue[DB_QUEUE_MAX];
    size_t queued;       /* may exceed DB_QUEUE_MAX: then the flush refuses */
};

/* Statements take no more parameters than this. */
#define STMT_ARGS_MAX 64

enum pg_wait { PG_READY, PG_LATE, PG_LOST };

/* conn.c */
PGconn *pg_start(const struct db_config *c);  /* a connect under way for PQconnectPoll; NULL: no memory */
enum err pg_open(const struct db_config *c, int64_t deadline, bool quiet, PGconn **ret, struct fault *f);
void pg_opened(PGconn *conn);                 /* nonblocking, counted */
void pg_close(PGconn *conn);                  /* of what pg_open or pg_opened gave; NULL-safe */
void pg_log_refusal(const struct db_config *c, PGconn *conn); /* why a connect failed, without secrets */
bool pg_alive(PGconn *conn);                  /* no end of file waits to be read */
enum pg_wait pg_drain(PGconn *conn, int64_t deadline); /* writes everything, reading meanwhile */
enum pg_wait pg_result(PGconn *conn, int64_t deadline, PGresult **ret); /* PQgetResult; *ret may be NULL */

/* stmt.c */
enum err stmt_prepare(PGconn *conn, const struct db_config *c, const struct stmt *const *stmts, size_t n, int64_t deadline,
                      struct fault *f);
int stmt_arg_count(const struct stmt *s);
bool stmt_reads(const struct stmt *s);        /* begins with SELECT: taken to change nothing */

/* sqlstate.c */
enum err pg_error(const PGresult *res, const char *statement, bool *ret_drop, struct fault *f);
bool pg_error_is(const PGresult *res, const char *prefix); /* by SQLSTATE; "" any that the server gave */
enum err pg_gone(enum pg_wait w, struct fault *f);

/* listen.c: how long a connection may be silent before it must prove alive (30 s by itself) */
void listen_set_silence(struct listen *l, int64_t us);

#endif
