#ifndef WEIR_HTTP_GATE_H
#define WEIR_HTTP_GATE_H

#include "gateway/base/err.h"

/* What libmicrohttpd 1.0.1 (client discipline 1) lets through and we do not: see docs/decisions/0002-http-loops.md. One pass
 * over the headers of a request, which also notes those that the server itself needs. Pure. */
struct gate {
    const char *refused;           /* a sentence, once something was wrong */
    unsigned seen;                 /* bit set of the headers that may come once only */
    bool http10;
    bool expect_continue, chunked;
    int64_t content_length;        /* -1: none */
    struct slice host, authorization, content_encoding, origin, request_id, traceparent;
};

void gate_begin(struct gate *g, struct slice method, struct slice target, struct slice version);
void gate_header(struct gate *g, struct slice name, struct slice value);
enum err gate_end(struct gate *g, struct fault *f);   /* OK or ERR_BAD_REQUEST */

bool traceparent_valid(struct slice s);               /* W3C Trace Context, version 00 and later ones in its shape */
bool request_id_valid(struct slice s);                /* 1 to 128 visible ASCII characters */

#endif
