#ifndef WEIR_JSONSCHEMA_PLAIN_H
#define WEIR_JSONSCHEMA_PLAIN_H

#include <stdint.h>

#include "gateway/base/slice.h"

/* Regular expressions that need no backtracking, as most in schemas are: a row of characters and classes, each repeated, between
 * ^ and $ or one of them, where what follows a repetition cannot be taken for more of it. Pure; linear in the text. */
enum { PLAIN_ATOMS = 24 };

struct plain {
    bool begins, ends;           /* ^ and $ */
    uint32_t n;
    struct plain_atom {
        uint64_t ascii[2];       /* a bit for each character that belongs to it */
        bool others;             /* all above ASCII do as well */
        uint32_t min, max;
    } atoms[PLAIN_ATOMS];
};

bool plain_compile(struct slice text, struct plain *ret); /* false: it is none of these */
bool plain_matches(const struct plain *p, struct slice s);

#endif
