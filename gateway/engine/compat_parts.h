#ifndef WEIR_ENGINE_COMPAT_PARTS_H
#define WEIR_ENGINE_COMPAT_PARTS_H

#include "gateway/engine/compat.h"

/* What compat.c shares with the two comparisons. Findings beyond `max` are not kept. */
struct compat_report {
    struct arena *arena;
    struct compat_finding *v;
    size_t n, max;
    bool no_memory;
};

/* Appends one; NULL: no room, or no memory. */
struct compat_finding *compat_add(struct compat_report *r, const char *rule, struct slice old_pointer, struct slice new_pointer,
                                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

enum err compat_avro(const struct schema_text *reader, const struct schema_text *writer, struct compat_report *r, struct fault *f);
enum err compat_json(const struct schema_text *reader, const struct schema_text *writer, struct compat_report *r, struct fault *f);

#endif
