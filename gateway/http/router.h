#ifndef WEIR_HTTP_ROUTER_H
#define WEIR_HTTP_ROUTER_H

#include "gateway/http/request.h"

/* The route table, compiled once. Immutable afterwards: any thread. Literal segments win over {arguments}, left to right. */
struct router;

struct match {
    const struct route *route;
    size_t index;                  /* in the table */
    struct slice names[PATH_ARGS_MAX], values[PATH_ARGS_MAX];
    size_t count;
    const char *allow;             /* ERR_METHOD_NOT_ALLOWED: the methods of this path, for the Allow header; arena memory */
};

/* Refuses tables with a route without permission, handler or operation id, a repeated operation id or method and path, too
 * many routes, segments or arguments: a sentence in err. `routes` must outlive the router. */
struct router *router_new(const struct route *routes, size_t n, char err[512]);
void router_free(struct router *r);

/* `path` is raw, without query: split at '/', then each segment is decoded (%2F is data). ERR_BAD_REQUEST: a bad escape, %00
 * or no UTF-8. ERR_NOT_FOUND. ERR_METHOD_NOT_ALLOWED with ret->allow. A HEAD request matches GET routes too. */
enum err router_match(const struct router *r, struct arena *a, struct slice method, struct slice path,
                      struct match *ret, struct fault *f);

/* Percent-decoding (RFC 3986 2.1) into the arena; `plus` turns '+' into a space. false: a bad escape, %00, no UTF-8, or no
 * memory. */
bool percent_decode(struct arena *a, struct slice s, bool plus, struct slice *ret);

#endif
