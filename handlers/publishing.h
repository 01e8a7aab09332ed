#ifndef WEIR_HANDLERS_PUBLISHING_H
#define WEIR_HANDLERS_PUBLISHING_H

#include "gateway/app_parts.h"
#include "gateway/http/reply.h"

/* A publish request between the handler's calls: definition and body, then the lane, then the receipt. The request's state. */
struct publishing {
    struct publish p;       /* the lane's while it is queued */
    struct stream *stream;
    enum err err;           /* of the preparation on a worker */
    bool parsed, charged, queued;
    int tries;
};

#define CE_HEADERS_MAX 96   /* of one request in binary mode */
struct ce_headers {
    struct event_header v[CE_HEADERS_MAX]; /* names without their prefix */
    size_t n;
};
enum err collect_ce_headers(struct request *rq, struct ce_headers *ret); /* ERR_BAD_REQUEST: too many */

/* idempotency.c. The header Idempotency-Key: *ret is left alone if there is none. ERR_BAD_REQUEST: malformed. */
enum err idempotency_key(struct request *rq, struct publish_key **ret);
/* What such a header of the caller stands for in this operation (on this stream, or saga): *ret_there: false: there is none. */
enum err idempotency_digest(struct request *rq, uint8_t ret[16], bool *ret_there);
/* What the request is made of, once its body is known. ERR_NO_MEMORY. */
enum err idempotency_fingerprint(struct request *rq, struct publish_key *key);
/* A structured-field string ("...", RFC 8941) or the bare characters: 1 to 255 of visible ASCII. ret holds 256 bytes. */
#define IDEMPOTENCY_KEY_MAX 255
bool idempotency_key_parse(struct slice header, char ret[IDEMPOTENCY_KEY_MAX + 1]);

/* receipt.c: the answer to a publish that was recorded. */
enum err receipt(struct request *rq, struct reply *rp, const struct publish *p);
enum err receipt_render(struct publish *p);  /* into p->key, on the lane's thread */
enum err receipt_kept(struct request *rq, struct reply *rp, struct publish_key *key);

#endif
