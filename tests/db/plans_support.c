#include "tests/db/plans_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/conn.h"
#include "tests/db/support.h"

static PGconn *conn;

int plans_open(void)
{
    struct db_config config = test_config();

    conn = PQconnectdb(config.url);
    PQclear(PQexec(conn, "set plan_cache_mode = force_generic_plan"));
    return PQstatus(conn) == CONNECTION_OK ? 0 : -1;
}

void plans_as_gateway(void)
{
    PQclear(PQexec(conn, "set enable_seqscan = off; set enable_bitmapscan = off; "
                     "set enable_hashjoin = off; set enable_mergejoin = off"));
}

void plans_close(void)
{
    PQfinish(conn);
}

static void prepare(const struct stmt *s)
{
    char *sql;
    PGresult *res;

    assert_true(asprintf(&sql, "prepare probe as %s", s->sql) > 0);
    res = PQexec(conn, sql);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", s->name, PQerrorMessage(conn));
    PQclear(res);
    free(sql);
}

static char *explain(const struct stmt *s, const char *how, const char *values)
{
    char *sql, *text = NULL;
    PGresult *res;
    size_t n;
    FILE *out;

    prepare(s);
    PQclear(PQexec(conn, "begin"));
    assert_true(asprintf(&sql, "explain (%s, costs off) execute probe%s", how, values) > 0);
    res = PQexec(conn, sql);
    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s%s: %s", s->name, values, PQerrorMessage(conn));
    out = open_memstream(&text, &n);
    for (int i = 0; i < PQntuples(res); i++)
        fprintf(out, "%s\n", PQgetvalue(res, i, 0));
    fclose(out);
    PQclear(res);
    PQclear(PQexec(conn, "rollback; deallocate probe"));
    free(sql);
    return text;
}

char *plan_of(const struct stmt *s, const char *values)
{
    return explain(s, "analyze, timing off, summary off", values);
}

char *plan_of_any(const struct stmt *s)
{
    char values[200] = "";

    for (int i = 0; i < stmt_arg_count(s); i++)
        strcat(strcpy(values + strlen(values), i ? "," : "("), "null");
    return explain(s, "verbose off", *values ? strcat(values, ")") : values);
}

int executed(const char *plan, const char *node, const char *table)
{
    int n = 0;

    for (const char *line = plan, *end; *line; line = *end ? end + 1 : end) {
        const char *at, *on;

        end = strchrnul(line, '\n');
        at = memmem(line, (size_t)(end - line), node, strlen(node));
        on = at ? memmem(at, (size_t)(end - at), table, strlen(table)) : NULL;
        n += on && !memmem(at, (size_t)(end - at), "(never executed)", 16);
    }
    return n;
}

void plans_check(const struct hot *hot, size_t hot_n, const char *const *large, size_t large_n)
{
    for (size_t i = 0; i < hot_n; i++) {
        char *plan = plan_of(hot[i].s, hot[i].values);

        for (size_t k = 0; k < large_n; k++)
            if (executed(plan, "Seq Scan on ", large[k]))
                fail_msg("%s scans %s:\n%s", hot[i].s->name, large[k], plan);
        if (executed(plan, "Index Scan", hot[i].index_on) + executed(plan, "Index Only Scan", hot[i].index_on) +
                executed(plan, "Bitmap Index Scan", hot[i].index_on) == 0)
            fail_msg("%s without an index on %s:\n%s", hot[i].s->name, hot[i].index_on, plan);
        free(plan);
    }
}
