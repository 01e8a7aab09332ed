#ifndef WEIR_ENGINE_AVRO_DATA_H
#define WEIR_ENGINE_AVRO_DATA_H

#include "gateway/base/err.h"
#include "gateway/engine/avro.h"

/* Is this one datum in the binary encoding of Avro 1.11, written with this schema, and nothing after it? Pure.
 * Bounded: nesting, and a step for each value, of which there may be many without a byte (an array of nulls). */
#define AVRO_DATA_DEPTH 128
#define AVRO_DATA_STEPS (1 << 20) /* and one for each byte */

/* *ret_good: it is. Otherwise *ret says where (a pointer of field names, indexes, keys) and why; its texts are in the arena.
 * ERR_NO_MEMORY. */
enum err avro_data_check(const struct avro_schema *s, struct slice bytes, struct arena *a, struct finding *ret, bool *ret_good);

#endif
