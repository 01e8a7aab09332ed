#ifndef WEIR_ENGINE_DLQ_SCHEMA_H
#define WEIR_ENGINE_DLQ_SCHEMA_H

#include "gateway/engine/dlq.h"
#include "gateway/engine/validate.h"

/* Dead letters against their schemas as they are now. Both block. */

/* Where the stream enforces schemas, ERR_SCHEMA_VIOLATION: the pointers lead into the letter's data. */
enum err dlq_conforms(struct schema_cache *c, struct db *db, struct arena *a, const struct stream_row *stream,
                      const struct letter_row *l, struct fault *f);

/* How many of the first `matched` letters that the filter means do not conform; none where the stream validates none. *ret_checked: how
 * many were looked at, DLQ_CHECKED_MAX at most, and as many as ten seconds allow. */
#define DLQ_CHECKED_MAX 100000
enum err dlq_failing(struct schema_cache *c, struct db *db, const struct stream_row *stream, const struct letter_filter *filter,
                     int64_t matched, int64_t *ret_checked, int64_t *ret_failing, struct fault *f);

#endif
