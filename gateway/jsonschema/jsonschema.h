#ifndef WEIR_JSONSCHEMA_JSONSCHEMA_H
#define WEIR_JSONSCHEMA_JSONSCHEMA_H

#include "gateway/base/arena.h"
#include "gateway/base/err.h"

/* JSON Schema, drafts 4, 6, 7, 2019-09 and 2020-12: a schema is compiled once into flat instructions, with every reference
 * resolved, and then checks texts of JSON. Pure: no I/O, nothing is ever fetched, no state besides what is passed in.
 *
 * `format` asserts in drafts 4 to 7, and under a metaschema that requires the vocabulary of format assertion; content* never.
 * Regular expressions are those of ECMA-262 as PCRE2 knows them. Numbers are compared as they are written, without rounding.
 * An object with two members of one name is refused: which one counts is not defined. */
enum draft { DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019_09, DRAFT_2020_12 };

enum {
    JSONSCHEMA_TEXT = 4 << 20,       /* bytes of a schema, and of each document that it may name */
    JSONSCHEMA_DOCUMENTS = 16 << 20, /* bytes of all that are read for one */
    JSONSCHEMA_BLOCKS = 100 * 1000,  /* subschemas that it reaches */
    JSONSCHEMA_MEMORY = 256 << 20,   /* bytes that compiling may take, and what is compiled */
    JSONSCHEMA_REGEX = 8 << 10,      /* bytes of a regular expression */
    JSONSCHEMA_REGEXES = 8 << 20,    /* bytes of all of them, compiled */
    JSONSCHEMA_INSTANCE = 64 << 20,  /* bytes of a text that is checked */
    JSONSCHEMA_DEPTH = 128,          /* levels of nesting of either */
    JSONSCHEMA_CALLS = 256,          /* subschemas within subschemas while checking */
    JSONSCHEMA_STEPS = 4 << 20,      /* instructions, comparisons and the like for one text, */
    JSONSCHEMA_STEPS_BYTE = 16,      /* and for each byte of it */
};

struct jsonschema;                   /* compiled: immutable, for any number of threads */

/* What $ref may name besides the schema itself and the metaschemas, which are built in. A uri without scheme is resolved against
 * the schema's own $id. The texts are copied. */
struct jsonschema_document {
    struct slice uri, text;
};

/* *ret is the caller's. `unless_said` is the draft of a schema without $schema. ERR_BAD_BODY with a pointer into the schema and
 * a sentence: not JSON, not a schema, a reference that leads nowhere or round in a circle, too large. ERR_NO_MEMORY. */
enum err jsonschema_compile(struct slice text, enum draft unless_said, const struct jsonschema_document *docs, size_t n,
                            struct jsonschema **ret, struct fault *f);
void jsonschema_free(struct jsonschema *s);              /* NULL-safe */
size_t jsonschema_memory(const struct jsonschema *s);    /* bytes that it holds, for caches */
enum draft jsonschema_draft(const struct jsonschema *s); /* of the schema itself */

/* By $schema. *ret stays where that names no version; false: it is none of the five. */
bool jsonschema_draft_named(struct slice uri, enum draft *ret);

/* Checks raw bytes. Where they do not conform, the pointer of a finding leads to the value in the text: for required to the object
 * that lacks the member, for additionalProperties and the like to the member that is too much. Its schema_pointer leads to the keyword
 * in the schema; in another document its URI and # stand before it. Where no branch of anyOf or oneOf fits, one finding says so,
 * followed by those of the branch that came closest.
 *
 * OK with *ret_n == 0: they conform; *ret_n > 0: they do not. With max > 0 a second pass writes up to max findings (a member that is
 * required and missing, a keyword that fails: one each), whose texts are in the arena, which may be NULL otherwise. ERR_BAD_JSON with
 * the pointer "" and a sentence; ERR_SCHEMA_LIMIT: more work or nesting than is allowed; ERR_NO_MEMORY. */
enum err jsonschema_validate(const struct jsonschema *s, struct slice json, struct arena *a, struct finding *ret, size_t max,
                             size_t *ret_n, struct fault *f);
/* For yes or no alone, within the steps that *steps holds, of which those that it takes are taken off. */
enum err jsonschema_conforms(const struct jsonschema *s, struct slice json, int64_t *steps, bool *ret);

#endif
