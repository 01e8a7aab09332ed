#ifndef WEIR_DB_DB_H
#define WEIR_DB_DB_H

#include <libpq-fe.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/err.h"

/* A statement: its text stands in db/sql/<feature>.sql, its declaration and only caller in db/<feature>.c. `args` and `rows`
 * are space-separated PostgreSQL type names ("int8 text int8[] bytea"), compared with the server when prepared: all of them at
 * the start of the program (db_check), and each again before a connection first carries it out. */
struct stmt {
    const char *name;
    const char *sql;
    const char *args;
    const char *rows;
};

/* One connection, which carries out the statements of a list. Used by one thread at a time. */
struct db;

struct db_config {
    const char *url;            /* libpq URL or conninfo */
    const char *application_name;
    int64_t connect_timeout_us; /* whole connect, our own deadline */
    int64_t statement_timeout_us; /* our own deadline for a round trip; then the connection is closed: the outcome is unknown */
    bool one_plan;              /* for any values, of each statement: for who says the same few ones all the time */
};

/* All statements of the program: db/statements.c lists them; another one is refused (ERR_INTERNAL). */
extern const struct stmt *const db_statements[];
extern const size_t db_statement_count;

struct db *db_new(const struct db_config *config);   /* connects lazily; config outlives db */
void db_free(struct db *db);
void *db_of_worker(void *config);                     /* the same for a thread of a pool (gateway/base/worker.h) */
void db_of_worker_free(void *db);
struct db *db_new_with(const struct db_config *config, const struct stmt *const *stmts, size_t n); /* other statements */
/* Connects if not connected. ERR_DATABASE_UNAVAILABLE with a sentence. */
enum err db_connect(struct db *db, struct fault *f);
/* Connects and prepares every statement of the list. ERR_INTERNAL: one has drifted from the database, or does not fit it. */
enum err db_check(struct db *db, struct fault *f);
void db_disconnect(struct db *db);
bool db_connected(const struct db *db);
int db_backend_pid(const struct db *db);
PGconn *db_conn(struct db *db);                       /* for listen.c, migrate.c and tests */

/* A parameter in binary. Arrays are built in an arena in PostgreSQL's array format. */
struct arg {
    const char *p;   /* NULL: SQL NULL */
    int n;
    char inline_[16];/* fixed-size values; p == NULL && n > 0 means inline_ holds n bytes */
};
struct arg arg_null(void);
struct arg arg_bool(bool v);
struct arg arg_int2(int16_t v);
struct arg arg_int4(int32_t v);
struct arg arg_int8(int64_t v);
struct arg arg_float8(double v);
struct arg arg_time(int64_t unix_us);                 /* timestamptz */
struct arg arg_text(struct slice s);                  /* p == NULL: NULL; also json, and jsonb via a ::text::jsonb cast in SQL */
struct arg arg_bytea(struct slice s);
struct arg arg_uuid(const uint8_t v[16]);
struct arg arg_interval_us(int64_t us);

/* Array builders: one pass, no copies of what is already there but into the array. n elements; an element with p == NULL is
 * NULL. `get` style: pass a base pointer and stride so that columns of an array of structs need no temporary. On lack of
 * memory p is NULL and n is -1 and the exec fails with ERR_NO_MEMORY. */
struct arg arg_int4_array(struct arena *a, const int32_t *v, size_t stride, size_t n);
struct arg arg_int2_array(struct arena *a, const int16_t *v, size_t stride, size_t n);
struct arg arg_int8_array(struct arena *a, const int64_t *v, size_t stride, size_t n);
struct arg arg_int8_array_nullif(struct arena *a, const int64_t *v, size_t stride, size_t n, int64_t null_value);
struct arg arg_time_array(struct arena *a, const int64_t *unix_us, size_t stride, size_t n);
struct arg arg_text_array(struct arena *a, const struct slice *v, size_t stride, size_t n);
struct arg arg_bytea_array(struct arena *a, const struct slice *v, size_t stride, size_t n);
struct arg arg_uuid_array(struct arena *a, const uint8_t (*v)[16], size_t stride, size_t n);
struct arg arg_uuid_array_nullable(struct arena *a, const struct slice *v, size_t stride, size_t n); /* of 16 bytes, or p == NULL */

