#ifndef WEIR_JSONSCHEMA_REGEX_H
#define WEIR_JSONSCHEMA_REGEX_H

#include "gateway/base/buf.h"

/* A regular expression of ECMA-262 (flag u; any punctuation may be escaped, and braces and brackets that cannot mean anything
 * are themselves) as PCRE2 writes it. NULL, or what is wrong with it. */
const char *regex_translate(struct slice text, struct buf *out);

#endif
