#ifndef WEIR_ENGINE_AVRO_DATA_H
#define WEIR_ENGINE_AVRO_DATA_H

#include "gateway/base/err.h"
#include "gateway/engine/avro.h"

/* Is this one datum in the binary encoding of Avro 1.11, written with this schema, and nothing after it? Pure.
 * Bounded: nesting, and a step for each value, of which there may be many without a byte (an array of nulls). */
#define AVRO_DATA_DEPTH 128

/* *ret_good: it is. Otherwise *ret says where (a pointer of field names, indexes, keys) and why; its texts are in the arena,
 * which may be NULL: then *ret is left alone.
 * *steps: what it may take, less what it took. ERR_SCHEMA_LIMIT: they were not enough. ERR_NO_MEMORY. */
enum err avro_data_check(const struct avro_schema *s, struct slice bytes, int64_t *steps, struct arena *a, struct finding *ret,
                         bool *ret_good);

#endif
