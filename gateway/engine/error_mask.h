#ifndef WEIR_ENGINE_ERROR_MASK_H
#define WEIR_ENGINE_ERROR_MASK_H

#include "gateway/base/buf.h"

/* Appends an error message with its variable parts replaced, so that equal failures read alike and can be counted under one fingerprint:
 *
 *   numbers #   UUIDs <uuid>   hexadecimal <hex>   addresses <ip>   e-mail <email>   dates and times <time>   long random words <token>
 *   "…" '…' `…` for what is quoted, =(…) for PostgreSQL's values of a key, https://host/… for what follows the host of a URL (before it,
 *   a password is left out); white space becomes one blank.
 *
 * Linear time; at most ERROR_MASKED_MAX bytes, cut between characters. The message is UTF-8. Pure; any thread.
 * The idea is how log templates are mined: constants stay, parameters become wildcards (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing
 * Approach with Fixed Depth Tree", ICWS 2017, and its masking by patterns before clustering). */
#define ERROR_MASKED_MAX 500

void error_mask(struct buf *out, struct slice message);

#endif
