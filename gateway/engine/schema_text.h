#ifndef WEIR_ENGINE_SCHEMA_TEXT_H
#define WEIR_ENGINE_SCHEMA_TEXT_H

#include "gateway/base/slice.h"

enum schema_type { SCHEMA_AVRO, SCHEMA_JSON };

/* What a schema may name besides itself: a type's full name (Avro), or the URI of a document (JSON Schema). */
struct schema_reference {
    struct slice name, text;
};

struct schema_text {
    struct slice text;
    const struct schema_reference *refs;
    size_t n;
};

#endif
