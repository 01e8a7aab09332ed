#include "tests/db/registry_support.h"

struct db_config database;
struct config config;
struct db *db;
struct arena *arena;
const struct schema_subject orders = { { ".", 1 }, { "orders", 6 } };

int registry_open(const char *name)
{
    char err[512];
    char *none[] = { NULL };

    log_open(name);
    database = test_config();
    db = db_new(&database);
    return db && config_load(&config, 0, none, none, err) ? 0 : -1;
}

int registry_close(void **state)
{
    (void)state;
    config_free(&config);
    db_free(db);
    log_close();
    return 0;
}

int registry_fresh(void **state)
{
    (void)state;
    arena = arena_new(1 << 26);
    assert_non_null(arena);
    side_do("truncate weir.schemas, weir.schema_versions, weir.schema_subjects, weir.schema_references, weir.outbox, weir.contracts"
            " cascade");
    side_do("update weir.registry set next_id = 1, changes = 0");
    return 0;
}

int registry_done(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

enum err registry_end(struct db *on, enum err e)
{
    if (!e)
        return db_exec(on, &DB_COMMIT, NULL, NULL, NULL);
    db_rollback(on);
    return e;
}
