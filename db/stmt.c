#include "db/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/base/buf.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

/* The types a declaration may name; their OIDs are fixed in PostgreSQL's catalog. */
static const struct {
    Oid oid;
    const char *name;
} types[] = {
    { 16, "bool" },         { 17, "bytea" },         { 19, "name" },         { 20, "int8" },     { 21, "int2" },
    { 23, "int4" },         { 25, "text" },          { 26, "oid" },          { 114, "json" },    { 700, "float4" },
    { 701, "float8" },      { 1042, "bpchar" },      { 1043, "varchar" },    { 1082, "date" },   { 1184, "timestamptz" },
    { 1186, "interval" },   { 1700, "numeric" },     { 2205, "regclass" },   { 2278, "void" },   { 2950, "uuid" },
    { 3802, "jsonb" },      { 5069, "xid8" },        { 1000, "bool[]" },     { 1001, "bytea[]" }, { 1005, "int2[]" },
    { 1007, "int4[]" },     { 1009, "text[]" },      { 1016, "int8[]" },     { 1185, "timestamptz[]" },
    { 1187, "interval[]" }, { 1182, "date[]" },      { 2951, "uuid[]" },     { 1022, "float8[]" },
};

/* Every session is alike, whatever the role, the database or the URL say. A replica that must have applied a commit
 * (remote_apply) is stricter than `on` and stays. In `search_path` temporary tables come last. All that is said here finds
 * its rows by an index; a plan that was cached while a table was small must do so too, when the table is large. */
static const char session_sql[] =
    "select set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false),"
    " set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply'"
    " else 'on' end, false), set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('TimeZone', 'UTC', false), set_config('search_path', 'pg_catalog, pg_temp', false),"
    " set_config('jit', 'off', false), set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),"
    " set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false),"
    " set_config('plan_cache_mode', $3, false)";

int stmt_arg_count(const struct stmt *s)
{
    int n = s->args && *s->args;

    for (const char *p = s->args; p && *p; p++)
        n += *p == ' ';
    return n;
}

bool stmt_reads(const struct stmt *s)
{
    return strncasecmp(s->sql + strspn(s->sql, " \n\t"), "select", 6) == 0;
}

static void put_type(struct buf *b, Oid oid)
{
    if (b->n)
        buf_char(b, ' ');
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].oid == oid) {
            buf_str(b, types[i].name);
            return;
        }
    buf_printf(b, "oid:%u", oid);
}

static enum err compare(const struct stmt *s, const char *what, const char *declared, struct buf *is, struct fault *f)
{
    buf_char(is, '\0');
    if (is->failed)
        return fault(f, ERR_NO_MEMORY, "Out of memory.");
    if (strcmp(declared ? declared : "", is->p) == 0)
        return OK;
    log_error("statement drifted", L_STR("statement", s->name), L_STR("what", what), L_STR("declared", declared),
              L_STR("server", is->p));
    return fault(f, ERR_INTERNAL, "The statement %s declares the %s \"%s\", but PostgreSQL says \"%s\".", s->name, what,
                 declared ? declared : "", is->p);
}

static enum err check_types(const struct stmt *s, const PGresult *res, struct fault *f)
{
    struct buf args = { 0 }, rows = { 0 };
    enum err e;

    for (int i = 0; i < PQnparams(res); i++)
        put_type(&args, PQparamtype(res, i));
    for (int i = 0; i < PQnfields(res); i++)
        put_type(&rows, PQftype(res, i));
    e = compare(s, "parameters", s->args, &args, f);
    if (!e)
        e = compare(s, "columns", s->rows, &rows, f);
    buf_free(&args);
    buf_free(&rows);
    return e;
}

/* One answer and the NULL that ends it. An error is reported as `name`'s. */
static enum err answer(PGconn *conn, const char *name, int64_t deadline, PGresult **ret, struct fault *f)
{
    PGresult *end = NULL;
    enum pg_wait w = pg_result(conn, deadline, ret);
    ExecStatusType status = PQresultStatus(*ret);
    bool drop;

    if (w)
        return pg_gone(w, f);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        enum err e = pg_error(*ret, name, &drop, f);

        return e == ERR_DATABASE_UNAVAILABLE || e == ERR_DATABASE_FULL || e == ERR_DB_RETRY ? e :
            fault(f, ERR_INTERNAL, "The statement %s cannot be prepared: SQLSTATE %s.", name,
                  pg_error_is(*ret, "") ? PQresultErrorField(*ret, PG_DIAG_SQLSTATE) : "unknown");
    }
    w = pg_result(conn, deadline, &end);
    PQclear(end);
    return w ? pg_gone(w, f) : OK;
}

