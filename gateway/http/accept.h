#ifndef WEIR_HTTP_ACCEPT_H
#define WEIR_HTTP_ACCEPT_H

#include "gateway/base/slice.h"

/* The best of the offers by an Accept header (RFC 9110 12.5.1): the most specific range decides an offer's weight; among equal
 * weights the earlier offer wins. A malformed range is passed over. NULL: none is acceptable. An empty header accepts all. */
const char *accept_best(struct slice header, const char *const *offers, size_t n);

/* Does an Accept-Encoding header (RFC 9110 12.5.3) ask for gzip, and not for identity rather? No header, p == NULL: no. */
bool accept_gzip(struct slice header);

#endif
