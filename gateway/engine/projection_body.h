#ifndef WEIR_ENGINE_PROJECTION_BODY_H
#define WEIR_ENGINE_PROJECTION_BODY_H

#include "gateway/engine/fold.h"
#include "gateway/engine/read.h"

#define PROJECTION_STREAMS_MAX 256
#define PROJECTION_DESCRIPTION_MAX 1000 /* bytes */

/* The body of a PUT, and the text in which a definition is kept. */
struct projection_definition {
    struct slice *streams;       /* names, distinct, as written */
    size_t stream_n;
    struct slice key;            /* "subject" or a JSON Pointer into the event */
    bool dlq;                    /* on_error: an event that cannot be folded becomes a dead letter; else it stops the projection */
    enum read_from from;         /* start: READ_EARLIEST, READ_LATEST, READ_TIME */
    int64_t time_us;             /* READ_TIME */
    int64_t snapshot_every;      /* events of a subject; 0: no snapshots. Only with key "subject", one stream, from earliest */
    int64_t verify_every_us;     /* 0: not by itself */
    bool paused;
    struct slice description;    /* p == NULL: none */
    struct slice text;           /* everything but `paused` as one compact JSON object, defaults spelled out: to be kept, shown, parsed again */
    struct slice folded;         /* of what states are made of (streams, key, initial, on, start, indexes), compact: two definitions with the
                                    same one make the same states, so going from one to the other needs no new build */
    struct fold *fold;
};

/* All of it is in the arena; `text` is copied. ERR_BAD_JSON; ERR_BAD_BODY: not the members, or not their types and bounds;
 * ERR_BAD_DEFINITION: impossible. With a pointer. That the streams exist is for the caller to see. max_bytes: of a state, so of `initial`. */
enum err projection_definition_parse(struct arena *a, struct slice text, size_t max_bytes, struct projection_definition *ret,
                                     struct fault *f);

#endif
