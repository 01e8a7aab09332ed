#ifndef WEIR_HTTP_PRINCIPAL_H
#define WEIR_HTTP_PRINCIPAL_H

#include <jansson.h>

#include "gateway/http/rights.h"

/* From verified claims. On failure NULL, and a sentence in *why (NULL: memory is out). */
struct principal *principal_new(const json_t *claims, int64_t expires_us, const char **why);
/* What its issuer may grant at most; before p is shared. The ceiling must stay as long as p. */
void principal_limit(struct principal *p, const struct rights *ceiling);

/* What p grants of one action, as entries of authorization_details. */
void principal_write_rights(const struct principal *p, unsigned action, struct buf *b);

#endif
