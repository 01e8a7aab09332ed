#ifndef WEIR_DB_SCHEMAS_H
#define WEIR_DB_SCHEMAS_H

#include "db/db.h"

/* The schema registry: weir.registry, schema_subjects, schema_versions, schemas, schema_references. Slices are in the arena. */

enum schema_mode { MODE_READWRITE, MODE_READONLY, MODE_IMPORT };
#define SCHEMA_UNSET (-1)

struct schema_subject {
    struct slice context;     /* begins with a dot; "." is the default one */
    struct slice name;        /* empty: what is set for the context, or for all */
};

struct schema_settings {
    int own_level, level;     /* of the subject itself, and what holds: enum compat_level; SCHEMA_UNSET: nothing is set */
    int own_mode, mode;       /* enum schema_mode, likewise */
};

/* A version of a subject with its schema; of a schema alone subject.name is empty and version 0. */
struct schema_row {
    struct schema_subject subject;
    int version;
    bool deleted;             /* softly */
    int id, type;             /* type: enum schema_type of gateway/engine/schema_text.h */
    struct slice text;
    struct slice refs;        /* a JSON array */
    struct slice metadata, rule_set; /* JSON; p == NULL: none */
};

struct schema_version {
    struct schema_subject subject;
    int version;
    bool deleted;
};

struct schema_span {          /* of versions, both included */
    int from, to;
};
#define SCHEMA_VERSION_MAX INT32_MAX
#define SCHEMA_ALL ((struct schema_span){ 1, SCHEMA_VERSION_MAX })

extern const struct stmt REGISTRY_CHANGES, REGISTRY_CLAIM, SCHEMA_SUBJECT_MAKE, SCHEMA_SUBJECT_LOCK, SCHEMA_SUBJECT_PUT,
    SCHEMA_SUBJECT_DROP, SCHEMA_SETTINGS, SCHEMA_COUNT, SCHEMA_ANY, SCHEMA_GET, SCHEMA_BY_ID, SCHEMA_SUBJECTS,
    SCHEMA_VERSIONS, SCHEMA_USES, SCHEMA_MATCH, SCHEMA_FIND, SCHEMA_ADD, SCHEMA_REFER, SCHEMA_REFS_THERE,
    SCHEMA_VERSION_ADD, SCHEMA_REFERRERS, SCHEMA_HIDE, SCHEMA_REMOVE, SCHEMA_FORGET;

/* Reading: on any connection. Goes up with every change of the registry. */
enum err db_registry_changes(struct db *db, int64_t *ret, struct fault *f);
enum err db_schema_settings(struct db *db, const struct schema_subject *s, struct schema_settings *ret, struct fault *f);
/* At most limit versions of the span, newest first. */
enum err db_schema_get(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, bool deleted,
                       int64_t limit, struct schema_row **ret, size_t *ret_n, struct fault *f);
/* *ret_n: 0 or 1. The context is where it is looked for first. */
enum err db_schema_by_id(struct db *db, struct arena *a, struct slice context, int id, struct schema_row **ret, size_t *ret_n,
                         struct fault *f);
/* The version of the subject that has this content. *ret_n: 0 or 1 */
enum err db_schema_match(struct db *db, struct arena *a, const struct schema_subject *s, struct slice digest, bool deleted,
                         struct schema_row **ret, size_t *ret_n, struct fault *f);
enum err db_schema_versions(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_version **ret,
                            size_t *ret_n, struct fault *f);
/* After a subject's version, in order, at most limit. */
enum err db_schema_uses(struct db *db, struct arena *a, struct slice context, int id, const struct schema_version *after,
                        int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f);
/* Ids of schemas that name a version of the span; `hidden` and `others` as $5 and $6 of schema_referrers. */
enum err db_schema_referrers(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, bool hidden,
                             bool others, int **ret, size_t *ret_n, struct fault *f);

/* What a list selects. */
struct schema_filter {
    struct slice context;     /* "": any */
    struct slice prefix;      /* of subjects */
    bool deleted;             /* also those deleted softly */
    bool deleted_only;        /* subjects: only those */
};
/* The next ones after a subject, in order, at most limit; `version` is how many each has. */
enum err db_schema_subjects(struct db *db, struct arena *a, const struct schema_filter *l, const struct schema_subject *after,
                            int64_t limit, struct schema_version **ret, size_t *ret_n, struct fault *f);

/* Inside a transaction. Lock: makes the row if there is none; nobody else changes the subject until the end. Then claim, before
 * anything is written: one transaction at a time has it. */
enum err db_schema_subject_lock(struct db *db, const struct schema_subject *s, struct schema_settings *ret_own, struct fault *f);
enum err db_registry_claim(struct db *db, int *ret_next_id, struct fault *f);
enum err db_schema_subject_put(struct db *db, const struct schema_subject *s, int level, int mode, struct fault *f);
enum err db_schema_subject_drop(struct db *db, const struct schema_subject *s, struct fault *f); /* if nothing is left of it */

struct schema_count {
    int64_t versions, subjects;
    int greatest;             /* version, those deleted softly included; 0: none */
};
enum err db_schema_count(struct db *db, const struct schema_subject *s, struct schema_count *ret, struct fault *f);
enum err db_schema_any(struct db *db, const struct schema_subject *s, bool *ret, struct fault *f); /* versions, of a context too */
/* The schema of this content, or else of this id. *ret_id: 0: there is none; *ret_same: it has the content. */
enum err db_schema_find(struct db *db, struct slice context, struct slice digest, int id, int *ret_id, bool *ret_same,
                        struct fault *f);
/* refs: each version that it names. */
enum err db_schema_add(struct db *db, struct arena *a, const struct schema_row *row, struct slice digest,
                       const struct schema_version *refs, size_t n, struct fault *f);
enum err db_schema_version_add(struct db *db, const struct schema_row *row, struct fault *f);
enum err db_schema_refs_there(struct db *db, struct arena *a, const struct schema_version *refs, size_t n, bool *ret,
                              struct fault *f);
/* Deletion, softly and for good. The versions that went, ascending. */
enum err db_schema_hide(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, int **ret,
                        size_t *ret_n, struct fault *f);
enum err db_schema_remove(struct db *db, struct arena *a, const struct schema_subject *s, struct schema_span span, int **ret,
                          size_t *ret_n, struct fault *f);

#endif
