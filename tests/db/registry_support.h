#ifndef WEIR_TESTS_DB_REGISTRY_SUPPORT_H
#define WEIR_TESTS_DB_REGISTRY_SUPPORT_H

#include "gateway/engine/schemas.h"
#include "tests/db/log_support.h"

/* A database of its own with an empty registry, and what its functions are given. */
extern struct db_config database;
extern struct config config;
extern struct db *db;
extern struct arena *arena;      /* of one test */
extern const struct schema_subject orders;

int registry_open(const char *name);  /* of the database; 0, or -1 as cmocka wants it */
int registry_close(void **state);
int registry_fresh(void **state);     /* set-up of each test: nothing is registered */
int registry_done(void **state);
enum err registry_end(struct db *on, enum err e); /* commits, or rolls back for an error: as a handler ends what it began */

#endif
