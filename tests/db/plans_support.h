#ifndef WEIR_TESTS_DB_PLANS_SUPPORT_H
#define WEIR_TESTS_DB_PLANS_SUPPORT_H

#include "db/db.h"

/* The plans that PostgreSQL makes of statements for any values (generic ones), in the database that log_open has made. */
int plans_open(void); /* 0, or -1 */
void plans_as_gateway(void); /* with what a gateway's session lets the planner use, from now on */
void plans_close(void);
/* What EXPLAIN says of a statement when it is executed with these values; rolled back. The caller frees. */
char *plan_of(const struct stmt *s, const char *values);
/* What EXPLAIN says of it for any values, without executing it. The caller frees. */
char *plan_of_any(const struct stmt *s);
/* Nodes on tables of this name that were executed. */
int executed(const char *plan, const char *node, const char *table);

struct hot {
    const struct stmt *s;
    const char *values;
    const char *index_on; /* an index scan on this table must be there */
};
/* None scans a large table, and each uses its index. */
void plans_check(const struct hot *hot, size_t hot_n, const char *const *large, size_t large_n);

#endif
