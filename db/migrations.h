#ifndef WEIR_DB_MIGRATIONS_H
#define WEIR_DB_MIGRATIONS_H

#include "db/db.h"

/* migrations/NNNN_name.sql as the program carries them, numbered from 1 without gaps (generated: build/gen/migrations.c). */
struct migration {
    int number;
    const char *name;
    const char *sql;
};
extern const struct migration migrations[];
extern const size_t migration_count;

/* migrate_up and migrate_check with a list of one's own and a limit for waiting until another gateway has migrated. */
struct migration_list {
    const struct migration *m;
    size_t n;
    int64_t lock_timeout_us;
};
enum err migrate_up_with(const struct db_config *config, const struct migration_list *list, void (*say)(const char *line),
                         struct fault *f);
enum err migrate_check_with(const struct db_config *config, const struct migration_list *list, int *ret_have, int *ret_want,
                            struct fault *f);

#endif
