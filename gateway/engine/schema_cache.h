#ifndef WEIR_ENGINE_SCHEMA_CACHE_H
#define WEIR_ENGINE_SCHEMA_CACHE_H

#include "gateway/engine/checker.h"

/* Schemas that were read to check events, the one used last first: at most registry.cache_schemas of them and registry.cache_bytes.
 * What was read before the registry changed (schemas_changes) is read again, and compiled again if it is another one. Any thread. */
struct schema_cache;

struct schema_cache *schema_cache_new(const struct config *c, const struct schemas *s); /* NULL: no memory */
void schema_cache_free(struct schema_cache *c);                                         /* NULL-safe */

/* id 0: the latest version of the subject. A reference; NULL: not there, or old: load it. */
struct checker *schema_cache_get(struct schema_cache *c, struct slice subject, int id);
/* Blocks. Threads that want the same one wait for the first. */
enum err schema_cache_load(struct schema_cache *c, struct db *db, struct slice subject, int id, struct checker **ret,
                           struct fault *f);

#endif
