#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stdint.h>

#include "gateway/base/slice.h"

/* A growing byte buffer on the heap. Errors (memory, `limit` exceeded) are sticky in `failed`: append freely, test
 * once at the end. Zero-initialised it is empty and unlimited. */
struct buf {
    char *p;
    size_t n, cap, limit;
    bool failed;
};

void buf_free(struct buf *b);                      /* NULL-safe; leaves an empty buffer */
void buf_reset(struct buf *b);                     /* keeps the memory */
bool buf_reserve(struct buf *b, size_t more);      /* room for `more` bytes at p + n */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_slice(struct buf *b, struct slice s);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_json_string(struct buf *b, struct slice s); /* with quotes, escaped by RFC 8259; s is valid UTF-8 */
void buf_pointer_token(struct buf *b, struct slice s); /* of a JSON Pointer, after its slash: '~' and '/' escaped */
void buf_base64(struct buf *b, struct slice s);      /* standard alphabet, padded */
/* A further member of a JSON object: ,"name":value. The name needs no escape. */
void buf_member_text(struct buf *b, const char *name, struct slice value); /* p == NULL: null */
void buf_member_time(struct buf *b, const char *name, int64_t unix_us);
char *buf_take(struct buf *b, size_t *ret_n);        /* the caller frees; NULL if failed */

#define BUF_LIT(b, literal) buf_put((b), "" literal, sizeof(literal) - 1)

#endif
