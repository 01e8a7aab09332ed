#ifndef WEIR_TESTS_HTTP_ROUTES_H
#define WEIR_TESTS_HTTP_ROUTES_H

#include "gateway/http/server.h"

extern const struct route test_routes[];
extern const size_t test_route_count;

#define BIG_BYTES ((size_t)1 << 20)

/* Of a chunk of /wide: its number, with zeros before it. */
#define WIDE_BYTES 2000

#endif
