#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* 63 random bits, never 0: an id that is never mistaken for another, on any server, without a sequence. Any thread. */
bool random_id(int64_t *ret);
bool random_uuid(uint8_t ret[16]); /* 128 random bits; no version is set */

#endif
