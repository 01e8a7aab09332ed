#ifndef WEIR_JSONSCHEMA_METASCHEMAS_H
#define WEIR_JSONSCHEMA_METASCHEMAS_H

#include <stddef.h>

/* The metaschemas of all drafts and their vocabularies, for $ref: generated from gateway/jsonschema/metaschemas. */
struct metaschema {
    const char *uri;             /* without # */
    const char *text;
};

extern const struct metaschema metaschemas[];
extern const size_t metaschema_count;

#endif
