#ifndef WEIR_ENGINE_CURSOR_H
#define WEIR_ENGINE_CURSOR_H

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/err.h"

#define PARTITIONS_MAX 64
#define CURSOR_TEXT 2049 /* with the NUL */
#define CURSOR_BYTES 1536 /* as many characters at most */
#define CURSOR_CHECKSUM 4

/* A position in a stream: for each partition the last offset that has been seen (0: none). As text: base64url of
 *   version (1)  kind  name hash u32  stream id u64  count varint  (positions as varints | pairs partition, position)  checksum u32
 * with integers little-endian. The stream's id is its incarnation, the hash tells a foreign stream from a deleted one. */
struct cursor {
    bool partial;                     /* a receipt's: only these partitions, in the order given */
    int count;
    int32_t partition[PARTITIONS_MAX];/* partial only */
    int64_t pos[PARTITIONS_MAX];
};

/* out holds CURSOR_TEXT bytes; returns the length. */
size_t cursor_format(const struct cursor *c, struct slice stream, int64_t stream_id, char *out);

/* ERR_BAD_CURSOR, ERR_CURSOR_FOREIGN (a cursor of several streams too), ERR_CURSOR_UNKNOWN (another incarnation). Does not know
 * the stream's heads. */
enum err cursor_parse(struct slice text, struct slice stream, int64_t stream_id, struct cursor *ret, struct fault *f);

/* The positions of all partitions of a stream. As cursor_parse; ERR_CURSOR_PARTIAL: it names some of several partitions. */
enum err cursor_positions(struct slice text, struct slice stream, int64_t stream_id, int partitions, int64_t *ret_pos,
                          struct fault *f);

/* What both versions are wrapped in: n bytes and their checksum, which there must be room for, as text. Returns its length. */
size_t cursor_seal(unsigned char *bytes, size_t n, char *out);
/* Back into bytes (CURSOR_BYTES of them); their number without the checksum; 0: it is none. */
size_t cursor_unseal(struct slice text, unsigned char *bytes);

#endif
