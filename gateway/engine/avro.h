#ifndef WEIR_ENGINE_AVRO_H
#define WEIR_ENGINE_AVRO_H

#include "gateway/base/json_tree.h"
#include "gateway/engine/schema_text.h"

/* Avro schemas as of the specification 1.11: read, checked and written. Everything is in the arena that was given; pure.
 * Checked: types, names and namespaces, what is defined twice or not at all, fields, symbols, sizes, unions, and that defaults
 * are of their type (in a union, of its first branch). Logical types that do not fit are ignored, as the specification says. */
#define AVRO_DEPTH 256           /* of nested JSON */

enum avro_kind {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_RECORD,
    AVRO_ENUM,
    AVRO_FIXED,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION
};

struct avro_field {
    struct slice name;
    const struct avro_type *type;
    const struct json_node *json, *value; /* value: the default, or NULL */
};

/* A named type is one object, however often it is named: types may be recursive. */
struct avro_type {
    enum avro_kind kind;
    struct slice full, name, space;       /* of a record, enum or fixed; space.n == 0: none */
    const struct json_node *json;         /* where it is written: a name, an object or a union */
    struct slice origin;                  /* the reference that it is from; p == NULL: the schema itself */
    const struct avro_type **branch;      /* of a union; [0] of an array or map: its items */
    struct avro_field *field;             /* of a record */
    unsigned n;                           /* fields, branches, symbols */
    const struct json_node *symbols;      /* of an enum: strings */
    const struct slice *sorted;           /* they, ascending */
    const struct avro_type *in_union;     /* used by the parser */
    struct slice size;                    /* of a fixed, as spelled */
    unsigned id;                          /* within one parse, from 0 */
};

struct avro_schema {
    const struct avro_type *root;
    unsigned types;                       /* ids are below */
};

/* References are used in whatever order they need one another, by their name first. ERR_BAD_BODY with f->pointer and a
 * sentence; ERR_BAD_JSON; ERR_NO_MEMORY. */
enum err avro_parse(const struct schema_text *s, struct arena *a, const struct avro_schema **ret, struct fault *f);

enum avro_form {
    AVRO_COMPACT,                /* as the registry returns it: all attributes, in the order of the Java implementation */
    AVRO_NORMALIZED,             /* that, with full names and sorted attributes: equal for schemas that differ in spelling alone */
    AVRO_CANONICAL,              /* Parsing Canonical Form of the specification */
};

void avro_write(const struct avro_schema *s, enum avro_form form, struct buf *out);

bool avro_has_symbol(const struct avro_type *t, struct slice symbol);
const char *avro_kind_name(enum avro_kind kind);
bool avro_named(enum avro_kind kind);
struct slice avro_pointer(const struct avro_type *t, struct arena *a); /* within a reference: "<name>#/fields/0" */
/* Is `full` one of the aliases of t? They are within its namespace unless they have a dot. */
bool avro_alias_is(const struct avro_type *t, struct slice full);

#endif
