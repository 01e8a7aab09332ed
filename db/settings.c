#include "db/settings.h"

#include <stdlib.h>

#include "sql.h"

static const struct stmt SETTING_READ = { "setting_read", SQL_SETTING_READ, "text", "text" };
static const struct stmt SETTING_KEEP = { "setting_keep", SQL_SETTING_KEEP, "text text", "" };
static const struct stmt *const statements[] = { &SETTING_READ, &SETTING_KEEP };

static enum err get(struct db *db, const char *name, char **ret, struct fault *f)
{
    const struct arg args[] = { arg_text(slice_of(name)) };
    struct rows rows = { 0 };
    enum err e = db_exec(db, &SETTING_READ, args, &rows, f);

    *ret = NULL;
    if (!e && rows.n) {
        struct slice value = row_text(&rows, 0, 0);
        if (!(*ret = strndup(value.p, value.n)))
            e = fault(f, ERR_NO_MEMORY, "Out of memory.");
    }
    rows_free(&rows);
    return e;
}

static enum err keep_and_get(struct db *db, const char *name, const char *value, char **ret, struct fault *f)
{
    const struct arg args[] = { arg_text(slice_of(name)), arg_text(slice_of(value)) };
    enum err e = value ? db_exec(db, &SETTING_KEEP, args, NULL, f) : OK;

    return e ? e : get(db, name, ret, f);
}

enum err db_setting_keep(const struct db_config *config, const char *name, const char *value, char **ret,
                         struct fault *f)
{
    struct db *db = db_new_with(config, statements, sizeof statements / sizeof *statements);
    enum err e;

    if (!db)
        return fault(f, ERR_NO_MEMORY, "Out of memory.");
    if (!(e = db_connect(db, f)))
        e = keep_and_get(db, name, value, ret, f);
    db_free(db);
    return e;
}

enum err db_setting_get(const struct db_config *config, const char *name, char **ret, struct fault *f)
{
    return db_setting_keep(config, name, NULL, ret, f);
}
