#ifndef WEIR_REPLAY_BINARY_H
#define WEIR_REPLAY_BINARY_H

#include "gateway/base/arena.h"
#include "gateway/base/slice.h"

#define BINARY_HEADERS 96 /* attributes of an event, and two of the request */

/* An event of JSON as a request in binary mode (CloudEvents HTTP binding, 3.1), whose receipt says the same. */
struct replay_binary {
    struct arena *arena;
    const char *headers[BINARY_HEADERS + 1]; /* NULL at the end */
    size_t n;
    struct slice body;
};

/* false: memory is out, or it would not be the same event: an attribute that is no string, or data without datacontenttype.
 * Free it in any case. event: text that a gateway has answered. */
bool replay_binary_make(struct replay_binary *b, struct slice event);
void replay_binary_free(struct replay_binary *b);

#endif
