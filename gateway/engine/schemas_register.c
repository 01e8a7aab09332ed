#include "gateway/engine/contracts.h"

/* A new version of a subject. Under the lock of the subject's row what is there already and what fits is decided; then, under the
 * claim of the registry, ids are given out. */

static enum err not_permitted(struct arena *a, const struct schema_subject *s, const char *why, struct fault *f)
{
    struct slice name = schema_subject_text(a, s);

    return schema_fault(f, SCHEMA_NOT_PERMITTED, "Subject '%.*s' %s", name.n < 250 ? (int)name.n : 0, name.p, why);
}

static enum err check_mode(struct arena *a, const struct schema_subject *s, int mode, int id, struct fault *f)
{
    if (mode == MODE_READONLY)
        return not_permitted(a, s, "is in read-only mode", f);
    if (id && mode != MODE_IMPORT)
        return not_permitted(a, s, "is not in import mode", f);
    if (!id && mode == MODE_IMPORT)
        return not_permitted(a, s, "is in import mode: an id is needed", f);
    return OK;
}

static enum err check_room(const struct config *c, struct arena *a, const struct schema_subject *s, const struct schema_count *n,
                           struct fault *f)
{
    if (n->versions >= c->registry_versions || n->greatest == SCHEMA_VERSION_MAX)
        return not_permitted(a, s, "has as many versions as registry.versions allows; delete some for good", f);
    if (!n->versions && n->subjects > c->registry_subjects) /* its own row is counted */
        return not_permitted(a, s, "is one too many: there are as many as registry.subjects allows", f);
    return OK;
}

/* The level, which the mode IMPORT passes over, and the contracts. */
static enum err check_fits(const struct config *c, struct db *db, struct arena *a, const struct schema_candidate *candidate,
                           bool import, struct comparison *with, struct fault *f)
{
    struct schema_verdict verdict = { .n = 0 };
    enum err e = import ? OK : schemas_check(c, db, a, candidate, 0, with, &verdict, f);

    if (!e && verdict.n)
        e = schema_verdict_fault(a, &candidate->row.subject, &verdict, f);
    e = e ? e : contracts_check(db, a, candidate, with, f);
    comparison_end(with);
    return e;
}

/* The id of the content, as it is known or from now on. */
static enum err settle_id(struct db *db, struct arena *a, struct schema_candidate *c, int wanted, int next_id, struct fault *f)
{
    struct schema_row *row = &c->row;
    bool same, there = true;
    int found;
    enum err e = c->n ? db_schema_refs_there(db, a, c->refs, c->n, &there, f) : OK;

    if (!e && !there)
        e = schema_fault(f, SCHEMA_INVALID, "Invalid schema: a version that it refers to was deleted just now.");
    if (e || (e = db_schema_find(db, row->subject.context, c->digest, wanted, &found, &same, f)))
        return e;
    if (same) {
        row->id = found;
        return !wanted || wanted == found ? OK
                                          : schema_fault(f, SCHEMA_OTHER_ID, "The schema has the id %d, not %d.", found, wanted);
    }
    if (found)
        return schema_fault(f, SCHEMA_NOT_PERMITTED, "Overwrite new schema with id %d is not permitted.", wanted);
    if (wanted > next_id && wanted - next_id > SCHEMA_IMPORT_AHEAD)
        return schema_fault(f, SCHEMA_NOT_PERMITTED, "The id %d is more than %d above %d, the next one that is free.", wanted,
                            SCHEMA_IMPORT_AHEAD, next_id);
    row->id = wanted ? wanted : next_id;
    if (row->id == INT32_MAX)
        return schema_fault(f, SCHEMA_NOT_PERMITTED, "The id %d is above those that there are.", row->id);
    return db_schema_add(db, a, row, c->digest, c->refs, c->n, f);
}

static enum err settle_version(struct db *db, struct arena *a, struct schema_row *row, int wanted, int greatest, struct fault *f)
{
    struct schema_row *there;
    size_t n = 0;
    enum err e = OK;

    row->version = wanted > 0 ? wanted : greatest + 1;
    if (wanted > 0)
        e = db_schema_get(db, a, &row->subject, (struct schema_span){ wanted, wanted }, true, 1, &there, &n, f);
    if (!e && n)
        return schema_fault(f, SCHEMA_NOT_PERMITTED, "Overwrite version %d is not permitted.", wanted);
    return e ? e : db_schema_version_add(db, row, f);
}

static enum err tell(struct db *db, struct arena *a, const struct schema_row *row, struct fault *f)
{
    struct buf b = { 0 };
    enum err e;

    buf_printf(&b, ",\"version\":%d,\"id\":%d", row->version, row->id);
    schema_row_members(&b, row);
    e = schemas_tell(db, a, "SchemaRegistered", &row->subject, &b, f);
    buf_free(&b);
    return e;
}

enum err schemas_register(const struct config *c, struct db *db, struct arena *a, struct schema_candidate *candidate,
                          const struct schema_body *body, struct comparison *with, bool always, bool *ret_made, struct fault *f)
{
    struct schema_row *row = &candidate->row;
    struct schema_settings settings;
    struct schema_count count;
    bool found = false, import;
    int next_id;
    enum err e = db_schema_subject_lock(db, &row->subject, &settings, f);

    *ret_made = false;
    if (!e && !always)
        e = schemas_lookup(db, a, candidate, false, row, &found, f);
    if (e || (found && (!body->id || body->id == row->id)))
        return e;
    if (found)
        return schema_fault(f, SCHEMA_OTHER_ID, "The schema has the id %d, not %d.", row->id, body->id);
    if ((e = schemas_settings(db, &row->subject, &settings, f)) || (e = check_mode(a, &row->subject, settings.mode, body->id, f)) ||
        (e = db_schema_count(db, &row->subject, &count, f)) || (e = check_room(c, a, &row->subject, &count, f)))
        return e;
    import = settings.mode == MODE_IMPORT;
    if (with && (e = check_fits(c, db, a, candidate, import, with, f)))
        return e;
    if ((e = db_registry_claim(db, &next_id, f)) || (e = settle_id(db, a, candidate, body->id, next_id, f)) ||
        (e = settle_version(db, a, row, import ? body->version : 0, count.greatest, f)))
        return e;
    *ret_made = true;
    return tell(db, a, row, f);
}
