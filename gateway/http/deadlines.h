#ifndef WEIR_HTTP_DEADLINES_H
#define WEIR_HTTP_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A binary min-heap of the requests of one loop that have a deadline. Its room is made once: a connection has one request at a
 * time, so the connection limit bounds it. Loop thread only. */
struct request_internal;

struct deadlines {
    struct request_internal **at;
    size_t n, cap;
};

bool deadlines_init(struct deadlines *d, size_t cap);
void deadlines_free(struct deadlines *d);
void deadlines_set(struct deadlines *d, struct request_internal *in, int64_t mono_us);
void deadlines_remove(struct deadlines *d, struct request_internal *in); /* no-op when it has none */
struct request_internal *deadlines_due(struct deadlines *d, int64_t now_us); /* takes one that is due off, or NULL */
int64_t deadlines_next(const struct deadlines *d);                       /* INT64_MAX: none */

#endif
