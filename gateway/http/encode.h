#ifndef WEIR_HTTP_ENCODE_H
#define WEIR_HTTP_ENCODE_H

#include "gateway/base/buf.h"

/* Is the media type (parameters may follow) text that gets smaller? Event streams are not: they would be held back. */
bool encode_type(const char *content_type);
/* Appends `in` as a gzip member to an empty `out`. false: no memory, or it does not get smaller; `out` is then of no use. Pure. */
bool encode_gzip(struct slice in, struct buf *out);

#endif
