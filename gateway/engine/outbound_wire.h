#ifndef WEIR_ENGINE_OUTBOUND_WIRE_H
#define WEIR_ENGINE_OUTBOUND_WIRE_H

#include <curl/curl.h>

#include "gateway/engine/outbound_client.h"

/* One call on its way, as an easy handle of libcurl; of the client's thread alone. */
#define WIRE_HEADER_BYTES ((size_t)64 << 10) /* of an answer */
#define WIRE_TYPE_BYTES 128                  /* of its Content-Type; a longer one is not told */

struct wire {
    struct wire *next, **at;     /* of those that run, or are idle */
    const struct outbound_client_config *config;
    struct outbound_call *call;
    struct outbound_file *file;
    char target[OUTBOUND_TARGET_MAX];
    CURL *curl;
    struct curl_slist *headers;
    struct buf body;
    size_t header_bytes;
    char type[WIRE_TYPE_BYTES];
    int64_t retry_after_us;
    int64_t begun_us;              /* unix */
    int opened, blocked;           /* sockets by the guard */
    bool private;                  /* its target may be private */
    bool refused;                  /* the guard did not like the connection after all */
    bool too_large;
    bool lacking;                  /* what the gateway should have had */
};

struct wire *wire_new(const struct outbound_client_config *c); /* NULL: no memory */
void wire_free(struct wire *f);                                /* NULL-safe */
/* Makes the request. OUTBOUND_WHOLE: the handle is ready; else it cannot be sent. */
enum outbound_end wire_begin(struct wire *f, struct outbound_call *call);
/* Tells the client and the call, and is idle again. end: OUTBOUND_WHOLE: `code` says it. stood_still: the gateway did, so a timeout
 * says nothing of the target. */
void wire_end(struct wire *f, enum outbound_end end, CURLcode code, bool stood_still);

#endif
