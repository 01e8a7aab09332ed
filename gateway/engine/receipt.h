#ifndef WEIR_ENGINE_RECEIPT_H
#define WEIR_ENGINE_RECEIPT_H

#include "gateway/engine/event.h"
#include "gateway/engine/streams.h"

/* What whoever published an event gets to know: {"id","stream","partition","offset","version"?,"cursor","duplicate"}. */
void receipt_put(struct buf *b, const struct stream *stream, const struct event *ev);

#endif
