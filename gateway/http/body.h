#ifndef WEIR_HTTP_BODY_H
#define WEIR_HTTP_BODY_H

#include "gateway/http/request.h"

/* request_body without a request: the members of the JSON object `text` into the struct at `out`, strings into the arena. */
enum err body_fill(struct arena *a, struct slice text, const struct field *fields, void *out, struct fault *f);
enum err body_check(struct slice text, struct fault *f); /* OK or ERR_BAD_JSON */

#endif
