#ifndef WEIR_DB_AUDIT_H
#define WEIR_DB_AUDIT_H

#include "db/db.h"

/* A row of weir.audit. Slices belong to the arena they were read into. */
struct audit_row {
    uint8_t id[16];
    int64_t recorded_us;       /* the database sets it */
    struct slice type, resource;
    struct slice traceparent;  /* p == NULL: none */
    struct slice data;         /* a JSON object */
};

extern const struct stmt AUDIT_INSERT, AUDIT_PENDING, AUDIT_SET_ASIDE, AUDIT_REMOVE;

/* Inserts the row and commits the transaction that is open, in one round trip. row == NULL: only commits. */
enum err db_audit_commit(struct db *db, const struct audit_row *row, struct fault *f);
/* The oldest ones, up to max, in order. */
enum err db_audit_pending(struct db *db, struct arena *a, size_t max, struct audit_row **ret, size_t *ret_n, struct fault *f);
enum err db_audit_set_aside(struct db *db, const struct audit_row *row, struct fault *f); /* not pending any more */
enum err db_audit_remove(struct db *db, struct arena *a, const struct audit_row *rows, size_t n, struct fault *f);

#endif
