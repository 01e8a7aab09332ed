#ifndef WEIR_ENGINE_PROJECTION_VIEW_H
#define WEIR_ENGINE_PROJECTION_VIEW_H

#include "gateway/engine/projections.h"

/* What was read, as the engine's callers have it. ERR_NO_MEMORY. */
enum err projection_view_make(struct arena *a, const struct projection_view_row *row, struct projection_view *ret);

#endif
