#ifndef WEIR_DB_CONN_H
#define WEIR_DB_CONN_H

#include "db/db.h"

/* What the files of db/ share among themselves. Everything that waits does so with its own deadline on the monotonic
 * clock: libpq's blocking calls know none. */

struct queued {
    const struct stmt *s;
    const struct arg *args;
};

/* A statement that this connection may carry out. */
struct listed {
    const struct stmt *s;
    enum { STMT_UNKNOWN, STMT_WANTED, STMT_PREPARED } state; /* on the connection of now */
};

struct db {
    const struct db_config *config;
    struct listed *listed; /* by address */
    size_t listed_count, wanted;
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

/* stmt.c. A statement is prepared on a connection when it is first wanted there: to prepare all takes the server longer than
 * everything else about a connection. */
enum err stmt_session(PGconn *conn, const struct db_config *c, int64_t deadline, struct fault *f); /* how every session is set up */
struct listed *stmt_list(const struct stmt *const *stmts, size_t n);
bool stmt_want(struct db *db, const struct stmt *s); /* false: it is not listed */
/* Prepares those that are wanted and not yet there, in one round trip, and compares them with the server. If one of them has
 * drifted nothing was carried out; after any failure the connection is closed, with what was open on it. */
enum err stmt_prepare(struct db *db, int64_t deadline, struct fault *f);
void stmt_forget_all(struct db *db);          /* they were the ones of a connection that is gone */
int stmt_arg_count(const struct stmt *s);
bool stmt_reads(const struct stmt *s);        /* begins with SELECT: taken to change nothing */

/* sqlstate.c */
enum err pg_error(const PGresult *res, const char *statement, bool *ret_drop, struct fault *f);
bool pg_error_is(const PGresult *res, const char *prefix); /* by SQLSTATE; "" any that the server gave */
enum err pg_gone(enum pg_wait w, struct fault *f);

/* listen.c: how long a connection may be silent before it must prove alive (30 s by itself) */
void listen_set_silence(struct listen *l, int64_t us);

#endif
