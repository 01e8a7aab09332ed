#include "db/db.h"

const struct stmt DB_BEGIN = { "begin", "BEGIN", "", "" };
const struct stmt DB_COMMIT = { "commit", "COMMIT", "", "" };
const struct stmt DB_ROLLBACK = { "rollback", "ROLLBACK", "", "" };

/* Every statement of the program: each is prepared and compared with the server when a connection opens. */
const struct stmt *const db_statements[] = {
    &DB_BEGIN, &DB_COMMIT, &DB_ROLLBACK,
};
const size_t db_statement_count = sizeof db_statements / sizeof *db_statements;
