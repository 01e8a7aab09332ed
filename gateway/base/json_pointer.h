#ifndef WEIR_BASE_JSON_POINTER_H
#define WEIR_BASE_JSON_POINTER_H

#include "gateway/base/arena.h"

/* JSON Pointers (RFC 6901) into valid JSON texts. Pure. Of the members of one name the last one counts. An array index is `0` or
 * digits that do not begin with 0; `-` is the place behind the last item. */
struct json_spot {
    struct slice value;          /* what the pointer leads to; p == NULL: nothing */
    struct slice parent;         /* the object or array that holds it, or could; p == NULL: there is none, or it is the whole value */
    const char *insert;          /* with a parent: where a new entry goes, */
    bool behind;                 /* behind another one, */
    bool before;                 /* or before another one */
};

bool json_pointer_valid(struct slice pointer);             /* its syntax; unescaped from its JSON string */
unsigned json_pointer_depth(struct slice pointer);         /* containers that it leads through */
bool json_pointer_inside(struct slice outer, struct slice pointer); /* does it lead to something within what `outer` leads to? */
struct slice json_pointer_last(struct slice pointer);      /* its last token, as it stands there */
bool json_token_is(struct slice token, struct slice name);
/* Walks the text once. Only names with escapes take memory; false: out of it. */
bool json_pointer_find(struct arena *a, struct slice text, struct slice pointer, struct json_spot *ret);

#endif
