#ifndef WEIR_ENGINE_COMPAT_H
#define WEIR_ENGINE_COMPAT_H

#include "gateway/base/arena.h"
#include "gateway/base/err.h"
#include "gateway/engine/schema_text.h"

/* Can what was written by one schema be read by another? Pure; all that is returned is in the arena.
 *
 * Avro: resolution of reader and writer by the specification 1.11. JSON Schema: every document that is valid under the
 * writer's schema is to be valid under the reader's. That is proved keyword by keyword, with what is known of the document
 * from the writer's schema; what cannot be proved is incompatible, and says so. (So "compatible" is always right,
 * "incompatible" is sometimes too strict.) One exception, which the readers' side makes good: a property that becomes required
 * together with a default. */
#define COMPAT_DEPTH 256         /* of nested JSON */
#define COMPAT_STEPS 1000000     /* of work; a comparison that takes more is incompatible */

enum compat_level {
    COMPAT_NONE,
    COMPAT_BACKWARD,             /* the new schema reads what the latest one wrote */
    COMPAT_FORWARD,              /* the latest one reads what the new one writes */
    COMPAT_FULL,                 /* both */
    COMPAT_BACKWARD_TRANSITIVE,  /* and so on, with all versions */
    COMPAT_FORWARD_TRANSITIVE,
    COMPAT_FULL_TRANSITIVE,
    COMPAT_LEVELS
};

extern const char *const compat_level_names[COMPAT_LEVELS];

struct compat_finding {
    const char *rule;                        /* Confluent's names, where there is one */
    struct slice old_pointer, new_pointer;   /* into the schemas; in what a reference brings: "<name>#/…" */
    struct slice detail;                     /* a sentence */
    struct slice counterexample;             /* JSON Schema: the writer's takes it, the reader's does not; p == NULL: none found */
    size_t version;                          /* compat_check_level: index in `earlier` of the schema that it does not fit */
};

/* At most max findings; *ret_n == 0: compatible. The reader is taken as the new one. ERR_BAD_BODY (Avro), ERR_BAD_JSON:
 * a schema that is none. */
enum err compat_check(enum schema_type type, const struct schema_text *reader, const struct schema_text *writer, struct arena *a,
                      struct compat_finding *ret, size_t max, size_t *ret_n, struct fault *f);

/* The candidate against the earlier versions, oldest first, as the level wants it. */
enum err compat_check_level(enum compat_level level, enum schema_type type, const struct schema_text *candidate,
                            const struct schema_text *earlier, size_t n, struct arena *a, struct compat_finding *ret, size_t max,
                            size_t *ret_n, struct fault *f);

#endif