/* The end of a pipeline whose statements were all answered. */
static enum err answer_end(PGconn *conn, int64_t deadline, struct fault *f)
{
    PGresult *res = NULL;
    enum pg_wait w = pg_result(conn, deadline, &res);
    bool synced = !w && PQresultStatus(res) == PGRES_PIPELINE_SYNC;

    if (!w)
        PQclear(res);
    return synced ? OK : pg_gone(w ? w : PG_LOST, f);
}

enum err stmt_session(PGconn *conn, const struct db_config *c, int64_t deadline, struct fault *f)
{
    char statement_ms[24], idle_ms[24];
    /* Left to itself PostgreSQL plans anew each time for arrays of one or two, which takes longer than what is planned. */
    const char *const values[] = { statement_ms, idle_ms, c->one_plan ? "force_generic_plan" : "auto" };
    PGresult *res = NULL;
    enum err e;

    /* The server gives up a little before we do: then it is certain that nothing was recorded. */
    snprintf(statement_ms, sizeof statement_ms, "%" PRId64, c->statement_timeout_us * 9 / 10 / 1000 + 1);
    snprintf(idle_ms, sizeof idle_ms, "%" PRId64, c->statement_timeout_us / 1000 + 1);
    if (!PQenterPipelineMode(conn) || !PQsendQueryParams(conn, session_sql, 3, NULL, values, NULL, NULL, 0) ||
        !PQpipelineSync(conn))
        return pg_gone(PG_LOST, f);
    e = answer(conn, "session settings", deadline, &res, f);
    PQclear(res);
    return e ? e : answer_end(conn, deadline, f);
}

/* --- which are prepared ------------------------------------------------------------------------------------------------ */

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct listed *)a)->s, y = (uintptr_t)((const struct listed *)b)->s;

    return (x > y) - (x < y);
}

struct listed *stmt_list(const struct stmt *const *stmts, size_t n)
{
    struct listed *v = calloc(n ? n : 1, sizeof *v);

    for (size_t i = 0; v && i < n; i++)
        v[i].s = stmts[i];
    if (v)
        qsort(v, n, sizeof *v, by_address);
    return v;
}

bool stmt_want(struct db *db, const struct stmt *s)
{
    const struct listed key = { .s = s };
    struct listed *l = bsearch(&key, db->listed, db->listed_count, sizeof *l, by_address);

    if (l && l->state == STMT_UNKNOWN) {
        l->state = STMT_WANTED;
        db->wanted++;
    }
    return l;
}

void stmt_forget_all(struct db *db)
{
    for (size_t i = 0; i < db->listed_count; i++)
        db->listed[i].state = STMT_UNKNOWN;
    db->wanted = 0;
}

static enum err take_wanted(struct db *db, int64_t deadline, struct fault *f)
{
    for (size_t i = 0; i < db->listed_count; i++) {
        struct listed *l = &db->listed[i];

        for (int part = 0; l->state == STMT_WANTED && part < 2; part++) { /* prepared, described */
            PGresult *res = NULL;
            enum err e = answer(db->conn, l->s->name, deadline, &res, f);

            if (!e && part)
                e = check_types(l->s, res, f);
            PQclear(res);
            if (e)
                return e;
        }
        if (l->state == STMT_WANTED)
            l->state = STMT_PREPARED;
    }
    return answer_end(db->conn, deadline, f);
}

static enum err send_prepare(PGconn *conn, const struct stmt *s, struct fault *f)
{
    if (stmt_arg_count(s) > STMT_ARGS_MAX)
        return fault(f, ERR_INTERNAL, "The statement %s has more than %d parameters.", s->name, STMT_ARGS_MAX);
    return PQsendPrepare(conn, s->name, s->sql, 0, NULL) && PQsendDescribePrepared(conn, s->name) ? OK : pg_gone(PG_LOST, f);
}

enum err stmt_prepare(struct db *db, int64_t deadline, struct fault *f)
{
    enum err e = OK;

    if (!db->wanted)
        return OK;
    for (size_t i = 0; !e && i < db->listed_count; i++)
        if (db->listed[i].state == STMT_WANTED)
            e = send_prepare(db->conn, db->listed[i].s, f);
    if (!e)
        e = PQpipelineSync(db->conn) ? take_wanted(db, deadline, f) : pg_gone(PG_LOST, f);
    if (e)
        db_disconnect(db);
    db->wanted = 0;
    return e;
}
