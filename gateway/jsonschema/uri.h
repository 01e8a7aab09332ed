#ifndef WEIR_JSONSCHEMA_URI_H
#define WEIR_JSONSCHEMA_URI_H

#include "gateway/base/arena.h"

/* URI references (RFC 3986), also of schemes without a hierarchy. Pure. */

/* `reference` against `base`, without its fragment; arena memory, p == NULL when that is out. */
struct slice uri_resolve(struct arena *a, struct slice base, struct slice reference);
struct slice uri_fragment(struct slice reference); /* what stands after #; p == NULL: there is no # */
bool uri_unescape(struct arena *a, struct slice s, struct slice *ret); /* %XX; malformed ones stay; false: out of memory */

#endif
