#ifndef WEIR_HANDLERS_PROJECTIONS_H
#define WEIR_HANDLERS_PROJECTIONS_H

#include "gateway/app_parts.h"
#include "gateway/engine/projections.h"
#include "gateway/http/reply.h"

/* What the handlers of projections share: projections.c defines and manages them, projection_state.c reads states, projection_watch.c
 * streams their changes. */

/* ,"position":"<cursor>", or null where there is none. */
void projection_put_position(struct buf *b, const struct projection_view *v);
/* {"key":…,"state":…,"version":… without its closing brace; a deleted one has the state null and the version 0. */
void projection_put_state(struct buf *b, const struct projection_state *s);

/* A position of changes is "<cursor>~<8 digits>": these are of the build that was read, so that who comes back to another one is told. */
#define PROJECTION_MARK 10 /* characters, with the NUL */
struct slice projection_without_mark(struct slice text);

#endif
