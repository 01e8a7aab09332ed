#ifndef WEIR_ENGINE_CURSOR_MANY_H
#define WEIR_ENGINE_CURSOR_MANY_H

#include "gateway/engine/cursor.h"

/* A position in several streams at once: version 2 of the cursor's text, at most CURSOR_TEXT - 1 characters. base64url of
 *   version (2)  kind (2)  digest u32  bits…  checksum u32
 * The bits: width 2, salt 4, streams 9, order 6; for each stream its partitions less one (exponential Golomb, order 0); the prints,
 * sorted, as differences (Rice, parameter by width and number of streams); for each partition its offset (exponential Golomb of
 * the order given); zeros to the byte. (Golomb 1966, Rice 1979, Teuhola 1978.)
 *
 * A print stands for a stream's id: the upper `width` bits of a mix of id and salt. 256 ids of 63 bits would not fit, so there are
 * narrower prints for many streams; the salt keeps them distinct. The digest is of all ids: when all prints are found again it
 * proves that they are the same streams. Always fits: 256 streams of one partition with offsets below 2^27, 4 of 64 with 2^44. */
#define CURSOR_PARTS_MAX 256 /* partitions, and so streams */
#define CURSOR_MANY_OFFSET (INT64_C(1) << 27)

struct cursor_stream {
    uint64_t print;
    int32_t partitions;
    size_t first;                /* of its positions */
};

struct cursor_many {
    int width, salt;             /* width: an index of the widths, the widest first */
    uint32_t digest;
    size_t n;
    struct cursor_stream v[CURSOR_PARTS_MAX]; /* sorted by print, which are distinct */
};

/* Of n streams with these ids, partitions and first positions; widest prints. Reused as long as the streams stay the same. */
struct cursor_id {
    int64_t stream_id;
    int32_t partitions;
    size_t first;
};
void cursor_many_make(struct cursor_many *c, const struct cursor_id *ids, size_t n);
/* out holds CURSOR_TEXT bytes; returns the length, or 0: it would be longer even with the narrowest prints. ids, n: as for
 * cursor_many_make, which is called again for a narrower print. */
size_t cursor_many_format(struct cursor_many *c, const struct cursor_id *ids, size_t n, const int64_t *pos, char *out);

/* The streams stand as they were made, `first` counting on from 0 in ret_pos, which holds CURSOR_PARTS_MAX. Every text has one
 * spelling: what is read formats to the same. ERR_BAD_CURSOR; ERR_CURSOR_FOREIGN: a cursor of one stream. */
enum err cursor_many_parse(struct slice text, struct cursor_many *ret, int64_t *ret_pos, struct fault *f);
/* The text of what was parsed; 0: too long. */
size_t cursor_many_text(const struct cursor_many *c, const int64_t *pos, char *out);

uint64_t cursor_print(const struct cursor_many *c, int64_t stream_id);
const struct cursor_stream *cursor_many_find(const struct cursor_many *c, int64_t stream_id); /* NULL: it is not there */
uint32_t cursor_digest(uint32_t digest, int64_t stream_id); /* adds a stream; the order does not matter; begin with 0 */

#endif
