#ifndef WEIR_DB_SETTINGS_H
#define WEIR_DB_SETTINGS_H

#include "db/db.h"

/* What belongs to the database as a whole, read once at start: each call opens a connection of its own.
 * *ret is the heap's, the caller frees; NULL when there is no such setting. */
enum err db_setting_get(const struct db_config *config, const char *name, char **ret, struct fault *f);
/* Sets it unless it is set, then reads it. */
enum err db_setting_keep(const struct db_config *config, const char *name, const char *value, char **ret,
                         struct fault *f);

#endif