/* Rows of a result, in binary. Accessors do not check types: the declaration was checked when prepared. */
struct rows {
    PGresult *res;
    int n;           /* rows */
    int64_t affected;/* of INSERT, UPDATE, DELETE */
};
void rows_free(struct rows *r);                       /* NULL-safe, leaves an empty set */
bool row_null(const struct rows *r, int row, int col);
bool row_bool(const struct rows *r, int row, int col);
int32_t row_int2(const struct rows *r, int row, int col);
int32_t row_int4(const struct rows *r, int row, int col);
int64_t row_int8(const struct rows *r, int row, int col);
double row_float8(const struct rows *r, int row, int col);
int64_t row_time(const struct rows *r, int row, int col);     /* unix us */
struct slice row_text(const struct rows *r, int row, int col);/* text, bytea, json; p == NULL for NULL; lives as long as r */
const uint8_t *row_uuid(const struct rows *r, int row, int col);
size_t row_int8_array(const struct rows *r, int row, int col, int64_t *ret, size_t max); /* how many there are; at most max are read */

/* One statement in its own transaction. ret may be NULL. Errors: ERR_DB_UNIQUE (the detail is the constraint's name),
 * ERR_DB_RETRY, ERR_DATABASE_FULL, ERR_DATABASE_UNAVAILABLE (nothing was recorded; db_connected is then false),
 * ERR_OUTCOME_UNKNOWN (the connection was lost when the commit was on its way; a statement that begins with SELECT counts
 * as one that records nothing), ERR_INTERNAL (anything else; logged with SQLSTATE). A connection that died while idle is
 * replaced by itself. */
enum err db_exec(struct db *db, const struct stmt *s, const struct arg *args, struct rows *ret, struct fault *f);

/* Pipelining: queue statements, then one round trip. BEGIN and COMMIT are statements too (DB_BEGIN, DB_COMMIT, DB_ROLLBACK).
 * db_queue copies nothing: args and what they point to must live until db_flush returns. db_flush fills ret[0..count) (count =
 * statements queued since the last flush; ret may be NULL) and returns the first error; results after it are empty. It reads
 * while it writes, so size is no deadlock. After an error inside BEGIN…COMMIT the transaction is rolled back by db_flush itself
 * before it returns. A flush may leave its transaction open for the next; should the connection be lost between the two, the
 * next one fails. */
#define DB_QUEUE_MAX 768
void db_queue(struct db *db, const struct stmt *s, const struct arg *args);
/* The same with n arguments that are copied to the arena, which must live until the flush; false: one of them, or the arena, is out of
 * memory, and nothing was queued. */
bool db_queue_kept(struct db *db, struct arena *a, const struct stmt *s, const struct arg *args, size_t n);
enum err db_flush(struct db *db, struct rows *ret, size_t count, struct fault *f);
/* The same; meanwhile(arg) is called, at most once, when all was sent and before the answers are read. It uses no connection. */
enum err db_flush_while(struct db *db, struct rows *ret, size_t count, void (*meanwhile)(void *arg), void *arg, struct fault *f);
void db_abandon(struct db *db);                       /* forgets what is queued, and the connection with its open transaction */
void db_rollback(struct db *db);                      /* ends the transaction that is open, if one is */
extern const struct stmt DB_BEGIN, DB_SNAPSHOT, DB_COMMIT, DB_ROLLBACK; /* SNAPSHOT: begins one that reads a single state */

/* LISTEN connections (listen.c): a connection without prepared statements that only listens. */
struct listen;
struct listen *listen_new(const struct db_config *config, const char *channel);
void listen_free(struct listen *l);
/* Waits up to timeout for notifications (reconnects by itself, with backoff): calls fn for each payload. Returns true if
 * the connection is up and has proved alive (it notifies itself when it was silent for 30 s). wake_fd (eventfd): return early
 * when readable (-1: none). Also returns early when the connection comes up or goes down: what was notified between was missed. */
bool listen_wait(struct listen *l, int64_t timeout_us, int wake_fd, void (*fn)(void *arg, struct slice payload), void *arg);

/* Migrations (migrate.c): embedded migrations/NNNN_name.sql, ordered, SHA-256 checksums, each in its transaction, under an
 * advisory lock, forward only. Refuses a database that is newer than the program or whose applied text differs. Prints one
 * line for each applied one through `say` (may be NULL). */
enum err migrate_up(const struct db_config *config, void (*say)(const char *line), struct fault *f);
enum err migrate_check(const struct db_config *config, int *ret_have, int *ret_want, struct fault *f); /* for /readyz */

#endif
