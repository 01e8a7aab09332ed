#ifndef WEIR_BASE_JSON_HASH_H
#define WEIR_BASE_JSON_HASH_H

#include <stdint.h>

#include "gateway/base/arena.h"

/* Hashes of values for looking them up: FNV-1a, at the end the finalizer of SplitMix64 (Steele, Lea, Flood 2014). The same in every
 * release, for they are stored (weir.projection_states.lookup, weir.saga_waits.hash). Who has equal hashes has still to be compared.
 *
 *   json_hash_end(json_hash_string(json_hash_bytes(JSON_HASH_BEGIN, …), …)) */
#define JSON_HASH_BEGIN UINT64_C(0xCBF29CE484222325)

uint64_t json_hash_bytes(uint64_t h, struct slice s);
/* As the JSON string of these characters. */
uint64_t json_hash_string(uint64_t h, struct slice characters);
/* The same for equal values (json_values_equal): 1.0 is 1, however a string is escaped, in whatever order an object's members stand.
 * json is valid, without white space around it. false: out of memory. */
bool json_hash_value(struct arena *a, uint64_t *h, struct slice json);
int64_t json_hash_end(uint64_t h);

#endif
