#ifndef WEIR_HTTP_JOSE_H
#define WEIR_HTTP_JOSE_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"

/* What the verifier needs of base/json.h, apart from it, because base/json.h and jansson.h claim the same names. */
bool jose_base64(struct arena *a, struct slice s, struct slice *ret);    /* RFC 4648 §4, padded, strict */
bool jose_base64url(struct arena *a, struct slice s, struct slice *ret); /* §5, unpadded, one text for a value */
bool jose_json(struct slice text); /* an RFC 8259 value nesting at most 16 deep; jansson alone would recurse to 2048 */
void jose_base64url_put(struct buf *b, struct slice s);

#endif
