#ifndef WEIR_ENGINE_AVRO_PARSE_H
#define WEIR_ENGINE_AVRO_PARSE_H

#include "gateway/base/decimal.h"
#include "gateway/engine/avro.h"

/* What avro.c shares with avro_names.c and avro_default.c. */

/* Names are looked up among all that are defined so far, in a table that doubles. */
struct avro_names {
    struct avro_type **slot;
    size_t n, cap;               /* cap: a power of two, or 0 */
};

struct avro_reader {
    struct arena *arena;
    struct fault *fault;
    struct avro_names names;
    const struct schema_text *source;
    unsigned char *state;        /* of each reference */
    struct slice origin;         /* the reference being read */
    unsigned types, nested;
    struct avro_pending *pending;
    enum err error;
};

/* Defaults are checked when all types are known. */
struct avro_pending {
    struct avro_pending *next;
    const struct avro_field *field;
    struct slice origin;
};

extern const char *const avro_kind_names[];

/* Both return NULL, which is what all readers return when they fail. */
void *avro_refuse(struct avro_reader *r, const struct json_node *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void *avro_no_memory(struct avro_reader *r);

bool avro_name_valid(struct slice s);
struct slice avro_join(struct avro_reader *r, struct slice space, struct slice name); /* p == NULL: no memory */
struct avro_type *avro_find_full(const struct avro_reader *r, struct slice full);
/* Sets full, name and space of a type that is being defined, and defines it; `space` is the enclosing namespace. */
bool avro_read_name(struct avro_reader *r, struct avro_type *t, struct slice space);
bool avro_read_aliases(struct avro_reader *r, const struct json_node *of, bool field);

/* Does the value fit the type? Missing members of a record are right where their field has a default. Why not is in *ret_why.
 * */
bool avro_default_fits(const struct avro_type *t, const struct json_node *value, const char **ret_why);

#endif
