#include <endian.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "db/conn.h"
#include "db/migrations.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"

/* "weir" in ASCII: the key of the advisory lock that lets one gateway migrate at a time. */
#define LOCK_KEY INT64_C(0x77656972)
#define LOCK_TIMEOUT_US (600 * US_PER_S)
/* One migration may build an index over a large table. */
#define STEP_TIMEOUT_US (3600 * US_PER_S)
#define CHECKSUM 32

struct run {
    PGconn *conn;
    int64_t deadline;
    struct fault *f;
};

/* Limits of the role or the database are meant for short statements. */
static const char session_sql[] = "set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0;"
                                  " set search_path = pg_catalog, pg_temp; set TimeZone = 'UTC'";

/* The schema may have been made by an administrator: then the right to make one is not needed. */
static const char table_sql[] =
    "do $$ begin"
    " if to_regnamespace('weir') is null then create schema weir; end if;"
    " if to_regclass('weir.migrations') is null then"
    " create table weir.migrations (number integer primary key, name text not null, checksum bytea not null,"
    " applied_at timestamptz not null default clock_timestamp());"
    " end if; end $$";

static const char applied_sql[] = "select number, name, checksum from weir.migrations order by number";
static const char record_sql[] = "insert into weir.migrations (number, name, checksum) values ($1::integer, $2::text, $3::bytea)";

/* Reads every answer of what was sent; the first failure decides, else *ret (may be NULL) is the last result. */
static enum err finish(struct run *r, bool sent, const char *what, struct rows *ret)
{
    enum err e = OK;
    bool drop;

    for (;;) {
        PGresult *res = NULL;
        enum pg_wait w = sent ? pg_result(r->conn, r->deadline, &res) : PG_LOST;
        ExecStatusType status = PQresultStatus(res);

        if (w)
            return pg_gone(w, r->f);
        if (!res)
            return e;
        if (!e && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

            if ((e = pg_error(res, what, &drop, r->f)) != ERR_DATABASE_UNAVAILABLE)
                e = fault(r->f, e == ERR_DATABASE_FULL ? e : ERR_INTERNAL, "Failed at %s: %s.", what, message ? message : "");
        }
        if (!e && ret) {
            rows_free(ret);
            *ret = (struct rows){ res, PQntuples(res), 0 };
        } else {
            PQclear(res);
        }
        if (PQstatus(r->conn) == CONNECTION_BAD)
            return e ? e : pg_gone(PG_LOST, r->f);
    }
}

static enum err simple(struct run *r, const char *sql, const char *what)
{
    return finish(r, PQsendQuery(r->conn, sql), what, NULL);
}

static enum err begin_run(struct run *r, const struct db_config *config)
{
    enum err e = pg_open(config, clock_mono_us() + config->connect_timeout_us, false, &r->conn, r->f);

    r->deadline = clock_mono_us() + config->statement_timeout_us;
    return e ? e : simple(r, session_sql, "session settings");
}

static enum err lock(struct run *r, int64_t timeout_us)
{
    char key[24];
    const char *const values[] = { key };
    enum err e;

    snprintf(key, sizeof key, "%" PRId64, LOCK_KEY);
    r->deadline = clock_mono_us() + timeout_us;
    e = finish(r, PQsendQueryParams(r->conn, "select pg_advisory_lock($1::bigint)", 1, NULL, values, NULL, NULL, 0),
               "the migration lock", NULL);
    return e && clock_mono_us() >= r->deadline ?
        fault(r->f, ERR_DATABASE_UNAVAILABLE, "Another gateway has been migrating the database for %d s.",
              (int)(timeout_us / US_PER_S)) : e;
}

static bool checksum(const struct migration *m, unsigned char out[CHECKSUM])
{
    return EVP_Digest(m->sql, strlen(m->sql), out, NULL, EVP_sha256(), NULL);
}

/* The applied ones must be the first ones of the list, word by word. */
static enum err compare(const struct migration_list *list, const struct rows *applied, struct fault *f)
{
    int newest = applied->n ? row_int4(applied, applied->n - 1, 0) : 0;

