#ifndef WEIR_HTTP_PRINCIPAL_H
#define WEIR_HTTP_PRINCIPAL_H

#include <jansson.h>

#include "gateway/http/auth.h"

/* From verified claims. On failure NULL, and a sentence in *why (NULL: memory is out). */
struct principal *principal_new(const json_t *claims, int64_t expires_us, const char **why);

#endif
