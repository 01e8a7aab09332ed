#ifndef WEIR_HTTP_FETCH_H
#define WEIR_HTTP_FETCH_H

#include <stdatomic.h>

#include "gateway/base/buf.h"

/* One GET with libcurl for key sets. Blocks: only for a thread that may. No redirects, no proxy, no cookies, no compression. */
struct fetch_rules {
    const char *ca_file;           /* PEM of authorities beside the system's; NULL or "": none */
    size_t bytes_max;              /* of the body */
    const atomic_bool *stop;       /* ends the transfer early */
};

struct fetched {
    struct buf body;               /* the caller frees, also on failure */
    int64_t max_age_us;            /* Cache-Control; -1: it says nothing */
};

#define FETCH_WHY 192
bool fetch_init(void);             /* once, before the first thread fetches */
/* Only status 200 is a success. On failure a clause in why, without the URL. timeout_us covers all of it. */
bool fetch_get(const char *url, const struct fetch_rules *rules, int64_t timeout_us, struct fetched *ret, char why[FETCH_WHY]);
bool fetch_ca_good(const char *ca_file); /* holds at least one certificate that can be read */

#endif
