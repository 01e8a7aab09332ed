#ifndef WEIR_ENGINE_OUTBOUND_MASK_H
#define WEIR_ENGINE_OUTBOUND_MASK_H

#include "gateway/engine/outbound_file.h"

#define OUTBOUND_MASK_MIN 4        /* shorter secrets would blot out what is none */

/* Overwrites with '*' every secret that this target may get where it stands in a text: as it is, in JSON (once, twice) with whatever
 * characters escaped, percent-encoded. cut: the text goes on where nobody sees it, so a secret that only begins at its end counts too.
 * A target that echoes what it was sent does not make a secret readable. The length stays, and JSON stays JSON where it stands in a
 * string. */
void outbound_mask(const struct outbound_file *f, struct slice target, char *text, size_t n, bool cut);

#endif
