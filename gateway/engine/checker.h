#ifndef WEIR_ENGINE_CHECKER_H
#define WEIR_ENGINE_CHECKER_H

#include <stdatomic.h>

#include "gateway/engine/avro.h"
#include "gateway/engine/event.h"
#include "gateway/engine/schemas.h"

/* A schema of the registry, ready to check events: immutable, for any number of threads, by reference count. */
enum checker_kind {
    CHECKER_NONE,                /* the subject has no version, or the schema that was asked for is none of its versions */
    CHECKER_JSON,
    CHECKER_AVRO,
    CHECKER_UNUSABLE             /* it is stored, but does not compile (any more): `why` */
};

struct checker {
    atomic_int refs;
    enum checker_kind kind;
    int id, version;
    struct slice text, refs_text; /* as they were stored */
    struct jsonschema *json;
    const struct avro_schema *avro;
    struct fault why;
    struct arena *arena;         /* holds all of it */
    size_t bytes;
};

/* From a stored row; row NULL: none. Blocks: it reads what the schema refers to. */
enum err checker_new(const struct config *c, struct db *db, const struct schema_row *row, struct checker **ret,
                     struct fault *f);
bool checker_is_of(const struct checker *c, const struct schema_row *row); /* it would be the same */
struct checker *checker_ref(struct checker *c);
void checker_unref(struct checker *c); /* NULL-safe */

/* What is published in the wire format of Confluent's serializers: a zero byte, the id of the schema (4 bytes, greatest first), the
 * datum. false: these bytes are not. */
bool checker_frame(struct slice bytes, int *ret_id, struct slice *ret_datum);

/* *ret_n: findings, at most max, in the arena; their pointers lead into the event's data. *ret_n == 0: it conforms. With max == 0 it is
 * 1 when it does not. What takes more than JSONSCHEMA_STEPS does not conform. named: the event says by its dataschema which schema it
 * is, so that the bytes of Avro have no frame.
 * *steps: what the check may take, less what it took. ERR_SCHEMA_LIMIT: they were not enough. ERR_NO_MEMORY. */
enum err checker_check(const struct checker *c, const struct event *ev, bool named, int64_t *steps, struct arena *a,
                       struct finding *ret, size_t max, size_t *ret_n);

#endif
