#ifndef WEIR_SCHEMA_FILES_H
#define WEIR_SCHEMA_FILES_H

#include "gateway/base/arena.h"

#define SCHEMA_FILES_MAX 10000          /* in one folder */
#define SCHEMA_FILE_BYTES (16UL << 20)  /* of one file */
#define SCHEMA_FILES_BYTES (512UL << 20) /* of all, with what is made of them */
#define SCHEMA_WHY 512

/* A folder of schemas, as `weir schema check` reads it: `<subject>.avsc` is Avro, `<subject>.json` is JSON Schema, and what a schema
 * refers to stands in `<subject>.references`, a JSON array of {name, subject, version}. %2F in a name stands for a slash, which no
 * file name has. Other files, hidden ones and folders within are left alone. */
struct schema_file {
    const char *name;
    struct slice subject;
    const char *type;               /* AVRO or JSON, as the registry calls it */
    struct slice text, references;  /* references: p == NULL where there is no such file */
};

struct schema_files {
    struct arena *arena;            /* everything below is in it */
    struct schema_file *v;          /* by name, those without references first: what they name can be registered before them */
    size_t n;
};

/* false: a sentence in why. Free in both cases. */
bool schema_files_read(struct schema_files *ret, const char *folder, char why[SCHEMA_WHY]);
void schema_files_free(struct schema_files *f);

#endif
