#ifndef WEIR_ENGINE_GROUP_CELL_H
#define WEIR_ENGINE_GROUP_CELL_H

#include "gateway/engine/group_lane.h"

/* One wave of a group: everything that waits for it, as one transaction. On the lane's thread. */
void cell_run(struct cell *c, const struct release *releases);

/* group_lane.c */
void group_call_done(struct lane *l, struct group_call *call); /* its outcome is set; it is its owner's from here on */
void lane_signal(struct lane *l);  /* any thread */
void lane_pause(void);             /* before another attempt to reach PostgreSQL */

#endif
