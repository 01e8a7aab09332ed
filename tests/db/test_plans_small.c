#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/db/log_support.h"
#include "tests/db/plans_support.h"

/* Plans live as long as their sessions, and most are made while tables are small. So those that look up what is asked for must begin
 * with it also where PostgreSQL believes that a table has one row: begun with the table, each of its rows is compared with all that is
 * asked for, and a table that grew to 10,000 rows makes a hundredth of a second into three. */
static int start(void **state)
{
    (void)state;
    log_open("weir_plans_small");
    side_do("analyze");
    if (plans_open())
        return -1;
    plans_as_gateway();
    return 0;
}

static int end(void **state)
{
    (void)state;
    plans_close();
    log_close();
    return 0;
}

static size_t depth_of(const char *line)
{
    return strspn(line, " ");
}

/* What is asked for may come second here: there are few rows before it, or it is of such a row. */
static const char *const second[] = {
    "heads_advance", "heads_set", "events_append", "read_bounds",   /* the partitions of one stream */
    "saga_waits_begin",                                             /* the streams that a batch waits on */
    "letters_redrive",                                              /* the groups of one stream */
    "log_append", "parts_add",                                      /* one row */
    "streams_ahead", "streams_without_parts", "changes_read",       /* an array of the row before */
};

static bool may_be_second(const struct stmt *s)
{
    for (size_t i = 0; i < sizeof second / sizeof *second; i++)
        if (strcmp(s->name, second[i]) == 0)
            return true;
    return false;
}

static const char *line_before(const char *plan, const char *line)
{
    if (line == plan)
        return NULL;
    for (line--; line > plan && line[-1] != '\n';)
        line--;
    return line;
}

static bool is_named(const char *node)
{
    return strncmp(node, "CTE ", 4) == 0 || strncmp(node, "InitPlan ", 9) == 0 || strncmp(node, "SubPlan ", 8) == 0;
}

/* Whether it, or what it is part of, is the second of a join; what has a name (CTE, InitPlan, SubPlan) is asked once. */
static bool is_second(const char *plan, const char *line)
{
    size_t depth = depth_of(line);

    while ((line = line_before(plan, line))) {
        size_t here = depth_of(line);
        bool node = strncmp(line + here, "->", 2) == 0;

        if (node && here == depth)
            return true;
        if (here < depth && is_named(line + here))
            return false;
        if (node && here < depth)
            depth = here;
    }
    return false;
}

static void a_lookup_begins_with_what_is_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < db_statement_count; i++) {
        const struct stmt *s = db_statements[i];
        char *plan = strstr(s->sql, "unnest(") && !may_be_second(s) ? plan_of_any(s) : NULL;

        for (const char *line = plan; line && *line; line = strchrnul(line, '\n') + 1)
            if (strncmp(line + depth_of(line), "->  Function Scan on ", 21) == 0 && is_second(plan, line))
                fail_msg("%s:\n%s", s->name, plan);
        free(plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_lookup_begins_with_what_is_asked_for) };

    return cmocka_run_group_tests(tests, start, end);
}
