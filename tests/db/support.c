#include "tests/db/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"

static PGconn *side;
static char side_schema[64];

static const char *url(void)
{
    const char *u = getenv("WEIR_TEST_DATABASE_URL");

    if (!u)
        fail_msg("WEIR_TEST_DATABASE_URL is not set");
    return u;
}

struct db_config test_config(void)
{
    log_setup(getenv("WEIR_TEST_LOG") ? LOG_DEBUG : LOG_OFF, true);
    return (struct db_config){ url(), "weir test", 5 * US_PER_S, 10 * US_PER_S, false };
}

char *test_url(const char *host, const char *port, const char *dbname)
{
    const char *const names[] = { "host", "port", "dbname" }, *const values[] = { host, port, dbname };
    PQconninfoOption *options = PQconninfoParse(url(), NULL);
    char *out = NULL;
    size_t n;
    FILE *s = open_memstream(&out, &n);

    assert_non_null(options);
    fprintf(s, "sslmode=prefer");
    for (PQconninfoOption *o = options; o->keyword; o++) {
        const char *value = o->val;

        for (int i = 0; i < 3; i++)
            if (values[i] && strcmp(o->keyword, names[i]) == 0)
                value = values[i];
        if (value && !(host && strcmp(o->keyword, "hostaddr") == 0))
            fprintf(s, " %s='%s'", o->keyword, value);
    }
    fclose(s);
    PQconninfoFree(options);
    return out;
}

void side_open(const char *schema)
{
    side = PQconnectdb(url());
    if (PQstatus(side) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(side));
    snprintf(side_schema, sizeof side_schema, "%s", schema);
    side_do("set client_min_messages = error; drop schema if exists %s cascade; create schema %s; set search_path = %s", schema,
            schema, schema);
}

void side_close(void)
{
    side_do("drop schema %s cascade", side_schema);
    PQfinish(side);
    side = NULL;
}

static PGresult *run(const char *sql, va_list ap)
{
    char *text = NULL;
    PGresult *res;

    assert_true(vasprintf(&text, sql, ap) > 0);
    res = PQexec(side, text);
    if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQerrorMessage(side));
    free(text);
    return res;
}

void side_do(const char *sql, ...)
{
    va_list ap;

    va_start(ap, sql);
    PQclear(run(sql, ap));
    va_end(ap);
}

int64_t side_int(const char *sql, ...)
{
    va_list ap;
    PGresult *res;
    int64_t v;

    va_start(ap, sql);
    res = run(sql, ap);
    va_end(ap);
    assert_int_equal(PQntuples(res), 1);
    v = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return v;
}

void side_until(const char *sql, ...)
{
    int64_t until = clock_mono_us() + 120 * US_PER_S;
    bool true_now = false;

    while (!true_now && clock_mono_us() < until) {
        va_list ap;
        PGresult *res;

        va_start(ap, sql);
        res = run(sql, ap);
        va_end(ap);
        true_now = PQntuples(res) && *PQgetvalue(res, 0, 0) == 't';
        PQclear(res);
        if (!true_now)
            usleep(5000);
    }
    assert_true(true_now);
}

bool side_was_notified(void)
{
    PGnotify *n;
    bool came;

    side_do("select 1");
    n = PQnotifies(side);
    came = n;
    PQfreemem(n);
    return came;
}
