#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "gateway/base/slice.h"

/* Memory bound to one owner (a request, a job), freed at once. Used by one thread at a time.
 * Every allocation function returns NULL once `limit` bytes in all would be exceeded or malloc fails. */
struct arena;

struct arena *arena_new(size_t limit);
void arena_free(struct arena *a);                  /* NULL-safe; runs the deferred functions, last first */
void *arena_alloc(struct arena *a, size_t n);      /* aligned for any type, not zeroed */
void *arena_zalloc(struct arena *a, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n); /* terminated */
struct slice arena_slice(struct arena *a, struct slice s);     /* copies; p == NULL when memory is out */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool arena_defer(struct arena *a, void (*fn)(void *), void *arg); /* false: out of memory, nothing registered */
size_t arena_used(const struct arena *a);
bool arena_full(const struct arena *a);            /* it was `limit`, not malloc, that refused something */

#endif
