#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"

/* A pull scanner for RFC 8259 (STD 90): strict grammar, UTF-8, no BOM, no lone surrogates; it validates what it passes
 * over, copies nothing and keeps numbers as the bytes that were sent. Bounded by `max_depth`, JSON_DEPTH at most. Pure. */
#define JSON_DEPTH 1024

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    const char *start, *p, *end;
    unsigned depth, max_depth;
    const char *error;        /* a sentence, once something was wrong; p stays at the offending byte */
    bool opened;              /* inside: no member or item was asked for since the last begin */
    bool line_breaks;         /* the value skipped last holds CR or LF between its tokens */
};

void json_begin(struct json *j, struct slice text, unsigned max_depth);
bool json_peek(struct json *j, enum json_type *ret); /* skips white space; false, with `error`, where no value begins */
bool json_value(struct json *j, struct slice *ret_raw); /* any value, validated whole; no outer white space */
bool json_scan_string(struct json *j, struct slice *ret_inside, bool *ret_escaped); /* between the quotes, still escaped */
bool json_object_begin(struct json *j);
bool json_object_next(struct json *j, struct slice *ret_key, bool *ret_escaped); /* false at '}' or on error */
bool json_array_begin(struct json *j);
bool json_array_next(struct json *j);                /* true: a value follows; false at ']' or on error */
bool json_end(struct json *j);                       /* only white space is left */
void json_where(const struct json *j, size_t *ret_line, size_t *ret_column); /* of p, from 1, in characters */

/* The characters of a string that was scanned; arena memory, or `inside` itself when nothing is escaped. */
bool json_unescape(struct arena *a, struct slice inside, bool escaped, struct slice *ret);
bool json_text(struct arena *a, struct slice raw, struct slice *ret); /* the same of a value; false: it is no string */
bool json_int64(struct slice number, int64_t *ret);  /* false unless an integer literal within 64 bits */

bool utf8_valid(struct slice s);
/* Both false with ret->p == NULL when memory is out, and with ret->p set when the text is malformed. */
bool base64_decode(struct arena *a, struct slice s, struct slice *ret);    /* RFC 4648 §4, padded, strict */
bool base64url_decode(struct arena *a, struct slice s, struct slice *ret); /* §5, unpadded, strict, canonical */
void base64url_encode(struct buf *b, struct slice s);

#endif
