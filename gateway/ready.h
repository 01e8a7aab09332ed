#ifndef WEIR_READY_H
#define WEIR_READY_H

#include "gateway/base/slice.h"

/* The --ready-file: absent until the gateway serves, then there as a whole. As root a helper process keeps the right to
 * write it, because `weir dev` becomes another user meanwhile. */
struct ready;

struct ready *ready_new(const char *path, char err[512]);     /* removes a file of an earlier run */
bool ready_write(struct ready *r, struct slice text);         /* at most once */
void ready_free(struct ready *r);                             /* NULL-safe */

#endif
