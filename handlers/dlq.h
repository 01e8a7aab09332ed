#ifndef WEIR_HANDLERS_DLQ_H
#define WEIR_HANDLERS_DLQ_H

#include "gateway/engine/dlq.h"
#include "gateway/http/request.h"

/* What the handlers of dead letters share. */

/* The path's letter id; what is none names no letter: ERR_UNKNOWN_LETTER. */
enum err letter_path_id(struct request *rq, uint8_t ret[16]);

#endif
