#ifndef WEIR_ENGINE_OUTBOUND_SIGN_H
#define WEIR_ENGINE_OUTBOUND_SIGN_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"

/* Signatures of calls by Standard Webhooks 1.0: HMAC-SHA256 over "<id>.<timestamp>.<body>", as v1,<base64>. Pure. */

/* whsec_ and the padded base64 of 24 to 64 bytes: the bytes, in the arena. */
bool outbound_key_parse(struct slice text, struct arena *a, struct slice *ret);
/* The value of the header webhook-signature: one signature for each key, with spaces between. */
void outbound_sign(struct buf *out, const struct slice *keys, size_t key_n, struct slice id, int64_t unix_s, struct slice body);
/* An id as a header can have it: bytes that are not visible ASCII, and '%', are percent-encoded. */
void outbound_id(struct buf *out, struct slice id);

#endif
