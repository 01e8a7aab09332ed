#ifndef WEIR_ENGINE_SCHEMAS_H
#define WEIR_ENGINE_SCHEMAS_H

#include "db/schemas.h"
#include "gateway/base/config.h"
#include "gateway/engine/compat.h"
#include "gateway/engine/outbox.h"

/* The schema registry, as the protocol of Confluent's has it (docs/schema-registry.md). Functions that take a struct db block; texts
 * that they return are in the arena. Errors are ERR_REGISTRY with one of these codes in fault.registry, of which the first three
 * digits are the HTTP status, or those of the database. */
enum schema_code {
    SCHEMA_NO_SUBJECT = 40401,
    SCHEMA_NO_VERSION = 40402,
    SCHEMA_NONE = 40403,
    SCHEMA_SUBJECT_DELETED = 40404,      /* softly, already */
    SCHEMA_SUBJECT_NOT_DELETED = 40405,  /* for good only after softly */
    SCHEMA_VERSION_DELETED = 40406,
    SCHEMA_VERSION_NOT_DELETED = 40407,
    SCHEMA_NO_LEVEL = 40408,             /* of its own */
    SCHEMA_NO_MODE = 40409,
    SCHEMA_NO_CONTRACT = 40410,
    SCHEMA_INCOMPATIBLE = 40901,
    SCHEMA_BREAKS_CONTRACT = 40902,
    SCHEMA_INVALID = 42201,
    SCHEMA_BAD_VERSION = 42202,
    SCHEMA_BAD_LEVEL = 42203,
    SCHEMA_BAD_MODE = 42204,
    SCHEMA_NOT_PERMITTED = 42205,
    SCHEMA_REFERENCED = 42206,
    SCHEMA_OTHER_ID = 42207,
    SCHEMA_BAD_SUBJECT = 42208,
    SCHEMA_TOO_LARGE = 42209
};
#define SCHEMA_IMPORT_AHEAD 1000000       /* as far above the next id one that is imported may lie: nobody uses them up for all */
enum err schema_fault(struct fault *f, enum schema_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What a gateway knows of it: that something has changed, here or on another gateway, at the latest registry.poll ago. Why the counter
 * is polled: docs/decisions/0009-schema-registry.md */
struct schemas;
struct schemas *schemas_start(const struct config *c, const struct db_config *db, struct outbox *outbox); /* NULL: no memory */
void schemas_stop(struct schemas *s);                       /* NULL-safe */
int64_t schemas_changes(const struct schemas *s);           /* any thread: what was cached under another number is to be read again */
/* What keeps a worker busy for seconds: of worker.threads a quarter may look through much at once (dry runs, matrices, lists of schemas),
 * half may compare, and one in any case. ERR_OVERLOADED: as many do. Any thread. */
enum schemas_long { LONG_READING, LONG_COMPARING, LONG_KINDS };
enum err schemas_long_begin(struct schemas *s, enum schemas_long kind, struct fault *f);
void schemas_long_end(struct schemas *s, enum schemas_long kind);
void schemas_changed(struct schemas *s, struct db *db);     /* after a commit of what is below: known here at once */

/* --- names and words --- */
#define SCHEMA_SUBJECT_BYTES 500
#define SCHEMA_CONTEXT_BYTES 200
#define SCHEMA_DEFAULT_CONTEXT "."
/* "orders-value", or ":.context:orders-value". */
enum err schema_subject_parse(struct slice text, struct schema_subject *ret, struct fault *f);
#define SCHEMA_NAME_BYTES (SCHEMA_CONTEXT_BYTES + SCHEMA_SUBJECT_BYTES + 4)
/* As it is answered: the subject's own bytes, or in `room`. */
struct slice schema_subject_name(const struct schema_subject *s, char room[SCHEMA_NAME_BYTES]);
/* The same, in the arena. p == NULL: no memory. */
struct slice schema_subject_text(struct arena *a, const struct schema_subject *s);
enum err schema_version_parse(struct slice text, int *ret, struct fault *f); /* "latest" and "-1" are 0 */
extern const char *const schema_type_names[];                /* enum schema_type */
extern const char *const schema_mode_names[];
#define SCHEMA_TYPES 2
#define SCHEMA_MODES 3
enum err schema_level_parse(struct slice text, int *ret, struct fault *f); /* in any case, as the next */
enum err schema_mode_parse(struct slice text, int *ret, struct fault *f);

/* --- what is sent --- */
struct schema_named {
    struct slice name;
    struct slice subject_text;
    struct schema_subject subject;
    int version;                  /* 0: the latest */
};
/* What it means in a schema of this context: that is where a reference without one points. */
struct schema_subject schema_target(const struct schema_named *r, struct slice context);
struct schema_body {
    struct slice text;
    int type;                     /* enum schema_type */
    struct schema_named *refs;
    size_t n;
    struct slice metadata, rule_set; /* JSON, as sent; p == NULL: none */
    int id, version;              /* 0: none */
    bool force;                   /* of a rollback */
    bool refs_deleted;            /* of who looks a schema up: references may be to what was deleted softly */
};
#define SCHEMA_BODY_DEPTH 128     /* of metadata and rules, and of members that mean nothing here */
/* Unknown members are passed over. ERR_BAD_JSON, ERR_BAD_BODY, ERR_REGISTRY. */
enum err schema_body_parse(struct arena *a, struct slice text, struct schema_body *ret, struct fault *f);
enum err schema_refs_parse(struct arena *a, struct slice text, struct schema_body *ret, struct fault *f); /* the array alone */
/* A string member of a JSON object; p == NULL: it has none. The whole object is looked through. */
enum err schema_member_parse(struct arena *a, struct slice text, const char *name, struct slice *ret, struct fault *f);
/* The same of an integer of 32 bits. */
enum err schema_integer_parse(struct slice text, const char *name, int absent, int *ret, struct fault *f);

/* A schema that was found valid, with what it refers to. */
struct schema_candidate {
    struct schema_row row;        /* as it is to be kept; id and version 0 */
    struct slice digest;          /* of its content */
    struct schema_version *refs;  /* what it names itself */
    size_t n;
    struct schema_text whole;     /* with everything that it refers to, also through others */
};
/* SCHEMA_INVALID with where and why, SCHEMA_TOO_LARGE. What is returned lives as long as the arena, beside it. */
enum err schema_prepare(const struct config *c, struct db *db, struct arena *a, const struct schema_subject *s,
                        const struct schema_body *body, bool normalize, struct schema_candidate *ret, struct fault *f);
/* A stored row with everything that it refers to. */
enum err schema_whole(const struct config *c, struct db *db, struct arena *a, const struct schema_row *row, struct schema_text *ret,
                      struct fault *f);
#define SCHEMA_WHOLE_BYTES ((size_t)16 << 20) /* of a schema with what it refers to */
#define SCHEMA_WORK_BYTES ((size_t)256 << 20) /* of memory to look through a schema or to compare two: some 100 a value in them */
#define SCHEMA_NAMED_MAX 10000                /* references in a body; the setting registry.references cannot be higher */
/* For ERR_NO_MEMORY: SCHEMA_TOO_LARGE if it was `work`, of so many bytes, that was full. */
enum err schema_no_room(const struct arena *work, struct fault *f);

/* --- reading --- */
enum err schemas_get(struct db *db, struct arena *a, const struct schema_subject *s, int version, bool deleted,
                     struct schema_row *ret, struct fault *f);
enum err schemas_newest(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span,
                        struct schema_row **ret, size_t *ret_n, struct fault *f); /* not deleted; *ret_n: 0 or 1 */
enum err schemas_between(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, bool deleted,
                         int64_t limit, struct schema_row **ret, size_t *ret_n, struct fault *f); /* newest first */
/* The schema of an id, in this context or else in any: subject.name is empty. SCHEMA_NONE */
enum err schemas_content(struct db *db, struct arena *a, struct slice context, int64_t id, struct schema_row *ret, struct fault *f);
/* The versions that have it, after one of them, by subject and version. */
enum err schemas_uses(struct db *db, struct arena *a, const struct schema_row *row, const struct schema_version *after,
                      int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f);
/* The latest version whose metadata have all these properties. SCHEMA_NONE */
struct schema_property {
    struct slice name, value;
};
enum err schemas_with(struct db *db, struct arena *a, const struct schema_subject *s, const struct schema_property *wanted,
                      size_t n, bool deleted, struct schema_row *ret, struct fault *f);
enum err schemas_versions(struct db *db, struct arena *a, const struct schema_subject *s, bool deleted, bool deleted_only,
                          struct schema_version **ret, size_t *ret_n, struct fault *f);
enum err schemas_lookup(struct db *db, struct arena *a, const struct schema_candidate *c, bool deleted, struct schema_row *ret,
                        bool *ret_found, struct fault *f);
enum err schemas_referrers(struct db *db, struct arena *a, const struct schema_subject *s, int version, int **ret, size_t *ret_n,
                           struct fault *f);
enum err schemas_subjects(struct db *db, struct arena *a, const struct schema_filter *l, const struct schema_subject *after,
                          int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f);
enum err schemas_settings(struct db *db, const struct schema_subject *s, struct schema_settings *ret, struct fault *f);
#define SCHEMA_LEVEL_DEFAULT COMPAT_BACKWARD

/* --- compatibility --- */
/* What the comparisons of one request share: the time that they may take together, and a place (schemas_long_begin). */
struct comparison {
    struct schemas *schemas;      /* NULL: it has a place, or needs none */
    int64_t time_us;              /* from the first on */
    int64_t deadline_us;          /* monotonic; 0: none was begun */
};
/* Before each. *ret_in_time: it may be made; the first may always. ERR_OVERLOADED */
enum err comparison_next(struct comparison *c, bool *ret_in_time, struct fault *f);
void comparison_end(struct comparison *c); /* also where none was begun */
#define SCHEMA_FINDINGS 20
struct schema_verdict {
    size_t n;                     /* findings; 0: compatible */
    struct compat_finding v[SCHEMA_FINDINGS];
    struct schema_row old;        /* the version that it does not fit */
    int level;
};
/* Against what the subject's level asks for; version > 0: against that one alone, -1: the latest alone (0 asks for the level). */
enum err schemas_check(const struct config *c, struct db *db, struct arena *a, const struct schema_candidate *candidate,
                       int version, struct comparison *with, struct schema_verdict *ret, struct fault *f);
#define SCHEMA_LINES (2 * SCHEMA_FINDINGS + 2)
struct slice schema_shown(struct arena *a, struct slice text); /* cut to what answers show; p == NULL: no memory */
/* Copied, with its texts as far as answers show them. false: no memory. */
bool schema_finding_keep(struct arena *a, const struct compat_finding *found, struct compat_finding *ret);
extern const struct compat_finding schema_other_type; /* of two schemas, one Avro, one JSON Schema */
/* As `messages` holds them: a line for each finding and one for its counterexample, then the version and the level. */
void schema_verdict_lines(struct arena *a, const struct schema_verdict *v, struct slice ret[SCHEMA_LINES], size_t *ret_n);
/* SCHEMA_INCOMPATIBLE: the first finding in a sentence, then all of them as far as they go into the message. */
#define SCHEMA_MESSAGE_BYTES 4000
enum err schema_verdict_fault(struct arena *a, const struct schema_subject *s, const struct schema_verdict *v, struct fault *f);

/* --- changing: inside a transaction; each tells the stream _schemas; afterwards schemas_changed --- */
/* The comparison is ended; NULL: nothing is compared. Always: also what is there already. */
enum err schemas_register(const struct config *c, struct db *db, struct arena *a, struct schema_candidate *candidate,
                          const struct schema_body *body, struct comparison *with, bool always, bool *ret_made, struct fault *f);
/* Softly, or for good; the versions that went. */
enum err schemas_delete(struct db *db, struct arena *a, const struct schema_subject *s, bool permanent, int **ret, size_t *ret_n,
                        struct fault *f);
enum err schemas_delete_version(struct db *db, struct arena *a, const struct schema_subject *s, int version, bool permanent,
                                int *ret_version, struct fault *f);
/* SCHEMA_UNSET takes it away. *ret_before: what was set. */
enum err schemas_set_level(struct db *db, struct arena *a, const struct schema_subject *s, int level, int *ret_before,
                           struct fault *f);
enum err schemas_set_mode(struct db *db, struct arena *a, const struct schema_subject *s, int mode, bool force, int *ret_before,
                          struct fault *f);

#define SCHEMAS_STREAM "_schemas"
/* An event about something at `source`, of which `subject` is the name. */
enum err schemas_tell_data(struct db *db, const char *type, const char *source, struct slice subject, const struct buf *data,
                           struct fault *f);
/* The event of a change, into the outbox of this transaction. `rest`: further members of its data, with a comma before each. */
enum err schemas_tell(struct db *db, struct arena *a, const char *type, const struct schema_subject *s, struct buf *rest,
                      struct fault *f);
void schema_row_members(struct buf *b, const struct schema_row *row); /* ,"schema":…: schemaType, references and so on where there are any */

#endif
