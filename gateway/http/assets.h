#ifndef WEIR_HTTP_ASSETS_H
#define WEIR_HTTP_ASSETS_H

#include "gateway/base/slice.h"

/* Files built into the program by openapi/assets.py: the OpenAPI document and the pages of /docs. Never freed. */
struct asset {
    const char *path; /* of the request: "/docs/weir.css" */
    const char *content_type;
    struct slice bytes;
    struct slice gzip;            /* p == NULL: packing does not pay */
    const char *etag, *gzip_etag; /* strong, quotes included; each representation has its own */
};
extern const struct asset assets[];
extern const size_t asset_count;

const struct asset *asset_find(struct slice path); /* NULL: none */

/* If-None-Match (RFC 9110 13.1.2): weak comparison with one entry of the list, or `*`. */
bool etag_listed(struct slice if_none_match, const char *etag);

#endif
