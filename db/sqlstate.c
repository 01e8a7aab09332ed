#include "db/conn.h"

#include "gateway/base/log.h"
#include "gateway/base/metrics.h"

/* SQLSTATE to outcome; the first row whose prefix fits decides. `drop`: the connection is of no use any more. */
static const struct {
    const char *prefix;
    enum err e;
    bool drop;
} outcomes[] = {
    { "23505", ERR_DB_UNIQUE, false },
    { "23503", ERR_DB_RETRY, false },             /* a parent row is gone: look again */
    { "22012", ERR_DB_RETRY, false },             /* division by zero: heads_advance or log_append met a head that was set back */
    { "40001", ERR_DB_RETRY, false },             /* serialization failure */
    { "40P01", ERR_DB_RETRY, false },             /* deadlock */
    { "55P03", ERR_DB_RETRY, false },             /* lock not available */
    { "53100", ERR_DATABASE_FULL, false },
    { "53", ERR_DATABASE_UNAVAILABLE, true },     /* memory, connections */
    { "08", ERR_DATABASE_UNAVAILABLE, true },
    { "57014", ERR_DATABASE_UNAVAILABLE, true },  /* cancelled: statement_timeout */
    { "57P", ERR_DATABASE_UNAVAILABLE, true },    /* shutdown, crash, starting */
    { "25006", ERR_DATABASE_UNAVAILABLE, true },  /* read-only: connected to a replica after a failover */
    { "25P03", ERR_DATABASE_UNAVAILABLE, true },  /* idle in transaction */
    { "26000", ERR_INTERNAL, true },              /* prepared statement lost (pooler, DISCARD): a new connection heals it */
    { "0A000", ERR_INTERNAL, true },              /* cached plan outdated by a migration: likewise */
    { "", ERR_INTERNAL, false },
};

static const char *field(const PGresult *res, int code)
{
    const char *s = PQresultErrorField(res, code);

    return s ? s : "";
}

bool pg_error_is(const PGresult *res, const char *prefix)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    return state && strncmp(state, prefix, strlen(prefix)) == 0;
}

static enum err describe(enum err e, const PGresult *res, const char *statement, struct fault *f)
{
    switch (e) {
    case ERR_DB_UNIQUE:
        return fault(f, e, "%s", field(res, PG_DIAG_CONSTRAINT_NAME));
    case ERR_DB_RETRY:
        return fault(f, e, "PostgreSQL asks to try again.");
    case ERR_DATABASE_FULL:
        return fault(f, e, "PostgreSQL has no disk space left.");
    case ERR_DATABASE_UNAVAILABLE:
        return fault(f, e, "PostgreSQL is not available.");
    default:
        return fault(f, e, "The statement %s failed with SQLSTATE %s.", statement, field(res, PG_DIAG_SQLSTATE));
    }
}

enum err pg_error(const PGresult *res, const char *statement, bool *ret_drop, struct fault *f)
{
    bool fatal = *field(res, PG_DIAG_SEVERITY_NONLOCALIZED) != 'E';
    size_t i = 0;
    enum err e;

    while (strncmp(field(res, PG_DIAG_SQLSTATE), outcomes[i].prefix, strlen(outcomes[i].prefix)) != 0)
        i++;
    e = fatal && outcomes[i].e == ERR_INTERNAL ? ERR_DATABASE_UNAVAILABLE : outcomes[i].e;
    *ret_drop = fatal || outcomes[i].drop;
    if (e != ERR_DB_UNIQUE && e != ERR_DB_RETRY) {
        metric_add(M_DB_ERRORS, 1);
        log_error("statement failed", L_STR("statement", statement), L_STR("sqlstate", field(res, PG_DIAG_SQLSTATE)),
                  L_STR("message", field(res, PG_DIAG_MESSAGE_PRIMARY)));
    }
    return describe(e, res, statement, f);
}

enum err pg_gone(enum pg_wait w, struct fault *f)
{
    return fault(f, ERR_DATABASE_UNAVAILABLE, w == PG_LATE ? "PostgreSQL did not answer in time." :
                                                             "The connection to PostgreSQL was lost.");
}