    if (newest > (int)list->n)
        return fault(f, ERR_INTERNAL, "The database is at migration %d, but this program knows only %zu: start a newer one.",
                     newest, list->n);
    for (int i = 0; i < applied->n; i++) {
        const struct migration *m = &list->m[i];
        unsigned char sum[CHECKSUM];

        if (row_int4(applied, i, 0) != m->number)
            return fault(f, ERR_INTERNAL, "Migration %04d_%s is missing in the database although a later one was applied.",
                         m->number, m->name);
        if (!checksum(m, sum))
            return fault(f, ERR_INTERNAL, "SHA-256 is not available.");
        if (!slice_eq(row_text(applied, i, 2), (struct slice){ (const char *)sum, CHECKSUM }))
            return fault(f, ERR_INTERNAL, "Migration %04d_%s is not the one that was applied to this database.", m->number,
                         m->name);
    }
    return OK;
}

static enum err record(struct run *r, const struct migration *m, const char *what)
{
    unsigned char sum[CHECKSUM];
    struct arg number = arg_int4(m->number);
    const char *const values[] = { number.inline_, m->name, (const char *)sum };
    const int lengths[] = { 4, (int)strlen(m->name), CHECKSUM }, binary[] = { 1, 1, 1 };

    if (!checksum(m, sum))
        return fault(r->f, ERR_INTERNAL, "SHA-256 is not available.");
    return finish(r, PQsendQueryParams(r->conn, record_sql, 3, NULL, values, lengths, binary, 1), what, NULL);
}

static enum err apply(struct run *r, const struct migration *m, void (*say)(const char *line))
{
    char what[120], line[160];
    enum err e;

    snprintf(what, sizeof what, "migration %04d_%s", m->number, m->name);
    r->deadline = clock_mono_us() + STEP_TIMEOUT_US;
    if ((e = simple(r, "begin", what)) || (e = simple(r, m->sql, what)))
        return e;
    if (PQtransactionStatus(r->conn) != PQTRANS_INTRANS)
        return fault(r->f, ERR_INTERNAL, "The %s ended its transaction by itself.", what);
    if ((e = record(r, m, what)) || (e = simple(r, "commit", what)))
        return e;
    snprintf(line, sizeof line, "applied %s", what);
    if (say)
        say(line);
    return OK;
}

enum err migrate_up_with(const struct db_config *config, const struct migration_list *list, void (*say)(const char *line),
                         struct fault *f)
{
    struct run r = { .f = f };
    struct rows applied = { 0 };
    enum err e;

    if ((e = begin_run(&r, config)) || (e = lock(&r, list->lock_timeout_us)))
        goto out;
    r.deadline = clock_mono_us() + config->statement_timeout_us;
    if ((e = simple(&r, table_sql, "the table of migrations")))
        goto out;
    e = finish(&r, PQsendQueryParams(r.conn, applied_sql, 0, NULL, NULL, NULL, NULL, 1), "the table of migrations", &applied);
    if (e || (e = compare(list, &applied, f)))
        goto out;
    for (size_t i = (size_t)applied.n; !e && i < list->n; i++)
        e = apply(&r, &list->m[i], say);
out:
    rows_free(&applied);
    pg_close(r.conn); /* releases the lock */
    return e;
}

/* *ret_have: the newest applied one, 0 if none ever was. */
static enum err newest(struct run *r, int *ret_have)
{
    struct rows rows = { 0 };
    enum err e = finish(r, PQsendQueryParams(r->conn, "select to_regclass('weir.migrations') is not null", 0, NULL, NULL, NULL,
                                             NULL, 1), "the table of migrations", &rows);
    bool there = !e && row_bool(&rows, 0, 0);

    if (there)
        e = finish(r, PQsendQueryParams(r->conn, "select coalesce(max(number), 0) from weir.migrations", 0, NULL, NULL, NULL,
                                        NULL, 1), "the table of migrations", &rows);
    if (!e)
        *ret_have = there ? row_int4(&rows, 0, 0) : 0;
    rows_free(&rows);
    return e;
}

enum err migrate_check_with(const struct db_config *config, const struct migration_list *list, int *ret_have, int *ret_want,
                            struct fault *f)
{
    struct run r = { .f = f };
    enum err e = begin_run(&r, config);

    if (!e && !(e = newest(&r, ret_have)))
        *ret_want = (int)list->n;
    pg_close(r.conn);
    return e;
}

static struct migration_list own(void)
{
    return (struct migration_list){ migrations, migration_count, LOCK_TIMEOUT_US };
}

enum err migrate_up(const struct db_config *config, void (*say)(const char *line), struct fault *f)
{
    struct migration_list list = own();

    return migrate_up_with(config, &list, say, f);
}

enum err migrate_check(const struct db_config *config, int *ret_have, int *ret_want, struct fault *f)
{
    struct migration_list list = own();

    return migrate_check_with(config, &list, ret_have, ret_want, f);
}
