#ifndef WEIR_BASE_UUID_H
#define WEIR_BASE_UUID_H

#include <stdint.h>

#include "gateway/base/slice.h"

/* RFC 9562 as text: 36 characters, lower case; read in either case. */
#define UUID_TEXT 37
void uuid_format(const uint8_t id[16], char out[UUID_TEXT]);
bool uuid_parse(struct slice s, uint8_t ret[16]);
int64_t uuid7_ms(const uint8_t id[16]); /* unix milliseconds of a UUIDv7 */

/* The same 16 bytes as 32 hexadecimal digits, without hyphens. */
#define HEX16_TEXT 33
void hex16_format(const uint8_t id[16], char out[HEX16_TEXT]);
bool hex16_parse(struct slice s, uint8_t ret[16]);

#endif
